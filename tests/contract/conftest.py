"""Fixtures of the contracts: stores on SQLite (PostgreSQL is in integration), hosts by name."""

import os
import pathlib
import signal
import socket
from collections.abc import Iterator

import pytest

pytest.register_assert_rewrite(
    *(
        f"tests.contract.stores_{cases}_cases"
        for cases in (
            "access",
            "agent",
            "alert",
            "care",
            "emergency",
            "figures",
            "host_list",
            "incident",
            "order",
            "people",
        )
    ),
    "tests.contract.audit_log_cases",
)

from sentienguard.adapters.sql_store import Database, open_database  # noqa: E402  # after the rewrite
from tests.contract import host_ports  # noqa: E402
from tests.support import tables  # noqa: E402


@pytest.fixture
def url(tmp_path: pathlib.Path) -> str:
    return tables.in_file(tmp_path / "store.sqlite")


@pytest.fixture
def empty_url(tmp_path: pathlib.Path) -> str:
    """Return the URL of a database without tables."""
    return f"sqlite:///{tmp_path / 'empty.sqlite'}"


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    opened = open_database(url)
    yield opened
    opened.close()


@pytest.fixture(params=host_ports.WHOLE)
def host(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> Iterator[host_ports.Host]:
    """Return a host that is a whole Unix."""
    yield from made(request.param, tmp_path)


@pytest.fixture(params=sorted(host_ports.MAKERS))
def any_host(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> Iterator[host_ports.Host]:
    """Return a host, real or simulated."""
    yield from made(request.param, tmp_path)


def made(name: str, directory: pathlib.Path) -> Iterator[host_ports.Host]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    host = host_ports.MAKERS[name](directory, port)
    yield host
    if name in host_ports.WHOLE:
        for service in ("web", "deaf"):
            host.services.kill(service, 5)


@pytest.fixture
def sleeper():
    pid = os.posix_spawn("/bin/sleep", ["/bin/sleep", "300"], {}, setsid=True)
    yield pid
    try:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    except (ProcessLookupError, ChildProcessError):
        pass
