"""The question to a person: what will happen, to what, for how long, at which risk, why asked."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from sentienguard.model import errors, ids
from sentienguard.model.approval import Approval
from sentienguard.model.decision import Decision, Route
from sentienguard.model.incident import Outcome
from sentienguard.model.playbook import Check, Playbook, Risk
from sentienguard.stages.decide import routing

_UNSEEN = re.compile("\0+")
_LONGEST = 200  # characters of a name that a host reported; a person has to read it


class NothingToAsk(errors.Rejected):
    """Only a decision that waits for a person, about this very playbook, can be asked about."""


@dataclass(frozen=True, slots=True)
class Question:
    """What a person reads before deciding."""

    incident: str  # where, and what is wrong
    playbook: str  # which remedy, which version, how confident
    target: str  # its parameters
    will: tuple[str, ...]  # its steps, in their order, bounded, with what cannot be undone
    effect: str  # what is measured afterwards, and how it ended before
    duration: str
    risk: str  # the level, and why where somebody wrote it
    because: str  # why a person is asked

    def text(self) -> str:
        """Render as plain text."""
        steps = "\n".join(f"  {number}. {step}" for number, step in enumerate(self.will, start=1))
        return (
            f"Incident: {self.incident}\nPlaybook: {self.playbook}\nTarget: {self.target}\n"
            f"This will:\n{steps}\nEstimated effect: {self.effect}\n"
            f"Estimated duration: {self.duration}\nRisk: {self.risk}\n"
            f"Asked because: {self.because}"
        )


def question(decision: Decision, playbook: Playbook) -> Question:
    """Say what approving would do. Raises NothingToAsk."""
    _check(decision, playbook)
    confidence = decision.confidence
    shown = "unknown" if confidence is None else confidence.text()
    parameters = ", ".join(
        f"{name} = {plain(value)}" for name, value in decision.parameters.items()
    )
    return Question(
        incident=f"{plain(decision.evidence.host)}: {plain(decision.evidence.anomaly.reason)}",
        playbook=f"{playbook.name} {playbook.version} (confidence {shown})",
        target=parameters or "the host as a whole",
        will=tuple(_steps(playbook)),
        effect=_effect(decision, playbook),
        duration=f"{playbook.estimated_seconds} seconds",
        risk=_risk(playbook),
        because="; ".join(plain(reason) for reason in routing.reasons(decision)),
    )


def request(
    decision: Decision,
    playbook: Playbook,
    *,
    lasts: timedelta,
    two_from: Risk | None = None,
    approvers: int = 0,
) -> Approval:
    """Return the approval to open for this decision. Raises NothingToAsk.

    From the risk `two_from` on two people have to say yes. `approvers` is how many signatures
    hosts want for what asks for people by itself; 0: none.
    """
    signed = approvers > 0 and (playbook.approval_required or not playbook.idempotent)
    two = two_from is not None and playbook.risk.rank >= two_from.rank
    asked = question(decision, playbook)
    opened_at: datetime = decision.at
    return Approval(
        id=ids.approval_id(decision.incident, playbook.digest),
        incident=decision.incident,
        environment=decision.evidence.environment,
        playbook=playbook.name,
        digest=playbook.digest,
        question=asked.text(),
        reason=asked.because,
        opened_at=opened_at,
        expires_at=opened_at + lasts,
        parameters=dict(decision.parameters),
        needed=max(2 if two else 1, approvers if signed else 1),
        signed=signed,
    )


def plain(text: str) -> str:
    """Return host-reported text on one line, without characters that nobody sees, bounded."""
    seen = "".join(letter if letter.isprintable() else "\0" for letter in text)
    shown = _UNSEEN.sub(" ", seen).strip()
    return shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}..."


def _risk(playbook: Playbook) -> str:
    why = playbook.risk_reason
    return f"{playbook.risk.value}: {why}" if why else playbook.risk.value


def _steps(playbook: Playbook) -> list[str]:
    said = []
    for step in playbook.steps:
        line = step.name.replace("_", " ")
        if step.only_if:
            line += f", only if {step.only_if}"
        if isinstance(step.action.fields.get("max_files"), int):
            line += f", at most {step.action.fields['max_files']} files"
        if step.undo.action is None:
            line += f" (cannot be undone{f': {step.undo.reason}' if step.undo.reason else ''})"
        said.append(line)
    return said


def _effect(decision: Decision, playbook: Playbook) -> str:
    """Say what is measured afterwards, and how earlier uses on such incidents ended."""
    reached = ", ".join(_reached(check) for check in playbook.verification)
    aim = f"{reached}, or what can be undone is undone" if reached else "nothing is measured"
    ends = [
        past.outcome
        for past in decision.evidence.similar
        if past.playbook == playbook.name and past.outcome is not None
    ]
    mended = ends.count(Outcome.RESOLVED.value)
    before = (
        f"it mended {mended} of {len(ends)} such incidents before" if ends else "not used before"
    )
    return f"{aim}; {before}"


def _reached(check: Check) -> str:
    """Name what a verification wants, in the words of the playbook."""
    match check.fields:
        case {"condition": str(wanted)}:
            return wanted
        case {"metric": str(metric), "threshold": str(threshold)}:
            return f"{metric} {threshold}"
        case _:
            return check.name.replace("_", " ")


def _check(decision: Decision, playbook: Playbook) -> None:
    if decision.route is not Route.ASK:
        raise NothingToAsk(
            f"the decision on {decision.incident} is {decision.route.name}: only ASK is asked about"
        )
    if decision.digest != playbook.digest:
        raise NothingToAsk(
            f"the decision on {decision.incident} is about {decision.digest}, the playbook at hand "
            f"is {playbook.digest}: load the one that was decided on"
        )
