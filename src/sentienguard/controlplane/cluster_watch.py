"""Watch a cluster's events: alerts into the inbox, changes into their store.

Put together by controlplane.app_clusters: a thread for each watch, from `start` to `stop`. Rules:

1. List, then watch from the version that was listed. A version that expired is listed anew; what
   was told already is known by its uid and count, and the inbox knows its alerts: nothing is twice.
2. What an event says is durable before the next one is looked at. What could not be kept is
   forgotten and listed again.
3. An event that is none is counted and passed over. A cluster that does not answer is asked again
   after a pause that doubles up to `MOST_PAUSE_S`; one that refuses, after that.
4. No event changes what is permitted: it opens an incident of the relay's host, which measures the
   object itself before it does anything.
"""

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from sentienguard.controlplane.centre import Centre
from sentienguard.model import errors
from sentienguard.model.alert import Alert
from sentienguard.ports.alert_inbox import NewAlert
from sentienguard.ports.cluster_events import ClusterEvents, ClusterRefused, Expired
from sentienguard.stages.observe import alert_batch, cluster_events

log = logging.getLogger(__name__)
SENDER: Final = "kubernetes"
FIRST_PAUSE_S: Final = 1.0
MOST_PAUSE_S: Final = 300.0
MOST_OWNERS: Final = 10_000  # pods whose Deployment is remembered
Keep: TypeAlias = Callable[[Sequence[NewAlert]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Watched:
    """One cluster, or one namespace of it."""

    place: cluster_events.Place
    environment: str
    what: str  # for people


class ClusterWatch:
    """One watch."""

    def __init__(self, centre: Centre, source: ClusterEvents, watched: Watched, keep: Keep) -> None:
        """Hear `source`; `keep` returns once alerts are durable."""
        self._centre = centre
        self._source = source
        self._watched = watched
        self._keep = keep
        self._owners: dict[tuple[str, str], str] = {}
        self._stopped = threading.Event()
        self._failures = 0
        self._version = ""  # to watch from; "": to be listed
        self._episodes = cluster_events.Episodes(watched.place)
        name = f"cluster-{watched.place.cluster}"
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def stop(self) -> None:
        """Finish the event at hand and stop."""
        self._stopped.set()
        self._source.close()
        if self._thread.ident is not None:
            self._thread.join(timeout=5)

    def round(self) -> None:
        """List if need be, and watch once. Raises what the source and the stores raise."""
        if not self._version:
            listed = self._source.list()
            if listed.more:
                self._count("left_out", listed.more)
            for one in listed.events:
                self._hear(one)
            self._version = listed.version
        self._quiet()
        for heard in self._source.watch(self._version):
            if heard.event is not None:
                self._hear(heard.event)
            self._version = heard.version or self._version
            self._quiet()
        self._quiet()

    @property
    def pause_s(self) -> float:
        """How long to wait before the next round (rule 3)."""
        if not self._failures:
            return 0.0
        return float(min(FIRST_PAUSE_S * 2 ** min(self._failures - 1, 16), MOST_PAUSE_S))

    def attempt(self) -> None:
        """Do one round whatever happens, and remember how it went."""
        try:
            self.round()
        except Expired:
            self._ended("expired")
            self._version = ""  # rule 1
            self._failures = min(self._failures + 1, 3)
        except ClusterRefused as cause:
            self._ended("refused", cause)
            self._version = ""
            self._failures = 16
        except (errors.Unavailable, errors.Broken) as cause:
            self._ended("away", cause)
            self._begin()  # rule 2: what was not kept is heard again
            self._failures += 1
        else:
            self._ended("ended")
            self._failures = 0

    def _begin(self) -> None:
        self._version = ""
        self._episodes = cluster_events.Episodes(self._watched.place)

    def _run(self) -> None:
        while not self._stopped.wait(self.pause_s):
            try:
                self.attempt()
            except Exception:  # a fault of ours in one event must not end the watch for good
                log.exception("%s is not watched for a moment", self._watched.what)
                self._failures += 1
                self._version = ""

    def _ended(self, how: str, cause: Exception | None = None) -> None:
        if self._stopped.is_set():
            return
        self._centre.counters.add("cluster_watches_total", how)
        if cause is not None:
            log.warning("%s: %s", self._watched.what, cause)

    def _hear(self, found: Mapping[str, Any]) -> None:
        now = self._centre.clock.now()
        try:
            event = cluster_events.read(found, now)
        except cluster_events.Malformed as cause:  # rule 3
            self._count("malformed")
            log.warning("%s: %s", self._watched.what, cause)
            return
        if not self._episodes.is_new(event):
            self._count("repeated")
            return
        changed = cluster_events.change(event)
        if changed is not None:
            self._centre.changes.put(self._watched.environment, [changed], received_at=now)
        left_out = self._episodes.left_out
        alerts = self._episodes.hear(event, self._owner(event), now)
        self._put(alerts)
        if self._episodes.left_out > left_out:
            self._count("left_out")
        elif not alerts:
            self._count("other" if changed is None else "change")

    def _quiet(self) -> None:
        self._put(self._episodes.over(self._centre.clock.now()))

    def _owner(self, event: cluster_events.Event) -> str:
        if not cluster_events.asks_owner(event):
            return ""
        key = (event.namespace, event.name)
        known = self._owners.get(key)
        if known is None:
            try:
                known = self._source.deployment_of(*key)
            except ClusterRefused:  # the account may not: then the alert is of the pod
                known = ""
            if len(self._owners) >= MOST_OWNERS:
                self._owners.clear()
            self._owners[key] = known
        return known

    def _put(self, alerts: Sequence[Alert]) -> None:
        if not alerts:
            return
        now = self._centre.clock.now()
        made = [
            NewAlert(
                environment=self._watched.environment,
                fingerprint=one.fingerprint,
                starts_at=one.starts_at,
                status=one.status,
                received_at=now,
                text=alert_batch.encode(one),
                sender=SENDER,
            )
            for one in alerts
        ]
        asyncio.run(self._kept(made))
        self._count("alert", len(made))

    async def _kept(self, alerts: Sequence[NewAlert]) -> None:
        await self._keep(alerts)

    def _count(self, kind: str, many: int = 1) -> None:
        self._centre.counters.add("cluster_events_total", kind, many)
