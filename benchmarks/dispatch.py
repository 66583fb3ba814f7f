"""Orders that wait for many hosts, and all of those hosts asking in one moment.

What is measured is dispatch alone: who is decided for and approved has its order in the centre's
database already, put there by the call that releases an order (`OrderStore.release`), one for each
host, with the parameters of a real playbook. Deciding is measured by benchmarks.fleet.

A real control plane process; `hosts` pretended ones in another process (benchmarks.fleet_load),
each with a key and a certificate of its own from a real enrolment and a connection that is open
already, over mutual TLS 1.3 on loopback. In one moment all ask. Each then asks twice more, once
saying that it works on the order and once having forgotten it: there must be no second one. So a
host makes three polls, of which the first brings the order: its number, its seal, its delivery in
the database and in the audit log, durable before the answer.
"""

import contextlib
import tempfile
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import fleet, order_latency, process_cost
from sentienguard.adapters.local_host.clock import LocalClock
from sentienguard.controlplane import app_keys
from sentienguard.controlplane import settings as settings_module
from sentienguard.model import ids
from sentienguard.model.order import Order
from tests.support import centre_process

AIM_S = 10.0


def run(options: Mapping[str, Any]) -> dict[str, Any]:
    """Measure; options `hosts` (1000), `rounds` (1) with an order each, `data=DIR` to keep it."""
    hosts, rounds = int(options.get("hosts", 1000)), int(options.get("rounds", 1))
    kept = options.get("data")
    with contextlib.ExitStack() as opened:
        place = Path(kept or opened.enter_context(tempfile.TemporaryDirectory()))
        centre = opened.enter_context(order_latency.proven_centre(place))
        enrolled, _ = fleet.enrolled(centre, place, hosts)
        fleet.settled(centre.process.pid)
        plan = fleet.plan_of(centre, enrolled, kind="dispatch", rounds=rounds, first_at=time.time())
        load = opened.enter_context(fleet.loading(place, plan))
        found = [_round(centre, load, enrolled, number) for number in range(rounds)]
        load.go()
        told = load.figures()
    return {
        "hosts": hosts,
        "rounds": [_judged(one, told["orders"]) for one in found],
        "aim_s": AIM_S,
        "problems": told["problems"],
    }


def _round(
    centre: centre_process.Centre,
    load: fleet.Load,
    enrolled: Sequence[Mapping[str, str]],
    number: int,
) -> dict[str, float]:
    """Let every host have an order, and all of them ask."""
    load.go()
    load.part()  # connected
    _release(centre, enrolled, number)
    pid = centre.process.pid
    spent, ours = process_cost.cpu_ms(pid), fleet.load_cpu(load)
    load.go()
    part = load.part()
    return {
        "began_at": part["began_at"],
        "ended_at": time.time(),
        "centre_ms": process_cost.cpu_ms(pid) - spent,
        "generator_ms": fleet.load_cpu(load) - ours,
    }


def _release(
    centre: centre_process.Centre, enrolled: Sequence[Mapping[str, str]], number: int
) -> None:
    """Put an order for each host into the centre's database, as the centre itself does."""
    stored = (centre_process.PLAYBOOKS / order_latency.REMEDY / "playbook.yaml").read_bytes()
    digest = ids.digest(stored)
    directory = centre.data / "controlplane"
    settings, now = settings_module.load(directory), datetime.now(UTC)
    with contextlib.closing(app_keys.open_database(directory, settings, LocalClock())) as stores:
        for place, one in enumerate(enrolled):
            if number:
                before = _incident(number - 1, place)
                stores.orders.refused(
                    ids.order_id(before, digest, dry_run=False), because="the round is over"
                )
            incident = _incident(number, place)
            stores.orders.release(
                Order(
                    id=ids.order_id(incident, digest, dry_run=False),
                    incident=incident,
                    agent=ids.AgentId(one["agent"]),
                    environment=fleet.ENVIRONMENT,
                    playbook=order_latency.REMEDY,
                    version="1.0.0",
                    digest=digest,
                    parameters={"mount": "/srv"},
                    facts={"anomaly_sigma": "", "environment": fleet.ENVIRONMENT},
                    dry_run=False,
                    created_at=now,
                    deadline_s=600,
                ),
                at=now,
            )


def _incident(number: int, place: int) -> ids.IncidentId:
    return ids.IncidentId(f"inc_20260101_{number:06}_{place:08x}")


def _judged(
    measured: Mapping[str, float], orders: Mapping[str, Sequence[tuple[float, str]]]
) -> dict[str, Any]:
    """Return the figures of a round."""
    given = {
        host: [one for one in got if measured["began_at"] <= one[0] <= measured["ended_at"]]
        for host, got in orders.items()
    }
    took = [(got[0][0] - measured["began_at"]) * 1000 for got in given.values() if got]
    return {
        "hosts_that_got_an_order": len(took),
        "hosts_that_got_a_second_one": sum(
            len({name for _, name in got}) > 1 for got in given.values()
        ),
        "asked_at_once_to_order_ms": fleet.spread(took),
        "all_dispatched_s": round(max(took, default=0.0) / 1000, 2),
        "centre_ms_per_order": round(measured["centre_ms"] / max(len(took), 1), 2),
        "generator_ms_per_order": round(measured["generator_ms"] / max(len(took), 1), 2),
    }
