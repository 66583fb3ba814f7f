"""Ask Loki for the lines of one service.

The answer is that of `GET /loki/api/v1/query_range`: streams, each with pairs of a time in
nanoseconds and a line. Anything else is `LogSearchAway`, and whoever asked goes on without.

Format: https://grafana.com/docs/loki/latest/reference/loki-http-api/
"""

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import httpx

from sentienguard.ports.log_search import FoundLine, LogSearchAway

SELECTOR: Final = '{service_name="$service", deployment_environment_name="$environment"}'
_LONGEST_ANSWER: Final = 4 * 1024 * 1024  # bytes: a hundred lines of forty kilobytes
_LONGEST_LINE: Final = 8192  # characters that are handed on
_LONGEST_NAME: Final = 256  # characters of a service or an environment
_STREAM: Final = ("filename", "container", "job")  # the first that is there names the stream


@dataclass(frozen=True, slots=True)
class Address:
    """Where Loki is, and what streams are called there."""

    url: str  # up to and without /loki/api/v1
    selector: str = SELECTOR  # LogQL; $service and $environment stand inside quotes
    key: str = ""  # bearer token; empty: none is sent
    tenant: str = ""  # X-Scope-OrgID; empty: none is sent
    limit_s: float = 2.0  # of one request


class Loki:
    """One Loki."""

    def __init__(self, address: Address) -> None:
        self._address = address
        headers = {"Authorization": f"Bearer {address.key}"} if address.key else {}
        if address.tenant:
            headers["X-Scope-OrgID"] = address.tenant
        self._client = httpx.Client(
            timeout=address.limit_s, headers=headers, follow_redirects=False, trust_env=False
        )

    def close(self) -> None:
        """Give connections back."""
        self._client.close()

    def lines(
        self,
        environment: str,
        service: str,
        start: datetime,
        end: datetime,
        *,
        limit: int,
        limit_s: float | None = None,
    ) -> Sequence[FoundLine]:
        """Return the newest lines of a service; see ports.log_search."""
        url = f"{self._address.url.rstrip('/')}/loki/api/v1/query_range"
        asked = {
            "query": self._selector(environment, service),
            "start": str(_nanoseconds(start)),
            "end": str(_nanoseconds(end)),
            "limit": str(limit),
            "direction": "backward",
        }
        patience = min(self._address.limit_s, limit_s or self._address.limit_s)
        until = time.monotonic() + patience
        try:
            with self._client.stream("GET", url, params=asked, timeout=patience) as answer:
                body = _read(url, answer, until)
                answer.raise_for_status()
            found = sorted(_lines(json.loads(body)), key=lambda one: one.at, reverse=True)
        except (httpx.HTTPError, httpx.InvalidURL) as cause:
            raise LogSearchAway(f"{url}: no answer: {cause}") from cause
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as cause:
            message = f"{url}: expected streams as Loki answers, found something else: {cause}"
            raise LogSearchAway(message) from cause
        return found[:limit]

    def _selector(self, environment: str, service: str) -> str:
        """Fill in the names, quoted as LogQL has it: as in a string of Go."""
        filled = self._address.selector
        for name, value in (("$service", service), ("$environment", environment)):
            filled = filled.replace(name, _quoted(value))
        return filled


def _quoted(value: str) -> str:
    return json.dumps(value[:_LONGEST_NAME].replace("$", ""), ensure_ascii=True)[1:-1]


def _nanoseconds(at: datetime) -> int:
    return int(at.timestamp() * 1000) * 1_000_000


def _read(url: str, answer: httpx.Response, until: float) -> bytes:
    kept = bytearray()
    for chunk in answer.iter_bytes():
        kept += chunk
        if time.monotonic() > until:  # a drop a second keeps each read within its limit
            raise LogSearchAway(f"{url}: the answer was not whole in time")
        if len(kept) > _LONGEST_ANSWER:
            raise LogSearchAway(f"{url}: the answer is longer than {_LONGEST_ANSWER} bytes")
    return bytes(kept)


def _lines(answer: Any) -> Iterator[FoundLine]:
    for stream in answer["data"]["result"]:
        labels = stream["stream"]
        where = next((str(labels[one]) for one in _STREAM if labels.get(one)), "loki")
        for pair in stream["values"]:
            at = datetime.fromtimestamp(int(pair[0]) // 1_000_000 / 1000, UTC)
            yield FoundLine(at, where[:_LONGEST_NAME], str(pair[1])[:_LONGEST_LINE])
