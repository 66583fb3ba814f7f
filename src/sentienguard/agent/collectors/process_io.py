"""Which processes read and write most, from /proc/N/io, or which units, from their control group.

Called by `collectors.processes`. /proc/N/io is another user's secret to the kernel: a collector
without privileges reads its own alone. Then the units of systemd stand for their processes, from
the io.stat of their control group, each with the lowest process number in it. A few that may not
be looked into (one that guards itself) change nothing.

Only processes that are new or used the processor since the sample before are looked at: what moves
bytes uses it, and a host has hundreds that sleep. What the page cache answered is not counted:
these are bytes that a device was asked for.
"""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

MOST_UNITS = 256  # control groups that are read for one sample
_LONGEST = 16384  # bytes of io.stat: a line for each device; of cgroup.procs
_SLICES = tuple(f"{one}.slice" for one in ("system", "machine"))
_UNITS = (".service", ".scope")


@dataclass(frozen=True, slots=True)
class Use:
    """One of those that move most."""

    pid: int
    name: str  # of the unit; empty: of the process, which is looked up by its number
    bytes_per_s: float  # read and written


class Io:
    """Keeps what each had moved at the sample before."""

    def __init__(self, root: str, groups: str) -> None:
        self._root = root
        self._groups = groups
        self._moved: dict[int, tuple[int, int]] = {}  # pid -> (start time, bytes)
        self._units: dict[str, int] = {}  # path below groups -> bytes
        self._seen: Mapping[int, int] | None = None  # pid -> start time, of the sample before

    def uses(self, busy: Iterable[int], started: Mapping[int, int], seconds: float) -> list[Use]:
        """Return who moved bytes since the sample before.

        `busy` are the processes that used the processor, `started` all processes by start time.
        """
        seen, self._seen = self._seen, started
        new = {pid for pid, at in started.items() if seen is None or seen.get(pid) != at}
        if seen is not None:
            self._moved |= {pid: (started[pid], 0) for pid in new}  # all it moved, it moved since
        found, mostly_denied = self._processes(new.union(busy), started, seconds)
        self._moved = {pid: one for pid, one in self._moved.items() if pid in started}
        if mostly_denied:
            found = self._unit_uses(seconds)
        return found

    def _processes(
        self, pids: Iterable[int], started: Mapping[int, int], seconds: float
    ) -> tuple[list[Use], bool]:
        found, read, denied = [], 0, 0
        for pid in pids:
            try:
                text = _text(f"{self._root}/{pid}/io")
            except PermissionError:
                denied += 1
                continue
            except OSError:
                continue  # it has gone, or the kernel keeps no account
            read += 1
            moved = _process_bytes(text)
            before = self._moved.get(pid)
            self._moved[pid] = (started[pid], moved)
            if before is not None and moved > before[1] and seconds > 0:
                found.append(Use(pid, "", (moved - before[1]) / seconds))
        return found, denied > read

    def _unit_uses(self, seconds: float) -> list[Use]:
        now: dict[str, int] = {}
        found = []
        for unit in self._unit_paths():
            try:
                moved = _group_bytes(_text(f"{self._groups}/{unit}/io.stat"))
            except OSError:
                continue
            now[unit] = moved
            if moved > (before := self._units.get(unit, moved)) and seconds > 0:
                pid = self._lowest_pid(unit)
                if pid:
                    name = Path(unit).name
                    found.append(Use(pid, name, (moved - before) / seconds))
        self._units = now
        return found

    def _unit_paths(self) -> list[str]:
        paths = []
        for group in _SLICES:
            try:
                names = sorted(os.listdir(f"{self._groups}/{group}"))  # noqa: PTH208 - as in processes
            except OSError:
                continue  # no control groups of version 2, or no systemd
            paths += [f"{group}/{name}" for name in names if name.endswith(_UNITS)]
        return paths[:MOST_UNITS]

    def _lowest_pid(self, unit: str) -> int:
        try:
            numbers = _text(f"{self._groups}/{unit}/cgroup.procs").split()
        except OSError:
            return 0
        return min((int(one) for one in numbers if one.isdigit()), default=0)


def _process_bytes(text: bytes) -> int:
    """Add read_bytes and write_bytes; what a process took back (cancelled) is not taken off."""
    moved = 0
    for line in text.splitlines():
        name, _, value = line.partition(b":")
        if name in {b"read_bytes", b"write_bytes"} and value.strip().isdigit():
            moved += int(value)
    return moved


def _group_bytes(text: bytes) -> int:
    """Add rbytes and wbytes of every device, of lines like `8:0 rbytes=1 wbytes=2 rios=1`."""
    moved = 0
    for word in text.split():
        name, _, value = word.partition(b"=")
        if name in {b"rbytes", b"wbytes"} and value.isdigit():
            moved += int(value)
    return moved


def _text(path: str) -> bytes:
    """Return the beginning of a file. Raises OSError."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(handle, _LONGEST)
    finally:
        os.close(handle)
