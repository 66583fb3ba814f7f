"""Lines that another system keeps, in the snapshot of a decision: bounded, redacted, in time."""

import dataclasses
from datetime import timedelta
from types import SimpleNamespace

import pytest

from sentienguard.flow import diagnosing
from sentienguard.flow.lines_elsewhere import MOST_LINES, MOST_SERVICES, LinesElsewhere
from sentienguard.ports.log_search import FoundLine, LogSearchAway
from sentienguard.stages.decide.diagnosis import writing
from sentienguard.stages.decide.diagnosis.surroundings import finding
from tests.support import diagnosis_world as worlds

NOW = worlds.NOW
EARLIER = NOW - timedelta(hours=1)


class Search:
    """Answers with lines by service; every question takes `costs` seconds."""

    def __init__(self, costs=0.0, **lines):
        self.by_service = lines
        self.asked = []
        self.now = 0.0
        self.costs = costs
        self.away = False

    def monotonic(self):
        return self.now

    def lines(self, environment, service, start, end, *, limit, limit_s=None):
        self.asked.append((environment, service))
        assert limit_s > 0, "nobody is asked when the time is over"
        taken = min(self.costs, limit_s)
        self.now += taken
        if self.away or taken < self.costs:
            raise LogSearchAway("no answer")
        return [
            FoundLine(NOW - timedelta(seconds=ago), "loki", text)
            for ago, text in self.by_service.get(service, [])
        ][:limit]

    def elsewhere(self, **more):
        return LinesElsewhere(
            self, SimpleNamespace(now=lambda: NOW, monotonic=self.monotonic), **more
        )


def look(world, incident, search, **more):
    """Look around with a search beside the world's own stores."""
    sources = dataclasses.replace(world.sources(), elsewhere=search.elsewhere(**more))
    samples = SimpleNamespace(recent_samples=lambda agent: world.samples.get(agent, ()))
    return diagnosing.Diagnosing(world.centre(), samples, sources).look(incident, NOW)


def test_lines_of_services_nearby_are_in_the_bytes_that_the_diagnosis_is_made_from():
    world, incident = worlds.shop()
    search = Search(
        orders=[(30 + n, f"ERROR no connection to db-1 after {n} ms") for n in range(9)]
    )
    looked = look(world, incident, search)
    kinds = [one for one in writing.read(looked.snapshot).logs if "no connection" in one.text]
    assert [one.object for one in kinds] == ["service:orders"]
    assert ("production", "orders") in search.asked
    assert ("production", "shop") in search.asked
    assert finding.of(looked.snapshot, incident.host) == looked.diagnosis


def test_secrets_and_addresses_do_not_get_into_the_bytes():
    world, incident = worlds.shop()
    said = "ERROR login of mara@example.org with password=hunter2secret failed"
    looked = look(world, incident, Search(shop=[(n, said) for n in range(5, 30)]))
    assert b"login of" in looked.snapshot
    assert b"hunter2secret" not in looked.snapshot
    assert b"mara@example.org" not in looked.snapshot


def test_a_line_that_was_sent_here_too_counts_once():
    world, incident = worlds.shop()
    for ago in range(20, 26):
        world.line("orders", "", ago, "ERROR refused")
    alone = world.look(incident).snapshot
    both = look(world, incident, Search(orders=[(ago, "ERROR refused") for ago in range(20, 26)]))
    assert both.snapshot == alone


def test_a_decision_waits_no_longer_than_it_is_set_to_and_names_what_is_missing():
    world, incident = worlds.shop()
    search = Search(costs=0.25)
    looked = look(world, incident, search, limit_s=0.5)
    assert search.now <= 0.5
    assert looked.diagnosis.verdict is not None
    assert any("lines kept elsewhere" in one for one in looked.diagnosis.left_out)


def test_who_did_not_answer_is_left_alone_for_a_while():
    search = Search()
    elsewhere = search.elsewhere()
    search.away = True
    first = elsewhere.of("production", ["shop", "orders"], EARLIER, NOW)
    assert (len(search.asked), first.is_whole) == (1, False)
    search.now += 29
    assert elsewhere.of("production", ["shop"], EARLIER, NOW).missing
    assert len(search.asked) == 1
    search.away, search.now = False, search.now + 2
    assert elsewhere.of("production", ["shop"], EARLIER, NOW).is_whole
    assert len(search.asked) == 2


def test_services_and_lines_are_bounded():
    search = Search(s0=[(1, "x")] * (MOST_LINES + 5))
    found = search.elsewhere().of("production", [f"s{n}" for n in range(40)], EARLIER, NOW)
    assert len(search.asked) == MOST_SERVICES
    assert len(found.lines) == MOST_LINES
    assert not found.is_whole
    assert found.missing == (f"lines kept elsewhere of {40 - MOST_SERVICES} services",)


@pytest.mark.parametrize(("metric", "subject", "lines"), [
    ("service.http_ms", "shop", 10),
    ("system.cpu_percent", "", 0),
])  # fmt: skip
def test_the_evidence_has_the_newest_lines_of_the_incident_s_own_service(metric, subject, lines):
    world, _ = worlds.shop()
    search = Search(shop=[(n, f"line {n}") for n in range(1, 30)])
    incident = worlds.incident(world.measure("web-1", metric, subject, usual=1.0), 2.0)
    sources = dataclasses.replace(world.sources(), elsewhere=search.elsewhere())
    made = diagnosing.Diagnosing(world.centre(), SimpleNamespace(), sources)
    found = made.lines_of(incident, NOW)
    assert len(found) == lines
    assert {one.file for one in found} == ({"loki:shop"} if lines else set())


def test_samples_are_read_of_hosts_nearby_alone_however_many_there_are():
    world, incident = worlds.shop()
    for number in range(300):
        world.host(f"other-{number}")
    asked = []
    samples = SimpleNamespace(recent_samples=lambda agent: asked.append(agent) or ())
    diagnosing.Diagnosing(world.centre(), samples, world.sources()).look(incident, NOW)
    assert sorted(asked) == ["agent-app-1", "agent-db-1", "agent-web-1"]
