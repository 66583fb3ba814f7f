"""What deep verification says to each kind of entry that does not belong."""

import dataclasses
from datetime import timedelta

import pytest

from sentienguard.ports import audit_log
from sentienguard.stages.audit import checkpoint, entry, merkle, verify
from sentienguard.trust import canonical
from sentienguard.trust.keys import SigningKey
from tests.unit.audit.test_audit_ledger import AGENT, KEYS, LOG, NAME, NOW, Host, fact, fresh

OTHER = SigningKey.from_seed(b"o" * 32)
ID = NAME.removeprefix("agent:")


def log_of(*records):
    """Sign a log of these records, whatever they are: its owner holds the key."""
    tree = merkle.Tree()
    for record in records:
        tree.append(merkle.leaf_hash(record))
    claimed = checkpoint.Checkpoint("log.example/main", len(records), tree.root(len(records)))
    key = checkpoint.verifier_key("log.example/main", LOG.public)
    return audit_log.StoredLog(key, records, checkpoint.sign(claimed, LOG), ())


def own(*facts):
    """Number and chain entries of the centre, and judge nothing."""
    state, leaves = entry.Source("cp"), []
    for one in facts:
        leaf, state = state.next(one)
        leaves.append(leaf)
    return leaves


def told(stored, **trust):
    """Return what deep verification finds, by check."""
    given = verify.Trust(**({"agent_key": KEYS.get} | trust))
    report = verify.verify(stored, given, deep=True)
    assert report.passed == (not report.findings)
    return [(one.check, one.detail, one.index) for one in report.findings]


def said(signature=None, key=AGENT):
    found = Host(key).says("1")
    return entry.with_signature(found.leaf, signature or found.signature)


def test_a_log_as_it_should_be_tells_nothing():
    assert told(log_of(*own(fact("a"), fact("b")), said())) == []
    assert told(log_of()) == []


@pytest.mark.parametrize(
    ("record", "agent_key", "detail"),
    [
        (said(), lambda _: None, f"entry 0: {NAME} is not an agent of this log"),
        (said(), None, f"entry 0: {NAME} is not an agent of this log"),
        (Host().says("1").leaf, KEYS.get, f"entry 0 of {NAME} has no signature"),
        (said(bytes(64)), KEYS.get, f"entry 0 of {NAME} is not its word"),
        (said(key=OTHER), KEYS.get, f"entry 0 of {NAME} is not its word"),
    ],
)
def test_what_an_agent_did_not_say_is_told(record, agent_key, detail):
    assert told(log_of(record), agent_key=agent_key) == [("signatures", detail, 0)]


def test_the_centre_signs_no_entries():
    (leaf,) = own(fact("a"))
    found = told(log_of(entry.with_signature(leaf, bytes(64))))
    assert found == [("signatures", "entry 0: cp signs no entries", 0)]


def test_a_fact_that_is_recorded_twice_is_told():
    found = told(log_of(*own(fact("a"), fact("b"), fact("a"))))
    assert found == [("keys", "entry 2 says again what entry 0 says", 2)]


def enrolled(key, **data):
    given = {"agent": ID, "executor_key": key} | data
    return fact(f"enrolled:{key}", kind="agent.enrolled", incident=None, data=given)


def test_agents_are_known_by_what_the_log_enrolled():
    records = [*own(enrolled(AGENT.public.text)), said()]
    assert told(log_of(*records), agent_key=None) == []
    assert told(log_of(*records)) == []


@pytest.mark.parametrize("agent_key", [None, KEYS.get])
def test_a_second_key_for_an_agent_is_told(agent_key):
    records = own(enrolled(AGENT.public.text), enrolled(OTHER.public.text))
    detail = f"entry 1 enrols {NAME} with a key that is not its own"
    assert told(log_of(*records), agent_key=agent_key) == [("signatures", detail, 1)]


@pytest.mark.parametrize("key", ["", "junk", "AAAA"])
def test_a_key_that_is_none_is_told(key):
    ((check, detail, index),) = told(log_of(*own(enrolled(key))))
    assert (check, index) == ("signatures", 0)
    assert detail.startswith(f"entry 0 enrols {NAME}: ")


def test_an_entry_of_another_form_is_told_and_not_looked_into():
    (leaf,) = own(fact("a"))
    odd = canonical.encode(canonical.decode(leaf) | {"env": 5})
    found = told(log_of(odd))
    assert [(check, index) for check, _, index in found] == [("entries", 0)]


def test_what_is_no_entry_at_all_is_told_once():
    found = told(log_of(b"{}"))
    assert found == [("sources", "entry 0 is not an entry of this log", 0)]


def test_a_record_that_is_too_long_is_told():
    found = told(log_of(b" " * (entry.MAX_BYTES + 1)))
    assert ("records", f"entry 0 has {entry.MAX_BYTES + 1} bytes", 0) in found


TOLERANCE = timedelta(milliseconds=verify.CLOCK_TOLERANCE_MS)
MOMENT = timedelta(milliseconds=1)


@pytest.mark.parametrize(("back", "is_told"), [(TOLERANCE, False), (TOLERANCE + MOMENT, True)])
def test_a_clock_that_went_back_is_told(back, is_told):
    found = told(log_of(*own(fact("a"), fact("later", at=NOW - back))))
    assert [(check, index) for check, _, index in found] == ([("clock", 1)] if is_told else [])


@pytest.mark.parametrize(
    ("minutes", "jumps"),
    [
        ([0, -60, -59, -1, 0, 1], [1]),  # and time catches up
        ([0, -60, -120, -119], [1, 2]),
        ([0, -60, 0, -60, -59], [1, 3]),  # set right in between
        ([0, -4, -8, -12, -10], [2]),  # no step is a jump; together they are
    ],
)
def test_each_jump_back_is_told_once(minutes, jumps):
    entries = [fact(f"{n}", at=NOW + timedelta(minutes=at)) for n, at in enumerate(minutes)]
    found = told(log_of(*own(*entries)))
    assert [(check, index) for check, _, index in found] == [("clock", at) for at in jumps]


@pytest.mark.parametrize(("ahead", "is_told"), [(TOLERANCE, False), (TOLERANCE + MOMENT, True)])
def test_an_entry_dated_after_witnesses_saw_it_is_told(ahead, is_told):
    stored = log_of(*own(fact("a", at=NOW + ahead)))
    seen = checkpoint.cosign(stored.checkpoint, NAME, AGENT, int(NOW.timestamp()))
    witnessed = dataclasses.replace(stored, cosigned=(seen,))
    found = told(witnessed, witnesses=KEYS, quorum=1)
    assert [check for check, _, _ in found] == (["clock"] if is_told else [])


def test_entries_after_what_witnesses_saw_may_be_later():
    early = log_of(*own(fact("a")))
    seen = checkpoint.cosign(early.checkpoint, NAME, AGENT, int(NOW.timestamp()))
    both = log_of(*own(fact("a"), fact("b", at=NOW + timedelta(days=3))))
    stored = dataclasses.replace(both, cosigned=(seen,))
    assert told(stored, witnesses=KEYS, quorum=1) == []


def test_of_two_that_witnesses_saw_the_bigger_counts():
    records = own(fact("a"), fact("b", at=NOW + timedelta(days=3)))
    small, big = log_of(*records[:1]), log_of(*records)
    at_s = int(NOW.timestamp())
    notes = [checkpoint.cosign(one.checkpoint, NAME, AGENT, at_s) for one in (big, small)]
    stored = dataclasses.replace(big, cosigned=tuple(notes))
    assert [check for check, _, _ in told(stored, witnesses=KEYS, quorum=1)] == ["clock"]


def test_too_few_witnesses_saw_nothing():
    stored = log_of(*own(fact("a", at=NOW + timedelta(days=3))))
    seen = checkpoint.cosign(stored.checkpoint, NAME, AGENT, int(NOW.timestamp()))
    witnessed = dataclasses.replace(stored, cosigned=(seen,))
    found = told(witnessed, witnesses=KEYS, quorum=2)
    assert found == [("witnesses", "1 of 2 witnesses cosigned a checkpoint", None)]


@pytest.mark.parametrize(("count", "is_told"), [(1, True), (2, False), (3, True)])
def test_a_source_that_says_how_much_it_sent_is_believed(count, is_told):
    found = told(log_of(*own(fact("a"), fact("b"))), said={"cp": count})
    detail = f"cp sent {count} entries, 2 are there"
    assert found == ([("sources", detail, None)] if is_told else [])
    silent = told(log_of(), said={"cp": count, "user:ann": 0})
    assert silent == [("sources", f"cp sent {count} entries, 0 are there", None)]


def test_many_findings_are_counted_and_the_first_are_shown():
    many = verify.MAX_FINDINGS + 3
    records = [Host().says("1").leaf for _ in range(many)]
    report = verify.verify(log_of(*records), verify.Trust(agent_key=KEYS.get), deep=True)
    check = next(one for one in report.checks if one.name == "signatures")
    assert check.detail == f"entry 0 of {NAME} has no signature ({many - 1} more)"
    assert sum(one.check == "signatures" for one in report.findings) == verify.MAX_FINDINGS


def test_a_fresh_log_s_entries_pass_deep_verification():
    log, host = fresh(), Host()
    records = [log.admit(one).stored for one in (fact("a"), host.says("b"), fact("c"))]
    stored = audit_log.StoredLog(log.verifier_keys, records, log.sign(3), ())
    assert told(stored) == []
