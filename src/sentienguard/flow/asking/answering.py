"""A template for each kind of question. Rule 1 of the package: no claim without its entries."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from sentienguard.flow.asking import kinds, sentences
from sentienguard.flow.asking.kinds import Asked, Kind
from sentienguard.flow.asking.sentences import Entry, Sentence
from sentienguard.flow.telling.wording import clean
from sentienguard.model.care import HANDED_TO_PEOPLE
from sentienguard.model.decision import Decision
from sentienguard.model.ids import IncidentId
from sentienguard.model.incident import Incident, Outcome, Status

BEFORE: Final = timedelta(hours=1)  # what changed earlier is seldom the cause
MOST: Final = 12  # sentences of one kind
_CHANGES: Final = frozenset({
    "order.finished", "freeze.set", "freeze.cleared", "silence.added", "maintenance.added",
    "incident.opened", "incident.settled", "change.recorded",
})  # fmt: skip
_WORK: Final = frozenset({
    "order.intent", "order.refused", "precheck.done", "step.done", "verify.done", "undo.done",
    "order.finished", "order.stop",
})  # fmt: skip
_STORY: Final = frozenset({
    "incident.opened", "decision.made", "approval.requested", "approval.decided", "order.intent",
    "order.refused", "order.finished", "incident.verified", "incident.settled", "incident.closed",
    "incident.reopened",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Facts:
    """What an answer may rest on."""

    incident: Incident
    entries: Sequence[Entry]  # of the incident, oldest first, hosts heard only about their orders
    before: Sequence[Entry]  # of the log in `BEFORE` of its opening, about its environment
    decision: Decision | None


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer."""

    kind: Kind | None  # None: the question was not understood
    sentences: tuple[Sentence, ...]
    known: tuple[str, ...] = ()  # questions that can be answered, where this one could not
    pointed_by: str = ""  # model that chose the sentences; empty: a template did
    about: IncidentId | None = None  # which incident it is about; None: about none

    @property
    def understood(self) -> bool:
        """Tell whether it answers what was asked."""
        return self.kind is not None or (self.pointed_by != "" and not self.known)


def lost(why: str) -> Reply:
    """Return the reply to a question that cannot be answered, with those that can."""
    return Reply(None, (Sentence(why, ()),), tuple(kinds.known()))


def answer(asked: Asked, facts: Facts) -> Reply:
    """Return the reply to a question about an incident."""
    if asked.kind is None:
        return lost("I do not understand this question.")
    said = _TEMPLATES[asked.kind](facts)
    return Reply(asked.kind, tuple(said[: 2 * MOST]) or (_nothing(facts, "on this"),))


def _of(facts: Facts, *wanted: str) -> list[Entry]:
    return [one for one in facts.entries if one.kind in wanted]


def _nothing(facts: Facts, what: str) -> Sentence:
    last = tuple(one.index for one in facts.entries[-1:])
    return Sentence(f"The log holds nothing {what} for {facts.incident.id}.", last)


def _say(entries: Sequence[Entry]) -> list[Sentence]:
    return [sentences.say(one) for one in entries[:MOST]]


def _happened(facts: Facts) -> list[Sentence]:
    return _say([one for one in facts.entries if one.kind in _STORY])


def _changed(facts: Facts) -> list[Sentence]:
    host = facts.incident.host
    found = [
        one
        for one in facts.before
        if one.kind in _CHANGES
        and one.incident != facts.incident.id
        and one.data.get("host", host) == host
    ]
    said = [*_told(facts), *_say(found[-MOST:])]
    if said:
        return said
    opened = _of(facts, "incident.opened")
    minutes = round(BEFORE.total_seconds() / 60)
    return [
        Sentence(
            f"Nothing is recorded to have changed in the {minutes} minutes before it was opened.",
            tuple(one.index for one in opened),
        )
    ]


def _told(facts: Facts) -> list[Sentence]:
    """Return what other systems told of changes, as it stood in the evidence."""
    taken = _of(facts, "evidence.taken")
    if not taken or facts.decision is None:
        return []
    cited = (taken[-1].index,)
    said = []
    for one in facts.decision.evidence.changes[:MOST]:
        what = " ".join(clean(part) for part in (one.kind, one.service, one.version) if part)
        who = f" by {clean(one.by)}" if one.by else ""
        at = f"{one.at:%Y-%m-%d %H:%M:%S} UTC"
        said.append(Sentence(f"{at}: {what}{who}: {clean(one.summary)}.", cited))
    return said


def _why_playbook(facts: Facts) -> list[Sentence]:
    made, decision = _of(facts, "decision.made"), facts.decision
    if not made or decision is None:
        return []
    cited = (made[-1].index,)
    if not decision.candidates:
        return [Sentence("No playbook of the catalogue is for this symptom.", cited)]
    said = [Sentence(f"{decision.playbook or 'No playbook'} was chosen.", cited)]
    for place, one in enumerate(decision.candidates, start=1):
        because = "; ".join(f"{item.name} {item.value:+.2f}" for item in one.items[:6])
        said.append(
            Sentence(f"{place}. {one.playbook} {one.version}, score {one.score:.2f}: {because}.",
                     cited)
        )  # fmt: skip
    return said


def _why_not_alone(facts: Facts) -> list[Sentence]:
    made, decision = _of(facts, "decision.made"), facts.decision
    if not made or decision is None:
        return []
    cited = (made[-1].index,)
    said = [Sentence(f"The route is {decision.route.name}.", cited)]
    said += [
        Sentence(f"{one.rule} allows {one.route.name} at most: {clean(one.reason)}.", cited)
        for one in decision.deciding[:MOST]
    ]
    return said


def _sure(facts: Facts) -> list[Sentence]:
    made, decision = _of(facts, "decision.made"), facts.decision
    if not made or decision is None or decision.confidence is None:
        return []
    sure, cited = decision.confidence, (made[-1].index,)
    said = [Sentence(f"Confidence {sure.text()}.", cited)]
    said += [
        Sentence(f"{one.name} {one.value:+.2f}: {clean(one.because)}.", cited)
        for one in sure.items[:MOST]
    ]
    return said


def _tried(facts: Facts) -> list[Sentence]:
    found = [one for one in facts.entries if one.kind in _WORK]
    if found:
        return [sentences.say(one) for one in found[: 2 * MOST]]
    opened = _of(facts, "incident.opened")
    return [
        Sentence("Nothing was tried.", tuple(one.index for one in (*opened, *facts.entries[-1:])))
    ]


def _similar(facts: Facts) -> list[Sentence]:
    opened, taken = _of(facts, "incident.opened"), _of(facts, "evidence.taken")
    said = []
    earlier = [clean(one) for entry in opened for one in entry.data.get("earlier", [])]
    if earlier:
        listed = ", ".join(earlier[:10])
        said.append(
            Sentence(
                f"The same symptom at the same place in the last 30 days: {listed}.",
                tuple(one.index for one in opened),
            )
        )
    alike = [
        clean(one)
        for entry in taken
        for one in entry.data.get("similar", [])
        if clean(one) not in earlier
    ]
    if alike:
        cited = tuple(one.index for one in taken)
        said.append(Sentence(f"Similar: {', '.join(alike[:10])}.", cited))
    return said or [
        Sentence(
            "No earlier incident of this symptom is known.", tuple(one.index for one in opened)
        )
    ]


def _approved(facts: Facts) -> list[Sentence]:
    found = _of(facts, "approval.requested", "approval.decided")
    if found:
        return _say(found)
    made = _of(facts, "decision.made")
    return [Sentence("Nobody was asked.", tuple(one.index for one in made)) for _ in made[:1]]


def _safe(facts: Facts) -> list[Sentence]:
    """Say how it stands; whether that is safe enough is for a person to say."""
    incident = facts.incident
    cited = tuple(one.index for one in facts.entries[-1:])
    if incident.status is not Status.CLOSED:
        said = [Sentence(f"It is not over: {incident.status.value}, {clean(incident.summary)}.",
                         cited)]  # fmt: skip
    else:
        closed = _of(facts, "incident.closed")
        said = _say(closed[-1:])
        if incident.outcome in HANDED_TO_PEOPLE:
            settled = _of(facts, "incident.settled")
            said += _say(settled[-1:]) or [
                Sentence("It is in people's hands, and nobody has said that it is fixed.", cited)
            ]
        if incident.outcome is Outcome.RESOLVED:
            checks = _of(facts, "verify.done", "incident.verified")
            said += _say(checks)
    left = [one for one in _of(facts, "order.finished") if one.data.get("left_behind")]
    return said + _say(left)


def _who(facts: Facts) -> list[Sentence]:
    found = _of(
        facts, "incident.acknowledged", "incident.assigned", "incident.noted", "incident.settled"
    )
    if found:
        return _say(found)
    return [
        Sentence(
            "Nobody has said that they have it in hand.",
            tuple(one.index for one in facts.entries[-1:]),
        )
    ]


_TEMPLATES: Final[Mapping[Kind, Callable[[Facts], list[Sentence]]]] = {
    Kind.CHANGED: _changed,
    Kind.WHY_NOT_ALONE: _why_not_alone,
    Kind.WHY_PLAYBOOK: _why_playbook,
    Kind.SURE: _sure,
    Kind.TRIED: _tried,
    Kind.SIMILAR: _similar,
    Kind.APPROVED: _approved,
    Kind.SAFE: _safe,
    Kind.WHO: _who,
    Kind.HAPPENED: _happened,
}
