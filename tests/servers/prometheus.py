"""Run a Prometheus for tests that scrapes what it is told and sends alerts to an Alertmanager."""

import contextlib
import pathlib
from collections.abc import Iterator, Mapping
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
    place: pathlib.Path, *, scrape: Mapping[str, Any], rules: list[Any], alertmanager: str
) -> Iterator[str]:
    """Run one with this scrape job and these rules; yields its address."""
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
    }
    (place / "prometheus.yml").write_text(yaml.safe_dump(settings))
    address = f"http://127.0.0.1:{programs.free_port()}"
    argv = [
        program, f"--config.file={place / 'prometheus.yml'}",
        f"--storage.tsdb.path={place / 'data'}", f"--web.listen-address={address[7:]}",
    ]  # fmt: skip
    with programs.running(argv, place, f"{address}/-/ready"):
        yield address
