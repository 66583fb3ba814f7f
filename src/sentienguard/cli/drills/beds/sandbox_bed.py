"""A directory and declared processes on this machine; nothing else of it is touched.

As root each volume is a tmpfs; else it is a directory that the agent watches against a budget. The
agent is confined: it sees and may act on the declared volumes and services alone.
"""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from sentienguard.cli.drills import definition
from sentienguard.cli.drills.beds import bed, leftovers
from sentienguard.cli.installation import ports, processes

AGENT = "sentienguard.agent.main"
MOUNT_S = 10.0


class SandboxBed:
    """A bed.Bed."""

    kind = "sandbox"

    def __init__(self, drill: definition.Definition, place: Path, library: Path) -> None:
        """Make it below a directory that is ours alone. Raises bed.CannotMake."""
        self._drill, self._place = drill, place
        self._lock = leftovers.lock(place)
        self._here = place / "here"
        self._here.mkdir(mode=0o700)
        self._mounted = os.geteuid() == 0
        self._values = bed.variables(
            here=str(self._here),
            beside=str(drill.directory),
            library=str(library),
            python=sys.executable,
            ports={name: ports.free() for name in drill.ports},
        )
        for name, volume in drill.volumes.items():
            self._make(self._here / name, volume)

    @property
    def agent(self) -> Path:
        """Return the agent's directory."""
        return self._place / "agent"

    @property
    def here(self) -> str:
        """Return the directory of scripts."""
        return str(self._here)

    @property
    def values(self) -> Mapping[str, str]:
        """Return the variables of scripts."""
        return self._values

    def run(self, script: str, *, limit_s: float = bed.SCRIPT_S) -> bed.Ran:
        """Run a shell script in the directory."""
        argv = ["/bin/sh", "-euc", bed.with_functions(script)]
        return bed.execute(argv, self._values, self._here, limit_s)

    def start_agent(self, role: str | None) -> None:
        """Start both processes of the agent, or one."""
        words = ["run", *([role] if role else []), "--dir", str(self.agent)]
        processes.launch([AGENT, *words], self._place / "agent.log")

    def declared(self) -> bed.Declared:
        """Return volumes and services, and that the agent is confined to them."""
        return bed.declare(self._drill, self._values, budgets=not self._mounted, confined=True)

    def log(self) -> str:
        """Return the end of what the agent said."""
        return processes.tail(self._place / "agent.log")

    def take_down(self) -> None:
        """End what runs there and remove it."""
        if self._lock < 0:
            return
        leftovers.remove(self._place)
        processes.reap()
        os.close(self._lock)
        self._lock = -1

    def _make(self, place: Path, volume: definition.Volume) -> None:
        place.mkdir(mode=0o700)
        if not self._mounted:
            if volume.inodes is not None:
                raise bed.CannotMake(f"{self._drill.name}: a volume with few inodes needs root")
            return
        limit = "" if volume.inodes is None else f",nr_inodes={volume.inodes}"
        options = f"size={volume.size},mode=0700,nodev,nosuid{limit}"
        done = subprocess.run(  # noqa: S603  # argv written here, no shell
            ["/bin/mount", "-t", "tmpfs", "-o", options, "sentienguard-drill", str(place)],
            capture_output=True,
            text=True,
            timeout=MOUNT_S,
            check=False,
        )
        if done.returncode != 0:
            raise bed.CannotMake(f"{place}: a tmpfs cannot be mounted: {done.stderr.strip()}")
