"""One entry of the log in words. Called by `answering` and `postmortem`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sentienguard.flow.telling.wording import clean
from sentienguard.stages.observe import redact

RATIONALE_CHARACTERS: Final = 500  # that flow.deciding keeps of a decision's reasons
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the log, read once."""

    index: int  # of its leaf
    kind: str
    at: datetime
    actor: str
    environment: str
    incident: str
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Sentence:
    """One claim and the entries that it rests on."""

    text: str
    entries: tuple[int, ...]  # leaf indices; empty: it claims nothing of the incident


def read(index: int, fields: Mapping[str, Any]) -> Entry:
    """Return an entry of the log."""
    return Entry(
        index=index,
        kind=fields["kind"],
        at=_EPOCH + timedelta(milliseconds=fields["ts_ms"]),
        actor=redact.printable(fields["actor"])[:200],
        environment=fields["env"],
        incident=fields["incident"],
        data=fields["data"],
    )


def say(entry: Entry) -> Sentence:
    """Return what an entry says, whatever its kind."""
    form = FORMS.get(entry.kind)
    text = form(entry) if form else f"{entry.kind} was recorded"
    return Sentence(f"{text}.", (entry.index,))


def _text(entry: Entry, name: str) -> str:
    return clean(entry.data.get(name, "")) or "nothing"


def _opened(entry: Entry) -> str:
    return f"{_text(entry, 'host')}: {_text(entry, 'reason')} ({_text(entry, 'severity')})"


def _decided(entry: Entry) -> str:
    playbook, route = entry.data.get("playbook"), str(entry.data.get("route", "")).lower()
    chosen = f"{clean(playbook)} {_text(entry, 'version')}" if playbook else "no playbook"
    return f"Decided on {chosen}, route {route}, because {_because(entry)}"


def _because(entry: Entry) -> str:
    """Return the reasons; of those that the entry had no room for, that there were more."""
    said = _text(entry, "rationale")
    if len(str(entry.data.get("rationale", ""))) < RATIONALE_CHARACTERS:
        return said
    return f"{said.rpartition('; ')[0] or said} and more"


def _answered(entry: Entry) -> str:
    decision = _text(entry, "decision")
    who = f" by {entry.actor}" if decision in {"approved", "denied"} else ""
    note = f": {clean(entry.data['note'])}" if entry.data.get("note") else ""
    return f"The question was {decision}{who}{note}"


def _intent(entry: Entry) -> str:
    mode = "a dry run of " if entry.data.get("dry_run") else ""
    return f"Released {mode}{_text(entry, 'playbook')} {_text(entry, 'version')}"


def _worked(what: str) -> Callable[[Entry], str]:
    def said(entry: Entry) -> str:
        status = clean(entry.data.get("status", entry.data.get("result", "")))
        detail = f": {clean(entry.data['detail'])}" if entry.data.get("detail") else ""
        return f"{what} {_text(entry, 'name')} ended as {status}{detail}"

    return said


def _finished(entry: Entry) -> str:
    left = ", ".join(clean(one) for one in entry.data.get("left_behind", []))
    rest = f"; not undone: {left}" if left else ""
    return f"The host ended it as {_text(entry, 'outcome')}: {_text(entry, 'reason')}{rest}"


def _closed(entry: Entry) -> str:
    seconds = round(int(entry.data.get("duration_ms", 0)) / 1000)
    return f"Closed as {_text(entry, 'outcome')} after {seconds} s: {_text(entry, 'summary')}"


FORMS: Final[Mapping[str, Callable[[Entry], str]]] = {
    "incident.opened": _opened,
    "evidence.taken": lambda one: (
        f"Evidence was taken: {one.data.get('log_lines', 0)} log lines, "
        f"{one.data.get('related', 0)} related series, {len(one.data.get('similar', []))} similar "
        "incidents"
    ),
    "decision.made": _decided,
    "approval.requested": lambda one: (
        f"A person was asked about {_text(one, 'playbook')}, because {_text(one, 'reason')}"
    ),
    "approval.decided": _answered,
    "order.intent": _intent,
    "order.delivered": lambda _one: "The host fetched the order",
    "order.admitted": lambda _one: "The host verified the order and took it",
    "order.refused": lambda one: (
        f"The host refused the order by {_text(one, 'rule')}: {_text(one, 'reason')}"
    ),
    "order.stop": lambda one: f"{one.actor} asked for a stop",
    "precheck.done": _worked("Check"),
    "step.done": _worked("Step"),
    "verify.done": _worked("Verification"),
    "undo.done": _worked("Undoing"),
    "order.finished": _finished,
    "incident.acknowledged": lambda one: f"{one.actor} took it in hand",
    "incident.assigned": lambda one: f"{one.actor} assigned it to {_text(one, 'to')}",
    "incident.noted": lambda one: f"{one.actor} noted: {_text(one, 'text')}",
    "incident.settled": lambda one: f"{one.actor} closed it by hand: {_text(one, 'reason')}",
    "incident.reopened": lambda one: f"{one.actor} reopened it: {_text(one, 'reason')}",
    "incident.verified": lambda one: (
        "The centre saw the symptom gone"
        if one.data.get("passed")
        else f"The centre did not see the symptom go: {_text(one, 'detail')}"
    ),
    "outcome.judged": lambda one: (
        f"The recovery counts for the remedy: {_text(one, 'because')}"
        if one.data.get("counts")
        else f"The recovery does not count for the remedy: {_text(one, 'because')}"
    ),
    "incident.closed": _closed,
    "freeze.set": lambda one: f"{one.actor} stopped everything: {_text(one, 'reason')}",
    "freeze.cleared": lambda one: f"{one.actor} let everything go on",
    "silence.added": lambda one: f"{one.actor} added a silence: {_text(one, 'reason')}",
    "maintenance.added": lambda one: f"{one.actor} announced maintenance: {_text(one, 'reason')}",
    "access.denied": lambda one: f"{one.actor} was denied: {_text(one, 'what')}",
}
