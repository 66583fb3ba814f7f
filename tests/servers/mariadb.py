"""Run a MariaDB for tests: on loopback and a Unix socket, without syncs, gone afterwards."""

import contextlib
import pathlib
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tests.servers import programs

NAMES = ("mariadbd", "/usr/sbin/mariadbd")
PASSWORD = "correct horse"
USER = "watcher"


@dataclass(frozen=True)
class Server:
    """Where a running server is."""

    address: str  # host:port
    socket: str

    def execute(self, statement: str) -> str:
        """Run a statement as its administrator; return what it printed."""
        return subprocess.run(
            ["mariadb", f"--socket={self.socket}", "-uroot", "-N", "-e", statement],
            check=True, capture_output=True, text=True,
        ).stdout  # fmt: skip


def missing() -> str | None:
    """Say why no MariaDB can run here; None where one can."""
    return programs.missing(NAMES, "mariadb-server")


@contextlib.contextmanager
def running(
    place: pathlib.Path, *settings: str, environment: Mapping[str, str] | None = None
) -> Iterator[Server]:
    """Run a MariaDB with the user `watcher` until the block ends."""
    data, socket, port = place / "data", place / "s", programs.free_port()
    subprocess.run(
        [
            *("mariadb-install-db", "--no-defaults", f"--datadir={data}", "--user=nobody"),
            *("--auth-root-authentication-method=normal", "--skip-test-db"),
        ],
        check=True,
        capture_output=True,
    )
    argv = [
        *(programs.found(NAMES) or NAMES[0], "--no-defaults", f"--datadir={data}"),
        *(f"--socket={socket}", f"--port={port}", "--bind-address=127.0.0.1"),
        *(f"--pid-file={place / 'pid'}", "--innodb-flush-log-at-trx-commit=0"),
        *("--innodb-buffer-pool-size=16M", "--max-connections=40"),
        *(settings or ("--skip-log-bin",)),
    ]
    with programs.running(
        argv, place, lambda: programs.listens(port), user="nobody", environment=environment
    ):
        server = Server(f"127.0.0.1:{port}", str(socket))
        server.execute(
            f"CREATE USER {USER}@localhost IDENTIFIED BY '{PASSWORD}';"
            f"CREATE USER {USER}@'127.0.0.1' IDENTIFIED BY '{PASSWORD}';"
            f"GRANT PROCESS, SLAVE MONITOR ON *.* TO {USER}@localhost, {USER}@'127.0.0.1';"
        )
        yield server
