"""Run a Redis for tests: on loopback, nothing on disk, gone afterwards."""

import contextlib
import pathlib
from collections.abc import Iterator

from tests.servers import programs

NAMES = ("redis-server",)


def missing() -> str | None:
    """Say why no Redis can run here; None where one can."""
    return programs.missing(NAMES, "redis-server")


@contextlib.contextmanager
def running(place: pathlib.Path, *settings: str) -> Iterator[str]:
    """Run a Redis until the block ends; give its host:port."""
    port = programs.free_port()
    argv = [
        *(programs.found(NAMES) or NAMES[0], "--port", str(port), "--bind", "127.0.0.1"),
        *("--save", "", "--dir", str(place), *settings),
    ]
    with programs.running(argv, place, lambda: programs.listens(port)):
        yield f"127.0.0.1:{port}"
