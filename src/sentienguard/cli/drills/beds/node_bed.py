"""A Debian host of its own: systemd, processes, network and files that a fault may ruin.

    tmpfs of the bed      what the host writes; full when the host's disk is full
    overlay on it         the Debian root below, which stays as it is
    systemd-nspawn        boots it; its network is a loopback with one port that leads out

The agent in it is a whole one: it sees every disk and unit of the host, and may act on them.
"""

import importlib.util
import os
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import sentienguard
from sentienguard.adapters.local_host import procfs
from sentienguard.cli.drills import definition
from sentienguard.cli.drills.beds import bed, leftovers, node_image, relay
from sentienguard.cli.installation import processes
from sentienguard.ports import processes as process_port

DISK_BYTES = 600 << 20  # of the whole host
BOOT_S = 60.0
MOUNT_S = 10.0
HERE = "/srv/drill"
CODE = "/opt/sentienguard"
BESIDE = "/opt/drill"
LIB = "/opt/drill-lib"
AGENT = "var/lib/sentienguard-agent"
# A host lets its processes shut themselves in; systemd-nspawn takes these calls away unless asked.
LANDLOCK = "landlock_create_ruleset landlock_add_rule landlock_restrict_self"
FIRST_PORT = 18080  # a node has all ports for itself


class NodeBed:
    """A bed.Bed."""

    kind = "node"

    def __init__(
        self,
        drill: definition.Definition,
        place: Path,
        library: Path,
        *,
        agents_port: int,
        tell: Callable[[str], None],
    ) -> None:
        """Boot it below a directory that is ours alone. Raises bed.CannotMake."""
        base = node_image.root(tell)
        self._drill, self._place, self._library = drill, place, library
        self._lock = leftovers.lock(place)
        self._root = place / "node/root"
        numbers = {name: FIRST_PORT + at for at, name in enumerate(drill.ports)}
        self._values = bed.variables(
            here=HERE, beside=BESIDE, library=LIB, python="/usr/bin/python3", ports=numbers
        )
        self._layer(base)
        self._outer, self._leader = self._boot()
        self._relay = relay.Relay(self._leader.pid, agents_port)
        self._make_volumes()

    @property
    def agent(self) -> Path:
        """Return the agent's directory."""
        return self._root / AGENT

    @property
    def here(self) -> str:
        """Return the directory of scripts."""
        return HERE

    @property
    def leader(self) -> int:
        """Return its first process as this machine numbers it: systemd."""
        return self._leader.pid

    @property
    def root(self) -> Path:
        """Return its root directory as this machine sees it."""
        return self._root

    @property
    def values(self) -> Mapping[str, str]:
        """Return the variables of scripts."""
        return self._values

    def run(self, script: str, *, limit_s: float = bed.SCRIPT_S) -> bed.Ran:
        """Run a shell script inside, in the directory."""
        return self._inside(
            ["/bin/sh", "-euc", f"cd {HERE}\n{bed.with_functions(script)}"], self._values, limit_s
        )

    def start_agent(self, role: str | None) -> None:
        """Start both processes of the agent inside, or one."""
        words = f"run {role or ''} --dir /{AGENT}"
        log = f"/{AGENT}.log"
        script = (
            f"PYTHONPATH={CODE} setsid /usr/bin/python3 -m sentienguard.agent.main {words} "
            f"</dev/null >>{log} 2>&1 &"
        )
        self._inside(["/bin/sh", "-euc", script], {"PATH": bed.PATH, "LANG": "C.UTF-8"}, 10)

    def declared(self) -> bed.Declared:
        """Return volumes and services; the agent sees the rest of its host as well."""
        return bed.declare(self._drill, self._values, budgets=False, confined=False)

    def log(self) -> str:
        """Return the end of what the agent said."""
        return processes.tail(self._root / f"{AGENT}.log")

    def take_down(self) -> None:
        """Switch it off as a power cut does, and remove it."""
        if self._lock < 0:
            return
        self._relay.close()
        leftovers.remove(self._place)
        self._outer.wait()
        os.close(self._lock)
        self._lock = -1

    def _layer(self, base: Path) -> None:
        disk = self._place / "node"
        disk.mkdir(mode=0o700)
        _run("mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES},mode=0755", "sentienguard-node",
             str(disk))  # fmt: skip
        for name in ("upper", "work", "root"):
            (disk / name).mkdir(mode=0o755)
        # With xino a file has the device of its directory, as on a disk; cleaning asks for that.
        layers = f"lowerdir={base},upperdir={disk}/upper,workdir={disk}/work,xino=on"
        _run("mount", "-t", "overlay", "-o", layers, "overlay", str(self._root))
        (self._root / HERE[1:]).mkdir(parents=True, mode=0o755)
        for name in (CODE, BESIDE, LIB):
            (self._root / name[1:]).mkdir(parents=True, exist_ok=True)

    def _boot(self) -> tuple["subprocess.Popen[bytes]", process_port.Process]:
        code = [f"--bind-ro={one}:{CODE}/{one.name}" for one in _code()]
        log = (self._place / "boot.log").open("wb")
        with log:
            outer = subprocess.Popen(  # noqa: S603  # argv written here, no shell
                ["systemd-nspawn", "--quiet", "--boot", "--register=no", "--keep-unit",  # noqa: S607
                 "--private-network", "--link-journal=no", "--resolv-conf=off",
                 f"--system-call-filter={LANDLOCK}",
                 f"--machine=drill-{self._place.name}", f"--directory={self._root}",
                 *code,
                 f"--bind-ro={self._drill.directory}:{BESIDE}",
                 f"--bind-ro={self._library}:{LIB}"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                env={"PATH": bed.PATH, "LANG": "C.UTF-8"},
            )  # fmt: skip
        until = time.monotonic() + BOOT_S
        while time.monotonic() < until and outer.poll() is None:
            for one in procfs.descendants(outer.pid):
                if one.parent == outer.pid and self._is_up(one.pid):
                    return outer, one
            time.sleep(0.1)
        said = processes.tail(self._place / "boot.log")
        leftovers.remove(self._place)
        outer.wait()
        os.close(self._lock)
        raise bed.CannotMake(f"{self._drill.name}: the node did not boot; it said:\n{said}")

    def _is_up(self, leader: int) -> bool:
        argv = ["systemctl", "is-system-running"]
        try:
            said = bed.execute(_enter(leader, argv), {"PATH": bed.PATH}, Path("/"), 10).output
        except bed.ScriptFailed:
            return False
        return said.strip() in {"running", "degraded"}

    def _make_volumes(self) -> None:
        lines = []
        for name, one in self._drill.volumes.items():
            limit = "" if one.inodes is None else f",nr_inodes={one.inodes}"
            lines.append(f"mkdir {HERE}/{name}")
            options = f"size={one.size},mode=0755{limit}"
            lines.append(f"mount -t tmpfs -o {options} drill-{name} {HERE}/{name}")
        if lines:
            done = self.run("\n".join(lines))
            if not done.good:
                raise bed.CannotMake(f"{self._drill.name}: its volumes: {done.output.strip()}")

    def _inside(self, argv: list[str], env: Mapping[str, str], limit_s: float) -> bed.Ran:
        return bed.execute(_enter(self._leader.pid, argv), env, Path("/"), limit_s)


def _code() -> list[Path]:
    """Return what the agent in a node is made of: us, and our release of the cryptography library.

    Debian 12 has one that is older than what `trust` needs; its compiled part fits any Python 3.
    """
    found = [Path(sentienguard.__file__).resolve().parent]
    library = importlib.util.find_spec("cryptography")
    if library is not None and library.origin is not None:
        found.append(Path(library.origin).resolve().parent)
    return found


def _enter(leader: int, argv: list[str]) -> list[str]:
    spaces = ("--mount", "--uts", "--ipc", "--net", "--pid")
    return ["nsenter", f"--target={leader}", *spaces, "--", *argv]


def _run(*argv: str) -> None:
    done = subprocess.run(  # noqa: S603  # argv written here, no shell
        argv, capture_output=True, text=True, timeout=MOUNT_S, check=False
    )
    if done.returncode != 0:
        raise bed.CannotMake(f"{' '.join(argv)}: {done.stderr.strip()}")
