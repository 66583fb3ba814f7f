"""What people do in PagerDuty about pages of ours: care, recorded, and never more than that.

Bodies are as PagerDuty publishes them (webhooks v3), signed with a registered secret.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from sentienguard.controlplane import page_answers
from sentienguard.controlplane.centre import Centre
from sentienguard.model import errors
from sentienguard.model.approval import ApprovalStatus
from sentienguard.model.care import Signed
from sentienguard.model.ids import IncidentId
from sentienguard.model.incident import Incident, Outcome, Status
from sentienguard.ports.chat_identities import ChatIdentity
from tests.contract import stores_nouns as nouns
from tests.support import api_world, sender_bodies

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]
SECRET = "a secret that PagerDuty made"
PERSON = "pagerduty:acme/PLH1HKV"
ADMIN = api_world.person("administrator", "*")
PATH = "/api/v1/webhooks/pagerduty"


@dataclass
class World:
    """A centre that answers, and a webhook of PagerDuty for staging."""

    centre: Centre
    client: httpx.Client
    token: str
    number: int = 100

    def incident(self, *, place: str = "staging") -> Incident:
        self.number += 1
        made = nouns.incident(self.number, host=f"host-in-{place}", subject=f"/p{self.number}")
        agent = nouns.agent({"staging": 1, "production": 2}[place]).id
        return self.centre.incidents.open(replace(made, agent=agent, environment=place))

    def closes(self, incident: Incident, outcome: Outcome) -> None:
        for status in (Status.ANALYZING, Status.CLOSED):
            at = self.centre.clock.now()
            ends = {"outcome": outcome, "at": at} if status is Status.CLOSED else {}
            self.centre.incidents.move(incident.id, status, summary="s", **ends)

    def says(self, deed: str, about: str, *, secret: str = SECRET, **more: Any) -> httpx.Response:
        """Tell of an event as PagerDuty does."""
        made = sender_bodies.pagerduty(f"incident.{deed}", incident_key=about, **more)
        body, signature = sender_bodies.signed(made, secret)
        return self.client.post(
            PATH,
            content=body,
            headers={"Authorization": f"Bearer {self.token}", "Content-Type": "application/json",
                     "X-PagerDuty-Signature": f"v1={signature}"},
        )  # fmt: skip

    def recorded(self, incident: IncidentId) -> list[tuple[str, str, str]]:
        """Return what the log says of an incident: kind, who, in which words."""
        found = [one.fields for one in self.centre.log.by_incident(incident)]
        return [
            (one["kind"], one["actor"], one["data"].get("note", one["data"].get("text", "")))
            for one in found
        ]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    data = tmp_path_factory.mktemp("pages") / "data"
    with api_world.centre(data) as centre, api_world.client(centre) as client:
        admin = {"Authorization": f"Bearer {api_world.token(centre, ADMIN)}"}
        wanted = {"purpose": "pagerduty", "environment": "staging"}
        made = client.post("/api/v1/webhook-tokens", json=wanted, headers=admin).json()
        place = f"/api/v1/webhook-tokens/{made['id']}/signing-secrets"
        kept = client.put(place, json={"secrets": [SECRET]}, headers=admin)
        assert kept.status_code == 200, kept.text
        yield World(centre, client, made["token"])


def test_an_acknowledgement_there_is_one_here_and_is_kept_once(world: World) -> None:
    incident = world.incident()
    for event in ("E1", "E1", "E2"):
        answer = world.says("acknowledged", incident.id, event=event)
        assert answer.status_code == 200, answer.text
    care = world.centre.care.of(incident.id)
    assert care.acknowledged is not None
    assert care.acknowledged.by == PERSON
    assert care.stops_reminders
    assert world.recorded(incident.id) == [
        ("incident.acknowledged", PERSON, "acknowledged in PagerDuty by Tenex Engineer")
    ]
    assert world.centre.alerts.backlog() == 0, "it is no alert"


def test_a_linked_person_is_named_by_the_account_where_that_may_handle_incidents(
    world: World,
) -> None:
    names = (api_world.person("remediation_authority", "staging"),
             api_world.person("observer", "staging"))  # fmt: skip
    for account, named in zip(names, (names[0], PERSON), strict=True):
        now = datetime.now(UTC)
        world.centre.chat.link(
            ChatIdentity("pagerduty", "acme", "PLH1HKV", account, "admin@local", now)
        )
        incident = world.incident()
        world.says("acknowledged", incident.id)
        care = world.centre.care.of(incident.id)
        assert care.acknowledged is not None
        assert care.acknowledged.by == named
        [(_, actor, _)] = world.recorded(incident.id)
        assert actor == named
    world.centre.chat.unlink("pagerduty", "acme", "PLH1HKV")


def test_resolving_the_page_ends_no_incident_and_is_noted_once(world: World) -> None:
    incident = world.incident()
    for _ in range(2):
        assert world.says("resolved", incident.id, event="E9").status_code == 200
    assert world.centre.incidents.get(incident.id).status is Status.OPEN
    care = world.centre.care.of(incident.id)
    assert care.stops_reminders
    assert care.settled is None
    assert world.recorded(incident.id) == [
        ("incident.acknowledged", PERSON, "resolved in PagerDuty by Tenex Engineer"),
        ("incident.noted", PERSON,
         "Tenex Engineer resolved the page in PagerDuty; the incident is not closed by that"),
    ]  # fmt: skip


def test_who_has_it_in_hand_already_stays_and_the_page_s_end_is_noted(world: World) -> None:
    incident = world.incident()
    world.centre.care.acknowledge(incident.id, Signed("rita@local", world.centre.clock.now()))
    world.says("acknowledged", incident.id)
    assert world.recorded(incident.id) == []
    world.says("resolved", incident.id)
    care = world.centre.care.of(incident.id)
    assert care.acknowledged is not None
    assert care.acknowledged.by == "rita@local"
    assert [kind for kind, _, _ in world.recorded(incident.id)] == ["incident.noted"]


def test_what_is_over_stays_as_it_is_and_what_fell_to_people_is_taken(world: World) -> None:
    over, fallen = world.incident(), world.incident()
    world.closes(over, Outcome.RESOLVED)
    world.closes(fallen, Outcome.ESCALATED)
    for one in (over, fallen):
        assert world.says("resolved", one.id).status_code == 200
    assert world.recorded(over.id) == []
    assert not world.centre.care.of(over.id).stops_reminders
    assert world.centre.care.of(fallen.id).stops_reminders
    assert world.centre.incidents.get(fallen.id).outcome is Outcome.ESCALATED


@pytest.mark.parametrize("deed", ["acknowledged", "resolved", "triggered"])
def test_a_token_reaches_no_other_environment_and_nothing_unknown(world: World, deed: str) -> None:
    elsewhere = world.incident(place="production")
    for about in (elsewhere.id, "inc_20200101_000000_00000000"):
        assert world.says(deed, about).status_code == 200
    assert world.recorded(elsewhere.id) == []
    assert not world.centre.care.of(elsewhere.id).stops_reminders
    assert world.centre.alerts.backlog() == 0


@pytest.mark.parametrize("by", ["service_reference", "events_api_v2_inbound_integration_reference"])
def test_what_a_machine_did_there_stops_nothing_here(world: World, by: str) -> None:
    incident = world.incident()
    for deed in ("acknowledged", "resolved"):
        assert world.says(deed, incident.id, by=by).status_code == 200
    assert world.recorded(incident.id) == []
    assert not world.centre.care.of(incident.id).stops_reminders


def test_without_the_secret_nothing_is_taken(world: World) -> None:
    incident = world.incident()
    assert world.says("acknowledged", incident.id, secret="a guess").status_code == 401
    assert not world.centre.care.of(incident.id).stops_reminders


def test_it_answers_no_question(world: World) -> None:
    asked = world.centre.approvals.list(None, within={"staging"})[0]
    for deed in ("acknowledged", "resolved"):
        assert world.says(deed, asked.incident).status_code == 200
    found = world.centre.approvals.get(asked.id)
    assert (found.status, found.decided_by) == (ApprovalStatus.PENDING, None)


def test_what_cannot_be_kept_now_is_to_be_sent_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise errors.Unavailable("the database is away")

    monkeypatch.setattr(page_answers, "take", away)
    assert world.says("acknowledged", world.incident().id).status_code == 503
