"""The rules of flow.incident, as a table of stories and as properties over all event orders."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentienguard.flow import incident as flow
from sentienguard.model.anomaly import Anomaly, Ground, Severity
from sentienguard.model.approval import Approval, ApprovalStatus
from sentienguard.model.decision import Route
from sentienguard.model.ids import AgentId, ApprovalId, Digest, IncidentId, OrderId, PlaybookName
from sentienguard.model.incident import NEXT, Incident, Outcome, Status
from sentienguard.model.order import ExecutionOutcome, Order
from sentienguard.model.telemetry import Series

NOW = datetime(2026, 2, 12, 11, 26, tzinfo=UTC)
INCIDENT = IncidentId("inc_20260212_112600_a8f3b2c1")


def incident() -> Incident:
    anomaly = Anomaly(
        series=Series("prod-db-01", "system.disk_usage_percent", "/var"),
        at=NOW,
        value=97.0,
        severity=Severity.CRITICAL,
        ground=Ground.LIMIT,
        sigma=None,
        baseline=None,
        trend=None,
        reason="disk /var is 97 % full",
    )
    return Incident(
        id=INCIDENT,
        agent=AgentId("a"),
        host="prod-db-01",
        environment="drill",
        tags={},
        fingerprint=anomaly.fingerprint,
        anomaly=anomaly,
        opened_at=NOW,
    )


def order(name: str = "ord_1") -> Order:
    return Order(
        id=OrderId(name),
        incident=INCIDENT,
        agent=AgentId("a"),
        environment="drill",
        playbook=PlaybookName("disk_cleanup"),
        version="1.0.0",
        digest=Digest("sha256:" + "0" * 64),
        parameters={"mount": "/var"},
        facts={},
        dry_run=False,
        created_at=NOW,
        deadline_s=120,
    )


def approval() -> Approval:
    return Approval(
        id=ApprovalId("apr_1"),
        incident=INCIDENT,
        environment="drill",
        playbook=PlaybookName("disk_cleanup"),
        digest=Digest("sha256:" + "0" * 64),
        question="may I?",
        reason="risk",
        opened_at=NOW,
        expires_at=NOW + timedelta(minutes=15),
    )


def decided(route: Route) -> flow.Decided:
    asked = approval() if route is Route.ASK else None
    planned = None if route is Route.ESCALATE else order()
    return flow.Decided(NOW, route, "because", planned, asked)


def ended(outcome: ExecutionOutcome, *left: str) -> flow.OrderEnded:
    return flow.OrderEnded(NOW, OrderId("ord_1"), outcome, "the host says so", tuple(left))


def live(events: Sequence[flow.Event]) -> list[flow.Deed | flow.Question]:
    """Feed events to a new life and return everything that it asked for, in order."""
    life, turn = flow.begin(incident())
    told: list[flow.Deed | flow.Question] = []
    for event in (None, *events):
        if event is not None:
            if turn.then is None:
                break
            life, turn = flow.advance(life, event)
        told += [*turn.deeds, *([turn.then] if turn.then is not None else [])]
    return told


def closing(told: Sequence[flow.Deed | flow.Question]) -> flow.Close | None:
    return next((deed for deed in told if isinstance(deed, flow.Close)), None)


RELEASED = flow.Released(NOW)
SETTLED = flow.Settled(NOW, "bob", "restarted it myself")
STORIES = [
    ("it heals and the centre sees it", Route.RUN_AND_VERIFY,
     [RELEASED, ended(ExecutionOutcome.SUCCESS), flow.Recovered(NOW)], Outcome.RESOLVED, False),
    ("RUN trusts the host's own verification", Route.RUN,
     [RELEASED, ended(ExecutionOutcome.SUCCESS)], Outcome.RESOLVED, False),
    ("the host found nothing to do", Route.RUN,
     [RELEASED, ended(ExecutionOutcome.SUCCESS_NO_ACTION)], Outcome.NO_ACTION_NEEDED, False),
    ("the host says it worked and the centre sees the symptom", Route.RUN_AND_VERIFY,
     [RELEASED, ended(ExecutionOutcome.SUCCESS), flow.NothingCame()], Outcome.ESCALATED, True),
    ("a failed remedy that was undone goes to people", Route.RUN_AND_VERIFY,
     [RELEASED, ended(ExecutionOutcome.ROLLED_BACK)], Outcome.ROLLED_BACK, True),
    ("a failed remedy that left something goes to people", Route.RUN_AND_VERIFY,
     [RELEASED, ended(ExecutionOutcome.PARTIALLY_ROLLED_BACK, "clear_cache")],
     Outcome.FAILED, True),
    ("an unknown effect goes to people", Route.RUN,
     [RELEASED, ended(ExecutionOutcome.UNKNOWN)], Outcome.FAILED, True),
    ("a refusal goes to people", Route.RUN,
     [RELEASED, ended(ExecutionOutcome.REFUSED)], Outcome.ESCALATED, True),
    ("a dry run shows and goes to people", Route.DRY_RUN,
     [RELEASED, ended(ExecutionOutcome.DRY_RUN)], Outcome.ESCALATED, True),
    ("nothing safe to run", Route.ESCALATE, [], Outcome.ESCALATED, True),
    ("a person says no", Route.ASK, [flow.Answered(approved=False, by="bob")],
     Outcome.REJECTED, True),
    ("nobody answers", Route.ASK, [flow.NothingCame()], Outcome.EXPIRED, True),
    ("it ends by itself while a person thinks", Route.ASK, [flow.Recovered(NOW)],
     Outcome.SELF_RECOVERED, False),
    ("a person says yes and it heals", Route.ASK,
     [flow.Answered(approved=True, by="bob"), RELEASED, ended(ExecutionOutcome.SUCCESS),
      flow.Recovered(NOW)], Outcome.RESOLVED, False),
    ("a person fixes it instead of answering", Route.ASK, [SETTLED],
     Outcome.FIXED_BY_PERSON, False),
    ("a person fixes it while the centre looks whether the remedy helped", Route.RUN_AND_VERIFY,
     [RELEASED, ended(ExecutionOutcome.SUCCESS), SETTLED], Outcome.FIXED_BY_PERSON, False),
    ("a person cannot close what is under way", Route.RUN,
     [SETTLED, RELEASED, SETTLED, ended(ExecutionOutcome.SUCCESS)], Outcome.RESOLVED, False),
    ("the host never fetches the order", Route.RUN,
     [RELEASED, flow.NothingCame(), flow.Withdrawn(NOW, taken_back=True)],
     Outcome.ESCALATED, True),
    ("the host takes the order and never reports", Route.RUN,
     [RELEASED, flow.NothingCame(), flow.Withdrawn(NOW, taken_back=False), flow.NothingCame()],
     Outcome.FAILED, True),
]  # fmt: skip


@pytest.mark.parametrize(
    ("route", "events", "outcome", "escalated"),
    [story[1:] for story in STORIES],
    ids=[story[0] for story in STORIES],
)
def test_story_ends_as_it_should(
    route: Route, events: list[flow.Event], outcome: Outcome, escalated: bool
) -> None:
    close = closing(live([decided(route), *events]))
    assert close is not None
    assert (close.outcome, close.escalate) == (outcome, escalated)


def test_intent_is_recorded_right_before_the_release() -> None:
    told = live([decided(Route.RUN)])
    kinds = [type(item) for item in told]
    assert kinds.index(flow.RecordIntent) < kinds.index(flow.Release)


def test_late_report_is_waited_for_as_long_as_the_order_may_run() -> None:
    told = live([decided(Route.RUN), RELEASED, flow.NothingCame(), flow.Withdrawn(NOW, False)])
    wait = told[-1]
    assert isinstance(wait, flow.Wait)
    assert wait.until == NOW + timedelta(seconds=120) + flow.REPORT_MARGIN


def test_open_question_is_taken_back_when_the_symptom_ends_by_itself() -> None:
    told = live([decided(Route.ASK), flow.Recovered(NOW)])
    closed = [deed for deed in told if isinstance(deed, flow.CloseApproval)]
    assert [deed.status for deed in closed] == [ApprovalStatus.WITHDRAWN]


def test_what_a_person_closes_takes_the_question_back_and_says_who_and_why() -> None:
    *_, back, close = live([decided(Route.ASK), SETTLED])
    assert back == flow.CloseApproval(approval(), ApprovalStatus.WITHDRAWN)
    assert close == flow.Close(
        Outcome.FIXED_BY_PERSON, "closed by bob: restarted it myself", escalate=False, by="bob"
    )


@pytest.mark.parametrize("route", [Route.RUN, Route.RUN_AND_VERIFY, Route.ASK, Route.DRY_RUN])
def test_route_without_what_it_needs_permits_nothing(route: Route) -> None:
    told = live([flow.Decided(NOW, route, "incomplete")])
    close = closing(told)
    assert close is not None
    assert close.outcome is Outcome.ESCALATED
    assert not any(isinstance(item, flow.Release) for item in told)


EVENTS = st.lists(
    st.one_of(
        st.sampled_from(list(Route)).map(decided),
        st.builds(flow.Answered, st.booleans(), st.just("bob")),
        st.just(RELEASED),
        st.sampled_from(list(ExecutionOutcome)).map(ended),
        st.just(flow.OrderEnded(NOW, OrderId("ord_2"), ExecutionOutcome.SUCCESS, "another")),
        st.just(flow.Recovered(NOW)),
        st.just(SETTLED),
        st.builds(flow.Withdrawn, st.just(NOW), st.booleans()),
        st.just(flow.NothingCame()),
    ),
    max_size=25,
)


@given(EVENTS)
def test_whatever_happens_the_rules_hold(events: list[flow.Event]) -> None:
    told = live(events)
    releases = [at for at, item in enumerate(told) if isinstance(item, flow.Release)]
    intents = [at for at, item in enumerate(told) if isinstance(item, flow.RecordIntent)]
    # A question that is asked again (rule 7) stands next to itself: that is one release.
    distinct = [at for at in releases if at == 0 or told[at - 1] != told[at]]
    assert len(distinct) <= 1, "rule 2"
    assert all(any(intent < at for intent in intents) for at in releases), "rule 1"
    said_no = any(isinstance(e, flow.Answered) and not e.approved for e in events)
    close = closing(told)
    if close is not None:
        assert told[-1] == close, "nothing follows the end"
        if close.outcome is Outcome.RESOLVED:
            assert releases, "rule 4"
            assert any(
                isinstance(e, flow.OrderEnded) and e.outcome is ExecutionOutcome.SUCCESS
                for e in events
            ), "rule 4"
        if close.outcome is Outcome.REJECTED:
            assert said_no, "rule 3"
            assert not releases, "rule 3"
        assert (close.outcome is Outcome.FIXED_BY_PERSON) == bool(close.by), "rule 8"
        if close.outcome is Outcome.FIXED_BY_PERSON:
            reported = [e for e in events if isinstance(e, flow.OrderEnded)]
            assert SETTLED in events, "rule 8"
            assert reported or not releases, "rule 8"  # nothing is under way
        if close.outcome in {Outcome.ROLLED_BACK, Outcome.FAILED}:
            assert close.escalate, "rule 5"
    waits = [item for item in told if isinstance(item, flow.Wait)]
    assert all(wait.until <= NOW + timedelta(hours=1) for wait in waits), "rule 6"


@given(EVENTS)
def test_statuses_follow_the_life_of_an_incident(events: list[flow.Event]) -> None:
    status = Status.OPEN
    for item in live(events):
        wanted = {flow.Move: getattr(item, "status", None), flow.Close: Status.CLOSED}.get(
            type(item)
        )
        if wanted is not None:
            assert wanted in NEXT[status], f"{status} -> {wanted}"
            status = wanted


@given(EVENTS)
def test_only_an_approval_releases_what_waits_for_a_person(events: list[flow.Event]) -> None:
    told = live([decided(Route.ASK), *events])
    if any(isinstance(item, flow.Release) for item in told):
        first = next(
            e
            for e in events
            if isinstance(e, flow.Answered | flow.Recovered | flow.Settled | flow.NothingCame)
        )
        assert isinstance(first, flow.Answered)
        assert first.approved


def requested() -> Incident:
    opened = incident()
    return replace(opened, anomaly=replace(opened.anomaly, ground=Ground.REQUEST))


def test_a_request_hears_of_no_recovery_and_is_credited_to_the_person() -> None:
    life, _ = flow.begin(requested())
    life, _ = flow.advance(life, flow.Decided(NOW, Route.ASK, "asked", order(), approval()))
    again, turn = flow.advance(life, flow.Recovered(NOW))
    assert (again, turn.deeds) == (life, ())
    life, _ = flow.advance(life, flow.Answered(approved=True, by="kim"))
    life, _ = flow.advance(life, flow.Released(NOW))
    ended = flow.OrderEnded(NOW, order().id, ExecutionOutcome.SUCCESS, "3 of 3 steps acted")
    _, turn = flow.advance(life, ended)
    [close] = turn.deeds
    assert isinstance(close, flow.Close)
    assert (close.outcome, close.escalate) == (Outcome.FIXED_BY_PERSON, False)
