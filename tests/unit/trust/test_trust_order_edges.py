"""What lies right beside each limit of orders, stops and approvals."""

import base64
import dataclasses
from datetime import timedelta

import pytest

from sentienguard.trust import canonical, dsse, order
from tests.unit.trust.test_trust_documents import (
    APPROVERS,
    DISPATCH,
    NOW,
    ORDER,
    ROOT,
    SIGNED,
    approving,
    key,
    raw_order,
    with_approvals,
)

STOP = order.SignedStop(ORDER.id, ORDER.agent, "ab" * 16, 8, "alice")


def sealed(**changed):
    payload = canonical.encode(raw_order(**changed))
    return dsse.seal(order.ORDER_TYPE, payload, [DISPATCH])


def test_the_limits_and_types_are_those_of_the_protocol():
    assert order.ORDER_TYPE == "application/vnd.sentienguard.order+json"
    assert order.STOP_TYPE == "application/vnd.sentienguard.stop+json"
    assert order.APPROVAL_TYPE == "application/vnd.sentienguard.approval+json"
    limits = (order.MAX_PARAMETERS, order.MAX_FACTS, order.MAX_APPROVALS, order.MAX_DEADLINE_S)
    assert limits == (32, 128, 16, 86_400)
    assert SIGNED.approvals == ()


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("parameters", {f"p{n}": "x" for n in range(32)}),
        ("facts", {f"p{n}": "x" for n in range(128)}),
        ("approvals", [{}] * 16),
        ("deadline_s", 1),
        ("deadline_s", 86_400),
        ("seq", 1),
        ("seq", canonical.MAX_INTEGER),
        ("dry_run", True),
    ],
)
def test_what_just_passes(member, value):
    opened = order.open_order(sealed(**{member: value}), ROOT)
    found = opened if member in {"seq", "approvals"} else opened.order
    expected = tuple(value) if member == "approvals" else value
    assert getattr(found, member) == expected


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("facts", {f"p{n}": "x" for n in range(129)}),
        ("approvals", [{}] * 17),
        ("approvals", [{}, "text", {}]),
        ("deadline_s", 86_401),
        ("seq", 0),
    ],
)
def test_what_is_just_refused(member, value):
    with pytest.raises(dsse.NotTrusted):
        order.open_order(sealed(**{member: value}), ROOT)


def test_what_an_envelope_claims_is_read_whoever_signed_it():
    envelope = order.seal_order(SIGNED, key("stranger"))
    assert order.claimed_order(envelope) == SIGNED
    with pytest.raises(dsse.NotTrusted):
        order.open_order(envelope, ROOT)


@pytest.mark.parametrize(
    "broken", [{}, None, {"payload": "", "payloadType": "x", "signatures": []}]
)
def test_what_has_not_the_form_of_an_order_claims_nothing(broken):
    with pytest.raises(dsse.NotTrusted):
        order.claimed_order(broken)
    with pytest.raises(dsse.NotTrusted):
        order.claimed_order(order.seal_stop(STOP, DISPATCH))


@pytest.mark.parametrize("changed", [{"nonce": "short"}, {"seq": 0}, {"approvals": ({},) * 17}])
def test_an_order_that_hosts_would_refuse_is_not_sealed(changed):
    with pytest.raises(dsse.NotTrusted):
        order.seal_order(dataclasses.replace(SIGNED, **changed), DISPATCH)


@pytest.mark.parametrize(
    "changed",
    [{"nonce": "short"}, {"seq": 0}, {"seq": canonical.MAX_INTEGER + 1}, {"by": "a\nb"},
     {"order": "ord_1"}, {"agent": ""}],
)  # fmt: skip
def test_a_stop_that_hosts_would_refuse_is_not_sealed(changed):
    with pytest.raises((dsse.NotTrusted, canonical.NotCanonical)):
        order.seal_stop(dataclasses.replace(STOP, **changed), DISPATCH)


@pytest.mark.parametrize("seq", [1, canonical.MAX_INTEGER])
def test_a_stop_has_any_number_from_one(seq):
    stop = dataclasses.replace(STOP, seq=seq)
    assert order.open_stop(order.seal_stop(stop, DISPATCH), ROOT) == stop


def approval(**changed):
    payload = base64.b64decode(approving(ORDER, "bob", APPROVERS[0])["payload"])
    document = {**canonical.decode(payload), **changed}
    return dsse.seal(order.APPROVAL_TYPE, canonical.encode(document), [APPROVERS[0]])


def without(member):
    document = canonical.decode(base64.b64decode(approval()["payload"]))
    del document[member]
    return dsse.seal(order.APPROVAL_TYPE, canonical.encode(document), [APPROVERS[0]])


MOMENT, DAY = timedelta(milliseconds=1), timedelta(days=1)


@pytest.mark.parametrize(
    ("lasts", "counts"),
    [(-DAY, False), (-MOMENT, False), (0 * DAY, False), (MOMENT, True), (DAY - MOMENT, True),
     (DAY, True), (DAY + MOMENT, False), (365 * DAY, False)],
)  # fmt: skip
def test_an_approval_counts_until_it_is_over_and_for_a_day_at_most(lasts, counts):
    bob = approving(ORDER, "bob", APPROVERS[0], lasts=lasts)
    ann = approving(ORDER, "ann", APPROVERS[1])
    signed = with_approvals(bob, ann)
    found = order.approved_by(signed, ROOT, NOW)
    assert found == ({APPROVERS[0].id: "bob"} if counts else {}) | {APPROVERS[1].id: "ann"}
    if not counts:
        with pytest.raises(dsse.NotTrusted, match="1 are valid"):
            order.require_approvals(signed, ROOT, NOW)


def test_a_longer_life_than_was_signed_is_no_word_of_the_approver():
    payload = canonical.decode(base64.b64decode(approving(ORDER, "bob", APPROVERS[0])["payload"]))
    signed = approving(ORDER, "bob", APPROVERS[0], lasts=-MOMENT)
    text = canonical.encode(payload)  # an hour from now, under the signature of what is over
    longer = {**signed, "payload": base64.b64encode(text).decode()}
    assert order.approved_by(with_approvals(longer), ROOT, NOW) == {}


def test_an_approval_names_the_whole_deed():
    payload = base64.b64decode(approving(ORDER, "bob", APPROVERS[0])["payload"])
    assert canonical.decode(payload) == {
        "v": 1, "order_id": ORDER.id, "incident_id": ORDER.incident, "agent_id": ORDER.agent,
        "environment": "production", "digest": ORDER.digest, "parameters": {"mount": "/var"},
        "dry_run": False, "approver": "bob", "expires_ms": 1770899160000,
    }  # fmt: skip


@pytest.mark.parametrize(
    "spoiled",
    [
        approval(approver="bo\nb"),
        approval(approver=1),
        approval(expires_ms="1770899160000"),
        approval(expires_ms=-1),
        without("expires_ms"),
        without("approver"),
        approval(more=1),
        approval(v=2),
        {"junk": 1},
        order.seal_order(SIGNED, APPROVERS[0]),
    ],
)
def test_an_approval_of_another_form_adds_nobody_and_spoils_nothing(spoiled):
    ann = approving(ORDER, "ann", APPROVERS[1])
    signed = with_approvals(spoiled, approval(), ann)
    assert order.approved_by(signed, ROOT, NOW) == {APPROVERS[0].id: "bob", APPROVERS[1].id: "ann"}
    assert order.approved_by(with_approvals(spoiled), ROOT, NOW) == {}


def test_one_envelope_may_carry_two_approvers():
    payload = base64.b64decode(approving(ORDER, "both", APPROVERS[0])["payload"])
    both = dsse.seal(order.APPROVAL_TYPE, payload, APPROVERS[:2])
    found = order.require_approvals(with_approvals(both), ROOT, NOW)
    assert found == {APPROVERS[0].id: "both", APPROVERS[1].id: "both"}


def test_more_approvals_than_needed_are_enough():
    people = [approving(ORDER, one.id, one) for one in APPROVERS]
    assert len(order.require_approvals(with_approvals(*people), ROOT, NOW)) == 3
