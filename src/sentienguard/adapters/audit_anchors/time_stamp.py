"""Checkpoints dated by a time-stamp authority (RFC 3161 over HTTP).

The authority learns a digest and gives back a signed token: the checkpoint existed at that time,
whatever clock or key of ours is wrong later. The token is checked before it counts, and can be
checked again by anybody with `openssl ts -verify`.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

from sentienguard.ports import anchor, outbound
from sentienguard.trust import timestamp

KIND: Final = "rfc3161"
_QUERY, _REPLY = "application/timestamp-query", "application/timestamp-reply"
_OK, _SERVER_FAULT, _SLOW = 200, 500, 429
_NONCE_BYTES: Final = 8


class TimeStampAnchor:
    """An anchor.Anchor."""

    kind: str = KIND

    def __init__(
        self,
        name: str,
        url: str,
        authorities: Sequence[bytes],
        way: outbound.Outbound,
        entropy: Callable[[int], bytes],
    ) -> None:
        """Take the authority's address and the PEM texts of the certificates that are trusted."""
        self.name = name
        self._url = url
        self._authorities = tuple(authorities)
        self._way = way
        self._entropy = entropy

    def keep(self, note: str, size: int, at: datetime) -> anchor.Receipt:  # noqa: ARG002 - its clock counts
        """Have a checkpoint dated; see ports.anchor."""
        data = note.encode()
        nonce = int.from_bytes(self._entropy(_NONCE_BYTES), "big")
        answer = self._ask(timestamp.request(data, nonce))
        try:
            stamp = timestamp.verify(answer, data, self._authorities, nonce=nonce)
        except timestamp.NotStamped as error:
            raise anchor.AnchorRefused(f"anchor {self.name}: {error}") from error
        facts = {"serial": str(stamp.serial), "authority": stamp.authority}
        return anchor.Receipt(self.name, KIND, size, stamp.at, note, facts, answer)

    def check(self, receipt: anchor.Receipt) -> str:
        """Check the token that is kept; asks nobody. See ports.anchor."""
        try:
            stamp = timestamp.verify(receipt.proof, receipt.note.encode(), self._authorities)
        except timestamp.NotStamped as error:
            raise anchor.AnchorWrong(f"anchor {self.name}: {error}") from error
        return f"stamped at {stamp.at.isoformat()} by {stamp.authority}"

    def _ask(self, request: bytes) -> bytes:
        headers = {"content-type": _QUERY, "accept": _REPLY}
        try:
            answer = self._way.send(outbound.Request("POST", self._url, headers, request))
        except outbound.NoAnswer as error:
            raise anchor.AnchorAway(f"anchor {self.name}: {error}") from error
        except outbound.NotAllowed as error:
            raise anchor.AnchorRefused(f"anchor {self.name}: {error}") from error
        if answer.status >= _SERVER_FAULT or answer.status == _SLOW:
            raise anchor.AnchorAway(f"anchor {self.name}: the authority answered {answer.status}")
        kind = answer.headers.get("content-type", "").partition(";")[0].strip()
        if answer.status != _OK or kind != _REPLY:
            raise anchor.AnchorRefused(
                f"anchor {self.name}: expected {_REPLY}, got {answer.status} {kind[:80]}"
            )
        return answer.body
