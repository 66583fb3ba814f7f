"""The executor as a witness of the audit log.

Called by the executor's socket. What was seen is persisted before the cosignature leaves; the
judging is `stages.audit.witness`'s.
"""

import base64
import binascii
import threading
from typing import Any

from sentienguard.agent import executor_state
from sentienguard.model import errors, ids
from sentienguard.stages.audit import witness
from sentienguard.trust import root as roots
from sentienguard.trust.keys import SigningKey


class WitnessDesk:
    """Remembers the last checkpoint and cosigns the next; safe to use from every thread."""

    def __init__(
        self, state: executor_state.ExecutorState, agent: ids.AgentId, key: SigningKey
    ) -> None:
        """Read what was witnessed before. Raises errors.Broken: a witness must not start over."""
        self._state = state
        self._agent = agent
        self._key = key
        self._lock = threading.Lock()
        kept = state.get("witness")
        self._memory = witness.Memory.from_fields(kept) if kept else witness.Memory()
        note = kept.get("cosigned")
        self.cosigned: str | None = note if isinstance(note, str) else None

    @property
    def size(self) -> int:
        """Return the size of the tree at the last checkpoint."""
        return self._memory.size

    def see(self, note: str, proof: Any, root: roots.Root, *, at_s: int) -> None:
        """Judge a checkpoint, persist it and cosign it. Raises errors.Rejected, OSError."""
        identity = witness.Identity(
            name=f"agent:{self._agent}",
            key=self._key,
            origin=root.log_origin,
            log_keys=root.log_keys,
        )
        with self._lock:
            following, cosigned = witness.witness(
                self._memory, note, _hashes(proof), identity, at_s=at_s
            )
            self._state.keep("witness", {**following.to_fields(), "cosigned": cosigned})
            self._memory, self.cosigned = following, cosigned


class BadProof(errors.Rejected):
    """The consistency proof is not a list of base64 texts."""


def _hashes(proof: Any) -> list[bytes]:
    if not isinstance(proof, list) or len(proof) > witness.MAX_PROOF:
        raise BadProof(f"consistency: expected a list of at most {witness.MAX_PROOF} hashes")
    try:
        return [base64.b64decode(one, validate=True) for one in proof]
    except (binascii.Error, TypeError, ValueError) as error:
        raise BadProof("consistency: expected standard base64") from error
