"""Every source by its name. Called by the CLI.

made = sources.read(stored, origin="restart.yml", kind=None)
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from sentienguard.playbook.document import Node
from sentienguard.playbook.importing import ansible, drafts, reading, rundeck, ssm, stackstorm
from sentienguard.playbook.problems import BrokenPlaybook, Problem


@dataclass(frozen=True, slots=True)
class Source:
    """One kind of file of others."""

    read: Callable[[Node], tuple[drafts.Draft, ...]]
    recognises: Callable[[Node], bool]  # surely one of these


SOURCES: Final[Mapping[str, Source]] = {
    "ansible": Source(ansible.read, ansible.recognises),
    "rundeck": Source(rundeck.read, rundeck.recognises),
    "stackstorm": Source(stackstorm.read, stackstorm.recognises),
    "ssm": Source(ssm.read, ssm.recognises),
}


@dataclass(frozen=True, slots=True)
class Imported:
    """What one file became."""

    kind: str  # of SOURCES
    drafts: tuple[drafts.Draft, ...]


def read(stored: bytes, *, origin: str, kind: str | None) -> Imported:
    """Read a file of a kind, or of the only kind it can be. Raises BrokenPlaybook."""
    found = reading.read(stored, origin)
    if kind is None:
        fitting = [name for name, source in SOURCES.items() if source.recognises(found)]
        if len(fitting) != 1:
            seen = " or ".join(fitting) or "none of them"
            known = ", ".join(SOURCES)
            problem = Problem(1, "", f"surely one of {known}; say which with --from", seen)
            raise BrokenPlaybook(origin, [problem])
        (kind,) = fitting
    try:
        made = SOURCES[kind].read(found)
    except BrokenPlaybook as error:
        raise BrokenPlaybook(origin, error.problems) from error
    if not any(draft.steps for draft in made):
        raise BrokenPlaybook(origin, [Problem(1, "", f"something to do for {kind}", "nothing")])
    return Imported(kind, _apart(made))


def _apart(made: tuple[drafts.Draft, ...]) -> tuple[drafts.Draft, ...]:
    """Give each draft a name that no other one of the file has."""
    taken: set[str] = set()
    for draft in made:
        base = draft.name if len(draft.name) > 1 else f"{draft.name}_draft"
        named, number = base, 2
        while named in taken:
            named, number = f"{base}_{number}", number + 1
        draft.name = named
        taken.add(named)
    return made
