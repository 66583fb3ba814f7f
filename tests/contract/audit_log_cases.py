"""What every audit log promises, wherever its bytes lie; see ports.audit_log.

Run on files in tests/contract and on PostgreSQL in tests/replicas. A class that runs them gives a
fixture `place`: something on which `open(rules)` opens the log, again and again.
"""

import dataclasses
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Protocol

import pytest

from sentienguard.model.ids import IncidentId
from sentienguard.ports import audit_log
from sentienguard.stages.audit import checkpoint, entry, ledger, merkle, verify, witness
from sentienguard.trust.keys import SigningKey
from sentienguard.trust.log_keys import LogKey, LogSigners

NOW = datetime(2026, 2, 12, 11, 26, tzinfo=UTC)
INCIDENT = IncidentId("inc_20260212_112600_a8f3b2c1")
ORIGIN = "log.example/main"
LOG, NEXT = SigningKey.from_seed(b"l" * 32), SigningKey.from_seed(b"n" * 32)
AGENT = SigningKey.from_seed(b"a" * 32)
KEYS_OF_LOG = (LogKey(NEXT.public), LogKey(LOG.public, 7))  # once NEXT has followed
NAME = "agent:4f5a3c1e"
KEYS = {NAME: AGENT.public}

Rules = Callable[[], ledger.Ledger]


class Place(Protocol):
    """Where a log lies."""

    def open(self, rules: Rules) -> AbstractContextManager[audit_log.AuditLog]:
        """Open the log."""

    def stored(self) -> audit_log.StoredLog:
        """Return the log as it lies there."""


def fact(key: object, **changed: object) -> audit_log.NewEntry:
    usual = audit_log.NewEntry(
        "decision.made", NOW, "production", "cp", "engine", str(key), INCIDENT
    )
    return dataclasses.replace(usual, **changed)  # type: ignore[arg-type]  # fields by name


def rules() -> ledger.Ledger:
    return ledger.Ledger(ORIGIN, LogSigners.of(LOG), agent_key=KEYS.get)


def followed() -> ledger.Ledger:
    """The same log after its root gave the key an end at 7 entries and named another one."""
    return ledger.Ledger(ORIGIN, LogSigners(NEXT, ((LOG, 7),), KEYS_OF_LOG), agent_key=KEYS.get)


def signed_events(count: int) -> list[audit_log.SignedEntry]:
    state, found = entry.Source(NAME), []
    new = audit_log.NewEntry("step.done", NOW, "production", NAME, "executor", "s", INCIDENT)
    for _ in range(count):
        leaf, state = state.next(new)
        found.append(audit_log.SignedEntry(leaf, AGENT.sign(leaf)))
    return found


class AuditLogCases:
    @pytest.fixture
    def log(self, place: Place):
        with place.open(rules) as opened:
            yield opened

    def test_what_was_appended_is_there_after_reopening(self, place):
        with place.open(rules) as log:
            appended = [log.append(fact(n)) for n in range(5)]
            assert [one.index for one in appended] == list(range(5))
            assert log.size() == 5
        with place.open(rules) as log:
            assert log.entry(3).fields["key"] == "3"
            assert [one.index for one in log.entries(1, 99)] == [1, 2, 3, 4]
            assert list(log.entries(3, 2)) == []
            assert len(log.by_incident(INCIDENT)) == 5
            assert merkle.leaf_hash(log.entry(4).stored) == appended[4].leaf_hash
            again = log.append(fact(2))
            assert (again.index, again.repeated) == (2, True)
            assert log.append(fact("new")).index == 5
            assert log.entry(5).fields["src_seq"] == 6
            for index in (-1, 6):
                with pytest.raises(audit_log.NoSuchEntry):
                    log.entry(index)
        report = verify.verify(place.stored(), deep=True)
        assert report.passed, report.findings
        assert (report.size, report.uncovered) == (6, 0)

    def test_an_empty_log_is_sound_and_has_a_checkpoint(self, place):
        with place.open(rules) as log:
            assert (
                checkpoint.open_checkpoint(log.checkpoint(), ORIGIN, [LogKey(LOG.public)]).size == 0
            )
        assert verify.verify(place.stored()).passed

    def test_many_answers_come_for_many_entries_and_a_refused_one_hinders_nobody(self, log):
        said = [fact("a"), fact("b", kind="nonsense"), fact("a"), fact("c")]
        outcomes = log.append_many(said)
        assert isinstance(outcomes[1], audit_log.EntryRefused)
        assert [one.index for one in outcomes if isinstance(one, audit_log.Appended)] == [0, 0, 1]
        with pytest.raises(audit_log.EntryRefused):
            log.append(fact("d", kind="nonsense"))
        assert log.append_many([]) == []

    def test_an_agent_s_events_are_kept_as_the_agent_signed_them(self, place):
        first, second = signed_events(2)
        with place.open(rules) as log:
            with pytest.raises(audit_log.SourceGap):
                log.append(second)
            log.append(first)
            log.append(second)
            assert log.append(first).repeated
            with pytest.raises(audit_log.EntryRefused):
                log.append(audit_log.SignedEntry(second.leaf, bytes(64)))
        report = verify.verify(place.stored(), verify.Trust(agent_key=KEYS.get), deep=True)
        assert report.passed
        assert dict(report.sources) == {NAME: 2}

    def test_concurrent_writers_each_get_their_own_place(self, place):
        places: list[int] = []
        with place.open(rules) as log:
            at_once(
                8, lambda n: places.extend(log.append(fact(f"{n}:{m}")).index for m in range(10))
            )
        assert sorted(places) == list(range(80))
        assert verify.verify(place.stored(), deep=True).passed

    def test_one_key_from_many_writers_is_one_entry(self, log):
        places: list[int] = []
        at_once(16, lambda _: places.append(log.append(fact("same")).index))
        assert (log.size(), places) == (1, [0] * 16)

    def test_an_entry_is_proven_by_a_signed_checkpoint(self, log):
        log.append_many([fact(n) for n in range(300)])
        for index in (0, 255, 299):
            proof = log.prove(index)
            signed = checkpoint.open_checkpoint(proof.checkpoint, ORIGIN, [LogKey(LOG.public)])
            assert signed.size == proof.size == 300
            leaf = merkle.leaf_hash(log.entry(index).stored)
            assert leaf == proof.leaf_hash
            assert merkle.included(leaf, index, proof.size, proof.hashes, signed.root)
        with pytest.raises(audit_log.NoSuchEntry):
            log.prove(300)

    def test_a_checkpoint_follows_an_append_within_a_second(self, log):
        log.append(fact("a"))
        waited = threading.Event()
        for _ in range(100):
            if checkpoint.open_checkpoint(log.checkpoint(), ORIGIN, [LogKey(LOG.public)]).size == 1:
                break
            waited.wait(0.01)
        else:
            pytest.fail("no checkpoint within a second")

    def test_growth_is_proven_between_any_two_sizes(self, log):
        log.append_many([fact(n) for n in range(20)])
        same = rules()
        for one in log.entries(0, 20):
            same.replay(one.stored)
        old, new = (checkpoint.read_text(checkpoint.read_note(same.sign(n)).text) for n in (7, 20))
        assert merkle.consistent(7, old.root, 20, new.root, log.consistency(7, 20))
        for wrong in ((7, 21), (8, 7), (-1, 3)):
            with pytest.raises(audit_log.NoSuchEntry):
                log.consistency(*wrong)

    def test_cosignatures_are_kept_with_their_checkpoint(self, place):
        identity = witness.Identity(NAME, AGENT, ORIGIN, [LogKey(LOG.public)])
        memory = witness.Memory()
        with place.open(rules) as log:
            assert log.cosigned() is None
            for upto in (3, 10):
                log.append_many([fact(n) for n in range(upto)])
                note = log.prove(upto - 1).checkpoint
                proof = log.consistency(memory.size, upto)
                memory, cosigned = witness.witness(memory, note, proof, identity, at_s=100)
                assert log.add_cosignature(cosigned) == 1
        with place.open(rules) as log:
            kept = log.cosigned()
            assert checkpoint.open_checkpoint(kept, ORIGIN, [LogKey(LOG.public)]).size == 10
            assert len(checkpoint.cosignatures(kept, KEYS.get)) == 1
            for wrong in (log.checkpoint(), "junk", cosigned.replace("\n10\n", "\n11\n")):
                with pytest.raises(audit_log.EntryRefused):
                    log.add_cosignature(wrong)
        trust = verify.Trust(witnesses=KEYS, quorum=1)
        assert verify.verify(place.stored(), trust).passed

    def test_old_cosigned_checkpoints_make_room_for_new_ones(self, place):
        with place.open(rules) as log:
            for n in range(70):
                log.append(fact(n))
                note = log.prove(n).checkpoint
                log.add_cosignature(checkpoint.cosign(note, NAME, AGENT, n))
        assert len(place.stored().cosigned) == 64

    def test_blobs_are_kept_and_erased_with_their_key(self, place):
        with place.open(rules) as log:
            ref = log.put_blob(b"a secret output", "text/plain")
            assert log.put_blob(b"a secret output", "text/plain") == ref
            proof = log.prove(log.append(fact("a", blobs=(ref,))).index)
            assert log.get_blob(ref.sha256) == b"a secret output"
            log.erase_blob(ref.sha256)
            log.erase_blob(ref.sha256)
            with pytest.raises(audit_log.BlobErased):
                log.get_blob(ref.sha256)
            assert log.prove(0) == proof
            assert log.put_blob(b"a secret output", "text/plain") == ref
            assert log.get_blob(ref.sha256) == b"a secret output"
        assert verify.verify(place.stored()).passed

    @pytest.mark.parametrize("sha256", ["0" * 64, "", "../../etc/passwd", "A" * 64])
    def test_a_blob_that_was_never_kept_is_not_there(self, log, sha256):
        with pytest.raises(audit_log.NoSuchBlob):
            log.get_blob(sha256)
        with pytest.raises(audit_log.NoSuchBlob):
            log.erase_blob(sha256)

    def test_another_key_or_name_cannot_continue_a_log(self, place):
        with place.open(rules):
            pass
        for other in (
            ledger.Ledger(ORIGIN, LogSigners.of(AGENT)),
            ledger.Ledger("log.example/other", LogSigners.of(LOG)),
        ):
            with pytest.raises(audit_log.AuditBroken, match="use its own key"):
                place.open(lambda other=other: other).__enter__()

    def test_a_key_that_ends_is_followed_at_its_size_and_what_it_signed_stays_checkable(
        self, place
    ):
        with place.open(rules) as log:
            log.append_many([fact(n) for n in range(5)])
            note = log.prove(4).checkpoint
            log.add_cosignature(checkpoint.cosign(note, NAME, AGENT, 100))
        with place.open(followed) as log:
            for upto, key in ((7, LOG), (8, NEXT)):
                log.append_many([fact(n) for n in range(upto)])
                note = log.prove(upto - 1).checkpoint
                signed_by = checkpoint.open_checkpoint(note, ORIGIN, [LogKey(key.public)])
                assert signed_by.size == upto
            log.add_cosignature(checkpoint.cosign(note, NAME, AGENT, 200))
        trust = verify.Trust(log_keys=KEYS_OF_LOG, witnesses=KEYS, quorum=1)
        assert verify.verify(place.stored(), trust).passed
        assert verify.verify(place.stored()).passed  # by the keys that are found with it
        alone = LogSigners(NEXT, (), KEYS_OF_LOG)  # the old key is destroyed
        with place.open(lambda: ledger.Ledger(ORIGIN, alone, agent_key=KEYS.get)) as log:
            log.append(fact("later"))
        assert verify.verify(place.stored(), trust).passed

    def test_a_key_that_ended_before_what_it_signed_has_that_signed_anew(self, place):
        with place.open(rules) as log:
            log.append_many([fact(n) for n in range(9)])
            note = log.prove(8).checkpoint
            log.add_cosignature(checkpoint.cosign(note, NAME, AGENT, 100))
        trust = verify.Trust(log_keys=KEYS_OF_LOG, witnesses=KEYS, quorum=1)
        with place.open(followed) as log:
            log.append(fact("the rotation"))  # as the control plane does when it starts
            kept = checkpoint.open_checkpoint(log.cosigned(), ORIGIN, KEYS_OF_LOG)
            assert kept.size == 9
        report = verify.verify(place.stored(), trust)
        assert report.passed, report.findings

    def test_whose_root_is_older_takes_no_key_and_no_end_away(self, place):
        with place.open(followed):
            pass
        named = place.stored().verifier_keys
        assert named == checkpoint.write_log_keys(ORIGIN, KEYS_OF_LOG)
        with place.open(rules) as log:
            log.append(fact("a"))
        unended = LogSigners(NEXT, (), tuple(LogKey(one.key) for one in KEYS_OF_LOG))
        with place.open(lambda: ledger.Ledger(ORIGIN, unended, agent_key=KEYS.get)):
            pass
        assert place.stored().verifier_keys == named

    def test_a_closed_log_takes_nothing_and_can_be_closed_again(self, place):
        with place.open(rules) as log:
            log.append(fact("a"))
        log.close()
        with pytest.raises(audit_log.AuditUnavailable, match="closed"):
            log.append(fact("b"))
        with pytest.raises(audit_log.AuditUnavailable):
            log.put_blob(b"", "text/plain")

    def test_rules_that_fail_unexpectedly_break_the_log_instead_of_lying(self, place):
        class Mistaken(ledger.Ledger):
            def admit(self, new):
                raise RuntimeError("a mistake of ours")

        with (
            place.open(lambda: Mistaken(ORIGIN, LogSigners.of(LOG))) as log,
            pytest.raises(audit_log.AuditBroken, match="a mistake of ours"),
        ):
            log.append(fact("a"))


def at_once(count: int, work: Callable[[int], object]) -> None:
    """Run this in several threads and wait for all."""
    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
