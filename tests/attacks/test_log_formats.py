"""C2SP formats, byte for byte, against what others published.

Sources: c2sp.org signed-note, tlog-checkpoint, tlog-cosignature, tlog-tiles, with their examples;
golang.org/x/mod/sumdb/note (note_test.go, example_test.go), whose keys are public on purpose, and
sumdb/tlog (note_test.go).
"""

import base64
import hashlib
import struct

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from sentienguard.adapters.audit_files import disk, tiles
from sentienguard.stages.audit import checkpoint, merkle
from sentienguard.trust import dsse
from sentienguard.trust.keys import SigningKey
from tests.attacks import log_product
from tests.support import second_verifier

TOOL = log_product.STANDALONE
DASH = "\N{EM DASH}"

# signed-note, "Example"
FOO_VKEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
FOO_NOTE = (
    "This is an example message.\n\n"
    f"{DASH} example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3"
    "mFXmRKuwHjG1Yu72IneyaQM=\n"
)

# sumdb/note: the private key is printed there
PETER_SKEY = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
PETER_VKEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
ENOCH_VKEY = "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop"
TEXT = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
)
PETER_SIG = (
    f"{DASH} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdng"
    "otpRZb6KE6RyyBwJnAM=\n"
)
ENOCH_SIG = (
    f"{DASH} EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWL"
    "ox33WWd1RvMc+QQ=\n"
)
BAD_NOTES = [  # note_test.go, "Invalid encoded message syntax"
    TEXT,
    TEXT + "\n",
    TEXT + "\n" + PETER_SIG[:-1],
    "\x01" + TEXT + "\n" + PETER_SIG,
    TEXT + "\n" + PETER_SIG.replace("PeterNeumann", "Bad Name")[:-1],
    TEXT + "\n" + PETER_SIG + "Unexpected line.\n",
]
BAD_VKEYS = [  # note_test.go, TestNewVerifier
    "PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY==",
    "PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
    PETER_VKEY.replace("c74f20a3", "c74f20a4"),
]

# tlog-cosignature, the example at its top and the message in "Ed25519 signed message"
BODY = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
MESSAGE = f"cosignature/v1\ntime 1679315147\n{BODY}".encode()


def verified(vkey, note):
    """Verify a note's text by each of the three readers of keys; all must say the same."""
    name, key, kind = checkpoint.read_verifier_key(vkey)
    read = checkpoint.read_note(note)
    mine = [
        one
        for one in read.signatures
        if (one.name, one.key_id) == (name, checkpoint.key_id(name, kind, key))
    ]
    assert mine
    signature, message = mine[0].body, read.text.encode()
    answers = {
        key.verify(signature, message),
        TOOL.verified(TOOL.Key(vkey).raw, message, signature),
        second_verifier.Signer.read(vkey).made(signature, message),
    }
    assert len(answers) == 1
    return answers.pop()


def test_the_published_note_verifies_everywhere_and_a_changed_one_nowhere():
    assert verified(FOO_VKEY, FOO_NOTE)
    assert not verified(FOO_VKEY, FOO_NOTE.replace("example message", "exemple message"))


def test_a_note_is_signed_byte_for_byte_as_go_signs_it():
    seed = base64.b64decode(PETER_SKEY.split("+", 4)[4])[1:]
    key = SigningKey.from_seed(seed)
    assert checkpoint.verifier_key("PeterNeumann", key.public) == PETER_VKEY
    identity = checkpoint.key_id("PeterNeumann", checkpoint.LOG_SIGNATURE, key.public)
    line = checkpoint.Signature("PeterNeumann", identity, key.sign(TEXT.encode()))
    assert checkpoint.Note(TEXT, (line,)).written == f"{TEXT}\n{PETER_SIG}"


def test_a_note_of_two_signers_verifies_for_each():
    note = f"{TEXT}\n{PETER_SIG}{ENOCH_SIG}"
    assert verified(PETER_VKEY, note)
    assert verified(ENOCH_VKEY, note)
    assert checkpoint.read_note(note).written == note


@pytest.mark.parametrize("note", BAD_NOTES)
def test_notes_that_go_calls_malformed_are_refused(note):
    with pytest.raises(dsse.NotTrusted):
        checkpoint.read_note(note)


@pytest.mark.parametrize("spoil", BAD_NOTES)
def test_the_stand_alone_verifier_refuses_checkpoints_malformed_in_the_same_ways(spoil):
    key = SigningKey.from_seed(b"p" * 32)
    log_key = [TOOL.Key(checkpoint.verifier_key("PeterNeumann", key.public))]
    head = checkpoint.Checkpoint("PeterNeumann", 0, merkle.EMPTY_ROOT)
    note = checkpoint.sign(head, key)
    assert TOOL.open_checkpoint(note, log_key)[0] == 0
    text, _, line = note.rpartition(f"\n\n{DASH}")
    malformed = spoil.replace(TEXT, f"{text}\n").replace(PETER_SIG[:-1], f"{DASH}{line[:-1]}")
    with pytest.raises(TOOL.Bad):
        TOOL.open_checkpoint(malformed, log_key)


@pytest.mark.parametrize("vkey", BAD_VKEYS)
def test_keys_that_go_refuses_are_refused(vkey):
    with pytest.raises(dsse.NotTrusted):
        checkpoint.read_verifier_key(vkey)
    with pytest.raises(TOOL.Bad):
        TOOL.Key(vkey)


def test_a_checkpoint_is_written_as_tlog_checkpoint_and_go_write_it():
    root = base64.b64decode("CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=")
    head = checkpoint.Checkpoint("example.com/behind-the-sofa", 20852163, root)
    assert head.text == BODY
    assert checkpoint.read_text(BODY) == head
    # sumdb/tlog, TestFormatTree
    leaf = merkle.leaf_hash(b"hello world")
    assert checkpoint.Checkpoint("go.sum database tree", 123456789012, leaf).text == (
        "go.sum database tree\n123456789012\nTszzRgjTG6xce+z2AG31kAXYKBgQVtCSCE40HmuwBb0=\n"
    )


def test_a_cosignature_is_over_exactly_the_message_of_tlog_cosignature():
    key = SigningKey.from_seed(b"w" * 32)
    name = "witness.example.com/w1"
    root = checkpoint.read_text(BODY).root
    log = SigningKey.from_seed(b"l" * 32)
    note = checkpoint.sign(
        checkpoint.Checkpoint("example.com/behind-the-sofa", 20852163, root), log
    )
    cosigned = checkpoint.cosign(note, name, key, 1679315147)
    assert cosigned.startswith(note)
    line = cosigned.removeprefix(note)
    assert line.startswith(f"{DASH} {name} ")
    blob = base64.b64decode(line.split(" ")[2])
    identity = hashlib.sha256(name.encode() + b"\n\x04" + key.public.raw).digest()[:4]
    assert blob[:12] == identity + bytes.fromhex("000000006418 50cb".replace(" ", ""))
    assert len(blob) == 4 + 8 + 64
    Ed25519PublicKey.from_public_bytes(key.public.raw).verify(blob[12:], MESSAGE)
    vkey = checkpoint.verifier_key(name, key.public, checkpoint.COSIGNATURE)
    assert vkey == f"{name}+{identity.hex()}+" + base64.b64encode(b"\4" + key.public.raw).decode()


# --- tlog-tiles


@pytest.mark.parametrize(
    ("number", "path"),
    [
        (0, "000"), (7, "007"), (999, "999"), (1_000, "x001/000"), (1_234, "x001/234"),
        (1_234_067, "x001/x234/067"), (123_456_078, "x123/x456/078"),
    ],
)  # fmt: skip
def test_tile_paths_are_those_of_the_specification(number, path):
    assert tiles.index_path(number) == path


def written(directory, size):
    """Write the tiles of a tree as the log does, checkpoint by checkpoint; return its leaves."""
    leaves = [struct.pack(">I", n)[: 1 + n % 4] for n in range(size)]
    tree = merkle.Tree()
    for leaf in leaves:
        tree.append(merkle.leaf_hash(leaf))
    kept = tiles.Tiles(directory, disk.Disk())
    last = 0
    for upto in sorted({size // 3, size // 2 // 256 * 256, size}):
        kept.extend(last, upto, tree.row, lambda start, end: leaves[start:end])
        kept.drop_partial(last, upto)
        last = upto
    return leaves


def found(directory):
    """Return each level's tiles with their widths, in full names."""
    return {
        str(path.relative_to(directory)) for path in directory.rglob("*") if path.is_file()
    }  # fmt: skip


def test_a_tree_of_seventy_thousand_has_the_tiles_that_the_specification_counts(tmp_path):
    """tlog-tiles, "Partial Tiles": 273 full ones and 112 at level 0; one and 17; and one of 1."""
    leaves = written(tmp_path, 70_000)
    full = {tiles.index_path(n) for n in range(273)}
    for kind in ("0", "entries"):
        names = {name for name in found(tmp_path) if name.startswith(f"{kind}/")}
        assert names == {f"{kind}/{one}" for one in full} | {f"{kind}/273.p/112"}
    assert {name for name in found(tmp_path) if name[0] in "12"} == {
        "1/000", "1/001.p/17", "2/000.p/1",
    }  # fmt: skip
    # each hash is the MTH of the entries below it
    for level, n, name, i in ((0, 3, "003", 9), (1, 0, "000", 255), (1, 1, "001.p/17", 16)):
        span = 256**level
        start = (n * 256 + i) * span
        tile = (tmp_path / str(level) / name).read_bytes()
        expected = second_verifier.tree_hash(leaves[start : start + span])
        assert tile[32 * i : 32 * i + 32] == expected
    top = (tmp_path / "2" / "000.p" / "1").read_bytes()
    assert top == second_verifier.tree_hash(leaves[: 256**2])


def test_a_tree_of_256_has_a_full_tile_and_a_partial_one_above(tmp_path):
    written(tmp_path, 256)
    assert found(tmp_path) == {"0/000", "1/000.p/1", "entries/000"}


def test_an_entry_bundle_is_lengths_and_entries(tmp_path):
    kept = tiles.Tiles(tmp_path, disk.Disk())
    kept.extend(0, 2, lambda *_: bytes(64), lambda start, end: [b"a", b"bc" * 200][start:end])
    bundle = (tmp_path / "entries" / "000.p" / "2").read_bytes()
    assert bundle == bytes.fromhex("0001") + b"a" + bytes.fromhex("0190") + b"bc" * 200
