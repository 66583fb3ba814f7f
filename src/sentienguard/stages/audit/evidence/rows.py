"""An entry as a row of CSV and of JSON, the same bytes each time.

Called by package and by exports. JSON holds the entry whole, so that whoever has the row can write
its canonical bytes again and hash them. CSV is RFC 4180, one line a row, with a guard: a cell that
a spreadsheet would take for a formula gets an apostrophe before it. The stand-alone verifier makes
each line of CSV anew from the row of JSON and compares, so a change in either shows.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from sentienguard.stages.audit.evidence.population import Row, moment
from sentienguard.trust import canonical

COLUMNS: Final = (
    "index", "leaf_hash", "time", "in_period", "kind", "environment", "source", "source_seq",
    "actor", "incident", "controls", "key", "data", "blobs",
)  # fmt: skip
FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")  # what spreadsheets begin a formula with
_NEEDS_QUOTES: Final = frozenset('",\r\n')


def csv_lines(rows: Iterable[Row], controls: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Yield the heading and one line for each row, each with its CRLF."""
    yield _line(COLUMNS)
    for row in rows:
        found = row.fields
        yield _line((
            str(row.index),
            row.leaf_hash.hex(),
            moment(found["ts_ms"]),
            "yes" if row.in_period else "no",
            found["kind"],
            found["env"],
            found["src"],
            str(found["src_seq"]),
            found["actor"],
            found["incident"],
            "; ".join(controls[found["kind"]]),
            found["key"],
            canonical.encode(found["data"]).decode(),
            canonical.encode(found["blobs"]).decode(),
        ))  # fmt: skip


def json_row(row: Row, controls: Sequence[str]) -> str:
    """Return a row as one line of JSON; its members sort like those of an entry."""
    named = canonical.encode(list(controls)).decode()
    return (
        f'{{"controls":{named},"entry":{row.stored.decode()},"in_period":'
        f'{"true" if row.in_period else "false"},"index":{row.index},'
        f'"leaf_hash":"{row.leaf_hash.hex()}"}}'
    )


def json_list(lines: Iterable[str]) -> bytes:
    """Return lines of JSON as one array, a line each."""
    return ("[\n" + ",\n".join(lines) + "\n]\n").encode()


def cell(text: str) -> str:
    """Return a cell as RFC 4180 wants it, no formula, one line."""
    guarded = f"'{text}" if text.startswith(FORMULA) else text
    if _NEEDS_QUOTES.isdisjoint(guarded):
        return guarded
    return '"' + guarded.replace('"', '""') + '"'


def _line(cells: Sequence[str]) -> str:
    return ",".join(map(cell, cells)) + "\r\n"
