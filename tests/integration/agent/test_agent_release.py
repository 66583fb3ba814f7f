"""The agent as one file is signed, and a byte that was changed anywhere is found."""

import importlib.util
import json
import marshal
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from scripts import agent_file
from sentienguard.agent import release
from sentienguard.trust import keys, sshsig

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]
PYTHON = Path(sys.base_prefix) / f"bin/python{sys.version_info.major}.{sys.version_info.minor}"
NOW = datetime(2026, 11, 22, tzinfo=UTC)
FLIPPED = 120  # places of the file, from its first byte to its last
PLANTED = "import os; os.write(1, b'PLANTED')"


@pytest.fixture(scope="module")
def signed(tmp_path_factory):
    """Build and sign it as `make` does; return the file, beside it its signature and its signer."""
    place = tmp_path_factory.mktemp("release")
    built, key = place / "sentienguard-agent", place / "release.pem"
    agent_file.build(built, "0.0.1")
    key.write_bytes(keys.SigningKey.generate().to_pem())
    agent_file.sign(built, key)
    signer = sshsig.public_line(keys.SigningKey.from_pem(key.read_bytes()).public)
    (place / "signers").write_text(f'releases namespaces="{sshsig.RELEASE}" {signer}\n')
    return built


@pytest.fixture
def run(signed, tmp_path):
    """Return what runs a command of the file, unpacked below tmp_path."""

    def command(*arguments, file=signed):
        return subprocess.run(
            [PYTHON, file, *map(str, arguments)],
            env={"PATH": "/usr/bin:/bin", "XDG_CACHE_HOME": str(tmp_path)},
            cwd="/", capture_output=True, text=True, check=False,
        )  # fmt: skip

    return command


def unpacked(tmp_path):
    [place] = tmp_path.glob("sentienguard/agent-*")
    return place


def test_what_root_unpacks_can_be_read_by_the_collector_s_user(signed, tmp_path):
    subprocess.run(
        [PYTHON, signed, "--help"], env={"PATH": "/usr/bin:/bin", "XDG_CACHE_HOME": str(tmp_path)},
        cwd="/", umask=0o077, check=True, capture_output=True,
    )  # fmt: skip
    place = unpacked(tmp_path)
    for path in (place.parent, place, *place.rglob("*")):
        assert path.stat().st_mode & 0o777 == (0o755 if path.is_dir() else 0o644), path


def findings(run, signed, tmp_path, **more):
    """Return what `verify` says of the release, by its sentence."""
    empty = tmp_path / "agent"
    empty.mkdir(exist_ok=True)
    said = run("verify", "--dir", empty, "--json", "--release-signers", signed.parent / "signers",
               **more)  # fmt: skip
    assert said.stdout, said.stderr
    return {one["what"]: one for one in json.loads(said.stdout)["findings"]}


def test_the_running_file_verifies_itself(run, signed, tmp_path):
    found = findings(run, signed, tmp_path)
    assert found["what runs is what the file holds"]["good"]
    by = found["the file is signed by who ships it"]
    assert by["good"]
    assert by["reason"] == agent_file.fingerprint(signed.parent / "release.pem")


@pytest.mark.skipif(not shutil.which("ssh-keygen"), reason="needs ssh-keygen")
def test_ssh_keygen_verifies_it_before_it_is_ever_started(signed):
    argv = ["ssh-keygen", "-Y", "verify", "-n", sshsig.RELEASE, "-I", "releases",
            "-f", signed.parent / "signers", "-s", f"{signed}.sig"]  # fmt: skip
    good = subprocess.run(argv, input=signed.read_bytes(), capture_output=True, check=False)
    assert good.returncode == 0, good.stderr
    bad = subprocess.run(argv, input=signed.read_bytes() + b"\n", capture_output=True, check=False)
    assert bad.returncode != 0


def signed_by(file, signers, signature):
    """Return what `verify` finds about the signature of a file."""
    return release._signed(file, release.Wanted(now=NOW, signers=signers), signature, "signed")


def test_a_flipped_byte_anywhere_is_found(signed, tmp_path):
    content, copy = bytearray(signed.read_bytes()), tmp_path / "copy"
    signers, signature = signed.parent / "signers", Path(f"{signed}.sig")
    for step in range(FLIPPED):
        at = (len(content) - 1) * step // (FLIPPED - 1)
        content[at] ^= 1
        copy.write_bytes(content)
        assert not signed_by(copy, signers, signature).good, at
        content[at] ^= 1
    copy.write_bytes(content)
    assert signed_by(copy, signers, signature).good


@pytest.mark.parametrize("what", ["none", "another", "playbook", "missing"])
def test_a_signature_that_is_not_of_this_release_is_none(signed, tmp_path, what):
    signature = tmp_path / "made.sig"
    own = (signed.parent / "release.pem").read_bytes()
    match what:
        case "none":
            signature.write_text("")
        case "another":
            other = keys.SigningKey.generate()
            signature.write_text(sshsig.sign(signed.read_bytes(), other, namespace=sshsig.RELEASE))
        case "playbook":
            key = keys.SigningKey.from_pem(own)
            signature.write_text(sshsig.sign(signed.read_bytes(), key, namespace=sshsig.PLAYBOOK))
    found = signed_by(signed, signed.parent / "signers", signature)
    assert not found.good
    assert found.reason


def plant(place, kind):
    """Change what is run from; return what has to be named."""
    source = place / "sentienguard/agent/main.py"
    compiled = Path(importlib.util.cache_from_source(str(source)))
    assert compiled.exists(), "compiled modules come with the file"
    code = marshal.dumps(compile(PLANTED, "x", "exec"))
    match kind:
        case "source":
            source.write_bytes(source.read_bytes() + b"\n")
            return "main.py was changed"
        case "compiled, believed unchecked":
            head = importlib.util.MAGIC_NUMBER + (0b01).to_bytes(4, "little") + bytes(8)
            compiled.write_bytes(head + code)
        case "compiled, with the hash of its source":
            head = importlib.util.MAGIC_NUMBER + (0b11).to_bytes(4, "little")
            compiled.write_bytes(head + importlib.util.source_hash(source.read_bytes()) + code)
        case "compiled, one bit":
            body = bytearray(compiled.read_bytes())
            body[-1] ^= 1
            compiled.write_bytes(body)
        case "compiled, of no source":
            (compiled.parent / "planted.cpython-311.pyc").write_bytes(code)
            return "planted.cpython-311.pyc does not belong there"
        case "a directory for compiled modules":
            (place / "sentienguard/__pycache__x").mkdir()
            (place / "sentienguard/__pycache__x/a.pyc").write_bytes(code)
            return "does not belong there"
    return f"{compiled.name} was changed"


@pytest.mark.parametrize(
    "kind",
    [
        "source",
        "compiled, believed unchecked",
        "compiled, with the hash of its source",
        "compiled, one bit",
        "compiled, of no source",
        "a directory for compiled modules",
    ],
)
def test_what_was_planted_where_it_unpacked_itself_is_not_run(run, signed, tmp_path, kind):
    assert run("--help").returncode == 0
    place = unpacked(tmp_path)
    named = plant(place, kind)
    refused = run("--help")
    assert refused.returncode == 1
    assert named in refused.stderr
    assert "PLANTED" not in refused.stdout
    found = release._unpacked(release.OneFile(signed, place))
    assert (found.good, named in found.reason) == (False, True)


def test_running_it_adds_nothing_to_what_it_unpacked(run, tmp_path):
    for arguments in (["--help"], ["status", "--dir", tmp_path / "none"]):
        run(*arguments)
        before = {path for path in unpacked(tmp_path).rglob("*") if path.is_file()}
        run(*arguments)
        assert {path for path in unpacked(tmp_path).rglob("*") if path.is_file()} == before


def test_an_agent_of_a_package_says_that_it_is_no_one_file(tmp_path):
    [found] = release.verify(None, release.Wanted(now=NOW, signers=tmp_path / "signers"))
    assert not found.good
    assert list(release.verify(None, release.Wanted(now=NOW))) == []


def test_nobody_named_is_said_and_is_no_signature(signed, tmp_path, monkeypatch):
    monkeypatch.setattr(release, "SIGNERS", tmp_path / "none")
    _, found = release.verify(release.OneFile(signed, tmp_path), release.Wanted(now=NOW))
    assert "nobody is named" in found.what
