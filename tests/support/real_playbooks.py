"""A bundled playbook on real programs: a real executor process, orders, and how they ended.

Called by tests/playbooks/real. `Bench` is one agent with the services and controls that a test
declares. Each order is one of an incident of its own, so that a second run is a second run.
"""

import contextlib
import os
import re
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sentienguard.model import ids
from sentienguard.playbook import parse
from tests.servers import programs
from tests.support import execution

PLAYBOOKS = Path(__file__).parents[2] / "playbooks"
_WITHIN_S = 120.0


class Bench:
    """One agent, its executor, and the services that it may touch."""

    def __init__(self, place: Path, **settings: Any) -> None:
        settings.setdefault("volumes", [])
        self.agent = execution.Agent(place / "agent", execution.Centre(), **settings)
        self.orders = 0
        self.agent.start()

    def give(
        self,
        name: str,
        *,
        swap: Mapping[str, str] | None = None,
        guarded: bool = True,
        **parameters: str,
    ) -> dict[str, Any]:
        """Give an order for a playbook and return how it ended, or how it was refused.

        `swap` puts this machine's paths and shorter times into the playbook's text; without its
        guard a playbook runs although nothing is wrong, which is what a second run is.
        """
        text = (PLAYBOOKS / name / "playbook.yaml").read_text()
        text = re.sub(r"max_per_hour: \d+", "max_per_hour: 50", text)
        for old, new in (swap or {}).items():
            assert old in text, f"{name} has no {old!r}"
            text = text.replace(old, new)
        if not guarded:
            text = re.sub(r"^guard: .*$", "guard: disk_usage >= 0%", text, flags=re.MULTILINE)
        stored = text.encode()
        remedy = parse.load(stored, origin=name)
        self.orders += 1
        accepted = self.agent.configure(stored, version=self.orders)
        assert accepted["accepted"], accepted
        incident = ids.IncidentId(f"inc_20260212_112600_{self.orders:08x}")
        answer = self.agent.send(remedy, parameters=parameters, incident=incident, deadline_s=120)
        if not answer["admitted"]:
            return {"outcome": "REFUSED", "rule": answer["rule"], "reason": answer["reason"]}
        return self.agent.finished(answer["order_id"], _WITHIN_S)

    def mends(self, name: str, **given: Any) -> dict[str, Any]:
        """Give it once and expect that it heals: what it is about is gone afterwards."""
        ended = self.give(name, **given)
        seen = ended["outcome"], ended.get("left_behind")
        assert seen == ("SUCCESS", []), (ended, self.told())
        return ended

    def heals(
        self, name: str, *, rests: Callable[[], object] = lambda: None, **given: Any
    ) -> dict[str, Any]:
        """Give it, expect that it heals, give it again, expect that it does nothing.

        `rests` waits in between for what goes on by itself after a remedy that is done.
        """
        ended = self.mends(name, **given)
        rests()
        again = self.give(name, **{**given, "guarded": False})
        assert again["outcome"] == "SUCCESS_NO_ACTION", (again, self.told())
        return ended

    def leaves_alone(self, name: str, **given: Any) -> dict[str, Any]:
        """Give it on a host that only looks ill, and expect that no step begins."""
        before = len(self.steps())
        ended = self.give(name, **given)
        assert ended["outcome"] in {"REFUSED", "ABORTED", "SUCCESS_NO_ACTION"}, (ended, self.told())
        assert len(self.steps()) == before, self.told()
        return ended

    def steps(self) -> list[dict[str, Any]]:
        return [leaf for leaf in self.agent.events() if leaf["kind"] == "step.done"]

    def told(self) -> str:
        lines = (f"{one['kind']}: {one['data']}" for one in self.agent.events()[-8:])
        return "\n".join(lines)

    def close(self) -> None:
        self.agent.close()


class Daemon:
    """A program that its owner started: detached, its number in a pid file."""

    def __init__(self, argv: Sequence[str], place: Path, **settings: Any) -> None:
        place.mkdir(exist_ok=True)
        self.argv, self.place = list(argv), place
        self.pid_file = place / "service.pid"
        self.settings = settings
        self.process: subprocess.Popen[bytes] | None = None
        self.environment: dict[str, str] = {}

    @property
    def declared(self) -> dict[str, Any]:
        return {"start": self.argv, "pid_file": str(self.pid_file), **self.settings}

    @property
    def pid(self) -> int:
        return int(self.pid_file.read_text().split()[0])

    def start(self, port: int | None = None) -> int:
        with (self.place / "out").open("ab") as output:
            self.process = subprocess.Popen(
                self.argv,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={"PATH": os.environ["PATH"], **self.environment},
                start_new_session=True,
            )
        self.pid_file.write_text(f"{self.process.pid}\n")
        if port is not None:
            programs.wait_for(lambda: programs.listens(port), f"{self.argv[0]} on {port}")
        return self.process.pid

    def close(self) -> None:
        """End its group, and that of whoever the executor started in its place."""
        for pid in {self.pid if self.pid_file.exists() else 0, self.process_id()}:
            if pid > 1:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(pid, signal.SIGKILL)
        if self.process is not None:
            self.process.wait()

    def process_id(self) -> int:
        return 0 if self.process is None else self.process.pid
