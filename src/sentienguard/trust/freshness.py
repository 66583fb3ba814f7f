"""Is this an answer to what was just asked? Nonces by the monotonic clock, and sequence marks.

Called by the executor. Wall clocks take no part: they refuse good orders on a host whose clock is
wrong and accept replays inside their tolerance. The nonce book lives in memory, so that a restart
makes every earlier nonce worthless; the sequence mark is persisted by the caller before it acts.
"""

from dataclasses import dataclass
from typing import Final, Self

from sentienguard.model import errors

LIFETIME_S: Final = 60.0  # two polls of 30 s; longer only helps who delays an order
MAX_OUTSTANDING: Final = 16  # one poll is open at a time; the rest is for polls that were cut off
MAX_LEAP: Final = 1_000_000  # numbers that a message may skip; unbounded, one could use up all
_LEAST_ENTROPY: Final = 16  # bytes; 128 bits cannot be guessed within a lifetime
_MOST_ENTROPY: Final = 32  # bytes; longer would not fit the order's format


class NotFresh(errors.Rejected):
    """Not an answer to a question that this host asked within the last minute, or asked before."""


class NonceBook:
    """Nonces that this host gave out and that nobody used yet."""

    def __init__(self) -> None:
        self._issued: dict[str, float] = {}  # nonce -> monotonic seconds, oldest first

    def issue(self, monotonic_s: float, entropy: bytes) -> str:
        """Give out a nonce made of 16 to 32 random bytes; the oldest beyond 16 is forgotten."""
        if not _LEAST_ENTROPY <= len(entropy) <= _MOST_ENTROPY:
            raise ValueError(f"expected 16 to 32 bytes of entropy, got {len(entropy)}")
        nonce = entropy.hex()
        if nonce in self._issued:
            raise NotFresh("the source of randomness gave the same bytes twice; nothing is fresh")
        self._issued[nonce] = monotonic_s
        while len(self._issued) > MAX_OUTSTANDING:
            del self._issued[next(iter(self._issued))]
        return nonce

    def redeem(self, nonce: str, monotonic_s: float) -> None:
        """Use up a nonce. Raises NotFresh for one not issued here, used before or too old."""
        issued_s = self._issued.pop(nonce, None)
        if issued_s is None:
            raise NotFresh("the nonce was not issued by this host since it started, or was used")
        age_s = monotonic_s - issued_s
        if not 0 <= age_s <= LIFETIME_S:
            raise NotFresh(
                f"the nonce is {age_s:.0f} s old; at most {LIFETIME_S:.0f} s are allowed"
            )


@dataclass(frozen=True, slots=True)
class SequenceMark:
    """The highest sequence number that this host ever accepted."""

    highest: int = 0

    def raised_to(self, seq: int) -> Self:
        """Return the mark after accepting `seq`. Raises NotFresh unless it is a little higher."""
        if seq <= self.highest:
            raise NotFresh(
                f"expected a sequence number above {self.highest}, got {seq}: a replay, or a "
                "control plane restored from a backup; raise its counter above this number"
            )
        if seq > self.highest + MAX_LEAP:
            raise NotFresh(
                f"expected a sequence number of at most {self.highest + MAX_LEAP}, got {seq}: "
                "after it, too few would be left for who takes the control plane back"
            )
        return type(self)(seq)
