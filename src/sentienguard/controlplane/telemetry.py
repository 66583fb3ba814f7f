"""Everything about telemetry from outside, put together: the door, the desk, the watch.

Called by controlplane.app. A body passes `telemetry_door` (who sends, how large), is read as its
protocol says (`remote_write`, `otlp`), named and bounded at `telemetry_desk`, and acknowledged
after its commit; what was kept is then watched for what is not normal (`outside_watch`).
"""

import contextlib
from collections.abc import Iterator

from sentienguard.controlplane import changes, remote_write
from sentienguard.controlplane.centre import Centre
from sentienguard.controlplane.intake import Intake
from sentienguard.controlplane.otlp import Otlp
from sentienguard.controlplane.outside_watch import OutsideWatch
from sentienguard.controlplane.telemetry_desk import TelemetryDesk
from sentienguard.controlplane.telemetry_door import TelemetryDoor


@contextlib.contextmanager
def opened(centre: Centre, intake: Intake) -> Iterator[TelemetryDoor]:
    """Take telemetry while the block lasts; yields the door for the application."""
    watch = OutsideWatch(centre, intake)
    desk = TelemetryDesk(centre, watch.note)
    otlp = Otlp(centre, desk)
    watch.start()
    desk.start()
    otlp.start()
    try:
        entrances = remote_write.entrances(desk) | otlp.entrances() | changes.entrances(centre)
        with contextlib.closing(TelemetryDoor(centre, entrances, desk.limits, watch)) as door:
            door.desk = desk
            yield door
    finally:
        otlp.stop()
        desk.stop()
        watch.stop()
