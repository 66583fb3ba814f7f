"""A story in the pretend world: a balancer fails, three web servers look ill, one gets a remedy.

When the balancer is back all three recover. The remedy that ran on one of them did nothing, and
its record must not say otherwise.
"""

from datetime import timedelta
from types import SimpleNamespace

import pytest

from sentienguard.flow import crediting, track_records
from sentienguard.model import ids, target
from sentienguard.model.incident import Incident, Outcome, Status
from sentienguard.model.order import ExecutionOutcome, ExecutionReport, Order
from sentienguard.ports.episode_store import Episode
from sentienguard.simulation import spells
from sentienguard.simulation.stores.database import Database
from sentienguard.simulation.stores.episodes import Episodes
from sentienguard.simulation.stores.incidents import Incidents
from sentienguard.simulation.stores.orders import Orders
from tests.support import decide_cases as cases

RESTART = ids.digest(b"service_restart_hung")
HEALTHY = ("service.healthy", "nginx")


def at(seconds):
    return cases.NOW + timedelta(seconds=seconds)


class World:
    """The pretend stores, and an audit log that is a list."""

    def __init__(self):
        database = Database(lambda _: None)
        self.incidents = Incidents(database)
        self.orders = Orders(database, self.outcome_of)
        self.episodes = Episodes(database)
        self.spells = spells.Spells(database, self.episodes, self.incidents, self.orders)
        self.audit = SimpleNamespace(once=self.once)
        self.entries = {}

    def outcome_of(self, name):
        return self.incidents.get(name).outcome

    def once(self, kind, incident, key, data):
        self.entries.setdefault(f"{incident.id}/{key}", (kind, data))

    def ill(self, host, seconds):
        """Open an incident on a host; it has been ill from then on."""
        found = cases.anomaly(*HEALTHY, value=0.0)
        incident = Incident(
            id=ids.incident_id(at(seconds), host.encode()[-4:].rjust(4, b"0")),
            agent=ids.AgentId(host),
            host=host,
            environment="production",
            tags={"role": "web"},
            fingerprint=ids.fingerprint(host, *HEALTHY),
            anomaly=found,
            opened_at=at(seconds),
        )
        self.incidents.open(incident)
        self.episodes.start(
            Episode(incident.id, incident.agent, incident.fingerprint, at(seconds), "")
        )
        return incident

    def remedy(self, incident, seconds):
        """Release an order for it, which the host reports as done ten seconds later."""
        order = Order(
            id=ids.order_id(incident.id, RESTART, dry_run=False),
            incident=incident.id,
            agent=incident.agent,
            environment="production",
            playbook=ids.PlaybookName("service_restart_hung"),
            version="1.0.0",
            digest=RESTART,
            parameters={"service": "nginx"},
            facts={"metric": HEALTHY[0], "subject": HEALTHY[1], "tag.role": "web"},
            dry_run=False,
            created_at=at(seconds),
            deadline_s=60,
        )
        self.orders.release(order, at=at(seconds))
        done = at(seconds + 10)
        self.orders.finished(ExecutionReport(
            order.id, incident.id, ExecutionOutcome.SUCCESS, "", (), (), at(seconds), done,
        ))  # fmt: skip

    def resolved(self, incident, seconds):
        """Close it as its flow does."""
        crediting.closed(self, self.incidents.get(incident.id), at(seconds))
        self.closed(incident, Outcome.RESOLVED, seconds)

    def closed(self, incident, outcome, seconds):
        self.incidents.move(incident.id, Status.ANALYZING, summary="")
        when = at(seconds)
        self.incidents.move(incident.id, Status.CLOSED, summary="", outcome=outcome, at=when)

    def well(self, incident, seconds):
        """See the symptom gone, as the intake does."""
        self.episodes.clear(incident.id, at=at(seconds))
        crediting.ended(self, incident.id, at(seconds))

    def record(self):
        kind = target.kind(*HEALTHY, {"role": "web"})
        ended = self.orders.ended(RESTART, "production")
        return track_records.record_of(ended, agent=ids.AgentId("web-1"), kind=kind)

    def judged(self, incident):
        return [key.rpartition("/")[2] for key in self.entries if key.startswith(incident.id)]


@pytest.fixture
def world():
    return World()


def test_a_restart_gets_no_credit_for_what_the_balancer_s_return_cured(world):
    ours, second, third = (world.ill(f"web-{number}", number) for number in (1, 2, 3))
    world.remedy(ours, 60)
    world.resolved(ours, 75)  # the first to be seen well: nothing speaks against the remedy yet
    assert world.judged(ours) == ["counts"]
    assert world.record().verified == 1
    world.well(second, 100)  # untouched, and well at the same time
    world.well(third, 105)
    assert world.judged(ours) == ["counts", "explained"]
    assert (world.record().verified, world.record().explained) == (0, 1)
    assert world.record().failed == 0  # nor is it a failure: nothing was learned


def test_a_restart_gets_its_credit_where_the_untouched_stay_ill(world):
    ours, second, third = (world.ill(f"web-{number}", number) for number in (1, 2, 3))
    world.remedy(ours, 60)
    world.resolved(ours, 75)
    world.well(second, 75 + 121)
    world.well(third, 4000)
    assert world.judged(ours) == ["counts"]
    assert world.record().verified == 1


def test_peers_that_were_well_first_explain_it_at_once(world):
    ours, second = world.ill("web-1", 1), world.ill("web-2", 2)
    world.remedy(ours, 60)
    world.well(second, 70)
    world.resolved(ours, 75)
    assert world.judged(ours) == ["explained"]
    assert world.record().explained == 1


def test_where_it_always_went_by_itself_a_remedy_earns_nothing(world):
    for start in (-9000, -8000, -7000):
        earlier = world.ill("web-1", start)
        world.closed(earlier, Outcome.SELF_RECOVERED, start + 72)
        world.well(earlier, start + 72)
    ours = world.ill("web-1", 0)
    world.remedy(ours, 60)
    world.resolved(ours, 75)
    assert world.judged(ours) == ["explained"]
    kind, data = world.entries[f"{ours.id}/explained"]
    assert kind == "outcome.judged"
    assert "had gone by themselves" in data["because"]


def test_judged_again_after_a_crash_it_is_one_entry(world):
    ours = world.ill("web-1", 0)
    world.remedy(ours, 60)
    crediting.closed(world, ours, at(75))
    world.resolved(ours, 75)
    assert world.judged(ours) == ["counts"]


def test_a_symptom_that_a_remedy_ended_says_nothing_of_another_s(world):
    ours, second = world.ill("web-1", 1), world.ill("web-2", 2)
    world.remedy(ours, 60)
    world.remedy(second, 61)
    world.resolved(ours, 75)
    world.well(second, 76)
    assert world.judged(ours) == ["counts"]


def test_nothing_is_judged_where_no_remedy_ran(world):
    ours = world.ill("web-1", 0)
    assert crediting.closed(world, ours, at(75)) is None
    assert world.entries == {}
