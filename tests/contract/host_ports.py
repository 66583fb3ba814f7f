"""The hosts that the contracts of the host ports run on, by name.

A host is made in a directory of its own and gives one port each. The simulated host of a later
release joins `MAKERS` and passes the same tests.
"""

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from sentienguard.adapters.execution_journal_files import journal
from sentienguard.adapters.local_host import (
    clock,
    command_runner,
    facts,
    files,
    http_probe,
    interrupt,
    log_reader,
    processes,
    services,
    systemd,
)

SERVER = """
import http.server, signal, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(int(self.path.strip("/") or 200)); self.end_headers()
    do_POST = do_HEAD = do_GET
    def log_message(self, *_): pass
if "--deaf" in sys.argv: signal.signal(signal.SIGTERM, signal.SIG_IGN)
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


@dataclass
class Host:
    directory: Path
    clock: object
    commands: object
    facts: object
    files: object
    http: object
    interrupt: Callable[[], object]
    logs: object
    processes: object
    services: object
    journal: Callable[[], object]
    volume: Path
    port: int


def local(directory: Path, port: int) -> Host:
    volume = directory / "volume"
    volume.mkdir()
    (directory / "server.py").write_text(SERVER)
    probe = http_probe.LoopbackProbe()
    runner = command_runner.LocalCommands()
    table = processes.LocalProcesses()
    watched = files.LocalFiles({str(volume): 1_000_000})

    def declared(name: str, *more: str) -> services.Declared:
        return services.Declared(
            name=name,
            start=(sys.executable, str(directory / "server.py"), str(port), *more),
            pid_file=directory / f"{name}.pid",
            health_url=f"http://127.0.0.1:{port}/",
            log_file=directory / f"{name}.log",
            config_file=directory / f"{name}.conf",
        )

    known = services.LocalServices(
        {
            "web": declared("web"),
            "deaf": declared("deaf", "--deaf"),
            "broken": services.Declared("broken", ("/bin/false",), directory / "broken.pid"),
            "absent": services.Declared("absent", ("/no/such/program",), directory / "absent.pid"),
        },
        directory / "state",
        probe,
        systemd.Systemd(runner),
    )
    return Host(
        directory=directory,
        clock=clock.LocalClock(),
        commands=runner,
        facts=facts.LocalFacts(watched, known, table, probe),
        files=watched,
        http=probe,
        interrupt=interrupt.LocalInterrupt,
        logs=log_reader.LocalLogs(),
        processes=table,
        services=known,
        journal=lambda: journal.JournalFile(directory / "journal.log"),
        volume=volume,
        port=port,
    )


MAKERS: Mapping[str, Callable[[Path, int], Host]] = {"local": local}
OWN_PID = os.getpid()
