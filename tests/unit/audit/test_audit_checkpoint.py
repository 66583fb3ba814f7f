import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentienguard.model import errors
from sentienguard.stages.audit import checkpoint, merkle, witness
from sentienguard.trust import dsse
from sentienguard.trust.keys import SigningKey, VerifyKey
from sentienguard.trust.log_keys import LogKey

ORIGIN = "log.example/main"
LOG, OTHER = SigningKey.from_seed(b"l" * 32), SigningKey.from_seed(b"o" * 32)
AGENT, EXTERNAL = SigningKey.from_seed(b"a" * 32), SigningKey.from_seed(b"e" * 32)
NAMES = {"agent:1": AGENT.public, "external": EXTERNAL.public}
HASHES = [merkle.leaf_hash(b"%d" % n) for n in range(20)]
TREE = merkle.Tree()
for _hashed in HASHES:
    TREE.append(_hashed)


def note(size: int, key: SigningKey = LOG, origin: str = ORIGIN) -> str:
    return checkpoint.sign(checkpoint.Checkpoint(origin, size, TREE.root(size)), key)


NOTE = note(7)

# The example of c2sp.org/tlog-cosignature; its keys are not published, its form is.
EXAMPLE = (
    "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
    "\N{EM DASH} example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOo"
    "RDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
    "\N{EM DASH} witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZC"
    "B9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n"
)

# From the documentation of Go's golang.org/x/mod/sumdb/note, which the format comes from.
GO_VKEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_NOTE = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n\n"
    "\N{EM DASH} PeterNeumann "
    "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZ"
    "SNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)


def test_the_published_example_is_read_and_written_unchanged():
    found = checkpoint.read_note(EXAMPLE)
    assert found.written == EXAMPLE
    assert checkpoint.read_text(found.text).size == 20852163
    assert [one.name for one in found.signatures][1] == "witness.example.com/w1"
    assert int.from_bytes(found.signatures[1].body[:8], "big") == 1679315147


def test_a_note_of_another_implementation_verifies():
    name, key, kind = checkpoint.read_verifier_key(GO_VKEY)
    found = checkpoint.read_note(GO_NOTE)
    assert (name, kind) == ("PeterNeumann", checkpoint.LOG_SIGNATURE)
    assert found.signatures[0].key_id == checkpoint.key_id(name, kind, key)
    assert key.verify(found.signatures[0].body, found.text.encode())


def test_a_checkpoint_is_opened_by_the_keys_of_its_log():
    opened = checkpoint.open_checkpoint(NOTE, ORIGIN, [LogKey(OTHER.public), LogKey(LOG.public)])
    assert opened == checkpoint.Checkpoint(ORIGIN, 7, TREE.root(7))


@pytest.mark.parametrize(
    "written",
    [
        note(7, OTHER),
        note(7, origin="log.example/other"),
        NOTE.replace("\n7\n", "\n8\n"),
        NOTE.replace("log.example/main ", "log.example/maim "),
        EXAMPLE,
    ],
)
def test_a_checkpoint_that_the_log_did_not_sign_is_refused(written):
    with pytest.raises(dsse.NotTrusted):
        checkpoint.open_checkpoint(written, ORIGIN, [LogKey(LOG.public)])


def test_a_checkpoint_of_another_log_with_the_same_key_is_refused():
    other = checkpoint.Checkpoint("log.example/other", 7, TREE.root(7))
    name = checkpoint.key_id(ORIGIN, checkpoint.LOG_SIGNATURE, LOG.public)
    line = checkpoint.Signature(ORIGIN, name, LOG.sign(other.text.encode()))
    with pytest.raises(dsse.NotTrusted, match="expected a checkpoint of"):
        checkpoint.open_checkpoint(
            checkpoint.Note(other.text, (line,)).written, ORIGIN, [LogKey(LOG.public)]
        )


def test_no_keys_trust_nothing():
    with pytest.raises(dsse.NotTrusted):
        checkpoint.open_checkpoint(NOTE, ORIGIN, [])


def test_a_wrong_signature_of_a_known_key_spoils_the_note():
    good, bad = checkpoint.read_note(NOTE), checkpoint.read_note(note(8))
    both = checkpoint.Note(good.text, (*bad.signatures, *good.signatures)).written
    with pytest.raises(dsse.NotTrusted, match="wrong"):
        checkpoint.open_checkpoint(both, ORIGIN, [LogKey(LOG.public)])


TEXT = checkpoint.read_note(NOTE).text


@pytest.mark.parametrize(
    "written",
    [
        "",
        "\n",
        TEXT,
        TEXT + "\n",
        NOTE[:-1],
        NOTE + "\n",
        NOTE.replace("— ", "- "),
        NOTE.replace("\n", "\r\n"),
        NOTE + "— name \n",
        NOTE + "— name AAAA\n",
        NOTE + "— name !!!!\n",
        NOTE + "—  AAAAAAAA\n",
        NOTE + "— na+me AAAAAAAA\n",
        NOTE + "x" * checkpoint.MAX_NOTE_CHARACTERS,
    ],
)
def test_a_note_of_another_form_is_refused(written):
    with pytest.raises(dsse.NotTrusted):
        checkpoint.read_note(written)


ROOT_TEXT = base64.b64encode(TREE.root(7)).decode()


@pytest.mark.parametrize(
    "text",
    [
        f"{ORIGIN}\n07\n{ROOT_TEXT}\n",
        f"{ORIGIN}\n-7\n{ROOT_TEXT}\n",
        f"{ORIGIN}\n+7\n{ROOT_TEXT}\n",
        f"{ORIGIN}\n7 \n{ROOT_TEXT}\n",
        f"{ORIGIN}\n\N{ARABIC-INDIC DIGIT SEVEN}\n{ROOT_TEXT}\n",
        f"{ORIGIN}\n7\n{ROOT_TEXT[:-4]}\n",
        f"{ORIGIN}\n7\n{ROOT_TEXT}\nextension\n",
        f"\n7\n{ROOT_TEXT}\n",
        f"{ORIGIN}\n7\n",
    ],
)
def test_a_text_that_is_no_checkpoint_is_refused(text):
    with pytest.raises(dsse.NotTrusted):
        checkpoint.read_text(text)


@pytest.mark.property
@given(st.text(max_size=120), st.integers(0, len(NOTE)))
def test_whatever_text_comes_is_refused_and_nothing_else_happens(text, at):
    for written in (text, NOTE[:at] + text + NOTE[at:], NOTE[:at] + text):
        if written == NOTE:
            continue
        try:
            opened = checkpoint.open_checkpoint(written, ORIGIN, [LogKey(LOG.public)])
        except dsse.NotTrusted:
            continue
        assert opened == checkpoint.Checkpoint(ORIGIN, 7, TREE.root(7))  # lines added by others


def test_cosignatures_are_counted_by_name_and_key():
    both = checkpoint.cosign(
        checkpoint.cosign(NOTE, "agent:1", AGENT, 100), "external", EXTERNAL, 5
    )
    assert checkpoint.cosignatures(both, NAMES.get) == (
        checkpoint.Cosignature("agent:1", 100),
        checkpoint.Cosignature("external", 5),
    )
    assert checkpoint.open_checkpoint(both, ORIGIN, [LogKey(LOG.public)]).size == 7


def test_a_witness_that_signs_again_replaces_its_line():
    twice = checkpoint.cosign(checkpoint.cosign(NOTE, "agent:1", AGENT, 100), "agent:1", AGENT, 200)
    assert checkpoint.cosignatures(twice, NAMES.get) == (checkpoint.Cosignature("agent:1", 200),)
    assert len(checkpoint.read_note(twice).signatures) == 2


@pytest.mark.parametrize(
    "cosigned",
    [
        checkpoint.cosign(NOTE, "agent:1", EXTERNAL, 100),
        checkpoint.cosign(NOTE, "agent:2", AGENT, 100),
        checkpoint.cosign(note(8), "agent:1", AGENT, 100).replace(
            checkpoint.read_note(note(8)).text, TEXT
        ),
        NOTE,
    ],
)
def test_what_a_witness_did_not_sign_is_no_cosignature(cosigned):
    assert checkpoint.cosignatures(cosigned, NAMES.get) == ()


def test_cosignatures_of_the_same_checkpoint_are_brought_together():
    one = checkpoint.cosign(NOTE, "agent:1", AGENT, 100)
    junk = checkpoint.Signature("junk", b"junk", b"junk")
    other = checkpoint.read_note(checkpoint.cosign(NOTE, "external", EXTERNAL, 100))
    other = checkpoint.Note(other.text, (*other.signatures, junk))
    merged = checkpoint.merged(one, other.written, NAMES.get)
    assert len(checkpoint.cosignatures(merged, NAMES.get)) == 2
    assert "junk" not in merged
    with pytest.raises(dsse.NotTrusted, match="same"):
        checkpoint.merged(one, note(8), NAMES.get)


WITNESSES = {f"agent:{n}": SigningKey.from_seed(bytes([n]) * 32) for n in (1, 2, 11, 12, 21)}


def cosigned(names, at_s):
    made = NOTE
    for name in names:
        made = checkpoint.cosign(made, name, WITNESSES[name], at_s)
    return made


@given(
    st.lists(st.sampled_from(sorted(WITNESSES)), unique=True),
    st.lists(st.sampled_from(sorted(WITNESSES)), unique=True),
)
def test_of_two_notes_the_second_one_s_word_stands_and_comes_last(before, after):
    public = {name: key.public for name, key in WITNESSES.items()}
    found = checkpoint.merged(cosigned(before, 100), cosigned(after, 200), public.get)
    lines = checkpoint.read_note(found).signatures
    assert [line.name for line in lines] == [
        ORIGIN, *(name for name in before if name not in after), *after,
    ]  # fmt: skip
    times = {one.name: one.at_s for one in checkpoint.cosignatures(found, public.get)}
    assert times == dict.fromkeys(before, 100) | dict.fromkeys(after, 200)


@pytest.mark.parametrize("kind", [checkpoint.LOG_SIGNATURE, checkpoint.COSIGNATURE])
def test_a_verifier_key_survives_its_text(kind):
    text = checkpoint.verifier_key(ORIGIN, LOG.public, kind)
    assert checkpoint.read_verifier_key(text + "\n") == (ORIGIN, LOG.public, kind)


VKEY = checkpoint.verifier_key(ORIGIN, LOG.public)


@pytest.mark.parametrize(
    "text", ["", "a", "a+b", VKEY[:-4], "x" + VKEY, VKEY.replace("+A", "+B"), VKEY + "AAAA"]
)
def test_a_verifier_key_whose_parts_do_not_belong_together_is_refused(text):
    with pytest.raises(dsse.NotTrusted):
        checkpoint.read_verifier_key(text)


@pytest.mark.parametrize(
    ("written", "why"),
    [
        (NOTE + " " * 65_536, "at most 65536 characters"),
        ("a\tb\n\n", "no control characters"),
        (NOTE[:-1], "no control characters and ends with a newline"),
        ("\t" + NOTE, "no control characters"),
        ("one line\n", "a text, an empty line"),
        ("\n\n" + NOTE.rpartition("\n\n")[2], "a text, an empty line"),
    ],
)
def test_a_note_of_another_form_is_refused_with_its_reason(written, why):
    with pytest.raises(dsse.NotTrusted, match=why):
        checkpoint.read_note(written)


def test_a_note_may_be_as_long_as_its_bound():
    line = NOTE.rpartition("\n\n")[2]
    text = "t" * (65_536 - len(line) - 2)
    longest = f"{text}\n\n{line}"
    assert len(longest) == 65_536
    assert checkpoint.read_note(longest).text == f"{text}\n"
    with pytest.raises(dsse.NotTrusted, match="at most 65536"):
        checkpoint.read_note(f"t{longest}")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (f"o\n1\n{base64.b64encode(bytes(32)).decode()}\n\n", "three lines"),
        (f"o\n1\n{base64.b64encode(bytes(32)).decode()}\n\nmore\n", "three lines"),
        (f"o\n1\n{base64.b64encode(bytes(33)).decode()}\n", "32 bytes, not 33"),
        (f"o\n1\n{base64.b64encode(bytes(31)).decode()}\n", "32 bytes, not 31"),
        (f"o\n1\n-{base64.b64encode(bytes(32)).decode()}\n", "standard base64"),
    ],
)
def test_a_text_that_is_no_checkpoint_is_refused_with_its_reason(text, why):
    with pytest.raises(dsse.NotTrusted, match=why):
        checkpoint.read_text(text)


def test_a_signature_line_holds_more_than_the_name_of_its_key():
    for body, why in ((bytes(4), "too short"), (bytes(3), "too short")):
        with pytest.raises(dsse.NotTrusted, match=why):
            checkpoint.read_note(f"t\n\n\N{EM DASH} me {base64.b64encode(body).decode()}\n")
    line = base64.b64encode(bytes(5)).decode()
    assert checkpoint.read_note(f"t\n\n\N{EM DASH} me {line}\n").signatures[0].body == b"\0"


@pytest.mark.parametrize("identifier", ["00000000", "ffffffff"])
def test_the_name_of_a_key_is_the_one_that_follows_from_it(identifier):
    name, _, material = checkpoint.verifier_key(ORIGIN, LOG.public).split("+", 2)
    with pytest.raises(dsse.NotTrusted, match="does not belong to its key"):
        checkpoint.read_verifier_key(f"{name}+{identifier}+{material}")


def test_a_cosignature_has_the_published_form():
    """Kind 4, eight bytes of time, and the signature over c2sp.org/tlog-cosignature's header."""
    cosigned = checkpoint.read_note(checkpoint.cosign(NOTE, "agent:1", AGENT, 1_770_895_560))
    line = cosigned.signatures[-1]
    named = hashlib.sha256(b"agent:1\n\x04" + AGENT.public.raw).digest()[:4]
    assert line.key_id == named
    assert (len(line.body), int.from_bytes(line.body[:8], "big")) == (72, 1_770_895_560)
    said = b"cosignature/v1\ntime 1770895560\n" + cosigned.text.encode()
    assert AGENT.public.verify(line.body[8:], said)


# --- witness


IDENTITY = witness.Identity("agent:1", AGENT, ORIGIN, [LogKey(LOG.public)])


def seen(size: int) -> witness.Memory:
    return witness.Memory(size, TREE.root(size))


def test_a_witness_signs_growth_and_remembers_it():
    memory = witness.Memory()
    for size in (3, 3, 7, 20):
        proof = TREE.consistency(memory.size, size)
        memory, cosigned = witness.witness(memory, note(size), proof, IDENTITY, at_s=100)
        assert memory == seen(size)
        assert checkpoint.cosignatures(cosigned, NAMES.get)[0].at_s == 100


def test_a_witness_signs_nothing_older_than_what_it_signed():
    with pytest.raises(witness.Stale):
        witness.witness(seen(7), note(3), [], IDENTITY, at_s=100)


def forged(size: int) -> str:
    return checkpoint.sign(checkpoint.Checkpoint(ORIGIN, size, b"x" * 32), LOG)


@pytest.mark.parametrize(
    ("memory", "written", "proof"),
    [
        (seen(7), forged(7), []),
        (seen(7), forged(20), TREE.consistency(7, 20)),
        (seen(7), note(20), []),
        (seen(7), note(20), TREE.consistency(6, 20)),
        (seen(7), note(20), TREE.consistency(7, 20) * 20),
        (seen(7), note(7), TREE.consistency(6, 7)),
        (witness.Memory(7, b"y" * 32), note(20), TREE.consistency(7, 20)),
    ],
)
def test_a_witness_does_not_sign_a_second_history_even_of_the_true_log_key(memory, written, proof):
    with pytest.raises(witness.Forked):
        witness.witness(memory, written, proof, IDENTITY, at_s=100)


def test_a_witness_signs_nothing_that_its_log_did_not_sign():
    with pytest.raises(dsse.NotTrusted):
        witness.witness(witness.Memory(), note(7, OTHER), [], IDENTITY, at_s=100)


def test_a_witness_memory_survives_and_never_starts_over_by_accident():
    assert witness.Memory.from_fields(seen(7).to_fields()) == seen(7)
    for damaged in ({}, {"size": 1}, {"size": "x", "root": ""}, {"size": 1, "root": "AAAA"},
                    {"size": -1, "root": ROOT_TEXT}, {"size": 1, "root": None}):  # fmt: skip
        with pytest.raises(errors.Broken):
            witness.Memory.from_fields(damaged)


@pytest.mark.parametrize(
    "found",
    [
        {"size": 1, "root": base64.b64encode(bytes(33)).decode()},
        {"size": 1, "root": base64.b64encode(bytes(31)).decode()},
        {"size": 1, "root": "!" + base64.b64encode(bytes(32)).decode()},
        {"size": 1, "root": base64.b64encode(bytes(32)).decode()[:-1]},
        {"size": -1, "root": base64.b64encode(bytes(32)).decode()},
    ],
)
def test_a_memory_that_is_not_a_size_and_a_root_is_no_new_beginning(found):
    with pytest.raises(errors.Broken):
        witness.Memory.from_fields(found)


def test_a_witness_that_has_signed_nothing_remembers_that():
    assert witness.Memory.from_fields(witness.Memory().to_fields()) == witness.Memory()


@pytest.mark.parametrize(("hashes", "grown"), [(63, True), (64, True), (65, False)])
def test_a_proof_is_no_longer_than_the_biggest_tree_needs(hashes, grown, monkeypatch):
    monkeypatch.setattr(merkle, "consistent", lambda *_: True)
    proof = [bytes(32)] * hashes
    if grown:
        memory, _ = witness.witness(witness.Memory(), NOTE, proof, IDENTITY, at_s=1)
        assert memory == seen(7)
    else:
        with pytest.raises(witness.Forked):
            witness.witness(witness.Memory(), NOTE, proof, IDENTITY, at_s=1)


def test_an_unknown_witness_key_is_simply_not_counted():
    cosigned = checkpoint.cosign(NOTE, "agent:1", AGENT, 100)
    assert checkpoint.cosignatures(cosigned, {"agent:1": VerifyKey(bytes(32))}.get) == ()


def test_the_time_of_a_cosignature_ends_with_the_year_9999():
    assert checkpoint.moment(0).isoformat() == "1970-01-01T00:00:00+00:00"
    assert checkpoint.moment(2**64 - 1).year == 9999
