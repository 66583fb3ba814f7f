"""An incident is decided again only where its host ruled a remedy out untouched; each has its own
decision, intent and yes, and all of it replays."""

import dataclasses
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentienguard.controlplane import event_codec
from sentienguard.flow import deciding, further
from sentienguard.flow import incident as flow
from sentienguard.model.approval import Approval
from sentienguard.model.decision import Route
from sentienguard.model.ids import ApprovalId, OrderId, order_id
from sentienguard.model.incident import NEXT, Outcome, Status
from sentienguard.model.order import NOTHING_TO_REMOVE, ExecutionOutcome, Order
from sentienguard.ports.order_store import NoSuchOrder
from tests.support import replay_centre
from tests.support.replay_centre import Facts
from tests.unit.flow.test_flow_incident import NOW, approval, incident, live, order, requested

ABORTED, REFUSED = ExecutionOutcome.ABORTED, ExecutionOutcome.REFUSED
RELEASED = flow.Released(NOW)


def numbered(number: int) -> tuple[Order, Approval]:
    asked = dataclasses.replace(approval(), id=ApprovalId(f"apr_{number}"))
    return order(f"ord_{number}"), asked


def decided(number: int, route: Route) -> flow.Decided:
    planned, asked = numbered(number)
    if route is Route.ESCALATE:
        return flow.Decided(NOW, route, "no playbook is for this")
    return flow.Decided(NOW, route, "because", planned, asked if route is Route.ASK else None)


def ruled_out(number: int, outcome: ExecutionOutcome = ABORTED) -> flow.OrderEnded:
    why = "the guard is false"
    return flow.OrderEnded(NOW, OrderId(f"ord_{number}"), outcome, why, not_for_this=True)


def answered(number: int, *, approved: bool = True) -> flow.Answered:
    return flow.Answered(approved, "bob", approval=f"apr_{number}")


def close_of(events: list[flow.Event]) -> flow.Close | None:
    return next((one for one in live(events) if isinstance(one, flow.Close)), None)


@pytest.mark.parametrize("outcome", [ABORTED, REFUSED])
def test_what_the_host_ruled_out_untouched_is_followed_by_another_decision(outcome):
    told = live([decided(1, Route.RUN), RELEASED, ruled_out(1, outcome), decided(2, Route.RUN)])
    assert flow.Decide((OrderId("ord_1"),)) in told
    releases = [one.order.id for one in told if isinstance(one, flow.Release)]
    intents = [one.order.id for one in told if isinstance(one, flow.RecordIntent)]
    assert releases == intents == ["ord_1", "ord_2"]


def test_the_end_of_the_second_is_the_end_of_the_incident():
    done = flow.OrderEnded(NOW, OrderId("ord_2"), ExecutionOutcome.SUCCESS, "it works")
    close = close_of([decided(1, Route.RUN), RELEASED, ruled_out(1), decided(2, Route.RUN),
                      RELEASED, done])  # fmt: skip
    assert close == flow.Close(Outcome.RESOLVED, "it works", escalate=False)


def test_people_hear_what_the_host_said_and_that_nothing_else_is_for_it():
    close = close_of([decided(1, Route.RUN), RELEASED, ruled_out(1), decided(2, Route.ESCALATE)])
    summary = "the guard is false; no playbook is for this"
    assert close == flow.Close(Outcome.ESCALATED, summary, escalate=True)


def test_no_more_than_so_many_further_decisions_are_made():
    events: list[flow.Event] = []
    for number in range(1, 9):
        events += [decided(number, Route.RUN), RELEASED, ruled_out(number)]
    told = live(events)
    assert flow.MOST_FURTHER == 2  # of which a person was promised not to see more
    assert sum(isinstance(one, flow.Decide) for one in told) == 1 + flow.MOST_FURTHER
    assert isinstance(told[-1], flow.Close)


def test_the_second_order_is_taken_back_too_where_its_host_does_not_fetch_it():
    fetched_late = [flow.NothingCame(), flow.Withdrawn(NOW, taken_back=False), ruled_out(1)]
    told = live([decided(1, Route.RUN), RELEASED, *fetched_late, decided(2, Route.RUN),
                 RELEASED, flow.NothingCame()])  # fmt: skip
    assert told[-1] == flow.Withdraw(OrderId("ord_2"))


@pytest.mark.parametrize(
    "end",
    [
        *(
            dataclasses.replace(ruled_out(1), outcome=one)
            for one in ExecutionOutcome
            if one not in {ABORTED, REFUSED}
        ),
        dataclasses.replace(ruled_out(1), not_for_this=False),
        dataclasses.replace(ruled_out(1), left_behind=("restart",)),
    ],
)
def test_after_anything_else_there_is_no_second_remedy(end):
    told = live([decided(1, Route.RUN), RELEASED, end, decided(2, Route.RUN)])
    assert sum(isinstance(one, flow.Release) for one in told) == 1
    assert flow.Decide((OrderId("ord_1"),)) not in told


def test_what_a_person_asked_for_by_name_is_followed_by_nothing():
    life, _ = flow.begin(requested())
    for event in (decided(1, Route.RUN), RELEASED):
        life, _ = flow.advance(life, event)
    _, turn = flow.advance(life, ruled_out(1))
    assert turn.then is None


def test_a_yes_to_a_question_that_was_never_asked_releases_nothing():
    told = live([decided(1, Route.ASK), answered(9)])
    assert not any(isinstance(one, flow.Release) for one in told)


@pytest.mark.parametrize("late", [answered(1), flow.Answered(approved=True, by="bob")])
def test_a_late_yes_to_the_first_question_is_none_to_the_second(late):
    told = live([decided(1, Route.ASK), answered(1), RELEASED, ruled_out(1),
                 decided(2, Route.ASK), late])  # fmt: skip
    assert [one.order.id for one in told if isinstance(one, flow.Release)] == ["ord_1"]
    told = live([decided(1, Route.ASK), answered(1), RELEASED, ruled_out(1),
                 decided(2, Route.ASK), late, answered(2)])  # fmt: skip
    assert [one.order.id for one in told if isinstance(one, flow.Release)] == ["ord_1", "ord_2"]


def test_what_an_earlier_release_of_the_product_wrote_is_read_as_it_was_meant():
    old = {"event": "OrderEnded", "at": "2026-02-12T11:26:00Z", "order": "ord_1",
           "outcome": "ABORTED", "reason": "no", "left_behind": []}  # fmt: skip
    read = event_codec.decode(old)
    assert isinstance(read, flow.OrderEnded)
    assert not read.not_for_this
    assert event_codec.decode(event_codec.encode(ruled_out(1))) == ruled_out(1)


NUMBER = st.integers(1, 4)
EVENTS = st.lists(
    st.one_of(
        st.builds(decided, NUMBER, st.sampled_from(Route)),
        st.just(RELEASED),
        st.builds(ruled_out, NUMBER, st.sampled_from([ABORTED, REFUSED])),
        st.builds(
            lambda number, how: flow.OrderEnded(NOW, OrderId(f"ord_{number}"), how, "so"),
            NUMBER,
            st.sampled_from(ExecutionOutcome),
        ),
        st.builds(lambda number, yes: answered(number, approved=yes), NUMBER, st.booleans()),
        st.builds(flow.Withdrawn, st.just(NOW), st.booleans()),
        st.just(flow.Recovered(NOW)),
        st.just(flow.NothingCame()),
    ),
    max_size=40,
)


def permitted_by(life: flow.Life, event: flow.Event) -> str | None:
    """Return the order that this event permits to be released; None: it permits nothing new."""
    if isinstance(event, flow.Decided) and isinstance(life.asked, flow.Decide):
        return event.order.id if event.order and event.approval is None else ""
    yes = isinstance(event, flow.Answered) and event.approved
    if yes and life.approval and life.order and event.approval == life.approval.id:
        return life.order.id
    return None


@given(EVENTS)
def test_whatever_happens_each_release_has_its_own_decision_intent_and_yes(events):
    life, turn = flow.begin(incident())
    permitted, intended, released = "", set(), []
    ended: dict[str, ExecutionOutcome] = {}
    for event in events:
        if turn.then is None:
            break
        permitted = found if (found := permitted_by(life, event)) is not None else permitted
        if isinstance(event, flow.OrderEnded) and life.order and life.order.id == event.order:
            ended.setdefault(event.order, event.outcome)
        life, turn = flow.advance(life, event)
        intended |= {one.order.id for one in turn.deeds if isinstance(one, flow.RecordIntent)}
        if isinstance(turn.then, flow.Release) and turn.deeds:
            name = turn.then.order.id
            assert name in intended
            assert name == permitted
            assert all(ended[one] in {ABORTED, REFUSED} for one in released)
            released.append(name)
    assert len(released) <= 1 + flow.MOST_FURTHER


@given(EVENTS)
def test_statuses_follow_the_life_of_an_incident_that_is_decided_again(events):
    status = Status.OPEN
    for deed in live(events):
        moved = deed.status if isinstance(deed, flow.Move) else None
        moved = Status.CLOSED if isinstance(deed, flow.Close) else moved
        if moved is not None:
            assert moved in NEXT[status]
            status = moved


# ---- the decision itself, on a real log ---------------------------------------------------------


class Orders:
    """Orders that were released; the rest is what the replay centre says."""

    def __init__(self, rest):
        self._rest, self.rows, self.stopped_by = rest, {}, None

    def __getattr__(self, name):
        return getattr(self._rest, name)

    def get(self, wanted):
        if wanted not in self.rows:
            raise NoSuchOrder(wanted)
        return SimpleNamespace(order=self.rows[wanted], stop_requested_by=self.stopped_by)


@pytest.fixture
def decided_once(tmp_path):
    """Return a full disk for which several playbooks match, decided once, and its order."""
    facts = Facts(verified=30)
    with replay_centre.opened(tmp_path / "centre", facts) as centre:
        wanted = replay_centre.incident(1, "system.disk_usage_percent", "/var", facts)
        centre.orders = Orders(centre.orders)
        standing = [SimpleNamespace(incident=wanted.id)]
        centre.episodes = SimpleNamespace(
            sample_of=lambda _: facts.sample_text, standing=lambda _: standing
        )
        judging = deciding.Deciding(centre, SimpleNamespace(recent_samples=lambda _: ()))
        first = judging.decide(wanted)
        centre.orders.rows[first.order.id] = first.order
        yield SimpleNamespace(
            centre=centre, incident=wanted, judging=judging, first=first, standing=standing
        )


def made(case):
    return [
        one.fields
        for one in case.centre.log.by_incident(case.incident.id)
        if one.fields["kind"] == "decision.made"
    ]


def test_the_next_candidate_is_judged_anew_recorded_beside_the_first_and_replays(decided_once):
    case = decided_once
    before = case.centre.incidents.decision(case.incident.id)
    second = case.judging.decide(case.incident, (case.first.order.id,))
    now = case.centre.incidents.decision(case.incident.id)
    assert now.playbook not in {None, before.playbook}
    assert now.playbook in {one.playbook for one in before.candidates}
    assert second.order.id == order_id(case.incident.id, now.digest, dry_run=False)
    assert second.route <= min(before.route, Route.RUN_AND_VERIFY)
    assert [one.get("data").get("number", 1) for one in made(case)] == [1, 2]
    found = replay_centre.replay(case.centre, case.incident)
    assert found.is_identical, found.differences
    assert found.decision == now
    assert any(before.playbook in note for note in found.notes)


def test_asked_a_second_time_it_gives_the_same_and_writes_nothing(decided_once):
    case = decided_once
    out = (case.first.order.id,)
    once, entries = case.judging.decide(case.incident, out), len(made(case))
    assert case.judging.decide(case.incident, out) == once
    assert len(made(case)) == entries


def test_a_process_that_died_before_it_kept_the_decision_finds_it_in_the_log(decided_once):
    case = decided_once
    before = case.centre.incidents.decision(case.incident.id)
    once = case.judging.decide(case.incident, (case.first.order.id,))
    case.centre.incidents.made[case.incident.id] = before
    assert case.judging.decide(case.incident, (case.first.order.id,)) == once
    assert case.centre.incidents.decision(case.incident.id).playbook == once.order.playbook


def test_where_the_symptom_is_gone_nothing_else_is_tried(decided_once):
    case = decided_once
    case.standing.clear()
    second = case.judging.decide(case.incident, (case.first.order.id,))
    assert (second.route, second.order) == (Route.ESCALATE, None)
    assert "gone" in second.reason


def test_where_everything_is_ruled_out_people_get_it(decided_once):
    case = decided_once
    out, found = [case.first.order.id], case.first
    for _ in range(8):
        found = case.judging.decide(case.incident, tuple(out))
        if found.order is None:
            break
        case.centre.orders.rows[found.order.id] = found.order
        out.append(found.order.id)
    assert found.route is Route.ESCALATE
    assert len(set(out)) == len(out)


@pytest.fixture
def rules_out(decided_once):
    """Return a function that tells whether an end of the first order leads to another decision."""
    case = decided_once
    entries, real = [], case.centre.log.by_incident
    name, agent = case.first.order.id, case.first.order.agent

    def told(kind, **data):
        src = f"agent:{agent}"
        fields = {"kind": kind, "src": src, "data": {"order_id": name, "agent": agent, **data}}
        entries.append(SimpleNamespace(fields=fields))

    entries.append(SimpleNamespace(fields={"kind": "order.intent", "src": "cp",
                                           "data": {"agent": agent}}))  # fmt: skip
    case.centre.log.by_incident = lambda wanted: [*real(wanted), *entries]

    def judge(outcome=ABORTED, **data):
        return further.is_not_for_this(case.centre, case.incident.id, name, outcome, data)

    return SimpleNamespace(judge=judge, told=told, case=case)


REMOVES = {"reason": f"{NOTHING_TO_REMOVE}: no file fits"}


def test_a_guard_that_is_false_leads_on_and_no_other_rule_of_admission_does(rules_out):
    assert rules_out.judge(REFUSED, rule="guard_holds")
    for rule in ("not_forbidden", "within_budget", "approved", "parameters", "", None):
        assert not rules_out.judge(REFUSED, rule=rule)


def test_nothing_to_remove_leads_on(rules_out):
    assert rules_out.judge(**REMOVES)
    assert not rules_out.judge(reason="the executor was cut off before the first step")
    for outcome in ExecutionOutcome:
        assert rules_out.judge(outcome, **REMOVES) == (outcome is ABORTED)


def test_a_stop_that_was_asked_for_leads_nowhere(rules_out):
    rules_out.case.centre.orders.stopped_by = "kim"
    assert not rules_out.judge(**REMOVES)


@pytest.mark.parametrize("kind", ["step.done", "undo.done"])
def test_after_a_step_whatever_the_host_calls_it_nothing_leads_on(rules_out, kind):
    rules_out.told(kind, name="rotate", status="failed")
    assert not rules_out.judge(**REMOVES)
    assert not rules_out.judge(REFUSED, rule="guard_holds")


def test_a_check_that_nobody_declared_measures_nothing(rules_out):
    rules_out.told("precheck.done", name="made_up", status="failed")
    assert not rules_out.judge(**REMOVES)


def test_an_end_of_an_order_that_was_not_decided_last_leads_nowhere(rules_out):
    case = rules_out.case
    assert not further.is_not_for_this(
        case.centre, case.incident.id, OrderId("ord_other"), ABORTED, REMOVES
    )
