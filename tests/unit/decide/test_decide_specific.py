"""Of two remedies that do the same, which goes first."""

import dataclasses
from pathlib import Path

import pytest

from sentienguard.model.telemetry import LogLine
from sentienguard.playbook import parse
from sentienguard.stages.decide import matching, meaning, specific
from tests.support import decide_cases as cases

BUNDLED = Path(__file__).resolve().parents[3] / "playbooks"
SPECIFIC = {"postgresql": "postgres_service_restart", "mysql": "mysql_service_restart"}
GENERAL = "service_start_stopped"


@pytest.fixture(scope="module")
def library():
    files = sorted(BUNDLED.glob("*/playbook.yaml"))
    return matching.Library([parse.load(one.read_bytes(), origin=str(one)) for one in files])


def _ranked(library, service, *said):
    known = cases.evidence("service.up", service)
    lines = tuple(LogLine(known.taken_at, "/var/log/app.log", text) for text in said)
    return library.rank(meaning.of_evidence(dataclasses.replace(known, log_lines=lines)))


@pytest.mark.parametrize("service", SPECIFIC)
@pytest.mark.parametrize("said", ["", "service died, crashed, stopped: unit inactive, not running"])
def test_the_one_for_this_system_goes_first_whatever_logs_say(library, service, said):
    ranked = _ranked(library, service, said)
    assert ranked[0].playbook == SPECIFIC[service]
    assert GENERAL in {one.playbook for one in ranked if one.score >= matching.MATCH_FROM}


def test_the_general_one_is_for_a_service_of_no_known_kind(library):
    assert _ranked(library, "shop")[0].playbook == GENERAL
    # What a log says makes no service a database.
    assert _ranked(library, "shop", "postgresql crashed")[0].playbook == GENERAL


def test_it_is_explained_and_lifts_no_score(library):
    query = meaning.of_evidence(cases.evidence("service.up", "postgresql"))
    by_name = {one.name: one for one in library.playbooks}
    general, special = (
        cases_candidate(by_name[name], score) for name, score in ((GENERAL, 0.95), (
            "postgres_service_restart", 0.91))
    )  # fmt: skip
    led = specific.first([general, special], library.get, query)
    assert [one.playbook for one in led] == ["postgres_service_restart", GENERAL]
    assert led[0].score == special.score
    assert led[0].items[-1].value == 0
    assert GENERAL in led[0].items[-1].because
    assert matching.alike(led) == 2  # it stays a tie for confidence


@pytest.mark.parametrize(
    ("service", "change"),
    [
        ("shop", {}),  # not this system
        ("postgresql", {"metrics": ("database.archive_failing",)}),
        ("postgresql", {"slots": {"symptom": "hung"}}),
        ("postgresql", {"slots": {"resource": "disk"}}),
        ("postgresql", {"slots": {"system": "linux"}}),  # as general as the other
        ("postgresql", {"steps": ()}),  # does something else
    ],
)
def test_what_is_no_twin_stays_where_it_was(library, service, change):
    by_name = {one.name: one for one in library.playbooks}
    special = by_name["postgres_service_restart"]
    if "slots" in change:
        change = {"slots": dataclasses.replace(special.slots, **change["slots"])}
    changed = dataclasses.replace(special, digest="sha256:other", **change)
    found = {one.digest: one for one in (by_name[GENERAL], changed)}
    general = cases_candidate(by_name[GENERAL], 0.95)
    other = cases_candidate(changed, 0.91)
    query = meaning.of_evidence(cases.evidence("service.up", service))
    led = specific.first([general, other], lambda one: found[one.digest], query)
    assert led == (general, other)
    assert specific.first([], lambda one: found[one.digest], query) == ()


def cases_candidate(playbook, score):
    return matching.Candidate(playbook.name, playbook.version, playbook.digest, score, ())
