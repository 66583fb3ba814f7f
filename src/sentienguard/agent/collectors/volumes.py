"""Watched volumes, and the biggest paths of every volume that fills up.

Gives system.disk_usage_percent and system.disk_free_bytes of the directories that the owner
watches: against their budget where they have one, else those of their file system. For each volume
(these, and the disks that `disks` found) that is busier than `busy_percent` or growing fast, it
gives the biggest files and directories with their growth per hour.

Runs after `disks`. All walks of one sample share `walk_entries` and `walk_ms`.
"""

import os
import time

from sentienguard.agent import collectors, directory_walk, settings
from sentienguard.agent.collectors import disks
from sentienguard.model import telemetry
from sentienguard.stages.observe import redact

FAST = 1.0  # percentage points within REFERENCE_S that count as growing fast
REFERENCE_S = 600  # seconds after which growth is measured from a newer point
REST_S = 300  # seconds between two walks of a volume too big for one sample that changes little
_USAGE = "system.disk_usage_percent"


class _Watched:
    """One volume that is walked: the pass under way, and what the passes before found."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.walk: directory_walk.Walk | None = None
        self.finding: directory_walk.Finding | None = None
        self.reference: directory_walk.Finding | None = None
        self.rest_until_ns = 0
        self.percent = 0.0  # used when the last pass began

    def advance(self, entries: int, deadline_ns: int, percent: float | None) -> int:
        """Walk on within the limits and return how many entries that took.

        `percent` is what is used now. What a pass saw is out of date once that has moved on.
        """
        if self.walk is None:
            moved = percent is not None and abs(percent - self.percent) >= FAST
            if time.monotonic_ns() < self.rest_until_ns and not moved:
                return 0
            self.walk = directory_walk.Walk(self.root)
            self.percent = self.percent if percent is None else percent
        began = self.walk.entries
        found = self.walk.advance(entries, deadline_ns)
        looked = self.walk.entries - began
        if found is not None:
            self.rest_until_ns = found.at_ns + REST_S * 10**9 if began else 0
            self._keep(found)
        return looked

    def _keep(self, found: directory_walk.Finding) -> None:
        self.walk = None
        before = self.finding
        old = self.reference
        if old is None or (before and found.at_ns - old.at_ns > REFERENCE_S * 10**9):
            self.reference = before
        self.finding = found

    def top(self, count: int) -> tuple[telemetry.PathUse, ...]:
        """Return the biggest paths of the last complete pass."""
        found = self.finding
        if found is None:
            return ()
        return tuple(
            telemetry.PathUse(
                redact.printable(path)[-512:],
                size,
                collectors.significant(
                    directory_walk.growth_per_hour(path, size, self.reference, found)
                ),
            )
            for path, size in list(found.biggest.items())[:count]
        )


class Volumes(collectors.Unprepared):
    """Keeps one walk for each volume that needs one."""

    name = "volumes"

    def __init__(self, volumes: tuple[settings.Volume, ...], limits: settings.Limits) -> None:
        self._volumes = volumes
        self._limits = limits
        self._walks: dict[str, _Watched] = {}
        self._reference: dict[str, tuple[int, float]] = {}  # subject -> (at, percent) earlier on

    def read(self, into: collectors.Reading) -> None:
        """Add the readings of watched volumes, and top paths of those that fill up."""
        left = self._limits.walk_entries
        deadline_ns = time.monotonic_ns() + self._limits.walk_ms * 10**6
        failed: OSError | None = None
        for root, budget in self._due(into):
            try:
                watched = self._walks.setdefault(root, _Watched(root))
                percent = into.values.get((_USAGE, redact.printable(root)))
                left -= watched.advance(max(left, 1), deadline_ns, percent)
                if budget is not None and watched.finding is not None:
                    _add_budget(into, root, budget, watched.finding.total_bytes)
            except OSError as error:
                self._walks.pop(root, None)
                failed = error
        self._add_paths(into)
        if failed is not None:
            raise failed

    def _due(self, into: collectors.Reading) -> list[tuple[str, int | None]]:
        """Return the directories to walk now, those with a budget first."""
        budgets = {volume.path: volume.budget_bytes for volume in self._volumes}
        for path, budget in budgets.items():
            if budget is None and (_USAGE, path) not in into.values and os.path.isdir(path):  # noqa: PTH112 - a path object costs more than the call
                disks.add_volume(into, path, os.statvfs(path))
        due: list[tuple[str, int | None]] = [
            (path, budget) for path, budget in budgets.items() if budget is not None
        ]
        for (metric, subject), percent in list(into.values.items()):
            if metric != _USAGE or budgets.get(subject) is not None:
                continue
            if self._fills(subject, percent, into.at_ns):
                due.append((subject, None))
            else:
                self._walks.pop(subject, None)
        return due

    def _fills(self, subject: str, percent: float, at_ns: int) -> bool:
        """Tell whether a volume is busy or growing fast."""
        since_ns, earlier = self._reference.setdefault(subject, (at_ns, percent))
        if at_ns - since_ns > REFERENCE_S * 10**9 or percent < earlier:
            self._reference[subject] = (at_ns, percent)
        return percent >= self._limits.busy_percent or percent - earlier >= FAST

    def _add_paths(self, into: collectors.Reading) -> None:
        for root, watched in self._walks.items():
            subject = redact.printable(root)
            percent = into.values.get((_USAGE, subject), 0.0)
            with_budget = any(v.path == root and v.budget_bytes for v in self._volumes)
            if with_budget and not self._fills(subject, percent, into.at_ns):
                continue
            if top := watched.top(self._limits.paths):
                into.top_paths[subject] = top


def _add_budget(into: collectors.Reading, root: str, budget: int, used: int) -> None:
    name = redact.printable(root)
    into.values[_USAGE, name] = round(min(100 * used / budget, 1000.0), 2)
    into.values["system.disk_free_bytes", name] = max(budget - used, 0)
