"""Two people have to say yes: what the first one's is worth when the second one's comes."""

import base64
import dataclasses
import itertools
import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from sentienguard.model.access import Permission, Role
from sentienguard.model.approval import ApprovalStatus
from sentienguard.model.emergency import Emergency, EmergencyId
from sentienguard.trust import dsse
from sentienguard.trust import order as orders
from sentienguard.trust import root as roots
from tests.contract import stores_nouns as nouns
from tests.support import accounts, api_world, centre_process, execution

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]
ANN, BOB = "ann@local", "bob@local"
OPERATES = {"staging": Role.REMEDIATION_AUTHORITY}
NUMBERS = itertools.count(100)


class Office:
    """A centre, its people and questions that two of them have to answer."""

    def __init__(self, centre, client):
        self.centre, self.client = centre, client
        self.now = datetime.now(UTC)
        for name in (ANN, BOB):
            accounts.add(centre.users, name, centre_process.PASSWORD, OPERATES)

    def ask(self, *, signed=False):
        number = next(NUMBERS)
        self.now = datetime.now(UTC)
        incident = nouns.incident(number, subject=f"/{number}")
        agent = nouns.agent(2).id
        found = dataclasses.replace(incident, environment="staging", agent=agent)
        self.centre.incidents.open(found)
        self.asked = dataclasses.replace(
            nouns.approval(number), incident=found.id, environment="staging", needed=2,
            signed=signed, opened_at=self.now, expires_at=self.now + timedelta(hours=9),
        )  # fmt: skip
        self.centre.approvals.open(self.asked)
        return self.asked

    def send(self, verb, name, path, body=None):
        bearer = api_world.token(self.centre, name)
        url = f"/api/v1/approvals/{self.asked.id}{path}"
        headers = {"Authorization": f"Bearer {bearer}"}
        return self.client.request(verb, url, headers=headers, json=body)

    def approve(self, name, signature=None):
        body = {"note": "yes"} | ({"signature": signature} if signature else {})
        return self.send("POST", name, "/approve", body)

    def sign(self, name, number):
        payload = base64.b64decode(self.send("GET", name, "/to-sign").json()["payload"])
        sealed = dsse.seal(orders.APPROVAL_TYPE, payload, [execution.key(20 + number)])
        return {"payload": sealed["payload"], **sealed["signatures"][0]}

    def now_with(self, name, value):
        object.__setattr__(self.centre, name, value)  # frozen, as the centre of a running process

    def trusts(self, *numbers):
        """Have the root of today name these people's keys as approvers'."""
        made = execution.Centre()
        made.approvers = [execution.key(20 + number) for number in numbers]
        envelope = made.root_envelope()
        root = roots.first(envelope, roots.digest_of(envelope), now=datetime.now(UTC))
        self.now_with("trust", dataclasses.replace(self.centre.trust, root=root))

    def later(self, minutes):
        real, away = self.centre.clock, timedelta(minutes=minutes)
        now = lambda: datetime.now(UTC) + away  # noqa: E731 - a clock of one line
        self.now_with("clock", SimpleNamespace(now=now, monotonic=real.monotonic))

    def status(self):
        return self.centre.approvals.get(self.asked.id).status

    def entries(self, kind):
        found = self.centre.log.by_incident(self.asked.incident)
        return [one.fields["data"] for one in found if one.fields["kind"] == kind]


@pytest.fixture(scope="module")
def office(tmp_path_factory):
    place = tmp_path_factory.mktemp("two")
    with api_world.centre(place / "data") as centre, api_world.client(centre) as client:
        yield Office(centre, client)


@pytest.fixture(autouse=True)
def as_it_was(office):
    kept = {name: getattr(office.centre, name) for name in ("clock", "settings", "trust")}
    yield
    for name, value in kept.items():
        office.now_with(name, value)
    for name in (ANN, BOB):
        office.centre.users.set_roles(name, OPERATES)


def test_two_whose_roles_stand_approve(office):
    office.ask()
    first = office.approve(ANN).json()
    assert (first["status"], first["agreed"], first["lapsed"]) == ("pending", [ANN], [])
    assert office.approve(BOB).json()["status"] == "approved"


@pytest.mark.parametrize(
    "roles",
    [{}, {"staging": Role.OBSERVER}, {"production": Role.ADMINISTRATOR}],
    ids=["deactivated", "demoted", "moved"],
)
def test_a_yes_of_somebody_whose_role_was_taken_since_counts_no_more(office, roles):
    office.ask()
    office.approve(ANN)
    office.centre.users.set_roles(ANN, roles)
    second = office.approve(BOB).json()
    assert (second["status"], second["agreed"]) == ("pending", [BOB])
    assert second["lapsed"] == [f"{ANN}: they may no longer answer in staging"]
    assert office.send("GET", BOB, "").json()["lapsed"] == second["lapsed"]
    assert office.status() is ApprovalStatus.PENDING
    [said] = [one for one in office.entries("approval.agreed") if "lapsed" in one]
    assert (said["approvers"], said["lapsed"]) == (BOB, second["lapsed"][0])
    office.centre.users.set_roles(ANN, OPERATES)  # and counts again with the role
    assert office.approve(BOB).json()["status"] == "approved"


def test_a_right_of_an_emergency_that_ended_takes_its_yes_with_it(office):
    office.centre.users.set_roles(ANN, {"dev": Role.ADMINISTRATOR})
    office.ask()
    right = Emergency(
        EmergencyId("brk_two"), ANN, "staging", Permission.DECIDE_APPROVAL, "nobody is awake", 60,
        office.now, office.now + timedelta(minutes=15),
    )  # fmt: skip
    office.centre.emergencies.ask(right)
    office.centre.emergencies.agree(right.id, by="victim@local", at=office.now)
    assert office.approve(ANN).json()["agreed"] == [ANN]
    office.centre.emergencies.end(right.id, by="victim@local", at=datetime.now(UTC))
    assert office.approve(BOB).json()["status"] == "pending"


def test_a_signature_that_is_over_when_the_second_comes_is_asked_for_again(office):
    office.trusts(0, 1)
    lasting = dataclasses.replace(office.centre.settings, signed_approval_minutes=12)
    office.now_with("settings", lasting)
    office.ask(signed=True)
    assert office.approve(ANN, office.sign(ANN, 0)).json()["agreed"] == [ANN]
    office.later(10)  # 2 minutes are left: too few for the host to fetch the order
    second = office.approve(BOB, office.sign(BOB, 1)).json()
    assert (second["status"], second["agreed"]) == ("pending", [BOB])
    assert "sign again" in second["lapsed"][0]
    third = office.approve(ANN, office.sign(ANN, 0)).json()
    assert (third["status"], third["lapsed"]) == ("approved", [])
    signed = [one.signature for one in office.centre.approvals.agreements(office.asked.id)]
    assert len({one["payload"] for one in signed}) == 2
    # The second time is a record of its own, in place of the first.
    assert [one["approvers"] for one in office.entries("approval.agreed")] == [ANN, BOB]


def test_a_signature_of_a_key_that_the_root_lists_no_more_counts_no_more(office):
    office.trusts(0, 1)
    office.ask(signed=True)
    office.approve(ANN, office.sign(ANN, 0))
    office.trusts(1, 2)
    second = office.approve(BOB, office.sign(BOB, 1)).json()
    assert (second["status"], second["agreed"]) == ("pending", [BOB])


def test_what_is_signed_lasts_for_the_minutes_of_the_setting_and_no_longer_is_taken(office):
    office.trusts(0, 1)
    office.ask(signed=True)
    payload = base64.b64decode(office.send("GET", ANN, "/to-sign").json()["payload"])
    until = datetime.fromtimestamp(json.loads(payload)["expires_ms"] / 1000, UTC)
    assert timedelta(minutes=19) < until - datetime.now(UTC) <= timedelta(minutes=20)
    long = office.sign(ANN, 0)
    short = dataclasses.replace(office.centre.settings, signed_approval_minutes=5)
    office.now_with("settings", short)
    refused = office.approve(ANN, long)
    assert refused.status_code == 422
    assert "for 5 minutes at most" in refused.json()["detail"]
    assert office.approve(ANN, office.sign(ANN, 0)).status_code == 200


def test_a_yes_from_a_network_that_is_new_for_this_person_is_a_finding(office):
    office.ask()
    name = "cat@local"
    accounts.add(office.centre.users, name, centre_process.PASSWORD, OPERATES)
    office.centre.sessions.came_from(name, "198.51.100.0/24", at=office.now)
    assert office.approve(name).status_code == 200  # from 127.0.0.1, with a token of elsewhere
    found = [one for one in office.entries("access.finding") if one["finding"] == "new_network"]
    assert [one["user"] for one in found] == [name]
    assert "from 127.0.0.0/24" in found[0]["detail"]
