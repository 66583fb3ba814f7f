"""The port on a hosted model: texts to vectors by one POST, within a limit of time.

What comes back is checked: as many vectors as texts, in their order, of one length, finite, not
zero. Anything else is `EmbedderAway`, and matching goes on by words.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from sentienguard.ports import embedder

_TEXTS_AT_ONCE = 64  # in one request; a library is sent in several
_LONGEST_ANSWER = 64 * 1024 * 1024  # bytes: 64 vectors of 3,072 numbers have 3 MB


@dataclass(frozen=True, slots=True)
class Address:
    """Where the model is and what it is called."""

    url: str  # up to and without /embeddings, such as https://api.example.com/v1
    model: str
    dimensions: int  # numbers of a vector
    key: str = ""  # bearer token; empty: none is sent
    limit_s: float = 2.0  # of one request


class Endpoint:
    """One hosted model."""

    def __init__(self, address: Address) -> None:
        self._address = address
        headers = {"Authorization": f"Bearer {address.key}"} if address.key else {}
        self._client = httpx.Client(
            timeout=address.limit_s, headers=headers, follow_redirects=False, trust_env=False
        )

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
        """Give connections back."""
        self._client.close()

    def _ask(self, texts: list[str]) -> list[embedder.Vector]:
        wanted = {
            "model": self._address.model,
            "input": texts,
            "encoding_format": "float",
            "dimensions": self._address.dimensions,
        }
        url = f"{self._address.url.rstrip('/')}/embeddings"
        try:
            with self._client.stream("POST", url, json=wanted) as answer:
                body = self._read(url, answer)
                answer.raise_for_status()
            found = httpx.Response(200, content=body).json()
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as cause:
            message = f"{url}: no embedding: {cause}; matching goes on by words"
            raise embedder.EmbedderAway(message) from cause
        return self._checked(url, found, len(texts))

    def _read(self, url: str, answer: httpx.Response) -> bytes:
        kept = bytearray()
        for chunk in answer.iter_bytes():
            kept += chunk
            if len(kept) > _LONGEST_ANSWER:
                message = f"{url}: the answer is longer than {_LONGEST_ANSWER} bytes"
                raise embedder.EmbedderAway(message)
        return bytes(kept)

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
