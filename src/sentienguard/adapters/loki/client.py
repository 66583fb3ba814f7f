"""Ask Loki for the lines of one service.

The answer is that of `GET /loki/api/v1/query_range`: streams, each with pairs of a time in
nanoseconds and a line. Anything else is `LogSearchAway`, and whoever asked goes on without.

Format: https://grafana.com/docs/loki/latest/reference/loki-http-api/
"""

import base64
import json
import urllib.parse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final

from sentienguard.ports.log_search import FoundLine, LogSearchAway
from sentienguard.ports.outbound import NoAnswer, NotAllowed, Outbound, Request
from sentienguard.ports.secrets import Fetch, SecretMissing, SecretNameWrong, SecretsAway

SELECTOR: Final = '{service_name="$service", deployment_environment_name="$environment"}'
LONGEST_ANSWER: Final = 4 * 1024 * 1024  # bytes: a hundred lines of forty kilobytes
_LONGEST_LINE: Final = 8192  # characters that are handed on
_LONGEST_NAME: Final = 256  # characters of a service or an environment
_STREAM: Final = ("filename", "container", "job")  # the first that is there names the stream


@dataclass(frozen=True, slots=True)
class Address:
    """Where Loki is, and what streams are called there."""

    url: str  # up to and without /loki/api/v1
    selector: str = SELECTOR  # LogQL; $service and $environment stand inside quotes
    user: str = ""  # of HTTP basic, whose password the key is; empty: it is a bearer token
    tenant: str = ""  # X-Scope-OrgID; empty: none is sent
    limit_s: float = 2.0  # of one request


class Loki:
    """One Loki."""

    def __init__(self, address: Address, way: Outbound, key: Fetch | None = None) -> None:
        """Ask it there by this way; `key` is fetched for each request."""
        self._address = address
        self._way = way
        self._key = key

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
        wanted = f"{url}?{urllib.parse.urlencode(asked)}"
        try:
            answer = self._way.send(Request("GET", wanted, self._headers(), limit_s=patience))
        except (NoAnswer, NotAllowed, SecretMissing, SecretNameWrong, SecretsAway) as cause:
            raise LogSearchAway(f"{url}: no answer: {cause}") from cause
        if answer.status != HTTPStatus.OK:
            raise LogSearchAway(f"{url}: no answer: status {answer.status}")
        try:
            found = sorted(_lines(json.loads(answer.body)), key=lambda one: one.at, reverse=True)
        except (
            *(ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError),
        ) as cause:
            message = f"{url}: expected streams as Loki answers, found something else: {cause}"
            raise LogSearchAway(message) from cause
        return found[:limit]

    def _headers(self) -> dict[str, str]:
        headers = {"X-Scope-OrgID": self._address.tenant} if self._address.tenant else {}
        if self._key is None:
            return headers
        key, user = self._key().reveal(), self._address.user
        basic = base64.b64encode(f"{user}:{key}".encode()).decode()
        return {**headers, "Authorization": f"Basic {basic}" if user else f"Bearer {key}"}

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


def _lines(answer: Any) -> Iterator[FoundLine]:
    for stream in answer["data"]["result"]:
        labels = stream["stream"]
        where = next((str(labels[one]) for one in _STREAM if labels.get(one)), "loki")
        for pair in stream["values"]:
            at = datetime.fromtimestamp(int(pair[0]) // 1_000_000 / 1000, UTC)
            yield FoundLine(at, where[:_LONGEST_NAME], str(pair[1])[:_LONGEST_LINE])
