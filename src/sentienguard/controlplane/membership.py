"""Live among other control planes: beat, notice who is gone, take their work, end when taken over.

Called by controlplane.app where the database is one that several processes can share. Rules:

1. A peer is gone when its beat has not changed for `silence_s` of watching, or for QUICK_S where
   its session with the database has ended too, which is what a killed process looks like.
2. Watching counts only while our own looks succeed and come on time. After a pause of ours or of
   the database everybody is watched anew, so that a database that was away costs nobody its place.
3. First the fence, then the work: nothing of a peer is begun before none of its effects can come.
4. Every replica takes part in the work of whoever is fenced, by itself or by another: the one that
   fenced it may die at once. Workflows are looked for again and again, because a frozen one may
   begin one in its last moment.
5. Who finds itself fenced ends its process. Everything durable is in the database.
6. A process beats from the moment it joins (`Starting`), however long it takes to be ready: until
   then it looks at nobody, and whatever it writes is refused if it was fenced all the same.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sentienguard.model import errors
from sentienguard.ports.clock import Clock
from sentienguard.ports.replicas import Peer, Replicas, TakenOver

log = logging.getLogger(__name__)
BEAT_S = 0.5
QUICK_S = 1.5  # three beats: time for a live one to be back after its session was cut
LATE_S = 3 * BEAT_S  # between two of our own looks; more is a pause (rule 2)
ROUND_S = 5.0  # between two searches for work that was left (rule 4)


@dataclass(frozen=True, slots=True)
class Duties:
    """What membership has done by others."""

    take_over: Callable[[Sequence[str]], None]  # let the living go on with these replicas' work
    resume: Callable[[], None]  # finish what was written down and not begun
    lost: Callable[[], None]  # end this process


@dataclass(frozen=True, slots=True)
class _Seen:
    """When a beat was seen first."""

    beats: int
    since: float  # monotonic seconds


class Starting:
    """Beats until `Membership` does (rule 6)."""

    def __init__(self, replicas: Replicas) -> None:
        """Begin to beat for a replica that has joined."""
        self._replicas = replicas
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._live, name="starting", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Beat no more; calling it again does nothing."""
        self._stopping.set()
        self._thread.join(LATE_S * 10)

    def _live(self) -> None:
        while not self._stopping.wait(BEAT_S):
            try:
                self._replicas.beat()
            except TakenOver:
                return  # the next thing that is written is refused, and says so
            except (errors.Unavailable, errors.Broken) as problem:
                log.warning("membership: %s", problem)


class Membership:
    """This process among its peers."""

    def __init__(
        self, replicas: Replicas, clock: Clock, duties: Duties, *, silence_s: float
    ) -> None:
        """Watch through `replicas`, which this process has joined."""
        self._clock = clock
        self._replicas = replicas
        self._duties = duties
        self._silence_s = silence_s
        self._seen: dict[str, _Seen] = {}
        self._handled: frozenset[str] = frozenset()
        self._looked = self._round = float("-inf")
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._live, name="membership", daemon=True)

    def start(self) -> None:
        """Begin to beat."""
        self._thread.start()

    def stop(self) -> None:
        """Beat no more; the others take over what is left when the place is given up."""
        self._stopping.set()
        self._thread.join(LATE_S * 10)

    def _live(self) -> None:
        while not self._stopping.wait(BEAT_S):
            try:
                self._look(self._clock.monotonic())
            except TakenOver as problem:  # rule 5
                log.error("%s", problem)  # noqa: TRY400 - the message is all there is to say
                self._duties.lost()
                return
            except (errors.Unavailable, errors.Broken) as problem:
                log.warning("membership: %s", problem)
                self._seen.clear()  # rule 2
            except Exception:
                log.exception("membership goes on after a mistake")

    def _look(self, now: float) -> None:
        """Beat once and do what follows. Raises TakenOver, Unavailable."""
        peers = self._replicas.beat()
        if now - self._looked > LATE_S:
            self._seen.clear()  # rule 2
        self._looked = now
        for peer in peers:
            if self._is_gone(peer, now) and self._replicas.fence(peer):
                log.warning("replica %s (%s) is gone; its place is taken", peer.id, peer.name)
        fenced = frozenset(self._replicas.fenced())
        if fenced - self._handled or now - self._round > ROUND_S:  # rules 3 and 4
            self._duties.take_over(sorted(fenced))
            if self._round > float("-inf"):  # their work was taken a round ago already, and now
                self._replicas.forget()
            self._round = now
        if fenced - self._handled:
            self._duties.resume()
            self._handled = fenced

    def _is_gone(self, peer: Peer, now: float) -> bool:  # rule 1
        seen = self._seen.get(peer.id)
        if seen is None or seen.beats != peer.beats:
            self._seen[peer.id] = _Seen(peer.beats, now)
            return False
        silent = now - seen.since
        return silent >= self._silence_s or (not peer.present and silent >= QUICK_S)
