"""A whole release: built from a clean tree, signed, installed as the guide says, and attacked."""

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from scripts import release as building
from sentienguard.agent import release, release_manifest
from sentienguard.trust import keys, sshsig

pytestmark = [
    pytest.mark.integration,
    pytest.mark.timeout(240),
    pytest.mark.skipif(not shutil.which("ssh-keygen"), reason="needs ssh-keygen"),
]
ROOT = Path(__file__).resolve().parents[3]
GUIDE = ROOT / "docs/how-to/check-what-is-shipped.md"
PYTHON = Path(sys.base_prefix) / f"bin/python{sys.version_info.major}.{sys.version_info.minor}"
NEEDED = (
    "src", "scripts", "packaging", "playbooks", "drills", "tools", "requirements", "pyproject.toml",
    "ui/package-lock.json", "LICENSE", "README.md", ".gitignore",
)  # fmt: skip
NOW = datetime.now(UTC)  # ssh-keygen asks the clock as well
PLANTED = b"# planted\n"


def done(*words, **more):
    check = more.pop("check", True)
    return subprocess.run([*map(str, words)], capture_output=True, text=True, check=check, **more)


def key_line(key):
    return " ".join(Path(f"{key}.pub").read_text().split()[:2])


@pytest.fixture(scope="module")
def key(tmp_path_factory):
    path = tmp_path_factory.mktemp("offline") / "key"
    done("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path)
    return path


@pytest.fixture(scope="module")
def tree(tmp_path_factory, key):
    """Return a checkout of what is here, committed, in which the owner named the key."""
    place = tmp_path_factory.mktemp("tree")
    made = shutil.ignore_patterns("__pycache__", "ui_dist", "*.pyc")
    for name in NEEDED:
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, place / name, ignore=made)
        else:
            shutil.copy(ROOT / name, place / name)
    dashboard = place / "src/sentienguard/controlplane/ui_dist/index.html"
    dashboard.parent.mkdir(parents=True)
    dashboard.write_text("<!doctype html>\n")
    with (place / "packaging/release-signers").open("a") as signers:
        signers.write(f'releases namespaces="{sshsig.RELEASE}" {key_line(key)}\n')
    done("git", "init", "-q", cwd=place)
    commit(place)
    return place


def commit(place):
    who = ["-c", "user.name=owner", "-c", "user.email=owner@example.org", "-c", "gc.auto=0"]
    done("git", "add", "-A", cwd=place)
    done("git", *who, "commit", "-q", "--no-verify", "-m", "release", cwd=place)


def build(tree, *arguments, **more):
    env = {**os.environ, "PYTHONPATH": str(tree / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
    return done(sys.executable, "scripts/release.py", *arguments, cwd=tree, env=env, **more)


@pytest.fixture(scope="module")
def built(tree, key, tmp_path_factory):
    """Return a directory with a signed release."""
    out = tmp_path_factory.mktemp("release") / "out"
    build(tree, "--key", key, "--out", out)
    return out


@pytest.fixture
def copy(built, tmp_path):
    """Return a copy of the release that may be spoilt."""
    shutil.copytree(built, tmp_path / "copy")
    return tmp_path / "copy"


def named(directory, pattern):
    [path] = directory.glob(pattern)
    return path


def signers(tmp_path, key, options=""):
    path = tmp_path / "signers"
    path.write_text(f'releases namespaces="{sshsig.RELEASE}"{options} {key_line(key)}\n')
    return path


def found(directory, tmp_path, key, **more):
    """Return what `verify --release` says of what is wrong, with the agent as one file running."""
    one = release.OneFile(named(directory, "*-linux-*[!g]"), tmp_path)
    (tmp_path / "revoked").touch()
    more = more if "signers" in more else {**more, "signers": signers(tmp_path, key)}
    manifest = named(directory, "*.sha256")
    asked = release.Wanted(now=NOW, revoked=tmp_path / "revoked", manifest=manifest)
    asked = replace(asked, **more)
    return [
        f"{one.what}: {one.reason}" for one in release._released(one, asked, asked.manifest)
        if not one.good
    ]  # fmt: skip


def by_hand(directory, tmp_path):
    """Return whether both commands of the guide are content, with what lies in tmp_path."""
    manifest = named(directory, "*.sha256")
    words = ["ssh-keygen", "-Y", "verify", "-n", sshsig.RELEASE, "-I", "releases", "-f",
             tmp_path / "signers", "-r", tmp_path / "revoked", "-s", f"{manifest}.sig"]  # fmt: skip
    signed = done(*words, input=manifest.read_text(), check=False).returncode == 0
    words = ["sha256sum", "--strict", "--ignore-missing", "--check", manifest.name]
    return signed and done(*words, cwd=directory, check=False).returncode == 0


def test_a_release_holds_what_is_shipped_and_nothing_else(built):
    manifest = named(built, "*.sha256")
    read = release_manifest.parse(manifest.read_text())
    ends = {"whl", "gz", "json", "tar", "py"}
    assert {name.rpartition(".")[2] for name in read.files if "linux" not in name} == ends
    present = {path.name for path in built.iterdir()}
    agent = next(name for name in read.files if "linux" in name)
    assert present == {*read.files, manifest.name, f"{manifest.name}.sig", f"{agent}.sig"}


def test_the_same_commit_gives_the_same_bytes_and_without_a_key_says_how_to_sign(tree, built, key):
    again = built.parent / "again"
    said = build(tree, "--out", again).stdout
    assert named(again, "*.sha256").read_text() == named(built, "*.sha256").read_text()
    commands = [line.strip() for line in said.splitlines() if "ssh-keygen -Y sign" in line]
    assert len(commands) == 2
    for command in commands:
        done(*command.replace(" KEY ", f" {key} ").split())
    for path in built.glob("*.sig"):
        assert (again / path.name).read_bytes() == path.read_bytes()


def steps(title):
    """Return the commands that a section of the guide shows, block by block."""
    section = GUIDE.read_text().split(f"### {title}\n")[1].split("\n## ")[0]
    blocks = re.findall(r"```\n(.*?)```", section, re.DOTALL)
    return [block.replace("\\\n", " ").splitlines() for block in blocks]


def test_the_commands_of_the_guide_install_it_and_are_content(built, key, copy, tmp_path):
    told, verified, looked = steps("Install it, with the fingerprint checked")
    (tmp_path / "bin").mkdir()

    def run(command):
        for shown, here in (
            ("ssh-ed25519 AAAA...", key_line(key)),
            ("/etc/sentienguard", f"{tmp_path}/etc"),
            ("/usr/bin/", f"{tmp_path}/bin/"),
        ):
            command = command.replace(shown, here)
        return done("bash", "-ec", command, cwd=copy)

    said = [run(command).stdout for command in (*told, *verified)]
    assert done("ssh-keygen", "-l", "-f", f"{key}.pub").stdout.split()[1] in said[3]
    assert "# sentienguard release" in said[-3]
    words = looked[-1].split()
    assert words[0] == "sentienguard-agent"
    words += ["--json", "--dir", tmp_path / "agent"]
    words += ["--release-signers", tmp_path / "etc/release-signers"]
    words += ["--release-revoked", tmp_path / "etc/release-revoked"]
    (tmp_path / "agent").mkdir()
    env = {"PATH": "/usr/bin:/bin", "XDG_CACHE_HOME": str(tmp_path / "cache")}
    looked_at = done(PYTHON, tmp_path / "bin/sentienguard-agent", *words[1:], env=env, cwd=copy,
                     check=False)  # fmt: skip
    findings = json.loads(looked_at.stdout)["findings"][:7]
    assert [one["what"] for one in findings if not one["good"]] == []
    assert [one["what"] for one in findings] == [
        "the manifest is signed by who ships releases",
        "the agent that runs is of this release",
        "the release is the version that runs",
        "the release is 0.1.0 or newer",
        "what lies beside the manifest was looked at",
        "what runs is what the file holds",
        "the file is signed by who ships it",
    ]


def sign_anew(manifest, key, namespace):
    Path(f"{manifest}.sig").unlink()
    done("ssh-keygen", "-Y", "sign", "-n", namespace, "-f", key, manifest)


def spoil(attack, copy, key):
    manifest, agent = named(copy, "*.sha256"), named(copy, "*-linux-*[!g]")
    wheel, bill = named(copy, "*.whl"), named(copy, "*.json")
    match attack:
        case "an artefact changed":
            with wheel.open("ab") as file:
                file.write(PLANTED)
        case "two artefacts swapped":
            content = wheel.read_bytes()
            wheel.write_bytes(bill.read_bytes())
            bill.write_bytes(content)
        case "another artefact in the agent's place":
            shutil.copy(wheel, agent)
        case "the agent changed, and the manifest with it":
            before = release_manifest.sha256(agent)
            with agent.open("ab") as file:
                file.write(PLANTED)
            text = manifest.read_text().replace(before, release_manifest.sha256(agent))
            manifest.write_text(text)
        case "a line taken out":
            manifest.write_text("\n".join(manifest.read_text().splitlines()[:-1]) + "\n")
        case "signed for something else":
            sign_anew(manifest, key, sshsig.PLAYBOOK)
        case "signed by somebody else":
            other = keys.SigningKey.generate()
            text = sshsig.sign(manifest.read_bytes(), other, namespace=sshsig.RELEASE)
            Path(f"{manifest}.sig").write_text(text)
        case "the agent's signature in the manifest's place":
            shutil.copy(f"{agent}.sig", f"{manifest}.sig")
        case "no signature":
            Path(f"{manifest}.sig").unlink()


ATTACKS = [
    ("an artefact changed", "was changed or swapped"),
    ("two artefacts swapped", "was changed or swapped"),
    ("another artefact in the agent's place", "the agent that runs is of this release: "),
    ("the agent changed, and the manifest with it", "rule 5"),
    ("a line taken out", "rule 5"),
    ("signed for something else", "rule 3"),
    ("signed by somebody else", "rule 4"),
    ("the agent's signature in the manifest's place", "rule 5"),
    ("no signature", "No such file"),
]


@pytest.mark.parametrize(("attack", "says"), ATTACKS, ids=[one[0] for one in ATTACKS])
def test_a_spoilt_release_is_found_here_and_by_hand(copy, tmp_path, key, attack, says):
    assert found(copy, tmp_path, key) == []
    assert by_hand(copy, tmp_path)
    spoil(attack, copy, key)
    wrong = found(copy, tmp_path, key)
    assert any(says in one for one in wrong), wrong
    assert not by_hand(copy, tmp_path)


SPANS = [
    (',valid-before="20200101Z"', False),
    (',valid-after="20990101Z"', False),
    (',valid-after="20200101Z",valid-before="20990101Z"', True),
]


@pytest.mark.parametrize(("options", "good"), SPANS)
def test_a_key_signs_within_its_time_alone(built, tmp_path, key, options, good):
    wrong = found(built, tmp_path, key, signers=signers(tmp_path, key, options))
    assert (wrong == []) is good
    assert good or "rule 6" in wrong[0]
    assert by_hand(built, tmp_path) is good


def test_a_signature_ends_with_its_key_even_if_it_was_made_before(built, tmp_path, key):
    soon = NOW + timedelta(days=1)
    named_for_today = signers(tmp_path, key, f',valid-before="{soon:%Y%m%d%H%M%S}Z"')
    assert found(built, tmp_path, key, signers=named_for_today) == []
    later = found(built, tmp_path, key, signers=named_for_today, now=soon + timedelta(days=1))
    assert "rule 6" in later[0]


def test_a_revoked_key_signs_nothing(built, tmp_path, key):
    (tmp_path / "revoked").write_text(f"{key_line(key)}\n")
    assert "rule 7" in found(built, tmp_path, key)[0]
    assert not by_hand(built, tmp_path)


def test_nobody_named_is_a_fault_where_a_release_was_named(built, tmp_path, key, monkeypatch):
    monkeypatch.setattr(release, "SIGNERS", tmp_path / "none")
    [wrong] = found(built, tmp_path, key, signers=None)
    assert "no release key is known here" in wrong


def test_what_the_repository_names_so_far_is_nobody(built, tmp_path, key):
    """When the owner fills packaging/release-signers this test goes, and the guide's sentence."""
    [wrong] = found(built, tmp_path, key, signers=ROOT / "packaging/release-signers")
    assert "no Ed25519 key is named there" in wrong
    assert "No key is named there yet" in GUIDE.read_text()
    assert sshsig.revoked_keys((ROOT / "packaging/release-revoked").read_text()) == ()


@pytest.mark.parametrize("name", ["sentienguard-extra.whl", ".hidden", "x.sig", "verify.py.sig"])
def test_what_does_not_belong_beside_a_manifest_is_found(copy, tmp_path, key, name):
    (copy / name).write_bytes(PLANTED)
    [wrong] = found(copy, tmp_path, key)
    assert f"{name} does not belong there" in wrong
    assert by_hand(copy, tmp_path), "sha256sum does not look for it, as the guide says"


def test_a_link_in_the_place_of_an_artefact_is_none(copy, built, tmp_path, key):
    wheel = named(copy, "*.whl")
    wheel.unlink()
    wheel.symlink_to(named(built, "*.whl"))
    [wrong] = found(copy, tmp_path, key)
    assert "was changed or swapped" in wrong


def older(copy, key):
    """Make the manifest one of an earlier version, signed as well as any."""
    manifest = named(copy, "*.sha256")
    read = release_manifest.parse(manifest.read_text())
    manifest.write_text(release_manifest.render(replace(read, version="0.0.9")))
    sign_anew(manifest, key, sshsig.RELEASE)


def test_an_older_manifest_is_no_release_of_what_runs(copy, tmp_path, key):
    older(copy, key)
    [wrong] = found(copy, tmp_path, key)
    assert "the manifest is of 0.0.9 and 0.1.0 runs" in wrong
    assert by_hand(copy, tmp_path), "it is signed: only who reads its version sees it"


def test_an_older_release_is_seen_by_whoever_names_the_least(copy, tmp_path, key, monkeypatch):
    older(copy, key)
    monkeypatch.setattr(release_manifest, "version_of", lambda archive: "0.0.9")
    assert found(copy, tmp_path, key) == [], "an older release as a whole is signed as well as any"
    [wrong] = found(copy, tmp_path, key, least="0.1.0")
    assert "the manifest is of 0.0.9, which is older" in wrong
    assert found(copy, tmp_path, key, least="0.0.9") == []


@pytest.mark.parametrize("change", ["changed", "planted", "removed", "another wheel"])
def test_a_package_is_compared_with_its_wheel(copy, tmp_path, key, change):
    wheel, place = named(copy, "*.whl"), tmp_path / "installed"
    shutil.unpack_archive(wheel, place, "zip")
    package, manifest = place / "sentienguard", named(copy, "*.sha256")
    read = release_manifest.parse(manifest.read_text())
    assert release_manifest.package(read, manifest, package).good
    module = package / "agent/main.py"
    match change:
        case "changed":
            module.write_bytes(module.read_bytes() + PLANTED)
        case "planted":
            module.with_name("planted.py").write_bytes(PLANTED)
        case "removed":
            module.unlink()
        case "another wheel":
            with wheel.open("ab") as file:
                file.write(PLANTED)
    assert not release_manifest.package(read, manifest, package).good


def test_a_tree_that_differs_from_its_commit_is_neither_built_nor_signed(tree, key, tmp_path):
    stray = tree / "stray.txt"
    stray.write_text("x")
    try:
        refused = build(tree, "--key", key, "--out", tmp_path / "out", check=False)
    finally:
        stray.unlink()
    assert refused.returncode == 1
    assert "differs from its commit in 1 files, the first is stray.txt" in refused.stderr
    assert not (tmp_path / "out").exists()


def test_a_directory_that_holds_something_is_refused(tree, tmp_path):
    (tmp_path / "old").touch()
    refused = build(tree, "--out", tmp_path, check=False)
    assert (refused.returncode, "has to be empty" in refused.stderr) == (1, True)


def test_a_key_that_the_owner_did_not_name_signs_no_release(copy, tmp_path, monkeypatch):
    other = tmp_path / "other"
    done("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", other)
    monkeypatch.setattr(building, "SIGNERS", signers(tmp_path, other, ',valid-before="20200101Z"'))
    manifest = named(copy, "*.sha256")
    Path(f"{manifest}.sig").unlink()
    with pytest.raises(building.NotReleased, match="nobody would believe"):
        building.sign(manifest, other)
    assert not Path(f"{manifest}.sig").exists()
    monkeypatch.setattr(building, "SIGNERS", signers(tmp_path, other))
    assert building.sign(manifest, other).startswith("SHA256:")


GOOD = f"# sentienguard release 0.1.0\n# commit {'a' * 40}\n{'b' * 64}  one.whl\n"


def test_a_manifest_reads_back():
    assert release_manifest.render(release_manifest.parse(GOOD)) == GOOD


@pytest.mark.parametrize(
    "text",
    [
        "", GOOD[:-1], GOOD + "\n", GOOD + "# more\n", GOOD.replace("0.1.0", "0.1.0rc1"),
        GOOD.replace("0.1.0", "\u0660.1"), GOOD.replace("commit ", "commit x"),
        GOOD.replace("one.whl", "../one.whl"), GOOD.replace("one.whl", "a b"),
        GOOD.replace("  one", " *one"), GOOD.replace("b" * 64, "B" * 64),
        GOOD + f"{'c' * 64}  one.whl\n", GOOD.replace("one.whl", "-c"),
        GOOD.replace("\n", "\r\n"), GOOD + f"{'c' * 64}  {'x' * 65_000}\n",
    ],
)  # fmt: skip
def test_any_other_form_of_a_manifest_is_refused_as_a_whole(text):
    with pytest.raises(release_manifest.NotAManifest):
        release_manifest.parse(text)
