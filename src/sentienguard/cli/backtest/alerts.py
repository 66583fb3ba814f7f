"""Alerts of the one who runs it, as episodes of hosts, and how what would be raised compares.

An alert says which host it is about with its labels, by the same declared rules as an alert that
comes in (`stages.detect.alert_rules`). One that names no host of the history cannot be compared and
is counted apart. Where there is no alert at all, nothing can be called a false alarm.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from sentienguard.cli import frame
from sentienguard.flow.hindsight import Raised
from sentienguard.model import errors
from sentienguard.model.alert import Alert, AlertStatus
from sentienguard.model.telemetry import Series
from sentienguard.ports.outbound import NoAnswer, NotAllowed, Outbound, Request
from sentienguard.stages.detect import alert_rules, correlate

NEAR_S: Final = 1800  # before and after an incident within which an alert is about the same thing
TIMEOUT_S: Final = 30.0
SAME, OTHER, NOTHING = "same symptom", "same host", "nothing"


class AlertsWrong(errors.Rejected):
    """A file or an answer holds no alerts."""


@dataclass(frozen=True, slots=True)
class Episode:
    """One alert that fired for a while."""

    name: str
    host: str  # empty: its labels name none
    series: Series | None  # what it is about, by declared rules; None: they do not say
    first_s: int
    last_s: int


def episode(labels: Mapping[str, str], first_s: int, last_s: int) -> Episode:
    """Return an alert's run as an episode."""
    since = datetime.fromtimestamp(first_s, UTC)
    alert = Alert(status=AlertStatus.FIRING, labels=labels, starts_at=since)
    place = alert_rules.place(alert)
    host = "" if place is None else place.name
    about = alert_rules.symptom(alert)
    known = host and about.metric != alert_rules.UNDECLARED
    series = Series(host, about.metric, about.subject) if known else None
    return Episode(alert.name, host, series, first_s, last_s)


def together(runs: Iterable[tuple[Mapping[str, str], int, int]], gap_s: int) -> list[Episode]:
    """Return runs as episodes; runs of one alert that touch, as at a page's end, are one."""
    found: list[tuple[Mapping[str, str], int, int]] = []
    for labels, first, last in sorted(runs, key=lambda run: (sorted(run[0].items()), run[1])):
        if found and found[-1][0] == labels and first - found[-1][2] <= gap_s:
            found[-1] = (labels, found[-1][1], max(last, found[-1][2]))
        else:
            found.append((labels, first, last))
    return [episode(*run) for run in found]


def read_file(path: Path, end_s: int) -> list[Episode]:
    """Read alerts as Alertmanager writes them: a JSON array, or an object in each line.

    Looked at are labels, startsAt and endsAt. Raises AlertsWrong.
    """
    text = path.read_text(encoding="utf-8")
    try:
        if text.lstrip().startswith("["):
            rows = json.loads(text)
        else:
            rows = [json.loads(line) for line in text.splitlines() if line.strip()]
    except ValueError as cause:
        raise AlertsWrong(f"{path}: expected JSON: {cause}") from cause
    return [_read(f"{path}, alert {at}", row, end_s) for at, row in enumerate(rows, start=1)]


def ask(url: str, end_s: int, way: Outbound) -> list[Episode]:
    """Return the alerts that an Alertmanager has now; it keeps no older ones.

    Raises AlertsWrong, Unavailable.
    """
    try:
        answer = way.send(Request("GET", f"{url.rstrip('/')}/api/v2/alerts", limit_s=TIMEOUT_S))
        rows = json.loads(answer.body)
    except NotAllowed as cause:
        raise AlertsWrong(f"{url}: {cause}") from cause
    except NoAnswer as cause:
        raise errors.Unavailable(f"{url} does not answer: {cause}; {frame.UNREACHED}") from cause
    except ValueError as cause:
        raise AlertsWrong(f"{url}: expected Alertmanager's JSON ({cause})") from cause
    if not isinstance(rows, list):
        raise AlertsWrong(f"{url}: expected a list of alerts, status {answer.status}")
    return [_read(f"{url}, alert {at}", row, end_s) for at, row in enumerate(rows, start=1)]


def compare(
    found: Raised, episodes: Sequence[Episode], end_s: int
) -> tuple[str, tuple[Episode, ...]]:
    """Return whether the host's own alerts say the same, something else or nothing, and which."""
    host = found.incident.host
    first = found.incident.opened_at.timestamp() - NEAR_S
    last = (found.ended_at.timestamp() if found.ended_at else end_s) + NEAR_S
    near = tuple(
        one
        for one in episodes
        if _same_host(one.host, host) and one.first_s <= last and one.last_s >= first
    )
    ours = found.incident.anomaly.series
    same = tuple(one for one in near if one.series and correlate.same_cause(_on(one, host), ours))
    return (SAME, same) if same else (OTHER, near) if near else (NOTHING, ())


def _on(one: Episode, host: str) -> Series:
    assert one.series is not None  # noqa: S101  the caller looked
    return Series(host, one.series.metric, one.series.subject)


def _same_host(said: str, host: str) -> bool:
    return said.casefold() == host.casefold()


def _read(where: str, row: Any, end_s: int) -> Episode:
    labels = row.get("labels") if isinstance(row, dict) else None
    if not isinstance(labels, dict) or not all(isinstance(one, str) for one in labels.values()):
        raise AlertsWrong(f"{where}: expected labels, startsAt and endsAt")
    first = _moment(where, row.get("startsAt"))
    ends = row.get("endsAt")
    last = _moment(where, ends) if ends else end_s
    # Alertmanager writes year 1 for an alert that has not ended.
    return episode(labels, first, end_s if last < first else last)


def _moment(where: str, text: Any) -> int:
    try:
        return round(frame.parse_time(str(text)).timestamp())
    except (ValueError, OverflowError) as cause:
        raise AlertsWrong(f"{where}: {text!r} is no time") from cause
