"""RabbitMQ, over the HTTP API of its plugin `rabbitmq_management`."""

import base64
import json
import urllib.parse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sentienguard.adapters.local_servers import wire
from sentienguard.ports import servers

_OK, _NO_CONTENT, _NOT_FOUND = 200, 204, 404
READINGS: Final = ("rabbitmq_stuck", "rabbitmq_queue_messages", "rabbitmq_queue_consumers")


@dataclass(frozen=True, slots=True)
class Rabbitmq:
    """One RabbitMQ that was declared."""

    address: str
    user: str = ""
    password_file: str | None = None
    queue: str = ""  # that the service consumes, of virtual host /

    def setting(self, key: str) -> str:
        """Have no settings."""
        raise servers.NotControlled(f"rabbitmq has no setting {key!r} here")

    def change(self, key: str, value: str) -> None:
        """Change none."""
        del value
        raise servers.NotControlled(f"rabbitmq has no setting {key!r} here")

    def choose(self, what: str, at_least: float) -> tuple[str, ...]:
        """Name the connections whose consumers are stuck for so many seconds."""
        if what != "stuck":
            raise servers.NotControlled(f"rabbitmq chooses no {what!r}")
        found = sorted(((s, name) for name, s in self._stuck() if s >= at_least), reverse=True)
        return tuple(dict.fromkeys(name for _, name in found))

    def do(self, deed: str, operand: str, limit: float) -> bool:
        """Close one connection."""
        if deed != "close":
            raise servers.NotControlled(f"rabbitmq does no {deed!r}")
        status, body = self._ask("DELETE", f"/api/connections/{_quoted(operand)}", limit)
        if status not in {_NO_CONTENT, _NOT_FOUND}:
            raise servers.ServerFailed(f"rabbitmq answered {status}: {body[:120]!r}")
        return status == _NO_CONTENT

    def reading(self, name: str) -> float:
        """Measure one of `READINGS`."""
        if name == "rabbitmq_stuck":
            return max((seconds for _, seconds in self._stuck()), default=0.0)
        if not self.queue:
            raise servers.NotControlled("this service declares no queue that it consumes")
        queue = self._get(f"/api/queues/%2F/{_quoted(self.queue)}")
        field = "messages_ready" if name == "rabbitmq_queue_messages" else "consumers"
        return _number(queue, field)

    def _stuck(self) -> Sequence[tuple[str, float]]:
        """Return connection and silence of each channel that holds all it may and says nothing."""
        channels = self._get("/api/channels")
        now = datetime.now(UTC)
        return [
            (str(one["connection_details"]["name"]), (now - since).total_seconds())
            for one in channels
            if isinstance(one, dict) and _full(one) and (since := _since(one)) is not None
        ]

    def _get(self, path: str) -> Any:
        status, body = self._ask("GET", path, wire.LIMIT_S)
        if status != _OK:
            raise servers.ServerFailed(f"rabbitmq answered {status} for {path[:80]}")
        try:
            return json.loads(body)
        except ValueError as error:
            raise servers.ServerFailed(f"rabbitmq at {self.address} speaks no JSON") from error

    def _ask(self, method: str, path: str, limit: float) -> tuple[int, bytes]:
        import http.client  # noqa: PLC0415 - 4 MB with ssl, and few hosts declare a broker

        host, port = wire.loopback(self.address)
        word = f"{self.user}:{wire.password(self.password_file)}".encode()
        headers = {"Authorization": "Basic " + base64.b64encode(word).decode()}
        if method == "DELETE":
            headers["X-Reason"] = "closed by a remedy: it acknowledges nothing"
        connection = http.client.HTTPConnection(host, port, timeout=min(limit, wire.LIMIT_S))
        try:
            connection.request(method, path, headers=headers)
            answer = connection.getresponse()
            body = answer.read(wire.MOST_BYTES + 1)
        except (OSError, http.client.HTTPException) as error:
            raise servers.ServerFailed(f"rabbitmq at {self.address}: {error}") from error
        finally:
            connection.close()
        if len(body) > wire.MOST_BYTES:
            raise servers.ServerFailed(f"rabbitmq: an answer of over {wire.MOST_BYTES} bytes")
        return answer.status, body


def _full(channel: Mapping[str, Any]) -> bool:
    unacked, prefetch = (
        _number(channel, name) for name in ("messages_unacknowledged", "prefetch_count")
    )
    details = channel.get("connection_details")
    named = isinstance(details, dict) and bool(details.get("name"))
    return named and _number(channel, "consumer_count") > 0 < unacked >= prefetch


def _since(channel: Mapping[str, Any]) -> datetime | None:
    text = str(channel.get("idle_since") or "")
    day, _, clock = text.replace("T", " ").partition(" ")
    padded = f"{day} {clock.zfill(8) if len(clock) <= 8 else clock}"  # noqa: PLR2004 - 9:41:46
    try:
        found = datetime.fromisoformat(padded)
    except ValueError:
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def _number(record: Any, field: str) -> float:
    value = record.get(field, 0) if isinstance(record, dict) else 0
    return float(value) if isinstance(value, int | float) else 0.0


def _quoted(name: str) -> str:
    return urllib.parse.quote(name, safe="")
