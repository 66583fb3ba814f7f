"""The port on MiniLM: text to a vector of 384 numbers, on this machine, with no network."""

from collections.abc import Sequence
from pathlib import Path

import threadpoolctl  # type: ignore[import-untyped]  # it has no types

from sentienguard.adapters.minilm import network, weights, wordpiece
from sentienguard.ports import embedder

MODEL = f"all-MiniLM-L6-v2@{weights.SHA256['model.safetensors'][:12]}"
_PIECES = 128  # read of one text: cost grows with them, and a description says it in its first ones


class MiniLm:
    """Loaded once by a process that decides; some 60 MB of its memory are the file's own pages."""

    def __init__(self, directory: Path, pieces: int = _PIECES) -> None:
        """Open the model in `directory`; raises ports.embedder.ModelWrong."""
        files = weights.read(directory)
        self._weights = files.weights
        self._words = wordpiece.WordPiece(files.vocabulary)
        self._pieces = pieces
        self._threads = threadpoolctl.ThreadpoolController()

    @property
    def model(self) -> str:
        """The name of the model and the first digits of its weights' hash."""
        return MODEL

    def embed(self, texts: Sequence[str]) -> list[embedder.Vector]:
        """Return one vector for each text.

        On one thread: at these sizes a second one saves little, and on a busy machine both spin
        while they wait for each other, ten times the processor for twenty times the time.
        """
        with self._threads.limit(limits=1, user_api="blas"):
            return [
                tuple(
                    network.embed(self._weights, self._words.numbers(text, self._pieces)).tolist()
                )
                for text in texts
            ]


def installed() -> MiniLm | None:
    """Return the model of the installed package; None where the package is not installed.

    Raises ports.embedder.ModelWrong where its files are not the pinned ones.
    """
    directory = weights.find()
    return None if directory is None else MiniLm(directory)
