"""Two users for two processes: whose each file is, and what a hostile collector cannot do."""

import os

import pytest

from sentienguard.agent import (
    executor,
    installable,
    installing,
    main,
    ownership,
    private_files,
    units,
)
from sentienguard.agent import systemd_units as systemd
from tests.integration.agent.test_agent_commands import Enrolling, arguments
from tests.support import agent_centre

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away"),
]
COLLECTOR = ownership.Owner(60001, 60002)


@pytest.fixture
def trust():
    return agent_centre.Trust()


@pytest.fixture
def directory(tmp_path, trust):
    agent_centre.enrolled(tmp_path / "agent", trust, 1)
    private_files.write(tmp_path / "agent/executor/key.pem", b"key")
    return tmp_path / "agent"


def owners(directory):
    return {
        path.relative_to(directory).as_posix(): (
            path.lstat().st_uid,
            path.lstat().st_gid,
            path.lstat().st_mode & 0o777,
        )
        for path in (directory, *directory.rglob("*"))
    }


def test_each_process_gets_its_own_and_a_second_time_changes_nothing(directory):
    assert ownership.collector_of(directory) is None
    assert "collector/tls.key" in ownership.hand_over(directory, COLLECTOR, change=False)
    assert ownership.collector_of(directory) is None, "looking changed something"
    ownership.hand_over(directory, COLLECTOR)
    found = owners(directory)
    assert found["."] == found["run"] == (0, COLLECTOR.gid, 0o710)
    assert found["agent.json"] == (0, COLLECTOR.gid, 0o640)
    assert found["collector/tls.key"] == (COLLECTOR.uid, COLLECTOR.gid, 0o600)
    assert found["executor"] == (0, 0, 0o700)
    assert found["executor/key.pem"] == (0, 0, 0o600)
    assert list(ownership.wrong(directory)) == []
    assert ownership.hand_over(directory, COLLECTOR) == []
    assert owners(directory) == found


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("executor/key.pem", lambda path: path.chmod(0o640)),
        ("executor/key.pem", lambda path: os.chown(path, *(COLLECTOR.uid, COLLECTOR.gid))),
        ("executor", lambda path: path.chmod(0o710)),
        ("agent.json", lambda path: path.chmod(0o660)),
        ("agent.json", lambda path: os.chown(path, COLLECTOR.uid, -1)),
        ("agent.json", lambda path: os.chown(path, -1, 60003)),
        ("run", lambda path: path.chmod(0o730)),
        (".", lambda path: path.chmod(0o711)),
        ("collector/tls.key", lambda path: os.chown(path, 0, 0)),
        ("collector/tls.key", lambda path: path.chmod(0o640)),
    ],
)
def test_a_file_that_is_open_to_the_other_is_found(directory, name, change):
    ownership.hand_over(directory, COLLECTOR)
    change(directory / name)
    assert any(str(directory / name) in one for one in ownership.wrong(directory))


def test_links_of_the_collector_are_never_followed(directory, tmp_path):
    ownership.hand_over(directory, COLLECTOR)
    victim = tmp_path / "victim"
    victim.write_text("root's")
    link = directory / "collector/link"
    link.symlink_to(victim)
    os.chown(link, 60009, 60009, follow_symlinks=False)
    ownership.hand_over(directory, COLLECTOR)
    assert victim.stat().st_uid == 0
    link.unlink()
    os.link(victim, link)
    with pytest.raises(ownership.Shared, match="2 names"):
        ownership.hand_over(directory, COLLECTOR)
    assert victim.stat().st_uid == 0


def test_root_writes_through_no_link_of_another_user(directory, tmp_path):
    ownership.hand_over(directory, COLLECTOR)
    victim = tmp_path / "victim"
    victim.mkdir(mode=0o755)
    (directory / "collector/.tls.key.new").symlink_to(victim / "made")
    with pytest.raises(OSError, match="symbolic links"):
        private_files.write(directory / "collector/tls.key", b"new")
    (directory / "collector/other").symlink_to(victim)
    os.chown(directory / "collector/other", COLLECTOR.uid, COLLECTOR.gid, follow_symlinks=False)
    with pytest.raises(PermissionError, match="is a link that user 60001 made"):
        private_files.directory(directory / "collector/other")
    assert list(victim.iterdir()) == []
    assert victim.stat().st_mode & 0o777 == 0o755


def test_the_socket_is_the_collector_s_in_a_directory_that_is_root_s(directory):
    """In a directory of its own the collector could have root give it any file."""
    ownership.hand_over(directory, COLLECTOR)
    os.chown(directory / "run", COLLECTOR.uid, COLLECTOR.gid)  # as earlier releases left it

    class Asked:
        def operations(self):
            return {}

    server = executor._door(directory, Asked(), None)
    try:
        found = owners(directory)
        assert found["run"] == (0, COLLECTOR.gid, 0o710)
        assert found["run/executor.sock"] == (COLLECTOR.uid, COLLECTOR.gid, 0o600)
        assert list(ownership.wrong(directory)) == []
    finally:
        server.close()


def test_a_new_identity_keeps_the_users(tmp_path, trust, capsys):
    with Enrolling(trust, tmp_path) as centre:
        assert main.main(arguments(centre, tmp_path)) == 0
        directory = tmp_path / "agent"
        ownership.hand_over(directory, COLLECTOR)
        assert main.main([*arguments(centre, tmp_path), "--replace"]) == 0
    capsys.readouterr()
    assert ownership.collector_of(directory) == COLLECTOR
    assert list(ownership.wrong(directory)) == []


def test_a_unit_of_somebody_s_own_gives_way_only_when_asked_and_is_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(systemd, "UNITS", tmp_path)
    place = units.Place(tmp_path / "agent", ("/usr/bin/agent",))
    written = units.render(place)
    file = tmp_path / units.COLLECTOR
    file.write_text("[Service]\nUser=me\n")
    with pytest.raises(installable.CannotInstall, match="changed by hand"):
        installable.require_units_ours(place.directory, written, replace_units=False)
    installable.require_units_ours(place.directory, written, replace_units=True)
    found = installable.read(units.COLLECTOR)
    installing._writing(units.COLLECTOR, written[units.COLLECTOR], found)()
    assert (tmp_path / f"{units.COLLECTOR}.kept").read_text() == "[Service]\nUser=me\n"
    assert units.is_ours(file.read_text())
    assert file.stat().st_mode & 0o777 == 0o644
    other = units.render(units.Place(tmp_path / "other", ("/usr/bin/agent",)))
    with pytest.raises(installable.CannotInstall, match="a host has one agent"):
        installable.require_units_ours(tmp_path / "other", other, replace_units=True)


def test_without_systemd_there_is_nothing_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr(systemd, "_RUNNING", tmp_path / "none")
    with pytest.raises(installable.CannotInstall, match="not started by systemd"):
        installing.install(tmp_path, None, replace_units=False, dry_run=True)


@pytest.mark.parametrize(
    ("mode", "owner", "said"),
    [(0o777, 0, "others can write"), (0o755, 60001, "root alone"), (0o700, 0, "cannot pass")],
)
def test_root_runs_nothing_that_others_can_change(tmp_path, mode, owner, said):
    program = tmp_path / "bin/agent"
    program.parent.mkdir()
    program.touch()
    program.parent.chmod(mode)
    os.chown(program.parent, owner, owner)
    with pytest.raises(installable.CannotInstall, match=said):
        installable.require_private(program, "the agent")


def test_a_file_that_goes_while_we_look_is_no_fault(directory, monkeypatch):
    found = list(directory.rglob("*"))
    gone = directory / "executor/trust/playbooks/.0.yaml.new"
    monkeypatch.setattr(type(directory), "rglob", lambda *_: [*found, gone])
    assert list(ownership.wrong(directory)) == []
