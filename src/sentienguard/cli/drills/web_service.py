"""A small real HTTP service for drills.

    python -m sentienguard.cli.drills.web_service --config FILE

Started by `sentienguard up --drills`, and by an agent that restarts it. Standard library only, so
that it starts quickly.

    GET /health  200 while the file `dependency` exists, else 503 and a line in the log
    GET /        the name of the service

The configuration file holds `key = value` lines: name, port, log_file, dependency, safe_mode (on:
the optional feature that needs the dependency is switched off, so health does not ask for it) and
require_dependency (always: safe mode makes no difference). It is read at the start and on SIGHUP.
"""

import argparse
import signal
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import FrameType

LOG_PAUSE_S = 1.0  # between two lines about the same trouble
KEYS = frozenset({"name", "port", "log_file", "dependency", "safe_mode", "require_dependency"})


class ConfigWrong(Exception):
    """The configuration file cannot be used; the message names the line."""


@dataclass(frozen=True, slots=True)
class Config:
    """What the configuration file says."""

    name: str
    port: int
    log_file: Path
    dependency: Path  # needed by the optional feature
    safe_mode: bool
    require_dependency: bool  # true: not even safe mode can do without it

    @property
    def needs_dependency(self) -> bool:
        """Tell whether health depends on the file."""
        return self.require_dependency or not self.safe_mode


def parse(text: str, origin: str) -> Config:
    """Read a configuration. Raises ConfigWrong."""
    values: dict[str, str] = {}
    for at, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        key, equals, value = line.partition("=")
        if not equals or key.strip() not in KEYS:
            raise ConfigWrong(f"{origin}:{at}: expected key = value with a known key, not {line!r}")
        values[key.strip()] = value.strip().strip('"')
    try:
        return Config(
            name=values["name"],
            port=int(values["port"]),
            log_file=Path(values["log_file"]),
            dependency=Path(values["dependency"]),
            safe_mode=values.get("safe_mode", "off") == "on",
            require_dependency=values.get("require_dependency", "normal") == "always",
        )
    except (KeyError, ValueError) as cause:
        raise ConfigWrong(f"{origin}: missing or wrong: {cause}") from cause


def render(values: Mapping[str, str]) -> str:
    """Write a configuration that `parse` reads."""
    return "".join(f"{key} = {value}\n" for key, value in values.items())


@dataclass
class Service:
    """The running service."""

    file: Path
    config: Config
    told: float = field(default=float("-inf"))  # monotonic time of the last line about trouble

    def health(self) -> int:
        """Return the status of /health."""
        if not self.config.needs_dependency or self.config.dependency.exists():
            return 200
        if time.monotonic() - self.told >= LOG_PAUSE_S:
            self.told = time.monotonic()
            missing = self.config.dependency.name
            self.log(f"ERROR health check failed: HTTP 503, the file {missing} is missing")
        return 503

    def log(self, line: str) -> None:
        """Add a line to the log file."""
        stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        with self.config.log_file.open("a", encoding="utf-8") as file:
            file.write(f"{stamp} {self.config.name} {line}\n")

    def reload(self, _number: int = 0, _frame: FrameType | None = None) -> None:
        """Read the configuration again; a wrong one leaves the old one standing."""
        try:
            self.config = parse(self.file.read_text("utf-8"), str(self.file))
        except (ConfigWrong, OSError) as error:
            self.log(f"ERROR not reloaded: {error}")
        else:
            self.log("reloaded")


def handler(service: Service) -> type[BaseHTTPRequestHandler]:
    """Return what answers requests for this service."""

    class Handler(BaseHTTPRequestHandler):
        timeout = 5  # seconds for a client to send its request

        def do_GET(self) -> None:
            """Answer /health and /."""
            status = {"/": 200, "/health": 200}.get(self.path, 404)
            if self.path == "/health":
                status = service.health()
            body = f"{service.config.name}: {status}\n".encode()
            self.send_response(status)
            self.send_header("Content-Type", "text/plain; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002  # its name
            """Keep quiet about each request."""

    return Handler


def main() -> int:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser(description="A small real HTTP service for drills.")
    parser.add_argument("--config", type=Path, required=True)
    file: Path = parser.parse_args().config
    try:
        service = Service(file, parse(file.read_text("utf-8"), str(file)))
        server = ThreadingHTTPServer(("127.0.0.1", service.config.port), handler(service))
    except (ConfigWrong, OSError) as error:
        print(f"drill service: {error}", file=sys.stderr)
        return 1
    server.daemon_threads = True

    def end(_number: int, _frame: FrameType | None) -> None:
        threading.Thread(target=server.shutdown, daemon=True).start()  # it waits for this thread

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGHUP, service.reload)
    service.log(f"started, safe_mode {'on' if service.config.safe_mode else 'off'}")
    with server:
        server.serve_forever(poll_interval=0.1)
    service.log("stopped")
    return 0


if __name__ == "__main__":
    sys.exit(main())
