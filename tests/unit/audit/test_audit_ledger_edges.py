"""What the log's rules say to notes, replays and entries that do not belong."""

import dataclasses

import pytest

from sentienguard.ports import audit_log
from sentienguard.stages.audit import checkpoint, entry, ledger, merkle, sources
from sentienguard.trust.keys import SigningKey
from sentienguard.trust.log_keys import LogSigners
from tests.unit.audit.test_audit_ledger import AGENT, KEYS, LOG, NAME, Host, fact, fresh

OTHER = SigningKey.from_seed(b"o" * 32)


def filled():
    log, host = fresh(), Host()
    log.admit(fact("a"))
    log.admit(host.says("b"))
    log.admit(fact("c"))
    return log


def test_by_default_nobody_is_an_agent_or_a_witness():
    assert ledger.nobody(NAME) is None
    with pytest.raises(audit_log.EntryRefused, match=r"rule 2: .* is not an enrolled agent"):
        ledger.Ledger("log.example/main", LogSigners.of(LOG)).admit(Host().says())


def test_a_row_holds_the_hashes_of_neighbouring_entries():
    log = filled()
    assert log.row(0, 1, 2) == log.leaf_hash(1) + log.leaf_hash(2)


def test_an_entry_of_no_incident_is_of_none_and_one_of_an_incident_is_its():
    log, none = fresh(), dataclasses.replace(fact("a"), incident=None)
    told = [log.admit(one).stored for one in (none, fact("b"))]
    named = [audit_log.StoredEntry(at, one).fields["incident"] for at, one in enumerate(told)]
    assert named == ["", fact().incident]
    assert [log.of_incident(one) for one in named] == [(), (1,)]


def test_only_an_agent_signs_entries_even_where_everybody_has_a_key():
    everybody = ledger.Ledger(
        "log.example/main", LogSigners.of(LOG), agent_key=lambda _: AGENT.public
    )
    for name in ("cp", "user:4f5a3c1e"):
        with pytest.raises(audit_log.EntryRefused):
            everybody.admit(signed_as(name))


def signed_as(name):
    new = dataclasses.replace(fact(kind="approval.decided"), source=name, actor="pat")
    leaf, _ = entry.Source(name).next(new)
    return audit_log.SignedEntry(leaf, AGENT.sign(leaf))


def test_whatever_number_is_used_again_with_other_content_is_a_fork():
    """Whichever of the two hashes is the greater one."""
    for text in "abcdefgh":
        log = fresh()
        log.admit(Host().says("1"))
        with pytest.raises(audit_log.SourceForked, match="other content"):
            log.admit(Host().says(text))


def test_the_log_names_itself_and_its_key():
    assert fresh().verifier_keys == checkpoint.verifier_key("log.example/main", LOG.public)


def test_the_size_in_a_checkpoint_is_believed_to_its_signature_alone():
    log = filled()
    note = log.sign(3)
    assert fresh().checkpointed_size(note) == 3
    assert log.recognise(note) == 3
    with pytest.raises(audit_log.EntryRefused, match="does not belong to these 0 entries"):
        fresh().recognise(note)
    with pytest.raises(audit_log.EntryRefused, match="checkpoint:"):
        fresh().checkpointed_size("no note")
    stranger = ledger.Ledger("log.example/main", LogSigners.of(OTHER))
    with pytest.raises(audit_log.EntryRefused, match="checkpoint:"):
        stranger.recognise(note)


def test_a_checkpoint_of_other_entries_is_not_recognised():
    one, other = filled(), fresh()
    for key in "xyz":
        other.admit(fact(key))
    with pytest.raises(audit_log.EntryRefused, match="size 3 does not belong to these 3"):
        other.recognise(one.sign(3))


def cosigned(note, name=NAME, key=AGENT):
    return checkpoint.cosign(note, name, key, at_s=1_770_895_560)


def test_witnesses_are_told_from_a_note_and_merged():
    log = ledger.Ledger(
        "log.example/main",
        LogSigners.of(LOG),
        agent_key=KEYS.get,
        witness_key={"w": OTHER.public, **KEYS}.get,
    )
    log.admit(fact("a"))
    note = log.sign(1)
    assert log.cosigned_by(note) == ()
    one, other = cosigned(note), cosigned(note, "w", OTHER)
    assert set(log.cosigned_by(one)) == {NAME}
    assert set(log.cosigned_by(log.merged(one, other))) == {NAME, "w"}


@pytest.mark.parametrize("note", ["", "no note", "a\nb\n\n"])
def test_what_is_no_note_is_refused(note):
    log = filled()
    with pytest.raises(audit_log.EntryRefused, match="checkpoint:"):
        log.cosigned_by(note)
    with pytest.raises(audit_log.EntryRefused, match="checkpoint:"):
        log.merged(note, log.sign(3))


def test_a_log_that_is_opened_again_stands_where_it_stood():
    log, again = fresh(), fresh()
    host = Host()
    stored = [log.admit(one).stored for one in (fact("a"), host.says("b"), fact("c"))]
    for one in stored:
        again.replay(one)
    assert again.sign(3) == log.sign(3)
    assert again.row(0, 0, 3) == log.row(0, 0, 3)
    assert again.admit(fact("a")).index == 0
    assert again.admit(host.says("d")).index == 3


@pytest.mark.parametrize("stored", [b"", b"{}", b"not an entry"])
def test_bytes_that_are_no_entry_are_not_replayed(stored):
    with pytest.raises(audit_log.EntryRefused, match="entry 0 is not an entry of this log"):
        fresh().replay(stored)


def test_an_entry_out_of_its_order_is_not_replayed():
    log, again = fresh(), fresh()
    stored = [log.admit(fact(key)).stored for key in "ab"]
    with pytest.raises(audit_log.EntryRefused, match="entry 0: cp: numbers 1 to 1 are missing"):
        again.replay(stored[1])
    again.replay(stored[0])
    with pytest.raises(audit_log.EntryRefused, match="entry 1: cp: number 1 came before"):
        again.replay(stored[0])


def test_an_agent_speaks_for_itself_and_the_centre_not_for_it():
    with pytest.raises(audit_log.EntryRefused, match=r"rule 2: .* speaks for itself"):
        fresh().admit(fact(source=NAME, kind="step.done"))


def test_a_number_that_was_used_is_a_fork_wherever_it_came_from():
    log = fresh()
    log._sources.take(entry.Source(NAME, 1, "ab" * 32))  # known from elsewhere, not by number
    with pytest.raises(audit_log.SourceForked, match="with other content"):
        log.admit(Host().says("1"))


def test_an_entry_without_an_incident_belongs_to_none():
    log = fresh()
    log.admit(fact("a", incident=None))
    assert log.of_incident("") == ()
    assert log.of_incident("inc_unknown") == ()


def test_states_of_sources_are_a_copy():
    known = sources.Sources()
    known.take(entry.Source("cp", 3, "ab" * 32))
    states = dict(known.states())
    assert states == {"cp": entry.Source("cp", 3, "ab" * 32)}
    known.states().clear()
    assert known.state("cp").seq == 3
    assert known.state("user:ann") == entry.Source("user:ann")


@pytest.mark.parametrize(
    ("seq", "prev", "fit", "detail"),
    [
        (4, "ab" * 32, sources.Fit.NEXT, ""),
        (5, "ab" * 32, sources.Fit.GAP, "cp: numbers 4 to 4 are missing"),
        (3, "ab" * 32, sources.Fit.REPEATED, "cp: number 3 came before"),
        (4, "", sources.Fit.UNCHAINED, "cp: number 4 follows nothing, but its entry before is ab"),
    ],
)
def test_how_an_entry_continues_its_source(seq, prev, fit, detail):
    known = sources.Sources()
    known.take(entry.Source("cp", 3, "ab" * 32))
    judged = known.judge("cp", seq, prev)
    assert judged.fit is fit
    assert judged.detail.startswith(detail)


def members(**changed):
    log = fresh()
    found = dict(audit_log.StoredEntry(0, log.admit(fact()).stored).fields)
    return found | changed


@pytest.mark.parametrize(
    "changed",
    [
        {"more": 1},
        {"v": 2},
        {"v": True},
        {"kind": "of.tomorrow"},
        {"kind": 1},
        {"src": "user:ann"},
        {"ts_ms": -1},
        {"ts_ms": True},
        {"ts_ms": "1"},
        {"src_seq": 2**53},
        {"data": []},
        {"controls": {}},
        {"controls": ["no such control!"]},
        {"controls": [1]},
        {"blobs": {}},
        {"blobs": [1]},
        {"blobs": [{"sha256": "x", "len": 1, "type": "text/plain"}]},
        {"env": 1},
    ],
)
def test_an_entry_of_another_form_is_refused(changed):
    with pytest.raises(audit_log.EntryRefused):
        entry._check(members(**changed))


def test_an_entry_of_the_form_is_not():
    entry._check(members())
    assert dataclasses.replace(fact(), key="x").key == "x"


def test_the_log_proves_what_is_in_it_and_that_it_grew():
    log = filled()
    roots = {
        size: checkpoint.read_text(checkpoint.read_note(log.sign(size)).text).root
        for size in (2, 3)
    }
    for index in range(3):
        leaf, proof = log.leaf_hash(index), log.inclusion(index, 3)
        assert merkle.included(leaf, index, 3, proof, roots[3])
        assert not merkle.included(leaf, (index + 1) % 3, 3, proof, roots[3])
    grown = log.consistency(2, 3)
    assert merkle.consistent(2, roots[2], 3, roots[3], grown)
    assert not merkle.consistent(2, roots[3], 3, roots[2], grown)
