"""One host with a real executor, and an attacker who holds everything of its control plane.

Called by the attacks. The executor is a process of its own, started as the agent starts it; only
where a scene takes guards out or sets the clock is it `dispatch_weakened`, which is the same
program with exactly that changed. What counts as executed is not what anybody says: a step of the
playbook appends a line to a file, and `effects` counts the lines.
"""

import base64
import dataclasses
import json
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sentienguard.agent import lean
from sentienguard.model import ids, playbook
from sentienguard.playbook import parse
from sentienguard.trust import catalogue as catalogues
from sentienguard.trust import order as orders
from tests.support import execution, seed_dispatch

ROOT = Path(__file__).resolve().parents[2]
BUDGET = 3  # real runs within an hour that the playbooks of the scene are signed for
EVIL = execution.key(66)  # a key of the attacker's own making
PLAYBOOK = """
name: {name}
version: "{version}"
description: Leaves a mark in a file of the test; its verification never holds.
match: {{system: linux, resource: disk, symptom: full}}
risk: SAFE
idempotent: {idempotent}
approval_gate: {{required: {approval}}}
max_per_hour: {budget}
parameters:
  mount: {{type: mountpoint}}
exclusions: {{host_pattern: ["*.frozen"]}}
guard: {guard}
{checks}steps:
  - name: mark
    action: ssh_command
    argv: [{script}, {{param: mount}}]
    rollback: {{skip: a mark stays}}
{more}verification:
  - {{name: never, type: condition, condition: "disk_usage > 100%", retry: 1}}
"""
SCRIPT = """#!/bin/sh
echo "$@" >> {place}/effects
while [ -e {place}/hold ]; do sleep 0.02; done
"""
_START = (
    "import sys; sys.path[:0] = sys.argv[1:3]; from tests.attacks import dispatch_weakened;"
    " sys.exit(dispatch_weakened.main(*sys.argv[3:]))"
)


class Executor(execution.Agent):
    """A real executor, or one without some guards."""

    without: Collection[str] = ()
    clock: Path | None = None

    def start(self) -> None:
        """Start the process and wait for its first answer."""
        argv = lean.command("executor", self.directory)
        if self.without or self.clock is not None:
            places = (str(ROOT / "src"), str(ROOT), str(self.directory), str(self.clock))
            argv = [sys.executable, "-I", "-c", _START, *places, ",".join(sorted(self.without))]
        with (self.directory / "executor.err").open("ab") as diary:
            self.process = subprocess.Popen(argv, env=lean.environment(), stderr=diary)
        self.wait(lambda: self.ask("hello").get("agent_id") == execution.AGENT, 60)


class Scene:
    """A host, its centre, and what the attacker does with them."""

    def __init__(self, place: Path, without: Collection[str] = ()) -> None:
        """Make the files of a host in an empty directory; `without` names guards to take out."""
        self.place = place
        self.without = frozenset(without)
        self.centre = execution.Centre()
        self.volume, self.other = place / "volume", place / "other"
        self.agents: list[Executor] = []
        self.answers: list[Mapping[str, Any]] = []  # to orders, stops and configurations
        self._incidents = 0
        for volume in (self.volume, self.other):
            volume.mkdir()
        self.fill(900_000)
        self.script = place / "mark.sh"
        self.script.write_text(SCRIPT.format(place=place))
        self.script.chmod(0o755)
        self.remedies: dict[ids.Digest, bytes] = {}
        self.mark = self.remedy()

    # -- the host ----------------------------------------------------------------------------------

    def up(self, *remedies: playbook.Playbook, clocked: bool = False, **settings: Any) -> None:
        """Enrol, start and configure the host, with `mark` unless other playbooks are given."""
        volumes = [{"path": str(one), "budget_bytes": 10**6} for one in (self.volume, self.other)]
        settings = {"volumes": volumes, "confined": True, **settings}
        self.agents.append(Executor(self.place / "agent", self.centre, **settings))
        self.agent.without = self.without
        if clocked or self.without:
            self.agent.clock = self.place / "clock"
            self.later(0.0)
        self.agent.start()
        self.configure(*(remedies or (self.mark,)))

    @property
    def agent(self) -> Executor:
        """Return the host's agent."""
        return self.agents[-1]

    def later(self, wall_s: float, monotonic_s: float = 0.0) -> None:
        """Put the host's clocks ahead; needs `up(clocked=True)`."""
        new = self.place / "clock.new"
        new.write_text(f"{wall_s} {monotonic_s}")
        new.replace(self.place / "clock")

    def restart(self) -> None:
        """End the executor at once and start it again."""
        self.agent.kill()
        self.agent.start()

    def fill(self, size: int) -> None:
        """Let the volume be as full as this, of 1 MB."""
        (self.volume / "data").write_bytes(b"x" * size)

    def hold(self) -> None:
        """Let steps wait after their mark until `let_go`."""
        (self.place / "hold").touch()

    def let_go(self) -> None:
        """Let steps that wait go on, and wait for the end of the order."""
        (self.place / "hold").unlink(missing_ok=True)
        self.settle()

    def effects(self) -> int:
        """Return how often a step acted on this host."""
        try:
            return len((self.place / "effects").read_text().splitlines())
        except FileNotFoundError:
            return 0

    def settle(self) -> None:
        """Wait until nothing runs."""
        process = self.agent.process
        assert process is not None
        until = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < until:
            try:
                if self.agent.ask("hello")["busy"] is None:
                    return
            except (OSError, ValueError):
                continue  # it is ending
            time.sleep(0.002)
        assert process.poll() is not None, f"something still runs: {self.agent.diary()}"

    def close(self) -> None:
        """End every process."""
        (self.place / "hold").unlink(missing_ok=True)
        for agent in self.agents:
            agent.close()

    # -- what offline keys signed ------------------------------------------------------------------

    def remedy(self, name: str = "mark", version: str = "1.0.0", **parts: Any) -> playbook.Playbook:
        """Write a playbook that leaves a mark, and keep its bytes."""
        text = PLAYBOOK.format(
            **{
                "name": name,
                "version": version,
                "script": self.script,
                "idempotent": "true",
                "approval": "false",
                "budget": BUDGET,
                "guard": "disk_usage > 50%",
                "checks": "",
                "more": "",
                **parts,
            }
        )
        read = parse.load(text.encode(), origin="attack")
        self.remedies[read.digest] = text.encode()
        return read

    def configure(self, *remedies: playbook.Playbook, **changes: Any) -> bool:
        """Bring root, catalogue and playbooks to the host, as the centre does."""
        listed = changes.pop("listed", None) or execution.listed(*remedies)
        root = changes.pop("root", None) or self.centre.root_envelope()
        earlier = changes.pop("earlier", [])
        stored = changes.pop("stored", None) or {
            one.digest: self.remedies[one.digest] for one in remedies
        }
        catalogue = changes.pop("catalogue", None) or self.centre.catalogue_envelope(
            listed, **changes
        )
        brought = {name: base64.b64encode(text).decode() for name, text in stored.items()}
        answer = self.agent.ask(
            "config", root=root, roots=earlier, catalogue=catalogue, playbooks=brought
        )
        if not answer.get("accepted"):
            self.answers.append({"rule": "configuration", **answer})
        return bool(answer.get("accepted"))

    # -- what the attacker sends -------------------------------------------------------------------

    def order(self, remedy: playbook.Playbook | None = None, **changes: Any) -> orders.SignedOrder:
        """Make an order that the host would run, of a new incident; `changes` are the attack."""
        self._incidents += 1
        fresh = {
            "nonce": changes.pop("nonce", None) or self.agent.ask("ticket")["nonce"],
            "incident": ids.IncidentId(f"inc_20260212_112600_{self._incidents:08x}"),
            "parameters": {"mount": str(self.volume)},
        }
        return self.centre.order(remedy or self.mark, **{**fresh, **changes})

    def deliver(self, envelope: Any) -> Mapping[str, Any]:
        """Let an envelope arrive as an order; return the answer once nothing runs any more."""
        answer = self.offer(envelope)
        self.settle()
        return answer

    def offer(self, envelope: Any) -> Mapping[str, Any]:
        """Let an envelope arrive as an order."""
        answer = self.agent.ask("order", envelope=envelope)
        self.answers.append(answer)
        return answer

    def send(self, remedy: playbook.Playbook | None = None, **changes: Any) -> int:
        """Make, seal and deliver an order with a change; return the effects so far."""
        self.deliver(self.centre.seal(self.order(remedy, **changes)))
        return self.effects()

    def stop(self, order: str, **changes: Any) -> bool:
        """Send a stop; tell whether the order ends of it within the wait of a step."""
        self.centre.seq += 1
        dispatch = changes.pop("dispatch", self.centre.dispatch)
        given = {"nonce": "", "seq": self.centre.seq, "agent": execution.AGENT, **changes}
        given["nonce"] = given["nonce"] or self.agent.ask("ticket")["nonce"]
        wanted = orders.SignedStop(order=ids.OrderId(order), by="eve", **given)
        answer = self.agent.ask("stop", envelope=orders.seal_stop(wanted, dispatch))
        self.answers.append({"rule": "stop", **answer})
        return bool(answer.get("stopping"))

    @property
    def refused_by(self) -> str:
        """Return what refused first."""
        found = next((one["rule"] for one in self.answers if one.get("rule")), "")
        if found or self.agent.process is None or self.agent.process.poll() is not None:
            return found
        ends = [one["data"] for one in self.agent.events() if one["kind"] == "order.finished"]
        if ends and ends[-1]["outcome"] in {"ABORTED", "DRY_RUN"}:
            return str(ends[-1]["outcome"])
        return "known already"


@dataclasses.dataclass(frozen=True)
class Attack:
    """One class of attack, against the executor and against the seed's scheme."""

    name: str  # as the table calls it
    ours: Callable[[Scene], int]  # returns how often something was done that must not be
    seed: Callable[[seed_dispatch.SeedScene], int] | None  # None: there is no such thing in it
    # What stops it: without all guards of one of these sets it gets through; without all but one of
    # a set, whichever, it does not.
    opens: tuple[frozenset[str], ...]
    seed_expected: int = 1
    residual: int = 0  # how much of it the signed limits let through; SECURITY.md states it

    @property
    def key(self) -> str:
        """Return the name of the function that performs it."""
        return self.ours.__name__


def sets(*guards: str) -> tuple[frozenset[str], ...]:
    """Read "a" and "b+c" as sets of guards."""
    return tuple(frozenset(one.split("+")) for one in guards)


def soon(days: float = 90.0) -> datetime:
    """Return a time from now."""
    return datetime.now(UTC) + timedelta(days=days)


def changed(envelope: Mapping[str, Any], change: Callable[[Any], None]) -> dict[str, Any]:
    """Return an envelope with its payload edited and its signatures left as they were."""
    payload = json.loads(base64.b64decode(envelope["payload"]))
    change(payload)
    text = json.dumps(payload, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return {**envelope, "payload": base64.b64encode(text.encode()).decode()}


def retagged(remedy: playbook.Playbook, **changes: Any) -> catalogues.Listed:
    """Return the listing of a playbook with a change."""
    return dataclasses.replace(execution.listed(remedy)[0], **changes)
