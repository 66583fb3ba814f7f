"""The dispatch that the seed documents describe, built honestly: what it promises, it does.

Called by tests/attacks, which sends it the same attacks as the executor. From the pages on security
and on automated remediation:

    1. Verify cryptographic signature (Ed25519 public key)
    2. Check timestamp freshness (must be <5 minutes old)
    3. Verify target host matches agent's hostname
    4. Confirm playbook version exists in cache

The key is the control plane's, and the cache is filled by the control plane. After the four checks
come its preconditions (nothing else runs, no maintenance, no do-not-remediate mark), then the steps
as shell commands, parameters filled in. Approval, roles, exclusions and detection are the control
plane's, as its pages say, so a message carries what was decided there.
"""

import dataclasses
import json
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sentienguard.trust.keys import SigningKey, VerifyKey

FRESH_S = 5 * 60
HOST = "host-1"


@dataclass(frozen=True)
class Message:
    """One dispatch: which playbook, where, with what, and what the control plane says about it."""

    playbook: str = "mark"
    version: str = "1.0.0"
    host: str = HOST
    timestamp: float = 0.0
    parameters: Mapping[str, str] = field(default_factory=lambda: {"mount": "/srv/data"})
    incident: str = "inc_1"
    environment: str = "drill"
    approved_by: Sequence[str] = ()
    dry_run: bool = False
    tags: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)
    deadline_s: int = 60

    def encoded(self) -> bytes:
        """Return the bytes that are signed."""
        return json.dumps(dataclasses.asdict(self), sort_keys=True).encode()


@dataclass(frozen=True)
class Signed:
    """What crosses: bytes and a signature over them."""

    message: bytes
    signature: bytes

    @classmethod
    def by(cls, key: SigningKey, message: bytes) -> "Signed":
        """Sign some bytes."""
        return cls(message, key.sign(message))


class Refused(Exception):
    """One of the agent's checks does not hold."""


class SeedAgent:
    """The agent of the seed on one host; its effects are those of real commands."""

    def __init__(self, control_plane: VerifyKey, forbidden: Callable[[], bool]) -> None:
        """Take the control plane's key and what tells of maintenance and do-not-remediate."""
        self._control_plane = control_plane
        self._forbidden = forbidden
        self._running = False
        self.clock_error_s = 0.0  # how wrong this host's clock is
        self.cache: dict[tuple[str, str], Sequence[str]] = {}  # filled by the control plane

    def receive(self, signed: Signed) -> None:
        """Check a dispatch and execute it. Raises Refused."""
        if not self._control_plane.verify(signed.signature, signed.message):
            raise Refused("1: the signature is not the control plane's")
        message = self._read(signed.message)
        age_s = time.time() + self.clock_error_s - message.timestamp
        if not abs(age_s) < FRESH_S:
            raise Refused(f"2: the message is {age_s:.0f} s old")
        if message.host != HOST:
            raise Refused(f"3: the message is for {message.host}")
        steps = self.cache.get((message.playbook, message.version))
        if steps is None:
            raise Refused(f"4: {message.playbook} {message.version} is not in the cache")
        if self._running or self._forbidden():
            raise Refused("preconditions: something runs, or this host is not to be touched")
        if not message.dry_run:
            self._execute(steps, message.parameters)

    def _read(self, text: bytes) -> Message:
        """Read a message; the rest of the control plane's signed documents have other members."""
        found: Any = json.loads(text)
        known = {one.name for one in dataclasses.fields(Message)}
        if not isinstance(found, dict) or set(found) != known:
            raise Refused("this is not a dispatch")
        return Message(**found)

    def _execute(self, steps: Sequence[str], parameters: Mapping[str, str]) -> None:
        self._running = True
        try:
            for step in steps:
                command = step.format(**parameters)
                subprocess.run(command, shell=True, check=True, timeout=10, capture_output=True)
        finally:
            self._running = False


class SeedScene:
    """One host under the seed's scheme, its control plane, and what was done on the host."""

    def __init__(self, place: Path) -> None:
        """Make a host in an empty directory, with one playbook that leaves a mark."""
        self.place = place
        self.control_plane = SigningKey.from_seed(b"\x51" * 32)
        self.agent = SeedAgent(self.control_plane.public, (place / "do-not-remediate").exists)
        self.refusals: list[str] = []
        self.sync("1.0.0")

    def sync(self, version: str, mark: str = "{mount}", playbook: str = "mark") -> None:
        """Let the control plane fill the cache."""
        self.agent.cache[playbook, version] = [f"echo {mark} >> {self.place / 'effects'}"]

    def message(self, **changes: Any) -> Message:
        """Make a message of now."""
        return Message(**{"timestamp": time.time(), **changes})

    def signed(self, **changes: Any) -> Signed:
        """Make a message of now, signed by the control plane."""
        return Signed.by(self.control_plane, self.message(**changes).encoded())

    def deliver(self, signed: Signed) -> None:
        """Let a message arrive."""
        try:
            self.agent.receive(signed)
        except (Refused, ValueError) as refusal:
            self.refusals.append(str(refusal))

    def send(self, **changes: Any) -> int:
        """Sign a message as the control plane, let it arrive; return the effects so far."""
        self.deliver(self.signed(**changes))
        return self.effects()

    def effects(self) -> int:
        """Return how often a step acted."""
        try:
            return len((self.place / "effects").read_text().splitlines())
        except FileNotFoundError:
            return 0
