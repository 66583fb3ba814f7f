"""Playbooks that live in a directory or in a git repository: read as they stand, then signed."""

import os
import subprocess

import pytest

from sentienguard.cli import playbook_source
from sentienguard.cli.installation import bundled
from sentienguard.playbook import parse
from tests.support.trust_ceremony import People, renamed

pytestmark = pytest.mark.integration
STORED = next(one for one in bundled.playbooks().values())
NAME = parse.load(STORED, origin="bundled").name


def git(place, *words):
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    who = (
        "-c",
        "user.name=dora",
        "-c",
        "user.email=dora@example.com",
        "-c",
        "init.defaultBranch=main",
    )
    ran = subprocess.run(["git", "-C", str(place), *who, *words], env=environment, check=True,
                         capture_output=True, text=True)  # fmt: skip
    return ran.stdout.strip()


@pytest.fixture
def repository(tmp_path):
    """Two remedies, committed and tagged."""
    place = tmp_path / "remedies"
    for name in ("first_remedy", "second_remedy"):
        (place / "linux" / name).mkdir(parents=True)
        (place / "linux" / name / playbook_source.NAME).write_bytes(renamed(STORED, NAME, name))
    (place / "README.md").write_text("ours")
    git(place, "init", "-q")
    git(place, "add", ".")
    git(place, "commit", "-q", "-m", "two")
    git(place, "tag", "v1")
    return place


def test_a_revision_is_read_as_committed_whatever_lies_beside(repository):
    loose = repository / "linux/third_remedy"
    loose.mkdir()
    (loose / playbook_source.NAME).write_bytes(renamed(STORED, NAME, "third_remedy"))
    changed = repository / "linux/first_remedy" / playbook_source.NAME
    changed.write_bytes(b"not: committed")
    found = playbook_source.read(f"{repository}@v1")
    assert sorted(found.playbooks) == [
        "linux/first_remedy/playbook.yaml", "linux/second_remedy/playbook.yaml",
    ]  # fmt: skip
    assert found.commit == git(repository, "rev-parse", "v1")
    assert found.playbooks["linux/first_remedy/playbook.yaml"] == renamed(
        STORED, NAME, "first_remedy"
    )


def test_a_directory_is_read_as_it_lies_there_without_links_and_hidden_places(repository, tmp_path):
    outside = tmp_path / "outside.yaml"
    outside.write_bytes(renamed(STORED, NAME, "outside"))
    (repository / "linux/second_remedy/playbook.yaml").unlink()
    (repository / "linux/second_remedy/playbook.yaml").symlink_to(outside)
    (repository / ".hidden").mkdir()
    (repository / ".hidden/playbook.yaml").write_bytes(renamed(STORED, NAME, "hidden"))
    assert list(playbook_source.read(str(repository)).playbooks) == [
        "linux/first_remedy/playbook.yaml"
    ]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("{}@nothing", "rev-parse"),
        ("{}@--upload-pack=touch /tmp/x", "expected a branch"),
        ("{}@v1:linux", "expected a branch"),
        ("{}/linux/nothing", "expected a directory"),
        ("{}/.git", "found none"),
        ("/nowhere@v1", "git"),
    ],
)
def test_what_is_no_source_says_what_was_expected(repository, given, said):
    with pytest.raises(playbook_source.SourceWrong, match=said):
        playbook_source.read(given.format(repository))


def test_what_lint_refuses_is_not_listed_and_names_its_file(repository):
    bad = repository / "linux/first_remedy/playbook.yaml"
    bad.write_bytes(bad.read_bytes().replace(b"idempotent: true", b"idempotent: maybe"))
    with pytest.raises(Exception, match="first_remedy"):
        playbook_source.read(str(repository))


def test_a_file_that_is_too_large_or_one_too_many_is_refused(repository, monkeypatch):
    monkeypatch.setattr(playbook_source, "MOST", 1)
    with pytest.raises(playbook_source.SourceWrong, match="at most 1"):
        playbook_source.read(f"{repository}@v1")
    monkeypatch.setattr(playbook_source, "LARGEST_BYTES", 100)
    for given in (str(repository), f"{repository}@v1"):
        with pytest.raises(playbook_source.SourceWrong, match="at most 100 bytes"):
            playbook_source.read(given)


def test_nothing_of_a_repository_runs_when_it_is_read(repository, tmp_path):
    ran = tmp_path / "ran"
    script = tmp_path / "evil"
    script.write_text(f"#!/bin/sh\ntouch {ran}\ncat\n")
    script.chmod(0o755)
    for name in ("core.fsmonitor", "core.pager", "filter.evil.smudge", "core.sshCommand"):
        git(repository, "config", name, str(script))
    (repository / ".gitattributes").write_text("*.yaml filter=evil diff=evil\n")
    git(repository, "config", "diff.evil.textconv", str(script))
    ran.unlink(missing_ok=True)
    assert len(playbook_source.read(f"{repository}@v1").playbooks) == 2
    assert not ran.exists()


def test_a_catalogue_follows_a_repository_and_no_version_changes_its_bytes(
    repository, tmp_path, capsys
):
    people = People(tmp_path, capsys, [])
    people.up()
    people.file.parent.mkdir()
    people.run("export", "--out", people.file, "--data", people.data)
    found = people.run("rotate", people.file, "--source", f"{repository}@v1")
    assert found["source"]["playbooks"] == 2
    assert found["source"]["listed_and_not_there"] == []
    people.run("sign", people.file, "--key", people.places.offline / "signer.pem", "--yes")
    people.take_over()
    listed = {one.name for one in people.load().catalogue.playbooks}
    assert listed >= {"first_remedy", "second_remedy"}

    changed = repository / "linux/first_remedy/playbook.yaml"
    changed.write_bytes(changed.read_bytes() + b"# changed\n")
    git(repository, "commit", "-q", "-a", "-m", "the same version")
    refused = people.run("rotate", people.file, "--source", f"{repository}@main", status=1)
    assert "raise its version" in refused

    git(repository, "rm", "-q", "-r", "linux/first_remedy")
    git(repository, "commit", "-q", "-m", "one less")
    found = people.run("rotate", people.file, "--source", f"{repository}@main")
    assert found["source"]["listed_and_not_there"] == ["first_remedy 1.0.0"]


def test_two_files_with_one_name_and_version_are_refused(repository, tmp_path, capsys):
    people = People(tmp_path, capsys, [])
    people.up()
    people.file.parent.mkdir()
    people.run("export", "--out", people.file, "--data", people.data)
    twin = repository / "linux/twin"
    twin.mkdir()
    (twin / "playbook.yaml").write_bytes(renamed(STORED, NAME, "first_remedy") + b"# other\n")
    refused = people.run("rotate", people.file, "--source", repository, status=1)
    assert "first_remedy" in refused
