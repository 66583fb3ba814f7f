"""The control plane of an installation: its trust, its first administrator, its process.

Called by `up` and `down`. The offline keys lie beside it here, which is what *evaluation trust*
means; see controlplane.evaluation.
"""

import contextlib
import json
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx

from sentienguard.cli import client, private_files
from sentienguard.cli.installation import bundled, ports, processes
from sentienguard.cli.installation.places import Places
from sentienguard.controlplane import evaluation
from sentienguard.model import errors

MODULE = "sentienguard.controlplane"
ADMINISTRATOR = "admin"
PASSWORD_BYTES = 15  # 120 bits: 20 letters that nobody guesses
START_S = 60.0  # migrations, recovery of incidents and reading the audit log on a slow machine
STOP_S = 20.0  # for requests under way and for the workflow engine to lay down its work
ADD_S = 60.0
NOTICE_S = 10.0  # between two words about what we are waiting for
PEOPLE_PORT, AGENTS_PORT = 7443, 7444  # as in controlplane.settings

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class FirstLogin:
    """The first administrator."""

    name: str
    password: str
    new: bool  # nobody has seen the password yet


def process_file(places: Places) -> processes.Known | None:
    """Return the control plane that runs here, if one does."""
    return processes.remembered(places.run / "controlplane.process.json")


def prepare(places: Places, *, interval_s: float, drills: bool) -> None:
    """Make settings and trust, as far as they are missing."""
    values: dict[str, object] = {"interval_s": interval_s}
    standing = ports.read_settings(places.centre)
    for name, usual in (("people_port", PEOPLE_PORT), ("agents_port", AGENTS_PORT)):
        if name not in standing:  # chosen once, so that the agent and bookmarks find it again
            values[name] = ports.free(None if drills else usual)
    if drills:  # a drill that is repeated is no sign that a remedy does not hold
        values |= {"service_budget_per_hour": 1000, "fleet_budget_per_hour": 1000}
    ports.write_settings(places.centre, values)
    now = datetime.now(UTC)
    evaluation.prepare(places.centre, places.offline, bundled.playbooks(), now=now)
    if evaluation.moved_away(places.centre):
        return  # what the bundled playbooks proved is signed where the keys are
    for record in bundled.proving():
        evaluation.sign_proving(places.centre, places.offline, record)


def first_login(places: Places) -> FirstLogin:
    """Make the first administrator, once.

    Raises errors.Rejected with what the program said, errors.Unavailable where it took too long.
    """
    standing = client.read_first_login(places.data)
    made = places.run / "administrator.made"
    if standing is not None and made.exists():
        return FirstLogin(*standing, new=not _shown(places).exists())
    name, password = standing or (ADMINISTRATOR, secrets.token_urlsafe(PASSWORD_BYTES))
    record = {"name": name, "password": password}
    private_files.write(places.data / client.FIRST_LOGIN_FILE, (json.dumps(record) + "\n").encode())
    added = _told(places, ["--add-administrator", name], password + "\n")
    if added.returncode != 0:
        raise errors.Rejected(
            f"the first administrator could not be made in {places.centre}:\n"
            f"{_last_lines(added.stderr or added.stdout)}"
        )
    made.touch()
    return FirstLogin(name, password, new=True)


def login_was_shown(places: Places) -> None:
    """Note that somebody saw the first password."""
    _shown(places).touch()


def _shown(places: Places) -> Path:
    return places.run / "administrator.shown"


def start(places: Places, tell: Tell) -> processes.Known:
    """Start the control plane and wait until it answers.

    Raises processes.DidNotStart with the last lines of its log.
    """
    log = places.log("controlplane")
    places.ready.unlink(missing_ok=True)
    process = processes.launch([MODULE, "--data", str(places.data)], log)
    processes.remember(places.run / "controlplane.process.json", process)
    began = noticed = time.monotonic()
    while not _answers(places, process):
        processes.reap()
        if not process.alive:
            raise processes.DidNotStart(
                f"the control plane ended before it was ready; the end of {log}:\n"
                f"{processes.tail(log)}\n{way_out(log)}"
            )
        if time.monotonic() - began > START_S:
            processes.stop(process, grace_s=STOP_S)
            raise processes.DidNotStart(
                f"the control plane was not ready after {START_S:.0f} s; the end of {log}:\n"
                f"{processes.tail(log)}\n{way_out(log)}"
            )
        if time.monotonic() - noticed > NOTICE_S:
            noticed = time.monotonic()
            tell(f"waiting for the control plane ({noticed - began:.0f} s)")
        time.sleep(processes.POLL_S)
    return process


@contextlib.contextmanager
def audit_files(places: Places) -> Iterator[Path]:
    """Give the audit log as files: where it lies, or a copy of the one in the database."""
    if ports.read_settings(places.centre).get("audit_log") != "database":
        yield places.centre / "audit"
        return
    with tempfile.TemporaryDirectory() as made:
        target = Path(made) / "audit"
        done = _told(places, ["--export-audit", str(target)])
        if done.returncode != 0:
            raise errors.Rejected(
                f"the audit log could not be copied out of the database:\n"
                f"{_last_lines(done.stderr or done.stdout)}"
            )
        yield target


def _told(places: Places, words: list[str], said: str = "") -> subprocess.CompletedProcess[str]:
    """Run the control plane's own program for one thing. Raises errors.Unavailable after ADD_S."""
    try:
        return subprocess.run(  # noqa: S603  # our own interpreter and module
            [sys.executable, "-m", MODULE, "--data", str(places.data), *words],
            input=said,
            text=True,
            capture_output=True,
            timeout=ADD_S,
            check=False,
        )
    except subprocess.TimeoutExpired as cause:
        raise errors.Unavailable(
            f"the control plane's program did not end `{words[0]}` within {ADD_S:g} s: this "
            "machine is too busy for it now; run the same command again"
        ) from cause


def way_out(log: object) -> str:
    """Say what one can do about a process that did not start."""
    return (
        f"Mend what it says and run `sentienguard up` again; the whole log is {log}, and "
        "`sentienguard doctor` checks the rest. Change a port that is taken in sentienguard.yaml."
    )


def login(places: Places, first: FirstLogin) -> None:
    """Keep a session for the command line."""
    with client.Client(client.local_server(places.data)) as asked:
        try:
            granted = asked.login(first.name, first.password)
        except client.NotLoggedIn as cause:
            raise client.NotLoggedIn(
                f"the password in {places.data / client.FIRST_LOGIN_FILE} is not valid any more; "
                f"use `sentienguard login --server {asked.server} --name {first.name}`"
            ) from cause
    client.write_session(
        places.data, client.Session(granted.token, None, first.name, granted.refresh)
    )


def _answers(places: Places, process: processes.Known) -> bool:
    try:
        found = json.loads(places.ready.read_bytes())
        if int(found["pid"]) != process.pid:
            return False
        people = str(found["people"])
        httpx.get(
            f"{people}{client.PREFIX}/auth/me", timeout=2.0, trust_env=False,
            verify=client.authorities(people),
        )  # fmt: skip
    except (OSError, ValueError, KeyError, TypeError, httpx.HTTPError):
        return False
    return True


def _last_lines(text: str) -> str:
    lines = text.strip().splitlines()[-processes.LOG_LINES_SHOWN :]
    return "\n".join(f"  {line}" for line in lines) or "  (it said nothing)"
