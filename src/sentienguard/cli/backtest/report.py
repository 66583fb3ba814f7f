"""What came of a backtest, as one JSON document.

Figures that rest on an assumption say so: `assumptions` stands in the document and on the page.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sentienguard.cli.backtest import alerts
from sentienguard.cli.backtest.plan import DAY_S, Plan
from sentienguard.flow.hindsight import UNATTENDED, Raised
from sentienguard.model.decision import Decision, Route, Verdict
from sentienguard.model.playbook import Playbook

APPROVAL_MINUTES: Final = 2.0  # of a person's work for one question
_EARNED: Final = "earned_autonomy"
_ON_EARNED: Final = (
    "Once earned means as many verified successes of the playbook as autonomy needs, and no "
    "failure. Silences, maintenance and freezes of then are not known and count as none."
)
_ON_SIGHT: Final = (
    "Judging sees the steps of this history and what the exporters measure; an agent measures "
    "more, and more often. Processes, biggest paths and logs are not in it."
)
_ON_ALERTS: Final = (
    "An incident counts as unconfirmed where no alert fired on its host from half an hour before "
    "to half an hour after it. It may be a false alarm, or something that nobody alerts on."
)
_PERSON: Final = frozenset({"risk", "approval_gate", "idempotence"})


@dataclass(frozen=True, slots=True)
class Assumed:
    """What the minutes rest on."""

    manual_minutes: float  # a person's work on one incident without us


def incident(
    found: Raised,
    playbooks: Mapping[str, Playbook],
    episodes: Sequence[alerts.Episode],
    end_s: int,
    assumed: Assumed,
) -> dict[str, Any]:
    """Return one incident as the document has it."""
    raised, lead = found.incident, found.incident.anomaly
    said, by = alerts.compare(found, episodes, end_s)
    ended_s = found.ended_at.timestamp() if found.ended_at else end_s
    minutes = (ended_s - raised.opened_at.timestamp()) / 60
    return {
        "id": raised.id,
        "host": raised.host,
        "metric": lead.series.metric,
        "subject": lead.series.subject,
        "value": lead.value,
        "severity": lead.severity.value,
        "ground": lead.ground.value,
        "reason": lead.reason,
        "opened_at": raised.opened_at.isoformat(),
        "ended_at": found.ended_at.isoformat() if found.ended_at else None,
        "minutes": round(minutes, 1),
        "repeats": len(raised.earlier),
        "playbook": found.earned.playbook,
        "nearest": found.earned.candidates[0].playbook if found.earned.candidates else None,
        "confidence": found.earned.confidence.value if found.earned.confidence else None,
        "route_first_day": found.first_day.route.name,
        "route_earned": found.earned.route.name,
        "missing": missing(found),
        "minutes_saved": saved(found.earned, minutes, playbooks, assumed),
        "alerts": said if episodes else None,
        "alert_names": sorted({one.name for one in by}),
    }


def missing(found: Raised) -> list[dict[str, str]]:
    """Say what keeps an incident from being dealt with unattended, and the way there."""
    said = [
        _step(one, found)
        for one in found.earned.verdicts
        if one.route not in UNATTENDED and one.rule != "untrusted_text"
    ]
    if any(one["rule"] == "match" for one in said):
        return [one for one in said if one["rule"] == "match"]  # the others follow from it
    first = next((one for one in found.first_day.verdicts if one.rule == _EARNED), None)
    if first is not None and first.route not in UNATTENDED:
        said.append(_step(first, found))
    return said


def _step(one: Verdict, found: Raised) -> dict[str, str]:
    metric = found.incident.anomaly.series.metric
    if one.rule == "match":
        kind, way = "a playbook", f"write or import a playbook for {metric}"
    elif one.rule == "parameters":
        kind, way = "an agent", "an agent on the host measures what this history does not hold"
    elif one.rule == _EARNED:
        kind, way = (
            "a record",
            "let it run dry or with approval until it has earned its autonomy here",
        )
    elif one.rule in _PERSON:
        kind, way = "a person", "a person approves each run; nothing lifts that"
    elif one.rule == "confidence":
        kind, way = "certainty", "more verified runs, or a playbook that declares this metric"
    else:
        kind, way = one.rule.replace("_", " "), "see the reason"
    return {"rule": one.rule, "kind": kind, "reason": one.reason, "way": way}


def saved(
    made: Decision, minutes: float, playbooks: Mapping[str, Playbook], assumed: Assumed
) -> float:
    """Return the minutes of a person's work that an incident would have spared, once earned.

    At most as long as it lasted: what is over before anybody came costs nobody's time.
    """
    if made.playbook is None or made.route not in {*UNATTENDED, Route.ASK}:
        return 0.0
    spent = playbooks[made.playbook].estimated_seconds / 60
    spent += APPROVAL_MINUTES if made.route is Route.ASK else 0.0
    return round(max(min(assumed.manual_minutes, minutes) - spent, 0.0), 1)


def document(
    plan: Plan,
    hosts: Mapping[str, Mapping[str, Any]],
    episodes: Sequence[alerts.Episode],
    assumed: Assumed,
) -> dict[str, Any]:
    """Return the whole report; `hosts` maps a name to its `series` and `incidents`."""
    found = sorted(
        (one for host in hosts.values() for one in host["incidents"]),
        key=lambda one: (one["opened_at"], one["host"], one["id"]),
    )
    return {
        "v": 1,
        "prometheus": plan.url,
        "from": _moment(plan.judged_from_s),
        "to": _moment(plan.end_s),
        "days": plan.days,
        "step_s": plan.step_s,
        "environment": plan.environment,
        "hosts": [
            {
                "host": name,
                "series": one["series"],
                "days": one["days"],
                "incidents": len(one["incidents"]),
            }
            for name, one in sorted(hosts.items())
        ],
        "totals": _totals(found, hosts),
        "alerts": _alerts(plan, hosts, found, episodes),
        "playbooks": _playbooks(found),
        "missing": _missing(found),
        "days_raised": _by_day(plan, found),
        "incidents": found,
        "assumptions": _assumptions(assumed),
    }


def _totals(
    found: Sequence[Mapping[str, Any]], hosts: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    unattended = {route.name for route in UNATTENDED}
    return {
        "hosts": len(hosts),
        "host_days": round(sum(one["days"] for one in hosts.values()), 1),
        "incidents": len(found),
        "per_host_week": round(len(found) / _weeks(hosts), 3),
        "routes_first_day": dict(Counter(one["route_first_day"] for one in found)),
        "routes_earned": dict(Counter(one["route_earned"] for one in found)),
        "with_playbook": sum(one["playbook"] is not None for one in found),
        "unattended_once_earned": sum(one["route_earned"] in unattended for one in found),
        "minutes_saved": round(sum(one["minutes_saved"] for one in found), 1),
    }


def _alerts(
    plan: Plan,
    hosts: Mapping[str, Any],
    found: Sequence[Mapping[str, Any]],
    episodes: Sequence[alerts.Episode],
) -> dict[str, Any] | None:
    """Return how it compares with the alerts that fired; None where none did."""
    inside = [one for one in episodes if one.last_s >= plan.judged_from_s]
    if not inside:
        return None
    said = Counter(str(one["alerts"]) for one in found)
    known = {name.casefold() for name in hosts}
    placed = [one for one in inside if one.host.casefold() in known]
    met = _met(found, plan.end_s)
    unmet = [one for one in placed if not met(one)]
    return {
        "episodes": len(inside),
        "of_hosts": len(placed),
        "same_symptom": said[alerts.SAME],
        "same_host": said[alerts.OTHER],
        "unconfirmed": said[alerts.NOTHING],
        "unconfirmed_per_host_week": round(said[alerts.NOTHING] / _weeks(hosts), 3),
        "met": len(placed) - len(unmet),
        "not_raised": [
            {"alert": name, "episodes": count}
            for name, count in Counter(one.name for one in unmet).most_common(20)
        ],
    }


def _weeks(hosts: Mapping[str, Mapping[str, Any]]) -> float:
    """Return how many weeks of hosts were judged: those that have readings."""
    return max(sum(float(one["days"]) for one in hosts.values()) / 7, 1e-9)


def _met(found: Sequence[Mapping[str, Any]], end_s: int) -> Any:
    """Return what tells whether an incident was raised near an alert, on its host."""
    spans: defaultdict[str, list[tuple[float, float]]] = defaultdict(list)
    for one in found:
        first = datetime.fromisoformat(one["opened_at"]).timestamp()
        ended = one["ended_at"]
        last = datetime.fromisoformat(ended).timestamp() if ended else end_s
        spans[one["host"].casefold()].append((first - alerts.NEAR_S, last + alerts.NEAR_S))
    return lambda one: any(
        one.first_s <= last and one.last_s >= first for first, last in spans[one.host.casefold()]
    )


def _playbooks(found: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    by_name: defaultdict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for one in found:
        if one["playbook"]:
            by_name[one["playbook"]].append(one)
    rows = [
        {
            "playbook": name,
            "incidents": len(those),
            "hosts": len({one["host"] for one in those}),
            "routes_first_day": dict(Counter(one["route_first_day"] for one in those)),
            "routes_earned": dict(Counter(one["route_earned"] for one in those)),
            "minutes_saved": round(sum(one["minutes_saved"] for one in those), 1),
        }
        for name, those in by_name.items()
    ]
    return sorted(rows, key=lambda row: (-int(str(row["incidents"])), str(row["playbook"])))


def _missing(found: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return what is missing, by how many incidents wait for it."""
    counted: Counter[tuple[str, str, str]] = Counter()
    for one in found:
        about = one["playbook"] or one["metric"]
        for step in one["missing"]:
            counted[step["kind"], about, step["way"]] += 1
    return [
        {"kind": kind, "for": about, "way": way, "incidents": count}
        for (kind, about, way), count in sorted(
            counted.items(), key=lambda item: (-item[1], item[0])
        )
    ]


def _by_day(plan: Plan, found: Sequence[Mapping[str, Any]]) -> list[int]:
    """Return how many were raised on each judged day."""
    counts = [0] * plan.days
    for one in found:
        at = datetime.fromisoformat(one["opened_at"]).timestamp()
        counts[min(int((at - plan.judged_from_s) // DAY_S), plan.days - 1)] += 1
    return counts


def _assumptions(assumed: Assumed) -> list[str]:
    work = (
        f"Without us an incident takes a person {assumed.manual_minutes:g} minutes (--minutes), or "
        "as long as it lasted where that is less. A remedy takes what its playbook estimates, an "
        f"approval {APPROVAL_MINUTES:g} minutes. Minutes count for incidents that would run, or be "
        "approved, once autonomy is earned; that the remedy helps is assumed, not measured."
    )
    return [work, _ON_EARNED, _ON_SIGHT, _ON_ALERTS]


def _moment(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()
