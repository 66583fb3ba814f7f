"""Hear what a cluster says of itself, from a moment on.

Called by controlplane.cluster_watch. Offered by adapters.kubernetes. Reads and never changes.
Events come as the cluster wrote them: untrusted JSON, which stages.observe.cluster_events reads.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from sentienguard.model import errors


class ClusterAway(errors.Unavailable):
    """No answer, half an answer, or not as it should be."""


class ClusterRefused(errors.Rejected):
    """It does not let us read: the owner has to look."""


class Expired(errors.Unavailable):
    """The version to go on from is too old for the cluster; list again."""


@dataclass(frozen=True, slots=True)
class Heard:
    """One thing that a watch says."""

    version: str  # to go on from
    event: Mapping[str, Any] | None  # None: nothing happened, only the version moved on


@dataclass(frozen=True, slots=True)
class Listed:
    """What a cluster knows of at one moment."""

    version: str  # to watch from
    events: tuple[Mapping[str, Any], ...]
    more: int = 0  # events beyond the bound, that are left out


class ClusterEvents(Protocol):
    """One cluster."""

    def list(self) -> Listed:
        """Return the events of the last hour or so. Raises ClusterAway, ClusterRefused."""

    def watch(self, version: str) -> Iterator[Heard]:
        """Yield what happens from a version on, for about a minute.

        Raises ClusterAway, ClusterRefused, Expired.
        """

    def deployment_of(self, namespace: str, pod: str) -> str:
        """Return the name of the Deployment that a pod belongs to; "" where there is none.

        Raises ClusterAway, ClusterRefused.
        """

    def close(self) -> None:
        """End a watch that another thread waits in."""
