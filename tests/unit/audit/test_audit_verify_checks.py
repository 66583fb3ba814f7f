"""Each check of verification: what it says of a sound log, and what of each kind of damage."""

import dataclasses
from datetime import timedelta

import pytest

from sentienguard.ports import audit_log
from sentienguard.stages.audit import checkpoint, entry, merkle, verify
from sentienguard.trust import canonical
from sentienguard.trust.keys import SigningKey
from sentienguard.trust.log_keys import LogKey
from tests.unit.audit.test_audit_ledger import KEYS, LOG, Host, fact
from tests.unit.audit.test_audit_verify_edges import log_of, own

ORIGIN = "log.example/main"
OTHER = SigningKey.from_seed(b"o" * 32)
NAMES = ("w0", "w1", "w2", "w3")
WITNESSES = {name: SigningKey.from_seed(name.encode() * 16) for name in NAMES}
KNOWN = {name: key.public for name, key in WITNESSES.items()}
RECORDS = own(*(fact(f"{n}") for n in range(5)))
SOUND = log_of(*RECORDS)
TORN = audit_log.Damage("file 2, byte 77", "torn", at_end=True)
ROTTEN = audit_log.Damage("file 1, byte 5", "rotten")


def note(size, key=LOG, origin=ORIGIN, records=RECORDS):
    _, root = merkle.root_of(merkle.leaf_hash(one) for one in records[:size])
    return checkpoint.sign(checkpoint.Checkpoint(origin, size, root), key)


def seen(size, *times, records=RECORDS):
    """Have as many witnesses cosign a checkpoint as there are times."""
    found = note(size, records=records)
    for name, at_s in zip(NAMES, times, strict=False):
        found = checkpoint.cosign(found, name, WITNESSES[name], at_s)
    return found


def changed(**given):
    return dataclasses.replace(SOUND, **given)


def judged(stored, *, live=False, **trust):
    return verify.verify(stored, verify.Trust(**trust), live=live)


def found(report, check):
    return [(one.detail, one.index) for one in report.findings if one.check == check]


def said(report):
    return {check.name: (check.passed, check.detail) for check in report.checks}


def root_of(*records):
    return merkle.root_of(merkle.leaf_hash(one) for one in records)[1].hex()


ELSEWHERE = own(*(fact(f"other {n}") for n in range(5)))


def test_a_sound_log_is_reported_with_what_was_looked_at():
    report = verify.verify(SOUND)
    assert report.passed
    assert (report.size, report.root, report.uncovered) == (5, root_of(*RECORDS), 0)
    assert (report.findings, report.sources) == ((), {"cp": 5})
    assert said(report) == {
        "records": (True, "5 records are readable"),
        "checkpoint": (True, f"the newest checkpoint is signed by the key of {ORIGIN}"),
        "root": (True, "5 entries hash to the signed root"),
        "sources": (True, "1 sources, no gap and no break"),
    }


def test_deep_verification_says_what_else_it_looked_at():
    report = verify.verify(SOUND, deep=True)
    assert {name: said(report)[name] for name in ("entries", "keys", "signatures", "clock")} == {
        "entries": (True, "5 entries are canonical and complete"),
        "keys": (True, "5 keys of the centre and people, none twice"),
        "signatures": (True, "0 entries are signed by their agents"),
        "clock": (True, "no source's clock went back"),
    }


def test_what_agents_signed_is_counted():
    host = Host()
    records = [entry.with_signature(one.leaf, one.signature) for one in map(host.says, "ab")]
    report = verify.verify(log_of(*records), verify.Trust(agent_key=KEYS.get), deep=True)
    assert said(report)["signatures"] == (True, "2 entries are signed by their agents")


def test_an_entry_of_another_form_does_not_end_the_examination():
    odd = canonical.encode(canonical.decode(RECORDS[0]) | {"env": 5})
    report = verify.verify(log_of(odd, b"{}", odd), deep=True)
    assert [index for _, index in found(report, "entries")] == [0, 2]


@pytest.mark.parametrize("kind", ["access.denied", "user.login"])
def test_only_an_enrolment_enrols(kind):
    stored = log_of(*own(fact("a", kind=kind, data={"agent": "x", "executor_key": "junk"})))
    assert verify.verify(stored, deep=True).passed


# --- records


@pytest.mark.parametrize("live", [False, True])
def test_damage_is_told_with_its_place_and_what_is_behind_it_is_read(live):
    report = judged(changed(records=[*RECORDS, ROTTEN]), live=live)
    assert found(report, "records") == [("file 1, byte 5: rotten", 5)]
    assert said(report)["records"] == (False, "file 1, byte 5: rotten")
    between = judged(changed(records=[*RECORDS[:2], ROTTEN, *RECORDS[2:]]), live=live)
    assert found(between, "records") == [("file 1, byte 5: rotten", 2)]
    assert between.size == 5


def test_a_torn_end_is_damage_unless_the_log_is_being_written():
    torn = changed(records=[*RECORDS, TORN])
    assert found(judged(torn), "records") == [("file 2, byte 77: torn", 5)]
    assert judged(torn, live=True).passed


def test_what_follows_a_torn_end_is_read_nevertheless():
    report = judged(changed(records=[*RECORDS[:4], TORN, RECORDS[4]]), live=True)
    assert (report.size, report.passed) == (5, True)


@pytest.mark.parametrize(("length", "is_told"), [(4096, False), (4097, True)])
def test_a_record_that_is_longer_than_an_entry_is_told_and_counts(length, is_told):
    report = verify.verify(log_of(b" " * length))
    assert found(report, "records") == ([("entry 0 has 4097 bytes", 0)] if is_told else [])
    assert report.size == 1
    assert found(report, "root") == []


def test_several_findings_are_counted_and_the_first_is_said():
    report = judged(changed(records=[ROTTEN, *RECORDS, TORN]))
    assert said(report)["records"] == (False, "file 1, byte 5: rotten (1 more)")


@pytest.mark.parametrize(("count", "shown"), [(99, 99), (100, 100), (101, 100)])
def test_at_most_100_findings_of_a_check_are_shown(count, shown):
    report = judged(changed(records=[ROTTEN] * count))
    assert len(found(report, "records")) == shown
    assert said(report)["records"][1].endswith(f"({count - 1} more)")


# --- whose log it is


@pytest.mark.parametrize("trusted", [{}, {"origin": ORIGIN, "log_keys": (LogKey(LOG.public),)}])
def test_a_key_that_cannot_be_read_is_told_whatever_else_is_trusted(trusted):
    report = judged(changed(verifier_keys="junk"), **trusted)
    details = [detail for detail, _ in found(report, "checkpoint")]
    assert details[0].startswith("the keys found with the log are unusable: ")
    assert len(details) == (1 if trusted else 2)
    assert not report.passed


def test_a_name_and_keys_from_elsewhere_count_more_than_those_found_with_the_log():
    assert judged(SOUND, origin=ORIGIN, log_keys=[LogKey(OTHER.public), LogKey(LOG.public)]).passed
    assert not judged(SOUND, origin="another.example").passed
    assert not judged(SOUND, log_keys=[LogKey(OTHER.public)]).passed
    begun = log_of_another(OTHER)
    assert verify.verify(begun).passed
    assert not judged(begun, log_keys=[LogKey(LOG.public)]).passed


def log_of_another(key):
    return changed(
        verifier_keys=checkpoint.verifier_key(ORIGIN, key.public), checkpoint=note(5, key)
    )


# --- the newest checkpoint and the root


@pytest.mark.parametrize(
    ("kept", "detail"),
    [(None, "checkpoint: there is no checkpoint"), ("junk", "checkpoint: a note")],
)
def test_without_a_checkpoint_the_whole_log_is_looked_at(kept, detail):
    report = judged(changed(checkpoint=kept))
    ((told, index),) = found(report, "checkpoint")
    assert told.startswith(detail)
    assert index is None
    assert (report.root, report.uncovered) == (root_of(*RECORDS), 0)
    assert said(report)["root"][0]


def test_entries_behind_the_checkpoint_are_told_unless_the_log_is_being_written():
    early = changed(checkpoint=note(3))
    report = judged(early)
    detail = (
        "2 entries after index 2 are covered by no checkpoint; if the log is being written, "
        "verify it as live"
    )
    assert found(report, "root") == [(detail, 3)]
    live = judged(early, live=True)
    assert live.passed
    for one in (report, live):
        assert (one.size, one.uncovered, one.root) == (5, 2, root_of(*RECORDS[:3]))
    assert said(live)["root"][1] == "3 entries hash to the signed root"


def test_a_log_is_taken_to_be_at_rest_unless_it_is_said_to_be_written():
    assert not verify.verify(changed(checkpoint=note(3))).passed
    assert not verify.verify(changed(records=[*RECORDS, TORN])).passed


def test_each_check_says_its_own_first_finding():
    early = changed(checkpoint=note(3), verifier_keys="junk", records=[*RECORDS, ROTTEN])
    report = judged(early, origin=ORIGIN, log_keys=[LogKey(LOG.public)])
    for name in ("records", "checkpoint", "root"):
        ((detail, _),) = found(report, name)
        assert said(report)[name] == (False, detail)


def test_a_log_that_is_shorter_than_its_checkpoint_is_told():
    report = judged(changed(records=RECORDS[:3]))
    assert found(report, "root") == [("a checkpoint commits to 5 entries, but 3 are there", 3)]
    assert (report.uncovered, report.root) == (0, root_of(*RECORDS[:3]))


@pytest.mark.parametrize("at", range(5))
def test_another_entry_in_the_place_of_one_is_told(at):
    records = [*RECORDS[:at], ELSEWHERE[at], *RECORDS[at + 1 :]]
    report = judged(changed(records=records))
    theirs, ours = root_of(*records)[:16], root_of(*RECORDS)[:16]
    detail = (
        f"the first 5 entries hash to {theirs}, but {ours} is committed to: "
        "an entry was changed, moved or replaced"
    )
    assert found(report, "root") == [(detail, None)]


# --- growth


def test_a_log_that_grew_from_older_checkpoints_says_so():
    assert "growth" not in said(judged(SOUND))
    report = judged(SOUND, older=(note(0), note(2), note(5)))
    assert said(report)["growth"] == (True, "the log still begins as 3 older checkpoints say")


@pytest.mark.parametrize(
    ("older", "detail"),
    [
        ("junk", "older checkpoint: a note"),
        (note(2, OTHER), "older checkpoint: no trusted key"),
        (note(2, records=ELSEWHERE), "the first 2 entries hash to"),
        (note(6, records=[*RECORDS, b"x"]), "a checkpoint commits to 6 entries, but 5 are there"),
    ],
)
def test_what_does_not_belong_to_an_older_checkpoint_is_told(older, detail):
    report = judged(SOUND, older=(note(1), older, note(5)))
    ((told, _),) = found(report, "growth")
    assert told.startswith(detail)
    assert not report.passed


# --- witnesses


def test_without_witnesses_there_is_nothing_to_judge():
    stored = changed(cosigned=("junk",))
    assert "witnesses" not in said(judged(stored))
    assert "witnesses" in said(judged(stored, witnesses=KNOWN))
    report = judged(stored, quorum=1)
    assert found(report, "witnesses")[-1] == ("0 of 1 witnesses cosigned a checkpoint", None)


@pytest.mark.parametrize("quorum", [0, 1, 2, 3, 4])
def test_a_quorum_has_to_cosign_one_checkpoint(quorum):
    stored = changed(cosigned=(seen(3, 10, 20, 30), seen(4, 10), seen(5, 10, 20)))
    report = judged(stored, witnesses=KNOWN, quorum=quorum)
    short = "3 of 4 witnesses cosigned a checkpoint"
    assert found(report, "witnesses") == ([(short, None)] if quorum == 4 else [])
    fine = (True, "3 witnesses cosigned a checkpoint of this log")
    assert said(report)["witnesses"] == ((False, short) if quorum == 4 else fine)


def test_a_note_that_is_no_checkpoint_of_this_log_is_told_and_the_others_are_read():
    stored = changed(cosigned=("junk", seen(4, 10)))
    report = judged(stored, witnesses=KNOWN, quorum=1)
    ((told, index),) = found(report, "witnesses")
    assert told.startswith("cosigned checkpoint: a note")
    assert index is None


@pytest.mark.parametrize(
    ("foreign", "detail"),
    [
        (seen(4, 10, 20, records=ELSEWHERE), "the first 4 entries hash to"),
        (seen(6, 10, 20, records=[*RECORDS, b"x"]), "a checkpoint commits to 6 entries"),
    ],
)
def test_a_checkpoint_of_other_entries_is_told_and_counts_for_nothing(foreign, detail):
    stored = changed(cosigned=(foreign, seen(4, 10)))
    report = judged(stored, witnesses=KNOWN, quorum=2)
    first, second = (told for told, _ in found(report, "witnesses"))
    assert first.startswith(detail)
    assert second == "1 of 2 witnesses cosigned a checkpoint"


def test_a_checkpoint_that_nobody_cosigned_is_passed_over():
    stored = changed(cosigned=(note(4), note(9, records=[*RECORDS, *ELSEWHERE])))
    assert judged(stored, witnesses=KNOWN, quorum=0).passed


CENTRE_MS = 1_770_895_560_000  # when the entries are dated


def dated(stored, quorum):
    """Say by how many seconds entries are dated after witnesses saw them."""
    trust = verify.Trust(witnesses=KNOWN, quorum=quorum)
    report = verify.verify(stored, trust, deep=True)
    return [index for detail, index in found(report, "clock")]


OLD, NEW = CENTRE_MS // 1000 - 10_000, CENTRE_MS // 1000


@pytest.mark.parametrize(
    ("cosigned", "quorum", "told"),
    [
        ([seen(3, OLD)], 1, [0, 1, 2]),
        ([seen(3, NEW)], 1, []),
        ([seen(3, OLD)], 0, [0, 1, 2]),
        ([seen(3, OLD, NEW)], 2, [0, 1, 2]),  # of two clocks the lower
        ([seen(3, OLD, NEW, NEW)], 2, []),  # of three the middle
        ([seen(3, OLD, OLD, NEW)], 2, [0, 1, 2]),
        ([seen(3, OLD, NEW, NEW, OLD)], 2, [0, 1, 2]),
        ([seen(3, OLD), seen(4, NEW)], 1, []),  # the bigger counts, in whatever order
        ([seen(4, NEW), seen(3, OLD)], 1, []),
        ([seen(3, NEW), seen(4, OLD)], 1, [0, 1, 2, 3]),
        ([seen(3, NEW), seen(3, OLD)], 1, [0, 1, 2]),  # of two alike the later one
        ([seen(3, OLD, OLD), seen(4, NEW)], 2, [0, 1, 2]),  # the bigger has no quorum
    ],
)
def test_what_witnesses_saw_dates_the_entries(cosigned, quorum, told):
    assert dated(changed(cosigned=tuple(cosigned)), quorum) == told


@pytest.mark.parametrize(("back_ms", "told"), [(300_000, []), (300_001, [1])])
def test_a_clock_may_go_back_by_five_minutes(back_ms, told):
    early = fact("b", at=fact().at - timedelta(milliseconds=back_ms))
    report = verify.verify(log_of(*own(fact("a"), early)), deep=True)
    assert [index for _, index in found(report, "clock")] == told


# --- sources


def test_a_gap_a_repetition_and_a_break_are_told_at_their_entry():
    one, two, three, *_ = RECORDS
    cases = {
        (one, three): "entry 1: cp: numbers 2 to 2 are missing",
        (one, two, two): "entry 2: cp: number 2 came before",
        (one, ELSEWHERE[1]): "entry 1: cp: number 2 follows",
        (two,): "entry 0: cp: numbers 1 to 1 are missing",
    }
    for records, detail in cases.items():
        ((told, index),) = found(verify.verify(log_of(*records)), "sources")
        assert told.startswith(detail)
        assert index == len(records) - 1


def test_after_a_break_what_follows_is_judged_by_what_is_there():
    one, _, three, four, _ = RECORDS
    report = verify.verify(log_of(one, three, four))
    assert found(report, "sources") == [("entry 1: cp: numbers 2 to 2 are missing", 1)]
    assert report.sources == {"cp": 3}


def test_what_is_no_entry_is_told_and_belongs_to_no_source():
    report = verify.verify(log_of(b"{}", RECORDS[0]))
    assert found(report, "sources") == [("entry 0 is not an entry of this log", 0)]
    assert report.sources == {"cp": 1}


def test_several_sources_are_counted_each():
    ann = entry.Source("user:ann")
    leaf, _ = ann.next(fact("x", source="user:ann", kind="approval.decided"))
    report = verify.verify(log_of(RECORDS[0], leaf, RECORDS[1]))
    assert report.sources == {"cp": 2, "user:ann": 1}
    assert said(report)["sources"] == (True, "2 sources, no gap and no break")
