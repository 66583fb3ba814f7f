"""Free ports, and the settings file that keeps them."""

import socket
from pathlib import Path
from typing import Any

import yaml

from sentienguard.cli import private_files
from sentienguard.controlplane import settings

LOOPBACK = "127.0.0.1"
_HEAD = "# Written by `sentienguard up`; yours to edit. All settings: `sentienguard settings`.\n"


def free(preferred: int | None = None) -> int:
    """Return `preferred` where nothing listens there, else a free port of the loopback."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if preferred is not None:
            try:
                probe.bind((LOOPBACK, preferred))
            except OSError:
                return free()
            return preferred
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def write_settings(centre: Path, values: dict[str, Any]) -> None:
    """Add settings to the file of this control plane; what stands there already stays."""
    file = centre / settings.FILE_NAME
    standing = read_settings(centre)
    merged = {**values, **standing}
    if merged != standing:
        private_files.write(file, (_HEAD + yaml.safe_dump(merged, sort_keys=True)).encode())


def change_settings(centre: Path, values: dict[str, Any]) -> None:
    """Set settings in the file of this control plane."""
    merged = {**read_settings(centre), **values}
    text = _HEAD + yaml.safe_dump(merged, sort_keys=True)
    private_files.write(centre / settings.FILE_NAME, text.encode())


def read_settings(centre: Path) -> dict[str, Any]:
    """Return what the file says, unchecked; the control plane checks it."""
    file = centre / settings.FILE_NAME
    if not file.exists():
        return {}
    found = yaml.safe_load(file.read_text("utf-8"))
    return found if isinstance(found, dict) else {}
