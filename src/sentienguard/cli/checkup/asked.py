"""Looks at what a running control plane says, through its public API."""

import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from sentienguard.agent import settings as agent_settings
from sentienguard.cli import audit_commands, client, frame
from sentienguard.cli.checkup import finding
from sentienguard.cli.checkup.finding import Finding
from sentienguard.cli.checkup.machine import CLOCK_SLACK_S
from sentienguard.cli.installation import host_agent
from sentienguard.cli.installation.places import Places
from sentienguard.controlplane.settings import Settings

LATE_INTERVALS: Final = 3


def address(places: Places, *, here: bool = True) -> Iterator[Finding]:
    """Look whether it answers, and whom it takes us for; else the one that `login` named."""
    with client.connect(places.data, here=here) as asked:
        began = time.monotonic()
        me = asked.get("/auth/me")
        took = (time.monotonic() - began) * 1000
        trust = "evaluation trust" if me["evaluation_trust"] else "offline keys elsewhere"
        yield finding.ok(
            "address", f"{asked.server} answers {me['name']} in {took:.0f} ms; {trust}"
        )


def kill_switch(places: Places) -> Iterator[Finding]:
    """Look whether somebody stopped everything."""
    with client.connect(places.data, here=True) as asked:
        found = asked.get("/freeze")
    if found["frozen"]:
        since = frame.local(found["at"])
        yield finding.note(
            "kill switch",
            f"on since {since}, by {found['by']}: {found['reason']}; nothing is executed anywhere",
            "`sentienguard unfreeze`, once that is settled",
        )
    else:
        yield finding.ok("kill switch", "off")


def keys(places: Places) -> Iterator[Finding]:
    """Look how old the keys are that are online, and whether one needs people."""
    with client.connect(places.data, here=True) as asked:
        found = asked.get("/keys")
    fresh = []
    for one in found["items"]:
        age = f"{one['name']} {one['age_days']} days"
        if one["stage"] == "good":
            due = frame.parse_time(one["due_at"]) if one["due_at"] else None
            fresh.append(age if due is None else f"{age} (due {due:%Y-%m-%d})")
            continue
        due = frame.parse_time(one["due_at"])
        by_itself = one["rotates"] == "by itself"
        detail = f"{age} old, due {due:%Y-%m-%d}, id {one['id']}"
        if by_itself and one["stage"] == "soon":
            fresh.append(f"{age} (due {due:%Y-%m-%d})")
        elif by_itself:
            yield finding.note(
                "keys", f"{detail}: it is rotated within the hour", f"or at once: {one['way']}"
            )
        else:
            yield finding.note("keys", f"{detail}; rotated {one['rotates']}", one["way"])
    if fresh:
        yield finding.ok("keys", "; ".join(fresh))


def samples(places: Places) -> Iterator[Finding]:
    """Look whether this machine's samples arrive, and when they were taken."""
    if not host_agent.enrolled(places):
        return
    mine = agent_settings.read(places.agent)
    log = f"look at {places.log('agent')}"
    with client.connect(places.data, here=True) as asked:
        hosts = asked.get("/hosts")["items"]
    found = [one for one in hosts if one["agent_id"] == mine.agent_id]
    if not found:
        yield finding.wrong(
            "samples",
            f"the control plane knows no agent {mine.agent_id}",
            f"it was enrolled with another one: `sentienguard down`, move {places.agent} aside, "
            "`sentienguard up`",
        )
        return
    if not found[0]["last_seen"]:
        yield finding.wrong("samples", "none of this machine arrived yet", log)
        return
    age = (datetime.now(UTC) - frame.parse_time(found[0]["last_seen"])).total_seconds()
    if age < -CLOCK_SLACK_S:
        yield finding.wrong(
            "samples",
            f"the last one is {-age:.0f} s in the future",
            "set the clocks of this machine and of the control plane",
        )
    elif age > LATE_INTERVALS * mine.interval_s + CLOCK_SLACK_S:
        yield finding.wrong(
            "samples",
            f"the last one is {age:.0f} s old, and one is due every {mine.interval_s:g} s",
            log,
        )
    else:
        yield finding.ok("samples", f"the last one is {max(0.0, age):.1f} s old")


def hosts(places: Places) -> Iterator[Finding]:
    """Look at the other hosts: which of them were not heard of for long."""
    with client.connect(places.data, here=True) as asked:
        found = asked.get("/hosts")["items"]
    silent = [one["host"] for one in found if one["silent"]]
    if silent:
        yield finding.wrong(
            "hosts",
            f"{len(silent)} of {len(found)} are silent: {', '.join(silent[:5])}",
            "on each: `sentienguard-agent status` and `sentienguard-agent verify`",
        )
    elif found:
        yield finding.ok("hosts", f"{len(found)} heard of")


def people_told(places: Places, settings: Settings) -> Iterator[Finding]:
    """Look whether anybody hears of incidents."""
    with client.connect(places.data, here=True) as asked:
        channels = asked.get("/notices/channels")["items"]
    if channels:
        names = ", ".join(one["name"] for one in channels)
        yield finding.ok("notices", f"people are told by {names}")
    else:
        yield finding.note(
            "notices",
            "nobody is told of incidents; they are seen in the dashboard only",
            f"write {places.centre / settings.notices_file}: docs/how-to/tell-people.md",
        )


def audit(places: Places) -> Iterator[Finding]:
    """Have the control plane verify its log."""
    with client.connect(places.data, here=True) as asked:
        yield _verified(asked.post("/audit/verify"))


def stored_audit(places: Places, settings: Settings) -> Iterator[Finding]:
    """Verify the log as it lies on the disk, where no control plane runs."""
    directory = places.centre / "audit"
    if settings.audit_log == "database":
        return  # it is verified by the control plane, once that runs
    if not directory.is_dir():
        yield finding.ok("audit log", "there is none yet")
        return
    yield _verified(audit_commands.verify_stored(directory))


def _verified(found: Mapping[str, Any]) -> Finding:
    detail = f"{found['entries']} entries verified in {found['seconds'] * 1000:.0f} ms"
    if found["passed"]:
        return finding.ok("audit log", detail)
    bad = next(one["detail"] for one in found["findings"] if not one["passed"])
    return finding.wrong(
        "audit log", bad, "keep a copy of the directory, then `sentienguard audit verify PATH`"
    )
