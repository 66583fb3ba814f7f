"""How many processes there are, and which of them use most, from /proc/N/stat.

Gives system.processes, system.zombies, system.zombie_children of the parents that leave most of
them (the subject is the parent's number) and the three lists of the top. One small file is read
for each process, and for the busy ones what they moved (`process_io`): no arguments, no
environment, because both hold secrets. Resident memory of the few that are shown comes from
/proc/N/statm.
"""

import os
from collections import Counter
from dataclasses import replace
from heapq import nlargest
from operator import itemgetter

from sentienguard.agent import collectors
from sentienguard.agent.collectors import process_io
from sentienguard.model import telemetry
from sentienguard.stages.observe import redact

# fields of stat after the name
_STATE, _PARENT, _UTIME, _STIME, _START, _RSS = 0, 1, 11, 12, 19, 21
_LONGEST = 1024  # bytes of /proc/N/stat
_PARENTS = 2  # of zombies: enough to tell whether one of them leads
_LEAST_ZOMBIES = 10  # of one parent: fewer are ordinary
_LEAST_PERCENT = 0.1  # of one core: less is not shown
_LEAST_IO = 1024.0  # bytes per second: less is not shown
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGESIZE")


class Processes(collectors.Unprepared):
    """Keeps the processor time of each process at the sample before."""

    name = "processes"

    def __init__(self, top: int, root: str = "/proc", groups: str = "/sys/fs/cgroup") -> None:
        self._top = top
        self._root = root
        self._before: dict[int, tuple[int, int]] = {}  # pid -> (start time, ticks used)
        self._before_ns = 0
        self._io = process_io.Io(root, groups)

    def read(self, into: collectors.Reading) -> None:
        """Add the counts and the three lists."""
        now: dict[int, tuple[int, int]] = {}
        used: list[tuple[int, int]] = []  # (ticks since the sample before, pid)
        resident: list[tuple[int, int]] = []  # (pages, pid)
        zombies: Counter[int] = Counter()  # by parent
        for pid in self._pids():
            fields = self._stat(pid)
            if fields is None:
                continue
            started, ticks = int(fields[_START]), int(fields[_UTIME]) + int(fields[_STIME])
            now[pid] = (started, ticks)
            if fields[_STATE] == b"Z":
                zombies[int(fields[_PARENT])] += 1
            before = self._before.get(pid)
            if before is not None and before[0] == started and ticks > before[1]:
                used.append((ticks - before[1], pid))
            if pages := int(fields[_RSS]):
                resident.append((pages, pid))
        seconds = (into.at_ns - self._before_ns) / 1e9
        self._before, self._before_ns = now, into.at_ns
        percent = {pid: round(100 * ticks / _TICKS / seconds, 1) for ticks, pid in used}
        into.values["system.processes", ""] = len(now)
        into.values["system.zombies", ""] = zombies.total()
        for parent, count in zombies.most_common(_PARENTS):
            if count >= _LEAST_ZOMBIES:
                into.values["system.zombie_children", str(parent)] = count
        busiest = [pid for _, pid in nlargest(self._top, used, key=itemgetter(0))]
        biggest = [pid for _, pid in nlargest(self._top, resident, key=itemgetter(0))]
        into.top_cpu.extend(
            use for use in self._uses(busiest, percent) if use.cpu_percent >= _LEAST_PERCENT
        )
        into.top_memory.extend(self._uses(biggest, percent))
        into.top_io.extend(self._movers([pid for _, pid in used], now, percent, seconds))

    def _movers(
        self,
        busy: list[int],
        now: dict[int, tuple[int, int]],
        percent: dict[int, float],
        seconds: float,
    ) -> list[telemetry.ProcessUse]:
        started = {pid: one for pid, (one, _) in now.items()}
        moving = self._io.uses(busy, started, seconds)
        found = []
        for one in nlargest(self._top, moving, key=lambda use: use.bytes_per_s):
            if one.bytes_per_s >= _LEAST_IO:
                found += [
                    replace(
                        use,
                        name=redact.printable(one.name)[:64] or use.name,
                        io_bytes_per_s=collectors.significant(one.bytes_per_s),
                    )
                    for use in self._uses([one.pid], percent)
                ]
        return found

    def _pids(self) -> list[int]:
        names = os.listdir(self._root)  # noqa: PTH208 - 300 path objects cost more than the call
        return [int(name) for name in names if name.isdigit()]

    def _stat(self, pid: int) -> list[bytes] | None:
        """Return the fields after the name, which may itself hold spaces and brackets."""
        text = self._text(f"{self._root}/{pid}/stat")
        fields = text[text.rfind(b")") + 2 :].split(b" ", _RSS + 1)
        return fields if len(fields) > _RSS else None

    def _text(self, path: str) -> bytes:
        """Return a file of a process, empty where the process has gone or is not ours to see."""
        try:
            handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return b""
        try:
            return os.read(handle, _LONGEST)
        except OSError:
            return b""
        finally:
            os.close(handle)

    def _uses(self, pids: list[int], percent: dict[int, float]) -> list[telemetry.ProcessUse]:
        uses = []
        for pid in pids:
            stat, statm = (self._text(f"{self._root}/{pid}/{file}") for file in ("stat", "statm"))
            pages = statm.split(b" ", 2)
            name = stat[stat.find(b"(") + 1 : stat.rfind(b")")].decode(errors="replace")
            if len(pages) > 1 and name.strip():
                memory = int(collectors.significant(int(pages[1]) * _PAGE))
                use = percent.get(pid, 0.0)
                uses.append(telemetry.ProcessUse(pid, redact.printable(name)[:64], use, memory))
        return uses
