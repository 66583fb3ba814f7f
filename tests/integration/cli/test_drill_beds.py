"""Beds of drills: what runs in one stays in it, and nothing of it is left afterwards."""

import os
import signal
import subprocess
import sys
import time

import pytest
import yaml

from sentienguard.adapters.local_host import procfs
from sentienguard.cli.drills import case, definition, guest
from sentienguard.cli.drills.beds import bed, choice, leftovers, node_image

pytestmark = pytest.mark.integration

DRILL = {
    "name": "small",
    "kind": "decoy",
    "about": "Nothing is wrong.",
    "beds": ["node", "sandbox"],
    "ports": ["web"],
    "volumes": {"data": {"size": "4MB"}},
    "services": {
        "web": {
            "start": ["$PYTHON", "$LIB/service.py", "$HERE/web.conf", "$PORT_WEB"],
            "health": "http://127.0.0.1:$PORT_WEB/health",
            "config": "$HERE/web.conf",
        }
    },
    "prepare": "echo '# mine' >web.conf",
    "inject": "true",
    "expect": {"outcome": "left_alone"},
}
KINDS = [
    "sandbox",
    pytest.param(
        "node",
        marks=pytest.mark.skipif(
            bool(node_image.why_not()) or not node_image.place().is_dir(),
            reason="this machine has no Debian root for nodes; `sentienguard drill run-all` "
            "makes one as root",
        ),
    ),
]


@pytest.fixture
def small(tmp_path):
    """Write a drill."""
    directory = tmp_path / "small"
    directory.mkdir()
    (directory / definition.FILE).write_text(yaml.safe_dump(DRILL))
    (directory / "beside.txt").write_text("beside\n")
    return definition.read(directory)


@pytest.mark.parametrize("kind", KINDS)
def test_what_runs_in_a_bed_is_gone_with_it(small, tmp_path, kind):
    beds = tmp_path / "beds"
    with choice.made(small, kind, beds, agents_port=1, tell=lambda _: None) as place:
        (directory,) = beds.iterdir()
        case.prepare(place, small)
        assert place.run("alive web.pid && cat $DRILL/beside.txt").output == "beside\n"
        assert place.run('daemon orphan sleep 600; sh -c "sleep 600 &"').good
        assert place.run("fill data/big 3; used data").good
        assert len(leftovers.of(directory)) >= 2
        assert place.declared().confined == (kind == "sandbox")
        found = leftovers.of(directory)
    assert not any(procfs.alive(one) for one in found)
    assert list(beds.iterdir()) == []
    assert leftovers.mounts(beds) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="a node needs root")
@pytest.mark.parametrize("kind", KINDS[1:])
def test_a_node_has_its_own_processes_network_and_files(small, tmp_path, kind):
    with choice.made(small, kind, tmp_path / "beds", agents_port=1, tell=lambda _: None) as place:
        assert place.run("cat /proc/1/comm").output.strip() == "systemd"
        assert place.run("ip -o link | wc -l").output.strip() == "1"  # its loopback
        assert not place.run(f"ls {tmp_path}").good
        assert place.run("rm -rf /usr/bin/ls").good
    assert (node_image.place() / "usr/bin/ls").exists()


@pytest.mark.parametrize("kind", KINDS)
def test_a_script_that_fails_or_hangs_says_so(small, tmp_path, kind):
    with choice.made(small, kind, tmp_path / "beds", agents_port=1, tell=lambda _: None) as place:
        assert place.run("echo why; exit 3") == bed.Ran(3, "why\n")
        with pytest.raises(bed.ScriptFailed, match="prepare ended with status 3: why"):
            case.must(place, "echo why; exit 3", "prepare")
        with pytest.raises(bed.ScriptFailed, match="within 1 s"):
            place.run("sleep 60", limit_s=1)
        assert not case.holds(place, "false", 0.3)


def test_the_next_run_removes_what_a_killed_one_left(small, tmp_path):
    beds = tmp_path / "beds"
    program = (
        "import pathlib, sys, time\n"
        "from sentienguard.cli.drills import case, definition\n"
        "from sentienguard.cli.drills.beds import choice\n"
        f"drill = definition.read(pathlib.Path({str(small.directory)!r}))\n"
        f"made = choice.made(drill, 'sandbox', pathlib.Path({str(beds)!r}), agents_port=1,\n"
        "    tell=print)\n"
        "with made as place:\n"
        "    case.prepare(place, drill)\n"
        "    print('ready', flush=True)\n"
        "    time.sleep(600)\n"
    )
    running = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    try:
        assert running.stdout.readline() == "ready\n"
        (directory,) = beds.iterdir()
        assert leftovers.sweep(beds) == []  # it lives
        assert directory.is_dir()
    finally:
        running.send_signal(signal.SIGKILL)
        running.wait()
        running.stdout.close()
    found = leftovers.of(directory)
    assert found
    assert leftovers.sweep(beds) == [directory.name]
    assert not directory.exists()
    assert not any(procfs.alive(one) for one in found)
    assert leftovers.mounts(beds) == []


def test_what_does_not_name_a_bed_is_left_alone(tmp_path):
    stranger = subprocess.Popen(["/bin/sleep", "60"], cwd=tmp_path)
    try:
        bed_of_another = tmp_path / "beds/0001"
        bed_of_another.mkdir(parents=True)
        leftovers.remove(bed_of_another)
        time.sleep(0.1)
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_agent_json_says_what_the_drill_declares(small, tmp_path):
    made = choice.made(small, "sandbox", tmp_path / "beds", agents_port=1, tell=lambda _: None)
    with made as place:
        declared = place.declared()
        (volume,) = declared.volumes
        assert volume.path == f"{place.here}/data"
        assert (volume.budget_bytes is None) == (os.geteuid() == 0)
        web = declared.services["web"]
        assert web.config_file == f"{place.here}/web.conf"
        assert "$" not in "".join((*web.start, web.health_url))
        assert guest.INTERVAL_S <= 1


def test_a_bed_that_this_machine_does_not_allow_is_refused_with_the_way_out(small, monkeypatch):
    monkeypatch.setattr(node_image, "why_not", lambda: "nodes need root")
    assert choice.choose(small, None) == "sandbox"
    with pytest.raises(bed.CannotMake, match="nodes need root"):
        choice.choose(small, "node")
