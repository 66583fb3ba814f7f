"""Whether addresses answer that the owner names, on this host or beyond.

Gives probe.up (1 or 0), probe.ms where it answered and, for http and https, probe.status (0: no
answer), by probe. A probe is `http://host:port/path`, `https://...` or `tcp://host:port`; it is up
where it answers 2xx or 3xx, or where the connection opens. It runs ahead of the sample like a
service's health check, in a thread of its own within `services.LIMIT_S`.
"""

import socket
import threading
import time
import urllib.parse
from collections.abc import Mapping
from typing import Protocol

from sentienguard.agent import collectors
from sentienguard.agent.collectors import services

_FIRST_GOOD, _FIRST_BAD = 200, 400


class _Run(Protocol):
    """One attempt."""

    milliseconds: float | None

    @property
    def waiting(self) -> bool: ...

    @property
    def overdue(self) -> bool: ...


class Probes:
    """Keeps the newest attempt of each probe."""

    name = "probes"
    spare = True

    def __init__(self, probes: Mapping[str, str]) -> None:
        """Take addresses by name."""
        self._probes = probes
        self._runs: dict[str, _Run] = {}

    def prepare(self) -> None:
        """Start an attempt at each, unless one is under way."""
        for name, address in self._probes.items():
            run = self._runs.get(name)
            if run is None or not run.waiting:
                self._runs[name] = _start(address)

    def read(self, into: collectors.Reading) -> None:
        """Add what is known now; waits for nothing."""
        for name, run in self._runs.items():
            if run.waiting and not run.overdue:
                continue  # the next sample tells
            if isinstance(run, services.Check):
                into.values["probe.status", name] = run.status
                up = _FIRST_GOOD <= run.status < _FIRST_BAD
            else:
                up = run.milliseconds is not None
            into.values["probe.up", name] = int(up)
            if run.milliseconds is not None:
                into.values["probe.ms", name] = run.milliseconds


def _start(address: str) -> _Run:
    if address.startswith("tcp://"):
        return _Connection(address)
    return services.Check(address)


class _Connection:
    """One connection, in a thread of its own."""

    def __init__(self, address: str) -> None:
        parts = urllib.parse.urlsplit(address)
        self._place = (parts.hostname or "", parts.port or 0)
        self._began = time.monotonic()
        self.milliseconds: float | None = None  # None: not open yet, or refused
        self._thread = threading.Thread(target=self._run, name="probe", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> bool:
        return self._thread.is_alive()

    @property
    def overdue(self) -> bool:
        return time.monotonic() - self._began >= services.LIMIT_S

    def _run(self) -> None:
        try:
            socket.create_connection(self._place, timeout=services.LIMIT_S).close()
        except OSError:
            return
        if not self.overdue:
            self.milliseconds = round((time.monotonic() - self._began) * 1000, 1)
