"""The kill switch, silences and maintenance in memory.

Called by `centre`; `permitted` looks at the truth of the freeze. `database` has the rules of all
stores.
"""

import dataclasses
from collections.abc import Sequence
from datetime import datetime

from sentienguard.model.window import Purpose, Window, WindowId
from sentienguard.ports.switches import Freeze, NoSuchWindow
from sentienguard.simulation.stores.database import Database


class KillSwitch:
    """A ports.switches.Switches."""

    def __init__(self, database: Database) -> None:
        """Begin with everything on."""
        self._database = database
        self._freeze: Freeze | None = None
        self._windows: dict[WindowId, Window] = {}

    @property
    def frozen_in_truth(self) -> bool:
        """Tell whether the freeze stands, whoever can read it now."""
        return self._freeze is not None

    def freeze(self) -> Freeze | None:
        """Return the freeze that stands, if one does."""
        self._database.read()
        return self._freeze

    def set_freeze(self, freeze: Freeze | None) -> None:
        """Set or clear the kill switch."""
        self._database.write("freeze")
        self._freeze = freeze

    def add_window(self, window: Window) -> None:
        """Keep a window; the same id again changes nothing."""
        self._database.write("window")
        self._windows.setdefault(window.id, window)

    def window(self, window: WindowId) -> Window:
        """Return one, also after its end. Raises NoSuchWindow."""
        self._database.read()
        if window not in self._windows:
            message = f"no silence or maintenance is called {window!r}"
            raise NoSuchWindow(message)
        return self._windows[window]

    def windows(
        self, purpose: Purpose, *, at: datetime, ended_too: bool = False
    ) -> Sequence[Window]:
        """Return those that have not ended by then, by when they begin; or all, newest first."""
        self._database.read()
        found = sorted(
            (one for one in self._windows.values() if one.purpose is purpose),
            key=lambda one: (one.starts_at, one.id),
        )
        if ended_too:
            return tuple(reversed(found))
        return tuple(one for one in found if one.ends_at > at)

    def end_window(self, window: WindowId, *, at: datetime) -> Window:
        """End one then, if it would end later, and return it as it is. Raises NoSuchWindow."""
        found = self.window(window)
        if found.ends_at > at:
            self._database.write("window")
            self._windows[window] = dataclasses.replace(found, ends_at=at)
        return self._windows[window]
