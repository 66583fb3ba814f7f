"""Settings of this machine's kernel, through /proc/sys."""

from pathlib import Path

from sentienguard.ports import kernel_settings

PLACE = Path("/proc/sys")
_TRACKED, _TABLE = "net.netfilter.nf_conntrack_count", "net.netfilter.nf_conntrack_max"


class LocalKernel:
    """A ports.kernel_settings.KernelSettings."""

    def __init__(self, place: Path = PLACE) -> None:
        """Take where the settings are; tests bring a directory of their own."""
        self._place = place

    def value(self, name: str) -> int:
        """Read it; see the port."""
        try:
            return int(self._file(name).read_text("ascii"))
        except (OSError, ValueError) as error:
            raise kernel_settings.SettingUnknown(
                f"this kernel has no setting {name}, or its module is not loaded"
            ) from error

    def change(self, name: str, value: int) -> None:
        """Write it and look; see the port."""
        self.value(name)
        try:
            self._file(name).write_text(f"{value}\n", "ascii")
        except OSError as error:
            raise kernel_settings.SettingRefused(f"{name}: {error.strerror}") from error
        if (now := self.value(name)) != value:
            raise kernel_settings.SettingRefused(
                f"{name} is {now}, the kernel did not take {value}"
            )

    def conntrack_percent(self) -> float:
        """Return how full the table of tracked connections is. Raises SettingUnknown."""
        return 100 * self.value(_TRACKED) / max(1, self.value(_TABLE))

    def _file(self, name: str) -> Path:
        return self._place.joinpath(*name.split("."))
