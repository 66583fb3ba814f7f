"""Which channel hears of a notice, and when: the owner's routes, quiet hours and escalation.

Called by controlplane.notice_desk. Rules:

1. Every route that matches counts; a channel hears of a notice once.
2. In quiet hours a notice below the route's severity waits for their end. A question and what is in
   people's hands never wait: nobody can answer what nobody heard of.
3. An escalation goes out after its minutes, and only if nobody has it in hand by then.
4. A channel that heard of an incident hears of what follows it, whatever the severity: a message
   that says "open" is never left standing. Where the first news waits still, what follows waits
   with it. That one of several said yes is told to these alone, whatever the routes say.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from sentienguard.model import errors
from sentienguard.model.anomaly import Severity
from sentienguard.model.notice import Notice, NoticeKind

ASKS_PEOPLE: Final = frozenset({NoticeKind.APPROVAL, NoticeKind.ESCALATED})
FOLLOWS: Final = frozenset(
    {NoticeKind.AGREED, NoticeKind.ANSWERED, NoticeKind.RESOLVED, NoticeKind.HANDLED}
)
_MOST_MINUTES: Final = 7 * 24 * 60


class RouteWrong(errors.Rejected):
    """The owner's file of channels and routes says something that it cannot say."""


@dataclass(frozen=True, slots=True)
class Quiet:
    """Hours in which people are left alone."""

    start: time
    end: time  # the same day or the next
    zone: ZoneInfo
    below: Severity  # what is less severe waits

    def until(self, now: datetime) -> datetime | None:
        """Return when the quiet hours end that `now` lies in; None: in none."""
        here = now.astimezone(self.zone)
        for day in (here.date() - timedelta(days=1), here.date()):
            begins = datetime.combine(day, self.start, self.zone)
            ends = datetime.combine(
                day + timedelta(days=int(self.end <= self.start)), self.end, self.zone
            )
            if begins <= here < ends:
                return ends.astimezone(UTC)
        return None


@dataclass(frozen=True, slots=True)
class Escalation:
    """Who else hears of it when nobody answers."""

    after: timedelta
    to: tuple[str, ...]  # channels


@dataclass(frozen=True, slots=True)
class Route:
    """What goes where."""

    to: tuple[str, ...]  # channels
    environments: frozenset[str] = frozenset()  # empty: all
    severity: Severity = Severity.INFO  # and worse
    kinds: frozenset[NoticeKind] = frozenset()  # empty: all
    quiet: Quiet | None = None
    escalate: tuple[Escalation, ...] = ()

    def matches(self, notice: Notice) -> bool:
        """Tell whether it is about this notice."""
        return (
            (not self.environments or notice.environment in self.environments)
            and notice.severity.rank >= self.severity.rank
            and (not self.kinds or notice.kind in self.kinds)
        )


@dataclass(frozen=True, slots=True)
class Storm:
    """When many messages become one."""

    more_than: int = 20  # messages of one channel
    within: timedelta = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Routes:
    """All routes."""

    routes: tuple[Route, ...] = ()
    storm: Storm = field(default_factory=Storm)


@dataclass(frozen=True, slots=True)
class Planned:
    """One channel that will hear of a notice."""

    channel: str
    due_at: datetime
    unanswered: bool = False  # only if nobody has it in hand by then


def plan(
    routes: Routes,
    notice: Notice,
    now: datetime,
    *,
    heard: frozenset[str] = frozenset(),
    held: Mapping[str, datetime] | None = None,
) -> list[Planned]:
    """Return who hears of a notice and when.

    `heard` are the channels that know the incident, `held` those of them where everything about it
    waits still, and until when.
    """
    found: dict[tuple[str, bool], Planned] = {}
    later = (held or {}) if notice.kind in FOLLOWS else {}  # rule 4
    for route in routes.routes:
        if not route.matches(notice) or notice.kind is NoticeKind.AGREED:
            continue
        at = now
        if route.quiet and _may_wait(notice, route.quiet):  # rule 2
            at = route.quiet.until(now) or now
        for channel in route.to:
            _keep(found, Planned(channel, later.get(channel, at)))
        if notice.kind in ASKS_PEOPLE:
            for one in route.escalate:
                for channel in one.to:
                    _keep(found, Planned(channel, now + one.after, unanswered=True))
    if notice.kind in FOLLOWS or notice.kind is NoticeKind.ESCALATED:  # rule 4
        for channel in heard:
            _keep(found, Planned(channel, later.get(channel, now)))
    return sorted(found.values(), key=lambda one: (one.due_at, one.channel))


def _keep(found: dict[tuple[str, bool], Planned], one: Planned) -> None:
    name = (one.channel, one.unanswered)
    if name not in found or one.due_at < found[name].due_at:
        found[name] = one


def _may_wait(notice: Notice, quiet: Quiet) -> bool:
    return notice.kind not in ASKS_PEOPLE and notice.severity.rank < quiet.below.rank


def read(document: Mapping[str, Any], channels: Sequence[str]) -> Routes:
    """Read the routes of the owner's file. Raises RouteWrong, naming the place."""
    listed = document.get("routes", [])
    if not isinstance(listed, list):
        raise RouteWrong(f"routes: expected a list, found {type(listed).__name__}")
    return Routes(
        tuple(_route(one, f"routes[{at}]", frozenset(channels)) for at, one in enumerate(listed)),
        _storm(document.get("digest", {})),
    )


def _storm(found: Any) -> Storm:
    usual = Storm()
    where = _mapping(found, "digest", {"more_than", "within_seconds"})
    return Storm(
        _number(where.get("more_than", usual.more_than), "digest.more_than", 1, 10_000),
        timedelta(
            seconds=_number(
                where.get("within_seconds", usual.within.total_seconds()),
                "digest.within_seconds",
                1,
                3600,
            )
        ),
    )


def _route(found: Any, place: str, channels: frozenset[str]) -> Route:
    known = {"to", "environments", "severity", "events", "quiet", "escalate"}
    said = _mapping(found, place, known)
    return Route(
        to=_channels(said.get("to"), f"{place}.to", channels),
        environments=frozenset(_texts(said.get("environments", []), f"{place}.environments")),
        severity=_severity(said.get("severity", "info"), f"{place}.severity"),
        kinds=frozenset(
            _kind(one, f"{place}.events")
            for one in _texts(said.get("events", []), f"{place}.events")
        ),
        quiet=_quiet(said["quiet"], f"{place}.quiet") if "quiet" in said else None,
        escalate=tuple(
            _escalation(one, f"{place}.escalate[{at}]", channels)
            for at, one in enumerate(said.get("escalate", []))
        ),
    )


def _escalation(found: Any, place: str, channels: frozenset[str]) -> Escalation:
    said = _mapping(found, place, {"after_minutes", "to"})
    minutes = _number(said.get("after_minutes"), f"{place}.after_minutes", 1, _MOST_MINUTES)
    return Escalation(
        timedelta(minutes=minutes), _channels(said.get("to"), f"{place}.to", channels)
    )


def _quiet(found: Any, place: str) -> Quiet:
    said = _mapping(found, place, {"from", "to", "zone", "below"})
    try:
        zone = ZoneInfo(str(said.get("zone", "UTC")))
    except (KeyError, ValueError, OSError) as cause:
        raise RouteWrong(f"{place}.zone: expected a name like Europe/Berlin: {cause}") from cause
    return Quiet(
        _clock(said.get("from"), f"{place}.from"),
        _clock(said.get("to"), f"{place}.to"),
        zone,
        _severity(said.get("below", "critical"), f"{place}.below"),
    )


def _clock(found: Any, place: str) -> time:
    try:
        return time.fromisoformat(str(found))
    except ValueError as cause:
        raise RouteWrong(f'{place}: expected a time like "22:00", found {found!r}') from cause


def _mapping(found: Any, place: str, known: set[str]) -> Mapping[str, Any]:
    if not isinstance(found, Mapping):
        raise RouteWrong(f"{place}: expected a mapping, found {type(found).__name__}")
    for name in found:
        if name not in known:
            raise RouteWrong(f"{place}: {name!r} is unknown; known: {', '.join(sorted(known))}")
    return found


def _texts(found: Any, place: str) -> list[str]:
    listed = [found] if isinstance(found, str) else found
    if not isinstance(listed, list) or not all(isinstance(one, str) for one in listed):
        raise RouteWrong(f"{place}: expected a list of names, found {found!r}")
    return listed


def _channels(found: Any, place: str, known: frozenset[str]) -> tuple[str, ...]:
    named = _texts(found if found is not None else [], place)
    if not named:
        raise RouteWrong(f"{place}: expected at least one channel")
    for one in named:
        if one not in known:
            expected = ", ".join(sorted(known)) or "none is defined"
            raise RouteWrong(f"{place}: no channel is called {one!r}; known: {expected}")
    return tuple(named)


def _severity(found: Any, place: str) -> Severity:
    try:
        return Severity(found)
    except ValueError as cause:
        raise RouteWrong(f"{place}: expected info, warning or critical: {cause}") from cause


def _kind(found: str, place: str) -> NoticeKind:
    try:
        return NoticeKind(found)
    except ValueError as cause:
        expected = ", ".join(NoticeKind)
        raise RouteWrong(f"{place}: expected some of {expected}, found {found!r}") from cause


def _number(found: Any, place: str, least: float, most: float) -> int:
    if isinstance(found, bool) or not isinstance(found, int | float) or not least <= found <= most:
        raise RouteWrong(f"{place}: expected {least:g} to {most:g}, found {found!r}")
    return int(found)
