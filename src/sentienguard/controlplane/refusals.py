"""Which refusals are recorded: the log is kept for years, and no place for a flood.

Called where somebody is refused: logins, single sign-on, and what a role does not include. Rules:

1. Each refusal is counted, recorded or not.
2. Of one person, `MOST_RECORDED` in a minute are recorded; the next one that is says how many were
   left out. So nobody's flood hides what another tried.
3. Those who have not proved who they are count as one: names that they make up get no share each.
"""

import threading
from dataclasses import dataclass
from datetime import datetime
from typing import Final

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
