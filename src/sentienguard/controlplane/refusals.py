"""How refusals are counted and recorded: the log is kept for years, and no place for a flood.

Called wherever somebody is refused: logins, second factors, chats, and what a role does not
include. Rules:

1. Each refusal is counted, recorded or not.
2. Of one person, `MOST_RECORDED` in a minute are recorded; the next one that is says how many were
   left out. So nobody's flood hides what another tried.
3. Those who have not proved who they are count as one: names that they make up get no share each.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from sentienguard.model.ids import IncidentId

if TYPE_CHECKING:
    from sentienguard.controlplane.centre import Centre

LONGEST_NAME: Final = 100  # characters of a name that a stranger gives
MOST_RECORDED: Final = 120  # rule 2
STRANGERS: Final = ""  # rule 3


@dataclass(slots=True)
class _Share:
    minute: int = 0
    recorded: int = 0
    left_out: int = 0


class Refusals:
    """Decides it, for one control plane. It remembers one small record for each person."""

    def __init__(self) -> None:
        """Start with a whole minute's worth for everybody."""
        self._lock = threading.Lock()
        self._shares: dict[str, _Share] = {}

    def take(self, person: str, now: datetime) -> dict[str, int] | None:
        """Return what a record of this refusal says besides; None: it is left out.

        `person` is who was refused, or STRANGERS.
        """
        minute = int(now.timestamp()) // 60
        with self._lock:
            share = self._shares.setdefault(person.casefold(), _Share())
            if share.minute != minute:
                share.minute, share.recorded = minute, 0
            if share.recorded >= MOST_RECORDED:
                share.left_out += 1
                return None
            share.recorded += 1
            left_out, share.left_out = share.left_out, 0
            return {"left_out": left_out} if left_out else {}


def record(
    centre: "Centre",
    label: str,
    said: Mapping[str, str | bool],
    *,
    actor: str,
    environment: str = "",
    incident: IncidentId | None = None,
    stranger: bool = False,
) -> None:
    """Count a refusal under `label`, and record what is `said` of it unless there is a flood.

    `actor` is who was refused; where that is a stranger, whatever they call themselves.
    """
    centre.counters.add("access_denied_total", label)
    besides = centre.refusals.take(STRANGERS if stranger else actor, centre.clock.now())
    if besides is not None:
        centre.audit.append(
            kind="access.denied",
            env=environment,
            actor=actor[:LONGEST_NAME],
            incident=incident,
            data={**said, **besides},
        )
