"""A whole installation in a directory of its own: control plane, collector, executor, sandbox.

Started through the same code as `sentienguard up --drills`, on free ports. Each of the three
processes can be killed as a crash would and started again. Everything is stopped at the end,
whatever happened.

    with installation.running(tmp_path) as installed:
        installed.kill("control plane")
        installed.restart("control plane")
        with installed.client() as asked:
            asked.get("/incidents")
"""

import io
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sentienguard.cli import client, frame
from sentienguard.cli.drills import drill, follow, library, scoring, screen
from sentienguard.cli.installation import centre, host_agent, ports, processes, sandbox, up
from sentienguard.cli.installation.places import Places
from sentienguard.controlplane import evaluation
from sentienguard.trust.catalogue import ProvingRecord
from tests.support import centre_process

NAMES = ("control plane", "collector", "executor")
WITHIN_S = 30.0
INTERVAL_S = 1.0


class Never(AssertionError):
    """Something that a test waits for did not come."""


@dataclass
class Installation:
    """A running installation; `running` makes one."""

    running: up.Running

    @property
    def places(self) -> Places:
        """Where its files lie."""
        return self.running.places

    @property
    def sandbox(self) -> sandbox.Sandbox:
        """What drills may break."""
        assert self.running.sandbox is not None
        return self.running.sandbox

    def client(self) -> Any:
        """Talk to its public API as the first administrator; use as a context."""
        return client.connect(self.places.data)

    def process(self, name: str) -> processes.Known | None:
        """Return one of the three processes, if it runs now."""
        if name == "control plane":
            return centre.process_file(self.places)
        supervisor = host_agent.process_file(self.places)
        below = processes.children(supervisor) if supervisor else {}
        wanted = f"import {name};"
        return next((found for said, found in below.items() if wanted in said), None)

    def kill(self, name: str) -> processes.Known:
        """End a process as a crash would, with SIGKILL; return which one it was."""
        found = wait_for(lambda: self.process(name), f"a running {name}")
        found.send(signal.SIGKILL)
        wait_for(lambda: not found.alive, f"the end of the {name}")
        processes.reap()
        return found

    def restart(self, name: str, *, before: processes.Known | None = None) -> None:
        """Have a killed process run again.

        The control plane is started; the agent's two come back through their supervisor, which
        this waits for.
        """
        if name == "control plane":
            if self.process(name) is None:
                centre.start(self.places, lambda _: None)
            return
        wait_for(lambda: (now := self.process(name)) is not None and now != before, f"a new {name}")

    def drill(self, name: str) -> drill.Drill:
        """Return a drill on this sandbox."""
        chosen = library.choose(name)
        return chosen.maker(self.sandbox, **chosen.parameters)

    def perform(self, name: str) -> scoring.Result:
        """Run a drill from the fault to the verified log, as `sentienguard drill run` does."""
        with self.client() as asked:
            shown = screen.Lines(frame.console(io.StringIO()))
            return follow.Run(library.choose(name), self.running, asked, shown, False).perform()

    def incident_about(self, metric: str, subject: str) -> dict[str, Any]:
        """Wait for an incident of this series and return its newest story."""
        with self.client() as asked:

            def found() -> dict[str, Any] | None:
                for one in asked.get("/incidents", limit=50)["items"]:
                    if (one["metric"], one["subject"]) == (metric, subject):
                        return dict(asked.get(f"/incidents/{one['id']}"))
                return None

            return wait_for(found, f"an incident of {metric} of {subject}")

    def logs(self) -> str:
        """Return the end of each process's own output, for the message of a failed test."""
        return "\n".join(
            f"{file}:\n{processes.tail(file)}" for file in sorted(self.places.logs.glob("*.log"))
        )


@contextmanager
def running(
    directory: Path,
    *,
    interval_s: float = INTERVAL_S,
    settings: Mapping[str, Any] | None = None,
    proven: Sequence[ProvingRecord] = (),
) -> Iterator[Installation]:
    """Start a whole installation below `directory`, and stop all of it at the end.

    `settings` are the control plane's; `on_postgresql` makes those of one wholly in a database.
    Without `embeddings: offline` among them it has no model for embeddings.
    `proven` is signed beside what is bundled.
    """
    places = Places(directory / "data")
    chosen = {"embeddings": "off", **(settings or {})}
    places.centre.mkdir(parents=True)
    ports.write_settings(places.centre, chosen)
    if chosen["embeddings"] == "offline":
        centre_process.give_vectors(places.centre)
    if proven:
        centre.prepare(places, interval_s=interval_s, drills=True)
        for record in proven:
            evaluation.sign_proving(places.centre, places.offline, record)
    try:
        wish = up.Wish(places, interval_s=interval_s, drills=True)
        yield Installation(up.bring_up(wish, lambda _: None))
    finally:
        up.take_down(places)


def on_postgresql(url: str) -> dict[str, Any]:
    """Return the settings of a control plane that keeps all it shares in this database."""
    return {"database_url": url, "audit_log": "database"}


def wait_for(look: Callable[[], Any], what: str, within_s: float = WITHIN_S) -> Any:
    """Look again until there is something, and return it. Raises Never."""
    until = time.monotonic() + within_s
    while not (found := look()):
        if time.monotonic() > until:
            raise Never(f"there was never {what} within {within_s:g} s")
        time.sleep(0.05)
    return found
