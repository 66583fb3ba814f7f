"""What the PDF of a package says. Called by package; printed by ports.report_printer.

The words stay with what the log shows. No sentence says that a control is met, that somebody is
compliant or that anything is certified; a test reads the whole text for that.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from sentienguard.ports.report_printer import (
    Column,
    Facts,
    Heading,
    Paragraph,
    Part,
    Report,
    Table,
)
from sentienguard.stages.audit.evidence.control import Framework
from sentienguard.stages.audit.evidence.gaps import Finding, Gaps
from sentienguard.stages.audit.evidence.population import Population, Row, moment

SAMPLE: Final = 25  # rows of a control in its section, evenly spaced; auditors sample about as many
_INDEX, _TIME, _KIND = Column("entry", 8), Column("time (UTC)", 25), Column("kind", 19)
_ROWS: Final = (
    _INDEX, _TIME, _KIND, Column("by", 26), Column("environment", 12), Column("incident", 29),
    Column("leaf hash", 18),
)  # fmt: skip
HOW_TO_CHECK: Final = (
    "Run `python3 verify_evidence.py .` in this package's directory, with Python 3.11 and OpenSSL "
    "3 "
    "and nothing of SentienGuard. It shows that the rows are a contiguous range of the log, that "
    "each row is in the tree which the log's key signed, that rows.csv says what rows.json says, "
    "and that this report and all other files have the digests of manifest.json. Give it the log's "
    "public key and the keys of witnesses from elsewhere than this package: --key, --witness."
)
NO_VERDICT: Final = (
    "This package is evidence for the controls below. Whether a control is designed well and works "
    "is for the auditor to say; nothing here is a certificate."
)


def write(
    framework: Framework, population: Population, gaps: Gaps, digests: Mapping[str, str]
) -> Report:
    """Return the report; `digests` are those of the other files, by name."""
    period = population.period
    return Report(
        title=f"Evidence for {framework.title}",
        subtitle=f"{framework.edition}; {period.first} to {period.last} (UTC, both days included)",
        footer=f"Evidence for {framework.title}, {period.first} to {period.last}. "
        f"Log {population.origin}, {population.size:,} entries.",
        parts=(
            *_summary(framework, population, gaps),
            *_gaps(gaps),
            *(part for one in gaps.findings for part in _section(one)),
            *_everything(population),
            *_digests(population, digests),
        ),
    )


def entries(found: Sequence[Row]) -> Table:
    """Return rows as a table, one line each."""
    return Table(_ROWS, [_row(row) for row in found])


def _summary(framework: Framework, population: Population, gaps: Gaps) -> Iterator[Part]:
    counted, found = population.counted, gaps.findings
    yield Heading("Executive summary")
    yield Paragraph(NO_VERDICT)
    yield Paragraph(framework.outside)
    yield Facts((
        ("framework", f"{framework.title}, {framework.edition}"),
        ("period", f"{population.period.first} to {population.period.last}, UTC"),
        ("log", population.origin),
        ("entries dated in the period", f"{len(counted):,}"),
        ("rows in this package", _range_text(population)),
        ("log begins", _moment(population.log_first_ms)),
        ("log ends", _moment(population.log_last_ms)),
        ("signed checkpoint", f"{population.size:,} entries, root {population.root.hex()}"),
        ("controls with entries", f"{len(found) - len(gaps.missing)} of {len(found)}"),
    ))  # fmt: skip
    yield Heading("What happened", 2)
    yield Facts(tuple(_numbers(counted)))
    yield Heading("Controls", 2)
    yield Table(
        (Column("control", 16), Column("about", 44), Column("entries", 9), Column("", 36)),
        [(one.control.id, one.control.title, f"{len(one.rows):,}", _state(one))
         for one in gaps.findings],
    )  # fmt: skip
    yield Heading("The log, checked when this package was built", 2)
    yield Facts(tuple((one.name, one.detail) for one in population.report.checks))
    yield Heading("How to check this package", 2)
    yield Paragraph(HOW_TO_CHECK)


def _gaps(gaps: Gaps) -> Iterator[Part]:
    yield Heading("Gaps")
    if gaps.before_log_ms is not None:
        yield Paragraph(
            f"The log begins at {moment(gaps.before_log_ms)}, after the period began: of the time "
            "before it nothing is known here."
        )
    if gaps.after_log_ms is not None:
        yield Paragraph(
            f"The log ends at {moment(gaps.after_log_ms)}, before the period ended: of the time "
            "after it nothing is known here."
        )
    if gaps.missing:
        yield Paragraph("For these controls the log holds no entry of the period.")
        yield Facts(tuple(
            (f"{one.control.id} {one.control.title}", one.control.missing)
            for one in gaps.missing
        ))  # fmt: skip
    else:
        yield Paragraph("For each control the log holds at least one entry of the period.")
    if gaps.silences:
        yield Paragraph(
            f"{gaps.silences_in_all} stretches of a day or more have no entry; the longest are "
            "below. Nothing happened in them, or SentienGuard did not run."
        )
        yield Facts(tuple(
            (moment(one.since_ms), f"until {moment(one.until_ms)}") for one in gaps.silences
        ))  # fmt: skip
    else:
        yield Paragraph("No stretch of a day or more is without an entry.")


def _section(found: Finding) -> Iterator[Part]:
    control = found.control
    yield Heading(f"{control.id} {control.title}")
    facts = [("about", control.asks), ("what entries show", control.shows)]
    if control.formerly:
        facts.append(("2013 edition", control.formerly))
    if control.log_itself:
        facts.append(("what the log itself shows", control.log_itself))
    facts.append(("entries in the period", f"{len(found.rows):,}"))
    yield Facts(tuple(facts))
    if found.is_gap:
        yield Paragraph(f"The log holds no entry for this control. {control.missing}")
        return
    yield Table(
        (Column("kind", 24), Column("entries", 10), Column("first", 26), Column("last", 26)),
        [_kind_row(kind, count, found.rows) for kind, count in found.by_kind.items()],
    )
    sample = _sample(found.rows)
    yield Heading(
        f"{len(sample)} of {len(found.rows):,} entries, evenly spaced"
        if len(sample) < len(found.rows)
        else "The entries",
        2,
    )
    yield entries(sample)


def _everything(population: Population) -> Iterator[Part]:
    yield Heading("All rows")
    yield Paragraph(
        "One line for each row of rows.json and rows.csv, in the order of the log. A row marked "
        "with * is dated outside the period and came between entries of it: a host that was cut "
        "off "
        "reports late. A leaf hash is shown by its first 16 digits."
    )
    yield entries(population.rows)


def _digests(population: Population, digests: Mapping[str, str]) -> Iterator[Part]:
    yield Heading("Digests")
    yield Paragraph(
        "SHA-256 of the files of this package that existed when this report was written. The "
        "report's own digest stands in manifest.json."
    )
    yield Facts((*digests.items(), ("root of the log", population.root.hex())))
    yield Paragraph(population.note)


def _numbers(counted: Sequence[Row]) -> Iterator[tuple[str, str]]:
    """Yield what a reader of one page wants to know."""
    kinds = Counter(row.fields["kind"] for row in counted)
    named = (
        ("incidents opened", "incident.opened"),
        ("orders released", "order.intent"),
        ("orders admitted by hosts", "order.admitted"),
        ("orders refused by hosts", "order.refused"),
        ("requests refused", "access.denied"),
        ("logins", "user.login"),
    )
    for name, kind in named:
        yield name, f"{kinds[kind]:,}"
    for name, kind, member in (
        ("incidents closed", "incident.closed", "outcome"),
        ("approvals decided", "approval.decided", "decision"),
    ):
        split = Counter(
            str(row.fields["data"].get(member, "unknown"))
            for row in counted
            if row.fields["kind"] == kind
        )
        detail = ", ".join(f"{each}: {count:,}" for each, count in sorted(split.items()))
        yield name, f"{kinds[kind]:,}" + (f" ({detail})" if detail else "")


def _kind_row(kind: str, count: int, rows: Sequence[Row]) -> tuple[str, ...]:
    times = [row.fields["ts_ms"] for row in rows if row.fields["kind"] == kind]
    return kind, f"{count:,}", moment(min(times)), moment(max(times))


def _sample(rows: Sequence[Row]) -> Sequence[Row]:
    if len(rows) <= SAMPLE:
        return rows
    return [rows[number * len(rows) // SAMPLE] for number in range(SAMPLE)]


def _row(row: Row) -> tuple[str, ...]:
    found = row.fields
    return (
        f"{row.index}{'' if row.in_period else '*'}",
        moment(found["ts_ms"]),
        found["kind"],
        found["actor"] or found["src"],
        found["env"],
        found["incident"],
        row.leaf_hash.hex()[:16],
    )


def _state(found: Finding) -> str:
    if not found.is_gap:
        return "entries below"
    return "no entry; the log's own proofs" if found.control.log_itself else "no entry: see gaps"


def _range_text(population: Population) -> str:
    if not population.rows:
        return "none"
    return (
        f"{len(population.rows):,}: entries {population.start} to {population.stop - 1} of the log"
    )


def _moment(at_ms: int | None) -> str:
    return "empty" if at_ms is None else moment(at_ms)
