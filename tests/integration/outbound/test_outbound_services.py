"""Each service's messages against a server that checks its published format."""

import base64
import email
import email.policy
import json
import re
import ssl
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any, cast

import pytest

from sentienguard.adapters.notify import channels, mail, posting
from sentienguard.adapters.notify.said import ChannelWrong, Key
from sentienguard.adapters.outbound_http.client import GuardedClient
from sentienguard.adapters.outbound_http.destinations import Allowed
from sentienguard.adapters.secret_stores import local
from sentienguard.model.anomaly import Severity
from sentienguard.model.ids import ApprovalId, Digest, IncidentId
from sentienguard.model.notice import Notice, NoticeKind, Question
from sentienguard.ports.notifier import Letter, Notifier, NotNow, NotTaken
from sentienguard.ports.outbound import Answer, Request
from tests.servers import chat_services, echoing
from tests.servers import mail as mail_server
from tests.servers.chat_services import Services
from tests.support import named_secrets, outbound_ways

pytestmark = pytest.mark.integration
NOW = datetime.now(UTC)
HOSTILE = (
    "<!channel> <@U1> @channel @all [click](http://evil) **bold** `code` *b* _i_ "
    "<http://evil|ok> {{x}} http://evil &lt; \\ # h"
)
INCIDENT = IncidentId("inc_20260212_112600_a8f3b2c1")
QUESTION = Question(
    ApprovalId("apr_0123456789abcdef"), Digest("sha256:ab"), "disk_cleanup", NOW, False
)
OPENED = Notice(
    kind=NoticeKind.OPENED,
    incident=INCIDENT,
    environment="production",
    host="web-1",
    severity=Severity.CRITICAL,
    title=f"web-1: /var is full {HOSTILE}",
    lines=(HOSTILE, "x" * 5000, ""),
    at=NOW,
    page="https://sg.example.com/incidents/x",
)
ASKED = replace(
    OPENED, kind=NoticeKind.APPROVAL, question=QUESTION, lines=("Incident: a", "This will:", "1. b")
)
ESCALATED = replace(OPENED, kind=NoticeKind.ESCALATED, lines=("What was tried:", "- step a failed"))
RESOLVED = replace(OPENED, kind=NoticeKind.RESOLVED, over=True, lines=())
HANDLED = replace(OPENED, kind=NoticeKind.HANDLED)
DIGEST = replace(
    OPENED, kind=NoticeKind.DIGEST, incident=IncidentId(""), lines=tuple(["- a"] * 200)
)
AGREED = replace(ASKED, kind=NoticeKind.AGREED, lines=("1 of 2: ann agreed", "Incident: a"))
EVERY = (OPENED, ASKED, AGREED, ESCALATED, RESOLVED, HANDLED, DIGEST)


@pytest.fixture
def services() -> Iterator[Services]:
    with chat_services.running() as running:
        yield running


def document(services: Services, place: Path) -> dict[str, dict[str, Any]]:
    at = services.address
    secret = base64.b64encode(chat_services.WEBHOOK_SECRET).decode()
    for name, content in {
        "bot": chat_services.BOT, "signing": chat_services.SIGNING, "app": chat_services.APP,
        "routing": chat_services.ROUTING, "whsec": f"whsec_{secret}", "jira": "jira-token",
        "teams": f"{at}/workflows/abc?sig=x", "mattermost": f"{at}/hooks/abc",
    }.items():  # fmt: skip
        (place / name).write_text(f"{content}\n")
    return {
        "slack": {"kind": "slack", "api": f"{at}/api", "token_file": "bot", "team": "T0001",
                  "channel": "C0001", "private": True},
        "pagerduty": {"kind": "pagerduty", "url": f"{at}/v2/enqueue",
                      "routing_key_file": "routing", "private": True},
        "webhook": {"kind": "webhook", "url": f"{at}/webhook", "secret_file": "whsec",
                    "private": True},
        "teams": {"kind": "teams", "url_file": "teams", "private": True},
        "mattermost": {"kind": "mattermost", "url_file": "mattermost", "private": True},
        "jira": {"kind": "jira", "site": at, "project": "OPS", "user": "bot@example.com",
                 "token_file": "jira", "private": True},
    }  # fmt: skip


def opened(services: Services, place: Path) -> dict[str, Notifier]:
    said = channels.read(document(services, place), place, named_secrets.Stores())
    way = GuardedClient(
        [Allowed.of(one.url, private=one.private) for one in channels.wanted(said)], limit_s=5
    )
    found = channels.open_all(said, way, lambda box: mail.Mail(box, way.connect, way.tls))
    return {one.name: one.notifier for one in found}


def letter(notice: Notice, previous: str = "", name: str = "msg_1") -> Letter:
    return Letter(name, notice, datetime.now(UTC), previous)


@pytest.mark.parametrize("name", ["slack", "pagerduty", "webhook", "teams", "mattermost", "jira"])
@pytest.mark.parametrize("notice", EVERY, ids=lambda one: one.kind.value)
def test_every_message_is_taken_by_the_published_format(
    services: Services, tmp_path: Path, name: str, notice: Notice
) -> None:
    found = opened(services, tmp_path)[name]
    reference = found.send(letter(notice))
    found.send(letter(notice, reference, "msg_2"))
    assert services.refused == []


@pytest.mark.parametrize("name", ["slack", "pagerduty", "webhook", "teams", "mattermost", "jira"])
@pytest.mark.parametrize(
    ("status", "headers", "error", "after"),
    [
        (429, {"Retry-After": "30"}, NotNow, 30.0),
        (429, {"Retry-After": "99999999999"}, NotNow, None),
        (503, {}, NotNow, None),
        (500, {"Retry-After": "soon"}, NotNow, None),
        (400, {}, NotTaken, None),
        (404, {}, NotTaken, None),
        (302, {"Location": "http://169.254.169.254/"}, NotTaken, None),
    ],
)  # fmt: skip
def test_a_status_says_whether_to_come_again(  # noqa: PLR0917 - one for each column
    services: Services,
    tmp_path: Path,
    name: str,
    status: int,
    headers: dict[str, str],
    error: type[Exception],
    after: float | None,
) -> None:
    services.refuse_next.append((status, headers))
    with pytest.raises(error) as raised:
        opened(services, tmp_path)[name].send(letter(ASKED))
    if after is not None:
        assert raised.value.after_s == after  # type: ignore[attr-defined]
    for secret in (chat_services.BOT, chat_services.ROUTING, "jira-token", "sig=x"):
        assert secret not in str(raised.value)


def test_retry_after_may_be_a_date(services: Services, tmp_path: Path) -> None:
    until = (datetime.now(UTC) + timedelta(seconds=40)).strftime("%a, %d %b %Y %H:%M:%S GMT")
    services.refuse_next.append((429, {"Retry-After": until}))
    with pytest.raises(NotNow) as raised:
        opened(services, tmp_path)["slack"].send(letter(OPENED))
    assert raised.value.after_s is not None
    assert 30 < raised.value.after_s <= 40


def test_slack_posts_a_question_and_changes_that_message_as_it_moves(
    services: Services, tmp_path: Path
) -> None:
    slack = opened(services, tmp_path)["slack"]
    first = slack.send(letter(OPENED))
    asked = slack.send(letter(ASKED, first))
    assert asked != first, "a question is a new message"
    buttons = services.of("/api/chat.postMessage")[-1]["blocks"][-1]["elements"]
    assert [one["text"]["text"] for one in buttons] == ["Approve", "Deny", "View details"]
    assert buttons[0]["value"] == f"{QUESTION.approval} {QUESTION.digest}"
    assert slack.send(letter(RESOLVED, asked)) == asked
    [updated] = services.of("/api/chat.update")
    assert updated["ts"] == asked.partition("/")[2]
    kinds = [one["action_id"] for one in updated["blocks"][-1]["elements"]]
    assert kinds == ["details"], "there is nothing to answer any more"


def test_a_first_yes_changes_the_question_in_slack_and_pages_nobody(
    services: Services, tmp_path: Path
) -> None:
    found = opened(services, tmp_path)
    asked = found["slack"].send(letter(ASKED))
    assert found["slack"].send(letter(AGREED, asked)) == asked
    assert len(services.of("/api/chat.postMessage")) == 1
    [updated] = services.of("/api/chat.update")
    assert "1 of 2: ann agreed" in str(updated["blocks"])
    kinds = [one["action_id"] for one in updated["blocks"][-1]["elements"]]
    assert kinds == ["approve", "deny", "details"], "the second one answers here"
    assert found["pagerduty"].send(letter(AGREED, INCIDENT)) == INCIDENT
    assert services.of("/v2/enqueue") == []
    assert services.refused == []


def test_slack_tells_an_escalation_in_the_thread_too(services: Services, tmp_path: Path) -> None:
    slack = opened(services, tmp_path)["slack"]
    first = slack.send(letter(ASKED))
    slack.send(letter(ESCALATED, first))
    reply = services.of("/api/chat.postMessage")[-1]
    assert (reply["thread_ts"], reply["reply_broadcast"]) == (first.partition("/")[2], True)


def test_slack_writes_anew_where_the_message_is_gone(services: Services, tmp_path: Path) -> None:
    slack = opened(services, tmp_path)["slack"]
    services.slack_says.append("message_not_found")
    assert slack.send(letter(RESOLVED, "C0001/1.1")) != "C0001/1.1"


@pytest.mark.parametrize(
    ("code", "error"),
    [("internal_error", NotNow), ("channel_not_found", NotTaken), ("invalid_auth", NotTaken)],
)
def test_slack_s_codes_say_whether_to_come_again(
    services: Services, tmp_path: Path, code: str, error: type[Exception]
) -> None:
    services.slack_says.append(code)
    with pytest.raises(error, match=code):
        opened(services, tmp_path)["slack"].send(letter(OPENED))


def test_slack_leads_to_the_page_where_a_signature_is_needed(
    services: Services, tmp_path: Path
) -> None:
    asked = replace(ASKED, question=replace(QUESTION, needs_signature=True))
    opened(services, tmp_path)["slack"].send(letter(asked))
    buttons = services.of("/api/chat.postMessage")[-1]["blocks"][-1]["elements"]
    assert [one["action_id"] for one in buttons] == ["sign", "deny", "details"]
    assert buttons[0]["url"] == OPENED.page
    assert "value" not in buttons[0]


def test_pagerduty_triggers_acknowledges_and_resolves_one_alert(
    services: Services, tmp_path: Path
) -> None:
    pagerduty = opened(services, tmp_path)["pagerduty"]
    for notice in (OPENED, HANDLED, RESOLVED):
        assert pagerduty.send(letter(notice)) == INCIDENT
    events = services.of("/v2/enqueue")
    assert [one["event_action"] for one in events] == ["trigger", "acknowledge", "resolve"]
    assert {one["dedup_key"] for one in events} == {INCIDENT}


def test_jira_opens_an_issue_only_where_people_are_needed_and_comments_on_it(
    services: Services, tmp_path: Path
) -> None:
    jira = opened(services, tmp_path)["jira"]
    assert jira.send(letter(OPENED)) == ""
    assert services.taken == []
    assert jira.send(letter(ESCALATED)) == "OPS-7"
    assert jira.send(letter(RESOLVED, "OPS-7")) == "OPS-7"
    assert [path for path, _ in services.taken] == [
        "/rest/api/3/issue", "/rest/api/3/issue/OPS-7/comment",
    ]  # fmt: skip


def test_a_webhook_has_the_same_id_each_time_it_is_tried(
    services: Services, tmp_path: Path
) -> None:
    hook = opened(services, tmp_path)["webhook"]
    hook.send(letter(OPENED, name="msg_a"))
    hook.send(letter(OPENED, name="msg_a"))
    assert [one["webhook-id"] for one in services.headers] == ["msg_a", "msg_a"]


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "pigeon"},
        {"kind": "slack"},
        {"kind": "webhook", "url": "https://example.com", "secret_file": "missing"},
        {"kind": "webhook", "url": "https://example.com", "secret_file": "short"},
        {"kind": "pagerduty", "routing_key_file": "short", "colour": "red"},
        {"kind": "email", "server": "smtp://a:25", "from": "a@b", "to": ["c@d"], "tls": "none",
         "user": "x", "password_file": "short"},
        {"kind": "email", "server": "smtp://a:25", "from": "nobody", "to": ["c@d"]},
    ],
)  # fmt: skip
def test_a_channel_that_says_something_wrong_is_refused(
    services: Services, tmp_path: Path, change: dict[str, Any]
) -> None:
    (tmp_path / "short").write_text("c2hvcnQ=")
    way = GuardedClient([])
    with pytest.raises(ChannelWrong):
        channels.open_all(
            channels.read({"one": change}, tmp_path, named_secrets.Stores()),
            way,
            lambda box: mail.Mail(box, way.connect, way.tls),
        )


def by_names(found: dict[str, dict[str, Any]], place: Path) -> tuple[Any, dict[str, str]]:
    """Return channels that name their secrets instead of files, and the variables with them."""
    variables: dict[str, str] = {}
    for name, said in found.items():
        for field in [one for one in said if one.endswith("_file")]:
            variable = f"{name}_{field}".upper()
            variables[variable] = (place / said.pop(field)).read_text().strip()
            said[field.removesuffix("_file")] = f"env:{variable}"
    return found, variables


def test_channels_fetch_the_secrets_that_they_name_each_time(
    services: Services, tmp_path: Path
) -> None:
    wanted, variables = by_names(document(services, tmp_path), tmp_path)
    for file in tmp_path.iterdir():
        file.unlink()
    stores = named_secrets.Stores()
    stores.add("env", local.Environment(variables))
    said = channels.read(wanted, tmp_path, stores)
    way = GuardedClient([Allowed.of(one.url, private=True) for one in channels.wanted(said)])
    found = channels.open_all(said, way, lambda box: mail.Mail(box, way.connect, way.tls))
    for one in found:
        one.notifier.send(letter(ESCALATED))
    assert len(services.taken) == len(found)
    kept = dict(variables)
    variables.clear()
    for one in found:
        with pytest.raises(NotNow, match="env:") as refused:
            one.notifier.send(letter(ESCALATED))
        assert not [text for text in kept.values() if text in str(refused.value)]
    assert len(services.taken) == len(found)


@pytest.mark.parametrize(
    ("change", "because"),
    [
        ({"routing_key": "vault:sg#key"}, "begins with one of"),
        ({"routing_key": "R0UT1NGK3Y"}, "begins with one of"),
        ({"routing_key": "env:KEY", "routing_key_file": "short"}, "found both"),
        ({}, "routing_key_file"),
    ],
)
def test_a_name_that_cannot_be_is_told_at_the_start_and_not_quoted(
    tmp_path: Path, change: dict[str, Any], because: str
) -> None:
    (tmp_path / "short").write_text("c2hvcnQ=")
    said = channels.read(
        {"one": {"kind": "pagerduty", **change}}, tmp_path, named_secrets.Stores(KEY="x")
    )
    with pytest.raises(ChannelWrong, match=because) as refused:
        channels.open_all(said, GuardedClient([]), lambda box: cast("Any", box))
    assert "R0UT1NGK3Y" not in str(refused.value)


@pytest.fixture
def post(tmp_path: Path) -> Iterator[mail_server.MailServer]:
    with mail_server.running(tmp_path) as running:
        yield running


def mailer(post: mail_server.MailServer, **changes: Any) -> mail.Mail:
    server = f"smtp://127.0.0.1:{post.port}"
    box = replace(
        mail.Mailbox(server, "SentienGuard <sg@example.com>", ("ops@example.com",), "bot",
                     Key("mail", outbound_ways.key("mail-password"))),
        **changes,
    )  # fmt: skip
    context = ssl.create_default_context(cafile=str(post.ca))
    way = GuardedClient([Allowed.of(server, private=True)], limit_s=5, tls=context)
    return mail.Mail(box, way.connect, context)


def test_mail_is_handed_in_under_tls_as_one_thread(post: mail_server.MailServer) -> None:
    first = mailer(post).send(letter(OPENED, name="msg_a"))
    mailer(post).send(letter(RESOLVED, first, "msg_b"))
    one, two = (
        email.message_from_bytes(found, policy=email.policy.default) for found in post.mails
    )
    assert one["Message-ID"] == "<msg_a@example.com>" == first
    assert one["References"] == two["References"]
    assert one["Auto-Submitted"] == "auto-generated"
    assert one.get_content_type() == "text/plain"
    assert HOSTILE in one.get_content()
    assert "AUTH tls" in post.heard
    assert not [one for one in post.heard if one in {"MAIL", "AUTH", "DATA"}], "in the clear"


def test_mail_headers_take_no_line_break(post: mail_server.MailServer) -> None:
    evil = replace(OPENED, title="a\r\nBcc: evil@example.com\r\n\r\nbody")
    mailer(post).send(letter(evil))
    [found] = post.mails
    message = email.message_from_bytes(found, policy=email.policy.default)
    assert message["Bcc"] is None
    assert "Bcc: evil@example.com" in message["Subject"]


def test_mail_without_tls_is_not_sent_unless_the_owner_said_so(
    post: mail_server.MailServer,
) -> None:
    post.offers_tls = False
    with pytest.raises(NotTaken):
        mailer(post).send(letter(OPENED))
    assert post.mails == []
    mailer(post, user="", password=None, tls=False).send(letter(OPENED))
    assert len(post.mails) == 1


@pytest.mark.parametrize(
    ("command", "reply", "error"),
    [
        ("RCPT", b"450 busy", NotNow),
        ("RCPT", b"550 nobody", NotTaken),
        ("MAIL", b"451 later", NotNow),
        ("DATA", b"554 no", NotTaken),
        ("AUTH", b"535 no", NotTaken),
        ("AUTH", b"454 later", NotNow),
    ],
)
def test_a_reply_says_whether_to_come_again(
    post: mail_server.MailServer, command: str, reply: bytes, error: type[Exception]
) -> None:
    post.replies[command] = [reply]
    with pytest.raises(error) as raised:
        mailer(post).send(letter(OPENED))
    assert "mail-password" not in str(raised.value)


@pytest.mark.parametrize("command", ["AUTH", "MAIL", "DATA", "RCPT"])
def test_a_mail_server_that_repeats_the_password_is_quoted_without_it(
    post: mail_server.MailServer, command: str
) -> None:
    forms = [
        b"mail-password",
        base64.b64encode(b"mail-password"),
        base64.b64encode(b"\0bot\0mail-password"),
    ]
    for form in forms:
        post.replies[command] = [b"535 who said " + form + b" was it you?"]
        with pytest.raises((NotNow, NotTaken)) as raised:
            mailer(post).send(letter(OPENED))
        assert form.decode() not in str(raised.value)
        if command != "RCPT":  # of which nothing is quoted
            assert re.search(r"who said \*\*\*=* was it you\?", str(raised.value))


@pytest.mark.parametrize("status", [200, 403, 500])
@pytest.mark.parametrize("name", ["slack", "jira", "mattermost", "teams"])
def test_a_service_that_repeats_a_secret_is_quoted_without_it(
    services: Services, tmp_path: Path, status: int, name: str
) -> None:
    """Whatever its status: Slack refuses with 200. Jira is told its token inside of a Basic one."""
    with echoing.running(status) as hostile:
        said = document(services, tmp_path)
        secret = redirected(said[name], hostile.url, tmp_path)
        read = channels.read({name: said[name]}, tmp_path, named_secrets.Stores())
        way = GuardedClient([Allowed.of(one.url, private=True) for one in channels.wanted(read)])
        [found] = channels.open_all(read, way, lambda box: cast("Any", box))
        if status == HTTPStatus.OK and name in {"mattermost", "teams"}:
            found.notifier.send(letter(ESCALATED))  # a yes, of which no more is read
        else:
            with pytest.raises((NotNow, NotTaken)) as refused:
                found.notifier.send(letter(ESCALATED))
            for form in (secret, base64.b64encode(secret.encode()).decode()):
                assert form not in str(refused.value)
        assert any(
            secret in one or base64.b64encode(f"bot@example.com:{secret}".encode()).decode() in one
            for one in hostile.heard
        ), "it was told the secret"


def test_a_code_of_slack_that_repeats_the_token_is_quoted_without_it(
    services: Services, tmp_path: Path
) -> None:
    """Also where each of its characters is written as an escape, as JSON allows."""
    with echoing.running(200, answers=echoing.slack_says) as hostile:
        said = document(services, tmp_path)
        secret = redirected(said["slack"], hostile.url, tmp_path)
        read = channels.read({"slack": said["slack"]}, tmp_path, named_secrets.Stores())
        way = GuardedClient([Allowed.of(one.url, private=True) for one in channels.wanted(read)])
        [found] = channels.open_all(read, way, lambda box: cast("Any", box))
        with pytest.raises(NotTaken) as refused:
            found.notifier.send(letter(ESCALATED))
        assert hostile.told(secret)
    assert secret not in str(refused.value)
    assert "not_Bearer *** Bearer ***" in str(refused.value)


class Answering:
    """A way out on which a service says one thing."""

    def __init__(self, body: bytes, status: int = 200) -> None:
        self._answer = Answer(status, {}, body)

    def send(self, asked: Request) -> Answer:
        return self._answer


SECRET = 'to"ken\\77'  # with what JSON has to escape


@pytest.mark.parametrize(
    ("body", "kept"),
    [
        (b'{"ok": true}', b'{"ok": true}'),
        (b'no JSON, to"ken\\77', b"no JSON, ***"),
        (json.dumps({"a": [SECRET, {SECRET: 1}]}).encode(), b'{"a": ["***", {"***": 1}]}'),
        (b'["\\u0074o\\"ken\\\\77 \\ud800"]', b'["*** ?"]'),
        (b"[" * 100_000, b"[" * 100_000),
        (b'{"n": 1' + b"0" * 5000 + b"}", b'{"n": 1' + b"0" * 5000 + b"}"),
    ],
    ids=["clean", "text", "escaped as it must be", "escaped as it may be", "deep", "long number"],
)
def test_what_is_kept_of_an_answer_has_no_secret_for_any_reader(body: bytes, kept: bytes) -> None:
    answer = posting.post(Answering(body), "https://a.example", {}, at=NOW, hide=SECRET)
    assert answer.body == kept


def test_an_answer_that_is_nested_too_deep_is_no_json() -> None:
    with pytest.raises(NotNow, match="answered no JSON"):
        posting.document(Answer(200, {}, b"[" * 100_000))


def redirected(said: dict[str, Any], url: str, place: Path) -> str:
    """Let a channel speak to this address; return the secret that it tells it."""
    for field in ("api", "site"):
        if field in said:
            said[field] = f"{url}/{field}"
    said["private"] = True
    if "token_file" in said:
        (place / said["token_file"]).write_text("canary-token-77")
        said["user"] = "bot@example.com" if "user" in said else said.get("user", "")
        if not said["user"]:
            del said["user"]
        return "canary-token-77"
    (place / said["url_file"]).write_text(f"{url}/hooks/canary-hook-88")
    return "canary-hook-88"


def test_a_mail_server_with_another_certificate_is_not_believed(
    post: mail_server.MailServer,
) -> None:
    found = mailer(post)
    found._tls = ssl.create_default_context()
    with pytest.raises(NotNow):
        found.send(letter(OPENED))
    assert post.mails == []
