"""Units of systemd: which have failed, and what became of the others.

Gives systemd.units_failed, and systemd.unit_failed (1; 0 once it has recovered) of those that
failed. What changes is told in lines of the source `systemd`: a unit that fails, a job that timed
out or was not begun, a service that is started again by itself are trouble; a unit that starts or
stops is told without alarm. Signals say it at once; the list of failed units, asked for with every
sample, says what a signal did not.

A signal counts if the process sent it that owns the name of systemd on the bus: anybody may send
signals to anybody.
"""

import re
from collections.abc import Mapping
from typing import Any

from sentienguard.agent import collectors
from sentienguard.agent.collectors import logs
from sentienguard.agent.collectors.systemd import connection, wire
from sentienguard.stages.observe import redact

SYSTEM_BUS = "/run/dbus/system_bus_socket"
SOURCE = "systemd"
MOST_UNITS = 2000  # whose state is remembered
MOST_NAMED = 32  # failed units with a series of their own
MOST_LINES = 200  # of one sample
PATIENCE = 6  # samples for which an answer is waited
_SYSTEMD = "org.freedesktop.systemd1"
_MANAGER = f"{_SYSTEMD}.Manager"
_ROOT = "/org/freedesktop/systemd1"
_PROPERTIES = "org.freedesktop.DBus.Properties"
_TOLD = (".service", ".mount", ".automount", ".swap", ".socket", ".timer", ".path")
_ESCAPED = re.compile(rb"_([0-9a-f]{2})")
_BAD_ENDS = {
    "timeout": "timed out",
    "dependency": "was not begun: what it needs failed",
    "failed": "failed",
}
_LIST = wire.Method(_SYSTEMD, _ROOT, _MANAGER, "ListUnitsFiltered")
_SUBSCRIBE = wire.Method(_SYSTEMD, _ROOT, _MANAGER, "Subscribe")
_SIGNALS = (
    f"sender='{_SYSTEMD}',interface='{_PROPERTIES}',arg0='{_SYSTEMD}.Unit'",
    f"sender='{_SYSTEMD}',interface='{_MANAGER}',member='JobRemoved'",
    f"sender='{connection.BUS}',member='NameOwnerChanged',arg0='{_SYSTEMD}'",
)


class Units:
    """Keeps a connection to the bus, and the last state of each unit that was told of."""

    name = "systemd"
    spare = False

    def __init__(self, bus: str = SYSTEM_BUS) -> None:
        """Connect at the first sample, and again whenever the connection was lost."""
        self.changes = Changes()
        self._bus = bus
        self._open: connection.Connection | None = None
        self._owner = ""  # unique name of systemd on the bus; empty: not known yet
        self._owner_asked = 0
        self._failed_asked = 0  # serials of calls under way; 0: none
        self._waited = 0
        self._failed: frozenset[str] | None = None  # None: not answered yet
        self._named: dict[str, None] = {}  # units with a series
        self._states: dict[str, str] = {}

    def close(self) -> None:
        """Leave the bus."""
        self._forget()

    def prepare(self) -> None:
        """Ask for the failed units; the answer is read with the sample. Raises OSError."""
        try:
            if self._open is None:
                self._connect()
            elif self._owner and not self._failed_asked:
                self._ask()
            elif self._failed_asked or self._owner_asked:
                self._waited += 1
                self._require_patience()
        except connection.Lost:
            self._forget()
            raise

    def read(self, into: collectors.Reading) -> None:
        """Add how many units failed, and keep what changed. Raises OSError."""
        if self._open is None:
            return
        try:
            for message in self._open.messages():
                self._take(message)
        except (connection.Lost, wire.Malformed) as error:
            self._forget()
            raise OSError(str(error)) from error
        if self._failed is not None:
            into.values["systemd.units_failed", ""] = len(self._failed)
            for unit in self._named:
                into.values["systemd.unit_failed", redact.printable(unit)[:256]] = int(
                    unit in self._failed
                )

    def _require_patience(self) -> None:
        if self._waited > PATIENCE:
            raise connection.Lost("systemd did not answer over D-Bus; connecting again")

    def _connect(self) -> None:
        try:
            self._open = connection.Connection(self._bus)
        except OSError:
            return  # no bus: no failure
        self._owner_asked = self._call_bus("GetNameOwner", _SYSTEMD)
        for signal in _SIGNALS:
            self._call_bus("AddMatch", f"type='signal',{signal}")

    def _call_bus(self, member: str, argument: str) -> int:
        return self._open.call(connection.of_bus(member), argument) if self._open else 0

    def _ask(self) -> None:
        if self._open is not None:
            self._waited = 0
            self._failed_asked = self._open.call(_LIST, ["failed"])

    def _forget(self) -> None:
        if self._open is not None:
            self._open.close()
        self._open, self._owner, self._failed = None, "", None
        self._owner_asked = self._failed_asked = self._waited = 0

    def _take(self, message: wire.Message) -> None:
        if message.sender == connection.BUS:
            self._take_from_bus(message)
        elif message.sender and message.sender == self._owner:
            if message.kind == wire.SIGNAL:
                self._take_signal(message)
            elif message.reply_to and message.reply_to == self._failed_asked:
                self._take_failed(message)

    def _take_from_bus(self, message: wire.Message) -> None:
        if message.reply_to and message.reply_to == self._owner_asked:
            self._owner_asked = self._waited = 0
            if message.kind == wire.METHOD_RETURN and self._open is not None:
                self._owner = _text(message.values(), 0)
                self._open.call(_SUBSCRIBE)
                self._ask()
        elif message.reply_to and message.reply_to == self._failed_asked:
            self._failed_asked = 0  # systemd has gone; the signal of its name says the rest
        elif message.kind == wire.SIGNAL and message.member == "NameOwnerChanged":
            self._owner = ""
            self._failed = None
            self._failed_asked = 0
            self._owner_asked = self._call_bus("GetNameOwner", _SYSTEMD)

    def _take_failed(self, message: wire.Message) -> None:
        self._failed_asked = self._waited = 0
        if message.kind != wire.METHOD_RETURN:
            raise OSError(f"systemd did not list its units: {message.error[:100]}")
        values = message.values()
        rows = values[0] if values and isinstance(values[0], list) else []
        failed = {_text(row, 0): _text(row, 4) for row in rows if isinstance(row, tuple)}
        known = self._failed
        self._failed = frozenset(failed)
        self._named |= dict.fromkeys(sorted(failed))
        while len(self._named) > MOST_NAMED:
            healed = [unit for unit in self._named if unit not in self._failed]
            del self._named[healed[0] if healed else next(reversed(self._named))]
        for unit, sub in failed.items():
            if known is None:
                self._remember(unit, "failed")  # before us
            else:
                self._note(unit, "failed", sub)

    def _take_signal(self, message: wire.Message) -> None:
        if message.interface == _PROPERTIES and message.member == "PropertiesChanged":
            values = message.values()
            changed = _pairs(values, 1)
            active, sub = changed.get("ActiveState"), changed.get("SubState")
            if _text(values, 0) == f"{_SYSTEMD}.Unit" and isinstance(active, str):
                self._note(unit_of(message.path), active, sub if isinstance(sub, str) else "")
        elif message.interface == _MANAGER and message.member == "JobRemoved":
            values = message.values()
            unit, end = _text(values, 2), _text(values, 3)
            if end in _BAD_ENDS and self._states.get(unit) != "failed":
                self.changes.add(f"{unit}: a job of it {_BAD_ENDS[end]}", "error")

    def _note(self, unit: str, active: str, sub: str) -> None:
        """Tell of a state that is not the one that was told last."""
        state = "restarting" if sub == "auto-restart" else active
        if state not in _SAID or not unit.endswith(_TOLD) or self._states.get(unit) == state:
            return
        self._remember(unit, state)
        said, level = _SAID[state]
        self.changes.add(f"{unit} {said}" + (f" ({sub})" if sub else ""), level)

    def _remember(self, unit: str, state: str) -> None:
        self._states.pop(unit, None)
        self._states[unit] = state
        if len(self._states) > MOST_UNITS:
            del self._states[next(iter(self._states))]


_SAID: Mapping[str, tuple[str, str]] = {
    "failed": ("failed", "error"),
    "restarting": ("ended and is started again", "warning"),
    "active": ("is active", "info"),
    "inactive": ("is inactive", "info"),
}


class Changes:
    """A source of log lines: what became of units since the last sample that was kept."""

    def __init__(self) -> None:
        """Begin with nothing to say."""
        self._waiting: list[logs.Line] = []
        self._skipped = 0
        self._read = 0

    def add(self, text: str, level: str) -> None:
        """Keep one change; of more than `MOST_LINES`, the newest."""
        self._waiting.append(logs.Line(SOURCE, text.encode(errors="replace"), level))
        if len(self._waiting) > MOST_LINES:
            del self._waiting[0]
            self._skipped += 1
            self._read = max(self._read - 1, 0)

    def read(self) -> logs.News:
        """Return the changes."""
        self._read = len(self._waiting)
        return logs.News(lines=list(self._waiting), skipped_lines=self._skipped)

    def commit(self) -> bool:
        """Forget what was sent; nothing is written down, the bus tells nothing twice."""
        del self._waiting[: self._read]
        self._read = self._skipped = 0
        return False


def unit_of(path: str) -> str:
    """Return the name of the unit of an object: `.../unit/nginx_2eservice` is nginx.service."""
    name = path.rpartition("/")[2].encode(errors="replace")
    return _ESCAPED.sub(lambda found: bytes([int(found[1], 16)]), name).decode(errors="replace")


def _text(values: Any, index: int) -> str:
    """Return a text of what was sent; empty where there is none."""
    found = values[index] if len(values) > index else ""
    return found if isinstance(found, str) else ""


def _pairs(values: tuple[Any, ...], index: int) -> dict[str, Any]:
    found = values[index] if len(values) > index else []
    if not isinstance(found, list):
        return {}
    return {one[0]: one[1] for one in found if isinstance(one, tuple) and len(one) == 2}  # noqa: PLR2004 - a pair
