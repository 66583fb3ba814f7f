import dataclasses
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentienguard.model.ids import IncidentId
from sentienguard.ports import audit_log
from sentienguard.stages.audit import checkpoint, entry, ledger, merkle, sources, verify
from sentienguard.trust import canonical
from sentienguard.trust.keys import SigningKey
from sentienguard.trust.log_keys import LogKey, LogSigners

NOW = datetime(2026, 2, 12, 11, 26, tzinfo=UTC)
INCIDENT = IncidentId("inc_20260212_112600_a8f3b2c1")
LOG, AGENT = SigningKey.from_seed(b"l" * 32), SigningKey.from_seed(b"a" * 32)
NAME = "agent:4f5a3c1e"
KEYS = {NAME: AGENT.public}


def fact(key="decided", **changed):
    usual = audit_log.NewEntry("decision.made", NOW, "production", "cp", "engine", key, INCIDENT)
    return dataclasses.replace(usual, **changed)


def fresh():
    return ledger.Ledger("log.example/main", LogSigners.of(LOG), agent_key=KEYS.get)


class Host:
    """An agent that numbers, chains and signs what it says."""

    def __init__(self, key=AGENT, name=NAME):
        self.key, self.state = key, entry.Source(name)

    def says(self, key="step", kind="step.done", **data):
        new = audit_log.NewEntry(kind, NOW, "production", NAME, "executor", key, INCIDENT, data)
        leaf, self.state = self.state.next(new)
        return audit_log.SignedEntry(leaf, self.key.sign(leaf))


def test_an_entry_has_the_members_of_the_format_in_canonical_bytes():
    admitted = fresh().admit(fact(data={"confidence": "0.96", "n": 1, "on": True, "of": ["a"]}))
    members = canonical.decode(admitted.stored)
    assert members == {
        "v": 1, "kind": "decision.made", "ts_ms": 1770895560000, "env": "production", "src": "cp",
        "src_seq": 1, "src_prev": "", "actor": "engine", "incident": INCIDENT, "key": "decided",
        "controls": ["soc2_cc7.3", "soc2_cc7.4", "iso_a.5.26", "hipaa_164.312.b", "iso_a.8.15",
                     "pci_dss_requirement_10"],
        "data": {"confidence": "0.96", "n": 1, "on": True, "of": ["a"]}, "blobs": [],
    }  # fmt: skip
    assert admitted.leaf_hash == merkle.leaf_hash(admitted.stored)


def test_every_kind_is_evidence_for_something_and_somebody_may_say_it():
    for name, kind in entry.KINDS.items():
        assert kind.controls, name
        assert kind.sources <= {"cp", "agent", "user"}, name
        assert kind.sources, name


def test_the_centre_s_entries_are_numbered_and_chained_for_each_source():
    log = fresh()
    log.admit(fact("a"))
    log.admit(fact("b", source="user:bob", kind="approval.decided"))
    third = log.admit(fact("c"))
    first, second = canonical.decode(third.stored), log.size()
    assert (first["src_seq"], second) == (2, 3)
    assert len(first["src_prev"]) == 64


def test_the_same_key_again_writes_nothing_and_names_the_first():
    log = fresh()
    first = log.admit(fact("once"))
    again = log.admit(fact("once", actor="somebody else"))
    assert (again.index, again.leaf_hash, again.stored) == (first.index, first.leaf_hash, None)
    assert log.size() == 1


def test_an_agent_s_entries_come_signed_and_in_order():
    log, host = fresh(), Host()
    for number in range(3):
        admitted = log.admit(host.says(f"step:{number}"))
        assert canonical.decode(admitted.stored)["src_seq"] == number + 1
    assert log.of_incident(INCIDENT) == (0, 1, 2)


def test_an_agent_s_entry_sent_again_is_the_same_entry():
    log, host = fresh(), Host()
    said = [host.says("same key"), host.says("same key")]
    for one in said:
        log.admit(one)
    for index, one in enumerate(said):
        again = log.admit(one)
        assert (again.index, again.stored) == (index, None)
    assert log.size() == 2


def test_an_agent_cannot_occupy_the_key_of_an_intent():
    log, host = fresh(), Host()
    log.admit(host.says("order.intent:ord_1"))
    assert log.admit(fact("order.intent:ord_1", kind="order.intent")).stored is not None


def test_a_gap_in_what_an_agent_says_is_refused_until_it_is_filled():
    log, host = fresh(), Host()
    first, second, third = host.says("1"), host.says("2"), host.says("3")
    log.admit(first)
    with pytest.raises(audit_log.SourceGap, match="numbers 2 to 2 are missing"):
        log.admit(third)
    log.admit(second)
    log.admit(third)


def test_a_second_voice_under_one_name_is_a_fork():
    log, host, clone = fresh(), Host(), Host()
    log.admit(host.says("1"))
    with pytest.raises(audit_log.SourceForked):
        log.admit(clone.says("another"))
    log.admit(host.says("2"))
    clone.says("never sent")
    with pytest.raises(audit_log.SourceForked, match="follows"):
        log.admit(clone.says("3"))


def broken_signature():
    said = Host().says()
    return dataclasses.replace(said, signature=bytes(64))


def changed_leaf():
    said = Host().says()
    return dataclasses.replace(said, leaf=said.leaf.replace(b"executor", b"nobodyxx"))


@pytest.mark.parametrize(
    "said",
    [
        broken_signature(),
        changed_leaf(),
        Host(SigningKey.from_seed(b"x" * 32)).says(),
        Host(name="agent:unknown").says(),
        audit_log.SignedEntry(b"", b""),
        audit_log.SignedEntry(b"{}", b""),
        audit_log.SignedEntry(b'{"v":1.0}', b""),
        audit_log.SignedEntry(fresh().admit(fact()).stored, AGENT.sign(b"")),
    ],
)
def test_what_no_enrolled_agent_signed_is_refused_and_leaves_no_trace(said):
    log = fresh()
    with pytest.raises(audit_log.EntryRefused):
        log.admit(said)
    assert log.size() == 0


@pytest.mark.parametrize(
    "new",
    [
        fact(kind="nonsense"),
        fact(kind="step.done"),  # only hosts say so
        fact(source=NAME),  # agents speak for themselves
        fact(source="root"),
        fact(source="user:a b"),
        fact(source='user:"'),
        fact(environment="pro\nduction"),
        fact(actor="a\x00"),
        fact(key=""),
        fact(key="k" * 257),
        fact(incident=IncidentId("inc 1")),
        fact(data={"value": 94.8}),
        fact(data={"value": 2**60}),
        fact(data={"text": "\ud800"}),
        fact(data={"text": "x" * 4096}),
        fact(blobs=(audit_log.BlobRef("abc", 1, "text/plain"),)),
        fact(blobs=(audit_log.BlobRef("0" * 64, -1, "text/plain"),)),
        fact(blobs=(audit_log.BlobRef("0" * 64, 1, "text"),)),
        fact(blobs=(audit_log.BlobRef("0" * 64, 1, "text/plain"),) * 17),
    ],
)
def test_an_entry_against_the_form_is_refused_and_leaves_no_trace(new):
    log = fresh()
    with pytest.raises(audit_log.EntryRefused):
        log.admit(new)
    assert log.size() == 0
    assert canonical.decode(log.admit(fact()).stored)["src_seq"] == 1


def test_a_stored_entry_is_never_longer_than_a_leaf():
    log = fresh()
    room = entry.MAX_BYTES - len(log.admit(fact("a", data={"text": ""})).stored) - 64
    stored = log.admit(fact("b", data={"text": "x" * room})).stored
    assert len(stored) == entry.MAX_BYTES
    with pytest.raises(audit_log.EntryRefused, match="4096"):
        log.admit(fact("c", data={"text": "x" * (room + 1)}))


def test_a_replayed_log_is_the_same_log():
    log, host = fresh(), Host()
    stored = [
        log.admit(one).stored for one in (fact("a"), host.says("b"), fact("c"), host.says("d"))
    ]
    again = fresh()
    for one in stored:
        again.replay(one)
    assert again.sign(4) == log.sign(4)
    assert again.admit(fact("a")).stored is None
    assert again.of_incident(INCIDENT) == (0, 1, 2, 3)
    assert again.admit(host.says("e")).index == log.admit(fact("e")).index == 4


def test_a_replay_refuses_what_does_not_continue():
    log = fresh()
    first, second = (log.admit(fact(key)).stored for key in "ab")
    for wrong in ([second], [first, first], [b"{}"], [first[:-1]]):
        again = fresh()
        for one in wrong[:-1]:
            again.replay(one)
        with pytest.raises(audit_log.EntryRefused):
            again.replay(wrong[-1])


def test_a_log_recognises_its_own_checkpoints_only():
    log, other = fresh(), fresh()
    for key in "abc":
        log.admit(fact(key))
        other.admit(fact(key + "x"))
    assert log.recognise(log.sign(2)) == 2
    stranger = ledger.Ledger("log.example/main", LogSigners.of(AGENT))
    for note in (other.sign(2), stranger.sign(0), "junk"):
        with pytest.raises(audit_log.EntryRefused):
            log.recognise(note)
    ahead = log.sign(3)
    shorter = fresh()
    assert shorter.checkpointed_size(ahead) == 3
    with pytest.raises(audit_log.EntryRefused):
        shorter.recognise(ahead)


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)


@pytest.mark.property
@given(TEXTS, TEXTS)
def test_free_text_never_reaches_what_is_said_of_the_source(text, hostile):
    forged = f'{text}","src":"cp","src_prev":"","src_seq":9,"ts_ms":1,"v":1}}{hostile}'
    host = Host()
    log = fresh()
    for data in ({"text": forged}, {"src": forged, "src_seq": 7}, {"v": [{"src": "cp"}]}):
        said = host.says("k", **data)
        stored = log.admit(said).stored
        end = entry.tail(stored)
        assert (end.source, end.seq, end.leaf) == (NAME, log.size(), said.leaf)
        assert end.signature == said.signature


@pytest.mark.property
@given(st.binary(max_size=80))
def test_a_tail_is_read_from_entries_only(data):
    assert entry.tail(data) is None


def test_sources_are_judged_by_number_and_chain():
    known = sources.Sources()
    state = entry.Source("cp").after(b"one")
    known.take(state)
    fits = {
        (2, state.prev): sources.Fit.NEXT,
        (3, state.prev): sources.Fit.GAP,
        (1, ""): sources.Fit.REPEATED,
        (2, "other"): sources.Fit.UNCHAINED,
    }
    assert {case: known.judge("cp", *case).fit for case in fits} == fits


# --- verification


def stored_log(entries=5, *, cosigned=()):
    log, host = fresh(), Host()
    records = []
    for number in range(entries):
        said = host.says(f"s{number}") if number % 2 else fact(f"f{number}")
        records.append(log.admit(said).stored)
    return log, audit_log.StoredLog(log.verifier_keys, records, log.sign(entries), cosigned)


def failed(report):
    return {check.name for check in report.checks if not check.passed}


def test_a_sound_log_passes_every_check():
    _, stored = stored_log(6)
    report = verify.verify(stored, verify.Trust(agent_key=KEYS.get), deep=True)
    assert report.passed
    assert report.findings == ()
    assert dict(report.sources) == {"cp": 3, NAME: 3}
    assert {check.name for check in report.checks} == {
        "records", "checkpoint", "root", "sources", "entries", "keys", "signatures", "clock",
    }  # fmt: skip


def replaced(stored, **changed):
    return dataclasses.replace(stored, **changed)


def edited(record):
    return record.replace(b"production", b"productiom")


ATTACKS = {
    "edit": lambda found: [*found[:2], edited(found[2]), *found[3:]],
    "delete": lambda found: [*found[:2], *found[3:]],
    "truncate": lambda found: found[:-1],
    "reorder": lambda found: [found[1], found[0], *found[2:]],
    "repeat": lambda found: [*found, found[-1]],
    "foreign": lambda found: [*found, b'{"foreign":1}'],
    "empty": lambda _found: [],
    "damage": lambda found: [*found, audit_log.Damage("here", "torn", at_end=True)],
    "too long": lambda found: [*found, b"x" * 5000],
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_changed_records_fail(attack):
    _, stored = stored_log()
    assert not verify.verify(replaced(stored, records=ATTACKS[attack](stored.records))).passed


def test_a_cut_off_log_is_told_by_what_is_missing():
    _, stored = stored_log(5)
    report = verify.verify(replaced(stored, records=stored.records[:3]))
    assert "commits to 5 entries, but 3 are there" in report.findings[0].detail


@pytest.mark.parametrize(
    "changed", [{"checkpoint": None}, {"checkpoint": "junk"}, {"verifier_keys": "junk"}]
)
def test_a_log_without_its_checkpoint_or_key_fails(changed):
    _, stored = stored_log()
    assert not verify.verify(replaced(stored, **changed)).passed


def test_a_log_in_use_may_have_entries_after_its_checkpoint():
    log, stored = stored_log(5)
    early = replaced(stored, checkpoint=log.sign(3))
    assert failed(verify.verify(early)) == {"root"}
    report = verify.verify(early, live=True)
    assert report.passed
    assert report.uncovered == 2
    torn = replaced(early, records=[*early.records, audit_log.Damage("x", "torn", at_end=True)])
    assert verify.verify(torn, live=True).passed
    rotten = replaced(early, records=[*early.records, audit_log.Damage("x", "rotten")])
    assert failed(verify.verify(rotten, live=True)) == {"records"}


def test_a_rewritten_log_passes_by_itself_and_fails_against_what_others_kept():
    log, _ = stored_log(5)
    kept = log.sign(4)
    other = fresh()
    records = [other.admit(fact(f"rewritten{n}")).stored for n in range(6)]
    rewritten = audit_log.StoredLog(other.verifier_keys, records, other.sign(6), ())
    assert verify.verify(rewritten).passed
    assert failed(verify.verify(rewritten, verify.Trust(older=(kept,)))) == {"growth"}
    cut = audit_log.StoredLog(other.verifier_keys, records[:3], other.sign(3), ())
    assert failed(verify.verify(cut, verify.Trust(older=(other.sign(6),)))) == {"growth"}
    assert failed(verify.verify(cut, verify.Trust(older=("junk",)))) == {"growth"}


def test_a_log_begun_again_with_another_key_fails_against_the_known_key():
    other = ledger.Ledger("log.example/main", LogSigners.of(AGENT))
    records = [other.admit(fact("a")).stored]
    begun = audit_log.StoredLog(other.verifier_keys, records, other.sign(1), ())
    assert verify.verify(begun).passed
    assert failed(verify.verify(begun, verify.Trust(log_keys=[LogKey(LOG.public)]))) == {
        "checkpoint"
    }


def test_an_omitted_entry_of_an_agent_shows_although_the_tree_is_sound():
    host, log = Host(), fresh()
    log.admit(host.says("1"))
    dropped = ledger.Ledger("log.example/main", LogSigners.of(LOG), agent_key=KEYS.get)
    host.says("never logged")
    third = host.says("3")
    stored = entry.with_signature(third.leaf, third.signature)
    tree = merkle.Tree()
    tree.append(merkle.leaf_hash(stored))
    dropped._tree = tree
    report = verify.verify(
        audit_log.StoredLog(dropped.verifier_keys, [stored], dropped.sign(1), ())
    )
    assert failed(report) == {"sources"}
    assert "numbers 1 to 2 are missing" in report.findings[0].detail


def test_deep_verification_judges_form_and_signatures():
    log, host = fresh(), Host()
    said = host.says("1")
    forged = entry.with_signature(said.leaf, bytes(64))
    spaced = json.dumps(json.loads(fact_bytes())).encode()
    unsigned = said.leaf
    for record, check in ((forged, "signatures"), (spaced, "sources"), (unsigned, "signatures")):
        tree = merkle.Tree()
        tree.append(merkle.leaf_hash(record))
        log._tree = tree
        stored = audit_log.StoredLog(log.verifier_keys, [record], log.sign(1), ())
        report = verify.verify(stored, verify.Trust(agent_key=KEYS.get), deep=True)
        assert check in failed(report)


def fact_bytes():
    return fresh().admit(fact()).stored


def test_witnesses_have_to_reach_their_quorum_on_this_log():
    log, stored = stored_log(5)
    cosigned = checkpoint.cosign(log.sign(4), NAME, AGENT, 100)
    with_it = replaced(stored, cosigned=(cosigned,))
    trust = verify.Trust(witnesses=KEYS, quorum=1)
    assert verify.verify(with_it, trust).passed
    assert failed(verify.verify(stored, trust)) == {"witnesses"}
    other = fresh()
    for number in range(5):
        other.admit(fact(f"other{number}"))
    elsewhere = checkpoint.cosign(other.sign(4), NAME, AGENT, 100)
    assert failed(verify.verify(replaced(stored, cosigned=(elsewhere,)), trust)) == {"witnesses"}
    assert failed(verify.verify(replaced(stored, cosigned=("junk",)), trust)) == {"witnesses"}


@pytest.mark.property
@given(st.lists(st.binary(max_size=60), max_size=4), st.text(max_size=60), st.text(max_size=40))
def test_verification_never_raises_for_what_a_log_holds(records, note, key):
    stored = audit_log.StoredLog(key, records, note, (note,))
    trust = verify.Trust(witnesses=KEYS, quorum=1, older=(note,))
    assert not verify.verify(stored, trust, deep=True).passed


# Text as people and hosts send it, with what breaks a writer by hand: quotes, escapes, surrogates.
HOSTILE = st.text(st.sampled_from('az09_.-*:/é漢😀\ud800"\\\n\x00\x7f\u2028 {}[],'), max_size=12)
SPOKEN = st.text(st.sampled_from('az09é漢😀"\\\u2028 {}[],'), min_size=1, max_size=12)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | SPOKEN,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.just("n"), inner),
    max_leaves=6,
)
BLOBS = st.builds(
    audit_log.BlobRef,
    st.sampled_from(["0" * 64, "a" * 64]),
    st.integers(0, 3),
    st.just("text/plain"),
)
FAIR = {  # what an entry may hold
    "kind": st.sampled_from(sorted(entry.KINDS)),
    "environment": st.sampled_from(["", "production", "*"]),
    "source": st.sampled_from(["cp", NAME, "user:bob", "user:é"]),
    "actor": SPOKEN,
    "key": SPOKEN,
    "incident": st.sampled_from([None, INCIDENT]),
    "data": st.dictionaries(st.sampled_from(["a", "b_c"]), VALUES),
    "blobs": st.lists(BLOBS, max_size=2).map(tuple),
}
ODD = {  # what it may not, or only now and then
    "kind": HOSTILE,
    "environment": HOSTILE,
    "source": HOSTILE | HOSTILE.map("user:{}".format),
    "actor": HOSTILE,
    "key": HOSTILE,
    "incident": HOSTILE,
    "data": st.dictionaries(HOSTILE, VALUES | HOSTILE),
    "blobs": st.tuples(
        st.builds(audit_log.BlobRef, st.just("A" * 64), st.integers(0, 1), st.just("a/b"))
    ),
    "at": st.just(datetime(1969, 12, 31, tzinfo=UTC)),
}


@pytest.mark.parametrize("odd", [None, *ODD])
@given(said=st.fixed_dictionaries(FAIR), data=st.data())
def test_bytes_put_together_by_hand_are_those_of_the_general_encoder_and_so_is_the_verdict(
    odd, said, data
):
    new = audit_log.NewEntry(at=NOW, **said)
    if odd:
        new = dataclasses.replace(new, **{odd: data.draw(ODD[odd])})
    kind = entry.KINDS.get(new.kind)
    members = {
        "v": 1, "kind": new.kind, "ts_ms": round(new.at.timestamp() * 1000), "src": new.source,
        "src_seq": 1, "src_prev": "", "env": new.environment, "actor": new.actor, "key": new.key,
        "incident": new.incident or "", "data": new.data,
        "controls": list(kind.controls) if kind else [],
        "blobs": [dataclasses.asdict(one) for one in new.blobs],
    }  # fmt: skip
    try:
        expected = canonical.encode(members)
        entry.read(expected)
    except (canonical.NotCanonical, audit_log.EntryRefused):
        with pytest.raises(audit_log.EntryRefused):
            entry.Source(new.source).next(new)
    else:
        leaf, _ = entry.Source(new.source).next(new)
        assert leaf == expected
