"""Run one drill that lies in a directory: bed, agent, fault, watching, verdict.

Called by `drill run` and by `campaign`. The product is known through its public API alone.

    bed made -> prepared -> agent reports -> fault -> incidents -> ended -> looked at -> thrown away
"""

import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from sentienguard.cli import client
from sentienguard.cli.drills import definition, drill, guest, verdict
from sentienguard.cli.drills.beds import bed, choice
from sentienguard.cli.installation.places import Places
from sentienguard.model import errors

ENVIRONMENT = "drill"  # where signed proving records count
PRESENT_S = 8.0  # for a fault to show
GONE_S = 8.0  # for what was mended to answer
CALM_S = 4.0  # for what the drill's own beginning disturbed
POLL_S = 0.25
QUIET_S = 4.0  # without anything new, after all incidents are closed

Tell = Callable[[str], None]


class NotCalm(errors.Broken):
    """The bed was not well before it was broken, so nothing can be learnt from it."""


class Stopped(errors.Unavailable):
    """Whoever runs the drills wants to end; what is left out comes in the next run."""


@dataclass(frozen=True, slots=True)
class Site:
    """The installation on which drills run."""

    places: Places
    agents_port: int  # of the control plane

    @property
    def beds(self) -> Path:
        """Return the directory of beds; what a killed run left there is removed by the next."""
        return self.places.data / "beds"


def run(
    wanted: definition.Definition,
    site: Site,
    asked: client.Client,
    *,
    kind: str | None = None,
    tell: Tell = lambda _: None,
    stop: Callable[[], bool] = lambda: False,
) -> verdict.Case:
    """Run it on a bed of this kind, or on the best; what goes wrong itself becomes its trouble.

    Once `stop` says so the bed is taken down, and the run teaches nothing.
    """
    began = time.monotonic()
    started = datetime.now(UTC).isoformat(timespec="seconds")
    used = ""
    try:
        used = choice.choose(wanted, kind)
        tell(f"making a bed: {used}")
        with choice.made(wanted, used, site.beds, agents_port=site.agents_port, tell=tell) as place:
            found = _on(place, wanted, site, asked, tell, stop)
    except (errors.SentienGuardError, OSError) as error:
        found = verdict.broken(wanted, used, f"{type(error).__name__}: {error}")
    return replace(found, took_s=round(time.monotonic() - began, 1), started=started)


def prepare(place: bed.Bed, wanted: definition.Definition) -> None:
    """Make what the drill breaks, and start its services. Raises bed.ScriptFailed."""
    programs = " ".join(wanted.needs)
    must(place, f"for p in {programs}; do [ -x $p ] || {{ echo no $p; exit 1; }}; done", "needs")
    must(place, wanted.prepare, "prepare")
    must(place, bed.start_services(wanted, place.declared()), "services")


def must(place: bed.Bed, script: str, name: str) -> None:
    """Run a script that has to succeed. Raises bed.ScriptFailed with what it said."""
    ran = place.run(script)
    if not ran.good:
        said = ran.output.strip()[-400:]
        raise bed.ScriptFailed(f"{name} ended with status {ran.status}: {said}")


def holds(place: bed.Bed, script: str, within_s: float) -> bool:
    """Ask a script until its status is 0."""
    until = time.monotonic() + within_s
    while not place.run(script).good:
        if time.monotonic() > until:
            return False
        time.sleep(0.2)
    return True


def invariants(place: bed.Bed, wanted: definition.Definition) -> Mapping[str, str]:
    """Return what each script of an invariant says now."""
    return {
        name: place.run(script).output.strip()[:200] for name, script in wanted.invariants.items()
    }


def must_be_calm(host: str, asked: client.Client) -> None:
    """Wait until nothing is open on a host that was not broken yet. Raises NotCalm.

    An incident that began before the fault is about the bed, and its end would be scored.
    """
    until = time.monotonic() + CALM_S
    while found := asked.get("/incidents", host=host, limit=50)["items"]:
        if time.monotonic() > until or any(one["status"] == "CLOSED" for one in found):
            one = found[0]
            raise NotCalm(
                f"{one['metric']} {one['subject']} was wrong before the fault: "
                f"{one['summary'] or one['status']}"
            )
        time.sleep(POLL_S)


def _on(  # noqa: PLR0917  # what a run is made of
    place: bed.Bed,
    wanted: definition.Definition,
    site: Site,
    asked: client.Client,
    tell: Tell,
    stop: Callable[[], bool],
) -> verdict.Case:
    prepare(place, wanted)
    host = f"{wanted.name}-{secrets.token_hex(3)}"
    mine = guest.enrol(place, wanted, host, asked, ENVIRONMENT)
    guest.start(mine, site.places, asked)
    if wanted.maintenance:
        body = {"host_pattern": host, "minutes": 30, "reason": f"drill {wanted.name}"}
        asked.post("/maintenance", body)
    time.sleep(wanted.calm_s)
    must_be_calm(host, asked)
    tell("breaking it")
    injected = time.time()
    must(place, wanted.inject, "inject")
    present = not wanted.present.strip() or holds(place, wanted.present, PRESENT_S)
    if not present:
        return replace(
            verdict.broken(wanted, place.kind, "the fault is not there after it was injected"),
            ended="not_injected",
        )
    before = invariants(place, wanted)
    told, late = _follow(wanted, host, injected, asked, tell, stop)
    gone = holds(place, wanted.gone, GONE_S) if wanted.gone.strip() else None
    compared = drill.compare(before, invariants(place, wanted))
    seen = verdict.Seen(told, compared, present=present, gone=gone, late=late)
    return verdict.judge(wanted, place.kind, seen)


def _follow(  # noqa: PLR0917  # as above
    wanted: definition.Definition,
    host: str,
    injected: float,
    asked: client.Client,
    tell: Tell,
    stop: Callable[[], bool],
) -> tuple[tuple[verdict.Told, ...], bool]:
    """Watch the host's incidents until nothing is open any more; say whether that was too late."""
    answered: set[str] = set()
    quiet_since: float | None = None
    last: tuple[verdict.Told, ...] = ()
    while True:
        if stop():
            raise Stopped("stopped before anything could be said")
        since = time.time() - injected
        last = _incidents(host, injected, asked, wanted, answered)
        for one in last:
            tell(f"{one.metric} {one.outcome or one.status.lower()}: {one.summary}")
        waiting = [one for one in last if not one.outcome and not _left(one, wanted)]
        if waiting or (not last and not wanted.is_decoy):
            quiet_since = None
        elif quiet_since is None:
            quiet_since = since
        resolved = any(one.outcome == "resolved" for one in last)
        enough = since >= wanted.watch_s or (resolved and not wanted.is_decoy)
        quiet = quiet_since is not None and (since - quiet_since >= (0.5 if resolved else QUIET_S))
        if quiet and enough:
            return last, False
        if since > wanted.limit_s:
            return last, bool(waiting) or not (last or wanted.is_decoy)
        time.sleep(POLL_S)


def _left(one: verdict.Told, wanted: definition.Definition) -> bool:
    """Tell whether it stands at a question that nobody is going to answer."""
    return one.status == "AWAITING_APPROVAL" and wanted.expected.person == "nobody"


def _incidents(
    host: str,
    injected: float,
    asked: client.Client,
    wanted: definition.Definition,
    answered: set[str],
) -> tuple[verdict.Told, ...]:
    found = []
    for item in asked.get("/incidents", host=host, limit=50)["items"]:
        story = asked.get(f"/incidents/{item['id']}")
        found.append(verdict.tell(story, injected))
        approval = story["approval"]
        person = wanted.expected.person
        if approval and approval["status"] == "pending" and approval["id"] not in answered:
            answered.add(approval["id"])
            if person != "nobody":
                verb = "approve" if person == "approves" else "deny"
                asked.post(f"/approvals/{approval['id']}/{verb}", {"note": "a drill's person"})
    return tuple(sorted(found, key=lambda one: one.opened_s))
