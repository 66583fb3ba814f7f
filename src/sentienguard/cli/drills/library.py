"""All drills by name, and variations of one in a YAML file.

A variation names the drill it is based on and its parameters:

    base: disk-full
    parameters: {percent: 98, files: 30}
"""

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import yaml

from sentienguard.cli.drills import (
    disk_full,
    drill,
    service_broken_fix,
    service_degraded,
    service_hung,
)
from sentienguard.model import errors

DRILLS: Mapping[str, drill.Maker] = {
    made.name: made
    for made in cast(
        "tuple[drill.Maker, ...]",
        (
            disk_full.DiskFull,
            service_hung.ServiceHung,
            service_degraded.ServiceDegraded,
            service_broken_fix.ServiceBrokenFix,
        ),
    )
}


class NoSuchDrill(errors.Rejected):
    """There is no drill of this name, or the file is not one."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """A drill and its parameters."""

    maker: drill.Maker
    parameters: Mapping[str, int]


def choose(name_or_path: str) -> Chosen:
    """Return the drill of this name, or the variation in this file. Raises NoSuchDrill."""
    if name_or_path in DRILLS:
        return Chosen(DRILLS[name_or_path], {})
    path = Path(name_or_path)
    if path.suffix in {".yaml", ".yml"} or path.exists():
        return _variation(path)
    raise NoSuchDrill(
        f"no drill is called {name_or_path!r}; there are {', '.join(DRILLS)}, and YAML files with "
        "base and parameters; `sentienguard drill list` names those in directories too"
    )


def parameters_of(maker: drill.Maker) -> tuple[str, ...]:
    """Return the names of a drill's parameters."""
    found = inspect.signature(maker).parameters.values()
    return tuple(one.name for one in found if one.kind is inspect.Parameter.KEYWORD_ONLY)


def _variation(path: Path) -> Chosen:
    try:
        found: Any = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as cause:
        raise NoSuchDrill(f"{path}: cannot be read as YAML: {cause}") from cause
    if not isinstance(found, dict) or not set(found) <= {"base", "parameters"}:
        raise NoSuchDrill(f"{path}: expected a mapping of base and parameters, found {found!r:.80}")
    maker = DRILLS.get(str(found.get("base")))
    if maker is None:
        raise NoSuchDrill(
            f"{path}: base: expected one of {', '.join(DRILLS)}, found {found.get('base')!r:.80}"
        )
    parameters = found.get("parameters") or {}
    known = parameters_of(maker)
    if not isinstance(parameters, dict) or not set(parameters) <= set(known):
        raise NoSuchDrill(
            f"{path}: parameters: {maker.name} knows {', '.join(known) or 'none'}, found "
            f"{parameters!r:.80}"
        )
    return Chosen(maker, parameters)
