"""The table of attacks on the log: run, and written as its page has it.

Used by test_log_attacks. By hand, to write the page anew after a change:

    .venv/bin/python -m tests.attacks.log_table
"""

import dataclasses
import functools
import pathlib
import sys
import tempfile
from collections.abc import Iterator, Mapping
from typing import Any

from tests.attacks import log_attacks, log_designs, log_product
from tests.attacks.log_attacks import ATTACKS, Attack

SIZES = (8, 100, 1_000, 5_000, 23_445)  # entries; the last is the log of the founding documents
SHOWN = 1_000  # entries of the log whose findings the page quotes
PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs/explanation/attacks-on-the-log.md"
BEGIN, END = "<!-- {}: tests/attacks/log_table.py -->\n", "<!-- end of table -->\n"
_NO_KEY: Mapping[str, Any] = {"key": None}
_NO_WITNESS: Mapping[str, Any] = {"witness_keys": (), "quorum": None}
_NO_CHECKPOINT: Mapping[str, Any] = {"against": ()}
_NO_AGENTS: Mapping[str, Any] = {"agent_keys": None}
_NO_COUNTS: Mapping[str, Any] = {"said": None}
WITHHELD: Mapping[str, Mapping[str, Any]] = {
    "nothing": {},
    "the log's key": _NO_KEY,
    "the hosts' keys as witnesses": _NO_WITNESS,
    "a host's checkpoint": _NO_CHECKPOINT,
    "the hosts' counts": _NO_COUNTS,
    "the hosts' keys as sources": _NO_AGENTS,
    "a host's checkpoint and the counts": {**_NO_CHECKPOINT, **_NO_COUNTS},
    "everything from elsewhere": {
        **_NO_KEY, **_NO_WITNESS, **_NO_CHECKPOINT, **_NO_COUNTS, **_NO_AGENTS,
    },
}  # fmt: skip
FEW = 100  # entries of the log that is judged with less


@dataclasses.dataclass(frozen=True)
class Judged:
    """What the designs made of one attack on logs of one size."""

    models: tuple[bool, ...]  # found, in the order of log_designs.MODELS
    standalone: dict[str, list[str]]  # check -> findings
    product: dict[str, list[str]]
    second: dict[str, list[str]]


@functools.cache
def models(size: int) -> tuple[log_designs.Chain, ...]:
    """Make the four models once for each size."""
    return tuple(design(size) for _, design in log_designs.MODELS)


@functools.cache
def product(size: int) -> log_product.Product:
    """Make the product's log once for each size; its directory goes with this process."""
    place = tempfile.TemporaryDirectory(prefix="attacked-log-")
    _PLACES.append(place)
    return log_product.built(size, pathlib.Path(place.name))


_PLACES: list[tempfile.TemporaryDirectory[str]] = []  # removed when the process ends


@functools.cache
def judged(attack: Attack | None, size: int) -> Judged:
    """Strike a copy of each design and ask its verifiers; None strikes nothing."""
    found = []
    for model in models(size):
        struck = model.copy()
        if attack is not None:
            attack.strike(struck)
        found.append(bool(struck.findings()))
    ours = product(size).copy()
    if attack is not None:
        attack.strike(ours)
    directory = ours.written()
    return Judged(
        tuple(found),
        ours.by_standalone(directory),
        ours.by_product(directory),
        ours.by_second(directory),
    )


def lines() -> Iterator[str]:
    """Write the table, as the logs of SHOWN entries give it."""
    names = [name for name, _ in log_designs.MODELS]
    yield f"| attack | in hand | {' | '.join(names)} | ours | what ours says |"
    yield "|---" * (len(names) + 4) + "|"
    totals = [0] * (len(names) + 1)
    for attack in ATTACKS:
        one = judged(attack, SHOWN)
        row = [*one.models, bool(one.standalone)]
        totals = [total + found for total, found in zip(totals, row, strict=True)]
        words = " | ".join("found" if found else "**missed**" for found in row)
        said = one.standalone[attack.shown_by][0]
        yield f"| {attack.name} | {attack.power} | {words} | `{attack.shown_by}` {said} |"
    counts = " | ".join(f"{total} of {len(ATTACKS)}" for total in totals)
    yield f"| found | | {counts} | |"


def unseen(withheld: Mapping[str, Any]) -> list[str]:
    """Return the attacks that the stand-alone verifier does not find without these."""
    missed = []
    for attack in ATTACKS:
        struck = product(FEW).copy()
        attack.strike(struck)
        if not struck.by_standalone(struck.written(), **withheld):
            missed.append(attack.name)
    return missed


def limits() -> Iterator[str]:
    """Write what goes unseen by whoever brings less."""
    yield "| without | goes unseen |"
    yield "|---|---|"
    for name, withheld in WITHHELD.items():
        yield f"| {name} | {'; '.join(unseen(withheld)) or 'nothing'} |"


def written(page: str) -> str:
    """Return the page with the tables of this run in their places."""
    for name, rows in (("table", lines), ("limits", limits)):
        before, _, rest = page.partition(BEGIN.format(name))
        _, _, after = rest.partition(END)
        page = before + BEGIN.format(name) + "\n".join(rows()) + "\n" + END + after
    return page


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text("utf-8")), "utf-8")
    print(f"wrote {PAGE} with {len(log_attacks.ATTACKS)} attacks", file=sys.stderr)
