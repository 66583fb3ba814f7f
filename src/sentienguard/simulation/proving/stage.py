"""The host of a case while it is acted on: what is true of it, and who changed what.

Called by `ports`, which act on it, and by `proofs`, which compare it before and after. It does what
is asked of it and what the case's reactions add, and nothing by chance. Each act is named in words
(`service start web`, `delete /srv/app.log.1`, `run /usr/sbin/nginx -t`); reactions and messages use
these names. Each change is remembered with the step that made it.
"""

import fnmatch
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, TypeAlias

from sentienguard.ports import interrupt
from sentienguard.simulation import remedies
from sentienguard.simulation.proving import case, healthy

KEPT: Final = ".sentienguard-kept-"  # directories of files that were set aside
HEALTHY: Final[Mapping[str, float]] = {
    "cpu_percent": 10.0,
    "memory_percent": 30.0,
    "memory_free": 8e9,
    "swap_percent": 0.0,
    "load_1m": 0.5,
    "zombies": 0.0,
    **healthy.PROGRAMS,
}  # what a level is where the case does not say
_FIRST_PID: Final = 100_001  # of main processes of services; above those that a case names
Things: TypeAlias = Mapping[str, object]  # name of a thing -> how it is


class Clock:
    """A ports.clock.Clock whose time passes at once when somebody waits."""

    def __init__(self) -> None:
        self.passed = 0.0

    def now(self) -> datetime:
        """Return wall time."""
        return remedies.START + timedelta(seconds=round(self.passed, 6))

    def monotonic(self) -> float:
        """Return seconds since some time ago."""
        return 1_000_000.0 + self.passed

    def sleep(self, seconds: float, until: interrupt.Interrupt | None = None) -> None:
        """Let the time pass."""
        if until is None or until.requested() is None:
            self.passed += max(0.0, seconds)


@dataclass(slots=True)
class Lying:
    """A file that is there."""

    inode: int
    size: int
    modified: float  # seconds by `Clock.passed`; negative: before the order
    text: bytes | None


@dataclass(slots=True)
class Serving:
    """A service as it is."""

    known: case.Service
    state: str
    answers: int
    pid: int = 0  # 0: no process

    @property
    def status(self) -> int:
        """Return what its health address answers; 0: nothing."""
        return self.answers if self.state == "running" else 0


@dataclass(slots=True)
class Living:
    """A process as it is."""

    known: case.Process
    started: int  # clock ticks; with the pid it names the process
    began: float  # seconds by `Clock.passed`
    nice: int
    cpu: float
    service: str = ""  # whose main process it is


@dataclass(slots=True)
class Keeping:
    """A database as it is."""

    known: case.Database
    facts: dict[str, float]
    answers: dict[str, tuple[str, ...]]


class Stage:
    """One host."""

    def __init__(self, scene: case.Scene) -> None:
        """Put it up as the case says."""
        self.scene = scene
        self.clock = Clock()
        self.acts: list[str] = []  # what steps and undos did
        self.programs: list[str] = []  # command lines that ran, those of checks included
        self.worked: set[int | None] = set()  # steps that did something
        self.step: int | None = None  # index of the step that acts now or is being undone
        self.changed: dict[str, set[int | None]] = {}  # thing -> steps that changed it
        self.levels = {**HEALTHY, **scene.levels}
        self.truths = dict(scene.truths)
        self.settings = dict(scene.settings)
        self.exits: dict[str, int] = {}  # patterns that a reaction set; the newest counts
        self.lines: dict[str, list[tuple[float, str]]] = {}
        self.files = {
            one.path: Lying(number, one.size, -one.age, one.text)
            for number, one in enumerate(scene.files, start=1)
        }
        self.services = {one.name: Serving(one, one.state, one.answers) for one in scene.services}
        self.databases = {
            one.name: Keeping(one, dict(one.facts), dict(one.answers)) for one in scene.databases
        }
        self.objects = {one.name: dict(one.facts) for one in scene.objects}
        self.living = {
            one.pid: Living(one, one.pid, -one.uptime, one.nice, one.cpu) for one in scene.processes
        }
        for serving in self.services.values():
            if serving.state in {"running", "hung"}:
                self._live(serving, began=-3_600.0)

    def things(self) -> Things:
        """Return everything that an act can change and an undo has to bring back, by name."""
        found: dict[str, object] = {
            path: (lying.size, lying.text) for path, lying in self.files.items() if KEPT not in path
        }
        for name, value in self.settings.items():
            found[f"setting {name}"] = value
        for name, serving in self.services.items():
            found[f"service {name}"] = "alive" if serving.pid else "stopped"
        for pid, living in self.living.items():
            if not living.service:
                found[f"process {pid}"] = f"nice {living.nice}"
        for name, keeping in self.databases.items():
            found[f"database {name}"] = (dict(keeping.facts), dict(keeping.answers))
        for one in self.scene.objects:
            settings = {name: self.objects[one.name][name] for name in one.settings}
            found[f"object {one.name}"] = settings
        return found

    def act(self, name: str, *things: str) -> None:
        """Write down that something is done, and to what."""
        self.acts.append(name)
        self.worked.add(self.step)
        for thing in things:
            self._touch(thing)

    def react(self, name: str) -> None:
        """Let happen what this act brings about on this host."""
        for reaction in self.scene.reactions:
            if fnmatch.fnmatchcase(name, reaction.after) and self._applies(reaction):
                self._change(reaction.change)

    def exit_of(self, line: str) -> case.Program | None:
        """Return how this command line ends; None: there is no such program."""
        for program in self.scene.programs:
            if fnmatch.fnmatchcase(line, program.run):
                set_later = [code for run, code in self.exits.items() if run == program.run]
                return replace(program, exit=set_later[-1]) if set_later else program
        return None

    def volume_of(self, path: str) -> str | None:
        """Return the mount point a path is on."""
        on = [
            mount
            for mount in self.scene.volumes
            if path == mount or path.startswith(mount.rstrip("/") + "/")
        ]
        return max(on, key=len) if on else None

    def used(self, mount: str) -> tuple[int, int]:
        """Return the bytes and the inodes in use on a volume."""
        sizes = [one.size for path, one in self.files.items() if self.volume_of(path) == mount]
        return sum(sizes), len(sizes)

    def service_starts(self, serving: Serving) -> None:
        """Give it a process."""
        serving.state = "running"
        self._live(serving, began=self.clock.passed)

    def service_ends(self, serving: Serving) -> None:
        """Take its process away."""
        self.living.pop(serving.pid, None)
        serving.state, serving.pid = "stopped", 0

    def process_ends(self, pid: int) -> None:
        """Take a process away, and the service that it was."""
        living = self.living.pop(pid)
        if living.service:
            serving = self.services[living.service]
            serving.state, serving.pid = "stopped", 0

    def log(self, path: str) -> list[tuple[float, str]]:
        """Return the dated lines of a log file."""
        lying = self.files.get(path)
        text = b"" if lying is None or lying.text is None else lying.text
        old = [] if lying is None else [(lying.modified, one) for one in text.decode().splitlines()]
        return old + self.lines.get(path, [])

    def _live(self, serving: Serving, *, began: float) -> None:
        pid = max([_FIRST_PID - 1, *self.living]) + 1
        known = case.Process(pid, serving.known.name[:15], 1.0, 10**7, 0, 0.0, ())
        self.living[pid] = Living(known, pid, began, 0, known.cpu, serving.known.name)
        serving.pid = pid

    def _touch(self, thing: str) -> None:
        self.changed.setdefault(thing, set()).add(self.step)

    def _applies(self, reaction: case.Reaction) -> bool:
        if reaction.no_file and any(
            fnmatch.fnmatchcase(path, reaction.no_file) for path in self.files if KEPT not in path
        ):
            return False
        return all(
            path in self.files and wanted.encode() in (self.files[path].text or b"")
            for path, wanted in reaction.holds.items()
        )

    def _change(self, change: case.Change) -> None:
        self.levels.update(change.levels)
        self.truths.update(change.truths)
        self.exits.update(change.exits)
        for name, answers in change.answers.items():
            self.services[name].answers = answers
        for name, state in change.states.items():
            self.services[name].state = state
        for pid, cpu in change.cpu.items():
            if pid in self.living:
                self.living[pid].cpu = cpu
        for pattern in change.removes:
            for path in [one for one in self.files if fnmatch.fnmatchcase(one, pattern)]:
                del self.files[path]
                self._touch(path)
        for name, becomes in change.databases.items():
            self.databases[name].facts.update(becomes.facts)
            self.databases[name].answers.update(becomes.answers)
        for name, held in change.objects.items():
            self.objects[name].update(held)
        for path, line in change.logs.items():
            self.lines.setdefault(path, []).append((self.clock.passed, line))
