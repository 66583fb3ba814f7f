"""What is broken on a host while its processes are killed, and how its effects are counted.

Called by tests.support.kill_harness. The faults on services are the product's own drills. Effects
are counted on the host: lines that a step appends, starts that a service writes down.
"""

import os
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from sentienguard.adapters.local_host import procfs
from sentienguard.cli.drills import drill, service_broken_fix, service_degraded, service_hung
from tests.support import kill_fleet

OLD_S = 10 * 86_400
LOGS = 6
HEALTHY_PERCENT = 80.0


class Fault(Protocol):
    """One thing that can be broken on one host."""

    kind: str
    outcome: str  # that its incident has where no executor is killed
    symptom: drill.Symptom
    strays: int  # processes that `clean_up` found and that nobody knew of

    def inject(self) -> None:
        """Break it."""

    def gone(self) -> bool:
        """Look whether it works again."""

    def starts(self) -> int:
        """Count how often the remedy started a service so far."""

    def clean_up(self) -> None:
        """Make it whole."""


class DiskFull:
    """Fill the volume with old rotated logs."""

    kind, outcome, strays = "disk-full", "resolved", 0

    def __init__(self, host: "kill_fleet.Host") -> None:
        self._volume = host.sandbox.volume
        self.symptom = drill.Symptom("system.disk_usage_percent", host.volume)

    def inject(self) -> None:
        """Write them under other names first, so that they appear at once."""
        then = time.time() - OLD_S
        size = int(kill_fleet.VOLUME_BYTES * 0.97 / LOGS)
        (self._volume / "keep.db").write_bytes(b"k" * 4096)
        for at in range(1, LOGS + 1):
            file = self._volume / f"app.log.{at}"
            file.write_bytes(b"x" * size)
            os.utime(file, (then, then))

    def gone(self) -> bool:
        """Measure the volume, and see that what is no old log is still there."""
        used = sum(file.stat().st_size for file in self._volume.iterdir())
        kept = (self._volume / "keep.db").exists()
        return kept and 100 * used / kill_fleet.VOLUME_BYTES < HEALTHY_PERCENT

    def starts(self) -> int:
        """Count none: nothing is started."""
        return 0

    def clean_up(self) -> None:
        """Remove the files."""
        for file in self._volume.iterdir():
            file.unlink(missing_ok=True)


class OnService:
    """A drill on one of the sandbox's services."""

    def __init__(self, chosen: type, host: "kill_fleet.Host") -> None:
        self._drill = chosen(host.sandbox)
        self.strays = 0
        self.kind, self.outcome = self._drill.name, self._drill.expected.outcome
        self.symptom = self._drill.symptom

    def inject(self) -> None:
        """Do what the drill does."""
        self._drill.inject()

    def gone(self) -> bool:
        """Ask as the drill does."""
        return bool(self._drill.is_gone())

    def starts(self) -> int:
        """Count the lines that the service writes when it starts."""
        log: Path = self._drill.service.log
        text = log.read_text(errors="replace") if log.exists() else ""
        return text.count(f"{self._drill.broken} started")

    def clean_up(self) -> None:
        """Make it healthy, without the leftovers of a start that was cut off."""
        service = self._drill.service
        known = service.process()
        for pid in procfs.pids():
            if pid != (known.pid if known else 0) and _runs(pid, str(service.config)):
                os.kill(pid, signal.SIGKILL)
                self.strays += 1
        self._drill.clean_up()


class Tally:
    """Take a service away that only `tally` brings back."""

    kind, outcome, strays = "tally", "resolved", 0

    def __init__(self, host: "kill_fleet.Host") -> None:
        self._directory = host.tally
        self.symptom = drill.Symptom("service.up", host.tally.name)

    def inject(self) -> None:
        """Remove the file with its process id."""
        (self._directory / "service.pid").unlink(missing_ok=True)

    def gone(self) -> bool:
        """Look whether that file is back."""
        return (self._directory / "service.pid").exists()

    def starts(self) -> int:
        """Count none; lines are counted order by order."""
        return 0

    def clean_up(self) -> None:
        """Write the file."""
        (self._directory / "service.pid").write_bytes((self._directory / "alive").read_bytes())


MAKERS: Mapping[str, "Callable[[kill_fleet.Host], Fault]"] = {
    "disk-full": DiskFull,
    "service-hung": lambda host: OnService(service_hung.ServiceHung, host),
    "service-degraded": lambda host: OnService(service_degraded.ServiceDegraded, host),
    "service-broken-fix": lambda host: OnService(service_broken_fix.ServiceBrokenFix, host),
    "tally": Tally,
}
# How often a remedy may start the service; one that is undone starts it as it was before.
MOST_STARTS: Mapping[str, int] = {
    "disk-full": 0,
    "service-hung": 1,
    "service-degraded": 2,
    "service-broken-fix": 2,
    "tally": 0,
}


def lines(host: "kill_fleet.Host") -> list[tuple[str, str]]:
    """Return what each step of a tally left: (order, piece) of `line`, in their order."""
    found = []
    for line in (host.tally / "lines").read_text().splitlines():
        what, mark = line.split(" ", 1)
        order, _, piece = mark.partition(":")
        found.append((order, f"{what} {piece}"))
    return found


def _runs(pid: int, word: str) -> bool:
    try:
        return word.encode() in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
