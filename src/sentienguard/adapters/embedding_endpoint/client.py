"""The port on a hosted model: texts to vectors by one POST, within a limit of time.

What comes back is checked: as many vectors as texts, in their order, of one length, finite, not
zero. Anything else is `EmbedderAway`, and matching goes on by words.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from sentienguard.ports import embedder
from sentienguard.ports.outbound import NoAnswer, NotAllowed, Outbound, Request
from sentienguard.ports.secrets import Fetch, SecretMissing, SecretNameWrong, SecretsAway

_TEXTS_AT_ONCE = 64  # in one request; a library is sent in several
LONGEST_ANSWER: Final = 64 * 1024 * 1024  # bytes: 64 vectors of 3,072 numbers have 3 MB
LONGEST_QUESTION: Final = 16 * 1024 * 1024  # bytes; a text of a library has a few thousand


@dataclass(frozen=True, slots=True)
class Address:
    """Where the model is and what it is called."""

    url: str  # up to and without /embeddings, such as https://api.example.com/v1
    model: str
    dimensions: int  # numbers of a vector
    limit_s: float = 2.0  # of one request


class Endpoint:
    """One hosted model."""

    def __init__(self, address: Address, way: Outbound, key: Fetch | None = None) -> None:
        """Ask it there by this way; `key` is a bearer token, fetched for each request."""
        self._address = address
        self._way = way
        self._key = key

    @property
    def model(self) -> str:
        """Model, dimensions and address: the same name elsewhere may be another model."""
        return f"{self._address.model}/{self._address.dimensions}@{self._address.url}"

    def embed(self, texts: Sequence[str]) -> list[embedder.Vector]:
        """Return one vector for each text; raises ports.embedder.EmbedderAway."""
        found: list[embedder.Vector] = []
        for start in range(0, len(texts), _TEXTS_AT_ONCE):
            found += self._ask(list(texts[start : start + _TEXTS_AT_ONCE]))
        return found

    def close(self) -> None:
        """Hold nothing: each request has a connection of its own."""

    def _ask(self, texts: list[str]) -> list[embedder.Vector]:
        wanted = {
            "model": self._address.model,
            "input": texts,
            "encoding_format": "float",
            "dimensions": self._address.dimensions,
        }
        url = f"{self._address.url.rstrip('/')}/embeddings"
        try:
            headers = {"Content-Type": "application/json", **self._proof()}
            asked = Request("POST", url, headers, json.dumps(wanted).encode(),
                            self._address.limit_s)  # fmt: skip
            answer = self._way.send(asked)
            if answer.status != HTTPStatus.OK:
                raise NoAnswer(f"status {answer.status}")
            found = json.loads(answer.body)
        except (
            *(NoAnswer, NotAllowed, SecretMissing, SecretNameWrong, SecretsAway),
            *(ValueError, RecursionError),
        ) as cause:
            message = f"{url}: no embedding: {cause}; matching goes on by words"
            raise embedder.EmbedderAway(message) from cause
        return self._checked(url, found, len(texts))

    def _proof(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._key().reveal()}"} if self._key else {}

    def _checked(self, url: str, found: Any, count: int) -> list[embedder.Vector]:
        rows = found.get("data") if isinstance(found, Mapping) else None
        if not isinstance(rows, list) or len(rows) != count:
            message = f"{url}: expected {count} vectors in `data`, found something else"
            raise embedder.EmbedderAway(message)
        vectors: dict[int, embedder.Vector] = {}
        for at, row in enumerate(rows):
            place = row.get("index", at) if isinstance(row, Mapping) else None
            numbers = row.get("embedding") if isinstance(row, Mapping) else None
            if not isinstance(place, int) or not isinstance(numbers, list):
                message = f"{url}: vector {at} is not an object with `index` and `embedding`"
                raise embedder.EmbedderAway(message)
            vectors[place] = self._scaled(url, at, numbers)
        if sorted(vectors) != list(range(count)):
            message = f"{url}: the vectors' indices are not 0 to {count - 1}"
            raise embedder.EmbedderAway(message)
        return [vectors[place] for place in range(count)]

    def _scaled(self, url: str, at: int, numbers: list[Any]) -> embedder.Vector:
        """Return the vector with length 1."""
        plain = [float(one) for one in numbers if isinstance(one, int | float)]
        length = math.sqrt(sum(one * one for one in plain))
        right = len(plain) == len(numbers) == self._address.dimensions
        if not right or not math.isfinite(length) or not length:
            message = (
                f"{url}: vector {at} has {len(numbers)} numbers of length {length:g}, expected "
                f"{self._address.dimensions} finite ones; see the setting embedding_dimensions"
            )
            raise embedder.EmbedderAway(message)
        return tuple(one / length for one in plain)
