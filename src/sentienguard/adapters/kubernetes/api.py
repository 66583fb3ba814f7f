"""Requests to one API server: who we are, whom we trust, and what an answer means.

The server's certificate has to be signed by the CA in `ca_file` and to name the server; no proxy is
asked, no redirect followed. A token is read anew for each request, since Kubernetes renews it. The
centre hands in the guarded connection of outbound_http; a relay agent connects to what its own
settings name, and loads no more than the standard library.
"""

import email.utils
import http.client
import json
import socket
import ssl
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from sentienguard.ports import outbound, remote_objects, secrets
from sentienguard.ports.secrets import Fetch

MAX_BYTES: Final = 16 << 20  # of one answer; 500 pods with long statuses are about 5 MB
LONGEST_LINE: Final = 1 << 20  # bytes of one line of a watch; an event has about a thousand
PAGE: Final = 500  # objects in one answer of a list
PAGES: Final = 20  # more pods than 10,000 of one workload are not judged
JSON_PATCH: Final = "application/json-patch+json"
Connect = Callable[[str], socket.socket]  # an address -> a connection without TLS
_SAID: Final = 240  # characters of the server's message in ours


@dataclass(frozen=True, slots=True)
class Credentials:
    """Where a cluster is and who asks."""

    server: str  # https://host:port, with a path where the cluster is behind a gateway
    ca_file: str  # PEM: the only authority that its certificate may come from
    token_file: str | None = None  # of a service account; its first line
    certificate_file: str | None = None  # PEM of a client certificate, instead of a token
    key_file: str | None = None
    token: Fetch | None = None  # what fetches it, instead of a file


class Gone(remote_objects.UnknownObject):
    """The cluster has no such object."""


class Api:
    """One API server. Holds no connection and no state, so threads may share it."""

    def __init__(self, credentials: Credentials, connect: Connect | None = None) -> None:
        """Take where it is; nothing is read or asked yet. `connect` judges where it goes."""
        self._who = credentials
        self._open = connect
        self._address = urllib.parse.urlsplit(credentials.server)

    def get(self, path: str, limit: float) -> tuple[dict[str, Any], datetime]:
        """Return one object and the server's time. Raises Gone, Refused, Unreachable."""
        return self._ask("GET", path, limit)

    def each(self, path: str, selector: str, limit: float) -> Iterator[dict[str, Any]]:
        """Yield the objects that a label selector fits, over all pages."""
        query = {"labelSelector": selector} if selector else {}
        for found in self.pages(path, query, limit):
            yield from found.get("items") or ()

    def pages(
        self, path: str, query: Mapping[str, str], limit: float
    ) -> Iterator[Mapping[str, Any]]:
        """Yield the pages of a list. Raises Refused, Unreachable; Refused beyond the bound."""
        query = {"limit": str(PAGE), **query}
        for _ in range(PAGES):
            found, _ = self._ask("GET", f"{path}?{urllib.parse.urlencode(query)}", limit)
            yield found
            more = (found.get("metadata") or {}).get("continue")
            if not more:
                return
            query["continue"] = more
        raise remote_objects.Refused(f"{path} has more than {PAGE * PAGES} objects")

    def stream(
        self, path: str, limit: float, opened: Callable[[socket.socket], None]
    ) -> Iterator[bytes]:
        """Yield the lines of an answer that goes on, each within `limit` seconds of the one before.

        `opened` is told the connection, so that another thread can end it.

        A line of more than `LONGEST_LINE` bytes, and the end of an answer in the middle of a line,
        are Unreachable. The connection lives as long as the iterator.
        """
        where = f"GET {self._address.netloc}{path.partition('?')[0]}"
        connection = self._connect(limit)
        try:
            connection.connect()
            opened(connection.sock)
            connection.request("GET", self._path(path), None, self._headers(""))
            answer = connection.getresponse()
            if answer.status != http.client.OK:
                _understood(where, answer.status, answer.read(LONGEST_LINE))
            while line := answer.readline(LONGEST_LINE + 1):
                if not line.endswith(b"\n"):
                    raise remote_objects.Unreachable(f"{where}: half a line, or a longer one")
                yield line
        except (outbound.NotAllowed, secrets.SecretMissing, secrets.SecretNameWrong) as error:
            raise remote_objects.Refused(f"{where}: {error}") from error
        except (
            *(OSError, http.client.HTTPException, outbound.NoAnswer, secrets.SecretsAway),
        ) as error:
            raise remote_objects.Unreachable(
                f"{where}: {str(error) or type(error).__name__}"
            ) from error
        finally:
            connection.close()

    def patch(
        self, path: str, edits: list[dict[str, Any]], limit: float, *, dry_run: bool
    ) -> dict[str, Any]:
        """Apply a JSON patch. Raises Changed where the object is another version by now."""
        return self._ask("PATCH", _dry(path, dry_run=dry_run), limit, edits, JSON_PATCH)[0]

    def delete(
        self, path: str, preconditions: Mapping[str, str], limit: float, *, dry_run: bool
    ) -> None:
        """Delete one object if uid and version are these. Raises Changed, Gone."""
        body = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": dict(preconditions)}
        self._ask("DELETE", _dry(path, dry_run=dry_run), limit, body, "application/json")

    def _ask(
        self, method: str, path: str, limit: float, body: Any = None, content: str = ""
    ) -> tuple[dict[str, Any], datetime]:
        where = f"{method} {self._address.netloc}{path.partition('?')[0]}"
        try:
            connection = self._connect(limit)
            try:
                stored = None if body is None else json.dumps(body).encode()
                connection.request(method, self._path(path), stored, self._headers(content))
                answer = connection.getresponse()
                found = answer.read(MAX_BYTES + 1)
            finally:
                connection.close()
        except (outbound.NotAllowed, secrets.SecretMissing, secrets.SecretNameWrong) as error:
            raise remote_objects.Refused(f"{where}: {error}") from error
        except (
            *(OSError, http.client.HTTPException, outbound.NoAnswer, secrets.SecretsAway),
        ) as error:
            raise remote_objects.Unreachable(
                f"{where}: {str(error) or type(error).__name__}"
            ) from error
        if len(found) > MAX_BYTES:
            raise remote_objects.Unreachable(f"{where}: an answer of more than {MAX_BYTES} bytes")
        return _understood(where, answer.status, found), _time(answer.getheader("Date"))

    def _connect(self, limit: float) -> http.client.HTTPSConnection:
        host, port = self._address.hostname or "", self._address.port or 443
        patience, trust = max(0.1, limit), self._trust()
        if self._open is None:
            return http.client.HTTPSConnection(host, port, timeout=patience, context=trust)
        return _Guarded(host, port, patience, trust, self._open)

    def _path(self, path: str) -> str:
        return self._address.path.rstrip("/") + path

    def _trust(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # checks the certificate and its name
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_verify_locations(self._who.ca_file)
        if self._who.certificate_file is not None:
            context.load_cert_chain(self._who.certificate_file, self._who.key_file)
        return context

    def _headers(self, content: str) -> dict[str, str]:
        headers = {"Accept": "application/json", "User-Agent": "sentienguard-relay"}
        if content:
            headers["Content-Type"] = content
        if self._who.token is not None:
            headers["Authorization"] = f"Bearer {self._who.token().reveal()}"
        elif self._who.token_file is not None:
            token = Path(self._who.token_file).read_text("ascii").strip()
            headers["Authorization"] = f"Bearer {token}"
        return headers


class _Guarded(http.client.HTTPSConnection):
    """HTTPS over a connection that somebody else judged and opened."""

    def __init__(
        self, host: str, port: int, timeout: float, trust: ssl.SSLContext, connect: Connect
    ) -> None:
        super().__init__(host, port, timeout=timeout, context=trust)
        self._trust, self._open = trust, connect

    def connect(self) -> None:
        shown = f"[{self.host}]" if ":" in self.host else self.host
        opened = self._open(f"https://{shown}:{self.port}")
        opened.settimeout(self.timeout)
        self.sock = self._trust.wrap_socket(opened, server_hostname=self.host)


def _dry(path: str, *, dry_run: bool) -> str:
    return f"{path}?dryRun=All" if dry_run else path


def _time(date: str | None) -> datetime:
    """Return the server's clock: ages of its events are by its own time, not by ours."""
    try:
        return email.utils.parsedate_to_datetime(date or "").astimezone(UTC)
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)  # then nothing counts as recent


def _understood(where: str, status: int, stored: bytes) -> dict[str, Any]:
    try:
        found = json.loads(stored)
    except (ValueError, RecursionError):
        found = None
    said = str(found.get("message", ""))[:_SAID] if isinstance(found, dict) else ""
    message = f"{where}: status {status} {ascii(said) if said else ''}".rstrip()
    if status == http.client.NOT_FOUND:
        raise Gone(message)
    if status == http.client.CONFLICT:
        raise remote_objects.Changed(message)
    if http.client.BAD_REQUEST <= status < http.client.INTERNAL_SERVER_ERROR:
        busy = status in {http.client.TOO_MANY_REQUESTS, http.client.REQUEST_TIMEOUT}
        raise (remote_objects.Unreachable if busy else remote_objects.Refused)(message)
    if not http.client.OK <= status < http.client.MULTIPLE_CHOICES or not isinstance(found, dict):
        raise remote_objects.Unreachable(message)
    return found
