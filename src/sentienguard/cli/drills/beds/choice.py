"""Which bed a drill gets, and making it."""

import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sentienguard.cli.drills import definition, shelf
from sentienguard.cli.drills.beds import bed, leftovers, node_bed, node_image, sandbox_bed

_DEEPEST = "agent/run/executor.sock"  # the longest path of a socket below a bed
_LONGEST = 107  # bytes of the path of a Unix socket


def possible(drill: definition.Definition) -> tuple[str, ...]:
    """Return the kinds of bed that the drill can use on this machine, the best first."""
    return node_image.usable(drill.beds)


def why_not(drill: definition.Definition, kind: str) -> str:
    """Say which program or right this machine lacks for this kind of bed; empty: none."""
    if kind == "node":
        return node_image.why_not()
    missing = [one for one in drill.needs if shutil.which(one) is None]
    return f"this machine has no {', '.join(missing)}" if missing else ""


def choose(drill: definition.Definition, wanted: str | None) -> str:
    """Return the kind of bed to use. Raises bed.CannotMake."""
    found = possible(drill)
    if wanted is not None and wanted in found:
        return wanted
    if wanted is not None or not found:
        reason = node_image.why_not() or f"it can use {', '.join(drill.beds)}"
        raise bed.CannotMake(f"{drill.name}: no bed of kind {wanted or drill.beds[0]}: {reason}")
    return found[0]


@contextmanager
def made(
    drill: definition.Definition,
    kind: str,
    beds: Path,
    *,
    agents_port: int,
    tell: Callable[[str], None],
) -> Iterator[bed.Bed]:
    """Make a bed of this kind, and take it down again."""
    beds.mkdir(parents=True, exist_ok=True, mode=0o700)
    place = beds / secrets.token_hex(4)
    if len(os.fsencode(place.resolve() / _DEEPEST)) > _LONGEST:
        raise bed.CannotMake(
            f"{beds}: this path is too long for the agent's Unix socket; give a shorter data "
            "directory with --data"
        )
    place.mkdir(mode=0o700)
    try:
        found = _make(drill, kind, place, agents_port, tell)
    except BaseException:
        leftovers.remove(place)
        raise
    try:
        yield found
    finally:
        found.take_down()


def _make(
    drill: definition.Definition,
    kind: str,
    place: Path,
    agents_port: int,
    tell: Callable[[str], None],
) -> bed.Bed:
    library = shelf.library()
    if kind == "node":
        return node_bed.NodeBed(drill, place, library, agents_port=agents_port, tell=tell)
    if reason := why_not(drill, kind):
        raise bed.CannotMake(f"{drill.name}: {reason}")
    return sandbox_bed.SandboxBed(drill, place, library)
