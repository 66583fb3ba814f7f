"""Know which control planes share a database, and take the place of one that is gone.

Called by controlplane.membership. Offered by adapters.sql_store. A *replica* is one run of a
control plane's process: it joins once, beats while it lives, and is fenced once, for good. From the
moment at which it is fenced no transaction of it changes anything, however late it comes: the fence
and the effects of a replica exclude one another in the database.

Who is gone is judged by watching, never by comparing clocks: a beat that does not change while the
watcher's own looks succeed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from sentienguard.model import errors


class TakenOver(errors.Unavailable):
    """Another replica has taken this one's place; nothing was written, and nothing will be.

    Unavailable, because whoever asked finds another replica; the process itself has to end.
    """


@dataclass(frozen=True, slots=True)
class Peer:
    """What a look shows of another replica that is not fenced."""

    id: str
    name: str  # of its data directory: a second run of it has the same
    beats: int  # how often it said that it lives
    present: bool  # its session with the database stands


class Replicas(Protocol):
    """The replicas of one database, seen by one of them."""

    @property
    def id(self) -> str:
        """The id of this run, unlike that of any other."""

    def join(self, name: str, *, log: str) -> None:
        """Enter this replica, and fence any earlier run of the same name.

        `log` says where its audit log lies, `files` or `database`. Raises Rejected where that would
        make two logs of one.
        """

    def beat(self) -> Sequence[Peer]:
        """Say that this replica lives and return the others. Raises TakenOver where fenced."""

    def require(self) -> None:
        """Raises TakenOver where this replica is fenced."""

    def fence(self, peer: Peer) -> bool:
        """Take the place of a peer that has not beaten since; False where it has, or is gone.

        When this returns, every effect of the peer is in the database or will never be.
        """

    def fenced(self) -> Sequence[str]:
        """Return the ids of fenced replicas, whose work belongs to the others."""

    def forget(self) -> None:
        """Drop what was fenced long ago; only after the work of all fenced ones was taken."""

    def leave(self) -> None:
        """Give up the place in good order: fence this replica itself."""
