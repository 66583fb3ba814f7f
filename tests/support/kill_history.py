"""What must be true of everything that happened while processes were killed.

Called by tests.support.kill_harness when all is calm again. Rules, each a function that returns
what is wrong:

 1. What was acknowledged is there: samples, events, answers, silences, logins.
 2. What a collector had on its disk when it was killed reaches the control plane.
 3. No order without an intent in the log before it; no second order for an incident.
 4. Every step of an order had its effect at most once; a step that is reported done, exactly once.
 5. Every incident ends, and as it may under the kills that fell into it.
 6. The log verifies, by us and by a program that shares no code with us, and no checkpoint that was
    ever published is contradicted.
"""

import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from sentienguard.adapters.audit_files import reader
from sentienguard.cli import client
from sentienguard.stages.audit import merkle, verify
from tests.support import kill_clients, kill_faults, kill_fleet, kill_watch

TOOL = Path(__file__).parents[2] / "tools/verify_audit_log.py"
JUST_OPENED_S = 10.0  # a busy machine's own processor may open one while we judge
TALLIED = {"first_line": "line step0", "second_line": "line step1", "bring_it_up": "up step2"}
OF_ORDERS = frozenset({"order.delivered", "order.admitted", "order.finished"})
AFTER_A_CRASH = frozenset(
    {"resolved", "rolled_back", "failed", "escalated", "no_action_needed", "self_recovered"}
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong."""

    rule: str  # lost, twice, no_intent, stuck, outcome, log, refused, harness
    detail: str


@dataclass(frozen=True, slots=True)
class Episode:
    """One fault from its injection to the end of its incident."""

    host: str
    kind: str
    wanted: str  # the outcome where no executor is killed
    began: float  # monotonic
    ended: float
    incident: str | None  # None: none was opened
    outcome: str | None  # None: it did not close
    gone: bool
    starts: int  # of the service, by the remedy
    scene: str = ""  # what was known where nothing followed


@dataclass(frozen=True, slots=True)
class Kill:
    """One SIGKILL."""

    at: float  # monotonic
    process: str
    moment: str  # what it was aimed at


@dataclass
class History:
    """Everything that is judged."""

    fleet: kill_fleet.Fleet
    pretend: kill_clients.Pretend
    told: kill_clients.Acknowledged
    watch: kill_watch.LogWatch
    kills: list[Kill] = field(default_factory=list)
    episodes: list[Episode] = field(default_factory=list)
    spooled: dict[str, set[int]] = field(default_factory=dict)  # host -> times in ms
    spooled_count: int = 0
    errors: list[str] = field(default_factory=list)  # of the harness's own threads


def judge(history: History, asked: client.Client) -> list[Finding]:
    """Return everything that is wrong while all processes run."""
    log = [json.loads(one) for one in history.watch.stored]
    return [
        *(Finding("harness", one) for one in history.errors),
        *(Finding("refused", one) for one in history.told.refused),
        *_lost_samples(history, asked),
        *_lost_events(history, log),
        *_lost_answers(history, asked, log),
        *_spooled(history, asked),
        *_orders(history, log),
        *_effects(history, log),
        *_episodes(history, log),
        *_open_incidents(asked),
        *_checkpoints(history),
    ]


def judge_files(history: History) -> list[Finding]:
    """Return what is wrong with the log's files; the control plane does not run any more."""
    directory = history.fleet.log_directory()
    report = verify.verify(reader.read_stored(directory), verify.Trust())
    found = [Finding("log", f"{one.name}: {one.detail}") for one in report.checks if not one.passed]
    alone = subprocess.run(
        [sys.executable, "-I", str(TOOL), str(directory), "--json"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if alone.returncode != 0:
        found.append(Finding("log", f"stand-alone: {(alone.stdout or alone.stderr)[-800:]}"))
    return found


def _points(
    asked: client.Client, agent: str, metric: str, subject: str, minutes: int = 240
) -> dict[int, float]:
    answer = asked.get(f"/hosts/{agent}/series", metric=metric, subject=subject, minutes=minutes)
    return {
        round(datetime.fromisoformat(at).timestamp() * 1000): value
        for at, value in answer["points"]
    }


def _lost_samples(history: History, asked: client.Client) -> Iterator[Finding]:
    kept = _points(asked, history.pretend.agent, kill_clients.METRIC, "")
    for at_ms, value in history.told.samples.items():
        if kept.get(at_ms) != value:
            yield Finding("lost", f"sample {value:g} of {at_ms} was acknowledged, is not kept")


def _lost_events(history: History, log: Sequence[Mapping[str, Any]]) -> Iterator[Finding]:
    stored = {(one["src"], one["src_seq"]): one for one in log}
    source = f"agent:{history.pretend.agent}"
    for number, leaf in history.told.events.items():
        found = dict(stored.get((source, number), {}))
        found.pop("src_sig", None)
        if found != json.loads(leaf):
            yield Finding("lost", f"event {number} of the pretend agent was acknowledged")
    for host in history.fleet.hosts:
        marks = json.loads((host.directory / "collector/state.json").read_bytes())
        for number in range(1, int(marks["events_through"]) + 1):
            if (f"agent:{host.agent}", number) not in stored:
                yield Finding("lost", f"event {number} of {host.name} was acknowledged")


def _lost_answers(
    history: History, asked: client.Client, log: Sequence[Mapping[str, Any]]
) -> Iterator[Finding]:
    kept = {one["id"]: one["status"] for one in asked.get("/approvals")["items"]}
    recorded = {
        one["data"]["approval_id"]: one["data"]["decision"]
        for one in log
        if one["kind"] == "approval.decided"
    }
    for approval, status in history.told.answers.items():
        if kept.get(approval) != status or recorded.get(approval) != status:
            yield Finding("lost", f"{approval} was acknowledged as {status}")
    silences = {one["id"] for one in asked.get("/silences")["items"]}
    said = " ".join(one["data"]["reason"] for one in log if one["kind"] == "silence.added")
    for silence in history.told.silences:
        if silence not in silences or silence not in said:
            yield Finding("lost", f"silence {silence} was acknowledged")
    logins = sum(one["kind"] == "user.login" for one in log)
    if logins < history.told.logins:
        yield Finding("lost", f"{history.told.logins} logins were acknowledged, {logins} recorded")


def _spooled(history: History, asked: client.Client) -> Iterator[Finding]:
    for host in history.fleet.hosts:
        wanted = history.spooled.get(host.name, set())
        kept = _points(asked, host.agent, "system.disk_usage_percent", host.volume)
        for at_ms in sorted(wanted - kept.keys()):
            yield Finding("lost", f"the sample of {at_ms} lay in the spool of {host.name}")


def _orders(history: History, log: Sequence[Mapping[str, Any]]) -> Iterator[Finding]:
    """Rule 3, in the order of the log and on the hosts."""
    intended: set[str] = set()
    for one in log:
        order = one["data"].get("order_id", "")
        if one["kind"] == "order.intent":
            intended.add(order)
        elif one["kind"] in OF_ORDERS and order not in intended:
            yield Finding("no_intent", f"{one['kind']} of {order} before its intent")
    for host in history.fleet.hosts:
        for order, _ in kill_faults.lines(host):
            if order not in intended:
                yield Finding("no_intent", f"{order} had an effect on {host.name}")
    admitted = [one for one in log if one["kind"] == "order.admitted"]
    for name in ("order", "incident"):
        of = [
            one["incident"] if name == "incident" else one["data"]["order_id"] for one in admitted
        ]
        for which, count in Counter(of).items():
            if count > 1:
                yield Finding("twice", f"{count} admissions for {name} {which}")


def _effects(history: History, log: Sequence[Mapping[str, Any]]) -> Iterator[Finding]:
    """Rule 4, on the lines of tallies and the starts of services."""
    for host in history.fleet.hosts:
        counted = Counter(kill_faults.lines(host))
        for (order, what), count in counted.items():
            if count > 1 and not what.startswith("undone"):
                yield Finding("twice", f"{what} of {order} on {host.name} ran {count} times")
        for one in log:
            if one["kind"] == "step.done" and one["src"] == f"agent:{host.agent}":
                order, what = one["data"]["order_id"], TALLIED.get(one["data"]["name"], "")
                good = one["data"]["status"] == "success"
                if what and good and counted[order, what] != 1:
                    yield Finding("lost", f"{what} of {order} is reported and had no effect")
    for one in history.episodes:
        most = kill_faults.MOST_STARTS[one.kind]
        if one.starts > most:
            yield Finding("twice", f"{one.incident} started its service {one.starts} times")
        if one.kind == "service-hung" and one.outcome == "resolved" and one.starts != 1:
            yield Finding("twice", f"{one.incident} was resolved by {one.starts} starts")


def _episodes(history: History, log: Sequence[Mapping[str, Any]]) -> Iterator[Finding]:
    routes = {one["incident"]: one["data"] for one in log if one["kind"] == "decision.made"}
    for one in history.episodes:
        if one.incident is None or one.outcome is None:
            what = f"{one.kind} on {one.host}: {one.incident or 'no incident'}"
            still = "gone" if one.gone else "still there"
            detail = f"{what}, {one.ended - one.began:.0f} s; the fault is {still}; {one.scene}"
            yield Finding("stuck", detail)
            continue
        crashed = any(
            kill.process == f"executor of {one.host}" and one.began <= kill.at <= one.ended
            for kill in history.kills
        )
        allowed = set(AFTER_A_CRASH) if crashed else {one.wanted}
        route = routes.get(one.incident, {}).get("route")
        if route == "ESCALATE":  # remedies that failed before are not tried again
            allowed = {"escalated"}
        if one.outcome not in allowed:
            detail = f"{one.kind} on {one.host}: {one.incident} ended as {one.outcome} ({route})"
            yield Finding("outcome", f"{detail}, allowed: {', '.join(sorted(allowed))}")
        if one.outcome == "resolved" and not one.gone:
            yield Finding("outcome", f"{one.incident} is resolved, the fault is still there")


def _open_incidents(asked: client.Client) -> Iterator[Finding]:
    for one in asked.get("/incidents", limit=200)["items"]:
        age_s = time.time() - datetime.fromisoformat(one["opened_at"]).timestamp()
        if one["status"] != "CLOSED" and age_s > JUST_OPENED_S:
            about = f"{one['host']} {one['metric']} {one['subject']}"
            yield Finding("stuck", f"{one['id']} about {about} is {one['status']}")


def _checkpoints(history: History) -> Iterator[Finding]:
    tree = merkle.Tree()
    roots = {0: tree.root()}
    for number, stored in enumerate(history.watch.stored, start=1):
        tree.append(merkle.leaf_hash(stored))
        if any(seen.size == number for seen in history.watch.checkpoints):
            roots[number] = tree.root()
    for seen in history.watch.checkpoints:
        if roots.get(seen.size) != seen.root:
            yield Finding("log", f"the checkpoint of {seen.size} entries is contradicted")
