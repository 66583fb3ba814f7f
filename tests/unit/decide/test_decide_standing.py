"""Autonomy is earned by what works and lost by what fails: shown step by step, and by simulation.

Ten thousand histories for each chance p that a remedy works. Each is a hundred incidents on one
kind of target; the ladder decides before each one, and the outcome goes into its record.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest

from sentienguard.flow import track_records
from sentienguard.model.ids import AgentId
from sentienguard.model.incident import Outcome
from sentienguard.model.order import ExecutionOutcome
from sentienguard.model.target import TargetKind
from sentienguard.ports.order_store import Ended
from sentienguard.stages.decide import standing
from sentienguard.stages.decide.facts import TrackRecord
from sentienguard.stages.decide.settings import DecideSettings
from sentienguard.stages.decide.standing import Step

LINES = DecideSettings()
HISTORIES, INCIDENTS = 10_000, 100


def of(environment="production", **more):
    return standing.of(TrackRecord(**more), environment, LINES).step


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ({}, Step.SHADOW),
        ({"dry_runs": 2}, Step.SHADOW),
        ({"dry_runs": 3}, Step.ASKED),
        ({"proven_runs": 20, "proven_verified": 20}, Step.ASKED),
        ({"elsewhere": 40}, Step.SHADOW),  # a new kind of target starts in shadow
        ({"explained": 40}, Step.SHADOW),  # what something else explains earns nothing
        ({"verified": 4}, Step.ASKED),
        ({"verified": 5}, Step.TRUSTED),
        ({"verified": 40, "failed": 1, "since_failure": 0}, Step.ASKED),  # a failure demotes
        ({"verified": 40, "failed": 1, "since_failure": 4}, Step.ASKED),
        ({"verified": 40, "failed": 1, "since_failure": 5}, Step.TRUSTED),
        ({"verified": 5, "failed": 1, "since_failure": 5}, Step.ASKED),  # five do not outweigh it
        ({"verified": 20, "failed": 1, "since_failure": 20}, Step.TRUSTED),
        ({"verified": 20, "failed": 2, "since_failure": 20}, Step.ASKED),
        ({"verified": 40, "harmful": 1}, Step.ASKED),
    ],
)
def test_a_step_is_earned(record, expected):
    assert of(**record) is expected


def test_one_more_failure_or_harm_never_lifts_it():
    for verified in range(30):
        for failed in range(4):
            for since in range(verified + 1):
                record = {"verified": verified, "failed": failed, "since_failure": since}
                step = of(**record)
                assert of(**(record | {"failed": failed + 1})) <= step
                assert of(**(record | {"harmful": 1})) <= max(step, Step.ASKED)
                assert of(**(record | {"since_failure": 0})) <= step


# ---- how orders ended becomes a record -------------------------------------------------------

WEB, DB = TargetKind("web/service/nginx"), TargetKind("db/service/nginx")
HERE = AgentId("here")


def end(execution, incident, counts=None, kind=WEB):
    return Ended(HERE, execution, incident, counts, kind)


GOOD = end(ExecutionOutcome.SUCCESS, Outcome.RESOLVED, counts=True)
EXPLAINED = end(ExecutionOutcome.SUCCESS, Outcome.RESOLVED, counts=False)
UNJUDGED = end(ExecutionOutcome.SUCCESS, Outcome.RESOLVED)
UNDONE = end(ExecutionOutcome.ROLLED_BACK, Outcome.ROLLED_BACK)
UNSEEN = end(ExecutionOutcome.SUCCESS, Outcome.ESCALATED)  # the centre still sees the symptom
BY_HAND = end(ExecutionOutcome.SUCCESS, Outcome.FIXED_BY_PERSON)
GOOD_ON_DB = end(ExecutionOutcome.SUCCESS, Outcome.RESOLVED, counts=True, kind=DB)
UNDONE_ON_DB = end(ExecutionOutcome.ROLLED_BACK, Outcome.ROLLED_BACK, kind=DB)
HARM_ON_DB = end(ExecutionOutcome.UNKNOWN, Outcome.FAILED, kind=DB)


@pytest.mark.parametrize(
    ("newest_first", "expected"),
    [
        ([GOOD, GOOD], {"verified": 2, "failed": 0, "since_failure": None}),
        ([UNJUDGED], {"verified": 1, "explained": 0}),  # of a release before this
        ([EXPLAINED, GOOD], {"verified": 1, "explained": 1, "failed": 0}),
        ([GOOD, UNDONE, GOOD], {"verified": 2, "failed": 1, "since_failure": 1}),
        ([UNSEEN, GOOD], {"verified": 1, "failed": 1, "since_failure": 0, "failures_in_row": 1}),
        ([BY_HAND], {"verified": 0, "failed": 0, "failures_in_row": 0}),
        ([GOOD_ON_DB], {"verified": 0, "elsewhere": 1}),
        ([UNDONE_ON_DB, GOOD], {"failed": 0, "verified": 1, "failures_in_row": 1}),
        ([HARM_ON_DB], {"harmful": 1, "verified": 0}),
        ([EXPLAINED, UNDONE, UNDONE], {"failures_in_row": 2}),  # it proved nothing
    ],
)
def test_a_record_is_of_one_kind_of_target(newest_first, expected):
    found = track_records.record_of(newest_first, agent=HERE, kind=WEB)
    assert {name: getattr(found, name) for name in expected} == expected


# ---- by simulation ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Rates:
    """What became of many histories of a remedy that works with one chance."""

    ever: float  # share of histories in which it ever ran unattended
    unattended: float  # share of incidents that it was trusted with
    at_end: float  # share of histories in which it is trusted after the last incident
    median_first: int | None  # incidents until it was first trusted, where it was
    failed_alone: float  # share of incidents that it failed at unattended


def step(verified, failed, since):
    record = TrackRecord(verified=verified, failed=failed, since_failure=since, dry_runs=3)
    return standing.of(record, "production", LINES).step


@cache
def trusted():
    """Return a table: verified, failed, since the last failure (at most 5) -> whether trusted."""
    table = np.zeros((INCIDENTS + 1, INCIDENTS + 1, 6), dtype=bool)
    for verified in range(INCIDENTS + 1):
        for failed in range(INCIDENTS + 1 - verified):
            for since in range(min(verified, 5) + 1):
                found = step(verified, failed, since if failed else None)
                table[verified, failed, since] = found is Step.TRUSTED
    return table


@cache
def rates(works):
    chance = np.random.default_rng(round(works * 1000))
    verified, failed, since = np.zeros((3, HISTORIES), dtype=int)
    first = np.full(HISTORIES, -1)
    alone = bad = 0
    for incident in range(INCIDENTS):
        now = trusted()[verified, failed, since]
        first[now & (first < 0)] = incident
        good = chance.random(HISTORIES) < works
        alone, bad = alone + now.sum(), bad + (now & ~good).sum()
        verified, failed = verified + good, failed + ~good
        since = np.where(good, np.minimum(since + 1, 5), 0)
    total = HISTORIES * INCIDENTS
    ever = first[first >= 0]
    return Rates(
        ever=len(ever) / HISTORIES,
        unattended=alone / total,
        at_end=trusted()[verified, failed, since].mean(),
        median_first=int(np.median(ever)) if len(ever) else None,
        failed_alone=bad / total,
    )


@pytest.mark.parametrize(
    ("works", "ever", "unattended"),
    [  # at most: the share of histories, and of incidents
        (0.2, 0.002, 0.0001),
        (0.5, 0.04, 0.001),
        (0.6, 0.10, 0.003),
        (0.7, 0.20, 0.01),
        (0.8, 0.50, 0.06),
    ],
)
def test_what_does_not_work_is_hardly_ever_left_alone(works, ever, unattended):
    found = rates(works)
    assert found.ever <= ever
    assert found.unattended <= unattended
    assert found.at_end <= 0.05


@pytest.mark.parametrize(
    ("works", "ever", "unattended", "first"),
    [  # at least, and the median at most
        (0.95, 0.99, 0.65, 5),
        (0.99, 0.999, 0.88, 5),
        (1.0, 1.0, 0.95, 5),
    ],
)
def test_what_works_is_soon_left_alone_and_stays_so(works, ever, unattended, first):
    found = rates(works)
    assert found.ever >= ever
    assert found.unattended >= unattended
    assert found.median_first <= first


def test_the_better_it_works_the_more_it_may():
    found = [rates(works) for works in (0.2, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0)]
    shares = [one.unattended for one in found]
    assert shares == sorted(shares)
    assert max(one.failed_alone for one in found) <= 0.05


def test_a_remedy_that_stops_working_is_asked_about_after_one_failure():
    assert step(60, 0, None) is Step.TRUSTED
    assert step(60, 1, 0) is Step.ASKED
    assert all(step(60, failed, 0) is Step.ASKED for failed in range(1, 50))
