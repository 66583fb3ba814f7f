"""Vectors of the library and of questions, made once and kept.

Called by flow's deciding; app.py says with which model. The library's vectors lie in the data
directory under the digest of what they were made of (texts and model), so another catalogue or
another model never meets vectors that are not its own. Where no vector can be had, None: matching
goes by words.
"""

import hashlib
import json
import logging
import threading
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from sentienguard.model import errors
from sentienguard.ports.embedder import Embedder, Vector
from sentienguard.stages.decide.retrieval.shelf import Document, Vectors

log = logging.getLogger(__name__)

_DIGITS = 6  # kept of a vector's numbers: finer than the steps in which they are compared
_QUESTIONS_KEPT = 1_024  # an alert that comes again is not embedded again


class Meanings:
    """One embedding model and what it made so far."""

    def __init__(self, model: Embedder, directory: Path) -> None:
        self._model = model
        self._directory = directory
        self._questions: OrderedDict[str, Vector] = OrderedDict()
        self._library: Vectors | None = None
        self._of: tuple[Document, ...] = ()
        self._lock = threading.Lock()

    @property
    def model(self) -> str:
        """What makes the vectors, exactly."""
        return self._model.model

    def library(self, documents: tuple[Document, ...]) -> Vectors | None:
        """Return the vectors of these documents, from memory, from the file, or made now.

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

    def _make(self, documents: Sequence[Document]) -> Vectors:
        spoken = [text for one in documents for text in one.spoken]
        # Rounded before they are used, so that a start that reads them ranks as this one does.
        made = np.asarray(self._model.embed(spoken), dtype=np.float64)
        found = np.round(made, _DIGITS).tolist()
        vectors = Vectors(self._model.model, found[0::2], found[1::2])
        try:
            self._keep(self._path(documents), vectors)
        except OSError as cause:  # they are in memory, and the next start makes them again
            log.warning("the library's vectors are not kept: %s", cause)
        return vectors

    def _keep(self, path: Path, vectors: Vectors) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(".new")
        kept = {
            "model": vectors.model,
            "titles": np.asarray(vectors.titles).tolist(),
            "texts": np.asarray(vectors.texts).tolist(),
        }
        draft.write_text(json.dumps(kept), encoding="utf-8")
        draft.replace(path)

    def _read(self, documents: Sequence[Document]) -> Vectors | None:
        """Read what an earlier start kept; a file that is damaged is made again."""
        try:
            kept = json.loads(self._path(documents).read_text(encoding="utf-8"))
            titles, texts = (
                np.asarray(kept[name], dtype=np.float64) for name in ("titles", "texts")
            )
            vectors = Vectors(str(kept["model"]), titles, texts)
            whole = titles.ndim == 2 and titles.shape == texts.shape  # noqa: PLR2004 - rows of numbers
            whole = whole and len(titles) == len(documents)
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return vectors if whole and vectors.model == self._model.model else None

    def _path(self, documents: Sequence[Document]) -> Path:
        summed = hashlib.sha256(self._model.model.encode())
        for one in documents:
            for text in (one.id, *one.spoken):
                summed.update(b"\0" + text.encode())
        return self._directory / f"{summed.hexdigest()}.json"
