"""A control plane in this process with one thing of each kind, and people of every role.

Called by the tests that ask every operation of the API: who may (access matrix), and whether what
is answered is what is described (schema).

    with api_world.centre(directory) as made, api_world.client(made) as client:
        bearer = api_world.token(made, api_world.person("observer", "staging"))
"""

import atexit
import contextlib
import functools
import itertools
import secrets
import shutil
import socket
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from sentienguard.controlplane import alert_desk, app, evaluation, listeners, telemetry
from sentienguard.controlplane import settings as settings_module
from sentienguard.controlplane.api import people
from sentienguard.controlplane.centre import Centre
from sentienguard.controlplane.intake import Intake
from sentienguard.model.access import Permission, Role
from sentienguard.model.emergency import Emergency, EmergencyId
from sentienguard.model.window import Comparison, Matcher, Purpose, Window, WindowId
from sentienguard.ports.session_store import Issued, Login
from tests.contract import stores_nouns as nouns
from tests.support import accounts, centre_process, nameless

PLACES = ("staging", "production")
GRANTED = (*PLACES, "*")
ROLES = ("", *(role.value for role in Role))
PLAYBOOK = "disk_cleanup_rotated_logs"


class NoEngine:
    """Begins and tells nothing: the matrix ends where an incident would go on."""

    def begin(self, incident: Any) -> None:
        del incident

    def tell(self, incident: Any, event: Any, *, key: str) -> None:
        del incident, event, key


@contextlib.contextmanager
def centre(data: Path) -> Iterator[Centre]:
    """Open a centre that begins no incident."""
    shutil.copytree(_peopled_once(), data, dirs_exist_ok=True)
    with opened(data) as made:
        for number, place in enumerate(PLACES, 1):
            things(made, number, place)
        yield made
        assert nameless.in_log(made) == []


@functools.cache
def _peopled_once() -> Path:
    """Make one with people of every role and nothing else; each hash of a password takes time."""
    directory = tempfile.TemporaryDirectory(prefix="sentienguard-people-")
    atexit.register(directory.cleanup)
    data = Path(directory.name)
    bundled = {PLAYBOOK: (centre_process.PLAYBOOKS / PLAYBOOK / "playbook.yaml").read_bytes()}
    now = datetime.now(UTC)
    evaluation.prepare(data / "controlplane", data / "offline-keys", bundled, now=now)
    with opened(data) as made:
        for role, granted in itertools.product(ROLES, GRANTED):
            roles = {granted: Role(role)} if role else {}
            ends = {granted: now + timedelta(days=29)} if role == "auditor" else {}
            accounts.add(made.users, person(role, granted), centre_process.PASSWORD, roles, ends)
        accounts.add(made.users, "victim@local", centre_process.PASSWORD, {})
        accounts.add(made.users, "erased@local", centre_process.PASSWORD, {})
    return data


@contextlib.contextmanager
def opened(data: Path) -> Iterator[Centre]:
    """Open the centre of a directory in this process, without its engine."""
    settings = settings_module.Settings(embeddings="off")
    with app.centre_in(data / "controlplane", settings, "https://127.0.0.1:1") as made:
        made.messages.connect(NoEngine())  # type: ignore[arg-type]
        yield made


@contextlib.contextmanager
def client(centre: Centre) -> Iterator[httpx.Client]:
    """Serve it on a free port of loopback; yield a client without a token."""
    intake = Intake(centre)
    with (
        alert_desk.opened(centre, intake) as door,
        telemetry.opened(centre, intake) as inflow,
    ):
        server = listeners.people_server(people.application(centre, door, inflow), None)
        bound = socket.create_server(("127.0.0.1", 0))
        serving = threading.Thread(target=server.run, kwargs={"sockets": [bound]}, daemon=True)
        serving.start()
        address = f"http://127.0.0.1:{bound.getsockname()[1]}"
        with httpx.Client(base_url=address, verify=centre_process.NO_TLS, timeout=60) as made:
            yield made
        server.should_exit = True
        serving.join(20)


def person(role: str, granted: str) -> str:
    return f"{role or 'nobody'}.{granted.replace('*', 'all')}@local"


def things(centre: Centre, number: int, place: str) -> None:
    """Keep one thing of each kind in an environment; their names say which."""
    agent = replace(nouns.agent(number), host=f"host-in-{place}", environment=place)
    now = centre.clock.now()
    centre.agents.add(agent)
    incident = replace(nouns.incident(number, host=agent.host), agent=agent.id, environment=place)
    centre.incidents.open(incident)
    asked = nouns.approval(number)
    centre.approvals.open(
        replace(asked, environment=place, expires_at=now + timedelta(hours=1), question=agent.host)
    )
    asked_for = Emergency(
        EmergencyId(f"brk_{place}"), "victim@local", place, Permission.FREEZE, agent.host, 60,
        now, now + timedelta(minutes=15),
    )  # fmt: skip
    centre.emergencies.ask(asked_for)
    for purpose in Purpose:
        matcher = Matcher("environment", Comparison.EQUAL, place)
        host = Matcher("host", Comparison.EQUAL, agent.host)
        times = {"starts_at": now, "ends_at": now + timedelta(hours=9)}
        window = Window(WindowId(f"{purpose.value}-{place}"), purpose, (matcher, host),
                        by="x", comment="x", **times)  # fmt: skip
        centre.switches.add_window(window)


def token(centre: Centre, name: str, state: str = "valid") -> str:
    """Return an access token of somebody, in one of its states."""
    if state == "none":
        return ""
    made = secrets.token_hex(16)
    now = datetime.now(UTC)
    at = now - timedelta(days=2) if state == "expired" else now
    login = Login(f"log_{made[:16]}", name, at, at + timedelta(hours=12), "192.0.2.1")
    expires = at + timedelta(minutes=15)
    centre.sessions.open(login, Issued(made, expires), Issued(f"r{made}", expires))
    if state == "revoked":
        centre.sessions.end(login.id, user=name, at=now, because="revoked")
    return made
