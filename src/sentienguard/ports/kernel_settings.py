"""Read and change a setting of the kernel, named as sysctl names it.

Called by stages.execute (step `kernel`). Offered by adapters.local_host.kernel_settings and by
simulated hosts. Which ones may be named stands in playbook.server_kinds.
"""

from typing import Protocol

from sentienguard.model import errors


class SettingUnknown(errors.Rejected):
    """This kernel has no such setting, or its module is not loaded."""


class SettingRefused(errors.Unavailable):
    """The kernel did not take the value."""


class KernelSettings(Protocol):
    """The settings of one host's kernel."""

    def value(self, name: str) -> int:
        """Return it. Raises SettingUnknown."""

    def change(self, name: str, value: int) -> None:
        """Set it, and look whether the kernel took it. Raises SettingUnknown, SettingRefused."""
