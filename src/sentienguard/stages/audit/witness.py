"""A witness's memory: it signs growth and nothing else.

Called by the executor with every checkpoint that a poll brings. The caller persists the new memory
*before* it hands the cosigned note out; a witness that forgets can be led to sign two histories.

    remember size and root of the last checkpoint cosigned
    a checkpoint of the log's key, of the same size and root      -> cosign again
    of a bigger size, with a proof that it grew from the old one  -> cosign, remember
    of a smaller size                                             -> Stale: late, or rolled back
    anything else                                                 -> Forked: two histories
"""

import base64
import binascii
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

from sentienguard.model import errors
from sentienguard.stages.audit import checkpoint, merkle
from sentienguard.trust.keys import SigningKey
from sentienguard.trust.log_keys import LogKey

MAX_PROOF: Final = 64  # hashes; a tree of 2**63 leaves needs no more


class Stale(errors.Rejected):
    """The checkpoint is older than one that this witness cosigned."""


class Forked(errors.Rejected):
    """The log's key signed a history that is not a continuation of the one cosigned before."""


@dataclass(frozen=True, slots=True)
class Memory:
    """The last checkpoint that this witness cosigned."""

    size: int = 0
    root: bytes = merkle.EMPTY_ROOT

    def to_fields(self) -> dict[str, Any]:
        """Return as JSON members, to be persisted."""
        return {"size": self.size, "root": base64.b64encode(self.root).decode()}

    @classmethod
    def from_fields(cls, found: Mapping[str, Any]) -> Self:
        """Read what was persisted. Raises errors.Broken: a witness must not start over."""
        try:
            memory = cls(int(found["size"]), base64.b64decode(found["root"], validate=True))
        except (KeyError, TypeError, ValueError, binascii.Error) as error:
            raise errors.Broken(
                "the witness's memory is unreadable; restore it or re-enrol"
            ) from error
        if memory.size < 0 or len(memory.root) != merkle.HASH_BYTES:
            raise errors.Broken("the witness's memory is not a size and a root; re-enrol")
        return memory


@dataclass(frozen=True, slots=True)
class Identity:
    """Who this witness is and which log it watches."""

    name: str  # on its signature lines; agents use "agent:<id>"
    key: SigningKey
    origin: str  # of the log
    log_keys: Collection[LogKey]


def witness(
    memory: Memory, note: str, proof: Sequence[bytes], identity: Identity, *, at_s: int
) -> tuple[Memory, str]:
    """Return the memory to persist and the note with our cosignature.

    `proof` leads from the remembered size to the note's; `at_s` is POSIX seconds. Raises
    dsse.NotTrusted (not the log's word), Stale and Forked; memory then stays as it is.
    """
    seen = checkpoint.open_checkpoint(note, identity.origin, identity.log_keys)
    if seen.size < memory.size:
        raise Stale(f"cosigned size {memory.size} before, now asked for {seen.size}")
    grown = len(proof) <= MAX_PROOF and merkle.consistent(
        memory.size, memory.root, seen.size, seen.root, proof
    )
    if not grown:
        raise Forked(
            f"size {seen.size} with root {seen.root.hex()[:16]} is not shown to continue size "
            f"{memory.size} with root {memory.root.hex()[:16]}"
        )
    cosigned = checkpoint.cosign(note, identity.name, identity.key, at_s)
    return Memory(seen.size, seen.root), cosigned
