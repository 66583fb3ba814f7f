"""An executor as a state machine: orders, replays, crashes, power cuts, clocks, over one journal.

Admission, ledger and engine are the real ones; the host and the journal's disk are pretended. The
test keeps its own book of what had an effect, and of what the centre was told.
"""

import collections
import dataclasses
from datetime import timedelta

import hypothesis
import pytest
from hypothesis import stateful
from hypothesis import strategies as st

from sentienguard.model import ids
from sentienguard.playbook import parse
from sentienguard.ports import execution_journal
from sentienguard.stages.execute import admission, engine, memory, resume
from sentienguard.stages.execute import ledger as ledgers
from sentienguard.stages.execute.report import events
from sentienguard.trust import catalogue as catalogues
from sentienguard.trust import freshness
from tests.support import effort, execution, pretend_host

HOUR = timedelta(hours=1)
PER_HOUR = 3
TEXT = b"""
name: act_once
version: "1.2.0"
description: Disk full, runs a program of the tests.
match: {system: linux, resource: disk, symptom: full}
risk: WARNING
idempotent: true
max_per_hour: 3
guard: disk_usage > 85%
steps:
  - {name: one, action: ssh_command, command: /bin/one, rollback: /bin/undo_one}
  - {name: two, action: ssh_command, command: /bin/two, rollback: /bin/undo_two}
verification:
  - {name: space, type: metric, metric: disk_usage, threshold: "< 80%", retry: 1}
"""
REMEDY = parse.load(TEXT, origin="test")
INCIDENTS = [ids.IncidentId(f"inc_20260212_112600_{n:08x}") for n in range(6)]


class Disk(pretend_host.Journal):
    """A journal that knows what a power cut leaves of it."""

    synced = 0

    def append(self, records, *, durable):
        super().append(records, durable=durable)
        if durable:
            self.synced = len(self.kept)

    def rewrite(self, records):
        super().rewrite(records)
        self.synced = len(self.kept)

    def opened(self):  # as JournalFile: what was found is written again and synced
        self.synced = len(self.kept)

    def lose_power(self):
        del self.kept[self.synced :]


class OrderMachine(stateful.RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.pretend = pretend_host.PretendHost()
        self.disk = Disk()
        self.centre = execution.Centre(now=pretend_host.START)
        self.root = self.centre.root()
        self.listed = self.centre.catalogue_envelope(execution.listed(REMEDY))
        self.catalogue = catalogues.open_catalogue(self.listed, self.root, now=pretend_host.START)
        self.entropy = 0
        self.incidents = len(INCIDENTS)
        self.sent = []  # envelopes with what they hold
        self.effects = collections.Counter()  # order, program -> times
        self.real_starts = []  # when, order
        self.told = {}  # event number -> leaf, as the centre got it
        self.current = None
        self.works = True
        for program in ("/bin/one", "/bin/two"):
            act = lambda program=program: self.has_effect(program)  # noqa: E731
            self.pretend.programs[program] = pretend_host.Program(act=act)
        self.start()

    def start(self):
        self.disk.opened()
        self.ledger = self.pretend.ledger(self.disk)
        self.nonces = freshness.NonceBook()
        if self.ledger.memory.running is not None:
            self.current = self.ledger.memory.running.intent["order"]["id"]
            resume.resume(REMEDY, self.pretend.host(), self.ledger)
            self.current = None

    def has_effect(self, program):
        assert self.current is not None
        durable = self.disk.kept[: self.disk.synced]
        intents = [one for one in durable if one["t"] == "intent"]
        assert any(one["order"]["id"] == self.current for one in intents), "effect without intent"
        self.effects[self.current, program] += 1
        if program == "/bin/two" and self.works:
            self.pretend.measured["disk_usage"] = 50.0

    # ---- what the centre, an attacker and time do --------------------------------------------

    @stateful.rule(
        incident=st.sampled_from(INCIDENTS), dry_run=st.booleans(), crash=st.integers(0, 14)
    )
    def a_fresh_order_comes(self, incident, dry_run, crash):
        dry_run = dry_run and incident in INCIDENTS[:2]
        signed = self.centre.order(REMEDY, nonce=self.ticket(), incident=incident, dry_run=dry_run)
        self.deliver(self.centre.seal(signed), signed, crash)

    @stateful.rule(seconds=st.sampled_from([1, 1_801, 3_599, 3_601]))
    def one_order_more_comes_than_an_hour_has_room_for(self, seconds):
        for number in range(PER_HOUR + 1):
            if number == PER_HOUR:
                self.time_passes(seconds)
            self.pretend.measured["disk_usage"] = 91.0
            self.incidents += 1
            incident = ids.IncidentId(f"inc_20260212_112600_{self.incidents:08x}")
            self.a_fresh_order_comes(incident=incident, dry_run=False, crash=0)

    @stateful.precondition(lambda self: self.sent)
    @stateful.rule(data=st.data(), crash=st.integers(0, 14))
    def an_earlier_envelope_is_replayed(self, data, crash):
        envelope, signed = data.draw(st.sampled_from(self.sent))
        assert self.deliver(envelope, signed, crash) != "", "a replay was admitted"

    @stateful.precondition(lambda self: self.sent)
    @stateful.rule(data=st.data(), rename=st.booleans())
    def an_earlier_order_is_sealed_anew(self, data, rename):
        _, signed = data.draw(st.sampled_from(self.sent))
        self.centre.seq += 1
        order = signed.order
        if rename:  # the same deed under another id
            order = dataclasses.replace(order, id=ids.OrderId(f"ord_{self.centre.seq:016x}"))
        anew = dataclasses.replace(signed, order=order, nonce=self.ticket(), seq=self.centre.seq)
        self.deliver(self.centre.seal(anew), anew, 0)

    @stateful.precondition(lambda self: self.ledger.memory.seq > 0)
    @stateful.rule(back=st.integers(0, 5))
    def a_restored_centre_counts_from_an_older_number(self, back):
        seq = max(1, self.ledger.memory.seq - back)
        signed = self.centre.order(
            REMEDY,
            nonce=self.ticket(),
            incident=ids.IncidentId("inc_20260212_112600_ffffffff"),
            seq=seq,
        )
        assert self.deliver(self.centre.seal(signed), signed, 0) != ""

    @stateful.rule(seconds=st.sampled_from([1, 61, 600, 1_500, 3_601]))
    def time_passes(self, seconds):
        self.pretend.clock.passed += seconds
        self.pretend.measured["disk_usage"] = 91.0

    @stateful.rule(works=st.booleans())
    def the_remedy_works_or_not(self, works):
        self.works = works

    @stateful.rule(power=st.booleans())
    def the_executor_is_started_anew(self, power):
        self.crash(power=power)

    @stateful.rule(rewrite=st.booleans())
    def the_centre_takes_the_events(self, rewrite):
        leaving = self.ledger.events_after(self.ledger.memory.acked, 0)
        durable = [one for one in self.disk.kept[: self.disk.synced] if one["t"] == "event"]
        assert {one["seq"] for one in leaving} <= {one["seq"] for one in durable}, "not durable"
        for one in leaving:
            assert self.told.setdefault(one["seq"], one["leaf"]) == one["leaf"], "told otherwise"
        self.ledger.acked(max(self.told, default=0))
        if rewrite:
            self.ledger.compact()

    # ---- the executor ------------------------------------------------------------------------

    def ticket(self):
        self.entropy += 1
        return self.nonces.issue(self.pretend.clock.monotonic(), self.entropy.to_bytes(16, "big"))

    def deliver(self, envelope, signed, crash):
        """Judge and execute as the intake does; return the rule that refused, "" if admitted."""
        self.sent.append((envelope, signed))
        case = self.case(envelope, signed)
        refusal = admission.judge(case)
        if refusal is not None:
            final = {
                admission.AUTHENTICATES,
                "root_current",
                "order_never_seen",
                *admission.TRANSIENT,
            }
            if refusal.rule not in final:
                self.ledger.refuse(signed.order, signed.seq, refusal.rule, refusal.reason)
            else:
                alarm = events.alarm("order_refused", refusal.reason, self.ledger.now_ms())
                self.ledger.tell(alarm, durable=False)
            return refusal.rule
        self.current = signed.order.id
        self.disk.fail_at = self.disk.writes + crash if crash else None
        try:
            self.ledger.intend(signed, TEXT, case.bound, self.pretend.boot)
            if not signed.order.dry_run:
                self.real_starts.append((self.pretend.clock.now(), signed.order))
            engine.execute(
                signed.order,
                REMEDY,
                case.bound,
                self.pretend.host(),
                ledger=self.ledger,
                interrupt=pretend_host.Interrupt(),
            )
        except execution_journal.JournalBroken:
            assert self.ledger.failed
            with pytest.raises(execution_journal.JournalBroken):  # rule 5
                self.ledger.accept_sequence(10**6)
            self.crash(power=crash % 2 == 0)
        self.disk.fail_at = None
        self.current = None
        return ""

    def case(self, envelope, signed):
        try:
            self.nonces.redeem(signed.nonce, self.pretend.clock.monotonic())
            stale = None
        except freshness.NotFresh as error:
            stale = str(error)
        return admission.Case(
            envelope=envelope,
            signed=signed,
            agent=execution.AGENT,
            environment=execution.ENVIRONMENT,
            now=self.pretend.clock.now(),
            root=self.root,
            catalogue=self.catalogue,
            catalogue_envelope=self.listed,
            newest=admission.Newest(self.catalogue.version, self.catalogue.digest),
            stored=TEXT,
            remedy=REMEDY,
            unread="",
            stale=stale,
            memory=self.ledger.memory,
            now_ms=self.ledger.now_ms(),
            broken=self.ledger.broken,
            host=self.pretend.host(),
        )

    def crash(self, *, power):
        self.disk.fail_at = None
        if power:
            self.disk.lose_power()
            self.pretend.boot += "'"
        self.start()

    # ---- what holds always -------------------------------------------------------------------

    @stateful.invariant()
    def no_program_of_an_order_runs_twice(self):
        assert all(times == 1 for times in self.effects.values()), self.effects

    @stateful.invariant()
    def a_playbook_runs_once_for_an_incident(self):
        deeds = collections.Counter(order.incident for _, order in self.real_starts)
        assert all(times == 1 for times in deeds.values()), deeds

    @stateful.invariant()
    def the_signed_budget_holds_in_every_hour(self):
        for begin, _ in self.real_starts:
            within = [at for at, _ in self.real_starts if begin <= at < begin + HOUR]
            assert len(within) <= PER_HOUR

    @stateful.invariant()
    def dry_runs_change_nothing(self):
        real = {order.id for _, order in self.real_starts}
        assert {order for order, _ in self.effects} <= real

    @stateful.invariant()
    def nothing_runs_unattended_for(self):
        assert self.ledger.memory.running is None
        states = {one["state"] for one in self.ledger.memory.orders.values()}
        assert states <= {"finished", "refused"}

    @stateful.invariant()
    def every_start_is_remembered(self):
        for _, order in self.real_starts:
            assert self.ledger.memory.orders[order.id]["state"] == "finished"
            assert memory.handled_key(order.incident, order.playbook) in self.ledger.memory.handled

    @stateful.invariant()
    def the_journal_tells_what_is_remembered(self):
        again = ledgers.Ledger(self.disk, self.ledger._source, self.pretend.clock)
        assert again.memory == self.ledger.memory


OrderMachine.TestCase.settings = hypothesis.settings(
    max_examples=effort.pick(60, thorough=3_000), stateful_step_count=25
)
TestOrderMachine = pytest.mark.property(
    pytest.mark.timeout(effort.pick(60, thorough=3_600))(OrderMachine.TestCase)
)
