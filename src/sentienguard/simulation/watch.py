"""The invariants, judged on the truth of the world and not on what the code under test believes.

Called by every part of the world as things happen: a disk tells what became durable, a machine what
was done to it, a person what was answered. Each rule is judged at the event that could break it;
`settled` judges at the end what has to come true.

    I1 twice        no order is executed twice: each step has its effect at most once, ever
    I2 lost         what was acknowledged as recorded is on the disk for good, and stays there
    I3 intent       nothing is released or acts without a durable intent, in log and journal
    I4 stuck        every incident closes and every intent ends, within its bound
    I5 unknown      what ended, or ended unknown, is never tried again by itself; another remedy
                    only where the host ruled out those before it and nothing of them was done
    I6 permitted    no route above what policy allows; nothing without approval, beyond the budget,
                    on a stale ticket, number or catalogue, while frozen, withdrawn or stopped
    I7 growth       checkpoints cover what is durable and only grow; no witness signs another log
    I8 undo         an undo that succeeded is not run again; one run at most for each start
    I9 verified     success means that the symptom is gone; a failure ends in undo and with people
"""

import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sentienguard.flow import incident as flow
from sentienguard.model.approval import Approval, ApprovalStatus
from sentienguard.model.decision import Route
from sentienguard.model.ids import IncidentId
from sentienguard.model.incident import Outcome
from sentienguard.model.order import ExecutionOutcome, Order
from sentienguard.simulation import audit_store, journal, permitted, remedies
from sentienguard.simulation.scheduler import Scheduler
from sentienguard.stages.audit import checkpoint

FAILURES: Final = frozenset(
    {
        ExecutionOutcome.ROLLED_BACK,
        ExecutionOutcome.PARTIALLY_ROLLED_BACK,
        ExecutionOutcome.UNKNOWN,
        ExecutionOutcome.ABORTED,
        ExecutionOutcome.REFUSED,
        ExecutionOutcome.DRY_RUN,
    }
)
WORKED: Final = frozenset({ExecutionOutcome.SUCCESS, ExecutionOutcome.SUCCESS_NO_ACTION})
HOUR_S: Final = 3600.0
NONCE_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken rule."""

    step: int  # number of the event
    at_s: float  # true time
    rule: str  # I1 to I9
    detail: str


@dataclass(slots=True)
class HostTruth:
    """What the world knows of one host."""

    intents: set[str]  # durable in its journal
    begun: set[tuple[str, str, int]]  # order, phase, index: written down
    undone: set[tuple[str, int]]  # order, step: undone with success, written down
    finished: dict[str, ExecutionOutcome]  # written down
    tickets: dict[str, tuple[float, object]]  # nonce -> when, which run of the executor
    used: set[str]
    admitted: set[str]  # orders that it ever began
    highest: int = 0  # sequence number ever accepted
    newest: int = 0  # catalogue version ever accepted


class Watch:
    """Judges a run."""

    def __init__(self, scheduler: Scheduler) -> None:
        """Begin with nothing known."""
        self._scheduler = scheduler
        self.violations: list[Violation] = []
        self.tally: Counter[str] = Counter()
        self.truth: permitted.Truth | None = None  # set by the world
        self.hosts: dict[str, HostTruth] = defaultdict(
            lambda: HostTruth(set(), set(), set(), {}, {}, set(), set())
        )
        self.log_keys: set[str] = set()
        self.log_size = 0
        self.log_through: Counter[str] = Counter()  # by source
        self.sources: dict[str, str] = {}  # by host, its name in the log
        self._acknowledged: dict[int, bytes] = {}
        self._roots: dict[int, bytes] = {}
        self._signed = 0
        self._effects: Counter[tuple[str, str, str]] = Counter()
        self._undo_runs: Counter[tuple[object, str, str]] = Counter()
        self._orders: dict[str, Order] = {}
        self._released: dict[IncidentId, list[str]] = defaultdict(list)  # oldest first
        self._decisions: dict[IncidentId, flow.Decided] = {}
        self._answers: dict[str, Approval] = {}
        self._taken_back: set[str] = set()
        self._left: set[str] = set()  # orders that went to a host
        self._stopped: dict[str, float] = {}
        self._closed: dict[IncidentId, flow.Close] = {}
        self._starts: dict[tuple[str, str], list[float]] = defaultdict(list)
        self._running: dict[str, str] = {}  # by host, the order last intended in its journal

    def broken(self, rule: str, detail: str) -> None:
        """Note a violation."""
        at = self._scheduler
        self.violations.append(Violation(at.steps, at.now, rule, detail))

    # --- the log -------------------------------------------------------------------------------

    def log_durable(self, name: str, fresh: bytes) -> None:
        """The log's disk kept more for good."""
        if name != audit_store.FILE:
            return
        for record in audit_store.records(fresh)[0]:
            found = json.loads(record)
            self.log_keys.add(found["key"])
            self.log_size += 1
            if found["src"] != "cp":
                self.log_through[found["src"]] = found["src_seq"]

    def acknowledged(self, index: int, leaf_hash: bytes) -> None:
        """Somebody was told that an entry is durable."""
        if index >= self.log_size:
            self.broken("I2", f"entry {index} was acknowledged, {self.log_size} are durable")
        known = self._acknowledged.setdefault(index, leaf_hash)
        if known != leaf_hash:
            self.broken("I2", f"entry {index} was acknowledged with another content before")

    def log_reopened(self, log: audit_store.SimulatedLog, hashes: Sequence[bytes]) -> None:
        """The centre started again and read its log."""
        lost = [at for at in self._acknowledged if at >= len(hashes)]
        changed = [
            at
            for at, known in self._acknowledged.items()
            if at < len(hashes) and hashes[at] != known
        ]
        if lost or changed:
            self.broken("I2", f"acknowledged entries {(lost + changed)[:5]} are gone or changed")
        self.log_keys.clear()
        self.log_through.clear()
        self.log_size = 0
        for record in log.stored:
            self.log_durable(audit_store.FILE, audit_store.framed(record))

    def events_acknowledged(self, source: str, through: int) -> None:
        """An executor was told that its events are durable."""
        if through > self.log_through[source]:
            durable = self.log_through[source]
            self.broken("I2", f"{source}: {through} acknowledged, {durable} durable")

    def signed(self, note: str) -> None:
        """The log signed a checkpoint."""
        seen = checkpoint.read_text(checkpoint.read_note(note).text)
        self.tally["checkpoint"] += 1
        if seen.size > self.log_size:
            self.broken("I7", f"checkpoint of {seen.size}, but {self.log_size} are durable")
        if seen.size < self._signed:
            self.broken("I7", f"checkpoint of {seen.size} after one of {self._signed}")
        self._signed = max(self._signed, seen.size)
        if self._roots.setdefault(seen.size, seen.root) != seen.root:
            self.broken("I7", f"two roots were signed for size {seen.size}")

    def cosigned(self, host: str, size: int, root: bytes) -> None:
        """A witness signed."""
        self.tally["cosigned"] += 1
        if size and self._roots.get(size) != root:
            self.broken("I7", f"{host} cosigned a root of size {size} that is not the log's")

    def not_cosigned(self, host: str, why: str) -> None:
        """A witness refused the log's own checkpoint."""
        if why.startswith("Forked"):
            self.broken("I7", f"{host} sees a fork: {why}")

    # --- the centre ----------------------------------------------------------------------------

    def decided(self, incident: IncidentId, event: flow.Event) -> None:
        """An incident was told something by its own questions."""
        if isinstance(event, flow.Decided):
            if self._decisions.get(incident) != event:  # the same again: performed before a crash
                self.tally[f"route {event.route.name}"] += 1
                self.tally["decided again"] += incident in self._decisions
                self._judge_route(incident, event)
            self._decisions[incident] = event
        elif isinstance(event, flow.Withdrawn) and event.taken_back:
            self.tally["order taken back"] += 1
            order = self._decisions[incident].order
            if order is not None:
                self._taken_back.add(order.id)
                if order.id in self._left:
                    self.broken("I6", f"{order.id} was taken back after it had left the centre")

    def _judge_route(self, incident: IncidentId, event: flow.Decided) -> None:
        if self.truth is None or event.order is None or event.at != self.truth.now():
            return  # a decision that was made before a crash stands
        allowed, why = self.truth.route(event.order)
        if event.route > allowed:
            self.broken("I6", f"{incident}: {event.route.name}, but {allowed.name} because {why}")

    def released(self, order: Order) -> None:
        """An order was made available to its agent."""
        if order.id in self._orders:
            self.broken("I1", f"{order.id} is released again")
        self._orders[order.id] = order
        if f"{order.id}/intent" not in self.log_keys:
            self.broken("I3", f"{order.id} is released without a durable intent in the log")
        names = self._released[order.incident]
        for earlier in names:
            self._judge_ruled_out(earlier)
        names.append(order.id)
        if len(names) > 1 + flow.MOST_FURTHER:
            self.broken("I5", f"{order.incident} has the orders {names}")
        self._judge_permission(order, "released")

    def _judge_ruled_out(self, name: str) -> None:
        """Another order comes: this one must have ended on its host with nothing done."""
        acted = any(order == name for _, order, _ in self._effects)
        begun = any(name in truth.admitted for truth in self.hosts.values())
        if acted or (begun and self._ended(name) is not ExecutionOutcome.ABORTED):
            self.broken("I5", f"{name} is followed by another, but it was begun")

    def _judge_permission(self, order: Order, what: str) -> None:
        decided = self._decisions.get(order.incident)
        if decided is None:
            self.broken("I6", f"{order.id} is {what} without a decision")
            return
        if decided.route is Route.ASK:
            given = [
                one
                for one in self._answers.values()
                if one.incident == order.incident and one.digest == order.digest
            ]
            if not any(one.status is ApprovalStatus.APPROVED for one in given):
                self.broken("I6", f"{order.id} is {what} and no person said yes")
        elif decided.route is Route.DRY_RUN and not order.dry_run:
            self.broken("I6", f"{order.id} is {what} for real where only a dry run is allowed")
        elif decided.route is Route.ESCALATE:
            self.broken("I6", f"{order.id} is {what} though it belongs to people")

    def dispatched(self, order: str, *, frozen: bool) -> None:
        """An order leaves the centre."""
        self._left.add(order)
        self.tally["order dispatched"] += 1
        if frozen:
            self.broken("I6", "an order left a frozen centre")

    def answered(self, approval: Approval) -> None:
        """The database kept an answer."""
        self.tally[f"answer {approval.status.value}"] += 1
        first = self._answers.setdefault(approval.id, approval)
        if first is not approval:
            self.broken(
                "I6", f"{approval.id} was {first.status.value} and is {approval.status.value} now"
            )
        of_person = approval.status in {ApprovalStatus.APPROVED, ApprovalStatus.DENIED}
        if of_person and approval.decided_at is not None:
            late = (approval.decided_at - approval.expires_at).total_seconds()
            if late > 0:
                self.broken("I6", f"{approval.id} was answered {late:.0f} s after it expired")

    def performed(self, incident: IncidentId, deed: flow.Deed) -> None:
        """The engine did something."""
        if not isinstance(deed, flow.Close) or incident in self._closed:
            return
        self._closed[incident] = deed
        self.tally[f"outcome {deed.outcome.value}"] += 1
        made = self._decisions.get(incident)
        asked = made.approval if made is not None else None
        answer = self._answers.get(asked.id) if asked is not None else None
        of_person = answer is not None and answer.status in {
            ApprovalStatus.APPROVED,
            ApprovalStatus.DENIED,
        }
        if deed.outcome is Outcome.EXPIRED and of_person:
            self.broken("I4", f"{incident} closed as expired, but a person answered")
        last = made.order if made is not None else None
        for name in self._released[incident][-1:]:
            if last is not None and last.id != name:
                continue  # it was ruled out, and what was decided then is not released
            ended = self._ended(name)
            if ended in FAILURES and (not deed.escalate or deed.outcome is Outcome.RESOLVED):
                self.broken("I9", f"{incident}: {ended} closed as {deed.outcome.value}, untold")
            if ended is None and deed.outcome is Outcome.RESOLVED:
                self.broken("I9", f"{incident} closed as resolved, but {name} has not ended")

    def _ended(self, order: str) -> ExecutionOutcome | None:
        known = (truth.finished.get(order) for truth in self.hosts.values())
        return next((one for one in known if one is not None), None)

    # --- the hosts -----------------------------------------------------------------------------

    def journal_written(self, host: str, name: str, fresh: bytes) -> None:
        """An executor wrote into its journal; it may still be lost."""
        if name != journal.FILE:
            return
        truth = self.hosts[host]
        for _, record in journal.intact(fresh, anywhere=True)[0]:
            self._written(host, truth, record)

    def journal_durable(self, host: str, name: str, fresh: bytes) -> None:
        """The disk of an executor kept more of its journal for good."""
        if name != journal.FILE or b'"t":"intent"' not in fresh:
            return
        for _, record in journal.intact(fresh, anywhere=True)[0]:
            if record["t"] == "intent":
                self.hosts[host].intents.add(record["order"]["id"])

    def _written(self, host: str, truth: HostTruth, record: Any) -> None:
        running = self._running.get(host)
        match record["t"]:
            case "intent":
                self._running[host] = record["order"]["id"]
            case "begin" if running:
                truth.begun.add((running, record["phase"], record["index"]))
            case "end" if running and record["phase"] == "undo" and record["status"] == "success":
                truth.undone.add((running, record["index"]))
            case "finish":
                self._finish(host, truth, record)
            case "acked" if record["through"] > self.log_through[self.sources.get(host, "")]:
                self.broken("I2", f"{host} forgets events up to {record['through']}")
            case _:
                pass

    def _finish(self, host: str, truth: HostTruth, record: Any) -> None:
        name, outcome = record["order"], ExecutionOutcome(record["outcome"])
        if name in truth.finished:
            return  # written again in a rewrite, or after a crash before it was durable
        truth.finished[name] = outcome
        self.tally[f"execution {outcome.value}"] += 1
        order = self._orders.get(name)
        if order is None or self.truth is None:
            return
        if outcome in WORKED and self.truth.stands(host, order):
            self.broken("I9", f"{name} is {outcome.value}, but the symptom stands")
        if outcome in {ExecutionOutcome.ROLLED_BACK, ExecutionOutcome.ABORTED}:
            self._judge_undone(host, name, outcome)

    def _judge_undone(self, host: str, name: str, outcome: ExecutionOutcome) -> None:
        for (where, order, piece), _ in list(self._effects.items()):
            if (where, order) == (host, name) and piece.startswith("step"):
                undo = piece.replace("step", "undo")
                if not self._effects[host, name, undo]:
                    self.broken("I9", f"{name} is {outcome.value}, but {piece} was not undone")

    def journal_reopened(self, host: str, data: bytes) -> None:
        """An executor starts: what its journal holds now is what it can know."""
        truth = self.hosts[host]
        truth.undone.clear()
        truth.finished.clear()
        for _, record in journal.intact(data)[0]:
            match record["t"]:
                case "intent":
                    self._running[host] = record["order"]["id"]
                case "start":
                    for name, state in record["orders"].items():
                        if state["state"] == "finished":
                            truth.finished[name] = ExecutionOutcome(state["outcome"])
                case "finish":
                    truth.finished[record["order"]] = ExecutionOutcome(record["outcome"])
                case "end" if record["phase"] == "undo" and record["status"] == "success":
                    truth.undone.add((self._running.get(host, ""), record["index"]))
                case _:
                    pass

    def ticket(self, host: str, nonce: str, run: object) -> None:
        """A host gave out a nonce."""
        self.hosts[host].tickets[nonce] = (self._scheduler.now, run)

    def admitted(self, host: str, order: Order, nonce: str, seq: int, run: object) -> None:
        """A host began an order."""
        truth = self.hosts[host]
        self.tally["order admitted"] += 1
        issued = truth.tickets.get(nonce)
        age = self._scheduler.now - issued[0] if issued else 0.0
        if issued is None or issued[1] is not run or age > NONCE_S or nonce in truth.used:
            self.broken("I6", f"{order.id} was admitted on a stale or used ticket ({age:.0f} s)")
        truth.used.add(nonce)
        if order.id in truth.admitted:
            self.broken("I1", f"{order.id} is begun again")
        if order.id in self._released[order.incident][:-1]:
            self.broken("I5", f"{order.id} is begun after another took its place")
        truth.admitted.add(order.id)
        self.numbered(host, seq, order.id)
        if order.id not in truth.intents:
            self.broken("I3", f"{order.id} was admitted without a durable intent in the journal")
        if not order.dry_run and self.truth is not None:
            self._judge_budget(host, order, self.truth)

    def numbered(self, host: str, seq: int, what: str) -> None:
        """A host acted on a message with this number."""
        truth = self.hosts[host]
        if seq <= truth.highest:
            self.broken("I6", f"{what} with number {seq} was accepted after {truth.highest}")
        truth.highest = max(truth.highest, seq)

    def _judge_budget(self, host: str, order: Order, truth: permitted.Truth) -> None:
        now, starts = self._scheduler.now, self._starts[host, order.playbook]
        starts.append(now)
        recent = [at for at in starts if at > now - HOUR_S]
        limit = remedies.signed().of(order.playbook).max_per_hour
        if len(recent) > limit and not truth.clock_jumped(host, within_s=HOUR_S):
            self.broken("I6", f"{host} started {order.playbook} {len(recent)} times in an hour")

    def catalogue(self, host: str, version: int) -> None:
        """A host uses a catalogue."""
        truth = self.hosts[host]
        if version < truth.newest:
            self.broken("I6", f"{host} took catalogue {version} after {truth.newest}")
        truth.newest = max(truth.newest, version)

    def stopped(self, order: str) -> None:
        """A host accepted a stop of the order that runs."""
        self._stopped.setdefault(order, self._scheduler.now)

    def effect(self, host: str, run: object, order: str, piece: str) -> None:
        """Something was done to a machine."""
        self.tally["effect"] += 1
        truth = self.hosts[host]
        phase, index = piece[:4], int(piece[4:])
        self._effects[host, order, piece] += 1
        if order not in truth.intents:
            self.broken("I3", f"{order} {piece} acts without a durable intent in the journal")
        if f"{order}/intent" not in self.log_keys:
            self.broken("I3", f"{order} {piece} acts without a durable intent in the log")
        if (order, phase, index) not in truth.begun:
            self.broken("I3", f"{order} {piece} acts and nothing says that it begins")
        if order in truth.finished:
            self.broken("I5", f"{order} {piece} acts after it was {truth.finished[order]}")
        if phase == "step":
            self._judge_step(host, order, piece)
        else:
            self._undo_runs[run, order, piece] += 1
            self.tally["undo"] += 1
            if (order, index) in truth.undone or self._undo_runs[run, order, piece] > 1:
                self.broken("I8", f"{order} {piece} is run again")

    def _judge_step(self, host: str, order: str, piece: str) -> None:
        if self._effects[host, order, piece] > 1:
            self.broken("I1", f"{order} {piece} has its effect again")
        known = self._orders.get(order)
        if known is None:
            self.broken("I6", f"{order} acts and was never released")
            return
        if known.dry_run:
            self.broken("I6", f"{order} is a dry run and acts")
        if order in self._taken_back:
            self.broken("I6", f"{order} acts and was taken back")
        if self._stopped.get(order, self._scheduler.now) < self._scheduler.now:
            self.broken("I6", f"{order} {piece} acts after it was stopped")
        self._judge_permission(known, "acting")

    # --- the end -------------------------------------------------------------------------------

    def settled(self, unfinished: Sequence[str], unended: Sequence[str]) -> None:
        """The faults stopped long ago."""
        for incident in unfinished:
            self.broken("I4", f"{incident} is not closed")
        for order in unended:
            self.broken("I4", f"{order} was begun on a host and has no end")
