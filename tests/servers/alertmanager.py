"""Run an Alertmanager for tests, configured as docs/how-to/connect-alertmanager.md says.

with alertmanager.running(tmp_path, url=..., token=...) as manager:
    manager.fire({"alertname": "DiskFull", "instance": "web-1:9100"})
"""

import contextlib
import pathlib
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import httpx
import yaml

from tests.servers import programs

NAMES = ("prometheus-alertmanager", "alertmanager")  # Debian's name first
PAGE = pathlib.Path(__file__).parents[2] / "docs/how-to/connect-alertmanager.md"


def missing() -> str | None:
    """Say why none can run here; None where one can."""
    if programs.found(NAMES) is None:
        return "Alertmanager is not installed (as root: apt-get install prometheus-alertmanager)"
    return None


@dataclass
class Manager:
    """A running Alertmanager."""

    address: str

    def fire(
        self,
        labels: Mapping[str, str],
        *,
        began: datetime,
        ended: datetime | None = None,
        summary: str = "made by a test",
    ) -> None:
        """Say that an alert fires, or that it ended, as Prometheus does."""
        alert = {
            "labels": dict(labels),
            "annotations": {"summary": summary},
            "startsAt": began.astimezone(UTC).isoformat(),
        }
        if ended is not None:
            alert["endsAt"] = ended.astimezone(UTC).isoformat()
        answer = httpx.post(f"{self.address}/api/v2/alerts", json=[alert], trust_env=False)
        assert answer.status_code == 200, answer.text


@contextlib.contextmanager
def running(place: pathlib.Path, *, url: str, token: str) -> Iterator[Manager]:
    """Run one that sends to this webhook with this token, for as long as the block lasts."""
    program = programs.found(NAMES)
    assert program is not None, missing()
    place.mkdir()
    (place / "token").write_text(token)
    (place / "alertmanager.yml").write_text(configuration(url, place / "token"))
    address = f"http://127.0.0.1:{programs.free_port()}"
    argv = [
        program, f"--config.file={place / 'alertmanager.yml'}",
        f"--storage.path={place / 'data'}", f"--web.listen-address={address[7:]}",
        "--cluster.listen-address=",
    ]  # fmt: skip
    with programs.running(argv, place, f"{address}/-/ready"):
        yield Manager(address)


def configuration(url: str, token_file: pathlib.Path) -> str:
    """Return the page's configuration with this address, and impatient enough for a test."""
    block = PAGE.read_text().partition("   # alertmanager.yml\n")[2].partition("   ```")[0]
    settings = yaml.safe_load(textwrap.dedent(block))
    assert settings, f"{PAGE} has no block that begins with # alertmanager.yml"
    settings["route"].update(group_wait="1s", group_interval="1s", repeat_interval="2s")
    for route in settings["route"].get("routes", ()):
        for name in ("group_wait", "group_interval", "repeat_interval"):
            route.pop(name, None)
    receiver = next(one for one in settings["receivers"] if one["name"] == "sentienguard")
    [webhook] = receiver["webhook_configs"]
    webhook["url"] = url
    webhook["http_config"]["authorization"]["credentials_file"] = str(token_file)
    webhook["http_config"].pop("tls_config", None)  # loopback is served in clear text
    return yaml.safe_dump(settings)
