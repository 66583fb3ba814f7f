"""The agent of a sandbox can be ordered to touch the sandbox and nothing else of the machine."""

import dataclasses
from pathlib import Path

import pytest

from sentienguard.adapters.local_host import clock, systemd
from sentienguard.agent import executor, settings
from sentienguard.model import ids
from sentienguard.ports import files

pytestmark = pytest.mark.integration


def configured(volume, *, confined):
    return settings.Settings(
        agent_id=ids.AgentId("11111111-2222-4333-8444-555555555555"),
        host="web-1",
        environment="drill",
        tags={},
        server="https://127.0.0.1:1",
        pins=("a" * 64,),
        root_digest=ids.Digest("sha256:" + "0" * 64),
        interval_s=1.0,
        volumes=(settings.Volume(str(volume), 1000),),
        services={"web": settings.Service("web", ("/bin/true",), "/none", None, None, None)},
        log_files=(),
        limits=settings.Limits(),
        confined=confined,
    )


def host(volume, home: Path, *, confined):
    made = configured(volume, confined=confined)
    return executor._host(
        made, home, home, clock.LocalClock(), busy=lambda: None, drifted=lambda: None
    )


def test_a_confined_agent_has_no_volume_but_those_of_its_sandbox(tmp_path):
    assert host(tmp_path, tmp_path, confined=True).files.volumes() == {str(tmp_path)}
    assert "/" in host(tmp_path, tmp_path, confined=False).files.volumes()


def test_a_confined_agent_measures_the_root_disk_all_the_same(tmp_path):
    made = host(tmp_path, tmp_path, confined=True)
    assert made.facts.measure("disk_free", {}) > 0
    with pytest.raises(files.NotAllowed, match="no mount point"):
        made.facts.measure("disk_free", {"mount": "/proc"})


def test_a_confined_agent_has_no_service_but_those_of_its_sandbox(tmp_path, monkeypatch):
    monkeypatch.setattr(systemd, "RUNNING", tmp_path)  # as if systemd ran this machine
    monkeypatch.setattr(systemd.Systemd, "_ask", lambda *_, **__: "sshd.service loaded active\n")
    monkeypatch.setattr(systemd.commands.LocalCommands, "locate", lambda *_: "/bin/systemctl")
    assert host(tmp_path, tmp_path, confined=True).services.names() == {"web"}
    assert host(tmp_path, tmp_path, confined=False).services.names() == {"web", "sshd"}


def test_confinement_is_written_and_read_and_is_off_where_nothing_is_said():
    confined = configured("/volume", confined=True)
    assert settings.parse(settings.render(confined)) == confined
    assert not dataclasses.replace(confined, confined=False).confined
    text = settings.render(confined).replace(b'"confined": true', b'"confined": "yes"')
    with pytest.raises(settings.SettingsInvalid, match="true or false"):
        settings.parse(text)
