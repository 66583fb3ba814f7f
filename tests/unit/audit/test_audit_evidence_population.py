"""What is handed over is a whole range of the log, and what would not be is refused."""

import dataclasses
from datetime import timedelta

import pytest

from sentienguard.stages.audit import checkpoint, merkle
from sentienguard.stages.audit.evidence import population
from tests.support import evidence_logs

WHOLE = population.Period.read("2026-02-01", "2026-02-28")


@pytest.mark.parametrize(
    ("first", "last"),
    [
        ("2026-02-30", "2026-03-01"),
        ("2026-2-1", "2026-03-01"),
        ("20260201", "2026-03-01"),
        ("2026-02-01T00:00:00", "2026-03-01"),
        ("", "2026-03-01"),
        ("2026-03-02", "2026-03-01"),
    ],
)
def test_what_is_no_period_is_refused(first, last):
    with pytest.raises(population.BadPeriod):
        population.Period.read(first, last)


def test_both_days_are_in_the_period_to_the_millisecond():
    period = population.Period.read("2026-02-01", "2026-02-01")
    assert period.end_ms - period.start_ms == 86_400_000
    assert population.moment(period.start_ms) == "2026-02-01T00:00:00.000Z"
    assert [period.holds(at) for at in (period.start_ms - 1, period.start_ms)] == [False, True]
    assert [period.holds(at) for at in (period.end_ms - 1, period.end_ms)] == [True, False]


@pytest.mark.parametrize(
    ("first", "last", "start", "stop"),
    [
        ("2026-02-01", "2026-02-28", 0, 60),
        ("2026-01-01", "2026-01-31", 0, 0),
        ("2026-03-01", "2026-03-31", 60, 60),
        ("2026-02-02", "2026-02-02", 24, 48),
        ("2026-02-02", "2026-03-02", 24, 60),
        ("2026-01-02", "2026-02-01", 0, 24),
    ],
)
def test_the_rows_are_those_of_the_period_and_its_neighbours_come_along(first, last, start, stop):
    stored = evidence_logs.log_of(60, step=timedelta(hours=1))
    chosen = population.of_log(stored, population.Period.read(first, last))
    assert [row.index for row in chosen.rows] == list(range(start, stop))
    assert (chosen.start, chosen.stop, chosen.size) == (start, stop, 60)
    beside = {one.why: one.row.index for one in chosen.beside if one.why != "enrolment"}
    assert beside.get("before") == (start - 1 if start else None)
    assert beside.get("after") == (stop if stop < 60 else None)
    for row in (*chosen.rows, *(one.row for one in chosen.beside)):
        assert row.stored == stored.records[row.index]
        path = chosen.proof(row.index)
        assert merkle.included(row.leaf_hash, row.index, chosen.size, path, chosen.root)


def test_hosts_heard_in_the_range_bring_their_enrolment():
    stored = evidence_logs.log_of(200, step=timedelta(hours=1))
    chosen = population.of_log(stored, population.Period.read("2026-02-03", "2026-02-09"))
    enrolled = [one.row.fields["data"]["agent"] for one in chosen.beside if one.why == "enrolment"]
    assert enrolled == ["host-1", "host-2"]


def test_what_reports_late_stays_in_its_place_and_is_marked():
    stored = evidence_logs.log_of(60, step=timedelta(hours=1))
    chosen = population.of_log(stored, WHOLE)
    assert all(row.in_period for row in chosen.rows)
    leaves = [chosen.rows[0], dataclasses.replace(chosen.rows[1], in_period=False)]
    assert dataclasses.replace(chosen, rows=tuple(leaves)).counted == (leaves[0],)


@pytest.mark.parametrize(
    ("cosigned", "last", "expected"),
    [
        (40, "2026-02-01", 40),  # reaches beyond the rows: 24 of them
        (24, "2026-02-01", 60),  # ends with them: nothing shows what comes after
        (20, "2026-02-01", 60),
        (60, "2026-02-28", 60),
        (None, "2026-02-01", 60),
    ],
)
def test_the_newest_cosigned_checkpoint_that_reaches_beyond_the_rows_is_taken(
    cosigned, last, expected
):
    stored = evidence_logs.log_of(60, step=timedelta(hours=1), cosigned=cosigned)
    chosen = population.of_log(stored, population.Period.read("2026-02-01", last))
    assert chosen.size == expected
    keys = {name: key.public for name, key in evidence_logs.HOSTS.items()}
    witnesses = checkpoint.cosignatures(chosen.note, keys.get)
    assert bool(witnesses) == (cosigned == expected)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda records: records[:10] + records[11:],
        lambda records: [records[0].replace(b"test", b"tesT"), *records[1:]],
        lambda records: [records[1], records[0], *records[2:]],
    ],
    ids=["removed", "changed", "moved"],
)
def test_nothing_is_built_from_a_log_that_does_not_verify(spoil):
    stored = evidence_logs.log_of(60)
    spoiled = dataclasses.replace(stored, records=spoil(list(stored.records)))
    with pytest.raises(population.NotSound, match="does not verify"):
        population.of_log(spoiled, WHOLE)
