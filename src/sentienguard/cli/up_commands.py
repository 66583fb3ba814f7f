"""`up` and `down`: a control plane and an agent on this machine."""

import signal
import time
from typing import Annotated, Any

import typer

from sentienguard.cli import client, frame
from sentienguard.cli.installation import centre, host_agent
from sentienguard.cli.installation import up as installing
from sentienguard.cli.installation.places import Places
from sentienguard.controlplane import trust_store

EVALUATION = (
    "This is evaluation trust: every key was made on this machine and the offline ones are still "
    "here, so who owns this machine owns both. Fine for trying it out; `sentienguard trust init` "
    "moves them away."
)
WATCH_S = 1.0


def up(  # noqa: PLR0917  # one argument for each option
    data: frame.Data = None,
    as_json: frame.Json = False,
    environment: Annotated[
        str | None,
        typer.Option(
            help="Environment of this machine: drill, dev, staging or production.",
            show_default="dev",
        ),
    ] = None,
    interval: Annotated[
        float | None,
        typer.Option(min=0.2, max=3600.0, help="Seconds between samples.", show_default="30"),
    ] = None,
    drills: Annotated[
        bool, typer.Option("--drills", help="With a sandbox that drills may break.")
    ] = False,
    foreground: Annotated[
        bool, typer.Option("--foreground", help="Stay, and stop everything on Ctrl-C.")
    ] = False,
) -> None:
    """Start a control plane and an agent on this machine, ready to use."""
    shown = frame.open_frame(data, as_json)
    places = Places(shown.data)
    wish = installing.Wish(places, environment, interval, drills)
    with shown.working("starting SentienGuard") as tell:
        running = installing.bring_up(wish, tell)
    tell_running(shown, running)
    if foreground:
        _stay(shown, places)


def down(data: frame.Data = None, as_json: frame.Json = False) -> None:
    """Stop what `up` started; without --data also the demo of the current directory."""
    shown = frame.open_frame(data, as_json)
    directories = [shown.data]
    if data is None and frame.DEMO_DIRECTORY.is_dir():
        directories.append(frame.DEMO_DIRECTORY.absolute())
    stopped: dict[str, list[str]] = {}
    with shown.working("stopping SentienGuard"):
        for directory in directories:
            stopped[str(directory)] = installing.take_down(Places(directory))
    shown.answer({"stopped": stopped})
    for place, done in stopped.items():
        for line in done:
            shown.say(f"{line} in {place}")
    if not any(stopped.values()):
        shown.say(f"nothing runs in {', '.join(stopped)}")


def document(running: installing.Running, option: str = "") -> dict[str, Any]:
    """Return what runs, as JSON data; the password only when it was just made."""
    login = running.login
    return {
        "address": running.address,
        "data": str(running.places.data),
        "environment": running.environment,
        "interval_s": running.interval_s,
        "already_running": running.was_running,
        "evaluation_trust": trust_store.evaluation_mark(running.places.centre).exists(),
        "first_login": _login(running) if login and login.new else None,
        "sandbox": running.sandbox.kind if running.sandbox else None,
        "next": [
            {"what": what, "command": command} for what, command in following(running, option)
        ],
    }


def tell_running(shown: frame.Frame, running: installing.Running) -> None:
    """Show where it is, how to log in and what next."""
    rows = [
        ("address", running.address),
        ("first login", _said_login(running)),
        ("data", str(running.places.data)),
        (
            "this machine",
            f"environment {running.environment}, a sample every {running.interval_s:g} s",
        ),
    ]
    if running.sandbox:
        box = running.sandbox
        rows.append(("sandbox", f"{box.directory}: {box.kind}, {', '.join(box.services)}"))
    shown.answer(document(running, data_option(shown)), frame.pairs(rows))
    centre.login_was_shown(running.places)
    shown.say()
    if running.was_running:
        shown.say("It was running already.")
    shown.say("What next:")
    for what, command in following(running, data_option(shown)):
        shown.say(f"  {what:<38}{command}")
    if trust_store.evaluation_mark(running.places.centre).exists():
        shown.say()
        shown.explain(EVALUATION)


def following(running: installing.Running, option: str) -> list[tuple[str, str]]:
    """Return what somebody can do next, with the command; `option` names the data directory."""
    here = frame.program()
    rows = [("look around", running.address)]
    if running.sandbox:
        rows.append(("watch a real fault being fixed", f"{here} drill run disk-full{option}"))
    else:
        rows.append(("watch a real fault being fixed", f"{here} demo"))
    return [
        *rows,
        ("see what happened", f"{here} incidents list{option}"),
        ("answer what waits for a person", f"{here} approvals list{option}"),
        ("check that all is as it should be", f"{here} doctor{option}"),
        ("add another host", f"{here} tokens add {running.environment}{option}"),
        ("complete commands with TAB", f"source <({here} completion bash)"),
        ("stop all remedies at once", f'{here} freeze "why"{option}'),
        ("end it", f"{here} down{option}"),
    ]


def data_option(shown: frame.Frame) -> str:
    """Return the --data option that the next command needs, with a blank before it."""
    return (
        ""
        if shown.data == frame.data_directory(None)
        else f" --data {frame.short_path(shown.data)}"
    )


def _login(running: installing.Running) -> dict[str, str]:
    login = running.login
    return {"name": login.name, "password": login.password} if login else {}


def _said_login(running: installing.Running) -> str:
    login = running.login
    if login is None:
        return "-"
    kept = running.places.data / client.FIRST_LOGIN_FILE
    if login.new:
        return f"{login.name}, password {login.password} (shown once; kept in {kept.name})"
    return f"{login.name}, password in {kept}"


def _stay(shown: frame.Frame, places: Places) -> None:
    """Wait for Ctrl-C, SIGTERM or the end of a process, then stop everything."""
    ended: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _frame: ended.append(number))
    shown.note("running; Ctrl-C stops it")
    try:
        while not ended and centre.process_file(places) and host_agent.process_file(places):
            time.sleep(WATCH_S)
    except KeyboardInterrupt:
        pass
    for line in installing.take_down(places):
        shown.note(line)
