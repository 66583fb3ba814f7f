"""Keep the kill switch, the silences and the maintenance windows.

Called by controlplane (intake, api) and flow (deciding, dispatch). Offered by adapters.sql_store.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sentienguard.model import errors
from sentienguard.model.window import Purpose, Window, WindowId


class NoSuchWindow(errors.Rejected):
    """No silence or maintenance has this id."""

    @classmethod
    def called(cls, window: str) -> "NoSuchWindow":
        """Return what is said alike of one that is not there and of one that may not be seen."""
        return cls(f"no silence or maintenance is called {window[:80]!a}; list them to find its id")


@dataclass(frozen=True, slots=True)
class Freeze:
    """Nothing runs while this stands."""

    by: str
    at: datetime
    reason: str


class Switches(Protocol):
    """What people have switched off."""

    def freeze(self) -> Freeze | None:
        """Return the freeze that stands, if one does."""

    def set_freeze(self, freeze: Freeze | None) -> None:
        """Set or clear the kill switch."""

    def add_window(self, window: Window) -> None:
        """Keep a window; the same id again changes nothing."""

    def window(self, window: WindowId) -> Window:
        """Return one, also after its end. Raises NoSuchWindow."""

    def windows(
        self, purpose: Purpose, *, at: datetime, ended_too: bool = False
    ) -> Sequence[Window]:
        """Return those that have not ended by then, by when they begin; or all, newest first."""

    def end_window(self, window: WindowId, *, at: datetime) -> Window:
        """End one then, if it would end later, and return it as it is. Raises NoSuchWindow."""
