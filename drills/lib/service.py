"""A web service for drills. Standard library alone.

    service.py CONFIG PORT

    GET /health  200 while everything that it needs is there, else 503
    GET /        200

CONFIG holds `key = value` lines, read at the start and on SIGHUP:

    dependency = FILE   that health needs; with safe_mode = on it does without
    always = FILE       that health needs in any mode
    upstream = URL      that health asks, 2xx within a second
    refuse = yes        the program ends at once
    delay = SECONDS     before an answer of /health

SIGUSR1 makes it deadlock: it accepts and answers nothing. SIGUSR2 makes it leak descriptors until
none is left.
"""

# ruff: noqa: INP001, TID251 - a program of its own, which may wait

import http.server
import os
import pathlib
import signal
import sys
import threading
import time
import urllib.request

STUCK = threading.Event()
LEAKED = []
SETTINGS = {}


def load(*_: object) -> None:
    """Read the settings."""
    lines = pathlib.Path(sys.argv[1]).read_text().splitlines()
    pairs = (line.partition("=") for line in lines if "=" in line and not line.startswith("#"))
    SETTINGS.clear()
    SETTINGS.update((key.strip(), value.strip().strip('"')) for key, _, value in pairs)


def well() -> bool:
    """Look whether everything is there that is needed."""
    time.sleep(float(SETTINGS.get("delay", 0)))
    needed = [SETTINGS.get("always")]
    if SETTINGS.get("safe_mode") != "on":
        needed.append(SETTINGS.get("dependency"))
    if any(file and not pathlib.Path(file).exists() for file in needed):
        return False
    if "upstream" in SETTINGS:
        try:
            urllib.request.urlopen(SETTINGS["upstream"], timeout=1).close()  # noqa: S310 - ours
        except OSError:
            return False
    return True


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers."""

    def do_GET(self) -> None:
        """Answer / and /health."""
        while STUCK.is_set():
            time.sleep(1)
        self.send_response(200 if self.path != "/health" or well() else 503)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Keep quiet about each request."""


def leak(*_: object) -> None:
    """Open files until there is no descriptor left."""
    try:
        while True:
            LEAKED.append(os.open("/dev/null", os.O_RDONLY))
    except OSError:
        pass


load()
if SETTINGS.get("refuse") == "yes":
    sys.exit("refusing to start, as configured")
signal.signal(signal.SIGHUP, load)
signal.signal(signal.SIGUSR1, lambda *_: STUCK.set())
signal.signal(signal.SIGUSR2, leak)
server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2])), Handler)
server.daemon_threads = True
server.serve_forever(poll_interval=0.1)
