"""A diagnosis in the decision: it restricts, is recorded, and is made again from the log alone."""

import dataclasses
from types import SimpleNamespace

import msgspec
import pytest

from sentienguard.flow import basis
from sentienguard.flow.replaying import NotReplayable
from sentienguard.model.decision import Route
from sentienguard.stages.decide.diagnosis.surroundings import finding
from tests.support import diagnosis_world as worlds
from tests.support import replay_centre as centres

FACTS = {"verified": 60}  # enough that the remedy would run unattended


@pytest.fixture
def hung(tmp_path):
    """Open a centre with an incident whose remedy restarts a hung service of web-1."""
    facts = centres.Facts(**FACTS)
    wanted = centres.incident(1, "service.healthy", "shop", facts)
    with centres.opened(tmp_path / "log", facts) as centre:
        yield centre, wanted


def surrounded(wanted, *, below):
    """Return a world around an incident: something below its service failed first, or nothing."""
    world = worlds.World()
    host = wanted.host
    for name in (host, "db-1"):
        world.host(name)
    world.call("shop", "orders")
    world.measure(host, "service.healthy", "shop", usual=1.0, now=0.0, since_s=200)
    world.measure("db-1", "service.http_ms", "orders", usual=20.0,
                  now=4000.0 if below else None, since_s=400)  # fmt: skip
    return world


def decided(centre, wanted, *, below):
    centres.diagnose_and_decide(centre, wanted, surrounded(wanted, below=below))
    return centre.incidents.decision(wanted.id)


def test_without_a_cause_elsewhere_the_remedy_runs_unattended(hung):
    made = decided(*hung, below=False)
    assert made.playbook is not None
    assert made.route >= Route.RUN_AND_VERIFY
    assert made.evidence.diagnosis.blame.is_here


def test_a_cause_on_another_host_needs_a_person_s_yes(hung):
    made = decided(*hung, below=True)
    assert made.evidence.diagnosis.blame.object == "service:orders"
    assert made.route is Route.ASK
    assert [one.rule for one in made.deciding] == ["diagnosis"]


def test_the_decision_with_its_diagnosis_comes_out_again_bit_for_bit(hung):
    centre, wanted = hung
    decided(centre, wanted, below=True)
    for asked in ("agents", "episodes", "metrics", "orders", "switches", "clock"):
        setattr(centre, asked, None)
    again = centres.replay(centre, wanted)
    assert again.is_identical, again.differences
    assert again.decision.evidence.diagnosis.blame.object == "service:orders"


def test_an_engine_that_says_something_else_today_is_noticed(hung, monkeypatch):
    centre, wanted = hung
    decided(centre, wanted, below=True)
    real = finding.of

    def other(*given):
        made = real(*given)
        return dataclasses.replace(made, blame=dataclasses.replace(made.blame, is_here=True))

    monkeypatch.setattr(finding, "of", other)
    again = centres.replay(centre, wanted)
    assert not again.is_identical
    assert "evidence.diagnosis.blame.is_here" in {one.field for one in again.differences}
    assert again.decision.route >= Route.RUN_AND_VERIFY


def test_the_snapshot_hangs_on_the_decision_and_is_what_was_looked_at(hung):
    centre, wanted = hung
    made = decided(centre, wanted, below=True)
    entries = {one.fields["kind"]: one.fields for one in centre.log.by_incident(wanted.id)}
    blobs = {one["type"]: one["sha256"] for one in entries["decision.made"]["blobs"]}
    stored = centre.log.get_blob(blobs[basis.SNAPSHOT_TYPE])
    assert finding.of(stored, wanted.host) == made.evidence.diagnosis
    assert entries["evidence.taken"]["data"]["diagnosis"].startswith("service:orders")


def test_without_its_snapshot_a_decision_is_not_replayed_on_faith(hung, monkeypatch):
    centre, wanted = hung
    decided(centre, wanted, below=True)
    entry = next(
        one for one in centre.log.by_incident(wanted.id) if one.fields["kind"] == "decision.made"
    )
    kept = [one for one in entry.fields["blobs"] if one["type"] != basis.SNAPSHOT_TYPE]
    cut = SimpleNamespace(fields={**entry.fields, "blobs": kept})
    log = SimpleNamespace(by_incident=lambda _incident: [cut], get_blob=centre.log.get_blob)
    monkeypatch.setattr(centre, "log", log)
    with pytest.raises((NotReplayable, basis.BasisDamaged)):
        centres.replay(centre, wanted)


def test_what_an_earlier_release_recorded_reads_as_nobody_looked():
    stored = msgspec.json.encode({"snapshot": None, "verdict": None, "blame": None})
    assert msgspec.json.decode(stored)["blame"] is None
