"""Ask an adviser about an incident, within its budget, and keep what was said.

Called by `deciding`: `before` where the policy lets an opinion restrict, `after` where it is only
shown. Rules:

1. An incident never fails and never stops for want of an opinion. Whatever goes wrong becomes the
   reason why there is none, and stands in the record.
2. Nothing waits longer than the limit, and nothing at all waits where an opinion is only shown.
3. The exact bodies that crossed are kept in the audit log, also of what failed.
4. One incident is asked about once: a second call finds what the first one recorded.
5. What the model asks back is answered by ports.context, which only reads; at most `rounds` times.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Protocol, TypeAlias

import msgspec

from sentienguard.flow.advice_budget import Budget, BudgetSpent, Limits
from sentienguard.flow.ledger import Ledger
from sentienguard.model import errors
from sentienguard.model.advice import Advice, May, Opinion
from sentienguard.model.decision import Decision
from sentienguard.model.ids import IncidentId, PlaybookName
from sentienguard.model.incident import Incident
from sentienguard.model.playbook import Playbook
from sentienguard.ports import adviser, audit_log
from sentienguard.ports.clock import Clock
from sentienguard.ports.context import Context
from sentienguard.stages.decide import advice_answer, advice_prompt, advice_tools

ADVICE_TYPE: Final = "application/vnd.sentienguard.advice+json"
KIND: Final = "advice.given"
_CALLS_AT_ONCE: Final = 4  # answered in one turn; the others are told so
_LONGEST_WAIT_S: Final = 10.0  # for an endpoint that asks to be left alone
_UNRECORDED: Final = 256  # opinions that wait in memory for a log that cannot write
_LONGEST_REASON: Final = 400  # characters
_LONGEST_SAID: Final = 300  # characters of the hypothesis in an entry; all of it is in the blob


class AdviserBusy(errors.Unavailable):
    """The desk takes no more questions now: too many at once, or too many that failed."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and what came back, exactly."""

    sent: bytes
    heard: bytes
    failed: str = ""  # why nothing came of it; empty: a turn came of it


@dataclass(frozen=True, slots=True)
class Consulted:
    """All that crossed about one incident, and what came of it."""

    advice: Advice
    exchanges: tuple[Exchange, ...] = ()
    v: int = 1


Contexts: TypeAlias = Callable[[Incident, datetime], Context]


_CONSULTED: Final = msgspec.json.Decoder(Consulted)


class Desk(Protocol):
    """Where questions are asked beside the decision loop: its own threads, its own limits."""

    def ask(self, work: Callable[[], Consulted], *, wait_s: float) -> Consulted:
        """Return what comes of the work. Raises AdviserBusy, no later than `wait_s` from now."""

    def later(self, work: Callable[[], Consulted], then: Callable[[Consulted], None]) -> None:
        """Do the work some time, and hand over what comes of it. Raises AdviserBusy at once."""


class Advising:
    """Asks one model about incidents."""

    def __init__(
        self,
        model: adviser.Adviser,
        desk: Desk,
        *,
        clock: Clock,
        audit: Ledger,
        log: audit_log.AuditLog,
        may: May = May.SHOWN,
        limits: Limits | None = None,
        contexts: Contexts | None = None,
    ) -> None:
        """Ask `model` at `desk`; without `contexts` it has no tools."""
        self._model = model
        self._desk = desk
        self._clock = clock
        self._audit = audit
        self._log = log
        self._may = may
        self._limits = limits or Limits()
        self._contexts = contexts
        self._unrecorded: dict[IncidentId, Consulted] = {}

    def before(
        self, incident: Incident, made: Decision, playbooks: Sequence[Playbook]
    ) -> Opinion | None:
        """Return the opinion that the decision is to hear; None: it goes on without.

        `playbooks` are those of the decision's candidates, in their order. Raises AuditUnavailable,
        AuditBroken.
        """
        if self._may is May.SHOWN or not _is_open(made):
            return None
        found = self._unrecorded.get(incident.id) or kept(self._log, incident.id)
        if found is None:
            try:
                found = self._desk.ask(
                    lambda: self._consult(incident, made, playbooks), wait_s=self._limits.seconds
                )
            except AdviserBusy as cause:
                found = self._absent(made, str(cause))
        self._keep(incident, found)
        return found.advice.opinion

    def after(self, incident: Incident, made: Decision, playbooks: Sequence[Playbook]) -> None:
        """Have an opinion on a decision recorded some time, where none was asked for before."""
        if made.evidence.anomaly.request is not None or not made.candidates:
            return
        if self._may is not May.SHOWN and _is_open(made):
            return
        if kept(self._log, incident.id) is not None:
            return
        try:
            self._desk.later(
                lambda: self._consult(incident, made, playbooks),
                lambda found: self._keep(incident, found),
            )
        except AdviserBusy as cause:
            self._keep(incident, self._absent(made, str(cause)))

    def _consult(
        self, incident: Incident, made: Decision, playbooks: Sequence[Playbook]
    ) -> Consulted:
        talk = _Talk(self._model, self._clock, self._limits)
        advice = replace(self._absent(made, "").advice, at=self._clock.now())
        try:
            context = None if self._contexts is None else self._contexts(incident, made.at)
            opinion = talk.hold(made, playbooks, context)
            advice = replace(advice, opinion=opinion)
        except (errors.Unavailable, errors.Rejected) as cause:
            reason = advice_answer.clean(str(cause), _LONGEST_REASON) or type(cause).__name__
            advice = replace(advice, absent=reason)
        except Exception as cause:  # noqa: BLE001 - rule 1: what nobody foresaw is a reason too
            told = advice_answer.clean(f"{type(cause).__name__}: {cause}", _LONGEST_REASON)
            advice = replace(advice, absent=f"asking failed: {told}")
        advice = replace(advice, spent=talk.budget.spent, asked=tuple(talk.asked))
        return Consulted(advice, tuple(talk.exchanges))

    def _absent(self, made: Decision, reason: str) -> Consulted:
        return Consulted(
            Advice(
                model=self._model.model,
                at=self._clock.now(),
                may=self._may,
                offered=advice_prompt.offered(made.candidates),
                opinion=None,
                absent=reason,
                spent=Budget(self._limits, 0.0).spent,
            )
        )

    def _keep(self, incident: Incident, found: Consulted) -> None:
        """Record it once; until the log takes it, it is not asked for again (rule 4)."""
        while len(self._unrecorded) >= _UNRECORDED:
            self._unrecorded.pop(next(iter(self._unrecorded)))
        self._unrecorded[incident.id] = found
        blob = self._audit.append_blob(
            msgspec.json.encode(found, order="deterministic"), ADVICE_TYPE
        )
        said = found.advice
        self._audit.once(
            KIND,
            incident,
            "advice",
            {
                "model": said.model[:200],
                "may": said.may.value,
                "given": said.opinion is not None,
                "absent": said.absent,
                "choice": (said.opinion.choice or advice_answer.NONE) if said.opinion else "",
                "hypothesis": said.opinion.hypothesis[:_LONGEST_SAID] if said.opinion else "",
                "turns": said.spent.turns,
                "took_ms": said.spent.took_ms,
                "tokens_in": said.spent.tokens_in,
                "tokens_out": said.spent.tokens_out,
                "microdollars": said.spent.microdollars,
            },
            blobs=(blob,),
        )
        self._unrecorded.pop(incident.id, None)


class _Talk:
    """One conversation."""

    def __init__(self, model: adviser.Adviser, clock: Clock, limits: Limits) -> None:
        self._model = model
        self._clock = clock
        self._limits = limits
        self.budget = Budget(limits, clock.monotonic())
        self.exchanges: list[Exchange] = []
        self.asked: list[str] = []

    def hold(
        self, made: Decision, playbooks: Sequence[Playbook], context: Context | None
    ) -> Opinion:
        """Return the opinion. Raises Unavailable or Rejected with the reason why there is none."""
        offered = advice_prompt.offered(made.candidates)
        question = adviser.Question(
            instructions=advice_prompt.INSTRUCTIONS,
            prompt=advice_prompt.write(made.evidence, made.candidates, playbooks),
            rounds=(),
            tools=() if context is None else advice_tools.TOOLS,
            may_ask=context is not None,
            answer=advice_answer.schema(offered),
            most_tokens=0,
        )
        for count in range(self._limits.rounds + 1):
            asks = question.may_ask and count < self._limits.rounds
            question = replace(question, may_ask=asks)
            reply = self._turn(question)
            if context is None or not (asks and reply.calls):
                return _read(reply, offered)
            answers = tuple(self._answer(at, call, context) for at, call in enumerate(reply.calls))
            said = adviser.Round(reply.text, reply.calls, answers)
            question = replace(question, rounds=(*question.rounds, said))
        raise BudgetSpent("it never came to an answer")

    def _turn(self, question: adviser.Question) -> adviser.Reply:
        """Return the next turn; an endpoint that asks for patience is asked a second time."""
        try:
            return self._once(question)
        except adviser.AdviserBusy as cause:
            wait = cause.retry_after_s
            left = self.budget.seconds_left(self._clock.monotonic())
            if not 0 <= wait <= min(_LONGEST_WAIT_S, left / 2):
                raise
            self._clock.sleep(wait)
        return self._once(question)

    def _once(self, question: adviser.Question) -> adviser.Reply:
        room = self.budget.answer_tokens(question)
        left = self.budget.seconds_left(self._clock.monotonic())
        try:
            reply = self._model.turn(replace(question, most_tokens=room), limit_s=left)
        except adviser.NoReply as cause:
            self.exchanges.append(Exchange(cause.sent, cause.heard, str(cause)))
            self.budget.count(cause.sent, cause.heard)
            raise
        self.exchanges.append(Exchange(reply.sent, reply.heard))
        self.budget.count(reply.sent, reply.heard, reply)
        self.budget.seconds_left(self._clock.monotonic())
        return reply

    def _answer(self, at: int, call: adviser.Call, context: Context) -> str:
        """Return what a tool says; what is wrong with a call is told to who made it."""
        if at >= _CALLS_AT_ONCE:
            return f"not answered: at most {_CALLS_AT_ONCE} calls at once"
        try:
            wanted = advice_tools.read(call)
            self.asked.append(advice_tools.said(wanted))
            return _asked(wanted, context)
        except (errors.Rejected, errors.Unavailable) as cause:
            return f"not answered: {advice_answer.clean(str(cause), _LONGEST_REASON)}"


def _asked(wanted: advice_tools.Wanted, context: Context) -> str:
    match wanted:
        case advice_tools.QueryMetrics(promql):
            return advice_tools.metrics(context.query_metrics(promql))
        case advice_tools.FetchLogs(service, timeframe):
            return advice_tools.logs(context.fetch_recent_logs(service, timeframe))
        case advice_tools.ListDeployments(environment):
            return advice_tools.deployments(context.list_recent_deployments(environment))


def kept(log: audit_log.AuditLog, incident: IncidentId) -> Consulted | None:
    """Return what the audit log has of it; None: nothing yet, or it was erased."""
    for entry in log.by_incident(incident):
        if entry.fields["kind"] != KIND:
            continue
        for blob in entry.fields["blobs"]:
            if blob["type"] == ADVICE_TYPE:
                try:
                    return _CONSULTED.decode(log.get_blob(blob["sha256"]))
                except (audit_log.NoSuchBlob, audit_log.BlobErased, msgspec.MsgspecError):
                    return None
    return None


def _is_open(made: Decision) -> bool:
    """Tell whether there is anything that an opinion could restrict or choose."""
    return made.playbook is not None and made.evidence.anomaly.request is None


def _read(reply: adviser.Reply, offered: Sequence[PlaybookName]) -> Opinion:
    if reply.refusal:
        said = advice_answer.clean(reply.refusal, 200)
        raise advice_answer.AnswerWrong(f"the model refused: {said}")
    if reply.calls:
        raise advice_answer.AnswerWrong("the model asked tools when it had to answer")
    if not reply.is_whole:
        raise advice_answer.AnswerWrong("the answer was cut off at its limit")
    return advice_answer.read(reply.text, offered)
