"""A simulated machine and its host ports: what is wrong with it, and what is done to it.

Called by `site`, which gives the bundle to the real engine. A `Machine` is the truth: it keeps what
stands on it, runs commands to their end whether or not anybody still waits for them, and lets the
world count every effect. What a command brings about is decided by the fate that the illness was
born with, so that a seed knows it before the code under test does anything.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from sentienguard.model import errors
from sentienguard.ports import command_runner, facts, files, http_probe, log_reader, processes
from sentienguard.ports import interrupt as interrupts
from sentienguard.ports import services as services_port
from sentienguard.simulation import clock as clocks
from sentienguard.simulation import remedies
from sentienguard.simulation.scheduler import Process, Scheduler

Effect = Callable[[str, str, Sequence[str]], None]  # order, piece, argv
Ending = command_runner.Ending
_HEALTHY = "running"
_FOREVER_S = 10_000.0  # a command that hangs


@dataclass(frozen=True, slots=True)
class Fate:
    """What trying to cure an illness brings."""

    cures: bool  # the right act makes it go away
    fails: str = ""  # the act that ends with status 1
    hangs: str = ""  # the act that never ends by itself
    undo_fails: bool = False
    slow_s: float = 1.0  # how long an act takes


@dataclass(slots=True)
class Running:
    """A command that runs on the machine."""

    mark: str
    group: command_runner.ProcessGroup
    over: bool = False
    killed: bool = False


class Machine:
    """What is true of one host."""

    def __init__(self, name: str, scheduler: Scheduler, chance: random.Random) -> None:
        """Begin healthy."""
        self.name = name
        self.scheduler = scheduler
        self.clock = clocks.SimulatedClock(scheduler)
        self.boots = 1
        self.power = Process(f"{name} power")
        self.service = _HEALTHY
        self.levels: dict[str, float] = {
            one.fact: float(one.good) for one in remedies.ILLS if not isinstance(one.good, str)
        }
        self.fates: dict[str, Fate] = {}  # by illness, of the last time it came
        self.commands: list[Running] = []
        self.forbidden: str | None = None
        self.effect: Effect = lambda _order, _piece, _argv: None
        self.changed: Callable[[], None] = lambda: None
        self._chance = chance
        self._pids = 100

    def standing(self) -> tuple[str, ...]:
        """Return the names of what is wrong now."""
        return tuple(one.name for one in remedies.ILLS if self.measured(one.fact) == one.bad)

    def measured(self, fact: str) -> float | str:
        """Return the truth of one fact."""
        return self.service if fact == "service_status" else self.levels[fact]

    def falls_ill(self, ill: remedies.Ill, fate: Fate) -> None:
        """Something goes wrong."""
        self.fates[ill.name] = fate
        if isinstance(ill.bad, str):
            self.service = ill.bad
        else:
            self.levels[ill.fact] = ill.bad
        self.changed()

    def heals(self, ill: remedies.Ill) -> None:
        """It goes away."""
        if self.measured(ill.fact) != ill.bad:
            return
        if isinstance(ill.good, str):
            self.service = ill.good
        else:
            self.levels[ill.fact] = ill.good
        self.changed()

    def begin(self, argv: Sequence[str], mark: str, took: float, fate: Fate) -> Running:
        """Start a command; it ends by itself unless it is killed or the power goes."""
        self._pids += 1
        running = Running(mark, command_runner.ProcessGroup(self._pids, self._pids))
        self.commands.append(running)

        def ends() -> None:
            if not running.killed:
                running.over = True
                self.commands.remove(running)
                self._brings_about(argv, fate)

        self.scheduler.after(took, f"{self.name} {' '.join(argv)} ends", ends, self.power)
        return running

    def kill(self, running: Running) -> None:
        """End a command by force."""
        if not running.over and not running.killed:
            running.killed = True
            self.commands.remove(running)

    def power_cut(self) -> None:
        """Nothing that ran runs any more."""
        self.power.die()
        self.commands.clear()
        self.power = Process(f"{self.name} power")
        self.boots += 1

    def fate_of(self, act: str) -> Fate:
        """Return the fate of the illness that stands, of the one this act is against if it does."""
        against = [one for one in remedies.ILLS if one.cure == act]
        known = [self.fates[one.name] for one in against if one.name in self.fates]
        standing = [self.fates[one] for one in self.standing() if one in self.fates]
        return (known or standing or [Fate(cures=True)])[-1]

    def _brings_about(self, argv: Sequence[str], fate: Fate) -> None:
        if argv[0] != remedies.ACT or not fate.cures or fate.fails == argv[1]:
            return
        for ill in remedies.ILLS:
            if ill.cure == argv[1]:
                self.heals(ill)


@dataclass(slots=True)
class Part:
    """One port of a machine."""

    machine: Machine


class Commands(Part):
    """A ports.command_runner.CommandRunner."""

    def run(
        self,
        argv: Sequence[str],
        *,
        limit: float,
        mark: str,
        interrupt: interrupts.Interrupt,
        as_user: str = "",
        started: Callable[[command_runner.ProcessGroup], None] | None = None,
    ) -> command_runner.CommandResult:
        """Run it for at most `limit` seconds; see the port."""
        if self.locate(argv[0]) is None:
            raise command_runner.CommandNotRunnable(f"{argv[0]}: no such program")
        if as_user:
            raise command_runner.CommandNotRunnable(f"no user {as_user} on a simulated host")
        machine, began = self.machine, self.machine.clock.monotonic()
        order, _, piece = mark.partition(":")
        fate = machine.fate_of(argv[1])
        machine.effect(order, piece, argv)
        undoing = argv[0] == remedies.UNDO
        hangs = not undoing and fate.hangs == argv[1]
        running = machine.begin(argv, mark, _FOREVER_S if hangs else fate.slow_s, fate)
        if started is not None:
            started(running.group)
        machine.clock.sleep(min(limit, _FOREVER_S if hangs else fate.slow_s), interrupt)
        took_ms = round((machine.clock.monotonic() - began) * 1000)
        if not running.over:
            machine.kill(running)
            asked = interrupt.requested() is not None
            ending = Ending.STOPPED if asked else Ending.TIMED_OUT
            return command_runner.CommandResult(
                ending, None, "", "", truncated=False, duration_ms=took_ms
            )
        failed = fate.undo_fails if undoing else fate.fails == argv[1]
        return command_runner.CommandResult(
            Ending.EXITED, int(failed), "", "", truncated=False, duration_ms=took_ms
        )

    def end_marked(self, mark: str, groups: Sequence[command_runner.ProcessGroup]) -> int:
        """Kill what an earlier run left; see the port."""
        known = {one.pgid for one in groups}
        left = [one for one in self.machine.commands if one.mark == mark or one.group.pgid in known]
        for one in left:
            self.machine.kill(one)
        return len(left)

    def boot(self) -> str:
        """Name the time since the machine was last started."""
        return f"boot {self.machine.boots}"

    def locate(self, program: str) -> str | None:
        """Return the path of a program."""
        return program if program.startswith("/pretend/") else None


class Facts(Part):
    """A ports.facts.Facts."""

    def measure(self, name: str, parameters: Mapping[str, str]) -> facts.Fact:
        """Measure the truth; see the port."""
        if name == "service_status":
            if parameters.get("service") != remedies.SERVICE:
                raise facts.UnknownFact(f"of which service: there is only {remedies.SERVICE}")
        elif name not in self.machine.levels:
            raise facts.UnknownFact(f"a simulated host cannot measure {name}")
        return self.machine.measured(name)


class Services(Part):
    """A ports.services.Services with one service."""

    def names(self) -> frozenset[str]:
        """Return the names that an order may use."""
        return frozenset({remedies.SERVICE})

    def describe(self, name: str) -> services_port.Service:
        """Return what is known of it. Raises UnknownService."""
        if name != remedies.SERVICE:
            raise services_port.UnknownService(f"no service {name}")
        return services_port.Service(name)

    def state(self, name: str) -> services_port.State:
        """Measure it now. Raises UnknownService."""
        self.describe(name)
        status = services_port.Status(self.machine.service)
        alive = status is not services_port.Status.STOPPED
        return services_port.State(status, 7 if alive else None, 7 if alive else None)

    def start(self, name: str, limit: float) -> None:
        """Make it run; see the port."""
        self.describe(name)
        machine, fate = self.machine, self.machine.fate_of("service")
        machine.effect("", "service start", ("start", name))
        machine.clock.sleep(min(limit, fate.slow_s))
        if machine.service != "stopped":
            return
        if fate.fails == "service" or (not fate.cures and fate.undo_fails):
            raise services_port.ServiceFailed(f"{name} does not start")
        machine.service = _HEALTHY if fate.cures else "hung"
        machine.changed()

    def stop(self, name: str, limit: float) -> None:
        """Ask it to end; see the port."""
        self.describe(name)
        machine = self.machine
        machine.effect("", "service stop", ("stop", name))
        machine.clock.sleep(min(limit, 0.5))
        machine.service = "stopped"
        machine.changed()

    def kill(self, name: str, limit: float) -> None:
        """End it by force; see the port."""
        self.stop(name, limit)

    def reload(self, name: str, limit: float) -> None:
        """Have it read its configuration again; see the port."""
        del limit
        self.describe(name)

    def leftovers(self, name: str) -> int:
        """Find none: what dies here dies whole."""
        self.describe(name)
        return 0

    def end_leftovers(self, name: str, limit: float) -> int:
        """End none."""
        del limit
        return self.leftovers(name)


class Files(Part):
    """The part of ports.files.Files that parameters ask for; no remedy here touches a file."""

    def volumes(self) -> frozenset[str]:
        """Return the paths an order may name as mount points."""
        return frozenset({"/srv"})

    def __getattr__(self, name: str) -> object:
        """Refuse everything else."""
        raise files.NotAllowed(f"a simulated host has no files to {name}")


class Nowhere(Part):
    """The ports that answer with nothing: no addresses, no logs, no processes of interest."""

    def ask(self, url: str, limit: float, method: str = "GET") -> http_probe.Answer:
        """Get no answer."""
        del url, limit, method
        return http_probe.Answer(0, 1, "refused")

    def mark(self, path: str) -> log_reader.Mark | None:
        """Find no log."""
        del path
        return None

    def lines(self, path: str, **_: object) -> tuple[str, ...]:
        """Find no log."""
        raise log_reader.LogUnreadable(f"no {path}")

    def find(self, pid: int) -> processes.Process | None:
        """Find no process."""
        del pid
        return None

    def named(self, name: str) -> tuple[processes.Process, ...]:
        """Find no process."""
        del name
        return ()


@dataclass(slots=True)
class Sequence16:
    """Entropy that a seed gives: never the same 16 bytes twice, the same again for a seed."""

    chance: random.Random
    given: int = field(default=0)

    def bytes(self, count: int) -> bytes:
        """Return that many bytes."""
        self.given += 1
        return self.chance.randbytes(count)


class NotSimulated(errors.Broken):
    """The code under test asked for something that the pretend world does not have."""
