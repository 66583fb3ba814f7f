"""The public API, asked by the command line.

Called by every command that needs the control plane. A problem document becomes `Refused` or
`Away` with its own words. Which server and which session: see `connect`.
"""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from sentienguard.model import errors

PREFIX = "/api/v1"
TIMEOUT_S = 30.0  # a full verification of a large log is the longest answer
SESSION_FILE = "cli-token"
FIRST_LOGIN_FILE = "first-login.json"
SERVER_FILE = "run/controlplane.json"


class Refused(errors.Rejected):
    """The control plane said no; its words are the message."""


class NotLoggedIn(Refused):
    """There is no session, or it has ended."""


class Away(errors.Unavailable):
    """The control plane does not answer."""


@dataclass(frozen=True, slots=True)
class Session:
    """What DIR/cli-token holds."""

    token: str
    server: str | None  # None: the control plane of this data directory, wherever it listens
    name: str


class Client:
    """One connection to one control plane."""

    def __init__(
        self, server: str, token: str = "", transport: httpx.BaseTransport | None = None
    ) -> None:
        """Talk to `server`, http(s)://host:port; `transport` is for tests."""
        self.server = server
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._http = httpx.Client(
            base_url=server + PREFIX,
            headers=headers,
            timeout=TIMEOUT_S,
            transport=transport,
            trust_env=False,
        )

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the connection."""
        self._http.close()

    def get(self, path: str, **query: str | int | None) -> Any:
        """Ask for something; a query of None is left out."""
        asked = {name: value for name, value in query.items() if value is not None}
        return self._ask("GET", path, params=asked)

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Make something."""
        return self._ask("POST", path, json={} if body is None else body)

    def download(self, path: str) -> bytes:
        """Return a file, whatever is in it."""
        return self._answered("GET", path).content

    def put(self, path: str, body: Mapping[str, Any]) -> Any:
        """Set something."""
        return self._ask("PUT", path, json=body)

    def delete(self, path: str) -> Any:
        """Take something away."""
        return self._ask("DELETE", path)

    def login(self, name: str, password: str) -> str:
        """Return a session's token and use it from now on."""
        answer = self.post("/auth/login", {"name": name, "password": password})
        token = str(answer["token"])
        self._http.headers["Authorization"] = f"Bearer {token}"
        return token

    def _ask(self, method: str, path: str, **rest: Any) -> Any:
        return self._document(self._answered(method, path, **rest))

    def _answered(self, method: str, path: str, **rest: Any) -> httpx.Response:
        try:
            response = self._http.request(method, path, **rest)
        except httpx.HTTPError as cause:
            message = (
                f"{self.server} does not answer ({str(cause) or type(cause).__name__}); "
                "`sentienguard doctor` looks for the reason, `sentienguard up` starts it"
            )
            raise Away(message) from cause
        if response.is_success:
            return response
        raise _problem(response)

    def _document(self, response: httpx.Response) -> Any:
        if response.status_code == HTTPStatus.NO_CONTENT or not response.content:
            return None
        try:
            return response.json()
        except ValueError as cause:
            message = f"{response.url}: expected JSON, found {response.text[:80]!r}; is it ours?"
            raise Refused(message) from cause


def _problem(response: httpx.Response) -> errors.SentienGuardError:
    try:
        document = response.json()
        detail = str(document["detail"] if "detail" in document else document["error"])
    except (ValueError, KeyError, TypeError):
        detail = f"{response.url} answered {response.status_code}"
    if response.status_code == HTTPStatus.UNAUTHORIZED:
        return NotLoggedIn(detail)
    if response.status_code in {HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.BAD_GATEWAY}:
        return Away(detail)
    return Refused(detail)


@contextmanager
def connect(data: Path, *, here: bool = False) -> Iterator[Client]:
    """Talk to the control plane of this data directory, or to the one that `login` named.

    With `here` it is the one of this data directory, whatever was logged in to.
    A session of this machine's own control plane that has ended is opened again with the first
    login, as long as that stands. Raises NotLoggedIn and Away with the way out.
    """
    session = read_session(data)
    if here and session and session.server:
        session = None
    remote = session.server if session else None
    server = remote or local_server(data)
    with Client(server, session.token if session else "") as client:
        try:
            client.get("/auth/me")
        except NotLoggedIn as cause:
            if remote or not _login_again(data, client):
                message = (
                    f"no session at {server}; log in with "
                    f"`sentienguard login --server {server} --name NAME`"
                )
                raise NotLoggedIn(message) from cause
        yield client


def _login_again(data: Path, client: Client) -> bool:
    first = read_first_login(data)
    if first is None:
        return False
    try:
        token = client.login(*first)
    except NotLoggedIn:
        return False
    write_session(data, Session(token, None, first[0]))
    return True


def local_server(data: Path) -> str:
    """Return the address of this data directory's control plane. Raises Away."""
    try:
        return str(json.loads((data / SERVER_FILE).read_bytes())["people"])
    except (OSError, ValueError, KeyError, TypeError) as cause:
        message = (
            f"no control plane runs in {data}; start one with `sentienguard up`, name another "
            "directory with --data, or log in elsewhere with `sentienguard login --server URL`"
        )
        raise Away(message) from cause


def read_session(data: Path) -> Session | None:
    """Return the session of this directory, if there is one."""
    try:
        found = json.loads((data / SESSION_FILE).read_bytes())
        return Session(found["token"], found["server"], found["name"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_session(data: Path, session: Session) -> None:
    """Keep a session, for its owner alone."""
    record = {"token": session.token, "server": session.server, "name": session.name}
    write_private(data / SESSION_FILE, json.dumps(record).encode())


def read_first_login(data: Path) -> tuple[str, str] | None:
    """Return name and password of the first administrator, if `up` made one here."""
    try:
        found = json.loads((data / FIRST_LOGIN_FILE).read_bytes())
        return str(found["name"]), str(found["password"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_private(path: Path, content: bytes) -> None:
    """Write a file that only its owner reads, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(f".{path.name}.new")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
