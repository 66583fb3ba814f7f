"""Ed25519 as in the product, each signature verified once.

Called by `world`. A verification costs 0.1 ms and a simulated day asks the same ones again and
again. Within `remembered` the answer to (key, signature, message) is computed by the real algorithm
the first time and remembered: a pure function, so nothing that is refused can become accepted.
"""

import contextlib
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from sentienguard.trust import keys

_KEPT: Final = 20_000  # answers; a seed asks for some thousands of different ones


@contextlib.contextmanager
def remembered() -> Iterator[None]:
    """Remember answers of VerifyKey.verify while the block runs."""
    real = keys.VerifyKey.verify

    @lru_cache(maxsize=_KEPT)
    def answer(key: keys.VerifyKey, signature: bytes, message: bytes) -> bool:
        return real(key, signature, message)

    def verify(self: keys.VerifyKey, signature: bytes, message: bytes) -> bool:
        return answer(self, bytes(signature), bytes(message))

    keys.VerifyKey.verify = verify  # type: ignore[method-assign]  # put back below
    try:
        yield
    finally:
        keys.VerifyKey.verify = real  # type: ignore[method-assign]
