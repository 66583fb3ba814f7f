"""A real control plane in a directory of its own, as a process on free ports, for tests.

with centre_process.running(tmp_path) as centre:
    admin = centre.login("admin@local")
    host = centre.enrol("web-1")
    host.push(values={("system.cpu_percent", ""): 3.0})
"""

import atexit
import base64
import contextlib
import functools
import hashlib
import json
import os
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx

from sentienguard.controlplane import evaluation
from sentienguard.model.ids import AgentId
from sentienguard.model.telemetry import Sample
from sentienguard.stages.observe import payload, wire
from sentienguard.trust import canonical, certificates, keys
from tests.support import forked

PASSWORD = "correct horse battery staple"
PLAYBOOKS = Path(__file__).parents[2] / "playbooks"
STARTS_WITHIN_S = 60.0
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # without one, each client reads 140 authorities

Process = forked.Forked | subprocess.Popen[bytes]


@dataclass
class Centre:
    """A running control plane."""

    data: Path
    process: Process
    people: str
    agents: str
    closing: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    _logged_in: dict[tuple[str, str], httpx.Client] = field(default_factory=dict)

    def login(self, name: str, password: str = PASSWORD) -> httpx.Client:
        """Return a client with a token of this user that is in force.

        A login is slow by intent, so that one of them serves while it lasts.
        """
        kept = self._logged_in.get((name, password))
        if kept is None or kept.is_closed or not _is_in_force(kept):
            kept = self._logged_in[name, password] = self.login_anew(name, password)
        return kept

    def login_anew(self, name: str, password: str = PASSWORD) -> httpx.Client:
        """Log in once more, for tests in which that makes a difference."""
        client = self.anonymous()
        answer = client.post("/api/v1/auth/login", json={"name": name, "password": password})
        answer.raise_for_status()
        client.headers["Authorization"] = f"Bearer {answer.json()['token']}"
        return client

    def anonymous(self) -> httpx.Client:
        """Return a client without credentials."""
        return self._kept(httpx.Client(base_url=self.people, verify=NO_TLS, timeout=30))

    def enrol(self, host: str, environment: str = "drill", tags: Any = None) -> "Host":
        """Enrol a pretend host that speaks the agents' protocol with real keys."""
        token = self._join_token(environment)
        request = certificates.make_request(host)
        executor = keys.SigningKey.generate()
        answer = self.agent_client(None).post(
            "/api/v1/enroll",
            json={
                "token": token,
                "host": host,
                "environment": environment,
                "tags": tags or {},
                "csr_pem": request.csr_pem.decode(),
                "executor_key": executor.public.text,
            },
        )
        assert answer.status_code == 201, answer.text
        body = answer.json()
        directory = Path(tempfile.mkdtemp(dir=self.data))
        chain = directory / "tls.pem"
        chain.write_bytes(body["certificate_pem"].encode() + request.key_pem)
        return Host(
            centre=self,
            agent=AgentId(body["agent_id"]),
            host=host,
            environment=environment,
            tags=tags or {},
            executor=executor,
            client=self.agent_client(chain),
            chain=chain,
        )

    def _join_token(self, environment: str) -> str:
        wanted = {"environment": environment}
        answer = self.login("admin@local").post("/api/v1/tokens", json=wanted)
        return str(answer.raise_for_status().json()["token"])

    def agent_client(self, chain: Path | None) -> httpx.Client:
        """Return a client of the agents' listener, with or without a client certificate."""
        context = ssl.create_default_context(cafile=str(self.data / "controlplane/tls/ca.pem"))
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        if chain:
            context.load_cert_chain(chain)
        return self._kept(httpx.Client(base_url=self.agents, verify=context, timeout=30))

    def _kept(self, client: httpx.Client) -> httpx.Client:
        """Close it when the control plane stops."""
        return self.closing.enter_context(client)

    def another_client(self, host: "Host") -> "Host":
        """Return the same host with a connection of its own, for a second thread."""
        return replace(host, client=self.agent_client(host.chain))

    def kill(self) -> None:
        """Kill the process as a power cut would."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def restart(self) -> None:
        """Start it again on the same ports."""
        ports = [address.rpartition(":")[2] for address in (self.people, self.agents)]
        self.process = _start(self.data, *ports)
        _wait_ready(self)


@dataclass
class Host:
    """A pretend host with real keys, which says what a test wants it to say."""

    centre: Centre
    agent: AgentId
    host: str
    environment: str
    tags: Mapping[str, str]
    executor: keys.SigningKey
    client: httpx.Client
    chain: Path
    seq: int = 0
    event_seq: int = 0
    event_prev: str = ""

    def sample(
        self, values: Mapping[tuple[str, str], float], *, at: datetime | None = None, seq: int = 0
    ) -> Sample:
        """Return the next sample, or one of a given number."""
        self.seq = seq or self.seq + 1
        return Sample(
            agent=self.agent,
            host=self.host,
            environment=self.environment,
            tags=self.tags,
            seq=self.seq,
            at=at or datetime.now(UTC),
            values=values,
        )

    def push(self, values: Mapping[tuple[str, str], float], **changes: Any) -> httpx.Response:
        """Send one sample as a full frame."""
        sample = self.sample(values, **changes)
        return self.send(wire.encode(payload.encode(sample), sample.seq))

    def send(self, frame: bytes) -> httpx.Response:
        """Send any bytes as a sample."""
        media = {"Content-Type": "application/vnd.sentienguard.sample"}
        return self.client.post("/api/v1/metrics", content=frame, headers=media)

    def poll(self, nonce: str = "0" * 32, *, wait_s: float = 0, busy: str | None = None) -> Any:
        """Ask for work; return the answer."""
        body = {
            "ticket": {"nonce": nonce},
            "witness": {"checkpoint": None},
            "status": {"busy": busy, "frozen": False, "events_through": 0},
            "tree_size": 0,
            "wait_s": wait_s,
        }
        answer = self.client.post("/api/v1/orders", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def event(self, kind: str, incident: str, data: Mapping[str, Any]) -> dict[str, Any]:
        """Return the next signed event."""
        self.event_seq += 1
        leaf = canonical.encode(
            {
                "v": 1,
                "kind": kind,
                "ts_ms": int(time.time() * 1000),
                "env": self.environment,
                "src": f"agent:{self.agent}",
                "src_seq": self.event_seq,
                "src_prev": self.event_prev,
                "actor": f"agent:{self.agent}",
                "incident": incident,
                "key": f"{kind}/{self.event_seq}",
                "controls": [],
                "data": dict(data),
                "blobs": [],
            }
        )
        self.event_prev = hashlib.sha256(leaf).hexdigest()
        signature = base64.b64encode(self.executor.sign(leaf)).decode()
        return {"leaf": leaf.decode(), "sig": signature, "blobs": []}

    def report(self, *events: dict[str, Any]) -> httpx.Response:
        """Send events."""
        return self.client.post("/api/v1/orders/events", json={"events": list(events)})


def _is_in_force(client: httpx.Client) -> bool:
    return client.get("/api/v1/auth/me").status_code != HTTPStatus.UNAUTHORIZED


@contextlib.contextmanager
def running(data: Path, **settings: str) -> Iterator[Centre]:
    """Prepare, start and stop a control plane; settings as `interval_s="1"`."""
    with prepared(data, **settings) as start, start() as centre:
        yield centre


@contextlib.contextmanager
def prepared(
    data: Path, **settings: str
) -> Iterator[Callable[[], contextlib.AbstractContextManager[Centre]]]:
    """Prepare a control plane and yield what starts it, so that files can be changed before.

    It has no model for embeddings, which takes processor at each start, unless a test asks for one.
    """
    shutil.copytree(_made_once(), data, dirs_exist_ok=True)
    chosen = {"embeddings": '"off"', **settings}
    lines = "".join(f"{name}: {value}\n" for name, value in chosen.items())
    (data / "controlplane/sentienguard.yaml").write_text(lines)
    if "database_url" in settings:
        _add_administrator(data)  # the one who was copied is in a file
    if chosen["embeddings"] == "offline":
        give_vectors(data / "controlplane")
    yield lambda: started(data)


@functools.cache
def _made_once() -> Path:
    """Make a control plane that never ran, with its administrator; every other is a copy of it.

    Keys, signatures and the first database cost seconds, and no test asks that they be its own.
    """
    directory = tempfile.TemporaryDirectory(prefix="sentienguard-centre-")
    atexit.register(directory.cleanup)
    data = Path(directory.name)
    bundled = {path.parent.name: path.read_bytes() for path in PLAYBOOKS.glob("*/playbook.yaml")}
    now = datetime.now(UTC)
    evaluation.prepare(data / "controlplane", data / "offline-keys", bundled, now=now)
    _add_administrator(data)
    return data


def give_vectors(centre: Path) -> None:
    """Give a control plane the vectors of the bundled playbooks, as if an earlier start made them.

    They depend on the playbooks and the model alone; to make them takes seconds of processor.
    """
    shutil.copytree(_vectors(), centre / "embeddings", dirs_exist_ok=True)


@functools.cache
def _vectors() -> Path:
    directory = tempfile.TemporaryDirectory(prefix="sentienguard-vectors-")
    atexit.register(directory.cleanup)
    data = Path(directory.name)
    shutil.copytree(_made_once(), data, dirs_exist_ok=True)
    made = data / "controlplane/embeddings"
    deadline = time.monotonic() + STARTS_WITHIN_S
    with started(data):
        while not any(made.glob("*.json")):
            assert time.monotonic() < deadline, "the library's vectors were never made"
            time.sleep(0.05)
    return made


def _add_administrator(data: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "sentienguard.controlplane", "--data", str(data),
         "--add-administrator", "admin@local"],
        input=PASSWORD.encode() + b"\n", check=True, capture_output=True, timeout=60,
    )  # fmt: skip


@contextlib.contextmanager
def started(data: Path) -> Iterator[Centre]:
    """Start the control plane that was prepared in a directory, and stop it at the end."""
    centre = Centre(data, _start(data, "0", "0"), "", "")
    try:
        _wait_ready(centre)
        yield centre
    finally:
        centre.closing.close()
        centre.process.send_signal(signal.SIGCONT)  # a frozen one does not hear the rest
        centre.process.terminate()
        try:
            centre.process.wait(15)
        except subprocess.TimeoutExpired:
            centre.process.kill()
            centre.process.wait()


def _start(data: Path, people_port: str, agents_port: str) -> Process:
    (data / "run/controlplane.json").unlink(missing_ok=True)
    environment = {
        **os.environ,
        "SENTIENGUARD_PEOPLE_PORT": people_port,
        "SENTIENGUARD_AGENTS_PORT": agents_port,
    }
    arguments, said = ["--data", str(data)], data / "controlplane.log"
    if "PYTEST_VERSION" in os.environ:
        return forked.Forked(arguments, environment=environment, said=said)
    with said.open("ab") as log:  # a benchmark: what it measures is what users start
        return subprocess.Popen(
            [sys.executable, "-m", "sentienguard.controlplane", *arguments],
            env=environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL,
        )  # fmt: skip


def _wait_ready(centre: Centre) -> None:
    announcement = centre.data / "run/controlplane.json"
    deadline = time.monotonic() + STARTS_WITHIN_S
    while time.monotonic() < deadline:
        if centre.process.poll() is not None:
            break
        if announcement.exists():
            found = json.loads(announcement.read_text())
            centre.people, centre.agents = found["people"], found["agents"]
            with contextlib.suppress(httpx.TransportError):
                if httpx.get(f"{centre.people}/readyz", verify=NO_TLS).status_code == 200:
                    return
        time.sleep(0.02)
    said = (centre.data / "controlplane.log").read_text()[-4000:]
    raise AssertionError(f"the control plane did not start:\n{said}")
