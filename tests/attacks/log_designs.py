"""Five ways to keep a log, each under attack by the same hands.

Used by the attacks on the log. A design offers what an attacker can do to records (edit, delete,
swap, ...), `relink` (write anew whatever follows from the records, as far as the keys in hand
reach) and `findings`, which is what its own verifier says. The four designs here are models: as
small as they can be and still do what logs of that kind promise. The fifth is the product
(`log_product`).

`publish` is not an attack on what is stored: the control plane itself put these records into the
log, everybody signed what they were shown, and nothing was changed afterwards.
"""

import copy
import dataclasses
import functools
import hashlib
import json
from collections.abc import Sequence
from typing import Any, Protocol

from sentienguard.stages.audit import merkle
from sentienguard.trust.keys import SigningKey, VerifyKey
from tests.attacks import log_history
from tests.attacks.log_history import LOG, OWN, Event


class Design(Protocol):
    """A log that can be attacked and judged."""

    def __len__(self) -> int: ...

    def copy(self) -> "Design":
        """Return a copy to be attacked."""

    def source(self, index: int) -> str:
        """Tell who said a record."""

    def edit(self, index: int, **changed: Any) -> None:
        """Change what a record says, and nothing that follows from it."""

    def delete(self, index: int) -> None:
        """Take a record out."""

    def swap(self, index: int) -> None:
        """Exchange a record with the next one."""

    def insert(self, index: int, record: Event, signer: SigningKey | None = None) -> None:
        """Put another record before this one; `signer` is the host's own key."""

    def repeat(self, index: int) -> None:
        """Put a record a second time, at the end."""

    def cut(self, size: int) -> None:
        """Take away all records from here on; the head is a genuine one of that size."""

    def roll_back(self, size: int) -> None:
        """Put everything back to how it was when it had this size."""

    def relink(self, *, log_key: bool = False, host: str | None = None) -> None:
        """Write anew what follows from the records, with these keys in hand."""

    def start_over(self) -> None:
        """Write anew everything under a key of the attacker's own."""

    def publish(self) -> None:
        """Make it as if the control plane had put these records in, and no others."""

    def show_apart(self) -> None:
        """Sign these records for one client, with the log's key and one host of three."""

    def findings(self) -> list[str]:
        """Return what its own verifier finds wrong."""


@dataclasses.dataclass
class _Record:
    """A record of a model: content, its number, and what the design adds."""

    event: Event
    number: int
    previous: str = ""
    signature: bytes = b""

    @functools.cached_property
    def content(self) -> bytes:
        """The bytes that are hashed."""
        at_ms = int(self.event.at.timestamp() * 1000)
        return json.dumps(
            [self.number, at_ms, self.event.source, self.event.key, self.event.text]
        ).encode()

    @property
    def hash(self) -> str:
        """What the next record names."""
        return hashlib.sha256(self.previous.encode() + self.content).hexdigest()


class Chain:
    """Each record names the hash of the one before: the `previous_hash` of the first documents."""

    def __init__(self, size: int) -> None:
        self.records = [_Record(log_history.event(index), index) for index in range(size)]
        self._link(LOG)

    def __len__(self) -> int:
        return len(self.records)

    def copy(self) -> "Chain":
        fresh = copy.copy(self)
        fresh.records = list(self.records)
        return fresh

    def source(self, index: int) -> str:
        return self.records[index].event.source

    def edit(self, index: int, **changed: Any) -> None:
        old = self.records[index]
        self.records[index] = dataclasses.replace(
            old, event=dataclasses.replace(old.event, **changed)
        )

    def delete(self, index: int) -> None:
        del self.records[index]

    def swap(self, index: int) -> None:
        one, two = self.records[index : index + 2]
        self.records[index : index + 2] = [two, one]

    def insert(self, index: int, record: Event, signer: SigningKey | None = None) -> None:
        self.records.insert(index, _Record(record, index))

    def repeat(self, index: int) -> None:
        self.records.append(self.records[index])

    def cut(self, size: int) -> None:
        del self.records[size:]

    def roll_back(self, size: int) -> None:
        self.cut(size)

    def relink(self, *, log_key: bool = False, host: str | None = None) -> None:
        self._link(LOG if log_key else None)

    def start_over(self) -> None:
        self._link(OWN, everything=True)

    def publish(self) -> None:
        self._link(LOG)

    def show_apart(self) -> None:
        self._link(LOG)

    def findings(self) -> list[str]:
        previous = ""
        for index, record in enumerate(self.records):
            if (record.number, record.previous) != (index, previous):
                return [f"record {index} does not follow"]
            previous = record.hash
        return []

    def _link(self, key: SigningKey | None, *, everything: bool = False) -> None:
        """Number and chain; sign what is new where there is a key, else leave what was there."""
        previous = ""
        for index, old in enumerate(self.records):
            if everything or not old.signature or (old.number, old.previous) != (index, previous):
                fresh = _Record(old.event, index, previous, old.signature)
                if key is not None:
                    fresh.signature = self._sign(key, fresh)
                self.records[index] = fresh
            elif key is not None and not _verified(key.public, old.signature, _signed_part(old)):
                self.records[index] = dataclasses.replace(old, signature=self._sign(key, old))
            previous = self.records[index].hash

    def _sign(self, key: SigningKey, record: _Record) -> bytes:
        return b"unsigned"


class SignedChain(Chain):
    """The same, and the log's key signs each record."""

    def findings(self) -> list[str]:
        wrong = super().findings()
        for index, record in enumerate(self.records):
            if not _verified(LOG.public, record.signature, _signed_part(record)):
                return [*wrong, f"record {index} is not signed by the log"]
        return wrong

    def _sign(self, key: SigningKey, record: _Record) -> bytes:
        return key.sign(_signed_part(record))


class Merkle(Chain):
    """A tree over the records, and one signed head that lies beside it."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self._tree = merkle.Tree()  # as it was; the attacker kept every head that was published
        for record in self.records:
            self._tree.append(merkle.leaf_hash(record.content))
        self.head = self._genuine(size)

    def cut(self, size: int) -> None:
        super().cut(size)
        self.head = self._genuine(size)

    def relink(self, *, log_key: bool = False, host: str | None = None) -> None:
        super().relink(log_key=log_key)
        if log_key:
            self.head = self._made(LOG)

    def start_over(self) -> None:
        super().start_over()
        self.head = self._made(OWN)

    def publish(self) -> None:
        super().publish()
        self.head = self._made(LOG)

    def show_apart(self) -> None:
        self.publish()

    def findings(self) -> list[str]:
        size, root, signature = self.head
        if not _verified(LOG.public, signature, _head_part(size, root)):
            return ["the head is not signed by the log"]
        if (size, root) != self._root():
            return ["the records are not those of the head"]
        return []

    def _root(self) -> tuple[int, bytes]:
        return merkle.root_of(merkle.leaf_hash(one.content) for one in self.records)

    def _made(self, key: SigningKey) -> tuple[int, bytes, bytes]:
        size, root = self._root()
        return size, root, key.sign(_head_part(size, root))

    def _genuine(self, size: int) -> tuple[int, bytes, bytes]:
        root = self._tree.root(size)
        return size, root, LOG.sign(_head_part(size, root))


class AnchoredMerkle(Merkle):
    """The same, and somebody else keeps the head of nine tenths."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self._kept = self._genuine(log_history.marks(size)[1])

    def publish(self) -> None:
        super().publish()
        size = min(self._kept[0], len(self))
        _, root = merkle.root_of(merkle.leaf_hash(one.content) for one in self.records[:size])
        self._kept = size, root, b""

    def show_apart(self) -> None:
        super().publish()

    def findings(self) -> list[str]:
        size, root, _ = self._kept
        if len(self) < size:
            return [*super().findings(), "shorter than the head that was kept"]
        begins = merkle.root_of(merkle.leaf_hash(one.content) for one in self.records[:size])
        wrong = [] if begins == (size, root) else ["not a continuation of the head that was kept"]
        return [*super().findings(), *wrong]


def _signed_part(record: _Record) -> bytes:
    return record.previous.encode() + record.content


def _head_part(size: int, root: bytes) -> bytes:
    return f"{size} {root.hex()}".encode()


@functools.lru_cache(maxsize=200_000)
def _verified(key: VerifyKey, signature: bytes, message: bytes) -> bool:
    """Verify once: most records of an attacked log are those of the log before."""
    return key.verify(signature, message)


MODELS: Sequence[tuple[str, type[Chain]]] = (
    ("chain", Chain),
    ("chain, signed records", SignedChain),
    ("Merkle, head beside it", Merkle),
    ("Merkle, head kept at 90 %", AnchoredMerkle),
)
