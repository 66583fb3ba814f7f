"""A log whose key was followed by another: what is written, what goes on, what is signed anew."""

import pytest

from sentienguard.ports import audit_log
from sentienguard.stages.audit import checkpoint, ledger, witness
from sentienguard.trust import dsse
from sentienguard.trust.keys import SigningKey
from sentienguard.trust.log_keys import LogKey, LogSigners

ORIGIN = "log.example/main"
OLD, NEXT, OTHER, HOST = (SigningKey.from_seed(bytes([n]) * 32) for n in range(4))
END = 3
KEYS = (LogKey(NEXT.public), LogKey(OLD.public, END))
LINES = checkpoint.write_log_keys(ORIGIN, KEYS)
NEXT_LINE, OLD_LINE = LINES.split("\n")


def filled(signers, size=5):
    rules = ledger.Ledger(ORIGIN, signers, witness_key={"agent:1": HOST.public}.get)
    for n in range(size):
        rules.admit(
            audit_log.NewEntry("log.started", NOW, "", "cp", "sentienguard", f"key-{n}", None)
        )
    return rules


NOW = witness.checkpoint.moment(1_800_000_000)
FOLLOWED = LogSigners(NEXT, ((OLD, END),), KEYS)


# --- the lines


def test_keys_survive_their_lines():
    assert (
        checkpoint.verifier_key(ORIGIN, NEXT.public)
        + "\n"
        + checkpoint.verifier_key(ORIGIN, OLD.public)
        + " until=3"
    ) == LINES
    assert checkpoint.read_log_keys(f"{LINES}\n") == (ORIGIN, KEYS)
    assert checkpoint.read_log_keys(NEXT_LINE) == (ORIGIN, KEYS[:1])


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        ("", "not the key|base64|public key"),
        (f"{OLD_LINE}\n{OLD_LINE}", "each key of a log once"),
        (checkpoint.verifier_key("agent:1", HOST.public, checkpoint.COSIGNATURE), "key of a log"),
        (OLD_LINE.replace("until=3", "until="), "its end is no size"),
        (OLD_LINE.replace("until=3", "until=03"), "its end is no size"),
        (OLD_LINE.replace("until=3", "until=-3"), "its end is no size"),
        (OLD_LINE.replace("until=3", f"until={2**53}"), "its end is no size"),
        (f"{LINES}\n{checkpoint.verifier_key('other.example', OTHER.public)}", "keys of 2 logs"),
    ],
)
def test_lines_of_another_form_are_refused(lines, why):
    with pytest.raises(dsse.NotTrusted, match=why):
        checkpoint.read_log_keys(lines)


def test_the_longest_end_is_the_biggest_size_of_a_checkpoint():
    line = OLD_LINE.replace("until=3", f"until={2**53 - 1}")
    assert checkpoint.read_log_keys(line)[1][0].until == 2**53 - 1


# --- who signs, and what is believed


def test_each_size_is_signed_by_its_key_and_by_no_other():
    rules = filled(FOLLOWED)
    for size, key in ((0, OLD), (END, OLD), (END + 1, NEXT), (5, NEXT)):
        note = rules.sign(size)
        assert checkpoint.open_checkpoint(note, ORIGIN, [LogKey(key.public)]).size == size
        assert checkpoint.open_checkpoint(note, ORIGIN, KEYS).size == size


def test_a_checkpoint_beyond_the_end_of_its_key_is_refused():
    note = filled(LogSigners.of(OLD)).sign(END + 1)
    with pytest.raises(dsse.NotTrusted, match="ended at size 3"):
        checkpoint.open_checkpoint(note, ORIGIN, KEYS)
    identity = witness.Identity("agent:1", HOST, ORIGIN, KEYS)
    with pytest.raises(dsse.NotTrusted, match="ended at size 3"):
        witness.witness(witness.Memory(), note, (), identity, at_s=1)


# --- what the storage says


@pytest.mark.parametrize(
    ("claimed", "kept"),
    [
        (LINES, LINES),
        (OLD_LINE.partition(" ")[0], LINES),  # before the rotation
        (NEXT_LINE, LINES),
        (LINES.replace("until=3", "until=4"), LINES),  # the end was moved down
        (LINES.replace(" until=3", ""), LINES),
        (LINES.replace("until=3", "until=2"), None),  # another's root is newer
        (f"{LINES}\n{checkpoint.verifier_key(ORIGIN, OTHER.public)}", None),
        (LINES.replace(NEXT_LINE, f"{NEXT_LINE} until=9"), None),
    ],
)
def test_the_newer_keys_are_kept(claimed, kept):
    assert filled(FOLLOWED).goes_on(claimed) == (kept or claimed)


@pytest.mark.parametrize(
    "claimed",
    [
        "junk",
        checkpoint.verifier_key(ORIGIN, OTHER.public),
        checkpoint.verifier_key("other.example", OLD.public),
    ],
)
def test_keys_of_another_log_are_refused(claimed):
    with pytest.raises(audit_log.EntryRefused, match=r"keys|audit log of"):
        filled(FOLLOWED).goes_on(claimed)


# --- what an ended key signed beyond its end


def test_a_checkpoint_of_ours_is_signed_anew_and_keeps_its_witnesses():
    before = filled(LogSigners.of(OLD))
    cosigned = checkpoint.cosign(before.sign(5), "agent:1", HOST, 100)
    rules = filled(FOLLOWED)
    anew = rules.signed_anew(cosigned)
    assert checkpoint.open_checkpoint(anew, ORIGIN, KEYS).size == 5
    assert rules.cosigned_by(anew) == ("agent:1",)
    assert rules.signed_anew(anew) == anew
    kept = checkpoint.cosign(before.sign(END), "agent:1", HOST, 100)
    assert rules.signed_anew(kept) == kept


def test_what_is_not_ours_is_not_signed_anew():
    forged = filled(LogSigners.of(OLD), size=6).sign(6)  # more than there is
    stranger = filled(LogSigners.of(OTHER)).sign(5)
    for note in (forged, stranger, "junk"):
        with pytest.raises(audit_log.EntryRefused):
            filled(FOLLOWED).signed_anew(note)


def test_a_note_is_signed_anew_with_a_signature_of_its_own_text_alone():
    rules = filled(FOLLOWED)
    with pytest.raises(dsse.NotTrusted, match="keeps its text"):
        checkpoint.with_log_signature(rules.sign(4), rules.sign(5))


def test_a_note_takes_no_more_witnesses_than_its_readers_read():
    note = filled(LogSigners.of(OLD)).sign(5)
    kept, many = note, {}
    for number in range(600):
        name, key = f"agent:{number:036d}", SigningKey.from_seed(number.to_bytes(32, "big"))
        many[name] = key.public
        kept = checkpoint.merged(kept, checkpoint.cosign(note, name, key, 100), many.get)
    found = len(checkpoint.cosignatures(kept, many.get))
    assert 300 < found < 600
    assert len(kept) <= checkpoint.MAX_NOTE_CHARACTERS < len(kept) + 200
    again = checkpoint.cosign(note, "agent:" + "0" * 36, SigningKey.from_seed(bytes(32)), 500)
    latest = checkpoint.cosignatures(checkpoint.merged(kept, again, many.get), many.get)
    assert len(latest) == found
    assert max(one.at_s for one in latest) == 500
