"""Run a PostgreSQL server for tests: real, fresh, on loopback, gone afterwards.

    with postgresql.running() as server:
        url = server.new_database()

The server runs as an unprivileged user in a temporary directory, without fsync (nobody cuts its
power; `durable` is for measuring), and is stopped by its process id, after a failure too. Skip
where `missing()` is not None.
"""

import contextlib
import os
import pathlib
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping

import psycopg

START_S = 60  # a loaded machine needs some of it
STOP_S = 10  # after that it is killed
BY_FILE = 150_000  # the release that is told how to copy a database
USER = "sentienguard"


def binaries() -> pathlib.Path | None:
    """Return the directory of initdb and postgres: as told, the newest of Debian's, or on PATH.

    Told by SENTIENGUARD_TEST_POSTGRESQL, for a server with an extension that Debian's has not.
    """
    if told := os.environ.get("SENTIENGUARD_TEST_POSTGRESQL"):
        return pathlib.Path(told)
    debian = pathlib.Path("/usr/lib/postgresql").glob("*/bin/initdb")
    newest = max(debian, key=lambda initdb: int(initdb.parts[-3]), default=None)
    found = newest or shutil.which("initdb")
    return pathlib.Path(found).parent if found else None


def missing() -> str | None:
    """Say why no server can run here; None where one can."""
    if binaries() is None:
        return "PostgreSQL is not installed (as root: apt-get install postgresql)"
    return None


class Server:
    """One server and its data directory; a stopped one can be started again with its data."""

    def __init__(
        self,
        place: pathlib.Path,
        *,
        durable: bool = False,
        settings: Mapping[str, str] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._sync = "on" if durable else "off"
        self._settings = settings or {}
        self._environment = environment or {}
        self._place = place
        self._password = secrets.token_hex(16)
        self._port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._user = _unprivileged()
        if self._user is not None:
            os.chown(place, self._user.pw_uid, self._user.pw_gid)

    @property
    def address(self) -> str:
        """Return where it listens, host:port."""
        return f"127.0.0.1:{self._port}"

    @property
    def password(self) -> str:
        """Return the administrator's."""
        return self._password

    @property
    def start_command(self) -> tuple[str, ...]:
        """Return argv that starts it, as the user that it runs as, also for root."""
        directory = binaries()
        assert directory is not None, missing()
        user = self._user
        drop = () if user is None else (
            "/usr/bin/setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}",
            "--clear-groups",
        )  # fmt: skip
        return (*drop, str(directory / "postgres"), *self._arguments())

    def crash(self) -> None:
        """Kill the postmaster; its children notice and end."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        self._process = None

    def adopt(self, pid: int) -> None:
        """Stop a server of this data directory that somebody else started."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGINT)
        deadline = time.monotonic() + STOP_S
        while pathlib.Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
            time.sleep(0.05)

    @property
    def data(self) -> pathlib.Path:
        """Return its data directory."""
        return self._place / "data"

    def url(self, database: str = "postgres") -> str:
        """Return the URL of a database."""
        return f"postgresql://{USER}:{self._password}@127.0.0.1:{self._port}/{database}"

    def create(self) -> None:
        """Make the data directory."""
        password_file = self._place / "password"
        password_file.write_text(self._password)
        if self._user is not None:
            os.chown(password_file, self._user.pw_uid, self._user.pw_gid)
        initdb = self._spawn(
            "initdb", "--no-sync", "--encoding=UTF8", "--locale=C.UTF-8", "--auth=scram-sha-256",
            f"--username={USER}", f"--pwfile={password_file}", f"--pgdata={self._place / 'data'}",
        )  # fmt: skip
        if initdb.wait(timeout=START_S) != 0:
            raise RuntimeError(f"initdb failed:\n{self._log()}")

    def _arguments(self) -> tuple[str, ...]:
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self._port),
            "unix_socket_directories": "",
            "fsync": self._sync,
            "full_page_writes": self._sync,
            "max_connections": "100",
            "shared_buffers": "16MB",
            **self._settings,
        }
        given = (word for item in settings.items() for word in ("-c", "=".join(item)))
        return ("-D", str(self._place / "data"), *given)

    def start(self) -> None:
        """Start the server and wait until it answers."""
        self._process = self._spawn("postgres", *self._arguments())
        deadline = time.monotonic() + START_S
        while True:
            try:
                psycopg.connect(self.url(), connect_timeout=2).close()
            except psycopg.OperationalError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    self.stop()
                    raise RuntimeError(f"postgres did not start:\n{self._log()}") from None
                time.sleep(0.05)
            else:
                return

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop the server, cutting its connections (a fast shutdown, unless told)."""
        if self._process is None:
            return
        self._process.send_signal(how)
        try:
            self._process.wait(timeout=STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def execute(self, statement: str) -> None:
        """Run one statement as the administrator."""
        with contextlib.closing(psycopg.connect(self.url(), autocommit=True)) as connection:
            connection.execute(statement.encode())

    def new_database(self, like: str = "template1") -> str:
        """Make a database, empty or a copy of one that nobody uses now; return its URL."""
        name = f"t_{secrets.token_hex(6)}"
        with contextlib.closing(psycopg.connect(self.url(), autocommit=True)) as connection:
            # As before release 15: through the log it takes three times as long.
            by_file = "STRATEGY FILE_COPY" if connection.info.server_version >= BY_FILE else ""
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {like} {by_file}".encode())
        return self.url(name)

    def drop(self, url: str) -> None:
        """Remove a database, whoever is connected to it."""
        self.execute(f"DROP DATABASE {url.rpartition('/')[2]} WITH (FORCE)")

    def _spawn(self, program: str, *arguments: str) -> subprocess.Popen[bytes]:
        """Run one of its programs as the unprivileged user, its output going to a file."""
        directory = binaries()
        assert directory is not None, missing()
        user = self._user
        with (self._place / "log").open("ab") as log:
            return subprocess.Popen(
                [str(directory / program), *arguments],
                cwd=self._place,
                env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", **self._environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C at pytest is ours to pass on
                **({} if user is None else {"user": user.pw_uid, "group": user.pw_gid,
                                            "extra_groups": []}),
            )  # fmt: skip

    def _log(self) -> str:
        """Return the end of what its programs wrote."""
        return (self._place / "log").read_text(errors="replace")[-4000:]


@contextlib.contextmanager
def running(
    *,
    durable: bool = False,
    settings: Mapping[str, str] | None = None,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Server]:
    """Run a server for as long as the block lasts; a durable one waits for its disk."""
    place = pathlib.Path(tempfile.mkdtemp(prefix="sentienguard-postgresql-"))
    try:
        server = Server(place, durable=durable, settings=settings, environment=environment)
        server.create()
        try:
            server.start()
            yield server
        finally:
            server.stop(signal.SIGQUIT)  # at once: what it would still write is thrown away
    finally:
        shutil.rmtree(place)


def _unprivileged() -> pwd.struct_passwd | None:
    """Return whom to run as: PostgreSQL refuses root. None: as ourselves."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        return pwd.getpwnam("nobody")


def _free_port() -> int:
    """Return a port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
