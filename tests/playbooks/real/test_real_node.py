"""Playbooks on a Debian host of its own: units of systemd, journald, apt's cache, memory and swap.

Memory is the whole machine's, whoever else uses it. So what a service leaks is sized in it, and the
thresholds of a playbook are put between what was measured without and with the leak.
"""

import contextlib
import subprocess
from pathlib import Path

import pytest

from sentienguard.cli.drills.beds import bed, node_image
from tests.servers import sshd
from tests.support import real_kinds, real_nodes, real_playbooks

WHY = node_image.why_not()
pytestmark = [
    pytest.mark.integration,
    pytest.mark.timeout(1200),  # the first host on a machine has its root made
    pytest.mark.skipif(bool(WHY), reason=WHY),
]
LEAKING = """
import os, sys, time
held = []
if not os.path.exists("/run/leaked"):
    for _ in range(int(sys.argv[1])):
        held.append(os.urandom(1 << 16) * 16)
    open("/run/leaked", "w").close()
while True: time.sleep(60)
"""
# What it holds is written out at once (madvise, MADV_PAGEOUT), so that swap really is in use.
SWAPPED = """
import mmap, os, sys, time
if not os.path.exists("/run/swapped"):
    held = mmap.mmap(-1, int(sys.argv[1]) << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    for at in range(0, len(held), 4096): held[at:at + 4096] = os.urandom(4096)
    held.madvise(21)
    open("/run/swapped", "w").close()
while True: time.sleep(60)
"""
LEAK_MIB = 1536
SWAP_MIB = 64


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    try:
        made = real_nodes.Node(tmp_path_factory.mktemp("n"), volumes=[{"path": "/"}])
    except bed.CannotMake as cause:
        pytest.skip(str(cause))
    yield made
    made.close()


def memory():
    lines = Path("/proc/meminfo").read_text().splitlines()
    return {name: int(rest.split()[0]) for name, _, rest in (one.partition(":") for one in lines)}


def memory_percent():
    found = memory()
    return 100 * (1 - found["MemAvailable"] / found["MemTotal"])


def test_a_unit_that_leaks_memory_is_restarted_and_gives_it_back(node):
    if memory()["MemAvailable"] < 2 * LEAK_MIB * 1024:
        pytest.skip(f"less than {2 * LEAK_MIB} MiB of memory are free")
    before = memory_percent()
    node.unit("leaking", LEAKING, str(LEAK_MIB))
    node.unit("beside", "import time\nwhile True: time.sleep(60)\n")
    node.said("wait_for 60 test -e /run/leaked")
    full = memory_percent()
    line = (before + full) / 2
    assert full - before > 100 * LEAK_MIB * 1024 / memory()["MemTotal"] / 2
    percents = {"> 90%": f"> {line:.2f}%", "> 85%": f"> {line:.2f}%", "< 80%": f"< {line:.2f}%"}
    leaked, beside = node.main_pid("leaking"), node.main_pid("beside")
    node.heals("memory_leak_service_restart", service="leaking", swap=percents)
    assert node.main_pid("leaking") != leaked
    assert node.main_pid("beside") == beside
    assert memory_percent() < line


@pytest.fixture
def swap(tmp_path):
    """Give the machine a little swap of its own for one test."""
    if memory()["SwapTotal"]:
        pytest.skip("this machine swaps already: a test's share of it would not show")
    place = tmp_path / "swap"
    place.write_bytes(bytes(SWAP_MIB << 20))
    place.chmod(0o600)
    subprocess.run(["mkswap", str(place)], check=True, capture_output=True)
    on = subprocess.run(["swapon", str(place)], check=False, capture_output=True, text=True)
    if on.returncode != 0:
        pytest.skip(f"swapon {place}: {on.stderr.strip()}")
    yield
    subprocess.run(["swapoff", str(place)], check=True)


@pytest.mark.usefixtures("swap")
def test_a_unit_that_holds_the_swap_is_restarted_and_frees_it(node):
    node.unit("swapped", SWAPPED, str(SWAP_MIB - 4))
    node.said("wait_for 60 test -e /run/swapped")
    found = memory()
    assert found["SwapFree"] < 0.2 * found["SwapTotal"]
    held = node.main_pid("swapped")
    only_swap = {"memory_percent > 80%": "memory_percent > 0%"}
    node.heals("swap_pressure_service_restart", service="swapped", swap=only_swap)
    assert node.main_pid("swapped") != held
    found = memory()
    assert found["SwapFree"] > 0.6 * found["SwapTotal"]


def test_a_unit_without_a_leak_is_left_alone(node):
    node.unit("modest", "import time\nwhile True: time.sleep(60)\n")
    before = node.main_pid("modest")
    node.leaves_alone("memory_leak_service_restart", service="modest")
    assert node.main_pid("modest") == before


JOURNAL = "/var/log/journal"
FLOOD = """
import os, socket
sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
sender.connect("/run/systemd/journal/socket")
for at in range(1200):
    text = os.urandom(30_000).hex().encode()
    sender.send(b"MESSAGE=%d %s\\nPRIORITY=6\\nSYSLOG_IDENTIFIER=chatty\\n" % (at, text))
"""


def used(node):
    return int(node.said("used /"))


def journal_mib(node):
    return int(node.said(f"du -sm {JOURNAL}").split()[0])


def flooded(node):
    """Let journald keep what it is told on disk, in small files, and tell it much."""
    root = node.bed.root
    (root / "etc/systemd/journald.conf.d").mkdir(exist_ok=True)
    (root / "etc/systemd/journald.conf.d/test.conf").write_text(
        "[Journal]\nStorage=persistent\nSystemMaxUse=400M\nSystemKeepFree=1M\nCompress=no\n"
        "SystemMaxFileSize=8M\nRateLimitIntervalSec=0\n"
    )
    (root / "opt/flood.py").write_text(FLOOD)
    node.said("systemctl restart systemd-journald && python3 /opt/flood.py && journalctl --sync")
    node.said("logger --tag last the last line && journalctl --sync")
    assert journal_mib(node) > 60


@real_kinds.runs("check dependencies")
def test_an_overgrown_journal_is_vacuumed_and_its_newest_lines_stay(node):
    flooded(node)
    other = node.said("fill /var/log/other.log 5 30; digest /var/log/other.log")
    before = used(node)
    # The budget and the volume are a small host's.
    small = {"200M": "16M", "> 85%": f"> {before - 1}%", '"< 85%"': f'"< {before - 3}%"'}
    node.mends("journal_vacuum", mount="/", swap=small)
    assert journal_mib(node) < 32
    assert "the last line" in node.said("journalctl --quiet --identifier=last --output=cat")
    assert node.said("digest /var/log/other.log") == other


def test_a_journal_stays_while_there_is_room(node):
    before = node.said(f"ls {JOURNAL}/*")
    node.leaves_alone("journal_vacuum", mount="/")
    assert node.said(f"ls {JOURNAL}/*") == before


ARCHIVES = "/var/cache/apt/archives"


def test_old_packages_in_the_cache_go_and_what_is_being_installed_stays(node):
    node.said(
        f"for n in 1 2 3; do fill {ARCHIVES}/old_$n.deb 20 9; done; fill {ARCHIVES}/new.deb 5"
    )
    node.said(f"fill {ARCHIVES}/notes.txt 2 30")
    before = used(node)
    full = {"> 85%": f"> {before - 1}%", '"< 80%"': f'"< {before - 5}%"'}
    node.heals("disk_cleanup_package_cache", mount="/", swap=full)
    left = node.said(f"cd {ARCHIVES}; ls *.deb *.txt").split()
    assert left == ["new.deb", "notes.txt"]


FAILING = """
import os, sys, time
if not os.path.exists("/run/may-run"): sys.exit(1)
while True: time.sleep(60)
"""


@pytest.fixture
def agentless(node, tmp_path):
    """Declare units of the node to an agent of this machine, which logs in over a real sshd.

    A node has no way in from here, so the words of its owner's systemctl enter it.
    """
    if sshd.missing() is not None:
        pytest.skip(str(sshd.missing()))
    enter = ["/usr/bin/nsenter", f"--target={node.bed.leader}", "--mount", "--uts", "--ipc"]
    with sshd.running(tmp_path / "sshd") as server, contextlib.ExitStack() as stack:
        target = {
            "kind": "ssh",
            "host": "127.0.0.1",
            "port": server.port,
            "user": server.user,
            "key_file": server.key_file,
            "known_hosts_file": server.known_hosts_file,
            "units": ["failing.service", "steady.service"],
            "systemctl": [*enter, "--net", "--pid", "--", "/usr/bin/systemctl"],
        }
        made = real_playbooks.Bench(tmp_path, relays={"edge": target})
        stack.callback(made.close)
        yield made


def failed(node):
    """Have a unit whose program ends with an error."""
    node.said("rm -f /run/may-run")
    node.unit("failing", FAILING)
    node.said("wait_for 10 systemctl --quiet is-failed failing")


@real_kinds.runs("step ssh_command.restart_unit")
def test_a_failed_unit_of_a_host_without_an_agent_is_restarted_over_ssh(node, agentless):
    failed(node)
    node.unit("steady", "import time\nwhile True: time.sleep(60)\n")
    steady = node.main_pid("steady")
    node.said("touch /run/may-run")
    agentless.heals("agentless_service_restart", unit="edge/remote_unit/failing.service")
    assert node.said("systemctl is-active failing") == "active"
    assert node.main_pid("steady") == steady


def test_a_unit_that_runs_on_a_host_without_an_agent_is_left_alone(node, agentless):
    node.unit("steady", "import time\nwhile True: time.sleep(60)\n")
    steady = node.main_pid("steady")
    agentless.leaves_alone("agentless_service_restart", unit="edge/remote_unit/steady.service")
    assert node.main_pid("steady") == steady


def test_a_unit_that_cannot_start_is_told_of(node, agentless):
    failed(node)
    quick = {"retry: 8": "retry: 1", "retry_delay: 3s": "retry_delay: 1s"}
    ended = agentless.give(
        "agentless_service_restart", unit="edge/remote_unit/failing.service", swap=quick
    )
    assert ended["outcome"] not in {"SUCCESS", "SUCCESS_NO_ACTION"}, ended
