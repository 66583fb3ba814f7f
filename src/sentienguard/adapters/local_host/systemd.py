"""systemd's units, through systemctl, where systemd runs the machine."""

import re
import time
from pathlib import Path

from sentienguard.adapters.local_host import command_runner as commands
from sentienguard.adapters.local_host import interrupt as interrupts
from sentienguard.ports import command_runner, services

RUNNING = Path("/run/systemd/system")  # exists exactly where systemd is process 1 (sd_booted(3))
UNIT = re.compile(r"\A[A-Za-z0-9_][A-Za-z0-9_.@-]{0,127}\Z")
# How long the list of units is believed: an order asks for it several times. Before a unit is said
# not to be there, the list is read again: it may have been installed since.
LIST_FOR_S = 1.0
ASK_S = 5.0  # limit of a question to systemd


class Systemd:
    """Units of kind service."""

    def __init__(self, runner: commands.LocalCommands, *, confined: bool = False) -> None:
        """Look whether systemd runs this machine; `confined` makes it count as absent."""
        self._runner = runner
        present = RUNNING.is_dir() and not confined
        self._systemctl = runner.locate("systemctl") if present else None
        self._names: frozenset[str] = frozenset()
        self._listed = float("-inf")

    def names(self) -> frozenset[str]:
        """Return the names of all loaded units, without `.service`."""
        if self._systemctl is None:
            return frozenset()
        if time.monotonic() - self._listed > LIST_FOR_S:
            listing = self._ask("list-units", "--type=service", "--all", "--plain", "--no-legend")
            words = (line.split() for line in listing.splitlines())
            units = (word[0].removesuffix(".service") for word in words if word)
            self._names = frozenset(unit for unit in units if UNIT.match(unit))
            self._listed = time.monotonic()
        return self._names

    def has(self, name: str) -> bool:
        """Tell whether a unit is loaded, by a list that is read again before the answer is no."""
        before = self._listed
        if name in self.names():
            return True
        if self._listed == before:  # not read just now
            self._listed = float("-inf")
        return name in self.names()

    def state(self, name: str) -> services.State:
        """Ask systemd how a unit is."""
        lines = self._ask("show", "--property=LoadState,ActiveState,MainPID", f"{name}.service")
        values = dict(line.split("=", 1) for line in lines.splitlines() if "=" in line)
        if values.get("LoadState") != "loaded":
            return services.State(services.Status.MISSING)
        pid = int(values.get("MainPID", "0") or 0)
        active = values.get("ActiveState") in {"active", "reloading"}
        status = services.Status.RUNNING if active else services.Status.STOPPED
        return services.State(status, pid or None)

    def tell(self, verb: str, name: str, limit: float) -> None:
        """Have systemd do something with a unit. Raises ServiceFailed."""
        extra = ("--signal=SIGKILL",) if verb == "kill" else ()
        self._ask(verb, *extra, f"{name}.service", limit=limit)

    def _ask(self, *arguments: str, limit: float = ASK_S) -> str:
        argv = [self._systemctl or "systemctl", "--no-ask-password", *arguments]
        result = self._runner.run(
            argv, limit=limit, mark="systemctl", interrupt=interrupts.LocalInterrupt()
        )
        if result.ending is not command_runner.Ending.EXITED or result.exit_code != 0:
            raise services.ServiceFailed(
                f"systemctl {' '.join(arguments)}: {result.stderr.strip() or result.ending.value}"
            )
        return result.stdout
