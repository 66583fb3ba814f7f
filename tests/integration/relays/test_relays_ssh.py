"""A host without an agent, over a real sshd: the right host, the right key, the declared words."""

import json
import pathlib

import pytest

from sentienguard.adapters.local_host import command_runner
from sentienguard.adapters.remote_programs import programs, ssh, target
from sentienguard.playbook import objects
from sentienguard.ports import remote_objects
from tests.servers import sshd

WHY = sshd.missing()
pytestmark = [pytest.mark.integration, pytest.mark.skipif(WHY is not None, reason=str(WHY))]

UNIT = "edge-1/remote_unit/app@1.service"
ASKED = remote_objects.Asked(UNIT, "ssh_command", "restart_unit", {})
EFFORT = remote_objects.Effort(20.0, "order:step0", programs.Never())
# Stands in for systemctl on the other side: notes its arguments, tells and sets a unit's state.
SYSTEMCTL = """#!/usr/bin/python3
import json, pathlib, sys
place = pathlib.Path(sys.argv[0]).parent
with (place / "asked").open("a") as asked:
    asked.write(json.dumps(sys.argv[1:]) + "\\n")
if "restart" in sys.argv:
    broken = (place / "broken").exists()
    (place / "state").write_text("failed" if broken else "active")
    sys.exit("Job for app@1.service failed." if broken else 0)
elif (place / "state").exists():
    print("LoadState=loaded\\nActiveState=" + (place / "state").read_text() + "\\nFragmentPath=/x")
else:
    print("LoadState=not-found\\nActiveState=inactive\\nFragmentPath=")
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with sshd.running(tmp_path_factory.mktemp("sshd") / "server") as served:
        yield served


@pytest.fixture
def systemctl(tmp_path):
    program = tmp_path / "system ctl; touch injected"  # a name that a shell would split
    program.write_text(SYSTEMCTL)
    program.chmod(0o755)
    return program


def host_of(server, systemctl, **changes):
    known = {
        "host": "127.0.0.1",
        "port": server.port,
        "user": server.user,
        "key_file": server.key_file,
        "known_hosts_file": server.known_hosts_file,
        "systemctl": (str(systemctl),),
        **changes,
    }
    vendor = ssh.Ssh(ssh.Login(**known), command_runner.LocalCommands())
    return target.Target(vendor, ("remote_unit/app@1.service",))


def asked_there(systemctl):
    return [json.loads(line) for line in (systemctl.parent / "asked").read_text().splitlines()]


def test_a_failed_unit_is_restarted_once(server, systemctl):
    (systemctl.parent / "state").write_text("failed")
    host = host_of(server, systemctl)
    assert host.measure(objects.read(UNIT), "object_status") == "failed"
    seen = host.look(ASKED, EFFORT)
    assert host.act(ASKED, seen, EFFORT).changed
    assert host.measure(objects.read(UNIT), "object_status") == "ok"
    assert host.act(ASKED, seen, EFFORT).changed is False
    restarts = [words for words in asked_there(systemctl) if "restart" in words]
    assert restarts == [["restart", "--", "app@1.service"]]
    assert not (pathlib.Path.home() / "injected").exists()


def test_a_restart_that_ended_with_an_error_is_unknown_and_not_refused(server, systemctl):
    (systemctl.parent / "state").write_text("failed")
    (systemctl.parent / "broken").touch()
    host = host_of(server, systemctl)
    seen = host.look(ASKED, EFFORT)
    with pytest.raises(remote_objects.Unreachable, match="whether it stopped it is not known"):
        host.act(ASKED, seen, EFFORT)
    assert ["restart", "--", "app@1.service"] in asked_there(systemctl)


@pytest.mark.parametrize(
    ("state", "status"),
    [("active", "ok"), ("inactive", "stopped"), ("activating", "updating"), (None, "missing")],
)
def test_its_state_is_told(server, systemctl, state, status):
    if state is not None:
        (systemctl.parent / "state").write_text(state)
    host = host_of(server, systemctl)
    assert host.measure(objects.read(UNIT), "object_status") == status


def test_a_host_with_another_key_gets_no_login(server, systemctl, tmp_path):
    other = pathlib.Path(sshd.make_key(tmp_path / "other") + ".pub").read_text()
    known = tmp_path / "known_hosts"
    known.write_text(f"[127.0.0.1]:{server.port} {' '.join(other.split()[:2])}\n")
    host = host_of(server, systemctl, known_hosts_file=str(known))
    with pytest.raises(remote_objects.Unreachable, match=r"(?i)host key"):
        host.measure(objects.read(UNIT), "object_status")
    assert not (systemctl.parent / "asked").exists()


def test_a_host_that_is_not_known_gets_no_login_and_is_not_learnt(server, systemctl, tmp_path):
    known = tmp_path / "known_hosts"
    known.write_text("")
    host = host_of(server, systemctl, known_hosts_file=str(known))
    with pytest.raises(remote_objects.Unreachable):
        host.measure(objects.read(UNIT), "object_status")
    assert known.read_text() == ""


def test_another_key_of_ours_is_not_tried(server, systemctl, tmp_path):
    host = host_of(server, systemctl, key_file=sshd.make_key(tmp_path / "stranger"))
    with pytest.raises(remote_objects.Unreachable, match="Permission denied"):
        host.measure(objects.read(UNIT), "object_status")


def test_a_unit_that_was_not_declared_is_out_of_reach(server, systemctl):
    with pytest.raises(remote_objects.UnknownObject, match=r"app@1"):
        host_of(server, systemctl).allow(objects.read("edge-1/remote_unit/sshd.service"))
