"""What a playbook proves before a benchmark: drills straight to a real executor.

Called by `campaign`, `real` and tools/prove_playbooks.py. A playbook that nobody has seen work may
only show what it would do; policy lets it run in the drill environment once signed drill runs say
that it heals. Each trial is a bed of its own, the drill's fault, one order, and judgements that are
not the playbook's own: the fault is gone by the drill's eyes, and no invariant changed. The
incident never reaches the control plane: there is an executor and no collector.

As `proving`, this holds the dispatch key of this installation's own trust and of no other.
"""

import json
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sentienguard.agent.executor_link import ExecutorAway, ExecutorLink
from sentienguard.cli import client
from sentienguard.cli.drills import case, definition, drill, guest
from sentienguard.cli.drills.beds import bed, choice
from sentienguard.model import errors
from sentienguard.model.ids import IncidentId, order_id
from sentienguard.model.order import Order
from sentienguard.model.playbook import Playbook
from sentienguard.playbook import parse
from sentienguard.trust import keys
from sentienguard.trust import order as orders

RUNS = 5  # none of them failed: enough for the confidence that unattended running needs
DEADLINE_S = 120
ANSWERS_S = 20.0
SUCCESS = "SUCCESS"
RESOLVED = "resolved"  # what an incident has to come to


@dataclass(frozen=True, slots=True)
class Trial:
    """How often a playbook mended a drill's fault."""

    playbook: str
    drill: str
    runs: int
    verified: int
    why_not: str  # of the last run that was not verified; empty: all were


def can_prove(drill: definition.Definition) -> bool:
    """Tell whether a playbook has to mend this drill's fault, and it can be put here."""
    return (
        bool(drill.expected.playbook)
        and drill.expected.outcomes == (RESOLVED,)
        and bool(choice.possible(drill))
    )


def unproven(site: case.Site) -> dict[str, Playbook]:
    """Return the playbooks of the catalogue that have no signed record, by name."""
    trust = site.places.centre / "trust"
    stored = [parse.load(one.read_bytes(), origin=one.name) for one in _playbooks(site)]
    signed = {one.stem for one in (trust / "proving").glob("*.json")}
    return {str(one.name): one for one in stored if one.name not in signed}


def prove(
    wanted: definition.Definition,
    playbook: Playbook,
    site: case.Site,
    asked: client.Client,
    *,
    runs: int = RUNS,
    tell: Callable[[str], None] = lambda _: None,
) -> Trial:
    """Try it that often, up to the first time that it did not heal."""
    verified, why_not = 0, ""
    for number in range(runs):
        try:
            (seen,) = attempt(wanted, playbook, site, asked)
            reason = _why_not(seen)
        except (errors.SentienGuardError, OSError) as error:
            reason = f"{type(error).__name__}: {error}"
        verified += not reason
        why_not = reason or why_not
        tell(f"{playbook.name}: {wanted.name} {number + 1} of {runs}: {reason or 'verified'}")
        if reason:
            break  # a record with a failure does not let it run
    return Trial(str(playbook.name), wanted.name, runs, verified, why_not)


def attempt(
    wanted: definition.Definition,
    playbook: Playbook,
    site: case.Site,
    asked: client.Client,
    *,
    kind: str | None = None,
    dry_runs: Sequence[bool] = (False,),
    tell: Callable[[str], None] = lambda _: None,
) -> list[drill.Seen]:
    """Put the fault into a fresh bed and give one order after the other, each perhaps a dry run.

    Raises bed.CannotMake, bed.ScriptFailed, guest.NotReady and drill.NotInjected where nothing can
    be learnt, before any order is given.
    """
    used = choice.choose(wanted, kind)
    with choice.made(wanted, used, site.beds, agents_port=site.agents_port, tell=tell) as place:
        case.prepare(place, wanted)
        host = f"trial-{secrets.token_hex(4)}"
        mine = guest.enrol(place, wanted, host, asked, case.ENVIRONMENT)
        place.start_agent("executor")
        link = ExecutorLink(place.agent / "run/executor.sock")
        try:
            _hello(link, place)
            taken = link.ask("config", **guest.configuration(site.places))
            if not taken.get("accepted"):
                raise guest.NotReady(
                    f"the executor did not take the catalogue: {taken.get('reason')}"
                )
            case.must(place, wanted.inject, "inject")
            if not case.holds(place, wanted.present, case.PRESENT_S):
                raise drill.NotInjected(f"{wanted.name}: the fault is not there")
            before = case.invariants(place, wanted)
            found = []
            for number, dry_run in enumerate(dry_runs, 1):
                order = _order(wanted, playbook, mine, place, dry_run=dry_run)
                outcome = _give(link, order, number, site)
                found.append(_look(outcome, before, wanted, place, dry_run=dry_run))
            return found
        finally:
            link.close()


def _look(
    outcome: str,
    before: Mapping[str, str],
    wanted: definition.Definition,
    place: bed.Bed,
    *,
    dry_run: bool,
) -> drill.Seen:
    """Look for ourselves; after a dry run it is the fault that has to show, and at once."""
    gone = (
        not case.holds(place, wanted.present, case.PRESENT_S)
        if dry_run
        else case.holds(place, wanted.gone, case.GONE_S)
    )
    compared = drill.compare(before, case.invariants(place, wanted))
    return drill.Seen(outcome, gone, tuple(one.name for one in compared if not one.kept))


def _why_not(seen: drill.Seen) -> str:
    """Say why a run was not verified; empty: it was."""
    if seen.outcome != SUCCESS:
        return seen.outcome
    if not seen.gone:
        return "the fault is still there"
    return f"changed: {', '.join(seen.changed)}" if seen.changed else ""


def _order(
    wanted: definition.Definition,
    playbook: Playbook,
    mine: guest.Guest,
    place: bed.Bed,
    *,
    dry_run: bool,
) -> Order:
    """Make an order of an incident of its own."""
    incident = IncidentId(f"inc_20260101_000000_{secrets.token_hex(4)}")
    return Order(
        id=order_id(incident, playbook.digest, dry_run=dry_run),
        incident=incident,
        agent=mine.agent_id,
        environment=case.ENVIRONMENT,
        playbook=playbook.name,
        version=playbook.version,
        digest=playbook.digest,
        parameters=_parameters(wanted, playbook, place),
        facts={"metric": wanted.metric, "severity": "critical"},
        dry_run=dry_run,
        created_at=datetime.now(UTC),
        deadline_s=DEADLINE_S,
    )


def _give(link: ExecutorLink, order: Order, number: int, site: case.Site) -> str:
    """Seal it for the executor's own ticket; return how it ended, and why where that is told."""
    dispatch = keys.SigningKey.from_pem((site.places.centre / "keys/dispatch.pem").read_bytes())
    signed = orders.SignedOrder(order, str(link.ask("ticket")["nonce"]), number)
    answer = link.ask("order", envelope=orders.seal_order(signed, dispatch))
    if not answer.get("admitted"):
        return f"refused: {answer.get('rule')} {answer.get('reason')}"
    return _end(link, str(order.id))


def _parameters(
    wanted: definition.Definition, playbook: Playbook, place: bed.Bed
) -> dict[str, str]:
    found = {}
    for one in playbook.parameters:
        if one.type.value == "pid":
            found[one.name] = place.run(wanted.process).output.strip()
        elif one.type.value in {"mountpoint", "service"}:
            found[one.name] = bed.filled(wanted.subject, {"HERE": place.here})
        elif one.default is not None:
            found[one.name] = one.default
    return found


def _end(link: ExecutorLink, order: str) -> str:
    until = time.monotonic() + DEADLINE_S
    after = 0
    while time.monotonic() < until:
        for event in link.ask("events", after=after, wait_s=5)["events"]:
            leaf: dict[str, Any] = json.loads(event["leaf"])
            after = leaf["src_seq"]
            if leaf["kind"] == "order.finished" and leaf["data"]["order_id"] == order:
                outcome = str(leaf["data"]["outcome"])
                reason = leaf["data"].get("reason", "")
                return outcome if outcome == SUCCESS else f"{outcome}: {reason}"
    return "no end"


def _hello(link: ExecutorLink, place: bed.Bed) -> None:
    until = time.monotonic() + ANSWERS_S
    while True:
        try:
            link.ask("hello")
        except ExecutorAway as away:
            if time.monotonic() > until:
                raise guest.NotReady(f"the executor does not answer\n{place.log()}") from away
            time.sleep(0.05)
        else:
            return


def _playbooks(site: case.Site) -> list[Any]:
    return sorted((site.places.centre / "trust/playbooks").glob("*.yaml"))
