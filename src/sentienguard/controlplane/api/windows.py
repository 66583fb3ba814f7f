"""Silences and maintenance: what people set aside for a while.

Whoever makes or ends one needs the right in every environment that its matchers reach. It is
recorded before it counts.
"""

from datetime import datetime, timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Depends
from fastapi import status as http

from sentienguard.controlplane.api import incident_schemas, views, window_schemas
from sentienguard.controlplane.api.caller import Caller, needs
from sentienguard.model import errors
from sentienguard.model.access import Permission
from sentienguard.model.incident import Incident
from sentienguard.model.window import Comparison, Matcher, Purpose, Recurrence, Window, WindowId
from sentienguard.ports.incident_store import IncidentFilter
from sentienguard.ports.switches import NoSuchWindow
from sentienguard.stages.detect import silencing, windows

router = APIRouter(prefix="/api/v1", tags=["silences"])
Viewer = Annotated[Caller, Depends(needs(Permission.VIEW))]
# Observers reach the handler, so that a denial is recorded with the environment it was tried in.
Silencer = Annotated[Caller, Depends(needs(Permission.VIEW))]

LONGEST: Final = timedelta(days=30)  # of one that does not recur: what is forgotten hides outages
LONGEST_RECURRING: Final = timedelta(days=366)
RECENT: Final = timedelta(days=7)
MOST_HOSTS, MOST_RECENT, MOST_SPANS = 200, 50, 5  # of a preview
LOOKED_AT: Final = 2000  # incidents that a preview reads at most
_PREFIX: Final = {Purpose.SILENCE: "sil", Purpose.MAINTENANCE: "mnt"}


@router.get("/silences")
def list_silences(caller: Viewer, *, ended: bool = False) -> window_schemas.WindowList:
    """List silences that have not ended, or all of them, newest first."""
    return _list(caller, Purpose.SILENCE, ended=ended)


@router.post("/silences", status_code=http.HTTP_201_CREATED)
def add_silence(
    wanted: window_schemas.WindowRequest, caller: Silencer
) -> window_schemas.WindowView:
    """Open no incident for some symptoms for a while: they are still measured and judged."""
    return _add(caller, Purpose.SILENCE, wanted)


@router.post("/silences/preview")
def preview_silence(
    wanted: window_schemas.PreviewRequest, caller: Viewer
) -> window_schemas.WindowPreview:
    """Tell what a silence would cover now. Nothing is kept."""
    return _preview(caller, Purpose.SILENCE, wanted)


@router.get("/silences/{window_id}")
def silence(window_id: str, caller: Viewer) -> window_schemas.WindowView:
    """Tell one silence, also after its end."""
    return _view(_visible(caller, Purpose.SILENCE, window_id), caller.centre.clock.now())


@router.delete("/silences/{window_id}")
def expire_silence(window_id: str, caller: Silencer) -> window_schemas.WindowView:
    """End a silence now: what still stands opens its incident with the next sample."""
    return _end(caller, Purpose.SILENCE, window_id)


@router.get("/maintenance")
def list_maintenance(caller: Viewer, *, ended: bool = False) -> window_schemas.WindowList:
    """List maintenance that has not ended, or all of it, newest first."""
    return _list(caller, Purpose.MAINTENANCE, ended=ended)


@router.post("/maintenance", status_code=http.HTTP_201_CREATED)
def add_maintenance(
    wanted: window_schemas.WindowRequest, caller: Silencer
) -> window_schemas.WindowView:
    """Start no remedy on some hosts for a while: incidents are opened and go to people."""
    return _add(caller, Purpose.MAINTENANCE, wanted)


@router.post("/maintenance/preview")
def preview_maintenance(
    wanted: window_schemas.PreviewRequest, caller: Viewer
) -> window_schemas.WindowPreview:
    """Tell which hosts a maintenance would cover now. Nothing is kept."""
    return _preview(caller, Purpose.MAINTENANCE, wanted)


@router.get("/maintenance/{window_id}")
def maintenance(window_id: str, caller: Viewer) -> window_schemas.WindowView:
    """Tell one maintenance, also after its end."""
    return _view(_visible(caller, Purpose.MAINTENANCE, window_id), caller.centre.clock.now())


@router.delete("/maintenance/{window_id}")
def end_maintenance(window_id: str, caller: Silencer) -> window_schemas.WindowView:
    """End a maintenance now: remedies may start again."""
    return _end(caller, Purpose.MAINTENANCE, window_id)


def _list(caller: Caller, purpose: Purpose, *, ended: bool) -> window_schemas.WindowList:
    now = caller.centre.clock.now()
    found = caller.centre.switches.windows(purpose, at=now, ended_too=ended)
    return window_schemas.WindowList(
        items=[_view(one, now) for one in found if _sees(caller, one.matchers)]
    )


def _add(
    caller: Caller, purpose: Purpose, wanted: window_schemas.WindowRequest
) -> window_schemas.WindowView:
    now = caller.centre.clock.now()
    matchers = _matchers(wanted)
    silencing.check(purpose, matchers)
    places = _require(caller, purpose, matchers)
    starts, ends = _times(wanted, now)
    window = Window(
        id=WindowId(f"{_PREFIX[purpose]}_{caller.centre.entropy.bytes(8).hex()}"),
        purpose=purpose,
        matchers=matchers,
        starts_at=starts,
        ends_at=ends,
        by=caller.user.name,
        comment=wanted.reason,
        recurrence=_recurrence(wanted.recurrence, starts),
    )
    said = _written(matchers)
    again = window.recurrence
    _record(
        caller,
        f"{purpose}.added",
        places,
        {
            "id": window.id,
            "reason": f"{window.id} {said}: {wanted.reason}"[:900],
            "matchers": said,
            "starts_ms": _ms(starts),
            "ends_ms": _ms(ends),
            "recurrence": f"{again.cron} {again.zone}" if again else "",
            "lasts_minutes": round(again.lasts.total_seconds() / 60) if again else 0,
        },
    )
    caller.centre.switches.add_window(window)
    caller.centre.live.changed("freeze", window.id, now)
    return _view(window, now)


def _end(caller: Caller, purpose: Purpose, window_id: str) -> window_schemas.WindowView:
    window = _visible(caller, purpose, window_id)
    places = _require(caller, purpose, window.matchers)
    now = caller.centre.clock.now()
    if window.ends_at <= now:
        message = f"{window_id} ended at {window.ends_at:%Y-%m-%d %H:%M:%SZ} already"
        raise errors.Rejected(message)
    _record(
        caller, f"{purpose}.ended", places, {"id": window.id, "planned_ms": _ms(window.ends_at)}
    )
    ended = caller.centre.switches.end_window(window.id, at=now)
    caller.centre.live.changed("freeze", window.id, now)
    return _view(ended, now)


def _preview(
    caller: Caller, purpose: Purpose, wanted: window_schemas.PreviewRequest
) -> window_schemas.WindowPreview:
    centre = caller.centre
    now = centre.clock.now()
    matchers = _matchers(wanted)
    silencing.check(purpose, matchers)
    about_place = silencing.of_place(matchers)
    hosts = [
        agent.host
        for agent in centre.agents.list()
        if caller.may(Permission.VIEW, agent.environment)
        and silencing.covers(
            about_place, silencing.place(agent.host, agent.environment, agent.tags)
        )
    ]
    matching = [one for one in _recent(caller, now) if _covers(matchers, one)]
    return window_schemas.WindowPreview(
        hosts=hosts[:MOST_HOSTS],
        hosts_total=len(hosts),
        open_incidents=[views.summary(one) for one in matching if one.closed_at is None],
        recent_incidents=_summaries([one for one in matching if one.closed_at is not None]),
        spans=_spans(_recurrence(wanted.recurrence, now), now),
    )


def _recent(caller: Caller, now: datetime) -> list[Incident]:
    """Return incidents of the last days that the caller may see, newest first."""
    found: list[Incident] = []
    cursor: str | None = None
    while len(found) < LOOKED_AT:
        where = IncidentFilter(within=caller.sees())
        page = caller.centre.incidents.list(where, cursor=cursor, limit=200)
        found += [one for one in page.incidents if one.opened_at > now - RECENT]
        cursor = page.next_cursor
        if cursor is None or len(found) % 200:
            break
    return [one for one in found if caller.may(Permission.VIEW, one.environment)]


def _covers(matchers: tuple[Matcher, ...], incident: Incident) -> bool:
    place = silencing.place(incident.host, incident.environment, incident.tags)
    return silencing.covers(matchers, silencing.symptom(place, incident.anomaly))


def _summaries(found: list[Incident]) -> list[incident_schemas.IncidentSummary]:
    return [views.summary(one) for one in found[:MOST_RECENT]]


def _spans(recurrence: Recurrence | None, now: datetime) -> list[window_schemas.SpanView]:
    spans: list[window_schemas.SpanView] = []
    at = now
    while recurrence is not None and len(spans) < MOST_SPANS:
        start = windows.next_start(recurrence, at)
        if start is None:
            break
        spans.append(window_schemas.SpanView(starts_at=start, ends_at=start + recurrence.lasts))
        at = start
    return spans


def _visible(caller: Caller, purpose: Purpose, window_id: str) -> Window:
    found = caller.centre.switches.window(WindowId(window_id))
    if found.purpose is not purpose or not _sees(caller, found.matchers):
        raise NoSuchWindow.called(window_id)
    return found


def _sees(caller: Caller, matchers: tuple[Matcher, ...]) -> bool:
    reached = silencing.reach(matchers, caller.centre.environments)
    return any(caller.may(Permission.VIEW, one) for one in reached)


def _require(caller: Caller, purpose: Purpose, matchers: tuple[Matcher, ...]) -> tuple[str, ...]:
    """Return the environments that are reached, all of which the caller may silence."""
    reached = silencing.reach(matchers, caller.centre.environments)
    for environment in reached:
        caller.require(Permission.SILENCE, environment, f"{purpose} of {_written(matchers)}")
    if not reached:
        names = ", ".join(caller.centre.environments)
        message = f"these matchers reach no environment; expected one of {names}"
        raise errors.Rejected(message)
    return reached


def _matchers(
    wanted: window_schemas.WindowRequest | window_schemas.PreviewRequest,
) -> tuple[Matcher, ...]:
    """Return the matchers of a request, the short forms among them."""
    found = [Matcher(one.label, Comparison(one.comparison), one.value) for one in wanted.matchers]
    if wanted.host_pattern:
        found.append(silencing.from_pattern("host", wanted.host_pattern))
    if wanted.metric_pattern and set(wanted.metric_pattern) != {"*"}:
        found.append(silencing.from_pattern("metric", wanted.metric_pattern))
    return tuple(found)


def _times(wanted: window_schemas.WindowRequest, now: datetime) -> tuple[datetime, datetime]:
    starts = wanted.starts_at or now
    if (wanted.minutes is None) == (wanted.ends_at is None):
        message = "expected an end: either `minutes` or `ends_at`"
        raise errors.Rejected(message)
    ends = wanted.ends_at or starts + timedelta(minutes=wanted.minutes or 0)
    if starts.tzinfo is None or ends.tzinfo is None:
        message = "times: expected a time zone, such as 2026-02-12T11:26:00Z"
        raise errors.Rejected(message)
    if ends <= max(starts, now):
        message = f"it would end at {ends:%Y-%m-%d %H:%M:%S%z}, before it begins or in the past"
        raise errors.Rejected(message)
    longest = LONGEST if wanted.recurrence is None else LONGEST_RECURRING
    if ends - starts > longest:
        message = f"it would stand for {(ends - starts).days} days; expected at most {longest.days}"
        raise errors.Rejected(message)
    return starts, ends


def _recurrence(
    wanted: window_schemas.RecurrenceView | None, starts: datetime
) -> Recurrence | None:
    if wanted is None:
        return None
    found = Recurrence(wanted.cron, wanted.zone, timedelta(minutes=wanted.minutes))
    windows.check(found, starts)
    return found


def _record(caller: Caller, kind: str, places: tuple[str, ...], data: dict[str, str | int]) -> None:
    caller.centre.audit.append(
        kind=kind,
        env=places[0] if len(places) == 1 else "",
        actor=caller.user.name,
        data={**data, "ip_address": caller.address},
    )


def _written(matchers: tuple[Matcher, ...]) -> str:
    """Return matchers as one text that fits an entry."""
    return " ".join(str(one) for one in matchers)[:600]


def _view(window: Window, now: datetime) -> window_schemas.WindowView:
    span = windows.next_span(window, now)
    again = window.recurrence
    return window_schemas.WindowView(
        id=window.id,
        matchers=[
            window_schemas.MatcherView(
                label=one.label, comparison=one.comparison.value, value=one.value
            )
            for one in window.matchers
        ],
        starts_at=window.starts_at,
        ends_at=window.ends_at,
        recurrence=window_schemas.RecurrenceView(
            cron=again.cron, zone=again.zone, minutes=round(again.lasts.total_seconds() / 60)
        )
        if again
        else None,
        state="ended" if span is None else "active" if span.starts_at <= now else "waiting",
        next_starts_at=span.starts_at if span else None,
        next_ends_at=span.ends_at if span else None,
        by=window.by,
        reason=window.comment,
    )


def _ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)
