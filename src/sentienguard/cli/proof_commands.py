"""`playbook test`: run a playbook where nothing can break, and see what it does.

Called by `playbook_commands`. The proofs are `simulation.proving`'s, those on real services
`drills.real`'s; here are files, rows and the status:

    0 all holds    1 something does not    3 all holds, and something could not be tried here
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from sentienguard.cli import frame, given_files
from sentienguard.cli.drills import drill, real
from sentienguard.cli.installation import bundled
from sentienguard.model import errors
from sentienguard.playbook import parse
from sentienguard.simulation.proving import proofs

CASE = "simulation.yaml"
NOT_HERE = 3  # as for whatever is not available now


@dataclass(frozen=True, slots=True)
class Proven:
    """What is known of one playbook."""

    playbook: str
    proofs: tuple[proofs.Proof, ...]
    not_here: str = ""  # why it could not be tried on a real service; empty: it was, or need not

    @property
    def failed(self) -> int:
        """Return how many proofs do not hold."""
        return sum(not one.passed for one in self.proofs)


def prove(
    what: Annotated[
        str,
        typer.Argument(
            metavar="NAME|DIR", help="A bundled playbook, or a directory of one or more."
        ),
    ],
    on_real: Annotated[
        bool,
        typer.Option(
            "--real",
            help="Also on a real service that a drill breaks; status 3 where that cannot be here.",
        ),
    ] = False,
    as_json: frame.Json = False,
) -> None:
    """Prove a playbook on its simulated host; status 1 if anything about it does not hold."""
    shown = frame.open_frame(None, as_json)
    directories = _directories(what)
    found = [Proven(one.name, _proofs(one)) for one in directories]
    if on_real:
        with shown.working("real services") as say, real.ground(say) as ground:
            found = [
                _on_real(one, directory, ground)
                for one, directory in zip(found, directories, strict=True)
            ]
    _answer(shown, found)
    raise typer.Exit(_status(found))


def _status(found: Sequence[Proven]) -> int:
    if any(one.failed for one in found):
        return 1
    return NOT_HERE if any(one.not_here for one in found) else 0


def _directories(what: str) -> list[Path]:
    """Return the directories of playbooks that are meant. Raises errors.Rejected."""
    inside = bundled.directory() / what
    place = inside if what.isidentifier() and inside.is_dir() else Path(what)
    found = [place] if (place / bundled.PLAYBOOK).is_file() else []
    found = found or sorted(file.parent for file in place.glob(f"*/{bundled.PLAYBOOK}"))
    if not found:
        raise errors.Rejected(
            f"{what}: expected a bundled playbook, or a directory that holds {bundled.PLAYBOOK} or "
            "directories with one; `sentienguard playbook list` names what is signed"
        )
    return found


def _proofs(directory: Path) -> tuple[proofs.Proof, ...]:
    stored = given_files.read(directory / bundled.PLAYBOOK)
    parse.load(stored, origin=str(directory / bundled.PLAYBOOK))
    if not (directory / CASE).is_file():
        reason = f"{directory}: there is no {CASE}; docs/reference/simulation-cases.md shows one"
        return (proofs.Proof("case", passed=False, step="", reason=reason),)
    return proofs.prove(stored, given_files.read(directory / CASE), origin=str(directory))


def _on_real(known: Proven, directory: Path, ground: real.Ground) -> Proven:
    """Try it on a real service as well; where that cannot be, say what is missing."""
    stored = given_files.read(directory / bundled.PLAYBOOK)
    try:
        given = ground.attempt(parse.load(stored, origin=str(directory)), stored)
    except real.NotHere as error:
        return replace(known, not_here=str(error))
    dry, heals, again = given
    more = (
        _seen("real: dry run", dry, good=_ended(dry) == "DRY_RUN" and not dry.gone),
        _seen("real: heals", heals, good=_ended(heals) == "SUCCESS" and heals.gone),
        _seen("real: twice", again, good=_did_nothing(again) and again.gone),
    )
    return replace(known, proofs=(*known.proofs, *more))


def _ended(seen: drill.Seen) -> str:
    return seen.outcome.partition(":")[0]


def _did_nothing(seen: drill.Seen) -> bool:
    """Tell whether a second order did nothing, or was refused as one too many or for no need."""
    refused = ("refused: guard_holds", "refused: within_budget")
    return _ended(seen) == "SUCCESS_NO_ACTION" or seen.outcome.startswith(refused)


def _seen(name: str, seen: drill.Seen, *, good: bool) -> proofs.Proof:
    return proofs.Proof(name, passed=good and not seen.changed, step="", reason=str(seen))


def _answer(shown: frame.Frame, found: Sequence[Proven]) -> None:
    document = {
        "items": [
            {
                "playbook": each.playbook,
                "passed": not each.failed and not each.not_here,
                "not_tried_here": each.not_here or None,
                "proofs": [
                    {"name": one.name, "passed": one.passed, "step": one.step, "reason": one.reason}
                    for one in each.proofs
                ],
            }
            for each in found
        ]
    }
    rows = [row for each in found for row in _rows(each)]
    shown.answer(
        document, frame.table("playbook!", "proof!", "step", "!", "seen", rows=rows, empty="none")
    )
    failed, missing = sum(each.failed for each in found), sum(bool(each.not_here) for each in found)
    shown.say()
    shown.say(
        f"{len(rows) - failed - missing} of {len(rows)} hold"
        + (f", {failed} FAIL" if failed else "")
        + (f", {missing} could not be tried here" if missing else "")
    )


def _rows(each: Proven) -> list[tuple[str | Text, ...]]:
    """Return a row for each proof, and one for what was not tried."""
    holds, fails = Text("holds"), Text("FAILS", "bold red")
    rows: list[tuple[str | Text, ...]] = [
        (each.playbook, one.name, one.step, holds if one.passed else fails, one.reason)
        for one in each.proofs
    ]
    if each.not_here:
        rows.append((each.playbook, "real", "", Text("NOT HERE", "yellow"), each.not_here))
    return rows
