"""The entries of a period: a contiguous range of the log, complete by proof.

Called by package and by exports. An auditor's first question is whether the population is complete,
so what is handed over is not a selection but a range [start, stop) of the log:

1. It begins with the first entry that is dated in the period and ends after the last one. Entries
   in between that are dated outside (a host that was cut off reports late) stay in, marked.
2. The entries right before and right after it come along, to show that they are dated outside, so
   that a range that was narrowed at either end shows.
3. Entries that enrol the hosts heard in the range come along, so that their signatures can be
   checked from the package alone.
4. All of it is proven against one signed checkpoint: the newest that witnesses co-signed, where it
   reaches beyond the range, and else the newest.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

from sentienguard.model import errors
from sentienguard.ports import audit_log
from sentienguard.stages.audit import checkpoint, merkle, verify
from sentienguard.trust import canonical, dsse

Told = Callable[[str, int, int], None]  # what is being done, how much is done, of how much
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
_DATED: Final = re.compile(rb',"ts_ms":([0-9]{1,16}),"v":1}\Z')
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")
_KIND_ENROLLED: Final = b'"kind":"agent.enrolled"'


class BadPeriod(errors.Rejected):
    """The dates are no period."""


class NotSound(errors.Rejected):
    """The log does not verify, so nothing is built from it."""


@dataclass(frozen=True, slots=True)
class Period:
    """Days in UTC, both included."""

    first: date
    last: date

    @classmethod
    def read(cls, first: str, last: str) -> "Period":
        """Read two dates such as 2026-03-31. Raises BadPeriod."""
        found = cls(_day("from", first), _day("to", last))
        if found.last < found.first:
            raise BadPeriod(f"to {last}: expected a day not before {first}")
        return found

    @classmethod
    def between(cls, first: str | None, last: str | None) -> "Period":
        """Read two dates of which either may be left out. Raises BadPeriod."""
        return cls.read(first or "1970-01-01", last or "9999-12-30")

    @property
    def start_ms(self) -> int:
        """The first millisecond of it."""
        return _midnight_ms(self.first)

    @property
    def end_ms(self) -> int:
        """The first millisecond after it."""
        return _midnight_ms(self.last) + 86_400_000

    def holds(self, at_ms: int) -> bool:
        """Tell whether a moment is in it."""
        return self.start_ms <= at_ms < self.end_ms


@dataclass(frozen=True, slots=True)
class Row:
    """One entry of the range."""

    index: int  # in the log
    stored: bytes  # canonical, with src_sig where a host signed
    in_period: bool
    fields: dict[str, Any]  # the same, parsed
    leaf_hash: bytes


@dataclass(frozen=True, slots=True)
class Beside:
    """An entry outside the range that comes along, and why."""

    why: str  # before, after or enrolment
    row: Row


@dataclass(frozen=True, slots=True)
class Population:
    """What is handed over, with what proves it."""

    period: Period
    origin: str  # the log's name
    verifier_keys: str  # a line each: C2SP vkey, and ` until=SIZE` where it has an end
    note: str  # signed checkpoint that everything is proven against
    size: int  # entries that it commits to
    root: bytes
    start: int  # index of the first row; where there are none, of the first entry after the period
    rows: tuple[Row, ...]
    beside: tuple[Beside, ...]
    tree: merkle.Tree  # of the first `size` entries
    log_first_ms: int | None  # when the log's first entry is dated; None: the log is empty
    log_last_ms: int | None
    report: verify.Report  # the whole log, judged

    @property
    def stop(self) -> int:
        """The index after the last row."""
        return self.start + len(self.rows)

    @property
    def counted(self) -> tuple[Row, ...]:
        """The rows that are dated in the period."""
        return tuple(row for row in self.rows if row.in_period)

    def proof(self, index: int) -> list[bytes]:
        """Return the inclusion proof of an entry against the checkpoint."""
        return self.tree.inclusion(index, self.size)


def row_of(index: int, stored: bytes, period: Period) -> Row:
    """Return an entry as a row. Raises audit_log.EntryRefused for what is no entry."""
    return Row(
        index, stored, period.holds(_dated(stored)), canonical.decode_object(stored),
        merkle.leaf_hash(stored),
    )  # fmt: skip


def silent(_what: str, _done: int, _of: int) -> None:
    """Tell nobody."""


def of_log(
    stored: audit_log.StoredLog,
    period: Period,
    trust: verify.Trust | None = None,
    told: Told = silent,
) -> Population:
    """Choose and prove the entries of a period.

    Raises NotSound where the log does not verify, naming the first thing that is wrong.
    """
    trust = trust or verify.Trust()
    told("verifying the log", 0, len(stored.records))
    judged = verify.verify(stored, trust, deep=True, live=True)
    if not judged.passed:
        wrong = next(one for one in judged.checks if not one.passed)
        raise NotSound(
            f"the log does not verify ({wrong.name}: {wrong.detail}); `sentienguard audit verify` "
            "shows all findings, and no evidence is built from such a log"
        )
    leaves = [one for one in stored.records if isinstance(one, bytes)]
    dated = [_dated(leaf) for leaf in leaves]
    newest, root = _opened(stored.checkpoint or "", stored, trust)
    start, stop = _range(dated[:newest], period)
    note, size, root = _proven_by(stored, trust, newest, root, stop)
    tree = merkle.Tree()
    for leaf in leaves[:size]:
        tree.append(merkle.leaf_hash(leaf))

    def row(index: int) -> Row:
        return row_of(index, leaves[index], period)

    rows = tuple(row(index) for index in range(start, stop))
    told("verifying the log", len(leaves), len(leaves))
    beside = [Beside("before", row(start - 1))] if start else []
    if stop < size:
        beside.append(Beside("after", row(stop)))
    heard = {one.fields["src"] for one in rows}
    beside += [
        Beside("enrolment", row(index))
        for index in _enrolments(leaves[:start])
        if f"agent:{canonical.decode_object(leaves[index])['data'].get('agent')}" in heard
    ]
    return Population(
        period=period,
        origin=checkpoint.read_log_keys(stored.verifier_keys)[0],
        verifier_keys=stored.verifier_keys,
        note=note,
        size=size,
        root=root,
        start=start,
        rows=rows,
        beside=tuple(beside),
        tree=tree,
        log_first_ms=dated[0] if newest else None,
        log_last_ms=dated[newest - 1] if newest else None,
        report=judged,
    )


def moment(at_ms: int) -> str:
    """Write a moment as RFC 3339 in UTC with milliseconds."""
    at = _EPOCH + at_ms * _MILLISECOND
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z"


def _range(dated: Sequence[int], period: Period) -> tuple[int, int]:
    """Return where the period's entries begin and end in the log."""
    inside = [index for index, at_ms in enumerate(dated) if period.holds(at_ms)]
    if inside:
        return inside[0], inside[-1] + 1
    later = next((i for i, at_ms in enumerate(dated) if at_ms >= period.end_ms), len(dated))
    return later, later


def _proven_by(
    stored: audit_log.StoredLog, trust: verify.Trust, newest: int, root: bytes, stop: int
) -> tuple[str, int, bytes]:
    """Return the checkpoint to prove against, its size and its root."""
    for note in sorted(stored.cosigned, key=_size_of, reverse=True):
        try:
            size, cosigned_root = _opened(note, stored, trust)
        except dsse.NotTrusted:
            continue
        if size == newest or stop < size < newest:
            return note, size, cosigned_root
    return stored.checkpoint or "", newest, root


def _size_of(note: str) -> int:
    try:
        return checkpoint.read_text(checkpoint.read_note(note).text).size
    except dsse.NotTrusted:
        return -1


def _opened(note: str, stored: audit_log.StoredLog, trust: verify.Trust) -> tuple[int, bytes]:
    origin, log_keys = checkpoint.read_log_keys(stored.verifier_keys)
    opened = checkpoint.open_checkpoint(note, trust.origin or origin, trust.log_keys or log_keys)
    return opened.size, opened.root


def _enrolments(leaves: Sequence[bytes]) -> list[int]:
    """Return where hosts were enrolled; a text that merely looks like it is weeded out."""
    return [
        index
        for index, leaf in enumerate(leaves)
        if _KIND_ENROLLED in leaf and canonical.decode_object(leaf)["kind"] == "agent.enrolled"
    ]


def _dated(leaf: bytes) -> int:
    """Return when an entry is dated; its end holds that, out of reach of free text."""
    match = _DATED.search(leaf)
    if match is None:  # verified before; an entry of another form
        raise audit_log.EntryRefused(f"entry without a date at its end: {leaf[-60:]!r}")
    return int(match[1])


def _day(name: str, text: str) -> date:
    try:
        if _DATE.match(text):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise BadPeriod(f"{name} {text[:40]!r}: expected a day such as 2026-03-31")


def _midnight_ms(day: date) -> int:
    return (datetime.combine(day, time(), UTC) - _EPOCH) // _MILLISECOND
