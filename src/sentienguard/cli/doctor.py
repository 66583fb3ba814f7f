"""`doctor`: is everything as it should be, and what to do where it is not.

It works best where least works: every look that fails becomes a finding, and the rest goes on.
"""

from collections.abc import Callable, Iterator
from typing import Final

import httpx
import typer
from rich.text import Text

from sentienguard.cli import client, frame
from sentienguard.cli.checkup import agent, asked, finding, machine
from sentienguard.cli.checkup import centre as centre_looks
from sentienguard.cli.checkup.finding import Finding, State
from sentienguard.cli.installation import centre, host_agent
from sentienguard.cli.installation import sandbox as sandboxes
from sentienguard.cli.installation.places import Places
from sentienguard.controlplane import settings as centre_settings
from sentienguard.model import errors

MARKS: Final = {
    State.OK: ("ok     ", "green"),
    State.NOTE: ("note   ", "yellow"),
    State.WRONG: ("WRONG  ", "red"),
}


def doctor(data: frame.Data = None, as_json: frame.Json = False) -> None:
    """Check this installation; status 1 if something is wrong, each with the way out."""
    shown = frame.open_frame(data, as_json)
    with shown.working("looking"):
        findings = list(examine(Places(shown.data)))
    wrong = sum(not one.good for one in findings)
    shown.answer({
        "good": not wrong,
        "findings": [
            {"what": one.what, "good": one.good, "state": one.state.value, "detail": one.detail,
             "way_out": one.way_out}
            for one in findings
        ],
    })  # fmt: skip
    for one in findings if not as_json else ():
        words, style = MARKS[one.state]
        line = Text(words, style=style).append(frame.plain(f"{one.what}: {one.detail}"), style="")
        shown.out.print(line, soft_wrap=True)
        if one.way_out:
            shown.say(f"       {one.way_out}")
    shown.say()
    shown.say(f"{wrong} wrong: begin with the first" if wrong else "nothing is wrong")
    raise typer.Exit(1 if wrong else 0)


def examine(places: Places) -> Iterator[Finding]:
    """Look at everything, causes before what follows from them; nothing is changed."""
    yield from machine.python()
    yield from _tried("clock", lambda: machine.clock(places))
    if not places.data.is_dir():
        yield finding.wrong(
            "data directory",
            f"{places.data} is not there",
            "make an installation with `sentienguard up`, or name one with --data",
        )
        return
    yield from _tried("disk space", lambda: machine.space(places.data))
    yield from _tried("modes", lambda: machine.modes(places))
    session = client.read_session(places.data)
    if session and session.server:
        yield from _tried("address", lambda: asked.address(places, here=False))
    if not places.centre.is_dir():
        return  # somebody's own machine, from which another one is asked
    try:
        settings = centre_settings.load(places.centre)
    except (centre_settings.SettingWrong, OSError) as error:
        way_out = "correct it there; `sentienguard settings --data DIR` of another directory shows "
        yield finding.wrong("settings", str(error), f"{way_out}the known ones")
        settings = centre_settings.Settings()
    else:
        yield finding.ok("settings", "known and of the right type")
    yield from _stored(places, settings)
    yield from _running(places, settings)
    if sandboxes.exists(places.sandbox):
        yield from _tried("sandbox", lambda: _sandbox(places))


def _stored(places: Places, settings: centre_settings.Settings) -> Iterator[Finding]:
    """Look at files, whether anything runs or not."""
    if (places.centre / "trust/root.json").exists():
        yield from _tried("signed documents", lambda: centre_looks.signed(places))
    for name, look in (
        ("environment", lambda: centre_looks.environments(places, settings)),
        ("database", lambda: centre_looks.database(places, settings)),
        ("sealing at rest", lambda: centre_looks.sealing(places, settings)),
        ("embeddings", lambda: centre_looks.embeddings(settings)),
        ("adviser", lambda: centre_looks.adviser(settings)),
        ("certificate for people", lambda: centre_looks.people_certificate(settings)),
        ("dashboard", centre_looks.dashboard),
        ("enrolment", lambda: agent.identity(places)),
    ):
        yield from _tried(name, look)


def _running(places: Places, settings: centre_settings.Settings) -> Iterator[Finding]:
    """Look at what runs, and ask it."""
    up = centre.process_file(places) is not None
    yield _process("control plane", up, places)
    if host_agent.enrolled(places):
        agent_up = host_agent.process_file(places) is not None
        yield _process("agent", agent_up, places)
        if agent_up:
            yield from _tried("executor", lambda: agent.executor(places))
    looks: tuple[tuple[str, Callable[[], Iterator[Finding]]], ...] = (
        ("ports", lambda: machine.ports(settings)),
        ("audit log", lambda: asked.stored_audit(places, settings)),
    )
    if up:
        looks = (
            ("address", lambda: asked.address(places)),
            ("kill switch", lambda: asked.kill_switch(places)),
            ("keys", lambda: asked.keys(places)),
            ("samples", lambda: asked.samples(places)),
            ("hosts", lambda: asked.hosts(places)),
            ("notices", lambda: asked.people_told(places, settings)),
            ("audit log", lambda: asked.audit(places)),
        )
    for name, look in looks:
        yield from _tried(name, look)


def _process(name: str, running: bool, places: Places) -> Finding:
    if running:
        return finding.ok(name, "runs")
    log = name.replace(" ", "")
    return finding.wrong(
        name,
        f"does not run{machine.last_line(places, log)}",
        f"`sentienguard up`; what it last said is in {places.log(log)}",
    )


def _tried(name: str, look: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    """Look, and make a finding of what kept us from looking."""
    try:
        yield from look()
    except (errors.SentienGuardError, httpx.HTTPError, OSError) as error:
        yield finding.wrong(
            name,
            str(error),
            "mend what is wrong above first; if nothing is, the message is the cause",
        )


def _sandbox(places: Places) -> Iterator[Finding]:
    found = sandboxes.read(places.sandbox)
    sick = [one.name for one in found.services.values() if one.status() != httpx.codes.OK]
    detail = f"{found.kind}, {found.used_percent():.0f} % used; services "
    if sick:
        yield finding.wrong(
            "sandbox",
            f"{detail}not healthy: {', '.join(sick)}",
            "`sentienguard down` and `up` start them again",
        )
    else:
        yield finding.ok("sandbox", f"{detail}healthy")
