"""Ask a health address on this host whether it answers.

Called by stages.execute (check kind http, facts service_status and http_status). Offered by
adapters.local_host.http_probe and by simulated hosts. The executor has no other use of a network,
and this one never leaves loopback.
"""

from dataclasses import dataclass
from typing import Protocol

from sentienguard.model import errors


class NotLoopback(errors.Rejected):
    """The address is not plain http on this host; the executor asks nobody else."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What one request brought."""

    status: int  # 0: no answer within the limit
    duration_ms: int
    detail: str  # why there was no answer; empty otherwise
    body: str = ""  # its first 4 KiB


class HttpProbe(Protocol):
    """Makes one request at a time."""

    def ask(self, url: str, limit: float, method: str = "GET") -> Answer:
        """Ask once (GET, HEAD or POST without a body), follow no redirect; wait `limit` seconds.

        Raises NotLoopback.
        """
