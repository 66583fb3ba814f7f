"""From the alert to the remedy, and what a crash loses: beside ansible-rulebook, in one run.

    python -m benchmarks rulebook [--set ansible_rulebook=PATH] [--set rounds=20] [--set alerts=10]

ansible-rulebook (PyPI, in a virtual environment of its own; it needs Java) is used when it is on
PATH or named; without it our half is measured alone. Both get the same body of Alertmanager over
loopback.

**Alert to remedy.** From the moment before the request is sent to the first effect.
Ours: a whole installation (control plane, collector, executor) with its drill volume. The volume is
filled for real; then the alert is sent. Two moments are taken from the signed entries of the host:
the durable intent of the execution (`order.admitted`), and the begin of the first step. In between
lie the durable inbox, incident, evidence, decision, audit intent, signed order, admission with its
checks of trust, pre-checks on the host. Samples are taken every 60 s, so that the alert, and not
our own detection, is what is acted on; a round in which the incident was not the alert's own stops
the benchmark. Nobody asks the control plane meanwhile; what happened when is read afterwards. Then
the alert is resolved, the volume emptied, and the next round begins; after ten of them in a fresh
installation, because the remedy is signed for twelve starts an hour on one host.
Theirs: webhook source, one rule, `run_playbook` without facts on this machine; the moment is the
time of the file that the first task touches. Its rule engine is warm: one alert before is not
counted.

**Lost under kill -9.** So many different alerts are sent one after another, each after the answer
to the one before; the process is killed with SIGKILL as soon as the last is acknowledged, started
again, and given time until nothing more happens. `while_working`: killed when the first action was
seen. Lost is an acknowledged alert that never led to an action. Ours: the action is the signed
order in the hands of the host, whose key and connection this process holds. Theirs: the file that
the playbook touches; a playbook that runs when the process is killed is left to end, and counts.
"""

import base64
import itertools
import json
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx

from benchmarks import ansible_rulebook_process as rival
from benchmarks import order_latency
from tests.support import centre_process, installation, webhooks

CLOSES_WITHIN_S = 120.0
QUIET_S = 15.0  # nothing happened for so long: nothing more is to come
STARTS_AN_HOUR = 10  # of one remedy on one host; its signature permits 12
INTERVAL_S = 60.0  # between samples, so that the alert comes first
# Nobody asks the control plane for so long after an alert: who looks twenty times a second costs it
# more than the remedy does. Theirs is watched by the file that it touches.
UNSEEN_S = 2.0


def run(options: Mapping[str, str]) -> dict[str, Any]:
    """Return the figures."""
    rounds, alerts = int(options.get("rounds", "20")), int(options.get("alerts", "10"))
    program = rival.find(options.get("ansible_rulebook", ""))
    with tempfile.TemporaryDirectory() as place:
        figures: dict[str, Any] = {
            "rounds": rounds,
            "alerts": alerts,
            "ours": {
                "alert_to_remedy": _our_rounds(Path(place) / "whole", rounds),
                "killed_at_once": _our_losses(Path(place) / "once", alerts, working=False),
                "killed_while_working": _our_losses(Path(place) / "work", alerts, working=True),
            },
        }
        figures["ansible_rulebook"] = (
            "not on PATH; --set ansible_rulebook=PATH names it"
            if program is None
            else {
                "versions": rival.versions(program),
                "alert_to_remedy": _their_rounds(program, Path(place) / "rival", rounds),
                "killed_at_once": _their_losses(
                    program, Path(place) / "rival-once", alerts, working=False
                ),
                "killed_while_working": _their_losses(
                    program, Path(place) / "rival-work", alerts, working=True
                ),
            }
        )
    return figures


def _our_rounds(place: Path, rounds: int) -> dict[str, Any]:
    found: list[tuple[float, float]] = []
    for number in itertools.count():
        if len(found) == rounds:
            break
        with installation.running(place / str(number), interval_s=INTERVAL_S) as installed:
            found += _our_series(installed, min(STARTS_AN_HOUR, rounds - len(found)))
    intents, steps = zip(*found, strict=True)
    return {"to_intent_s": _spread(intents), "to_first_step_s": _spread(steps)}


def _our_series(installed: installation.Installation, rounds: int) -> list[tuple[float, float]]:
    """Return the seconds to intent and first step of rounds on one fresh installation."""
    sender = _OurSender(installed)
    found = []
    for number in range(rounds):
        fault = installed.drill("disk-full")
        try:
            fault.inject()
            found.append(sender.round(number, fault.symptom.subject))
        finally:
            fault.clean_up()
    return found


class _OurSender:
    """Sends alerts to an installation and reads from its log what came of them."""

    def __init__(self, installed: installation.Installation) -> None:
        self._installed = installed
        with installed.client() as asked:
            volume = installed.drill("disk-full").symptom
            reading = f"{volume.metric}[{volume.subject}]"
            installation.wait_for(
                lambda: reading in asked.get("/hosts")["items"][0]["metrics"], "a first reading"
            )
            [host] = asked.get("/hosts")["items"]
            wanted = {"purpose": "alertmanager", "environment": host["environment"]}
            made = asked.post("/webhook-tokens", wanted)
            self._host, address = str(host["host"]), asked.server
        client = httpx.Client(base_url=address, timeout=30)
        self._sender = webhooks.Sender(client, made["token"], made["id"])

    def round(self, number: int, volume: str) -> tuple[float, float]:
        """Send one alert; return the seconds to the intent and to the first step."""
        firing = webhooks.alert(
            "NodeFilesystemAlmostOutOfSpace",
            began_s=number,
            instance=f"{self._host}:9100",
            mountpoint=volume,
        )
        began = time.time()
        assert self._sender.send(webhooks.body(firing)).is_success
        time.sleep(UNSEEN_S)
        with self._installed.client() as asked:
            incident = installation.wait_for(
                lambda: self._incident_of(asked, number), "an incident", CLOSES_WITHIN_S
            )
            installation.wait_for(
                lambda: self._worked(asked, incident), "the end of a remedy", CLOSES_WITHIN_S
            )
            self._sender.send(webhooks.body({**firing, "status": "resolved"}))
            installation.wait_for(
                lambda: asked.get(f"/incidents/{incident}")["incident"]["status"] == "CLOSED",
                "the end of an incident",
                CLOSES_WITHIN_S,
            )
            entries = asked.get("/audit/entries", incident=incident)["items"][::-1]
        admitted = next(one for one in entries if one["kind"] == "order.admitted")
        step = next(one for one in entries if one["kind"] == "step.done")
        step_took_s = int(step["data"].get("duration_ms", 0)) / 1000
        return _seconds(admitted["at"]) - began, _seconds(step["at"]) - step_took_s - began

    def _incident_of(self, asked: Any, number: int) -> str | None:
        newest = asked.get("/alerts", limit=1)["items"][0]
        if newest["result"] is None:
            return None
        if newest["result"] != "opened":
            raise RuntimeError(f"round {number}: the alert was {newest['result']}, not opened")
        return str(newest["incident"])

    def _worked(self, asked: Any, incident: str) -> bool:
        entries = asked.get("/audit/entries", incident=incident)["items"]
        kinds = {one["kind"] for one in entries}
        if "incident.closed" in kinds and "order.admitted" not in kinds:
            why = next(one for one in entries if one["kind"] == "incident.closed")["data"]
            raise RuntimeError(f"{incident} ended without a remedy: {why['summary']}")
        return "order.finished" in kinds


def _our_losses(place: Path, alerts: int, *, working: bool) -> dict[str, Any]:
    place.mkdir()
    with order_latency.proven_centre(place) as centre:
        hosts = [centre.enrol(f"host-{number}") for number in range(alerts)]
        for host in hosts:
            host.push({**order_latency.CALM, ("system.disk_usage_percent", "/srv"): 90.0})
        time.sleep(1.5)  # a host that has just enrolled may be unknown to alerts for a second
        sender = webhooks.sender(centre)
        acknowledged = 0
        for host in hosts:
            firing = webhooks.alert(
                "NodeFilesystemAlmostOutOfSpace", instance=host.host, mountpoint="/srv"
            )
            acknowledged += sender.send(webhooks.body(firing)).is_success
        if working:
            _until_released(centre)
        centre.kill()
        began = time.monotonic()
        centre.restart()
        recovered_s = time.monotonic() - began
        ordered = [_orders_of(host, number) for number, host in enumerate(hosts)]
    return {
        "acknowledged": acknowledged,
        "acted_on": sum(bool(orders) for orders in ordered),
        "lost": acknowledged - sum(bool(orders) for orders in ordered),
        "acted_on_twice": sum(len(orders) > 1 for orders in ordered),
        "restart_s": round(recovered_s, 1),
    }


def _until_released(centre: centre_process.Centre) -> None:
    metrics = centre.anonymous()
    until = time.monotonic() + CLOSES_WITHIN_S
    while time.monotonic() < until:
        for line in metrics.get("/metrics").text.splitlines():
            if line.startswith("sentienguard_orders_released_total ") and not line.endswith(" 0"):
                return
        time.sleep(0.005)
    raise RuntimeError("no order was ever released")


def _orders_of(host: centre_process.Host, number: int) -> set[str]:
    """Return the ids of the orders that the centre has for a host, asking until there is one."""
    found: set[str] = set()
    for turn in range(3):
        brought = host.poll(f"{number:016x}{turn:016x}", wait_s=0 if found else 20)
        if brought["order"] is not None:
            found.add(_order_id(brought["order"]))
    return found


def _order_id(envelope: Mapping[str, Any]) -> str:
    return str(json.loads(base64.b64decode(envelope["payload"]))["order_id"])


def _their_rounds(program: Path, place: Path, rounds: int) -> dict[str, Any]:
    waits = []
    with rival.running(program, place) as rulebook:
        _act(rulebook, "warm-up")
        for number in range(rounds):
            name = f"round-{number}"
            began = time.time()
            assert rulebook.send(webhooks.body(webhooks.alert(instance=name)))
            waits.append(_touched_at(rulebook, name) - began)
            time.sleep(1.0)  # for the playbook to end: the next one does not queue behind it
    return {"to_first_task_s": _spread(waits)}


def _their_losses(program: Path, place: Path, alerts: int, *, working: bool) -> dict[str, Any]:
    with rival.running(program, place) as rulebook:
        _act(rulebook, "warm-up")
        names = [f"alert-{number}" for number in range(alerts)]
        acknowledged = [
            name for name in names if rulebook.send(webhooks.body(webhooks.alert(instance=name)))
        ]
        if working:
            _touched_at(rulebook, acknowledged[0])
        rulebook.kill()
        began = time.monotonic()
        rulebook.restart()
        restart_s = time.monotonic() - began
        acted = _when_quiet(rulebook)
    lost = [name for name in acknowledged if name not in acted]
    return {
        "acknowledged": len(acknowledged),
        "acted_on": len(acknowledged) - len(lost),
        "lost": len(lost),
        "restart_s": round(restart_s, 1),
    }


def _act(rulebook: rival.Rulebook, name: str) -> None:
    assert rulebook.send(webhooks.body(webhooks.alert(instance=name)))
    _touched_at(rulebook, name)
    time.sleep(1.0)


def _touched_at(rulebook: rival.Rulebook, name: str) -> float:
    until = time.monotonic() + CLOSES_WITHIN_S
    while (found := rulebook.started(name)) is None:
        if time.monotonic() > until:
            raise RuntimeError(f"no playbook ran for {name}; look at {rulebook.place / 'log'}")
        time.sleep(0.002)
    return found


def _when_quiet(rulebook: rival.Rulebook) -> set[str]:
    seen, since = rulebook.touched(), time.monotonic()
    while time.monotonic() - since < QUIET_S:
        time.sleep(0.2)
        now = rulebook.touched()
        if now != seen:
            seen, since = now, time.monotonic()
    return seen


def _seconds(at: str) -> float:
    return datetime.fromisoformat(at).timestamp()


def _spread(seconds: Sequence[float]) -> dict[str, float]:
    ordered = sorted(seconds)
    return {
        "median": round(statistics.median(ordered), 3),
        "p99": round(ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))], 3),
        "least": round(ordered[0], 3),
        "most": round(ordered[-1], 3),
    }
