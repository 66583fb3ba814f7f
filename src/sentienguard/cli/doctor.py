"""`doctor`: is everything as it should be, and what to do where it is not."""

import os
import shutil
import stat
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import typer
from rich.text import Text

from sentienguard.agent import settings as agent_settings
from sentienguard.cli import audit_commands, client, frame, trust_view
from sentienguard.cli.installation import centre, host_agent
from sentienguard.cli.installation import sandbox as sandboxes
from sentienguard.cli.installation.places import Places
from sentienguard.controlplane import settings as centre_settings
from sentienguard.controlplane import trust_exchange, trust_store
from sentienguard.model import errors

OLDEST_PYTHON = (3, 11)
LEAST_FREE_BYTES = 200 << 20  # metrics, log and workflow database of some weeks
CLOCK_SLACK_S = 5.0  # what two clocks may differ by
EPOCH_AT_LEAST = datetime(2025, 1, 1, tzinfo=UTC)  # a clock before this was never set
LATE_INTERVALS = 3
LEAST_DAYS_LEFT = 14  # to bring signers together before hosts refuse everything
PRIVATE = ("cli-token", client.FIRST_LOGIN_FILE, "offline", "controlplane/keys", "agent/executor")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    what: str
    good: bool
    detail: str
    way_out: str = ""  # only where it is not good


def doctor(data: frame.Data = None, as_json: frame.Json = False) -> None:
    """Check this installation; status 1 if something is wrong, each with the way out."""
    shown = frame.open_frame(data, as_json)
    with shown.working("looking"):
        findings = list(examine(Places(shown.data)))
    good = all(one.good for one in findings)
    shown.answer({
        "good": good,
        "findings": [
            {"what": one.what, "good": one.good, "detail": one.detail, "way_out": one.way_out}
            for one in findings
        ],
    })  # fmt: skip
    if not as_json:
        for one in findings:
            mark = Text("ok     " if one.good else "WRONG  ", style="green" if one.good else "red")
            shown.out.print(mark.append(frame.plain(f"{one.what}: {one.detail}"), style=""))
            if one.way_out:
                shown.say(f"       {one.way_out}")
    raise typer.Exit(0 if good else 1)


def examine(places: Places) -> Iterator[Finding]:
    """Look at everything, one after the other; nothing is changed."""
    yield _python()
    yield _clock()
    if not places.data.is_dir():
        yield Finding(
            "data directory",
            good=False,
            detail=f"{places.data} is not there",
            way_out="make an installation with `sentienguard up`, or name one with --data",
        )
        return
    yield _space(places.data)
    yield _modes(places)
    yield _settings(places)
    if (places.centre / "trust/root.json").exists():
        yield _tried(_trust, places)
    running = centre.process_file(places) is not None
    yield _process("control plane", running, places)
    if host_agent.enrolled(places):
        yield _process("agent", host_agent.process_file(places) is not None, places)
    for look in (_answering, _samples, _audit) if running else (_stored_audit,):
        yield _tried(look, places)
    if sandboxes.exists(places.sandbox):
        yield _tried(_sandbox, places)


def _python() -> Finding:
    found = ".".join(str(part) for part in sys.version_info[:3])
    good = sys.version_info[:2] >= OLDEST_PYTHON
    return Finding("python", good, found, "" if good else "install Python 3.11 or newer")


def _clock() -> Finding:
    now = datetime.now(UTC)
    good = now >= EPOCH_AT_LEAST
    way_out = "" if good else "set the clock: certificates and incidents carry its time"
    return Finding("clock", good, f"{now:%Y-%m-%d %H:%M:%S} UTC", way_out)


def _space(data: Path) -> Finding:
    free = shutil.disk_usage(data).free
    good = free >= LEAST_FREE_BYTES
    way_out = "" if good else f"free at least {LEAST_FREE_BYTES >> 20} MiB there"
    return Finding("disk space", good, f"{free >> 20:,} MiB free under {data}", way_out)


def _modes(places: Places) -> Finding:
    here = [places.data, *(places.data / name for name in PRIVATE)]
    open_ones = [
        path for path in here
        if path.exists() and stat.S_IMODE(path.stat().st_mode) & (stat.S_IRWXG | stat.S_IRWXO)
    ]  # fmt: skip
    foreign = [path for path in here if path.exists() and path.stat().st_uid != os.geteuid()]
    if open_ones:
        names = " ".join(str(path) for path in open_ones)
        return Finding(
            "modes", good=False, detail=f"others may read {names}", way_out=f"chmod go-rwx {names}"
        )
    if foreign:
        return Finding(
            "modes",
            good=False,
            detail=f"{foreign[0]} belongs to another user",
            way_out="run commands as the user who ran `sentienguard up`",
        )
    return Finding("modes", good=True, detail="keys and tokens are readable by their owner alone")


def _settings(places: Places) -> Finding:
    try:
        centre_settings.load(places.centre)
    except centre_settings.SettingWrong as error:
        return Finding(
            "settings",
            good=False,
            detail=str(error),
            way_out="`sentienguard settings` shows the known ones",
        )
    return Finding("settings", good=True, detail="known and of the right type")


def _trust(places: Places) -> Finding:
    found = trust_view.document(trust_exchange.read(places.centre), datetime.now(UTC))
    root_days = found["root"]["expires_in_days"]
    catalogue_days = found["catalogue"]["expires_in_days"]
    detail = f"root valid for {root_days} days, catalogue for {catalogue_days}"
    if not found["complete"]:
        detail = found["problem"]
    good = found["complete"] and min(root_days, catalogue_days) >= LEAST_DAYS_LEFT
    by_up = trust_store.evaluation_mark(places.centre).exists() and root_days >= LEAST_DAYS_LEFT
    way_out = (
        "`sentienguard down` and `up` sign the catalogue again"
        if by_up
        else "renew them with `sentienguard trust rotate FILE`, have them signed, then "
        "`sentienguard trust import FILE`"
    )
    return Finding("signed documents", good, detail, "" if good else way_out)


def _process(name: str, running: bool, places: Places) -> Finding:
    file = places.log(name.replace(" ", ""))
    if running:
        return Finding(name, good=True, detail="runs")
    return Finding(
        name,
        good=False,
        detail="does not run",
        way_out=f"`sentienguard up`; what it last said is in {file}",
    )


def _tried(look: Callable[[Places], Finding], places: Places) -> Finding:
    name = look.__name__.strip("_")
    try:
        return look(places)
    except (errors.SentienGuardError, httpx.HTTPError, OSError) as error:
        return Finding(name, good=False, detail=str(error), way_out="see the findings above")


def _answering(places: Places) -> Finding:
    with client.connect(places.data, here=True) as asked:
        began = time.monotonic()
        me = asked.get("/auth/me")
        took = (time.monotonic() - began) * 1000
        trust = "evaluation trust" if me["evaluation_trust"] else "offline keys elsewhere"
        detail = f"{asked.server} answers {me['name']} in {took:.0f} ms; {trust}"
    return Finding("address", good=True, detail=detail)


def _samples(places: Places) -> Finding:
    if not host_agent.enrolled(places):
        return Finding("samples", good=True, detail="no agent is enrolled in this directory")
    mine = agent_settings.read(places.agent)
    with client.connect(places.data, here=True) as asked:
        found = [one for one in asked.get("/hosts")["items"] if one["agent_id"] == mine.agent_id]
    if not found or not found[0]["last_seen"]:
        return Finding(
            "samples",
            good=False,
            detail="none of this machine arrived yet",
            way_out=f"look at {places.log('agent')}",
        )
    age = (datetime.now(UTC) - frame.parse_time(found[0]["last_seen"])).total_seconds()
    if age < -CLOCK_SLACK_S:
        return Finding(
            "samples",
            good=False,
            detail=f"the last one is {-age:.0f} s in the future",
            way_out="set the clocks of this machine and of the control plane",
        )
    good = age <= LATE_INTERVALS * mine.interval_s + CLOCK_SLACK_S
    way_out = "" if good else f"look at {places.log('agent')}"
    return Finding("samples", good, f"the last one is {max(0.0, age):.1f} s old", way_out)


def _audit(places: Places) -> Finding:
    with client.connect(places.data, here=True) as asked:
        return _verified(asked.post("/audit/verify"))


def _stored_audit(places: Places) -> Finding:
    directory = places.centre / "audit"
    if not directory.is_dir():
        return Finding("audit log", good=True, detail="there is none yet")
    return _verified(audit_commands.verify_stored(directory))


def _verified(found: Mapping[str, Any]) -> Finding:
    detail = f"{found['entries']} entries verified in {found['seconds'] * 1000:.0f} ms"
    if found["passed"]:
        return Finding("audit log", good=True, detail=detail)
    wrong = next(one["detail"] for one in found["findings"] if not one["passed"])
    return Finding(
        "audit log",
        good=False,
        detail=wrong,
        way_out="keep a copy of the directory, then `sentienguard audit verify PATH`",
    )


def _sandbox(places: Places) -> Finding:
    found = sandboxes.read(places.sandbox)
    sick = [one.name for one in found.services.values() if one.status() != httpx.codes.OK]
    detail = f"{found.kind}, {found.used_percent():.0f} % used; services " + (
        f"not healthy: {', '.join(sick)}" if sick else "healthy"
    )
    way_out = "`sentienguard down` and `up` start them again" if sick else ""
    return Finding("sandbox", not sick, detail, way_out)
