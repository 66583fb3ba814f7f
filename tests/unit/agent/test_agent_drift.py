"""Changed settings and program files: seen at the next look, whatever else stays the same."""

import os
import threading

import pytest

from sentienguard.agent import drift, executor_state


@pytest.fixture
def package(tmp_path):
    root = tmp_path / "lib" / "site-packages" / "sentienguard"
    (root / "agent").mkdir(parents=True)
    (root / "__init__.py").write_text("")
    (root / "agent" / "executor.py").write_text("limit = 1\n")
    return root


@pytest.fixture
def directory(tmp_path):
    home = tmp_path / "agent"
    home.mkdir()
    (home / "agent.json").write_text('{"tags": {}}')
    return home


def opened(directory, package):
    return drift.Drift(
        directory, executor_state.ExecutorState(directory / "state.json"), package=package
    )


def edit_quietly(file):
    """Change the bytes and nothing that `ls -l` shows."""
    before = file.stat()
    file.write_text("limit = 9\n")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


CHANGES = {
    "settings": lambda home, _: (home / "agent.json").write_text('{"tags": {"a": "b"}}'),
    "settings gone": lambda home, _: (home / "agent.json").unlink(),
    "program": lambda _, package: (package / "agent/executor.py").write_text("limit = 2\n"),
    "program of the same size and times": lambda _, package: edit_quietly(
        package / "agent/executor.py"
    ),
    "program added": lambda _, package: (package / "agent/json.py").write_text(""),
    "program gone": lambda _, package: (package / "__init__.py").unlink(),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_change_is_a_drift_once_and_ends_the_digests_agreement(directory, package, change):
    watched = opened(directory, package)
    before = watched.digests
    assert not watched.look()
    assert watched.reason is None
    change(directory, package)
    assert watched.look()
    assert "changed since the executor started" in watched.reason
    assert watched.digests != before
    assert not watched.look()  # the same drift is not told again
    assert watched.reason is not None


def test_putting_it_back_ends_the_drift(directory, package):
    watched = opened(directory, package)
    file = package / "agent/executor.py"
    file.write_text("limit = 2\n")
    watched.look()
    file.write_text("limit = 1\n")
    watched.look()
    assert watched.reason is None


def test_touching_is_no_drift(directory, package):
    watched = opened(directory, package)
    (package / "agent/executor.py").touch()
    assert not watched.look()


def test_the_next_start_knows_what_changed_while_nobody_looked(directory, package):
    assert opened(directory, package).since_last is None
    assert opened(directory, package).since_last is None
    (package / "agent/executor.py").write_text("limit = 2\n")
    assert "files_digest" in opened(directory, package).since_last
    (directory / "agent.json").write_text("{}")
    assert "settings_digest" in opened(directory, package).since_last
    assert opened(directory, package).since_last is None


def test_in_a_checkout_the_settings_alone_are_watched(directory, package):
    (package.parent.parent / "pyproject.toml").touch()
    watched = opened(directory, package)
    (package / "agent/executor.py").write_text("limit = 2\n")
    assert not watched.look()
    assert watched.digests.files == ""
    (directory / "agent.json").write_text("{}")
    assert watched.look()


def test_a_drift_is_told_within_a_minute(directory, package, monkeypatch):
    assert drift.LOOK_S * 2 <= 60
    monkeypatch.setattr(drift, "LOOK_S", 0.01)
    watched, stop, told = opened(directory, package), threading.Event(), []

    def begun(reason):
        told.append(reason)
        stop.set()

    (directory / "agent.json").write_text("{}")
    watched.watch(stop, begun)
    assert len(told) == 1
    assert "agent.json" in told[0]
