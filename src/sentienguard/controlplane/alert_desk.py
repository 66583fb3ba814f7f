"""Everything about alerts from outside, put together: the door, the commit, the inbox, the worker.

Called by controlplane.app. An alert passes `alert_door` (who sends, is it readable), waits in
`group_commit` for the commit that it shares, is acknowledged, and is dealt with by `alert_intake`.
"""

import contextlib
from collections.abc import Iterator, Sequence

from sentienguard.controlplane.alert_door import AlertDoor
from sentienguard.controlplane.alert_intake import AlertIntake, Backlog
from sentienguard.controlplane.centre import Centre
from sentienguard.controlplane.group_commit import GroupCommit
from sentienguard.controlplane.intake import Intake
from sentienguard.controlplane.push_senders import Keys
from sentienguard.ports.alert_inbox import NewAlert


@contextlib.contextmanager
def opened(centre: Centre, intake: Intake, keys: Keys | None = None) -> Iterator[AlertDoor]:
    """Take alerts while the block lasts; yields the door for the application."""
    desk = AlertDesk(centre, intake, keys)
    try:
        desk.start()
        yield desk.door
    finally:
        desk.stop()


class AlertDesk:
    """Takes alerts and deals with them, from `start` to `stop`."""

    def __init__(self, centre: Centre, intake: Intake, keys: Keys | None = None) -> None:
        """Put the parts together; nothing runs yet. `keys` are Google's, for Pub/Sub."""
        self._centre = centre
        self._backlog = Backlog()
        self._keeper = GroupCommit(self._put, most=centre.settings.alert_commit)
        self._worker = AlertIntake(centre, intake, self._backlog)
        self.door = AlertDoor(centre, self._keeper, self._backlog, keys)

    def start(self) -> None:
        """Go on with what was acknowledged before, then take more."""
        self._backlog.set(self._centre.alerts.backlog())
        self._worker.start()
        self._keeper.start()

    def stop(self) -> None:
        """Commit what was taken; what is not dealt with yet waits for the next start."""
        self._keeper.stop()
        self._worker.stop()

    def _put(self, alerts: Sequence[NewAlert]) -> None:
        new = self._centre.alerts.put(alerts)
        self._backlog.add(new)
        self._centre.counters.add("alerts_total", "new", new)
        self._centre.counters.add("alerts_total", "repeated", len(alerts) - new)
        self._worker.wake()
