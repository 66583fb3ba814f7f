"""Declared services: is the process there, does it answer, how fast.

Gives service.up (1 or 0), service.healthy (1 or 0), service.http_status (0: no answer) and
service.http_ms by service; the latter three where the owner declared a health_url, http_ms where it
answered. A check runs in a thread of its
own, started ahead of the sample, and has `LIMIT_S` in all. One that waits for longer counts as
unhealthy, and no second one is started beside it: a hung service delays nothing. Until then the
check before it still counts.

A certificate of a health_url is not verified: the question is whether it answers.
"""

import socket
import ssl
import threading
import time
import urllib.parse

from sentienguard.agent import collectors, settings

LIMIT_S = 2.0  # for connecting, sending and the first line of the answer together
_LONGEST = 4096  # bytes of an answer in which its first line must end
_SUCCESS = b"2"


class Services:
    """Keeps the newest check of each service."""

    name = "services"
    spare = False  # what an order is about has to be seen at once

    def __init__(self, services: tuple[settings.Service, ...]) -> None:
        self._services = services
        self._checks: dict[str, Check] = {}
        self._settled: dict[str, Check] = {}  # the newest of each that has ended

    def prepare(self) -> None:
        """Start a check of each service that has a health_url and none under way."""
        for service in self._services:
            check = self._checks.get(service.name)
            if service.health_url is not None and (check is None or not check.waiting):
                self._checks[service.name] = Check(service.health_url)

    def read(self, into: collectors.Reading) -> None:
        """Add what is known now; waits for nothing."""
        for service in self._services:
            into.values["service.up", service.name] = int(alive(service.pid_file))
            check = self._newest(service.name)
            if check is None:
                continue
            into.values["service.healthy", service.name] = int(check.healthy)
            into.values["service.http_status", service.name] = check.status
            if check.milliseconds is not None:
                into.values["service.http_ms", service.name] = check.milliseconds

    def _newest(self, name: str) -> "Check | None":
        check = self._checks.get(name)
        if check is None or (check.waiting and not check.overdue):
            return self._settled.get(name)
        self._settled[name] = check
        return check


def alive(pid_file: str) -> bool:
    """Tell whether the process in the first line of a pid file exists and is not a zombie."""
    try:
        with open(pid_file, "rb") as file:  # noqa: PTH123 - a path object costs more than the read
            pid = int(file.readline(32))  # PostgreSQL writes more lines below
        with open(f"/proc/{pid}/stat", "rb") as file:  # noqa: PTH123 - as above
            stat = file.read(1024)
    except (OSError, ValueError):
        return False
    return stat[stat.rfind(b")") + 2 :][:1] not in {b"Z", b"X", b""}


class Check:
    """One GET, in a thread of its own."""

    def __init__(self, url: str) -> None:
        self._url = urllib.parse.urlsplit(url)
        self._began = time.monotonic()
        self.healthy = False  # stays so until an answer of 200 to 299 came
        self.status = 0  # stays so until an answer came in time
        self.milliseconds: float | None = None  # None: no answer yet, or none at all
        self._thread = threading.Thread(target=self._run, name="health", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> bool:
        """Tell whether the service may still answer."""
        return self._thread.is_alive()

    @property
    def overdue(self) -> bool:
        """Tell whether an answer would come too late."""
        return time.monotonic() - self._began >= LIMIT_S

    def _run(self) -> None:
        try:
            status = self._status()
        except (OSError, ValueError):
            return
        if not self.overdue:
            self.milliseconds = round((time.monotonic() - self._began) * 1000, 1)
            self.status = int(status)
            self.healthy = status.startswith(_SUCCESS)

    def _left(self) -> float:
        left = self._began + LIMIT_S - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left

    def _status(self) -> bytes:
        """Return the status of the answer, three digits. Raises OSError or ValueError."""
        secure = self._url.scheme == "https"
        host, port = self._url.hostname or "", self._url.port or (443 if secure else 80)
        plain = socket.create_connection((host, port), timeout=self._left())
        with _wrap(plain) if secure else plain as connection:
            connection.sendall(self._request())
            answer = b""
            while b"\n" not in answer:
                connection.settimeout(self._left())
                part = connection.recv(_LONGEST)
                if not part or len(answer) > _LONGEST:
                    raise ValueError("no status line")
                answer += part
        fields = answer.split(b"\n", 1)[0].split()
        if len(fields) < 2 or not fields[0].startswith(b"HTTP/") or len(fields[1]) != 3:  # noqa: PLR2004 - HTTP/1.1 200
            raise ValueError("not HTTP")
        return fields[1]

    def _request(self) -> bytes:
        target = urllib.parse.quote(self._url.path or "/", safe="/%:@!$&'()*+,;=~-._")
        query = f"?{self._url.query}" if self._url.query else ""
        lines = (f"GET {target}{query} HTTP/1.1", f"Host: {self._url.netloc}", "Connection: close")
        return ("\r\n".join(lines) + "\r\n\r\n").encode()


def _wrap(connection: socket.socket) -> ssl.SSLSocket:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context.wrap_socket(connection)
