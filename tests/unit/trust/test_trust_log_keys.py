"""Which key signs the log at which size, and what a root may say about that."""

import dataclasses
from datetime import UTC, datetime

import pytest

from sentienguard.trust import ceremony, dsse, log_keys
from sentienguard.trust import root as roots
from sentienguard.trust.keys import SigningKey
from sentienguard.trust.log_keys import LogKey, LogSigners
from sentienguard.trust.root import RoleName

NOW, LATER = datetime(2026, 11, 21, tzinfo=UTC), datetime(2027, 11, 21, tzinfo=UTC)
ROOT, SIGNER, DISPATCH, OLD, NEXT, THIRD = (SigningKey.from_seed(bytes([n]) * 32) for n in range(6))


def envelope(version=1, ends=None, keys=(OLD, NEXT)):
    roles = {
        RoleName.ROOT: ([ROOT.public], 1),
        RoleName.SIGNER: ([SIGNER.public], 1),
        RoleName.DISPATCH: ([DISPATCH.public], 1),
        RoleName.LOG: ([key.public for key in keys], 1),
        RoleName.APPROVER: ([], 1),
    }
    payload = roots.payload(
        version=version, expires_at=LATER, roles=roles, log_origin="log.example", log_ends=ends
    )
    return dsse.seal(roots.PAYLOAD_TYPE, payload, [ROOT])


def first(ends=None, keys=(OLD, NEXT)):
    made = envelope(1, ends, keys)
    return roots.first(made, roots.digest_of(made), now=NOW)


def test_a_root_without_ends_says_what_it_said_before_there_were_any():
    assert first(keys=(OLD,)).log_keys == (LogKey(OLD.public),)
    assert first(keys=(OLD,)).log_ends == {}


def test_keys_are_listed_what_goes_on_first_then_the_latest_to_end():
    found = first({OLD.id: 7, NEXT.id: 90}, keys=(OLD, NEXT, THIRD)).log_keys
    assert found == (LogKey(THIRD.public), LogKey(NEXT.public, 90), LogKey(OLD.public, 7))


@pytest.mark.parametrize(
    ("ends", "why"),
    [
        ({OLD.id: 7, NEXT.id: 9}, "one has to go on"),
        ({DISPATCH.id: 7}, "no key of the log"),
        ({"0" * 16: 7}, "no key of the log"),
        ({OLD.id: 0}, "is not 1 to"),
        ({OLD.id: -1}, "is not 1 to"),
        ({OLD.id: True}, "is not 1 to"),
        ({OLD.id: "7"}, "is not 1 to"),
        ({OLD.id: None}, "is not 1 to"),
        ([OLD.id], "not an object"),
    ],
)
def test_an_end_that_makes_no_sense_is_refused(ends, why):
    payload = dsse.opened(envelope(), roots.PAYLOAD_TYPE, ())[0]
    spoilt = roots.canonical.encode({**roots.canonical.decode_object(payload), "log_ends": ends})
    made = dsse.seal(roots.PAYLOAD_TYPE, spoilt, [ROOT])
    with pytest.raises(dsse.NotTrusted, match=why):
        roots.first(made, roots.digest_of(made), now=NOW)


@pytest.mark.parametrize(
    ("ends", "keys", "taken"),
    [
        ({OLD.id: 7}, (OLD, NEXT), True),
        ({OLD.id: 6}, (OLD, NEXT), True),  # it was stolen earlier than was thought
        ({OLD.id: 7, NEXT.id: 50}, (OLD, NEXT, THIRD), True),
        ({OLD.id: 8}, (OLD, NEXT), False),
        (None, (OLD, NEXT), False),
        ({NEXT.id: 50}, (OLD, NEXT), False),
        (None, (NEXT,), False),  # dropped now, it could be named again without an end later
    ],
)
def test_an_end_stays_whoever_signs_the_next_root(ends, keys, taken):
    current = first({OLD.id: 7})
    following = envelope(2, ends, keys)
    if taken:
        assert roots.rotate(current, following, now=NOW).version == 2
        return
    with pytest.raises(dsse.NotTrusted, match="rule 10"):
        roots.rotate(current, following, now=NOW)


def test_each_size_has_one_signer():
    named = (LogKey(THIRD.public), LogKey(NEXT.public, 90), LogKey(OLD.public, 7))
    signers = log_keys.held(named, [OLD, THIRD, NEXT])
    found = {size: signers.signer(size).id for size in (0, 7, 8, 90, 91, 10**9)}
    assert found == {
        0: OLD.id, 7: OLD.id, 8: NEXT.id, 90: NEXT.id, 91: THIRD.id, 10**9: THIRD.id
    }  # fmt: skip
    later = log_keys.held(named, [THIRD])  # the others are destroyed
    assert later.signer(3) == THIRD
    assert later.public == named


def test_a_log_of_one_key_is_signed_by_it_at_every_size():
    signers = LogSigners.of(OLD)
    assert [signers.signer(size) for size in (0, 10**9)] == [OLD, OLD]
    assert signers.public == (LogKey(OLD.public),)


def test_of_two_keys_without_an_end_the_one_that_signs_already_goes_on():
    named = (LogKey(OLD.public), LogKey(NEXT.public))
    assert log_keys.held(named, [OLD, NEXT]).signer(5) == OLD
    assert log_keys.held(named, [NEXT, OLD]).signer(5) == NEXT


@pytest.mark.parametrize(
    ("private", "there"), [([], "no key"), ([OLD], OLD.id), ([DISPATCH], DISPATCH.id)]
)
def test_a_log_without_a_key_that_goes_on_is_not_opened(private, there):
    with pytest.raises(dsse.NotTrusted, match=f"; {there} is here, and none that has no end"):
        log_keys.held((LogKey(NEXT.public), LogKey(OLD.public, 7)), private)


@pytest.mark.parametrize(
    ("until", "size", "taken"), [(None, 10**9, True), (7, 3, True), (7, 7, True), (7, 8, False)]
)
def test_a_key_reaches_up_to_its_end(until, size, taken):
    key = LogKey(OLD.public, until)
    if taken:
        key.require_reach(size)
        return
    with pytest.raises(dsse.NotTrusted, match="ended at size 7; its checkpoint of size 8"):
        key.require_reach(size)


def test_a_draft_adds_the_next_key_and_the_end_of_the_old_one():
    bundle = ceremony.bundles.Bundle(roots=(envelope(keys=(OLD,)),))
    change = ceremony.Change(
        expires_at=LATER, add=((RoleName.LOG, NEXT.public),), log_ends={OLD.id: 7}
    )
    bundle = ceremony.rotate(bundle, change)
    assert bundle.last.log_keys == (LogKey(NEXT.public), LogKey(OLD.public, 7))
    signed = dsse.seal(
        roots.PAYLOAD_TYPE, dsse.opened(bundle.roots[-1], roots.PAYLOAD_TYPE, ())[0], [ROOT]
    )
    bundle = dataclasses.replace(bundle, roots=(bundle.roots[0], signed))
    kept = ceremony.rotate(bundle, ceremony.Change(expires_at=LATER))
    assert kept.last.log_ends == {OLD.id: 7}
    for wrong, why in (
        ({"log_ends": {OLD.id: 8}}, "never moves up"),
        ({"remove": ((RoleName.LOG, OLD.id),)}, "stays named"),
    ):
        with pytest.raises(ceremony.CannotDraft, match=why):
            ceremony.rotate(bundle, ceremony.Change(expires_at=LATER, **wrong))
