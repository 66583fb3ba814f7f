"""A right that was given in an emergency, pressed in a chat: no is taken, yes is led elsewhere."""

from datetime import UTC, datetime, timedelta

import pytest

from sentienguard.controlplane import app, chat_answers, evaluation
from sentienguard.controlplane import settings as settings_module
from sentienguard.model.access import Permission, Role
from sentienguard.model.approval import ApprovalStatus
from sentienguard.model.emergency import Emergency, EmergencyId
from sentienguard.ports.chat_identities import ChatIdentity
from tests.support import accounts, api_world, centre_process

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]
PAGE = "https://guard.example/approvals"
PLACES = {"production": 1, "staging": 2, "dev": 3}


@pytest.fixture(scope="module")
def centre(tmp_path_factory):
    data = tmp_path_factory.mktemp("chat") / "data"
    settings = settings_module.Settings(embeddings="off")
    evaluation.prepare(data / "controlplane", data / "offline", {}, now=datetime.now(UTC))
    with app.centre_in(data / "controlplane", settings, "https://127.0.0.1:1") as made:
        made.messages.connect(api_world.NoEngine())
        accounts.add(made.users, "ada", centre_process.PASSWORD, {"drill": Role.ADMINISTRATOR})
        accounts.add(made.users, "victim@local", centre_process.PASSWORD, {})
        made.chat.link(ChatIdentity("slack", "T1", "U_ADA", "ada", "admin", datetime.now(UTC)))
        for place, number in PLACES.items():
            api_world.things(made, number, place)
            if place != "dev":
                give(made, place)
        yield made


def give(centre, place):
    """Let ada answer questions there for an hour, by two people."""
    now = centre.clock.now()
    emergency = EmergencyId(f"brk_of_ada_{place}")
    centre.emergencies.ask(Emergency(
        emergency, "ada", place, Permission.DECIDE_APPROVAL, "nobody else is awake", 60,
        now, now + timedelta(minutes=15),
    ))  # fmt: skip
    centre.emergencies.agree(emergency, by="admin@local", at=now)


def question(centre, place):
    return centre.approvals.list(None, within={place})[0]


def press(centre, place, verb):
    asked = question(centre, place)
    pressed = chat_answers.Pressed(verb, asked.id, asked.digest, "not now")
    person = chat_answers.Person("slack", "T1", "U_ADA")
    return chat_answers.answer(centre, person, pressed, PAGE), asked


def denials(centre):
    found = centre.log.entries(0, centre.log.size())
    return [one for one in found if one.fields["kind"] == "access.denied"]


def test_a_yes_is_led_to_the_page_and_to_the_command(centre):
    before = len(denials(centre))
    told, asked = press(centre, "production", "approve")
    assert "counts where you log in" in told
    assert "brk_of_ada_production" in told
    assert PAGE in told
    assert f"sentienguard approvals approve {asked.id}" in told
    assert question(centre, "production").status is ApprovalStatus.PENDING
    assert len(denials(centre)) == before, "nobody was refused what they may do"


def test_a_no_is_taken_and_says_by_which_right(centre):
    told, asked = press(centre, "staging", "deny")
    assert told.startswith("Denied")
    assert question(centre, "staging").status is ApprovalStatus.DENIED
    found = [one.fields for one in centre.log.by_incident(asked.incident)]
    [decided] = [one for one in found if one["kind"] == "approval.decided"]
    assert decided["actor"] == "ada"
    assert decided["data"]["role"] == "brk_of_ada_staging"
    assert decided["data"]["via"] == "slack:T1/U_ADA"


@pytest.mark.parametrize("verb", ["approve", "deny"])
def test_without_one_neither_is_taken_and_the_way_to_one_is_named(centre, verb):
    before = len(denials(centre))
    told, _ = press(centre, "dev", verb)
    assert "may not answer" in told
    assert "sentienguard break-glass request" in told
    assert question(centre, "dev").status is ApprovalStatus.PENDING
    assert len(denials(centre)) == before + 1
