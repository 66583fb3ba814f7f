"""A log key that has ended, in the hands of who kept it or stole it.

The root says up to which size a key's checkpoints count. Each attack is tried on every reader of
checkpoints: the product's verification, a host as witness, both stand-alone verifiers.
"""

import importlib.util
import pathlib

import pytest

from sentienguard.adapters.audit_files import log as log_files
from sentienguard.adapters.audit_files import reader
from sentienguard.adapters.evidence_files import verify_evidence
from sentienguard.ports import audit_log
from sentienguard.stages.audit import checkpoint, ledger, merkle, verify, witness
from sentienguard.trust import dsse
from sentienguard.trust.keys import SigningKey
from sentienguard.trust.log_keys import LogKey, LogSigners
from tests.contract.audit_log_cases import fact

PATH = pathlib.Path(__file__).parents[2] / "tools/verify_audit_log.py"
SPEC = importlib.util.spec_from_file_location("verify_audit_log", PATH)
assert SPEC is not None
assert SPEC.loader is not None
TOOL = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(TOOL)

ORIGIN = "log.example/main"
STOLEN, PRESENT, HOST = (SigningKey.from_seed(seed * 32) for seed in (b"s", b"p", b"h"))
END = 7
KEYS = (LogKey(PRESENT.public), LogKey(STOLEN.public, END))
LINES = checkpoint.write_log_keys(ORIGIN, KEYS)
IDENTITY = witness.Identity("agent:1", HOST, ORIGIN, KEYS)


def other_history(size: int) -> ledger.Ledger:
    """What the thief would like to have happened."""
    rules = ledger.Ledger(ORIGIN, LogSigners.of(STOLEN))
    for n in range(size):
        rules.admit(fact(f"forged-{n}"))
    return rules


@pytest.fixture
def place(tmp_path):
    """Hold the genuine log of 9 entries, whose first key ended at 7."""
    rules = ledger.Ledger(ORIGIN, LogSigners(PRESENT, ((STOLEN, END),), KEYS))
    with log_files.AuditFiles(tmp_path / "log", rules) as log:
        for n in range(9):
            log.append(fact(n))
            log.prove(n)
    return tmp_path / "log"


def readers_say(note: str) -> list[str]:
    """Return what each reader of a checkpoint answers, "taken" or why not."""
    answers = []
    for read, refusal in (
        (lambda: checkpoint.open_checkpoint(note, ORIGIN, KEYS), dsse.NotTrusted),
        (lambda: witness.witness(witness.Memory(), note, (), IDENTITY, at_s=1), dsse.NotTrusted),
        (
            lambda: TOOL.open_checkpoint(note, [TOOL.Key(one) for one in LINES.split("\n")]),
            TOOL.Bad,
        ),
        (
            lambda: verify_evidence.open_checkpoint(
                note, [verify_evidence.Key(one) for one in LINES.split("\n")]
            ),
            verify_evidence.Bad,
        ),
    ):
        try:
            read()
        except refusal as error:
            answers.append(str(error))
        else:
            answers.append("taken")
    return answers


@pytest.mark.parametrize("size", [END + 1, END + 1000, 2**52])
def test_a_key_signs_nothing_after_its_end(size):
    forged = checkpoint.Checkpoint(ORIGIN, size, other_history(3).leaf_hash(0))
    for answer in readers_say(checkpoint.sign(forged, STOLEN)):
        assert f"ended at size {END}" in answer


def test_a_key_that_goes_on_does_not_cover_for_one_that_ended():
    rules = other_history(9)
    root = checkpoint.read_text(checkpoint.read_note(rules.sign(9)).text)
    both = checkpoint.read_note(checkpoint.sign(root, PRESENT))
    stolen = checkpoint.read_note(checkpoint.sign(root, STOLEN))
    note = checkpoint.Note(both.text, (*both.signatures, *stolen.signatures)).written
    assert all(f"ended at size {END}" in answer for answer in readers_say(note))


@pytest.mark.parametrize("size", [1, END])
def test_up_to_its_end_it_is_believed(size):
    assert readers_say(other_history(size).sign(size)) == ["taken"] * 4


def test_another_past_up_to_the_end_does_not_fit_what_the_next_key_signed(place):
    stored = reader.read_stored(place)
    forged = other_history(END).sign(END)
    trust = verify.Trust(origin=ORIGIN, log_keys=KEYS, older=(forged,))
    report = verify.verify(stored, trust)
    assert [one.name for one in report.checks if not one.passed] == ["growth"]
    results, _ = TOOL.verify(place, key=LINES, against=[forged])
    assert list(results.findings) == ["growth"]


def test_a_log_that_is_cut_back_to_what_the_thief_can_sign_is_stale_to_a_host(place):
    stored = reader.read_stored(place)
    leaves = [merkle.leaf_hash(one) for one in stored.records if isinstance(one, bytes)]
    seen = witness.Memory(9, merkle.root_of(leaves)[1])
    with pytest.raises(witness.Stale):
        witness.witness(seen, other_history(END).sign(END), (), IDENTITY, at_s=1)


def test_an_end_that_the_storage_does_not_say_counts_all_the_same(place):
    rules = other_history(9)
    (place / "log.vkey").write_text(checkpoint.verifier_key(ORIGIN, STOLEN.public))
    (place / "checkpoint").write_text(rules.sign(9))
    report = verify.verify(reader.read_stored(place), verify.Trust(ORIGIN, KEYS))
    assert not next(one for one in report.checks if one.name == "checkpoint").passed
    results, _ = TOOL.verify(place, key=LINES)
    assert f"ended at size {END}" in results.findings["checkpoint"][0]


def test_the_genuine_log_passes_by_both_keys_and_by_neither_alone(place):
    stored = reader.read_stored(place)
    assert verify.verify(stored, verify.Trust(ORIGIN, KEYS)).passed
    assert TOOL.verify(place, key=LINES)[0].findings == {}
    assert TOOL.verify(place)[0].findings == {}
    assert not verify.verify(stored, verify.Trust(ORIGIN, KEYS[1:])).passed


@pytest.mark.parametrize(
    "lines",
    [
        "",
        LINES + "\n" + LINES,
        LINES.replace(f"until={END}", "until=-1"),
        LINES.replace(f"until={END}", "until=7e3"),
        LINES.replace(f"until={END}", "until="),
        LINES + "\n" + checkpoint.verifier_key("another.example", HOST.public),
        checkpoint.verifier_key("agent:1", HOST.public, checkpoint.COSIGNATURE),
    ],
)
def test_keys_that_are_ambiguous_are_refused(lines):
    with pytest.raises(dsse.NotTrusted):
        checkpoint.read_log_keys(lines)
    with pytest.raises(audit_log.EntryRefused):
        ledger.Ledger(ORIGIN, LogSigners.of(PRESENT)).goes_on(lines)
