"""Prove playbooks: put their fault on this machine many times and let a real executor mend it.

    python tools/prove_playbooks.py [--runs 20] [--write] [NAME ...]

For each run: a fresh executor with an empty journal, the drill's fault, one order, and then three
judgements that are not the playbook's own: the drill looks for itself that the fault is gone, that
what must not change did not, and the executor's signed end says SUCCESS. `--write` keeps the count
in `playbooks/NAME/proving.json` together with the digest of the playbook's bytes; a playbook that
changes loses its record (tests/playbooks/test_proving_records.py). `sentienguard up` signs the
records, and policy lets a playbook with one run in the drill environment.

This tool acts as the centre's dispatch and bypasses policy, on a sandbox of its own. It holds the
dispatch key of that sandbox's own trust and of no other.
"""

import argparse
import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sentienguard.agent.executor_link import ExecutorAway, ExecutorLink
from sentienguard.cli.drills import drill, library
from sentienguard.cli.installation import host_agent, processes, up
from sentienguard.cli.installation.places import Places
from sentienguard.model.ids import IncidentId, order_id
from sentienguard.model.order import Order
from sentienguard.model.playbook import Playbook
from sentienguard.playbook import parse
from sentienguard.trust import keys
from sentienguard.trust import order as orders

PLAYBOOKS = Path(__file__).resolve().parents[1] / "playbooks"
PROVEN_BY = {  # playbook -> the drill whose fault it has to mend
    "disk_cleanup_rotated_logs": "disk-full",
    "service_restart_hung": "service-hung",
    "service_safe_mode": "service-degraded",
}
DEADLINE_S = 120
ANSWERS_WITHIN_S = 15.0


def main() -> int:
    """Prove what was asked for; return 0 when every run was verified."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("names", nargs="*", default=list(PROVEN_BY), metavar="NAME")
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--write", action="store_true", help="keep the records in playbooks/")
    wanted = parser.parse_args()
    whole = True
    with tempfile.TemporaryDirectory(prefix="sentienguard-prove-") as directory:
        for name, verified, stored in prove(Path(directory), wanted.names, wanted.runs):
            print(f"{name}: {verified} of {wanted.runs} runs verified by {PROVEN_BY[name]}")
            whole = whole and verified == wanted.runs
            if wanted.write:
                _write(name, verified, wanted.runs, stored)
    return 0 if whole else 1


def prove(directory: Path, names: list[str], runs: int) -> Iterator[tuple[str, int, Playbook]]:
    """Yield each playbook's name, how many runs were verified, and the playbook."""
    places = Places(directory)
    running = up.bring_up(up.Wish(places, interval_s=1.0, drills=True), lambda _: None)
    try:
        _wait_for_configuration(places)
        _stop_agent(places)
        assert running.sandbox is not None
        for name in names:
            stored = (PLAYBOOKS / name / "playbook.yaml").read_bytes()
            playbook = parse.load(stored, origin=name)
            faults = library.choose(PROVEN_BY[name]).maker
            verified = sum(
                _run(places, playbook, faults(running.sandbox), number) for number in range(runs)
            )
            yield name, verified, playbook
    finally:
        up.take_down(places)


def _run(places: Places, playbook: Playbook, fault: drill.Drill, number: int) -> bool:
    fault.clean_up()
    fault.inject()
    try:
        before = fault.facts()
        _wait_until_present(fault)
        with _executor(places) as link:
            outcome = _order(places, link, playbook, fault, number)
        kept = all(one.kept for one in drill.compare(before, fault.facts()))
        verified = outcome == "SUCCESS" and fault.is_gone() and kept
        if not verified:
            found = f"{outcome}, gone {fault.is_gone()}, kept {kept}"
            print(f"  run {number}: {found}", file=sys.stderr)
        return verified
    finally:
        fault.clean_up()


def _wait_until_present(fault: drill.Drill) -> None:
    """A signal takes effect a moment after it was sent."""
    until = time.monotonic() + 5
    while not fault.is_present():
        if time.monotonic() > until:
            raise drill.NotInjected(f"{fault.name}: the fault is not there")
        time.sleep(0.05)


def _order(
    places: Places, link: ExecutorLink, playbook: Playbook, fault: drill.Drill, number: int
) -> str:
    settings = host_agent.settings(places)
    incident = IncidentId(f"inc_20260101_000000_{number:08x}")
    name = "mount" if any(one.name == "mount" for one in playbook.parameters) else "service"
    order = Order(
        id=order_id(incident, playbook.digest, dry_run=False),
        incident=incident,
        agent=settings.agent_id,
        environment=settings.environment,
        playbook=playbook.name,
        version=playbook.version,
        digest=playbook.digest,
        parameters={name: fault.symptom.subject},
        facts={"metric": fault.symptom.metric, "severity": "critical"},
        dry_run=False,
        created_at=datetime.now(UTC),
        deadline_s=DEADLINE_S,
    )
    dispatch = keys.SigningKey.from_pem((places.centre / "keys/dispatch.pem").read_bytes())
    signed = orders.SignedOrder(order, str(link.ask("ticket")["nonce"]), 1)
    answer = link.ask("order", envelope=orders.seal_order(signed, dispatch))
    if not answer.get("admitted"):
        return f"refused: {answer.get('rule')} {answer.get('reason')}"
    return _end(link)


def _end(link: ExecutorLink) -> str:
    until = time.monotonic() + DEADLINE_S
    after = 0
    while time.monotonic() < until:
        for event in link.ask("events", after=after, wait_s=5)["events"]:
            leaf: dict[str, Any] = json.loads(event["leaf"])
            after = leaf["src_seq"]
            if leaf["kind"] == "order.finished":
                return str(leaf["data"]["outcome"])
    return "no end"


@contextlib.contextmanager
def _executor(places: Places) -> Iterator[ExecutorLink]:
    """Run a real executor with an empty journal, so that no hourly budget is used up."""
    (places.agent / "executor/journal.log").unlink(missing_ok=True)
    process = subprocess.Popen(
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


def _write(name: str, verified: int, runs: int, playbook: Playbook) -> None:
    record = {
        "playbook": playbook.name,
        "version": playbook.version,
        "digest": playbook.digest,
        "proven": [{"drill": PROVEN_BY[name], "runs": runs, "verified": verified}],
    }
    (PLAYBOOKS / name / "proving.json").write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    sys.exit(main())
