"""The process that runs tests against mutants: `mutation_runs` starts it and speaks JSON with it.

Nothing is written into the tree: a child finds the mutant's source in memory, before the file. The
server has loaded everything that does not depend on the mutated module, so that a child starts at
once and loads little.
"""

import ctypes
import importlib
import importlib.abc
import importlib.machinery
import json
import math
import os
import pathlib
import resource
import signal
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import grimp
import pytest

from tests.support import mutants
from tests.support.mutation_runs import Fate

ROOT = pathlib.Path(__file__).resolve().parents[2]
SLACK_S = 10.0  # beyond five times what the tests take on the module as it is
CPU_SLACK_S = 2.0  # the same in time of the processor: ends endless loops soon on a busy machine
MOST_MEMORY = 4 << 30  # bytes; a mutant that never stops collecting gets no more
STILLBORN = 77  # a child's exit status
_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG of Linux: a mutant that hangs outlives nobody
THIRD_PARTY = ("hypothesis", "hypothesis.strategies", "hypothesis.stateful", "yaml")


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a mutant may take, in seconds."""

    wall_s: float
    cpu_s: int


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds one module's source in memory."""

    def __init__(self, module: str, source: str, origin: str) -> None:
        self._module, self._source, self._origin = module, source, origin

    def find_spec(self, name, path, target=None):
        if name != self._module:
            return None
        return importlib.machinery.ModuleSpec(name, self, origin=self._origin)

    def exec_module(self, module):
        module.__file__ = self._origin
        exec(compile(self._source, self._origin, "exec"), module.__dict__)


def main() -> int:
    job = json.load(sys.stdin)
    module, tests = job["module"], job["tests"]
    _preload(module)
    original = mutants.source_of(module)
    began = time.monotonic()
    _, status, used = os.wait4(_start(module, original, tests), 0)
    if os.waitstatus_to_exitcode(status) != 0:
        print(f"the tests fail on {module} as it is")
        return 1
    limits = Limits(
        SLACK_S + 5 * (time.monotonic() - began),
        math.ceil(CPU_SLACK_S + 5 * (used.ru_utime + used.ru_stime)),
    )
    fates = dict(_judged(module, tests, job["sources"], limits, job["jobs"]))
    print(json.dumps([fates[index] for index in range(len(job["sources"]))]))
    return 0


def _judged(
    module: str, tests: Sequence[str], sources: Sequence[str], limits: Limits, jobs: int
) -> Iterator[tuple[int, Fate]]:
    waiting = list(enumerate(sources))[::-1]
    under_way: dict[int, tuple[int, float]] = {}  # pid -> index, since when
    while waiting or under_way:
        while waiting and len(under_way) < jobs:
            index, source = waiting.pop()
            under_way[_start(module, source, tests, limits)] = (index, time.monotonic())
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid:
            index, _ = under_way.pop(pid)
            yield index, _fate(os.waitstatus_to_exitcode(status))
            continue
        for pid, (_, since) in under_way.items():
            if time.monotonic() - since > limits.wall_s:
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.005)


def _fate(code: int) -> Fate:
    return {0: Fate.SURVIVED, STILLBORN: Fate.STILLBORN}.get(code, Fate.KILLED)


def _start(module: str, source: str, tests: Sequence[str], limits: Limits | None = None) -> int:
    """Fork a child that runs the tests on this source; return its process id.

    With limits the source is a mutant's, and nothing that it says is shown.
    """
    sys.stdout.flush()
    pid = os.fork()
    if pid:
        return pid
    ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
    try:
        if limits is not None:
            resource.setrlimit(resource.RLIMIT_CPU, (limits.cpu_s, limits.cpu_s))
            resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
            null = os.open(os.devnull, os.O_RDWR)
            os.dup2(null, 1)
            os.dup2(null, 2)
        code = _tested(module, source, tests)
    except BaseException:  # noqa: BLE001 - whatever a mutant does, only this child ends
        traceback.print_exc()
        code = 1
    os._exit(code)


def _tested(module: str, source: str, tests: Sequence[str]) -> int:
    sys.meta_path.insert(0, _Finder(module, source, str(mutants.file_of(module))))
    try:
        importlib.import_module(module)
    except BaseException:  # noqa: BLE001 - stillborn, whatever the error
        return STILLBORN
    quiet = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", "-p", "no:anyio"]
    quiet += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]  # what was loaded before the fork
    return int(pytest.main([*quiet, *tests]) != 0)


def _preload(module: str) -> None:
    """Load what the tests will need, but nothing that depends on the module."""
    sys.path.insert(0, str(ROOT))
    for name in THIRD_PARTY:
        importlib.import_module(name)
    graph = grimp.build_graph("sentienguard", cache_dir=None)
    changed = {module, *graph.find_downstream_modules(module)}
    for name in sorted(graph.find_upstream_modules(module) - changed):
        importlib.import_module(name)
    for name in changed:  # a package may have loaded its members, this one among them
        sys.modules.pop(name, None)


if __name__ == "__main__":
    sys.exit(main())
