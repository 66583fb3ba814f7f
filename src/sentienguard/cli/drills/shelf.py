"""Where drills lie: those that come with the program, and one that somebody else wrote.

They lie in `sentienguard/bundled_drills` of an installed wheel and in `drills` of a checkout.
`lib` beside them, $LIB of scripts, holds what drills share: shell functions that are read before
each script, and small programs.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import sentienguard
from sentienguard.cli.drills import definition
from sentienguard.model import errors, ids

LIBRARY = "lib"
FUNCTIONS = "functions.sh"


class NoSuchDrill(errors.Rejected):
    """There is no drill of this name or in this directory."""


def directory() -> Path:
    """Return where the bundled ones lie. Raises NoSuchDrill."""
    package = Path(sentienguard.__file__).resolve().parent
    for place in (package / "bundled_drills", package.parents[1] / "drills"):
        if place.is_dir():
            return place
    raise NoSuchDrill(f"no drills lie beside {package}; install sentienguard again")


def bundled() -> Mapping[str, definition.Definition]:
    """Return all by name. Raises definition.BadDrill."""
    places = sorted(one.parent for one in directory().glob(f"*/{definition.FILE}"))
    return {one.name: definition.read(one) for one in places}


def names() -> tuple[str, ...]:
    """Return the names of all, without reading any."""
    return tuple(sorted(one.parent.name for one in directory().glob(f"*/{definition.FILE}")))


def library() -> Path:
    """Return the directory of what drills share."""
    return directory() / LIBRARY


def digest(wanted: definition.Definition) -> ids.Digest:
    """Return what tells a drill from one that was edited since: its files and those it shares."""
    read = b""
    for place in (wanted.directory, library()):
        for file in sorted(one for one in place.rglob("*") if one.is_file()):
            if "__pycache__" not in file.parts:
                body = file.read_bytes()
                read += f"{file.relative_to(place)} {len(body)}\n".encode() + body
    return ids.digest(read)


def knows(name_or_path: str) -> bool:
    """Tell whether a drill of this name or in this directory is there, right or wrong."""
    path = Path(name_or_path)
    if path.name == definition.FILE or (path / definition.FILE).is_file():
        return True
    return "/" not in name_or_path and (directory() / name_or_path / definition.FILE).is_file()


def find(name_or_path: str) -> definition.Definition:
    """Return the drill of this name, or the one in this directory.

    Raises NoSuchDrill and definition.BadDrill.
    """
    path = Path(name_or_path)
    if path.name == definition.FILE:
        path = path.parent
    if (path / definition.FILE).is_file():
        return definition.read(path.resolve())
    place = directory() / name_or_path
    if "/" not in name_or_path and (place / definition.FILE).is_file():
        return definition.read(place)
    raise NoSuchDrill(
        f"no drill is called {name_or_path!r} and no directory of this name holds a "
        f"{definition.FILE}; `sentienguard drill list` names all"
    )


def chosen(only: Sequence[str]) -> list[definition.Definition]:
    """Return the bundled drills, or those of these names or paths, as a run does them.

    Faults come first: what a remedy tries at a decoy without success counts against it afterwards.
    """
    found = [find(one) for one in only] if only else list(bundled().values())
    return sorted(found, key=_turn)


def _turn(one: definition.Definition) -> tuple[int, str]:
    if not one.is_decoy:
        return (1 if "rolled_back" in one.expected.outcomes else 0, one.name)
    return (3 if one.expected.acts else 2, one.name)
