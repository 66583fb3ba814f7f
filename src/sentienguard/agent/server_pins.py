"""The keys by which the collector knows the control plane, as the root document names them.

Called by `agent.collector`, which reads what is kept, and by the courier of configuration. Rules:

1. What a root names, checked by the executor, takes the place of what the host was enrolled with;
   where it names nothing again, that counts again.
2. The server that brings a root has to be one of those that it names: a root with the wrong keys
   would cut this host off for good. It is refused here and told, and the keys stay.
3. What is kept survives a restart; a new enrolment forgets it.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TypeGuard

from sentienguard.agent import private_files, uplink
from sentienguard.model import errors

FILE = "pins.json"  # in the collector's directory
_LENGTH = 64  # hex digits of SHA-256


class NotFollowed(errors.Unavailable):
    """A root names keys by which this host would not find the control plane again."""


def read(file: Path) -> tuple[str, ...]:
    """Return the pins that are kept; none where there are none, or what is there is damaged."""
    try:
        found = json.loads(file.read_bytes())
    except (OSError, ValueError):
        return ()
    return tuple(found) if _are_pins(found) else ()


class KnownServers:
    """The pins of all connections of one collector."""

    def __init__(
        self, file: Path, enrolled: tuple[str, ...], links: Sequence[uplink.Uplink]
    ) -> None:
        """Keep them in `file`; `enrolled` are those of agent.json; the first link carries roots."""
        self._file = file
        self._enrolled = enrolled
        self._links = links

    def follow(self, named: object) -> None:
        """Go by what a root names, an empty list where it names none.

        Raises NotFollowed or OSError.
        """
        if named != [] and not _are_pins(named):
            raise NotFollowed(f"the executor named {ascii(named)[:80]}, expected a list of pins")
        pins = tuple(named) if _are_pins(named) else self._enrolled
        now = self._links[0].server_key
        if now not in pins:  # rule 2
            raise NotFollowed(
                f"with this root {len(pins)} keys of the control plane count, and not "
                f"{now or 'ours'}, whose server brought it; have the root keys sign one with it"
            )
        if named == []:
            self._file.unlink(missing_ok=True)
        elif read(self._file) != pins:
            private_files.write(self._file, json.dumps(pins).encode())
        self._know(pins)

    def _know(self, pins: tuple[str, ...]) -> None:
        for link in self._links:
            link.know(pins)


def _are_pins(found: object) -> TypeGuard[list[str]]:
    return (
        isinstance(found, list)
        and bool(found)
        and all(
            isinstance(one, str) and len(one) == _LENGTH and set(one) <= set("0123456789abcdef")
            for one in found
        )
    )
