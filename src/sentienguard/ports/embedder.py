"""Turn text into vectors whose cosine says how alike two meanings are.

Called by the control plane where it prepares the library and decides, and by `match eval`. Offered
by adapters.minilm (offline, in the process) and adapters.embedding_endpoint (hosted). The agent
never embeds anything.
"""

from collections.abc import Sequence
from typing import Protocol

from sentienguard.model import errors

Vector = tuple[float, ...]


class ModelWrong(errors.Rejected):
    """The model's files are missing or are not the pinned ones; matching goes on by words alone."""


class EmbedderAway(errors.Unavailable):
    """No vector came in time; this decision goes on by words alone, with autonomy off."""


class Embedder(Protocol):
    """One embedding model."""

    @property
    def model(self) -> str:
        """What made the vectors, exactly: a calibration holds for this name and no other."""

    def embed(self, texts: Sequence[str]) -> list[Vector]:
        """Return one vector of length 1 for each text, in their order.

        The vector of a text does not depend on the others. Raises EmbedderAway.
        """
