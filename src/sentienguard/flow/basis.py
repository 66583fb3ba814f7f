"""What a decision rests on besides its evidence, as bytes that the audit log keeps.

Written by `deciding` when a decision is made, read by `replaying`. Up to four blobs hang on the
entry `decision.made`, beside the decision itself:

    basis      settings of policy, circumstances, records of outcomes, the question's vector, and
               the versions of what decided
    library    the bytes of every playbook that could be chosen, by digest
    vectors    what the embedding model made of the library, where there is one
    snapshot   what the diagnosis was made from, in the neutral format, where there is one

Library and vectors are the same for many decisions and kept once. A field that a later release adds
has a default, so that what an earlier one wrote can still be read.
"""

import functools
import json
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec
import numpy as np

from sentienguard.model import errors
from sentienguard.model.decision import Decision
from sentienguard.model.ids import Digest
from sentienguard.model.playbook import Playbook
from sentienguard.playbook import parse
from sentienguard.stages.decide.facts import Circumstances, TrackRecord
from sentienguard.stages.decide.retrieval.shelf import Vectors
from sentienguard.stages.decide.settings import DecideSettings

DECISION_TYPE: Final = "application/json"
BASIS_TYPE: Final = "application/vnd.sentienguard.basis+json"
LIBRARY_TYPE: Final = "application/vnd.sentienguard.library+json"
VECTORS_TYPE: Final = "application/vnd.sentienguard.vectors"
SNAPSHOT_TYPE: Final = "application/vnd.sentienguard.snapshot+json"
DECISIONS: Final = msgspec.json.Decoder(Decision)
_STEPS: Final = 10_000  # matching compares vectors in these parts of 1, so finer ones are not kept
_PLAYBOOKS_KEPT: Final = 256  # read: a backtest meets the same ones in each of its decisions


class BasisDamaged(errors.Broken):
    """What the log kept of a decision's basis cannot be read."""


@dataclass(frozen=True, slots=True)
class Basis:
    """What `decide` was given, all but evidence and library."""

    settings: DecideSettings
    circumstances: Circumstances
    records: Mapping[str, TrackRecord]  # by digest of the playbook; those that were asked for
    vector: bytes = b""  # embedding of the question, 8 bytes little-endian each; empty: none
    versions: Mapping[str, str] = field(default_factory=dict)  # of what decided, by its name
    v: int = 1


_BASES: Final = msgspec.json.Decoder(Basis)


def write(found: Basis) -> bytes:
    """Write the basis of a decision."""
    return msgspec.json.encode(found, order="deterministic")


def read(stored: bytes) -> Basis:
    """Read what `write` wrote. Raises BasisDamaged."""
    try:
        return _BASES.decode(stored)
    except msgspec.MsgspecError as cause:
        raise BasisDamaged(f"the basis of a decision cannot be read: {cause}") from cause


def write_library(stored: Mapping[Digest, bytes]) -> bytes:
    """Write the bytes of playbooks."""
    texts = {name: text.decode("utf-8") for name, text in stored.items()}
    return msgspec.json.encode({"v": 1, "playbooks": texts}, order="deterministic")


def read_library(stored: bytes) -> tuple[Playbook, ...]:
    """Read what `write_library` wrote, and check each against its digest. Raises BasisDamaged."""
    try:
        texts = msgspec.json.decode(stored)["playbooks"]
        found = {name: _playbook(name, text) for name, text in texts.items()}
    except (msgspec.MsgspecError, KeyError, TypeError, AttributeError, errors.Rejected) as cause:
        raise BasisDamaged(f"the library of a decision cannot be read: {cause}") from cause
    for name, playbook in found.items():
        if playbook.digest != name:
            raise BasisDamaged(f"playbook {name} of a decision has the digest {playbook.digest}")
    return tuple(found.values())


@functools.lru_cache(maxsize=_PLAYBOOKS_KEPT)
def _playbook(origin: str, text: str) -> Playbook:
    return parse.load(text.encode(), origin=origin)


def write_vectors(vectors: Vectors) -> bytes:
    """Write what a model made of a library."""
    table = np.round(np.asarray([vectors.titles, vectors.texts], dtype=np.float64) * _STEPS)
    head = json.dumps({"model": vectors.model, "shape": table.shape}).encode()
    return zlib.compress(head + b"\n" + table.astype("<i2").tobytes())


def read_vectors(stored: bytes) -> Vectors:
    """Read what `write_vectors` wrote, to the parts in which they are compared.

    Raises BasisDamaged.
    """
    try:
        head, _, body = zlib.decompress(stored).partition(b"\n")
        said = json.loads(head)
        table = np.frombuffer(body, dtype="<i2").reshape(said["shape"]) / _STEPS
        titles, texts = table.tolist()
        return Vectors(str(said["model"]), titles, texts)
    except (zlib.error, ValueError, KeyError, TypeError) as cause:
        raise BasisDamaged(f"the vectors of a decision cannot be read: {cause}") from cause


def write_vector(vector: Sequence[float] | None) -> bytes:
    """Write the question's vector; none is no bytes."""
    return b"" if vector is None else np.asarray(vector, dtype="<f8").tobytes()


def read_vector(stored: bytes) -> tuple[float, ...] | None:
    """Read what `write_vector` wrote. Raises BasisDamaged."""
    if not stored:
        return None
    try:
        return tuple(np.frombuffer(stored, dtype="<f8").tolist())
    except ValueError as cause:
        raise BasisDamaged(f"the vector of a question cannot be read: {cause}") from cause


class Asked:
    """Answers for the record of a playbook, and remembers what it answered."""

    def __init__(self, answer: Callable[[Playbook], TrackRecord]) -> None:
        """Answer as `answer` does."""
        self._answer = answer
        self.records: dict[str, TrackRecord] = {}  # by digest

    def __call__(self, playbook: Playbook) -> TrackRecord:
        """Return the record of one playbook."""
        if playbook.digest not in self.records:
            self.records[playbook.digest] = self._answer(playbook)
        return self.records[playbook.digest]
