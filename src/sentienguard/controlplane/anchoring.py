"""What others hold of the audit log: cosignatures of agents, and anchors that this centre leaves.

Called by the agents' API (who witnessed what), by the loop `loops/anchoring` and by the audit API.

Rules:

1. The log never waits for an anchor, and no fault of one is a fault of the log.
2. An anchor gets a newer checkpoint when its time has come and the log says more than that it was
   anchored; what fails is tried again, sooner at first, at most RETRY_S apart.
3. A receipt is durable before its entry is in the log; a crash between the two makes one anchor
   more, never one less.
4. An agent counts with what it cosigned itself, by the key with which it was enrolled.
"""

import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Protocol

from sentienguard.flow.ledger import Ledger
from sentienguard.model import errors
from sentienguard.ports.agent_store import Agent
from sentienguard.ports.anchor import Anchor, Receipt
from sentienguard.ports.audit_log import AuditLog, BlobRef
from sentienguard.ports.clock import Clock
from sentienguard.stages.audit import checkpoint as notes
from sentienguard.stages.audit import exposure
from sentienguard.trust import dsse
from sentienguard.trust.keys import VerifyKey

log = logging.getLogger(__name__)
KIND: Final = "log.anchored"
FIRST_RETRY_S, RETRY_S = 15.0, 600.0  # after a first fault, and at most
_LOOK_BACK: Final = 64  # entries that may be of anchors alone; more are always worth an anchor


class Kept(Protocol):
    """Where receipts are."""

    def keep(self, receipt: Receipt) -> None:
        """Write one durably. Raises OSError."""

    def newest(self) -> Mapping[str, Receipt]:
        """Return the newest of each anchor."""


@dataclass(slots=True)
class State:
    """How one anchor is doing."""

    receipt: Receipt | None = None  # the newest
    problem: str = ""  # of the last try; empty: it worked
    faults: int = 0  # in a row
    due_s: float = 0.0  # monotonic


@dataclass(slots=True)
class Watchers:
    """The agents' newest cosignatures, as their polls bring them."""

    _seen: dict[str, exposure.Seen] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def heard(self, agent: Agent, note: str) -> None:
        """Take what came with a poll; what does not count is passed over (rule 4)."""
        name = f"agent:{agent.id}"
        key = VerifyKey.from_text(agent.executor_key)
        try:
            found = notes.cosignatures(note, lambda one: key if one == name else None)
            size = notes.read_text(notes.read_note(note).text).size
        except dsse.NotTrusted:
            return
        for one in found:
            at = notes.moment(one.at_s)
            with self._lock:
                before = self._seen.get(name)
                if before is None or before.size <= size:
                    self._seen[name] = exposure.Seen(name, size, at)

    def seen(self) -> list[exposure.Seen]:
        """Return what each agent saw last."""
        with self._lock:
            return sorted(self._seen.values(), key=lambda one: one.name)


class Anchoring:
    """Leaves checkpoints outside, and tells how much is not outside yet."""

    def __init__(
        self,
        audit: AuditLog,
        pen: Ledger,
        clock: Clock,
        *,
        policy: exposure.Policy,
        anchors: Sequence[Anchor] = (),
        kept: Kept | None = None,
        every: timedelta = timedelta(hours=1),
    ) -> None:
        """Take the log, the places outside and what is known of them."""
        self._log = audit
        self._pen = pen
        self._clock = clock
        self._policy = policy
        self._anchors = tuple(anchors)
        self._kept = kept
        self._every_s = every.total_seconds()
        known = kept.newest() if kept is not None and anchors else {}
        self._states = {one.name: State(known.get(one.name)) for one in anchors}
        self.watchers = Watchers()

    @property
    def states(self) -> Mapping[str, State]:
        """Return how each anchor is doing."""
        return self._states

    @property
    def sorts(self) -> Mapping[str, str]:
        """Return the kind of each anchor."""
        return {one.name: one.kind for one in self._anchors}

    def exposure(self) -> exposure.Exposure:
        """Return what the witness policy covers now."""
        external = [
            exposure.Seen(name, state.receipt.size, state.receipt.at)
            for name, state in self._states.items()
            if state.receipt is not None
        ]
        return exposure.judge(self._policy, self._log.size(), self.watchers.seen(), external)

    def round(self) -> None:
        """Anchor wherever it is time (rule 2); a fault is kept for people, not raised (rule 1)."""
        for anchor in self._anchors:
            state = self._states[anchor.name]
            if self._clock.monotonic() < state.due_s:
                continue
            try:
                worked = self._anchor(anchor, state)
            except (errors.SentienGuardError, OSError) as error:
                self._failed(state, error)
                continue
            state.faults, state.problem = 0, ""
            if worked:  # or else the next round asks again whether there is something to say
                state.due_s = self._clock.monotonic() + self._every_s

    def _anchor(self, anchor: Anchor, state: State) -> bool:
        note = self._log.checkpoint()
        size = notes.read_text(notes.read_note(note).text).size
        if size == 0 or not self._says_more(state.receipt, size):
            return False
        receipt = anchor.keep(note, size, self._clock.now())
        if self._kept is not None:
            self._kept.keep(receipt)
        state.receipt = receipt
        proof: tuple[BlobRef, ...] = ()
        if receipt.proof:
            proof = (self._pen.append_blob(receipt.proof, "application/timestamp-reply"),)
        self._pen.append(
            kind=KIND,
            env="",
            key=f"anchored/{anchor.name}/{size}",
            data={
                "anchor": anchor.name,
                "sort": anchor.kind,
                "size": size,
                "at_ms": _ms(receipt.at),
                **dict(receipt.facts),
            },
            blobs=proof,
        )
        return True

    def _says_more(self, receipt: Receipt | None, size: int) -> bool:
        """Tell whether the log grew by more than the entries that anchoring itself writes."""
        if receipt is None or size - receipt.size > _LOOK_BACK:
            return True
        return any(one.fields["kind"] != KIND for one in self._log.entries(receipt.size, size))

    def _failed(self, state: State, error: Exception) -> None:
        state.faults += 1
        state.problem = str(error)[:500]
        wait_s = min(FIRST_RETRY_S * 2 ** (state.faults - 1), RETRY_S)
        state.due_s = self._clock.monotonic() + wait_s
        log.warning("the log was not anchored, tried again in %.0f s: %s", wait_s, state.problem)


def _ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)
