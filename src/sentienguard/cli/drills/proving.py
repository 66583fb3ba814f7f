"""A playbook on real services: a drill's fault in a sandbox, an order, a real executor.

Called by `real` and tools/prove_playbooks.py. For each run: a fresh executor with
an empty journal, the drill's fault, orders, and then judgements that are not the playbook's own:
the drill looks for itself whether the fault is gone and whether what must not change did not.

This acts as the centre's dispatch and bypasses policy, on a sandbox of its own. It holds the
dispatch key of that sandbox's own trust and of no other.
"""

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sentienguard.agent import kept_journal
from sentienguard.agent.executor_link import ExecutorAway, ExecutorLink
from sentienguard.cli.drills import drill, library
from sentienguard.cli.installation import host_agent, processes, up
from sentienguard.cli.installation import sandbox as sandboxes
from sentienguard.cli.installation.places import Places
from sentienguard.model import errors
from sentienguard.model.ids import IncidentId, order_id
from sentienguard.model.order import Order
from sentienguard.model.playbook import Playbook
from sentienguard.trust import keys
from sentienguard.trust import order as orders

PROVEN_BY = {  # playbook -> the drill of the program whose fault it has to mend
    made.expected.playbook: name
    for name, made in library.DRILLS.items()
    if made.expected.outcome == "resolved"  # the other shows an undo
}
DEADLINE_S = 120
ANSWERS_WITHIN_S = 15.0


@dataclass(slots=True)
class Bench:
    """A sandbox with its services, and an agent's directory without its agent."""

    places: Places
    sandbox: sandboxes.Sandbox
    numbers: int = 0  # of incidents

    def fault(self, playbook: str) -> drill.Drill:
        """Return the drill that this playbook has to mend."""
        return library.choose(PROVEN_BY[playbook]).maker(self.sandbox)

    def run(
        self, playbook: Playbook, fault: drill.Drill, *, dry_runs: Sequence[bool] = (False,)
    ) -> list[drill.Seen]:
        """Put the fault there and give one order after the other, each a dry run or a real one."""
        fault.clean_up()
        fault.inject()
        try:
            before = fault.facts()
            _wait_until_present(fault)
            found = []
            with _executor(self.places) as link:
                for dry_run in dry_runs:
                    outcome = self._order(link, playbook, fault, dry_run=dry_run)
                    compared = drill.compare(before, fault.facts())
                    changed = tuple(one.name for one in compared if not one.kept)
                    found.append(drill.Seen(outcome, fault.is_gone(), changed))
            return found
        finally:
            fault.clean_up()

    def _order(
        self, link: ExecutorLink, playbook: Playbook, fault: drill.Drill, *, dry_run: bool
    ) -> str:
        self.numbers += 1
        settings = host_agent.settings(self.places)
        incident = IncidentId(f"inc_20260101_000000_{self.numbers:08x}")
        name = "mount" if any(one.name == "mount" for one in playbook.parameters) else "service"
        order = Order(
            id=order_id(incident, playbook.digest, dry_run=dry_run),
            incident=incident,
            agent=settings.agent_id,
            environment=settings.environment,
            playbook=playbook.name,
            version=playbook.version,
            digest=playbook.digest,
            parameters={name: fault.symptom.subject},
            facts={"metric": fault.symptom.metric, "severity": "critical"},
            dry_run=dry_run,
            created_at=datetime.now(UTC),
            deadline_s=DEADLINE_S,
        )
        dispatch = keys.SigningKey.from_pem((self.places.centre / "keys/dispatch.pem").read_bytes())
        signed = orders.SignedOrder(order, str(link.ask("ticket")["nonce"]), self.numbers)
        answer = link.ask("order", envelope=orders.seal_order(signed, dispatch))
        if not answer.get("admitted"):
            return f"refused: {answer.get('rule')} {answer.get('reason')}"
        return _end(link, order.id)


@contextlib.contextmanager
def bench(directory: Path, say: Callable[[str], None]) -> Iterator[Bench]:
    """Put up a sandbox with real services below a directory, and take it down again."""
    places = Places(directory)
    running = up.bring_up(up.Wish(places, interval_s=1.0, drills=True), say)
    try:
        _wait_for_configuration(places)
        _stop_agent(places)
        if running.sandbox is None:
            raise errors.Broken(f"{directory}: the sandbox for drills did not come up")
        yield Bench(places, running.sandbox)
    finally:
        up.take_down(places)


def _wait_until_present(fault: drill.Drill) -> None:
    """A signal takes effect a moment after it was sent."""
    until = time.monotonic() + 5
    while not fault.is_present():
        if time.monotonic() > until:
            raise drill.NotInjected(f"{fault.name}: the fault is not there")
        time.sleep(0.05)


def _end(link: ExecutorLink, order: str) -> str:
    until = time.monotonic() + DEADLINE_S
    after = 0
    while time.monotonic() < until:
        for event in link.ask("events", after=after, wait_s=5)["events"]:
            leaf: dict[str, Any] = json.loads(event["leaf"])
            after = leaf["src_seq"]
            if leaf["kind"] == "order.finished" and leaf["data"]["order_id"] == order:
                return str(leaf["data"]["outcome"])
    return "no end"


@contextlib.contextmanager
def _executor(places: Places) -> Iterator[ExecutorLink]:
    """Run a real executor with an empty journal, so that no hourly budget is used up."""
    kept_journal.forget(places.agent / "executor")
    process = subprocess.Popen(  # noqa: S603 - ourselves, in another process
        [sys.executable, "-m", "sentienguard.agent.main", "run", "executor",
         "--dir", str(places.agent)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    link = ExecutorLink(places.agent / "run/executor.sock")
    try:
        until = time.monotonic() + ANSWERS_WITHIN_S
        while True:
            try:
                link.ask("hello")
                break
            except ExecutorAway:
                if time.monotonic() > until:
                    raise
                time.sleep(0.02)
        yield link
    finally:
        link.close()
        process.terminate()
        process.wait(ANSWERS_WITHIN_S)


def _wait_for_configuration(places: Places) -> None:
    """Wait until the executor holds the catalogue and every playbook of it."""
    wanted = len(list((places.centre / "trust/playbooks").glob("*.yaml")))
    until = time.monotonic() + 60
    trust = places.agent / "executor/trust"
    while (
        len(list(trust.glob("playbooks/*.yaml"))) < wanted
        or not (trust / "catalogue.json").exists()
    ):
        if time.monotonic() > until:
            raise TimeoutError(f"{trust}: the catalogue did not arrive within a minute")
        time.sleep(0.1)


def _stop_agent(places: Places) -> None:
    found = host_agent.process_file(places)
    if found is not None:
        below = list(processes.children(found).values())
        processes.stop(found, grace_s=host_agent.STOP_S)
        for orphan in below:
            if orphan.alive:
                processes.stop(orphan, grace_s=host_agent.STOP_S)
