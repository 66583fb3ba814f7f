"""Which hosts a list shows, in which order, and where its next page begins. Pure.

Called by api.hosts with the hosts that the caller may see, and no other: counts and cursors tell
nothing of the rest. A page begins behind a place in the order, so that hosts that come, go or
change between two pages shift nothing.
"""

import base64
import binascii
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from sentienguard.model import errors
from sentienguard.ports.agent_store import Agent

Place: TypeAlias = tuple[bool, str, str]  # not in quarantine, name of the host, agent id


class Health(StrEnum):
    """How a host stands; one in quarantine may be silent too."""

    QUARANTINE = "quarantine"
    SILENT = "silent"
    HEARD = "heard"  # neither


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a list is narrowed to."""

    text: str = ""  # stands in the name, the environment or a tag; letters of either case
    environment: str = ""
    health: Health | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Some of the hosts, in order."""

    hosts: Sequence[Agent]
    counts: Counter[Health]  # of all that text and environment match
    all: int  # how many these are
    next_cursor: str | None  # None: nothing follows


def page(
    seen: Sequence[Agent],
    wanted: Wanted,
    is_silent: Callable[[Agent], bool],
    *,
    cursor: str | None = None,
    limit: int | None = None,
) -> Page:
    """Return hosts in quarantine first, then by name; all without a limit. Raises Rejected."""
    begin = _read(cursor) if cursor is not None else None
    words = wanted.text.strip().casefold()
    matching = [one for one in seen if _matches(one, words, wanted.environment)]
    healths = {one.id: _healths(one, silent=is_silent(one)) for one in matching}
    chosen = sorted(
        (one for one in matching if wanted.health in {None, *healths[one.id]}), key=_place
    )
    rest = [one for one in chosen if begin is None or _place(one) > begin]
    shown = rest if limit is None else rest[:limit]
    follows = len(rest) > len(shown)
    counts = Counter(one for held in healths.values() for one in held)
    return Page(shown, counts, len(matching), _cursor(shown[-1]) if follows else None)


def _healths(agent: Agent, *, silent: bool) -> tuple[Health, ...]:
    found = [Health.QUARANTINE] if agent.quarantined else []
    found += [Health.SILENT] if silent else []
    return tuple(found) or (Health.HEARD,)


def _matches(agent: Agent, words: str, environment: str) -> bool:
    if environment and agent.environment != environment:
        return False
    said = [
        agent.host,
        agent.environment,
        *(f"{name}={value}" for name, value in agent.tags.items()),
    ]
    return words in " ".join(said).casefold()


def _place(agent: Agent) -> Place:
    return not agent.quarantined, agent.host, agent.id


def _cursor(last: Agent) -> str:
    sound, host, name = _place(last)
    return base64.urlsafe_b64encode(f"{int(sound)} {name} {host}".encode()).decode().rstrip("=")


def _read(cursor: str) -> Place:
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        place = base64.b64decode(padded, altchars=b"-_", validate=True).decode()
        sound, name, host = place.split(" ", maxsplit=2)
        return bool(int(sound)), host, name
    except (ValueError, binascii.Error) as cause:
        raise errors.Rejected(
            f"cursor {cursor[:80]!a} is none that a page gave; begin again without a cursor"
        ) from cause
