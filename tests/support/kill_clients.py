"""Clients that write down what they were told is done, while what told them is killed.

Called by tests.support.kill_harness. `Pretend` is an agent of its own that pushes samples and
signed events; `People` answers questions and sets silences. Each writes an acknowledgement down
only after a 2xx has arrived whole, and sends again what was not acknowledged.
"""

import base64
import hashlib
import ssl
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from sentienguard.cli import client
from sentienguard.model import errors
from sentienguard.model.ids import AgentId
from sentienguard.model.telemetry import Sample
from sentienguard.stages.observe import payload, wire
from sentienguard.trust import canonical, certificates, keys
from tests.support import kill_fleet

METRIC = "kills.number"
PAUSE_S = 0.03  # between two samples
AGAIN_S = 0.05  # before what was not acknowledged is sent again
EVERY = 4  # samples for one event
WORKS_S = 0.2  # between two looks of the people


@dataclass
class Acknowledged:
    """What was answered with a 2xx."""

    samples: dict[int, float] = field(default_factory=dict)  # time in ms -> the value then
    events: dict[int, bytes] = field(default_factory=dict)  # number -> the entry
    answers: dict[str, str] = field(default_factory=dict)  # approval -> approved or denied
    silences: set[str] = field(default_factory=set)
    logins: int = 0
    refused: list[str] = field(default_factory=list)  # what no centre may refuse

    def count(self) -> int:
        """Return how many there are."""
        told = (self.samples, self.events, self.answers, self.silences)
        return sum(len(one) for one in told) + self.logins


class Pretend:
    """An agent without a host: real keys, real protocol, no executor."""

    host = "pretend"

    def __init__(self, fleet: "kill_fleet.Fleet", asked: client.Client) -> None:
        """Enrol."""
        token = asked.post("/tokens", {"environment": kill_fleet.ENVIRONMENT, "host": None})
        request = certificates.make_request(self.host)
        self._key = keys.SigningKey.generate()
        authority = str(fleet.places.centre / "tls/ca.pem")
        with _client(token["server"], authority, None) as door:
            body = {
                "token": token["token"],
                "host": self.host,
                "environment": kill_fleet.ENVIRONMENT,
                "tags": {},
                "csr_pem": request.csr_pem.decode(),
                "executor_key": self._key.public.text,
            }
            answer = door.post("/api/v1/enroll", json=body).raise_for_status().json()
        self.agent = AgentId(answer["agent_id"])
        chain = fleet.places.data / "pretend.pem"
        chain.write_bytes(answer["certificate_pem"].encode() + request.key_pem)
        self._client = _client(token["server"], authority, chain)
        self._seq = self._event_seq = 0
        self._event_prev = ""
        self._refused: list[str] = []

    def work(self, told: Acknowledged, ended: threading.Event) -> None:
        """Push until `ended`, each sample and event until it is acknowledged."""
        self._refused = told.refused
        while not ended.wait(PAUSE_S) and not told.refused:
            self._seq += 1
            at_ms = time.time_ns() // 1_000_000
            sample = self._sample(datetime.fromtimestamp(at_ms / 1000, UTC))
            frame = wire.encode(payload.encode(sample), sample.seq)
            media = {"Content-Type": wire.MEDIA_TYPE}
            if self._until_done("/api/v1/metrics", ended, content=frame, headers=media):
                told.samples[at_ms] = float(self._seq)
            if self._seq % EVERY == 0:
                event = self._event()
                number = self._event_seq
                through = self._until_done("/api/v1/orders/events", ended, json={"events": [event]})
                if through is not None and through.json()["through"] >= number:
                    told.events[number] = event["leaf"].encode()
        self._client.close()

    def _until_done(self, path: str, ended: threading.Event, **body: Any) -> httpx.Response | None:
        """Send until a 2xx came; None where `ended` came first."""
        while True:
            try:
                answer = self._client.post(path, **body)
            except httpx.TransportError:
                answer = None
            if answer is not None and answer.is_success:
                return answer
            if answer is not None and answer.status_code < 500:
                self._refused.append(f"{path}: {answer.status_code} {answer.text[:300]}")
                return None
            if ended.wait(AGAIN_S):
                return None

    def _sample(self, at: datetime) -> Sample:
        return Sample(
            agent=self.agent,
            host=self.host,
            environment=kill_fleet.ENVIRONMENT,
            tags={},
            seq=self._seq,
            at=at,
            values={(METRIC, ""): float(self._seq)},
        )

    def _event(self) -> dict[str, Any]:
        self._event_seq += 1
        leaf = canonical.encode(
            {
                "v": 1,
                "kind": "agent.alarm",
                "ts_ms": int(time.time() * 1000),
                "env": kill_fleet.ENVIRONMENT,
                "src": f"agent:{self.agent}",
                "src_seq": self._event_seq,
                "src_prev": self._event_prev,
                "actor": f"agent:{self.agent}",
                "incident": "",
                "key": f"pretend/{self._event_seq}",
                "controls": [],
                "data": {"alarm": "pretend", "reason": "a number to be found again"},
                "blobs": [],
            }
        )
        self._event_prev = hashlib.sha256(leaf).hexdigest()
        signature = base64.b64encode(self._key.sign(leaf)).decode()
        return {"leaf": leaf.decode(), "sig": signature, "blobs": []}


class People:
    """Says yes to `tally` and to what did harm before, no to what is asked for something else."""

    def __init__(self, fleet: "kill_fleet.Fleet") -> None:
        self._fleet = fleet

    def work(self, told: Acknowledged, ended: threading.Event) -> None:
        """Answer every question, and set a silence now and then, until `ended`."""
        turns = 0
        with self._fleet.client() as asked:
            login(asked, told, ended)
            while not ended.wait(WORKS_S):
                turns += 1
                try:
                    self._answer(asked, told)
                    if turns % 5 == 0:
                        told.silences.add(self._silence(asked, turns))
                    if turns % 25 == 0:
                        asked.login(kill_fleet.ADMINISTRATOR, kill_fleet.PASSWORD)
                        told.logins += 1
                except errors.Unavailable:
                    continue

    def _answer(self, asked: client.Client, told: Acknowledged) -> None:
        for one in asked.get("/approvals", status="pending")["items"]:
            about = asked.get(f"/incidents/{one['incident']}")
            known = about["incident"]["subject"].startswith("tally-")
            yes = one["playbook"] != "tally" or known
            word, status = ("approve", "approved") if yes else ("deny", "denied")
            try:
                asked.post(f"/approvals/{one['id']}/{word}", {"note": "killed or not"})
            except client.Refused:
                continue  # it was withdrawn or expired a moment before
            told.answers[one["id"]] = status

    def _silence(self, asked: client.Client, turn: int) -> str:
        wanted = {
            "host_pattern": f"nobody-{turn}",
            "metric_pattern": "*",
            "minutes": 600,
            "reason": "to be found again",
        }
        return str(asked.post("/silences", wanted)["id"])


def login(asked: client.Client, told: Acknowledged, ended: threading.Event) -> None:
    """Log in as soon as somebody answers."""
    while not ended.is_set():
        try:
            asked.login(kill_fleet.ADMINISTRATOR, kill_fleet.PASSWORD)
        except errors.Unavailable:
            time.sleep(AGAIN_S)
        else:
            told.logins += 1
            return


def _client(server: str, authority: str, chain: Path | None) -> httpx.Client:
    context = ssl.create_default_context(cafile=authority)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    if chain is not None:
        context.load_cert_chain(chain)
    return httpx.Client(base_url=server, verify=context, timeout=10.0, trust_env=False)
