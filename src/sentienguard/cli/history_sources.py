"""Where the past of a host is read from: a Prometheus-compatible server, or a CSV file.

Called by `history import`. Each source yields stretches: one series of ours with its readings.
"""

import base64
import csv
import json
import re
import urllib.parse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sentienguard.cli import frame
from sentienguard.model import addresses, errors
from sentienguard.ports.outbound import Answer, NoAnswer, NotAllowed, Outbound, Request, TooLong
from sentienguard.ports.secrets import Fetch

PAGE_STEPS = 10_000  # Prometheus gives at most 11,000 points of a series at once
TIMEOUT_S = 120.0
# Of one answer, unpacked: 5 million readings. A server that is wrong, or is not ours, takes no more
# of this machine's memory.
MOST_BYTES = 256 * 1024 * 1024
PLACES = 4  # decimals that are kept, as agents round
_RECIPE = re.compile(r"([a-z0-9_.]+)(?:\[(\w+)\])?=(.+)", re.DOTALL)
_MOUNTED = 'fstype!~"tmpfs|ramfs|overlay|squashfs|iso9660"'


class SourceWrong(errors.Rejected):
    """A source is not what an import reads."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How one of our metrics is asked for in PromQL."""

    metric: str
    expression: str
    subject_label: str = ""  # the label that is our subject


@dataclass(slots=True)
class Stretch:
    """Readings of one series of ours, ascending in time."""

    host: str
    metric: str
    subject: str
    times_ms: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)


# What node_exporter measures, in our metrics.
NODE_EXPORTER: Sequence[Recipe] = (
    Recipe(
        "system.cpu_percent",
        '100 * (1 - avg by (instance) (rate(node_cpu_seconds_total{mode="idle"}[5m])))',
    ),
    Recipe(
        "system.memory_percent",
        "100 * (1 - node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes)",
    ),
    Recipe(
        "system.swap_percent",
        "100 * (1 - node_memory_SwapFree_bytes / (node_memory_SwapTotal_bytes > 0))",
    ),
    Recipe("system.load_average_1m", "node_load1"),
    Recipe("system.load_average_5m", "node_load5"),
    Recipe("system.load_average_15m", "node_load15"),
    Recipe(
        "system.disk_usage_percent",
        f"100 * (1 - node_filesystem_avail_bytes{{{_MOUNTED}}} / node_filesystem_size_bytes)",
        "mountpoint",
    ),
    Recipe("system.disk_free_bytes", f"node_filesystem_avail_bytes{{{_MOUNTED}}}", "mountpoint"),
    Recipe(
        "system.inode_usage_percent",
        f"100 * (1 - node_filesystem_files_free{{{_MOUNTED}}} / (node_filesystem_files > 0))",
        "mountpoint",
    ),
    Recipe(
        "system.network_rx_bytes_per_s",
        'rate(node_network_receive_bytes_total{device!="lo"}[5m])',
        "device",
    ),
    Recipe(
        "system.network_tx_bytes_per_s",
        'rate(node_network_transmit_bytes_total{device!="lo"}[5m])',
        "device",
    ),
)


def recipe(text: str) -> Recipe:
    """Return what `METRIC[LABEL]=EXPR` says. Raises SourceWrong."""
    found = _RECIPE.fullmatch(text)
    if found is None:
        raise SourceWrong(f"--series {text!r}: expected METRIC=EXPR or METRIC[LABEL]=EXPR")
    return Recipe(found[1], found[3], found[2] or "")


@dataclass(frozen=True, slots=True)
class Prometheus:
    """A server with Prometheus's HTTP API, for example VictoriaMetrics."""

    url: str
    host_label: str
    renamed: Mapping[str, str]  # value of the label -> host
    way: Outbound
    key: Fetch | None = field(default=None, repr=False)  # of each request: bearer token, password
    user: str = ""  # for HTTP basic, whose password the key is; empty: the key is a token

    def __post_init__(self) -> None:
        """Refuse to show who asks to everybody between here and there. Raises SourceWrong."""
        if self.key and not addresses.crosses_no_network_in_the_clear(self.url):
            raise SourceWrong(
                f"{self.url} would carry the token or the password in clear text; use https, or a "
                "server of this machine"
            )

    def read(self, wanted: Recipe, span_s: tuple[int, int], step_s: int) -> Iterator[Stretch]:
        """Yield every series of one recipe, with all its pages. Raises SourceWrong, Unavailable."""
        found: dict[tuple[str, str], Stretch] = {}
        for start in range(span_s[0], span_s[1] + 1, PAGE_STEPS * step_s):
            end = min(start + (PAGE_STEPS - 1) * step_s, span_s[1])
            for one in self.page(wanted.expression, start, end, step_s):
                labels = one["metric"]
                host = self._host(str(labels.get(self.host_label, "")))
                subject = str(labels.get(wanted.subject_label, "")) if wanted.subject_label else ""
                stretch = found.setdefault((host, subject), Stretch(host, wanted.metric, subject))
                _extend(stretch, one["values"])
        yield from found.values()

    def _host(self, value: str) -> str:
        return self.renamed.get(value) or value.rpartition(":")[0] or value

    def page(self, expression: str, start: int, end: int, step: int) -> list[dict[str, Any]]:
        """Return what one range query gives.

        Raises SourceWrong, Unavailable, and what fetching the key raises.
        """
        asked = {"query": expression, "start": str(start), "end": str(end), "step": str(step)}
        answer = self._ask(urllib.parse.urlencode(asked).encode())
        try:
            body = json.loads(answer.body)
        except ValueError as cause:
            raise SourceWrong(f"{self.url}: expected Prometheus's JSON ({cause})") from cause
        if not isinstance(body, dict) or body.get("status") != "success":
            said = body.get("error", "") if isinstance(body, dict) else ""
            raise SourceWrong(f"{self.url} refuses {expression}: {said or answer.status}")
        return list(body["data"]["result"])

    def _ask(self, body: bytes) -> Answer:
        url = f"{self.url.rstrip('/')}/api/v1/query_range"
        headers = {"Content-Type": "application/x-www-form-urlencoded", **self._proof()}
        try:
            return self.way.send(Request("POST", url, headers, body))
        except NotAllowed as cause:
            raise SourceWrong(f"{self.url}: {cause}") from cause
        except TooLong as cause:
            raise SourceWrong(
                f"{self.url}: the answer is longer than {MOST_BYTES >> 20} MiB; ask for longer "
                "steps, or for fewer hosts with --series"
            ) from cause
        except NoAnswer as cause:
            raise errors.Unavailable(
                f"{self.url} does not answer: {cause}; {frame.UNREACHED}"
            ) from cause

    def _proof(self) -> dict[str, str]:
        if self.key is None:
            return {}
        key = self.key().reveal()
        basic = base64.b64encode(f"{self.user}:{key}".encode()).decode()
        return {"Authorization": f"Basic {basic}" if self.user else f"Bearer {key}"}


def _extend(stretch: Stretch, pairs: Sequence[tuple[float, str]]) -> None:
    """Add readings; two series that become one of ours are not mixed, the first stays."""
    last = stretch.times_ms[-1] if stretch.times_ms else -1
    for at, text in pairs:
        moment, value = round(float(at) * 1000), float(text)
        if moment > last and abs(value) != float("inf") and value == value:  # noqa: PLR0124  NaN
            stretch.times_ms.append(moment)
            stretch.values.append(round(value, PLACES))
            last = moment


def read_csv(path: Path) -> Iterator[Stretch]:
    """Yield the series of a file: timestamp, host, metric, value and perhaps subject.

    Raises SourceWrong with the line that is not so.
    """
    found: dict[tuple[str, str, str], dict[int, float]] = {}
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = csv.DictReader(file)
        missing = {"timestamp", "host", "metric", "value"} - set(rows.fieldnames or ())
        if missing:
            raise SourceWrong(f"{path}: the header lacks {', '.join(sorted(missing))}")
        for row in rows:
            try:
                at = _moment_ms(row["timestamp"])
                value = float(row["value"])
            except (TypeError, ValueError, OverflowError) as cause:
                raise SourceWrong(f"{path} line {rows.line_num}: {cause}") from cause
            if abs(value) == float("inf") or value != value:  # noqa: PLR0124  NaN
                continue
            key = (row["host"], row["metric"], row.get("subject") or "")
            found.setdefault(key, {})[at] = value
    for (host, metric, subject), readings in found.items():
        times = sorted(readings)
        yield Stretch(host, metric, subject, times, [readings[at] for at in times])


def _moment_ms(text: str) -> int:
    try:
        return round(float(text) * 1000)
    except ValueError:
        return round(frame.parse_time(text).timestamp() * 1000)
