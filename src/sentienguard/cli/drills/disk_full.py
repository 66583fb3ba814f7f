"""The volume runs full of old rotated logs, beside files that must survive."""

import hashlib
import os
import time
from collections.abc import Mapping
from pathlib import Path

from sentienguard.cli.drills import drill
from sentienguard.cli.installation import sandbox as sandboxes

DAY_S = 86_400
OLD_S = 10 * DAY_S
FULL_PERCENT = 95.0  # where a volume counts as full, as in stages.detect.limits
HEALTHY_PERCENT = 80.0  # below which the remedy has to bring it
BLOCK = bytes(range(256)) * 256  # 64 KiB that are no hole


class DiskFull:
    """Fill the drill volume above 95 %."""

    name = "disk-full"
    description = (
        "A volume of 64 MiB fills up with rotated logs of ten days ago; the old logs have to go, "
        "the young log, the audit log and the database stay."
    )
    expected = drill.Expected(
        "resolved", "disk_cleanup_rotated_logs", "resolved by disk_cleanup_rotated_logs"
    )

    def __init__(self, sandbox: sandboxes.Sandbox, *, percent: int = 97, files: int = 12) -> None:
        """Fill to `percent` with that many rotated logs."""
        self._sandbox = sandbox
        self._percent = drill.bounded("percent", percent, 96, 99)
        self._files = drill.bounded("files", files, 1, 100)
        self._logs = sandbox.volume / "logs"

    @property
    def symptom(self) -> drill.Symptom:
        """Return the use of the volume."""
        return drill.Symptom("system.disk_usage_percent", str(self._sandbox.volume))

    @property
    def _kept(self) -> dict[str, Path]:
        return {
            "the database": self._sandbox.volume / "customers.db",
            "the current log": self._logs / "app.log",
            "the log rotated today": self._logs / "app.log.0",
            "the audit log": self._logs / "audit.log.1",
        }

    def inject(self) -> str:
        """Write the files; the big ones in hidden names first, so that they appear at once."""
        self._logs.mkdir(parents=True, exist_ok=True)
        for place in self._kept.values():
            _write(place, 256 << 10, seed=place.name)
        _age(self._kept["the audit log"], OLD_S)
        _age(self._kept["the database"], OLD_S)
        missing = self._percent - self._sandbox.used_percent()
        size = int(missing / 100 * sandboxes.VOLUME_BYTES / self._files)
        for at in range(1, self._files + 1):
            log = self._logs / f"app.log.{at}"
            _write(log, size, seed=log.name)
            _age(log, OLD_S)
        return (
            f"{self._files} rotated logs of ten days ago, {size * self._files >> 20} MiB: "
            f"{self._sandbox.volume.name} is {self._sandbox.used_percent():.1f} % full"
        )

    def is_present(self) -> bool:
        """Measure the volume."""
        return self._sandbox.used_percent() >= FULL_PERCENT

    def is_gone(self) -> bool:
        """Measure the volume."""
        return self._sandbox.used_percent() < HEALTHY_PERCENT

    def facts(self) -> Mapping[str, str]:
        """Return the digests of what has to survive."""
        return {name: _digest(place) for name, place in self._kept.items()}

    def clean_up(self) -> None:
        """Remove every file of this drill."""
        for place in (*self._kept.values(), *self._logs.glob("app.log.*")):
            place.unlink(missing_ok=True)


def _write(place: Path, size: int, *, seed: str) -> None:
    head = f"{seed}\n".encode()
    with place.open("wb") as file:
        file.write(head)
        left = max(0, size - len(head))
        while left > 0:
            left -= file.write(BLOCK[: min(left, len(BLOCK))])


def _age(place: Path, seconds: int) -> None:
    then = time.time() - seconds
    os.utime(place, (then, then))


def _digest(place: Path) -> str:
    try:
        return hashlib.sha256(place.read_bytes()).hexdigest()[:16]
    except OSError as error:
        return f"gone ({error.strerror})"
