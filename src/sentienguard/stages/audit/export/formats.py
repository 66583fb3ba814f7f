"""Rows of the log in one of the formats that `audit export` writes.

Called by the CLI. CSV and JSON are those of evidence packages; OCSF and CEF have one event a line.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from sentienguard.ports.report_printer import Column, Heading, Paragraph, Report, Table
from sentienguard.stages.audit import entry
from sentienguard.stages.audit.evidence import report, rows
from sentienguard.stages.audit.evidence.population import Row
from sentienguard.stages.audit.export import cef, meaning, ocsf

_CONTROLS: Final = {kind: fixed.controls for kind, fixed in entry.KINDS.items()}


def as_json(found: Sequence[Row], _version: str) -> bytes:
    """Return one array, a line for each entry."""
    return rows.json_list(rows.json_row(row, _CONTROLS[row.fields["kind"]]) for row in found)


def as_csv(found: Sequence[Row], _version: str) -> bytes:
    """Return RFC 4180 with a heading."""
    return "".join(rows.csv_lines(found, _CONTROLS)).encode()


def as_ocsf(found: Sequence[Row], version: str) -> bytes:
    """Return one event a line."""
    return _lines(event_text(row, version) for row in found)


def as_cef(found: Sequence[Row], version: str) -> bytes:
    """Return one CEF line for each entry."""
    return _lines(cef.line(meant(row), version) for row in found)


def event_text(row: Row, version: str) -> str:
    """Return an entry's event of OCSF as one line of JSON in ASCII."""
    return json.dumps(ocsf.event(meant(row), version), separators=(",", ":"))


def entry_text(row: Row, _version: str) -> str:
    """Return an entry itself as one line of JSON in ASCII."""
    return json.dumps(row.fields, separators=(",", ":"), sort_keys=True)


def cef_text(row: Row, version: str) -> str:
    """Return an entry's CEF line."""
    return cef.line(meant(row), version)


WRITERS: Final[Mapping[str, Callable[[Sequence[Row], str], bytes]]] = {
    "json": as_json,
    "csv": as_csv,
    "ocsf": as_ocsf,
    "cef": as_cef,
}
TEXTS: Final[Mapping[str, Callable[[Row, str], str]]] = {
    "json": entry_text,
    "ocsf": event_text,
    "cef": cef_text,
}


def listing(found: Sequence[Row], origin: str, period: str) -> Report:
    """Return the report that `--format pdf` prints."""
    kinds: dict[str, int] = {}
    for row in found:
        kinds[row.fields["kind"]] = kinds.get(row.fields["kind"], 0) + 1
    return Report(
        title="Audit log",
        subtitle=f"{period}; {len(found):,} entries",
        footer=f"Log {origin}",
        parts=(
            Heading("Kinds"),
            Table(
                (Column("kind", 30), Column("entries", 12)),
                [(kind, f"{count:,}") for kind, count in sorted(kinds.items())],
            ),
            Heading("Entries"),
            Paragraph("A leaf hash is shown by its first 16 digits."),
            report.entries(found),
        ),
    )


def meant(row: Row) -> meaning.Meaning:
    """Return what a row says in common terms."""
    return meaning.of(row.index, row.leaf_hash, row.fields)


def _lines(found: Iterable[str]) -> bytes:
    return "".join(f"{line}\n" for line in found).encode()
