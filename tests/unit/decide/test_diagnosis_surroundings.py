"""What is near an incident, as a snapshot: names, bounds, counts, bytes, and what text may do."""

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentienguard.model import diagnosis
from sentienguard.model.diagnosis import Edge, EdgeKind, InventoryObject, MetricKind, Symptom
from sentienguard.model.telemetry import Series
from sentienguard.model.topology import CallKind
from sentienguard.model.topology import Edge as Call
from sentienguard.stages.decide.diagnosis import snapshot as reading
from sentienguard.stages.decide.diagnosis import writing
from sentienguard.stages.decide.diagnosis.surroundings import (
    finding,
    kinds,
    lines,
    naming,
    nearby,
    rates,
)


def test_what_only_text_says_is_shown_to_people_and_not_to_policy():
    """Each request of `b` wrote a line, and now none does: a verdict from text, and no blame."""
    edge = diagnosis.TraceEdge(
        caller="service:a", callee="service:b", operation="get", calls=100, errors=0, self_ms=2,
        total_ms=2, usual_calls=100, usual_errors=0, usual_self_ms=2, usual_total_ms=2,
    )  # fmt: skip
    gone = diagnosis.LogTemplate("service:b", "answered", "info", 0, usual=100, operation="get")
    found = diagnosis.Snapshot(
        id="inc",
        symptom=Symptom("", MetricKind.OTHER, 3_000_000),
        since_ms=0,
        until_ms=3_600_000,
        objects=(InventoryObject("service:a"), InventoryObject("service:b")),
        traces=(edge,),
        logs=(gone,),
    )
    made = finding.of(writing.write(found), "web-1")
    assert made.verdict is not None
    assert made.verdict.ranked[0].object == "service:b"
    assert made.blame is None


def test_a_service_on_several_hosts_is_told_apart_and_on_one_is_not():
    known = naming.Directory([("web", "h1"), ("Web", "H2"), ("db", "h3"), ("db", "H3")])
    assert known.objects("web") == ("service:web@h1", "service:web@H2")
    assert known.at("WEB", "h2") == "service:WEB@H2"
    assert known.objects("db") == ("service:db",)
    assert known.objects("nobody-knows") == ("service:nobody-knows",)
    assert known.services_on("h3") == ("db",)


def test_what_runs_everywhere_has_an_object_for_each_host_nearby():
    everywhere = [("web", f"h{number:04}") for number in range(5000)]
    known = naming.Directory(everywhere)
    assert known.objects("web", ["h4000", "H0007", "other"]) == (
        "service:web@h0007",
        "service:web@h4000",
    )
    assert known.at("web", "h4321") == "service:web@h4321"
    assert len(known.objects("web")) == naming.MOST_INSTANCES
    few = naming.Directory(everywhere[: naming.MOST_INSTANCES])
    assert len(few.objects("web", ["h0001"])) == naming.MOST_INSTANCES


PAIRS = st.lists(
    st.tuples(st.sampled_from(["web", "Web", "db"]), st.sampled_from(["h1", "H1", "h2", "h3"]))
)


@given(PAIRS, PAIRS)
def test_what_is_told_later_counts_as_if_it_had_been_known(first, more):
    whole = naming.Directory([*more, *first])
    later = naming.Directory(more, naming.Directory(first))
    for service in ("web", "db", "nobody-knows"):
        assert later.homes(service) == whole.homes(service)
        assert later.objects(service) == whole.objects(service)
    assert later.services_on("h1") == whole.services_on("h1")


def chain(*names, kind=CallKind.REQUEST):
    return [Call(one, other, kind) for one, other in itertools.pairwise(names)]


def test_what_lies_below_is_followed_further_than_what_lies_above():
    calls = chain("u3", "u2", "u1", "s", "d1", "d2", "d3", "d4", "d5")
    found = nearby.find("h", "s", calls, naming.Directory([]))
    assert set(found.services) == {"u2", "u1", "s", "d1", "d2", "d3", "d4"}
    assert found.services[0] == "s"
    assert found.hosts == ("h",)


def test_what_is_near_is_bounded_and_what_is_left_out_is_counted():
    calls = [Call("s", f"d{number:03}", CallKind.REQUEST) for number in range(100)]
    places = [(f"d{number:03}", f"h{number:03}") for number in range(100)]
    found = nearby.find("home", "s", calls, naming.Directory(places))
    assert len(found.services) == nearby.MOST_SERVICES
    assert len(found.hosts) == nearby.MOST_HOSTS
    assert found.hosts[0] == "home"
    assert found.left_out > 0


def test_a_ring_of_calls_ends():
    found = nearby.find("h", "a", chain("a", "b", "c", "a"), naming.Directory([]))
    assert set(found.services) == {"a", "b", "c"}


def test_both_ends_of_a_queue_are_near():
    calls = [Call("worker", "mails", CallKind.MESSAGE)]
    for seed in ("worker", "mails"):
        assert len(nearby.find("h", seed, calls, naming.Directory([])).services) == 2


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("took 12 ms", "took # ms"),
        ('user "ann" left', "user # left"),
        ("id 6f1e2d3c4b5a69788796a5b4c3d2e1f0 gone", "id # gone"),
        ("key 8f9b0000-0000-4000-8000-000000000000", "key #"),
        ("cafe added", "cafe added"),
    ],
)
def test_lines_that_differ_in_what_varies_are_of_one_kind(text, kind):
    assert lines.kind(text) == kind


def test_lines_of_before_are_scaled_to_the_time_since():
    found = lines.templates(
        [lines.Line("o", at, "info", "tick") for at in range(0, 1000, 10)],
        since_ms=0, boundary_ms=900, until_ms=1000, is_whole=True,
    )  # fmt: skip
    assert [(one.count, one.usual) for one in found] == [(10, 10)]
    [cut] = lines.templates(
        [lines.Line("o", 950, "", "Traceback: it failed")],
        since_ms=0, boundary_ms=900, until_ms=1000, is_whole=False,
    )  # fmt: skip
    assert (cut.usual, cut.severity) == (None, "error")


def test_a_total_becomes_a_rate_and_begins_anew_when_it_falls():
    found = rates.rate(rates.Points((0, 1000, 2000, 3000), (5, 15, 2, 2)))
    assert (found.times_ms, found.values) == ((1000, 2000, 3000), (10, 2, 0))


def test_a_sum_and_a_count_become_a_mean_where_anything_was_counted():
    total = rates.Points((0, 1000, 2000), (0, 6, 6))
    count = rates.Points((0, 1000, 2000), (0, 3, 3))
    assert rates.mean(total, count) == rates.Points((1000,), (2.0,))
    labels = (("service_name", "s"),)
    raw = {
        Series("", "x_duration_sum", "", labels): total,
        Series("", "x_duration_count", "", labels): count,
        Series("", "x_duration_bucket", "", labels): count,
        Series("", "weather", "", labels): count,
    }
    assert [kind for _, kind, _ in rates.told(raw)] == [MetricKind.TRAFFIC, MetricKind.LATENCY]


def test_metrics_that_count_log_lines_are_not_looked_at():
    assert kinds.ours("log.trouble_per_s") is None
    assert kinds.ours("log.new_trouble") is None


NAMES = st.sampled_from(["host:a", "service:b", 'service:"x"\\', "service:ü"])
READING = st.floats(allow_nan=False, allow_infinity=False, width=32)


@given(
    st.dictionaries(NAMES, st.lists(READING, min_size=1, max_size=5), max_size=4),
    st.text(max_size=40),
)
def test_what_is_written_is_read_as_it_was(found, text):
    series = tuple(
        diagnosis.MetricSeries(
            name, MetricKind.CPU, "cpu", tuple(range(len(values))), tuple(values)
        )
        for name, values in found.items()
    )
    wanted = diagnosis.Snapshot(
        id="inc",
        symptom=Symptom("", MetricKind.CPU, 2, text=text),
        since_ms=0,
        until_ms=9,
        objects=tuple(InventoryObject(name) for name in found),
        edges=tuple(Edge(name, "host:a", EdgeKind.NODE) for name in found if "host:a" in found),
        series=series,
    )
    stored = writing.write(wanted)
    again = writing.read(stored)
    assert writing.write(again) == stored
    assert {one.object: one.values for one in again.series} == {
        name: tuple(values) for name, values in found.items()
    }


@pytest.mark.parametrize("stored", [b"", b"[]", b"{", b"\xff", json.dumps({"v": 2}).encode()])
def test_what_is_no_snapshot_is_refused(stored):
    with pytest.raises(reading.NotASnapshot):
        writing.read(stored)
