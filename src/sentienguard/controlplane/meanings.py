"""Vectors of the library and of questions, made once and kept.

Called by flow's deciding and the API; app.py says with which model, and where they are kept: files
of the data directory, or a database that control planes share. They lie under the digest of what
they were made of (texts and model), so another catalogue or another model never meets vectors that
are not its own. Where no vector can be had, None: matching goes by words.

A shared place also keeps what past incidents were about. It is shown to people and takes no part
in a decision, which has to come out again from what the log holds.
"""

import hashlib
import logging
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypeAlias

import numpy as np

from sentienguard.controlplane import vector_files
from sentienguard.model import errors
from sentienguard.model.ids import IncidentId
from sentienguard.model.incident import Incident
from sentienguard.ports.embedder import Embedder, Vector
from sentienguard.ports.vector_store import KeptIncident, KeptTexts, VectorStore, Whole
from sentienguard.stages.decide.retrieval.shelf import (
    STEPS,
    Document,
    Numbers,
    Vectors,
    exact,
)

log = logging.getLogger(__name__)

Place: TypeAlias = Path | VectorStore  # a directory for files, or a database

_DIGITS = 6  # kept of a vector's numbers: finer than the steps in which they are compared
_QUESTIONS_KEPT = 1_024  # an alert that comes again is not embedded again
_LOOKED_AT = 4  # times as many as are shown are compared exactly


@dataclass(frozen=True, slots=True)
class Alike:
    """A past incident whose measured facts mean much the same."""

    incident: IncidentId
    opened_at: datetime
    cosine: float  # to four digits


class Meanings:
    """One embedding model and what it made so far."""

    def __init__(self, model: Embedder, place: Place) -> None:
        """Keep in files below `place`, or in a database."""
        self._model = model
        self._files = place if isinstance(place, Path) else None
        self._store = None if isinstance(place, Path) else place
        self._questions: OrderedDict[str, Vector] = OrderedDict()
        self._library: Vectors | None = None
        self._of: tuple[Document, ...] = ()
        self._lock = threading.Lock()

    @property
    def model(self) -> str:
        """What makes the vectors, exactly."""
        return self._model.model

    def library(self, documents: tuple[Document, ...]) -> Vectors | None:
        """Return the vectors of these documents, from memory, from where they lie, or made now.

        None while another thread makes them: no incident waits for that.
        """
        if not self._lock.acquire(blocking=False):
            return None
        try:
            if self._library is None or self._of != documents:
                self._library = self._read(documents) or self._make(documents)
                self._of = documents
        except errors.Unavailable as cause:
            log.warning("library: %s", cause)
            return None
        finally:
            self._lock.release()
        return self._library

    def question(self, text: str) -> Vector | None:
        """Return the vector of a question, or None."""
        with self._lock:
            if text in self._questions:
                self._questions.move_to_end(text)
                return self._questions[text]
            try:
                vector = self._model.embed([text])[0]
            except errors.Unavailable as cause:
                log.warning("question: %s", cause)
                return None
            self._questions[text] = vector
            if len(self._questions) > _QUESTIONS_KEPT:
                self._questions.popitem(last=False)
            return vector

    def remember(self, incident: Incident, vector: Vector) -> None:
        """Keep what an incident is about, where vectors lie in a database; nothing waits for it."""
        if self._store is None:
            return
        [whole] = _whole([vector])
        kept = KeptIncident(
            incident.id, incident.environment, incident.opened_at, self.model, whole
        )
        try:
            self._store.keep_incident(kept)
        except errors.SentienGuardError as cause:  # it is for people's eyes: deciding goes on
            log.warning("%s: its vector is not kept: %s", incident.id, cause)

    def alike(self, incident: IncidentId, most: int) -> list[Alike]:
        """Return the earlier incidents of its environment that are most alike, best first.

        None where vectors lie in files. Raises what the database raises.
        """
        asked = self._store.incident(incident) if self._store is not None else None
        if self._store is None or asked is None:
            return []
        near = self._store.near(asked, most * _LOOKED_AT)
        found = [Alike(one.incident, one.opened_at, _cosine(asked, one)) for one in near]
        # By what is exact: the database compares in single precision.
        found.sort(key=lambda one: (one.opened_at, one.incident), reverse=True)
        found.sort(key=lambda one: -one.cosine)
        return found[:most]

    def _make(self, documents: Sequence[Document]) -> Vectors:
        spoken = [text for one in documents for text in one.spoken]
        # Rounded before they are used, so that a start that reads them ranks as this one does.
        made = np.asarray(self._model.embed(spoken), dtype=np.float64)
        found = np.round(made, _DIGITS).tolist()
        vectors = Vectors(self._model.model, found[0::2], found[1::2])
        try:
            self._keep(self._key(documents), vectors)
        # They are in memory, and the next start makes them again.
        except (OSError, errors.SentienGuardError) as cause:
            log.warning("the library's vectors are not kept: %s", cause)
        return vectors

    def _keep(self, key: str, vectors: Vectors) -> None:
        if self._store is not None:
            titles, texts = _whole(vectors.titles), _whole(vectors.texts)
            self._store.keep_texts(key, KeptTexts(vectors.model, titles, texts))
        elif self._files is not None:
            vector_files.keep(self._files, key, vectors)

    def _read(self, documents: Sequence[Document]) -> Vectors | None:
        """Read what an earlier start kept; what is damaged or of another model is made again."""
        found = self._kept(self._key(documents))
        if found is None or found.model != self._model.model:
            return None
        return found if len(found.titles) == len(found.texts) == len(documents) else None

    def _kept(self, key: str) -> Vectors | None:
        if self._store is None:
            return vector_files.read(self._files, key) if self._files is not None else None
        try:
            kept = self._store.texts(key)
        except errors.SentienGuardError as cause:  # as a file that cannot be read
            log.warning("the library's vectors are made anew: %s", cause)
            return None
        return None if kept is None else _vectors(kept)

    def _key(self, documents: Sequence[Document]) -> str:
        summed = hashlib.sha256(self._model.model.encode())
        for one in documents:
            for text in (one.id, *one.spoken):
                summed.update(b"\0" + text.encode())
        return summed.hexdigest()


def _whole(vectors: Sequence[Sequence[float]] | Numbers) -> list[Whole]:
    """Return vectors in the whole steps in which they are compared."""
    return [tuple(int(number) for number in row) for row in exact(vectors).tolist()]


def _vectors(kept: KeptTexts) -> Vectors:
    titles = np.asarray(kept.titles, dtype=np.float64) / STEPS
    return Vectors(kept.model, titles, np.asarray(kept.texts, dtype=np.float64) / STEPS)


def _cosine(one: KeptIncident, other: KeptIncident) -> float:
    product = sum(a * b for a, b in zip(one.vector, other.vector, strict=True))
    return round(product / STEPS**2, 4)
