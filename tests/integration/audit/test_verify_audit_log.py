import base64
import json
import pathlib
import struct
import subprocess
import sys
import zlib

import pytest

from sentienguard.adapters.audit_files import log
from sentienguard.ports import audit_log
from sentienguard.stages.audit import checkpoint, entry, ledger, merkle
from sentienguard.trust.keys import SigningKey
from sentienguard.trust.log_keys import LogSigners
from tests.contract import audit_log_cases as cases
from tests.integration.audit import test_audit_files as files

pytestmark = pytest.mark.integration

TOOL = pathlib.Path(__file__).resolve().parents[3] / "tools" / "verify_audit_log.py"
EXTERNAL = SigningKey.from_seed(b"e" * 32)


def verify(directory, *arguments):
    done = subprocess.run(
        [
            sys.executable,
            "-I",
            TOOL,
            directory,
            "--agents",
            directory.parent / "agents",
            *arguments,
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in {0, 1}, done.stderr
    return done


def failed(done):
    lines = [line for line in done.stdout.splitlines() if line.startswith("[FAIL]")]
    assert bool(lines) == (done.returncode == 1), done.stdout
    return {line.split()[1].rstrip(":") for line in lines}


@pytest.fixture
def directory(tmp_path):
    """A log of ten entries of two sources, with a cosigned checkpoint of size eight."""
    place = tmp_path / "log"
    state = entry.Source(cases.NAME)
    at_s = int(cases.NOW.timestamp())
    rules = ledger.Ledger(
        cases.ORIGIN,
        LogSigners.of(cases.LOG),
        agent_key=cases.KEYS.get,
        witness_key={**cases.KEYS, "external": EXTERNAL.public}.get,
    )
    with log.AuditFiles(place, rules) as audit:
        for n in range(10):
            if n % 3:
                audit.append(cases.fact(n, data={"text": 'quote " \\ \n é \u2028', "n": n}))
            else:
                new = audit_log.NewEntry(
                    "step.done", cases.NOW, "production", cases.NAME, "executor", f"s{n}"
                )
                leaf, state = state.next(new)
                audit.append(audit_log.SignedEntry(leaf, cases.AGENT.sign(leaf)))
            if n == 7:
                note = audit.prove(7).checkpoint
                audit.add_cosignature(checkpoint.cosign(note, cases.NAME, cases.AGENT, at_s))
                audit.add_cosignature(checkpoint.cosign(note, "external", EXTERNAL, at_s))
    kept = tmp_path / "kept"
    kept.write_text((place / "checkpoint").read_text())
    keys = [
        checkpoint.verifier_key(name, key.public, checkpoint.COSIGNATURE)
        for name, key in ((cases.NAME, cases.AGENT), ("external", EXTERNAL))
    ]
    (tmp_path / "witnesses").write_text("\n".join(keys) + "\n")
    (tmp_path / "agents").write_text(keys[0] + "\n")
    (tmp_path / "log.vkey").write_text((place / "log.vkey").read_text())
    return place


def test_it_shares_no_code_with_what_it_checks():
    text = TOOL.read_text(encoding="utf-8")
    assert "import sentienguard" not in text
    assert "from sentienguard" not in text
    assert len(text.splitlines()) < 500  # to be read before it is believed


def test_a_sound_log_passes(directory, tmp_path):
    done = verify(
        directory, "--key", tmp_path / "log.vkey", "--against", tmp_path / "kept",
        "--witness", tmp_path / "witnesses",
    )  # fmt: skip
    assert failed(done) == set()
    assert "[PASS] All 10 records are readable" in done.stdout
    assert "2 witnesses cosigned 8 entries" in done.stdout
    assert "[NOTE]" not in done.stdout


def test_it_says_what_it_had_to_take_on_trust(directory):
    assert verify(directory).stdout.count("[NOTE]") == 2


def test_it_tells_machines_too(directory):
    told = json.loads(verify(directory, "--json").stdout)
    assert (told["passed"], told["entries"], told["covered"]) == (True, 10, 10)
    assert told["sources"] == {"cp": 6, cases.NAME: 4}
    assert told["findings"] == {
        check: []
        for check in (
            "records",
            "canonical",
            "checkpoint",
            "root",
            "sources",
            "signatures",
            "clock",
        )
    }


# --- attacks by somebody who may write every file, with and without the log's key


def records(directory):
    content = files.segment(directory).read_bytes()
    found, at = [], 0
    while at < len(content):
        length = struct.unpack_from(">I", content, at)[0] & 0x7FFF_FFFF
        found.append(content[at + 8 : at + 8 + length])
        at += 8 + length
    return found


def write(directory, found):
    framed = b"".join(
        (word := struct.pack(">I", len(one))) + struct.pack(">I", zlib.crc32(word + one)) + one
        for one in found
    )
    files.segment(directory).write_bytes(framed)


def sign_again(directory, key=cases.LOG):
    """Make the checkpoint fit whatever is there: the attacker stole the log's key."""
    tree = ledger.Ledger(cases.ORIGIN, LogSigners.of(key))
    for one in records(directory):
        tree._tree.append(merkle.leaf_hash(one))
    (directory / "checkpoint").write_text(tree.sign(tree.size()))


def edit(found):
    return [*found[:4], found[4].replace(b"production", b"productiom"), *found[5:]]


def foreign(found):
    return [*found, found[-1].replace(b'"src_seq":6', b'"src_seq":7')]


def rechained(found):
    """Renumber and chain again what is left of the centre's entries: delete + recompute."""
    rules = ledger.Ledger(cases.ORIGIN, LogSigners.of(cases.LOG))
    out = []
    for one in found:
        members = json.loads(one)
        if members["src"] == "cp":
            new = cases.fact(members["key"], data=members["data"])
            out.append(rules.admit(new).stored)
        else:
            out.append(one)
    return out


ATTACKS = {
    "edit": edit,
    "delete": lambda found: [*found[:4], *found[5:]],
    "delete and renumber": lambda found: rechained([*found[:4], *found[5:]]),
    "truncate": lambda found: found[:-2],
    "reorder": lambda found: [found[0], found[2], found[1], *found[3:]],
    "foreign": foreign,
    "replace an agent's entry": lambda found: [
        found[0].replace(b"executor", b"exekutor"), *found[1:],
    ],
    "drop an agent's entries": lambda found: rechained(
        [one for one in found if b'"src":"agent' not in one]
    ),
    "everything": lambda _found: [],
    "another spelling": lambda found: [
        *found[:4], json.dumps(json.loads(found[4])).encode(), *found[5:],
    ],
}  # fmt: skip


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_without_the_key_is_found(directory, attack):
    write(directory, ATTACKS[attack](records(directory)))
    assert "root" in failed(verify(directory))


# an entry more is growth, which the key may sign: the sources show it
@pytest.mark.parametrize("attack", sorted(set(ATTACKS) - {"foreign"}))
def test_an_attack_with_the_stolen_key_is_found_against_a_kept_checkpoint(
    directory, tmp_path, attack
):
    write(directory, ATTACKS[attack](records(directory)))
    sign_again(directory)
    assert "root" not in failed(verify(directory))
    assert "growth" in failed(verify(directory, "--against", tmp_path / "kept"))


@pytest.mark.parametrize("attack", ["edit", "delete and renumber", "everything"])
def test_an_attack_with_the_stolen_key_is_found_by_witnesses(directory, tmp_path, attack):
    write(directory, ATTACKS[attack](records(directory)))
    sign_again(directory)
    assert "witnesses" in failed(verify(directory, "--witness", tmp_path / "witnesses"))


@pytest.mark.parametrize("attack", ["delete", "foreign", "reorder", "replace an agent's entry"])
def test_sources_show_what_the_stolen_key_would_hide(directory, attack):
    write(directory, ATTACKS[attack](records(directory)))
    sign_again(directory)
    assert "sources" in failed(verify(directory))


def test_another_spelling_is_found_although_the_tree_was_signed_again(directory):
    write(directory, ATTACKS["another spelling"](records(directory)))
    sign_again(directory)
    assert "canonical" in failed(verify(directory))


def test_a_log_begun_again_with_another_key_is_found_by_the_known_key(directory, tmp_path):
    other = SigningKey.from_seed(b"x" * 32)
    (directory / "log.vkey").write_text(checkpoint.verifier_key(cases.ORIGIN, other.public))
    sign_again(directory, other)
    assert failed(verify(directory)) == set()
    assert "checkpoint" in failed(verify(directory, "--key", tmp_path / "log.vkey"))


def test_a_log_put_back_to_an_older_copy_is_found_against_a_kept_checkpoint(directory, tmp_path):
    write(directory, records(directory)[:8])
    sign_again(directory)
    assert failed(verify(directory, "--witness", tmp_path / "witnesses")) == set()
    assert failed(verify(directory, "--against", tmp_path / "kept")) == {"growth"}


def test_an_unsigned_source_is_found(directory):
    found = records(directory)
    start = found[0].index(b',"src_sig"')
    found[0] = found[0][:start] + found[0][found[0].index(b',"ts_ms"') :]
    write(directory, found)
    sign_again(directory)
    assert failed(verify(directory)) == {"signatures"}


@pytest.mark.parametrize(
    "note",
    ["", "junk", "log.example/main\n10\nAAAA\n\n\N{EM DASH} log.example/main AAAAAAAAAA==\n"],
)
def test_a_checkpoint_that_is_none_is_found(directory, note):
    (directory / "checkpoint").write_text(note)
    assert "checkpoint" in failed(verify(directory))


def test_a_checkpoint_with_a_wrong_signature_is_found(directory):
    path = directory / "checkpoint"
    head, _, encoded = path.read_text().rpartition(" ")
    raw = bytearray(base64.b64decode(encoded))
    raw[-1] ^= 1
    path.write_text(f"{head} {base64.b64encode(raw).decode()}\n")
    assert failed(verify(directory)) == {"checkpoint", "root"}


def test_a_changed_byte_is_found_wherever_it_is(directory):
    path = files.segment(directory)
    content = path.read_bytes()
    for at in range(0, len(content), len(content) // 12):
        changed = bytearray(content)
        changed[at] ^= 0x04
        path.write_bytes(changed)
        assert "records" in failed(verify(directory))


def test_a_log_in_use_may_be_ahead_of_its_checkpoint_and_end_in_a_half_record(directory):
    rules = ledger.Ledger(cases.ORIGIN, LogSigners.of(cases.LOG))
    for one in records(directory):
        rules.replay(one)
    (directory / "checkpoint").write_text(rules.sign(9))
    with files.segment(directory).open("ab") as growing:
        growing.write(b"\x80\x00")
    assert failed(verify(directory, "--live")) == set()
    assert failed(verify(directory)) == {"records", "root"}


def test_a_quorum_that_was_not_reached_fails(directory, tmp_path):
    assert failed(verify(directory, "--witness", tmp_path / "witnesses", "--quorum", "3")) == {
        "witnesses"
    }


@pytest.mark.parametrize("wrong", [["--key", "/nonexistent"], ["--against", "/nonexistent"]])
def test_wrong_use_is_told_apart_from_a_failed_check(directory, wrong):
    done = subprocess.run(
        [sys.executable, TOOL, directory, *wrong], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "cannot verify" in done.stderr
