"""Run a Prometheus for tests that scrapes what it is told and sends alerts to an Alertmanager."""

import contextlib
import pathlib
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import yaml

from tests.servers import programs

NAMES = ("prometheus",)


def missing() -> str | None:
    """Say why none can run here; None where one can."""
    if programs.found(NAMES) is None:
        return "Prometheus is not installed (as root: apt-get install prometheus)"
    return None


@contextlib.contextmanager
def running(
    place: pathlib.Path,
    *,
    scrape: Mapping[str, Any],
    rules: list[Any],
    alertmanager: str,
    remote_write: Mapping[str, Any] | None = None,
) -> Iterator[str]:
    """Run one with this scrape job and these rules; yields its address.

    With `remote_write`, a block of that configuration, it sends on what it scrapes.
    """
    program = programs.found(NAMES)
    assert program is not None, missing()
    place.mkdir()
    (place / "rules.yml").write_text(
        yaml.safe_dump({"groups": [{"name": "test", "interval": "1s", "rules": rules}]})
    )
    settings = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(place / "rules.yml")],
        "alerting": {
            "alertmanagers": [
                {"static_configs": [{"targets": [alertmanager.removeprefix("http://")]}]}
            ]
        },
        "scrape_configs": [dict(scrape)],
        "remote_write": [dict(remote_write)] if remote_write else [],
    }
    (place / "prometheus.yml").write_text(yaml.safe_dump(settings))
    address = f"http://127.0.0.1:{programs.free_port()}"
    argv = [
        program, f"--config.file={place / 'prometheus.yml'}",
        f"--storage.tsdb.path={place / 'data'}", f"--web.listen-address={address[7:]}",
    ]  # fmt: skip
    with programs.running(argv, place, f"{address}/-/ready"):
        yield address


@contextlib.contextmanager
def holding(place: pathlib.Path, openmetrics: Iterable[str]) -> Iterator[str]:
    """Run one that has these readings, parts of an OpenMetrics text; yields its address."""
    server, tool = programs.found(NAMES), programs.found(("promtool",))
    assert server is not None, missing()
    assert tool is not None, missing()
    place.mkdir()
    with (place / "readings.txt").open("w") as readings:
        readings.writelines(openmetrics)
    (place / "prometheus.yml").write_text("{}\n")
    subprocess.run(
        # It reads the whole text once for each block, so blocks are as long as they may be.
        [tool, "tsdb", "create-blocks-from", "--max-block-duration=500h", "openmetrics",
         "readings.txt", "data"],
        cwd=place, check=True, capture_output=True,
    )  # fmt: skip
    address = f"http://127.0.0.1:{programs.free_port()}"
    argv = [
        server, f"--config.file={place / 'prometheus.yml'}",
        f"--storage.tsdb.path={place / 'data'}", f"--web.listen-address={address[7:]}",
        "--storage.tsdb.retention.time=100y",
    ]  # fmt: skip
    with programs.running(argv, place, f"{address}/-/ready"):
        yield address
