"""A trusted centre in a few lines, and an agent's directory with a real executor beside it.

Called by tests/unit/execute, tests/integration/executor and benchmarks/execution.py. `Centre` holds
every key: what it seals is what a real control plane and its offline signers would send. `Agent`
is one agent's directory; `Agent.start` runs the executor in a process of its own and `ask` speaks
to it as the collector would.
"""

import base64
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sentienguard.agent import lean, private_files
from sentienguard.model import ids, order, playbook
from sentienguard.playbook import parse
from sentienguard.trust import catalogue as catalogues
from sentienguard.trust import delegation, dsse, passkeys, ssh_approvals
from sentienguard.trust import order as orders
from sentienguard.trust import root as roots
from sentienguard.trust.keys import SigningKey
from tests.support import real_kinds

AGENT = ids.AgentId("11111111-2222-4333-8444-555555555555")
ENVIRONMENT = "drill"
INCIDENT = ids.IncidentId("inc_20260212_112600_a8f3b2c1")
ORIGIN = "sentienguard.test/log"
_LATER = timedelta(days=90)


def key(number: int) -> SigningKey:
    """Make the same key again for the same number."""
    return SigningKey.from_seed(bytes([number]) * 32)


class Centre:
    """All keys of one installation, and what they sign."""

    def __init__(
        self, *, now: datetime | None = None, approvers: int = 0, threshold: int = 1
    ) -> None:
        self.now = now or datetime.now(UTC)
        self.root_key, self.signer, self.dispatch, self.log = (key(n) for n in (1, 2, 3, 4))
        self.second_signer = key(5)
        self.approvers = [key(20 + n) for n in range(approvers)]
        self.passkeys: list[passkeys.ApproverKey] = []  # that approve besides
        self.ssh_keys: list[ssh_approvals.ApproverSshKey] = []  # the same
        self.people: dict[str, str] = {}  # accounts by approver's key id
        self.threshold = threshold
        self.delegations: dict[str, delegation.Delegation] = {}  # limits of signers by key id
        self.seq = 0

    def root_envelope(
        self, *, version: int = 1, expires_at: datetime | None = None
    ) -> dict[str, Any]:
        people = [one.public for one in self.approvers]
        payload = roots.payload(
            version=version,
            expires_at=expires_at or self.now + _LATER,
            roles={
                roots.RoleName.ROOT: ([self.root_key.public], 1),
                roots.RoleName.SIGNER: (
                    [self.signer.public, self.second_signer.public],
                    self.threshold,
                ),
                roots.RoleName.DISPATCH: ([self.dispatch.public], 1),
                roots.RoleName.LOG: ([self.log.public], 1),
                roots.RoleName.APPROVER: (
                    people,
                    min(2, len(people) + len(self.passkeys) + len(self.ssh_keys)) or 1,
                ),
            },
            log_origin=ORIGIN,
            delegations=self.delegations,
            passkeys=self.passkeys,
            ssh_keys=self.ssh_keys,
            people=self.people,
        )
        return dsse.seal(roots.PAYLOAD_TYPE, payload, [self.root_key])

    def root(self, *, version: int = 1, expires_at: datetime | None = None) -> roots.Root:
        envelope = self.root_envelope(version=version, expires_at=expires_at)
        return roots.first(
            envelope, roots.digest_of(envelope), now=datetime(1970, 1, 1, tzinfo=UTC)
        )

    def catalogue_envelope(
        self,
        listed: Iterable[catalogues.Listed],
        *,
        version: int = 1,
        expires_at: datetime | None = None,
        signers: Sequence[SigningKey] | None = None,
    ) -> dict[str, Any]:
        payload = catalogues.payload(
            version=version, expires_at=expires_at or self.now + _LATER, playbooks=listed
        )
        default = [self.signer, self.second_signer][: self.threshold]
        return dsse.seal(catalogues.PAYLOAD_TYPE, payload, signers or default)

    def order(
        self, remedy: playbook.Playbook, *, nonce: str = "ab" * 16, **changes: Any
    ) -> orders.SignedOrder:
        """Make the order for a playbook; `changes` are fields of Order, or seq or approvals."""
        self.seq += 1
        seq, approvals = changes.pop("seq", self.seq), changes.pop("approvals", ())
        incident = changes.get("incident", INCIDENT)
        dry_run = changes.get("dry_run", False)
        made = order.Order(
            **{
                "id": ids.order_id(incident, remedy.digest, dry_run=dry_run),
                "incident": incident,
                "agent": AGENT,
                "environment": ENVIRONMENT,
                "playbook": remedy.name,
                "version": remedy.version,
                "digest": remedy.digest,
                "parameters": {},
                "facts": {},
                "dry_run": dry_run,
                "created_at": self.now.replace(microsecond=0),
                "deadline_s": 60,
                **changes,
            }
        )
        return orders.SignedOrder(made, nonce, seq, tuple(approvals))

    def seal(
        self, signed: orders.SignedOrder, *, dispatch: SigningKey | None = None
    ) -> dict[str, Any]:
        return orders.seal_order(signed, dispatch or self.dispatch)


def listed(*remedies: playbook.Playbook) -> list[catalogues.Listed]:
    return [catalogues.Listed(one.name, one.version, one.digest) for one in remedies]


class Agent:
    """One agent's directory, and its executor while `start` .. `kill` or `stop`."""

    def __init__(self, directory: Path, centre: Centre, **changes: Any) -> None:
        self.directory = directory
        self.centre = centre
        self.key = key(9)
        self.process: subprocess.Popen[bytes] | None = None
        self.given: dict[str, playbook.Playbook] = {}  # by the order that it was sent with
        self.more_environment: dict[str, str] = {}  # of its executor
        root = centre.root_envelope()
        record = {
            "agent_id": AGENT,
            "host": "host-1",
            "environment": ENVIRONMENT,
            "tags": {},
            "server": "https://127.0.0.1:1",
            "pins": ["0" * 64],
            "root_digest": roots.digest_of(root),
            "interval_s": 1,
            **changes,
        }
        for name in ("", "collector", "executor", "executor/trust", "run"):
            private_files.directory(directory / name)
        private_files.write(directory / "executor" / "key.pem", self.key.to_pem())
        private_files.write(
            directory / "executor" / "trust" / "root.json", json.dumps(root).encode()
        )
        private_files.write(directory / "agent.json", json.dumps(record).encode())

    @property
    def socket(self) -> Path:
        return self.directory / "run" / "executor.sock"

    def start(self) -> None:
        argv = lean.command("executor", self.directory)
        with (self.directory / "executor.err").open("ab") as diary:
            environment = {**lean.environment(), **self.more_environment}
            self.process = subprocess.Popen(argv, env=environment, stderr=diary)
        self.wait(lambda: self.ask("hello").get("agent_id") == AGENT, 20)

    def kill(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process = None

    def stop(self) -> int:
        assert self.process is not None
        self.process.terminate()
        status = self.process.wait(15)
        self.process = None
        return status

    def close(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def wait(self, condition: Callable[[], Any], seconds: float = 15.0) -> Any:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            try:
                if found := condition():
                    return found
            except (OSError, ValueError, KeyError):
                if self.process is not None and self.process.poll() is not None:
                    raise AssertionError(self.diary()) from None
            time.sleep(0.02)
        raise AssertionError(f"not within {seconds} s; the executor said:\n{self.diary()}")

    def diary(self) -> str:
        return (self.directory / "executor.err").read_text()

    def say(self, line: bytes) -> dict[str, Any]:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(30)
            connection.connect(str(self.socket))
            connection.sendall(line)
            answer: dict[str, Any] = json.loads(connection.makefile("rb").readline())
            return answer

    def ask(self, op: str, **fields: Any) -> dict[str, Any]:
        return self.say(json.dumps({"op": op, **fields}).encode() + b"\n")

    def configure(self, *stored: bytes, version: int = 1) -> dict[str, Any]:
        remedies = [parse.load(one, origin="test") for one in stored]
        return self.ask(
            "config",
            root=self.centre.root_envelope(),
            catalogue=self.centre.catalogue_envelope(listed(*remedies), version=version),
            playbooks={
                one.digest: base64.b64encode(text).decode()
                for one, text in zip(remedies, stored, strict=True)
            },
        )

    def send(self, remedy: playbook.Playbook, **changes: Any) -> dict[str, Any]:
        nonce = self.ask("ticket")["nonce"]
        signed = self.centre.order(remedy, nonce=nonce, **changes)
        self.given[signed.order.id] = remedy
        return self.ask("order", envelope=self.centre.seal(signed))

    def stop_order(self, order_id: str, by: str = "pat@example.org") -> dict[str, Any]:
        self.centre.seq += 1
        nonce = self.ask("ticket")["nonce"]
        stop = orders.SignedStop(ids.OrderId(order_id), AGENT, nonce, self.centre.seq, by)
        return self.ask("stop", envelope=orders.seal_stop(stop, self.centre.dispatch))

    def events(self, after: int = 0) -> list[dict[str, Any]]:
        found = self.ask("events", after=after, wait_s=0)["events"]
        return [json.loads(one["leaf"]) for one in found]

    def finished(self, order_id: str, seconds: float = 20.0) -> dict[str, Any]:
        """Wait for the end of an order and return its data."""

        def end() -> list[dict[str, Any]]:
            return [
                leaf["data"]
                for leaf in self.events()
                if leaf["kind"] == "order.finished" and leaf["data"]["order_id"] == order_id
            ]

        found: dict[str, Any] = self.wait(end, seconds)[-1]
        if order_id in self.given:
            real_kinds.note(self.given[order_id], self.events(), found)
        return found


def processes_with(text: str) -> list[int]:
    """Return the processes whose command line holds a text, zombies left out."""
    found = []
    for place in Path("/proc").iterdir():
        if place.name.isdigit() and int(place.name) != os.getpid():
            try:
                line = (place / "cmdline").read_bytes()
            except OSError:
                continue
            if text.encode() in line:
                found.append(int(place.name))
    return found
