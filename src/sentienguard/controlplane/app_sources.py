"""What this control plane fetches by itself, put together. Called by app.py."""

from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any

from sentienguard.controlplane import app_cloudwatch
from sentienguard.controlplane.centre import Centre
from sentienguard.controlplane.loops import pulling
from sentienguard.controlplane.telemetry_door import TelemetryDoor


def loops(
    centre: Centre, directory: Path, inflow: TelemetryDoor
) -> Sequence[Coroutine[Any, Any, None]]:
    """Return what is to run as long as the listeners do. Raises SettingWrong."""
    desk = inflow.desk
    pull = None if desk is None else app_cloudwatch.pull(centre, directory, desk)
    return (pulling.run(centre, pull),)
