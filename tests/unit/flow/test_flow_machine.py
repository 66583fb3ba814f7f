"""An incident as a state machine: the world does what it may, strays and crashes included.

Beside the real life of an incident a small table says where it has to be after each event
(`Expected`). A crash is a replay: the life that the recorded events give is the one that was there.
"""

import dataclasses
from datetime import timedelta

import hypothesis
import pytest
from hypothesis import stateful
from hypothesis import strategies as st

from sentienguard.flow import incident as flow
from sentienguard.model.approval import ApprovalStatus
from sentienguard.model.decision import Route
from sentienguard.model.ids import OrderId
from sentienguard.model.incident import NEXT, Outcome, Status
from sentienguard.model.order import ExecutionOutcome
from tests.support import effort
from tests.unit.flow import test_flow_incident as stories

NOW = stories.NOW
EXECUTES = {Route.RUN, Route.RUN_AND_VERIFY, Route.DRY_RUN}
ENDS = {
    ExecutionOutcome.SUCCESS_NO_ACTION: (Outcome.NO_ACTION_NEEDED, False),
    ExecutionOutcome.DRY_RUN: (Outcome.ESCALATED, True),
    ExecutionOutcome.REFUSED: (Outcome.ESCALATED, True),
    ExecutionOutcome.ABORTED: (Outcome.ESCALATED, True),
    ExecutionOutcome.ROLLED_BACK: (Outcome.ROLLED_BACK, True),
    ExecutionOutcome.PARTIALLY_ROLLED_BACK: (Outcome.FAILED, True),
    ExecutionOutcome.UNKNOWN: (Outcome.FAILED, True),
}


@dataclasses.dataclass
class Expected:
    """Where the incident has to be: a phase, and its end."""

    phase: str = "deciding"
    route: Route | None = None
    end: tuple[Outcome, bool] | None = None
    until: object = None

    def closed(self, outcome, escalate):
        self.phase, self.end, self.until = "closed", (outcome, escalate), None

    def moved(self, phase, until=None):
        self.phase, self.until = phase, until

    def take(self, event):
        handler = getattr(self, f"_{self.phase}", None)
        if handler is not None:
            handler(event)

    def _deciding(self, event):
        if not isinstance(event, flow.Decided):
            return
        self.route = event.route
        if event.route in EXECUTES and event.order:
            self.moved("releasing")
        elif event.route is Route.ASK and event.order and event.approval:
            self.moved("asking", event.approval.expires_at)
        else:
            self.closed(Outcome.ESCALATED, True)

    def _asking(self, event):
        match event:
            case flow.Answered(approved=True):
                self.moved("releasing")
            case flow.Answered():
                self.closed(Outcome.REJECTED, True)
            case flow.Recovered():
                self.closed(Outcome.SELF_RECOVERED, False)
            case flow.NothingCame():
                self.closed(Outcome.EXPIRED, True)

    def _report(self, event):
        if not isinstance(event, flow.OrderEnded) or event.order != "ord_1":
            return
        if event.outcome is not ExecutionOutcome.SUCCESS:
            self.closed(*ENDS[event.outcome])
        elif self.route is Route.RUN:
            self.closed(Outcome.RESOLVED, False)
        else:
            self.moved("confirming", event.at + timedelta(minutes=3))

    def _releasing(self, event):
        if isinstance(event, flow.Released):
            self.moved("delivering", event.at + timedelta(minutes=3))
        self._report(event)

    def _delivering(self, event):
        if isinstance(event, flow.NothingCame):
            self.moved("withdrawing")
        self._report(event)

    def _withdrawing(self, event):
        if isinstance(event, flow.Withdrawn):
            if event.taken_back:
                self.closed(Outcome.ESCALATED, True)
            else:
                self.moved("reporting", event.at + timedelta(seconds=120, minutes=2))
        self._report(event)

    def _reporting(self, event):
        if isinstance(event, flow.NothingCame):
            self.closed(Outcome.FAILED, True)
        self._report(event)

    def _confirming(self, event):
        if isinstance(event, flow.Recovered):
            self.closed(Outcome.RESOLVED, False)
        if isinstance(event, flow.NothingCame):
            self.closed(Outcome.ESCALATED, True)


STATUSES = {
    "deciding": Status.ANALYZING,
    "asking": Status.AWAITING_APPROVAL,
    **dict.fromkeys(("releasing", "delivering", "withdrawing", "reporting"), Status.MITIGATING),
    "confirming": Status.VERIFYING,
    "closed": Status.CLOSED,
}
QUESTIONS = {
    "deciding": flow.Decide,
    "releasing": flow.Release,
    "withdrawing": flow.Withdraw,
    **dict.fromkeys(("asking", "delivering", "reporting", "confirming"), flow.Wait),
    "closed": type(None),
}


def while_in(*phases):
    return stateful.precondition(lambda self: self.expected.phase in phases)


STRAYS = st.one_of(
    st.builds(flow.Answered, st.booleans(), st.just("eve")),
    st.just(flow.Released(NOW)),
    st.just(flow.Recovered(NOW)),
    st.builds(flow.Withdrawn, st.just(NOW), st.booleans()),
    st.just(flow.NothingCame()),
    st.builds(
        flow.OrderEnded,
        st.just(NOW),
        st.sampled_from(["ord_0", "ord_1", "ord_2"]).map(OrderId),
        st.sampled_from(ExecutionOutcome),
        st.just("so it is"),
    ),
    st.sampled_from(Route).map(stories.decided),
)


class IncidentMachine(stateful.RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.minutes = 0
        self.incident = stories.incident()
        self.it_opens()

    @while_in("closed")
    @stateful.rule()
    def another_opens(self):
        self.it_opens()

    def it_opens(self):
        self.life, self.turn = flow.begin(self.incident)
        self.expected = Expected()
        self.history = []
        self.deeds = list(self.turn.deeds)
        self.releases = 0

    @property
    def now(self):
        return NOW + timedelta(minutes=self.minutes)

    def tell(self, event):
        if self.turn.then is None:
            return
        before = self.life, self.turn.then, self.expected.phase
        self.expected.take(event)
        self.life, self.turn = flow.advance(self.life, event)
        self.history.append(event)
        self.deeds += self.turn.deeds
        if self.expected.phase == before[2] and self.expected.phase != "closed":  # rule 7
            assert (self.life, self.turn) == (before[0], flow.Turn((), before[1]))
        elif isinstance(self.turn.then, flow.Release):
            self.releases += 1
            assert isinstance(self.turn.deeds[0], flow.RecordIntent), "rule 1"
            assert self.turn.deeds[0].order == self.turn.then.order

    @stateful.rule(minutes=st.integers(1, 30))
    def time_passes(self, minutes):
        self.minutes += minutes

    @while_in("deciding")
    @stateful.rule(route=st.sampled_from([*Route, Route.RUN, Route.RUN_AND_VERIFY, Route.ASK]))
    def it_is_decided(self, route):
        self.tell(dataclasses.replace(stories.decided(route), at=self.now))

    @while_in("deciding")
    @stateful.rule(route=st.sampled_from(Route), order=st.booleans(), approval=st.booleans())
    def a_decision_may_lack_something(self, route, order, approval):
        planned = stories.order() if order else None
        asked = stories.approval() if approval else None
        self.tell(flow.Decided(self.now, route, "half", planned, asked))

    @while_in("releasing")
    @stateful.rule()
    def the_order_is_released(self):
        self.tell(flow.Released(self.now))

    @while_in("releasing", "delivering", "withdrawing", "reporting")
    @stateful.rule(outcome=st.sampled_from([*ExecutionOutcome, *[ExecutionOutcome.SUCCESS] * 4]))
    def its_host_reports(self, outcome):
        self.tell(flow.OrderEnded(self.now, OrderId("ord_1"), outcome, "so it is", ("left",)))

    @while_in("releasing", "delivering", "withdrawing", "reporting")
    @stateful.rule(outcome=st.sampled_from(ExecutionOutcome), name=st.sampled_from(["0", "2"]))
    def a_host_reports_on_another_order(self, outcome, name):
        self.tell(flow.OrderEnded(self.now, OrderId(f"ord_{name}"), outcome, "so it is"))

    @while_in("asking")
    @stateful.rule(approved=st.booleans(), note=st.sampled_from(["", "not today"]))
    def a_person_answers(self, approved, note):
        self.tell(flow.Answered(approved, "bob", note))

    @while_in("asking", "confirming")
    @stateful.rule()
    def the_symptom_is_gone(self):
        self.tell(flow.Recovered(self.now))

    @while_in("withdrawing")
    @stateful.rule(taken_back=st.booleans())
    def the_order_is_asked_back(self, taken_back):
        self.tell(flow.Withdrawn(self.now, taken_back))

    @while_in("asking", "delivering", "reporting", "confirming")
    @stateful.rule()
    def the_wait_is_over(self):
        self.tell(flow.NothingCame())

    @stateful.rule(event=STRAYS)
    def something_comes_that_nobody_waits_for(self, event):
        self.tell(event)

    @stateful.rule()
    def the_centre_crashes_and_replays(self):
        life, turn = flow.begin(self.incident)
        deeds = list(turn.deeds)
        for event in self.history:
            life, turn = flow.advance(life, event)
            deeds += turn.deeds
        assert (life, turn.then, deeds) == (self.life, self.turn.then, self.deeds)

    @stateful.invariant()
    def it_is_where_it_has_to_be(self):
        phase = self.expected.phase
        assert self.life.status is STATUSES[phase], phase
        assert type(self.turn.then) is QUESTIONS[phase], phase
        if phase in {"asking", "delivering", "reporting", "confirming"}:
            assert self.turn.then.until == self.expected.until, "rule 6"
        closes = [deed for deed in self.deeds if isinstance(deed, flow.Close)]
        if phase == "closed":
            assert [(one.outcome, one.escalate) for one in closes] == [self.expected.end]
            assert closes[0] == self.deeds[-1]
            assert closes[0].summary
        else:
            assert not closes

    @stateful.invariant()
    def it_is_released_at_most_once_and_only_after_its_intent(self):
        intents = sum(isinstance(deed, flow.RecordIntent) for deed in self.deeds)
        assert self.releases == intents <= 1, "rule 2"
        answered = any(
            isinstance(event, flow.Answered) and event.approved for event in self.history
        )
        assert not (self.releases and self.life.route is Route.ASK and not answered), "rule 3"

    @stateful.invariant()
    def a_question_to_people_ends_once(self):
        opened = sum(isinstance(deed, flow.OpenApproval) for deed in self.deeds)
        ended = [deed.status for deed in self.deeds if isinstance(deed, flow.CloseApproval)]
        assert len(ended) <= opened <= 1
        wanted = {
            Outcome.EXPIRED: ApprovalStatus.EXPIRED,
            Outcome.SELF_RECOVERED: ApprovalStatus.WITHDRAWN,
        }
        outcome = self.expected.end[0] if self.expected.end else None
        assert ended == ([wanted[outcome]] if outcome in wanted else [])

    @stateful.invariant()
    def its_statuses_follow_one_another(self):
        status = Status.OPEN
        for deed in self.deeds:
            if isinstance(deed, flow.Move | flow.Close):
                following = deed.status if isinstance(deed, flow.Move) else Status.CLOSED
                assert following in NEXT[status]
                status = following


IncidentMachine.TestCase.settings = hypothesis.settings(
    max_examples=effort.pick(100, thorough=5_000), stateful_step_count=30
)
TestIncidentMachine = pytest.mark.property(IncidentMachine.TestCase)


# ---- what a life that is put together by hand, or a summary, would show ------------------------


def test_the_waits_are_those_that_the_documents_name():
    assert timedelta(minutes=3) == flow.DELIVERY_PATIENCE == flow.RECOVERY_PATIENCE
    assert timedelta(minutes=2) == flow.REPORT_MARGIN
    assert timedelta(minutes=15) == flow.ALERT_PATIENCE


def waiting(status, **more):
    life, _ = flow.begin(stories.incident())
    asked = flow.Wait(NOW, timedelta(0))
    return dataclasses.replace(life, status=status, asked=asked, **more)


def test_an_approval_of_nothing_goes_to_people():
    _, turn = flow.advance(waiting(Status.AWAITING_APPROVAL), flow.Answered(True, "bob"))
    assert turn.then is None
    assert [(deed.outcome, deed.escalate) for deed in turn.deeds] == [(Outcome.ESCALATED, True)]


@pytest.mark.parametrize("event", [flow.NothingCame(), flow.Recovered(NOW)])
def test_where_no_question_was_kept_none_is_taken_back(event):
    _, turn = flow.advance(waiting(Status.AWAITING_APPROVAL), event)
    assert [type(deed) for deed in turn.deeds] == [flow.Close]


def test_a_report_for_nobodys_order_changes_nothing():
    life = waiting(Status.MITIGATING)
    assert flow.advance(life, stories.ended(ExecutionOutcome.SUCCESS))[0] == life


def test_an_order_that_is_gone_is_waited_for_by_the_margin_alone():
    life = dataclasses.replace(waiting(Status.MITIGATING), asked=flow.Withdraw(OrderId("ord_1")))
    _, turn = flow.advance(life, flow.Withdrawn(NOW, taken_back=False))
    assert turn.then == flow.Wait(NOW + flow.REPORT_MARGIN, flow.REPORT_MARGIN)


@pytest.mark.parametrize(
    ("events", "summary"),
    [
        ([stories.ended(ExecutionOutcome.UNKNOWN)], "the host says so"),
        (
            [stories.ended(ExecutionOutcome.PARTIALLY_ROLLED_BACK, "one", "two")],
            "the host says so; not undone: one, two",
        ),
        ([stories.ended(ExecutionOutcome.DRY_RUN)], "dry run only: the host says so"),
    ],
)
def test_the_end_says_what_was_left_behind(events, summary):
    told = stories.live([stories.decided(Route.RUN_AND_VERIFY), stories.RELEASED, *events])
    assert stories.closing(told).summary == summary


@pytest.mark.parametrize(("note", "summary"), [("", "bob said no"), ("no!", "bob said no: no!")])
def test_a_no_is_told_with_its_note(note, summary):
    told = stories.live([stories.decided(Route.ASK), flow.Answered(False, "bob", note)])
    assert stories.closing(told).summary == summary


def test_nouns_of_the_flow_are_equal_when_they_say_the_same():
    assert flow.Decide() == flow.Decide()
    assert flow.NothingCame() == flow.NothingCame()


@pytest.mark.parametrize(
    ("now", "left"),
    [
        (NOW, timedelta(minutes=15)),
        (NOW + timedelta(minutes=14), timedelta(minutes=1)),
        (NOW + timedelta(minutes=16), timedelta(0)),
        (NOW - timedelta(days=365), timedelta(minutes=15)),
    ],
)
def test_a_clock_that_was_set_back_before_a_wait_makes_it_no_longer(now, left):
    """Seeds 6987 and 7391 of the long search: an incident would have waited a year."""
    wait = flow.Wait(NOW + timedelta(minutes=15), timedelta(minutes=15))
    assert wait.left(now) == left
