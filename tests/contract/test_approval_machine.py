"""Questions to people as a state machine, over the real stores: answers, ends, freezes, crashes.

The stores, the answering, the incident's flow and the dispatch are the real ones; who calls them,
and when, is drawn. The test keeps its own book of what was answered first and in time.
"""

import contextlib
import dataclasses
import itertools
import types
from datetime import timedelta

import hypothesis
import pytest
from hypothesis import stateful
from hypothesis import strategies as st

from sentienguard.flow import answers, dispatch, incident_work, ledger
from sentienguard.flow import incident as flow
from sentienguard.model import ids
from sentienguard.model.approval import ApprovalStatus
from sentienguard.model.decision import Route
from sentienguard.model.incident import Outcome, Status
from sentienguard.model.order import OrderStatus
from sentienguard.ports.approval_store import AlreadyDecided
from sentienguard.ports.order_store import NoSuchOrder
from sentienguard.ports.switches import Freeze
from tests.contract import stores_nouns as nouns
from tests.support import effort
from tests.unit.flow.test_flow_dispatch import Log

NUMBERS = itertools.count(1)
NOTE = Log().checkpoint()
YES, NO = ApprovalStatus.APPROVED, ApprovalStatus.DENIED
QUESTIONS = st.integers(0, 2)


@dataclasses.dataclass
class Question:
    """One question, as this test books it."""

    incident: object
    asked: object
    order: object
    life: flow.Life
    turn: flow.Turn
    first: tuple[ApprovalStatus, str] | None = None  # the answer that has to count
    told: list = dataclasses.field(default_factory=list)  # events that wait for the engine


class DiedError(Exception):
    """The process ended before the log had the entry."""


class Centre:
    """The parts that answering, working and dispatching use."""

    def __init__(self, database, agent):
        self.approvals, self.orders = database.approvals, database.orders
        self.switches = database.switches
        known = {agent.tls_pin: agent}
        self.agents = types.SimpleNamespace(get=lambda _: agent, by_pins=lambda _: known)
        self.log = types.SimpleNamespace(checkpoint=lambda: NOTE)
        self.incidents = types.SimpleNamespace(
            get=database.incidents.get,
            move=database.incidents.move,
            decision=database.incidents.decision,
            unfinished=lambda: database.incidents.unfinished(agent.id),  # not of the run before
        )
        self.settings = types.SimpleNamespace(fleet_budget_per_hour=1_000_000)
        self.passed = timedelta()
        self.recorded = {}  # key -> entry, once
        self.dies = False  # with the next entry
        self.questions = {}
        self.clock = types.SimpleNamespace(now=self.now, monotonic=self.monotonic)
        self.audit = ledger.Ledger(self, self, entropy=None)  # every entry here has a key
        self.live = types.SimpleNamespace(changed=lambda *_: None)
        self.bells = types.SimpleNamespace(ring=lambda _: None)
        self.counters = types.SimpleNamespace(add=lambda *_: None)
        self.trust = types.SimpleNamespace(seal_order=lambda order, *_, **__: {"order": order})

    def now(self):
        return nouns.NOW + self.passed

    def monotonic(self):
        return self.passed.total_seconds()

    def append(self, entry):
        if self.dies:
            raise DiedError
        self.recorded.setdefault(entry.key, entry)

    def append_many(self, entries):
        return [self.append(entry) for entry in entries]

    def tell(self, incident, event, *, key):
        question = self.questions[incident]
        if key not in [name for name, _ in question.told]:
            question.told.append((key, event))


class ApprovalMachine(stateful.RuleBasedStateMachine):
    database = None  # set by the test

    def __init__(self):
        super().__init__()
        self.agent = dataclasses.replace(nouns.agent(), id=ids.AgentId(f"agent-{next(NUMBERS)}"))
        self.centre = Centre(self.database, self.agent)
        self.database.switches.set_freeze(None)
        self.frozen = False
        self.work = incident_work.IncidentWork(self.centre, deciding=None)
        self.dispatch = dispatch.Dispatch(self.centre)
        self.questions = [self.ask(minutes) for minutes in (5, 15, 15)]
        self.delivered = set()

    def ask(self, minutes):
        number = next(NUMBERS)
        found = dataclasses.replace(
            nouns.incident(number, subject=f"/{number}"), agent=self.agent.id
        )
        self.database.incidents.open(found)
        asked = dataclasses.replace(
            nouns.approval(number),
            incident=found.id,
            expires_at=self.centre.now() + timedelta(minutes=minutes),
        )
        order = dataclasses.replace(nouns.order(number, agent=self.agent.id), incident=found.id)
        life, turn = flow.begin(found)
        question = Question(found, asked, order, life, turn)
        self.centre.questions[found.id] = question
        self.perform(question)
        self.advance(question, flow.Decided(self.centre.now(), Route.ASK, "risk", order, asked))
        return question

    def perform(self, question):
        for deed in question.turn.deeds:
            self.centre.dies = True
            with contextlib.suppress(DiedError):  # between what it does and its record
                self.work.perform(question.incident.id, deed)
            self.centre.dies = False
            for _ in range(2):  # a crash may have it performed twice
                self.work.perform(question.incident.id, deed)
        if isinstance(question.turn.then, flow.Release):
            self.work.release(question.turn.then)
            self.advance(question, self.work.release(question.turn.then))

    def advance(self, question, event):
        question.life, question.turn = flow.advance(question.life, event)
        self.perform(question)

    # ---- people, time and processes ----------------------------------------------------------

    @stateful.rule(
        which=QUESTIONS, status=st.sampled_from([YES, NO]), by=st.sampled_from(["ann", "bob"]),
        dies=st.booleans(), late_s=st.sampled_from([0, 0, 1]),
    )  # fmt: skip
    def a_person_answers(self, which, status, by, dies, late_s):
        question = self.questions[which]
        before = self.centre.approvals.get(question.asked.id)
        at = self.centre.now() - timedelta(seconds=late_s if dies else 0)  # the store was slow
        counts = before.status is ApprovalStatus.PENDING and at <= question.asked.expires_at
        try:
            if dies:  # between the decision and everything that follows from it
                self.centre.approvals.decide(question.asked.id, status, by=by, at=at, note="")
            else:
                about = {"role": "administrator"}
                answers.answer(
                    self.centre,
                    question.asked,
                    status,
                    by=by,
                    note="",
                    about=about,
                    judge=lambda _: "",
                )
        except AlreadyDecided:
            assert not counts, "an answer in time did not count"
            return
        assert counts, "an answer counted that was late or second"
        question.first = (status, by)

    @stateful.rule(which=QUESTIONS, status=st.sampled_from([YES, NO]), gone=st.booleans())
    def an_answer_is_kept_and_told_to_nobody_until_the_question_ends(self, which, status, gone):
        self.a_person_answers(which=which, status=status, by="dan", dies=True, late_s=0)
        if gone:
            self.the_symptom_ends_by_itself(which=which)
        else:
            self.time_passes(minutes=20, seconds=0)
        self.the_engine_goes_on(which=which, meanwhile=None, dies=False)

    @stateful.rule(minutes=st.sampled_from([1, 4, 5, 6, 20]), seconds=st.sampled_from([0, 0, 1]))
    def time_passes(self, minutes, seconds):
        self.centre.passed += timedelta(minutes=minutes, seconds=seconds)

    @stateful.rule(which=QUESTIONS)
    def the_symptom_ends_by_itself(self, which):
        question = self.questions[which]
        self.centre.tell(question.incident.id, flow.Recovered(self.centre.now()), key="recovered")

    @stateful.rule(
        which=QUESTIONS, meanwhile=st.none() | st.sampled_from([YES, NO]), dies=st.booleans()
    )
    def the_engine_goes_on(self, which, meanwhile, dies):
        question = self.questions[which]
        if not isinstance(question.turn.then, flow.Wait):
            return
        waiting = [event for key, event in question.told if not key.endswith("!")]
        if waiting:
            question.told = [
                (f"{key}!" if event is waiting[0] else key, event) for key, event in question.told
            ]
            self.advance(question, waiting[0])
            return
        asked = question.life.status is Status.AWAITING_APPROVAL
        if asked and self.centre.now() > question.turn.then.until:
            self.the_wait_was_silent(question, meanwhile, dies)

    def the_wait_was_silent(self, question, meanwhile, dies):
        """What it means is asked, and once more after a crash, before anything follows from it."""
        said = self.work.silence(question.incident.id)
        if meanwhile is not None:  # an answer in time, from a process that was stopped for long
            at = question.asked.expires_at
            with contextlib.suppress(AlreadyDecided):
                kept = question.asked.id
                self.centre.approvals.decide(kept, meanwhile, by="cat", at=at, note="")
                question.first = (meanwhile, "cat")
        if dies:
            said = self.work.silence(question.incident.id)
        self.advance(question, said)

    @stateful.rule()
    def the_centre_starts_anew(self):
        self.dispatch = dispatch.Dispatch(self.centre)
        answers.finish(self.centre)

    @stateful.rule(frozen=st.booleans())
    def people_freeze_or_thaw(self, frozen):
        freeze = Freeze("ann", self.centre.now(), "storm") if frozen else None
        self.database.switches.set_freeze(freeze)
        self.frozen = frozen

    @stateful.rule()
    def the_host_polls(self):
        given = self.dispatch.answer(self.agent, dispatch.Poll("ab", None, 0, None)).order
        if given is not None:
            assert not self.frozen, "delivered while frozen"
            self.delivered.add(given["order"].id)

    # ---- what holds always -------------------------------------------------------------------

    @stateful.invariant()
    def an_answer_stands_as_it_was_given_first(self):
        for question in self.questions:
            kept = self.centre.approvals.get(question.asked.id)
            if question.first is not None:
                assert (kept.status, kept.decided_by) == question.first
            else:
                assert kept.status not in {YES, NO}

    @stateful.invariant()
    def nothing_is_released_without_a_yes_in_time(self):
        for question in self.questions:
            try:
                kept = self.centre.orders.get(question.order.id)
            except NoSuchOrder:
                assert question.order.id not in self.delivered
                continue
            assert question.first is not None
            assert question.first[0] is YES
            assert f"{question.order.id}/intent" in self.centre.recorded
            handed_over = kept.status is OrderStatus.DELIVERED
            assert handed_over == (question.order.id in self.delivered)

    @stateful.invariant()
    def a_question_that_is_open_belongs_to_an_incident_that_waits(self):
        for question in self.questions:
            kept = self.centre.approvals.get(question.asked.id)
            waits = question.life.status is Status.AWAITING_APPROVAL
            if kept.status is ApprovalStatus.PENDING:
                assert waits
            if kept.status in {ApprovalStatus.EXPIRED, ApprovalStatus.WITHDRAWN}:
                assert question.life.status is Status.CLOSED
                recorded = self.centre.recorded[f"{question.asked.id}/decided"]
                assert recorded.data["decision"] == kept.status.value

    @stateful.invariant()
    def an_answer_is_recorded_and_decides_unless_the_symptom_ended_first(self):
        for question in self.questions:
            if question.first is None or question.life.status is Status.AWAITING_APPROVAL:
                continue
            assert f"{question.asked.id}/decided" in self.centre.recorded
            closed = self.centre.recorded.get(f"{question.incident.id}/closed")
            if closed is not None:
                assert closed.data["outcome"] != Outcome.EXPIRED

    @stateful.invariant()
    def what_is_told_is_recorded_as_the_store_has_it(self):
        for question in self.questions:
            recorded = self.centre.recorded.get(f"{question.asked.id}/decided")
            if recorded is not None and question.first is not None:
                assert recorded.actor == question.first[1]
                assert recorded.data["decision"] == question.first[0].value


@pytest.mark.property
@pytest.mark.timeout(effort.pick(120, thorough=3_600))
def test_questions_are_answered_once_in_time_and_release_nothing_else(database):
    ApprovalMachine.database = database
    stateful.run_state_machine_as_test(
        ApprovalMachine,
        settings=hypothesis.settings(
            max_examples=effort.pick(25, thorough=1_000), stateful_step_count=25
        ),
    )
