"""What goes back to Slack: nothing that a host said becomes markup there, and a no says why."""

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from sentienguard.adapters.notify.said import Key
from sentienguard.adapters.notify.slack import Slack, Workspace
from sentienguard.controlplane import chat_answers, slack_desk
from sentienguard.controlplane.slack_desk import SlackDesk, Space
from sentienguard.model import errors
from sentienguard.ports.notifier import Form, NotTaken, Run, Whisper
from tests.servers import chat_services
from tests.support import outbound_ways

HOSTILE = "<https://evil.example|Approve> <!channel> <@U1> *b* `c` &lt; https://evil.example"
TEAM = chat_services.TEAM
NOW = datetime.fromtimestamp(1_770_000_000, UTC)
BASE = "https://guard.test"
TOKEN = Key("bot", outbound_ways.key("xoxb"))


class Quiet(Slack):
    """Slack as it writes, without a way out: what it would send is kept."""

    def __init__(self) -> None:
        super().__init__(Workspace("https://slack.test", TOKEN, "C1", TEAM), cast("Any", None))
        self.whispers: list[Whisper] = []
        self.forms: list[Form] = []
        self.opens = True

    def whisper(self, whisper: Whisper) -> None:
        self.whispers.append(whisper)

    def ask_why(self, form: Form) -> None:
        if not self.opens:
            raise NotTaken("slack views.open: expired_trigger_id")
        self.forms.append(form)


class Templates:
    """Answers everything at once with the same."""

    def __init__(self, said: list[Run] | Exception) -> None:
        self.said = said

    def at_once(self, _text: str, _user: object) -> list[Run]:
        if isinstance(self.said, Exception):
            raise self.said
        return self.said

    def takes_longer(self, _text: str, _user: object) -> bool:
        return False

    def in_time(self, text: str, user: object) -> list[Run]:
        return self.at_once(text, user)


def desk(said: list[Run] | Exception, *, secret: str = "") -> tuple[SlackDesk, Quiet]:
    slack = Quiet()
    centre = SimpleNamespace(
        chat=SimpleNamespace(account=lambda *_: "olga"),
        users=SimpleNamespace(get=lambda name: SimpleNamespace(name=name)),
        clock=SimpleNamespace(now=lambda: NOW),
        counters=SimpleNamespace(add=lambda *_: None),
    )
    space = Space(TEAM, (lambda: secret) if secret else None, slack)
    made = SlackDesk(cast("Any", centre), [space], f"{BASE}/", Templates(said), Path("unused"))
    return made, slack


def asked(made: SlackDesk, person: str = "U1") -> Any:
    return made.payload(
        {"type": "slash_commands",
         "payload": {"team_id": TEAM, "user_id": person, "text": "ask what?"}}
    )  # fmt: skip


def over_http(made: SlackDesk, body: bytes, secret: str) -> Any:
    """Send a signed body through the door and return its answer."""
    signed = chat_services.signed(body, at=NOW.timestamp(), secret=secret)
    headers = [(name.lower().encode(), value.encode()) for name, value in signed.items()]
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "path": slack_desk.PATH, "method": "POST", "headers": headers}
    door = made.before(cast("Any", None))
    asyncio.run(door(cast("Any", scope), cast("Any", receive), send))
    assert sent[0]["status"] == 200
    return json.loads(sent[1]["body"] or b"{}"), dict(sent[0]["headers"])


@pytest.mark.parametrize(
    "said", [[Run(HOSTILE)], errors.Rejected(HOSTILE), [Run("a " * 4000), Run(HOSTILE)]]
)
def test_text_of_hosts_in_an_answer_is_text(said: list[Run] | Exception) -> None:
    made, _ = desk(said)
    answer = asked(made)
    chat_services.read_answer(answer)
    assert {
        one["type"] for one in answer["blocks"][0]["elements"][0]["elements"]
    } == {"text"}  # fmt: skip
    assert answer["mrkdwn"] is False


def test_an_answer_by_http_is_a_document_that_slack_shows_as_text() -> None:
    secret = chat_services.SIGNING
    made, _ = desk([Run(HOSTILE)], secret=secret)
    body = b"command=%2Fsentienguard&team_id=T0001&user_id=U1&text=ask+what"
    answer, headers = over_http(made, body, secret)
    chat_services.read_answer(answer)
    assert headers[b"content-type"].startswith(b"application/json")


def test_a_person_without_an_account_reads_their_id_as_text() -> None:
    made, _ = desk([])
    made._centre.chat.account = lambda *_: (_ for _ in ()).throw(  # type: ignore[method-assign]
        chat_answers.NotLinked("no")
    )
    answer = asked(made, person="<!channel>")
    chat_services.read_answer(answer)
    assert "&lt;!channel&gt;" in answer["text"]


def test_an_entry_is_a_link_to_its_page_and_nothing_else_is() -> None:
    made, _ = desk([
        Run("It was tried."), Run("[412]", f"{BASE}/audit/proof/412"),
        Run("x", "javascript:alert(1)"),
    ])  # fmt: skip
    answer = asked(made)
    chat_services.read_answer(answer)
    runs = answer["blocks"][0]["elements"][0]["elements"]
    assert [one for one in runs if one["type"] == "link"] == [
        {"type": "link", "url": f"{BASE}/audit/proof/412", "text": "[412]"}
    ]
    assert answer["text"] == "It was tried.[412]x"


def click(**changes: Any) -> dict[str, Any]:
    return {
        "type": "interactive",
        "payload": {**chat_services.click("deny", "apr_1 sha256:ab"), **changes},
    }


def judged(monkeypatch: pytest.MonkeyPatch) -> None:
    about = SimpleNamespace(playbook="clean", incident="inc_1")
    found = chat_answers.Judged(cast("Any", None), cast("Any", about), cast("Any", None))
    monkeypatch.setattr(chat_answers, "judge", lambda *_: found)


def test_a_no_is_asked_for_its_reason_in_a_form(monkeypatch: pytest.MonkeyPatch) -> None:
    judged(monkeypatch)
    made, slack = desk([])
    assert made.payload(click()) == {}
    made.close()
    [form] = slack.forms
    assert (form.trigger, form.kept) == (chat_services.TRIGGER, "apr_1 sha256:ab C0001")
    assert slack.whispers == []


def test_where_no_form_opens_the_person_is_led_to_the_page_that_asks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    judged(monkeypatch)
    made, slack = desk([])
    slack.opens = False
    made.payload(click())
    made.close()
    [whisper] = slack.whispers
    assert whisper.said[0].text.startswith("A denial needs a reason")
    assert whisper.said[1] == Run(f"{BASE}/incidents/inc_1", f"{BASE}/incidents/inc_1")


def test_who_may_not_say_no_is_asked_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chat_answers, "judge", lambda *_: "You may not.")
    made, slack = desk([])
    made.payload(click())
    made.close()
    assert slack.forms == []
    assert [one.said for one in slack.whispers] == [(Run("You may not."),)]


VIEW = {
    "callback_id": "deny",
    "private_metadata": "apr_1 sha256:ab C0001",
    "blocks": [{"type": "input", "block_id": "reason", "element": {"action_id": "reason"}}],
}


@pytest.mark.parametrize("reason", [None, "", "  \n "])
def test_a_form_without_a_reason_stays_open(reason: str | None) -> None:
    made, slack = desk([])
    payload = chat_services.submission(VIEW, reason)
    answer = made.payload({"type": "interactive", "payload": payload})
    assert answer["response_action"] == "errors"
    assert "needs a reason" in answer["errors"]["reason"]
    assert slack.whispers == []


def test_a_reason_is_judged_like_a_click(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[Any] = []

    def answer(_centre: Any, person: Any, pressed: Any, page: str) -> str:
        taken.append((person, pressed, page))
        return "Denied."

    monkeypatch.setattr(chat_answers, "answer", answer)
    secret = chat_services.SIGNING
    made, slack = desk([], secret=secret)
    body = chat_services.form(chat_services.submission(VIEW, " not now ", "U_RITA"))
    said, _ = over_http(made, body, secret)
    made.close()
    assert said == {}
    [(person, pressed, page)] = taken
    assert person.name == f"slack:{TEAM}/U_RITA"
    assert pressed == chat_answers.Pressed("deny", "apr_1", "sha256:ab", "not now")
    assert page == f"{BASE}/approvals"
    assert [(one.channel, one.person, one.said) for one in slack.whispers] == [
        ("C0001", "U_RITA", (Run("Denied."),))
    ]


@pytest.mark.parametrize(
    "changes",
    [
        {"callback_id": "other"}, {"private_metadata": "apr_1"}, {"state": {}},
        {"state": {"values": {"reason": {"reason": {"value": 7}}}}},
        {"state": {"values": {"reason": {"reason": {"value": "x" * 3001}}}}},
    ],
)  # fmt: skip
def test_a_form_that_is_not_ours_changes_nothing(changes: dict[str, Any]) -> None:
    made, slack = desk([])
    payload = chat_services.submission(VIEW, "why")
    payload["view"] |= changes
    assert made.payload({"type": "interactive", "payload": payload}) == {}
    made.close()
    assert slack.whispers == []
