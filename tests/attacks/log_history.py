"""One history to attack: what three hosts and a control plane did, and who saw the log when.

Used by the attacks on the log. Everything follows from the number of entries: keys are seeds and
times are counted, so that two runs find the same words.
"""

import dataclasses
from datetime import UTC, datetime, timedelta

from sentienguard.ports import audit_log
from sentienguard.stages.audit import checkpoint, entry
from sentienguard.trust.keys import SigningKey

ORIGIN = "log.example/main"
LOG, OWN = SigningKey.from_seed(b"L" * 32), SigningKey.from_seed(b"O" * 32)
HOSTS = {f"agent:host{n}": SigningKey.from_seed(bytes([65 + n]) * 32) for n in range(3)}
STRANGER = SigningKey.from_seed(b"S" * 32)  # a host of another installation
QUORUM = 2  # of three: what one taken-over host cannot reach
BEGAN = datetime(2026, 2, 12, 11, 26, tzinfo=UTC)
STEP = timedelta(seconds=7)  # between entries
EARLY = 8  # entries of which every second one is the first host's: a small log has them all


@dataclasses.dataclass(frozen=True)
class Event:
    """Something that happened, before any design has written it down."""

    source: str
    key: str
    at: datetime
    kind: str = "decision.made"
    text: str = "as it was"
    host: str = ""  # of agent.enrolled: whose key this is

    @property
    def is_of_host(self) -> bool:
        """Whether a host said it."""
        return self.source.startswith("agent:")

    def as_new(self) -> audit_log.NewEntry:
        """Return it as the product is told."""
        data = {"text": self.text}
        if self.host:
            key = HOSTS.get(self.host, STRANGER)
            data |= {"agent": self.host.removeprefix("agent:"), "executor_key": key.public.text}
        return audit_log.NewEntry(
            self.kind, self.at, "production", self.source, "tests", self.key, data=data
        )


def event(index: int) -> Event:
    """Return what happened at this place of every history."""
    at = BEGAN + index * STEP
    if index < len(HOSTS):
        return Event("cp", f"enrolled/{index}", at, "agent.enrolled", host=list(HOSTS)[index])
    if index < EARLY and index % 2:
        return Event("agent:host0", f"step/{index}", at, "step.done")
    if index >= EARLY and index % 5 == 3:
        return Event(list(HOSTS)[index // 5 % len(HOSTS)], f"step/{index}", at, "step.done")
    return Event("cp", f"decision/{index}", at)


def signed(new: Event, state: entry.Source, key: SigningKey) -> audit_log.SignedEntry:
    """Return a host's event as the host numbers, chains and signs it."""
    leaf, _ = state.next(new.as_new())
    return audit_log.SignedEntry(leaf, key.sign(leaf))


def marks(size: int) -> tuple[int, int, int]:
    """Return when witnesses saw the log: halfway, at nine tenths (the anchor), at its end."""
    return size // 2, min(size * 9 // 10, size - 2), size


def cosigned(note: str, hosts: dict[str, SigningKey], size: int) -> str:
    """Return a checkpoint with the signatures of hosts, by their clocks."""
    at_s = int((BEGAN + size * STEP).timestamp())
    for name, key in hosts.items():
        note = checkpoint.cosign(note, name, key, at_s)
    return note
