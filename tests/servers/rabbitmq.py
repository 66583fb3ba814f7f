"""Run a RabbitMQ for tests: on loopback, with a port mapper of its own, gone afterwards."""

import contextlib
import pathlib
import secrets
from collections.abc import Iterator

from tests.servers import programs

NAMES = ("rabbitmq-server", "/usr/lib/rabbitmq/bin/rabbitmq-server")
_PROGRAM = "/usr/lib/rabbitmq/bin/rabbitmq-server"  # the one on PATH changes the user itself
_MAPPER = "epmd"


def missing() -> str | None:
    """Say why no RabbitMQ can run here; None where one can."""
    if not pathlib.Path(_PROGRAM).exists():
        return "no rabbitmq-server (as root: apt-get install rabbitmq-server)"
    return programs.missing((_MAPPER,), "erlang-base")


@contextlib.contextmanager
def running(
    place: pathlib.Path, *, plugins: tuple[str, ...] = (), settings: str = ""
) -> Iterator[str]:
    """Run a RabbitMQ until the block ends; give the address of its metrics.

    `plugins` are more than that of the metrics, `settings` more lines of rabbitmq.conf.
    """
    ports = {name: programs.free_port() for name in ("mapper", "amqp", "metrics", "nodes")}
    (place / "rabbitmq.conf").write_text(
        f"listeners.tcp.1 = 127.0.0.1:{ports['amqp']}\n"
        f"prometheus.tcp.ip = 127.0.0.1\nprometheus.tcp.port = {ports['metrics']}\n{settings}"
    )
    (place / "plugins").write_text(f"[{','.join(('rabbitmq_prometheus', *plugins))}].\n")
    environment = {
        "HOME": str(place),
        "ERL_EPMD_PORT": str(ports["mapper"]),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODENAME": f"test{secrets.token_hex(4)}@localhost",
        "RABBITMQ_DIST_PORT": str(ports["nodes"]),
        "RABBITMQ_CONFIG_FILE": str(place / "rabbitmq.conf"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(place / "plugins"),
        "RABBITMQ_MNESIA_BASE": str(place / "data"),
        "RABBITMQ_LOG_BASE": str(place / "logs"),
        "RABBITMQ_PID_FILE": str(place / "pid"),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-start_epmd false +S 1:1",
    }
    mapper = place / "mapper"
    mapper.mkdir()
    with (
        programs.running(
            [_MAPPER, "-address", "127.0.0.1", "-port", str(ports["mapper"])],
            mapper,
            lambda: programs.listens(ports["mapper"]),
            environment={"HOME": str(mapper)},
        ),
        programs.running(
            [_PROGRAM],
            place,
            f"http://127.0.0.1:{ports['metrics']}/metrics",
            user="rabbitmq",
            environment=environment,
        ),
    ):
        yield f"http://127.0.0.1:{ports['metrics']}/metrics"
