"""`playbook test`: run a playbook where nothing can break, and see what it does.

Called by `playbook_commands`. The proofs are `simulation.proving`'s, those on real services
`drills.proving`'s; here are files, rows and the status.
"""

import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from sentienguard.cli import frame, given_files
from sentienguard.cli.drills import proving as real
from sentienguard.cli.installation import bundled
from sentienguard.model import errors
from sentienguard.playbook import parse
from sentienguard.simulation.proving import proofs

CASE = "simulation.yaml"


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
            "--real", help="Also on real services of a sandbox, where a drill breaks them."
        ),
    ] = False,
    as_json: frame.Json = False,
) -> None:
    """Prove a playbook on its simulated host; status 1 if anything about it does not hold."""
    shown = frame.open_frame(None, as_json)
    directories = _directories(what)
    found = {one.name: _proofs(one) for one in directories}
    if on_real:
        with shown.working("sandbox") as say:
            for one in directories:
                found[one.name] = (*found[one.name], *_real(one, say))
    _answer(shown, found)
    good = all(proof.passed for each in found.values() for proof in each)
    raise typer.Exit(0 if good else 1)


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


def _real(directory: Path, say: Callable[[str], None]) -> Iterable[proofs.Proof]:
    """Try on real services; a playbook that no drill is for is said not to be tried."""
    stored = given_files.read(directory / bundled.PLAYBOOK)
    playbook = parse.load(stored, origin=str(directory))
    drilled = playbook.name in real.PROVEN_BY
    if (
        not drilled
        or stored != (bundled.directory() / playbook.name / bundled.PLAYBOOK).read_bytes()
    ):
        reason = "not tried: no drill breaks a real service for these bytes"
        return [proofs.Proof("real", passed=True, step="", reason=reason)]
    with (
        tempfile.TemporaryDirectory(prefix="sentienguard-test-") as place,
        real.bench(Path(place), say) as bench,
    ):
        say(f"{playbook.name} on {real.PROVEN_BY[playbook.name]}")
        given = bench.run(playbook, bench.fault(playbook.name), dry_runs=(True, False, False))
    dry, heals, again = given
    return [
        _seen("real: dry run", dry, good=dry.outcome == "DRY_RUN" and not dry.gone),
        _seen("real: heals", heals, good=heals.outcome == "SUCCESS" and heals.gone),
        _seen("real: twice", again, good=again.gone and _did_nothing(again.outcome)),
    ]


def _did_nothing(outcome: str) -> bool:
    return outcome == "SUCCESS_NO_ACTION" or outcome.startswith("refused: guard_holds")


def _seen(name: str, seen: real.Seen, *, good: bool) -> proofs.Proof:
    return proofs.Proof(name, passed=good and not seen.changed, step="", reason=str(seen))


def _answer(shown: frame.Frame, found: dict[str, tuple[proofs.Proof, ...]]) -> None:
    document = {
        "items": [
            {
                "playbook": name,
                "passed": all(proof.passed for proof in each),
                "proofs": [
                    {"name": one.name, "passed": one.passed, "step": one.step, "reason": one.reason}
                    for one in each
                ],
            }
            for name, each in found.items()
        ]
    }
    rows = [
        (
            name,
            one.name,
            one.step,
            Text("holds" if one.passed else "FAILS", "" if one.passed else "bold red"),
            one.reason,
        )
        for name, each in found.items()
        for one in each
    ]
    shown.answer(
        document, frame.table("playbook!", "proof!", "step", "!", "seen", rows=rows, empty="none")
    )
    failed = sum(not one.passed for each in found.values() for one in each)
    shown.say()
    shown.say(f"{len(rows) - failed} of {len(rows)} hold" + (f", {failed} FAIL" if failed else ""))
