"""How refusals are counted and recorded: the log is kept for years, and no place for a flood.

Called wherever somebody is refused: logins, second factors, chats, what a role does not include,
and at the doors for machines: hosts, and whoever sends alerts and telemetry. Rules:

1. Each refusal is counted, recorded or not.
2. Of one person, `MOST_RECORDED` in a minute are recorded; the next one that is says how many were
   left out. So nobody's flood hides what another tried.
3. Those who have not proved who they are count as one: names that they make up get no share each.
4. At the doors for machines, which try again for ever, a refusal of one kind from one network is
   recorded once in `AGAIN_AFTER`, and `MOST_AT_A_DOOR` of one kind in a minute.
5. A machine is refused whether or not that can be recorded. A person's denial that cannot be
   recorded is answered as that: the log comes first.
6. A token that opens nothing for people (401) is counted and not recorded: every dashboard shows
   an ended one each quarter of an hour, and nobody guesses one of 256 bits. What a machine's read
   token is refused is recorded.
7. A name that is nobody's account is recorded as its keyed hash: people type passwords there.
"""

import logging
import threading
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from sentienguard.controlplane import problems
from sentienguard.controlplane.problems import ProblemError
from sentienguard.flow import oversight
from sentienguard.model import errors
from sentienguard.model.ids import IncidentId

if TYPE_CHECKING:
    from sentienguard.controlplane.centre import Centre

log = logging.getLogger(__name__)
LONGEST_NAME: Final = 100  # characters of a name that a stranger gives
MOST_RECORDED: Final = 120  # rule 2
STRANGERS: Final = ""  # rule 3
AGAIN_AFTER: Final = timedelta(minutes=10)  # rule 4
MOST_AT_A_DOOR: Final = 10  # rule 4
MOST_PLACES: Final = 10_000  # networks remembered; forgetting them only records the next one sooner
LONGEST_DETAIL: Final = 300  # characters


@dataclass
class DoorRefusal(ProblemError):
    """A machine is not let in; the application counts and records it (`install`, `heard`)."""

    label: str  # of `access_denied_total`, one of ours
    actor: str = ""  # whom it proved to be, if anybody
    environment: str = ""


@dataclass(slots=True)
class _Place:
    recorded_at: datetime
    left_out: int = 0


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
        self._places: dict[tuple[str, str], _Place] = {}

    def at_door(self, label: str, address: str, now: datetime) -> dict[str, int] | None:
        """Return what a record of a machine's refusal says besides; None: it is left out (rule 4).

        How many were left out is told of its kind and network, and of its kind altogether.
        """
        place = (label, oversight.network(address))
        with self._lock:
            known = self._places.get(place)
            if known is not None and timedelta() <= now - known.recorded_at < AGAIN_AFTER:
                known.left_out += 1
                return None
        besides = self.take(f"\0{label}", now, most=MOST_AT_A_DOOR)  # a name that nobody has
        if besides is None:
            return None
        with self._lock:
            if len(self._places) >= MOST_PLACES:
                self._places.clear()
            self._places[place] = _Place(now)
        left_out = besides.get("left_out", 0) + (known.left_out if known is not None else 0)
        return {"left_out": left_out} if left_out else {}

    def take(self, person: str, now: datetime, *, most: int | None = None) -> dict[str, int] | None:
        """Return what a record of this refusal says besides; None: it is left out.

        `person` is who was refused, or STRANGERS.
        """
        most = MOST_RECORDED if most is None else most
        minute = int(now.timestamp()) // 60
        with self._lock:
            share = self._shares.setdefault(person.casefold(), _Share())
            if share.minute != minute:
                share.minute, share.recorded = minute, 0
            if share.recorded >= most:
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

    `actor` is who was refused; where that is a stranger, whatever they call themselves (rule 7).
    """
    centre.counters.add("access_denied_total", label)
    besides = centre.refusals.take(STRANGERS if stranger else actor, centre.clock.now())
    if besides is not None:
        centre.audit.append(
            kind="access.denied",
            env=environment,
            actor=_claimed(centre, actor) if stranger else actor[:LONGEST_NAME],
            incident=incident,
            data={**said, **besides},
        )


def _claimed(centre: "Centre", name: str) -> str:
    """Return how the record names whoever calls themselves so (rule 7)."""
    if not name or name in centre.people.known():
        return name
    return centre.people.stranger(name)


def install(app: FastAPI, centre: "Centre") -> None:
    """Have an application count and record whom it does not let in."""

    @app.exception_handler(DoorRefusal)
    async def _refused(request: Request, refusal: DoorRefusal) -> JSONResponse:
        await heard(centre, refusal, request.scope)
        return problems.response(refusal.status, refusal.kind, refusal.detail, request)


async def heard(centre: "Centre", refusal: DoorRefusal, scope: MutableMapping[str, Any]) -> None:
    """Count a refusal at a door for machines, and record it unless there are many like it.

    A flood costs a look into a table; only what is recorded waits for the disk, in a thread.
    """
    centre.counters.add("access_denied_total", refusal.label)
    address = str((scope.get("client") or ("unknown",))[0])
    besides = centre.refusals.at_door(refusal.label, address, centre.clock.now())
    if besides is not None:
        await run_in_threadpool(_record_at_door, centre, refusal, address, besides)


def _record_at_door(
    centre: "Centre", refusal: DoorRefusal, address: str, besides: Mapping[str, int]
) -> None:
    try:
        centre.audit.append(
            kind="access.denied",
            env=refusal.environment,
            actor=refusal.actor[:LONGEST_NAME],
            data={
                "action": refusal.label,
                "result": f"denied_{refusal.kind}",
                # What a stranger sent may be in it, in any letters.
                "detail": ascii(refusal.detail)[1:-1][:LONGEST_DETAIL],
                "ip_address": address,
                **besides,
            },
        )
    except (errors.Unavailable, errors.Broken) as cause:  # rule 5
        log.warning("a refusal (%s) was not recorded: %s", refusal.label, cause)
