"""The ten programs of the execution benchmark as ansible-playbook and salt-call run them.

Called by `execution`. Each peer is a program of its own virtual environment (`pip install
ansible-core`, `pip install salt`; neither is a dependency of ours), found on PATH or named:

    python -m benchmarks execution --set ansible_playbook=PATH --set salt_call=PATH

Rules:

1. A peer is configured to do no more than ours: local connection, no facts gathered by ansible, no
   master for salt, its own empty directories. Its first run, which fills caches, is not counted.
2. What it did is read from its own output: ten programs that ran, or the benchmark stops.
3. Wall time is from the start of the program to its end; processor time is of it and its children.
"""

import json
import re
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

PROGRAMS: Final = 10  # as many as an order of five steps and five checks runs
_WITHIN_S: Final = 300.0  # a peer that takes longer than this is broken


@dataclass(frozen=True, slots=True)
class Cost:
    """What one run took, in seconds."""

    wall: float
    processor: float


@dataclass(frozen=True, slots=True)
class Peer:
    """A program that can do the same, made ready."""

    name: str
    version: str
    argv: Sequence[str]
    ran: Callable[[str], int]  # of its output: how many of the programs ended well

    def run(self) -> Cost:
        """Run it once. Raises RuntimeError unless it ran all of them."""
        before, began = spent(), time.perf_counter()
        done = subprocess.run(
            self.argv, capture_output=True, text=True, check=False, timeout=_WITHIN_S
        )
        cost = Cost(time.perf_counter() - began, spent() - before)
        if done.returncode != 0 or self.ran(done.stdout) != PROGRAMS:
            said = (done.stderr or done.stdout)[-2000:]
            raise RuntimeError(f"{self.name} ran not all of {PROGRAMS} programs: {said}")
        return cost


def spent() -> float:
    """Return the processor time of this process and of all its children that ended, in seconds."""
    own, others = (
        resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    return own.ru_utime + own.ru_stime + others.ru_utime + others.ru_stime


def ready(options: Mapping[str, Any], place: Path, program: str) -> dict[str, Peer | str]:
    """Make each peer ready in a directory of its own; a sentence where it is not installed."""
    made: dict[str, Callable[[str, Path, str], Peer]] = {
        "ansible-playbook": _ansible,
        "salt-call": _salt,
    }
    found: dict[str, Peer | str] = {}
    for name, make in made.items():
        option = name.replace("-", "_")
        there = str(options.get(option) or shutil.which(name) or "")
        if not there:
            found[name] = f"not on PATH; --set {option}=PATH names it"
            continue
        (place / option).mkdir()
        found[name] = make(there, place / option, program)
    return found


def _ansible(there: str, place: Path, program: str) -> Peer:
    tasks = "".join(f"    - {{name: t{n}, command: {program}}}\n" for n in range(PROGRAMS))
    play = place / "play.yaml"
    play.write_text(
        "- hosts: localhost\n  connection: local\n  gather_facts: false\n  tasks:\n" + tasks
    )
    interpreter = f"ansible_python_interpreter={sys.executable}"

    def ran(output: str) -> int:
        ended = re.search(r"ok=(\d+) .*unreachable=0 .*failed=0", output)
        return int(ended[1]) if ended else 0

    argv = [there, "-i", "localhost,", "-e", interpreter, str(play)]
    return Peer("ansible-playbook", _version(there), argv, ran)


def _salt(there: str, place: Path, program: str) -> Peer:
    (place / "states").mkdir()
    states = "".join(f"t{n}:\n  cmd.run:\n    - name: {program}\n" for n in range(PROGRAMS))
    (place / "states" / "ten.sls").write_text(states)
    settings = {
        "root_dir": str(place / "root"),
        "file_client": "local",
        "file_roots": {"base": [str(place / "states")]},
    }
    (place / "minion").write_text(json.dumps(settings))  # JSON is YAML

    def ran(output: str) -> int:
        told = json.loads(output)["local"].values()
        return sum(one["result"] is True and one["changes"]["retcode"] == 0 for one in told)

    argv = [there, "--local", "-c", str(place), "state.apply", "ten", "--out=json"]
    return Peer("salt-call", _version(there), argv, ran)


def _version(there: str) -> str:
    said = subprocess.run(
        [there, "--version"], capture_output=True, text=True, check=True, timeout=_WITHIN_S
    )
    return said.stdout.splitlines()[0].strip()
