"""Leave a checkpoint where nobody here can take it back.

Called by controlplane.anchoring. Offered by adapters.audit_anchors: a bucket whose versions cannot
be deleted, an authority that dates what it never sees.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sentienguard.model import errors


class AnchorAway(errors.Unavailable):
    """The other side did not answer, or not as it should; to be tried again."""


class AnchorRefused(errors.Rejected):
    """The other side refuses: a wrong name, key or right. People have to look."""


class AnchorWrong(errors.Broken):
    """What lies there is not what was anchored, or not protected as promised."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What is kept of one anchored checkpoint."""

    anchor: str  # its name in the owner's file
    kind: str  # s3 or rfc3161
    size: int  # entries that the checkpoint covers
    at: datetime  # UTC; by the other side's clock, where it tells
    note: str  # the checkpoint as it was anchored
    facts: Mapping[str, str]  # what finds and dates it there, such as key and version_id
    proof: bytes = b""  # what the other side signed; empty where it signs nothing


class Anchor(Protocol):
    """One place outside."""

    name: str
    kind: str

    def keep(self, note: str, size: int, at: datetime) -> Receipt:
        """Anchor a checkpoint. Raises AnchorAway, AnchorRefused, AnchorWrong."""

    def check(self, receipt: Receipt) -> str:
        """Compare with what lies there; return what was found, for people.

        Raises AnchorAway, AnchorRefused, AnchorWrong.
        """
