"""Server programs, open files, lock files and kernel settings of a `stage`.

Called by `ports`. The case gives `settings`, a flat table of texts:

    redis cache policy: noeviction           a setting KEY of the KIND of a SERVICE
    haproxy lb drained: web/app1, web/app2   names that a deed or change would choose
    deleted web /srv/app.log: 900MB          a deleted file that a service still writes to
    kernel net.core.somaxconn: 128           a setting of the kernel

Each change is an act (`redis cache set policy volatile-ttl`, `redis cache flush`,
`rabbitmq broker close NAME`, `certificate web renew`, `truncate deleted PATH`, `release PATH`,
`kernel set NAME VALUE`), so that reactions can follow it. Whether a Redis is a cache is the level
`redis_is_cache`.
"""

import fnmatch
from collections.abc import Sequence
from dataclasses import dataclass

from sentienguard.playbook import units
from sentienguard.ports import kernel_settings, locks, open_files, servers
from sentienguard.simulation.proving import lying
from sentienguard.simulation.proving import stage as stages

_LOCKS = "/run/lock/*"
_ACT_S = 1.0  # how long a deed takes


@dataclass(slots=True)
class Servers:
    """A ports.servers.Servers."""

    stage: stages.Stage

    def is_cache(self, service: str) -> bool:
        """Tell what the case says; see the port."""
        del service
        return self.stage.levels["redis_is_cache"] > 0

    def setting(self, service: str, kind: str, key: str) -> str:
        """Return it; see the port."""
        found = self.stage.settings.get(f"{kind} {service} {key}")
        if found is None:
            raise servers.NotControlled(f"this case has no setting {kind} {service} {key}")
        return found

    def change(self, service: str, kind: str, key: str, value: str) -> None:
        """Set it; see the port."""
        self.setting(service, kind, key)
        self.stage.settings[f"{kind} {service} {key}"] = value
        self._acted(f"{kind} {service} set {key} {value}", f"setting {kind} {service} {key}")

    def choose(self, service: str, kind: str, what: str, at_least: float) -> tuple[str, ...]:
        """Name what the case lists; see the port."""
        del at_least
        listed = self.stage.settings.get(f"{kind} {service} {what}", "")
        return tuple(one.strip() for one in listed.split(",") if one.strip())

    def do(self, service: str, kind: str, deed: str, operand: str, limit: float) -> bool:
        """Do it; what it was done to is on no list any more."""
        self.stage.clock.sleep(min(limit, _ACT_S))
        things = []
        for name, listed in self.stage.settings.items():
            names = [one.strip() for one in listed.split(",")]
            if operand and name.startswith(f"{kind} {service} ") and operand in names:
                names.remove(operand)
                self.stage.settings[name] = ", ".join(names)
                things.append(f"setting {name}")
        self._acted(f"{kind} {service} {deed} {operand}".rstrip(), *things)
        return True

    def _acted(self, name: str, *things: str) -> None:
        self.stage.act(name, *things)
        self.stage.react(name)


@dataclass(slots=True)
class OpenFiles:
    """A ports.open_files.OpenFiles."""

    stage: stages.Stage

    def deleted(self, service: str) -> tuple[open_files.Held, ...]:
        """Return what the case says is held; see the port."""
        start = f"deleted {service} "
        found = [
            open_files.Held(2, 1, number, 1, number, name.removeprefix(start), _size(text))
            for number, (name, text) in enumerate(self.stage.settings.items())
            if name.startswith(start)
        ]
        return tuple(sorted(found, key=lambda held: -held.size))

    def truncate(self, held: open_files.Held) -> bool:
        """Cut it; see the port."""
        names = [one for one in self.stage.settings if one.startswith("deleted ")]
        name = next(one for one in names if one.endswith(f" {held.path}"))
        self.stage.settings[name] = "0"
        self.stage.act(f"truncate deleted {held.path}", f"setting {name}")
        self.stage.react(f"truncate deleted {held.path}")
        return True


@dataclass(slots=True)
class Locks:
    """A ports.locks.Locks: files below /run/lock that name a process."""

    stage: stages.Stage

    def stale(self, min_age_s: float) -> tuple[locks.Lock, ...]:
        """Return those whose process is not there; see the port."""
        found = [
            locks.Lock(path, int(text), text, 0o644, 0, 0, int(one.modified * 1e9))
            for path, one in self.stage.files.items()
            if fnmatch.fnmatchcase(path, _LOCKS)
            and (text := (one.text or b"").decode().strip()).isdigit()
            and int(text) not in self.stage.living
            and self.stage.clock.passed - one.modified >= min_age_s
        ]
        return tuple(sorted(found, key=lambda lock: lock.modified_ns))

    def remove(self, stale: Sequence[locks.Lock]) -> int:
        """Remove them; see the port."""
        there = [one for one in stale if one in self.stale(0.0)]
        for one in there:
            del self.stage.files[one.path]
            self.stage.act(f"release {one.path}", one.path)
            self.stage.react(f"release {one.path}")
        return len(there)

    def put_back(self, stale: Sequence[locks.Lock]) -> int:
        """Write them back; see the port."""
        for one in stale:
            if one.path not in self.stage.files:
                lying.Files(self.stage).replace(one.path, one.content.encode())
                self.stage.files[one.path].modified = one.modified_ns / 1e9
        return sum(one in self.stale(0.0) for one in stale)


@dataclass(slots=True)
class Kernel:
    """A ports.kernel_settings.KernelSettings."""

    stage: stages.Stage

    def value(self, name: str) -> int:
        """Return it; see the port."""
        found = self.stage.settings.get(f"kernel {name}")
        if found is None:
            raise kernel_settings.SettingUnknown(f"this case has no kernel setting {name}")
        return int(found)

    def change(self, name: str, value: int) -> None:
        """Set it; see the port."""
        self.value(name)
        self.stage.settings[f"kernel {name}"] = str(value)
        self.stage.act(f"kernel set {name} {value}", f"setting kernel {name}")
        self.stage.react(f"kernel set {name} {value}")


def _size(text: str) -> int:
    return units.bytes_of(text)
