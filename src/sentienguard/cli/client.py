"""The public API, asked by the command line.

Called by every command that needs the control plane. A problem document becomes `Refused` or
`Away` with its own words. Which server and which session: see `connect`.
"""

import fcntl
import getpass
import json
import ssl
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from sentienguard.cli import frame, private_files
from sentienguard.model import errors

PREFIX = "/api/v1"
_COME_AGAIN = frozenset({
    HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.BAD_GATEWAY, HTTPStatus.TOO_MANY_REQUESTS,
})  # fmt: skip
TIMEOUT_S = 30.0  # a full verification of a large log is the longest answer
SESSION_FILE = "cli-token"
LOCK_FILE = "cli-token.lock"
CODE_PROMPT = "code of your app, or a recovery code: "
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
    refresh: str = ""  # gives the next token, once


class StepUpNeeded(Refused):
    """This needs a second factor that was shown minutes ago."""


@dataclass(frozen=True, slots=True)
class Granted:
    """What a login gave."""

    token: str
    refresh: str


class Client:
    """One connection to one control plane."""

    def __init__(
        self, server: str, token: str = "", transport: httpx.BaseTransport | None = None
    ) -> None:
        """Talk to `server`, http(s)://host:port; `transport` is for tests."""
        self.server = server
        self.renew: Callable[[], str | None] | None = None  # gives a token once this one is over
        self.ask_code: Callable[[], str] | None = None  # asks a person for a second factor
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._http = httpx.Client(
            base_url=server + PREFIX,
            headers=headers,
            verify=authorities(server),
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

    def login(self, name: str, password: str) -> Granted:
        """Return a login's tokens and use them from now on; `ask_code` is asked where it has to be.

        Raises NotLoggedIn.
        """
        answer = self.post("/auth/login", {"name": name, "password": password})
        if "ticket" in answer:
            answer = self.post("/auth/login/second", self._second(answer["ticket"]))
        return self._granted(answer)

    def redeem(self, code: str, verifier: str) -> Granted:
        """Return the tokens for a code that somebody agreed to. Raises NotLoggedIn."""
        said = {"code": code, "verifier": verifier}
        return self._granted(self.post("/auth/command-line/session", said))

    def refresh(self, token: str) -> Granted:
        """Return the next tokens and use them from now on. Raises NotLoggedIn."""
        return self._granted(self.post("/auth/refresh", {"refresh_token": token}))

    def _granted(self, answer: Mapping[str, Any]) -> Granted:
        granted = Granted(str(answer["token"]), str(answer.get("refresh_token", "")))
        self._http.headers["Authorization"] = f"Bearer {granted.token}"
        return granted

    def _second(self, ticket: str) -> dict[str, str]:
        if self.ask_code is None:
            message = "this account has a second factor; log in with `sentienguard login`"
            raise NotLoggedIn(message)
        said = self.ask_code()
        way = "code" if "".join(said.split()).isdigit() else "recovery"
        return {"ticket": ticket, way: said}

    def _ask(self, method: str, path: str, **rest: Any) -> Any:
        return self._document(self._answered(method, path, **rest))

    def _answered(self, method: str, path: str, **rest: Any) -> httpx.Response:
        try:
            return self._answered_once(method, path, **rest)
        except NotLoggedIn:
            if self.renew is None or (path.startswith("/auth/") and path != "/auth/me"):
                raise
            token = self.renew()
            if token is None:
                raise
            self._http.headers["Authorization"] = f"Bearer {token}"
        except StepUpNeeded:
            if self.ask_code is None:
                raise
            step = self._document(self._answered_once("POST", "/auth/step-up", json={}))
            answer = self._second(step["ticket"])
            self._answered_once("POST", "/auth/step-up/second", json=answer)
        return self._answered_once(method, path, **rest)

    def _answered_once(self, method: str, path: str, **rest: Any) -> httpx.Response:
        try:
            response = self._http.request(method, path, **rest)
        except httpx.HTTPError as cause:
            message = (
                f"{self.server} does not answer ({str(cause) or type(cause).__name__}); "
                f"{_way_out(self._http.base_url.host)}"
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


def _way_out(host: str) -> str:
    if host in {"127.0.0.1", "::1", "localhost"}:
        return "`sentienguard doctor` looks for the reason, `sentienguard up` starts it"
    return (
        "check its address, and whether this machine reaches it; `sentienguard login --server URL` "
        "names another one"
    )


def _problem(response: httpx.Response) -> errors.SentienGuardError:
    try:
        document = response.json()
        detail = str(document["detail"] if "detail" in document else document["error"])
        kind = str(document.get("type", ""))
    except (ValueError, KeyError, TypeError, AttributeError):
        kind = ""
        detail = f"{response.url} answered {response.status_code}"
    if response.status_code == HTTPStatus.UNAUTHORIZED:
        return NotLoggedIn(detail)
    if kind.endswith(":step-up"):
        return StepUpNeeded(detail)
    if response.status_code in _COME_AGAIN:
        return Away(detail)
    return Refused(detail)


def authorities(server: str) -> ssl.SSLContext | bool:
    """Return whom to trust: without TLS nobody. To read all public authorities takes 40 ms."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if server.startswith("http://") else True


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
        client.ask_code = ask_code()
        client.renew = lambda: _renewed(data, server)
        try:
            client.get("/auth/me")
        except NotLoggedIn as cause:
            if remote or not _login_again(data, client):
                message = (
                    f"no session at {server}; log in with "
                    f"`sentienguard login --server {server} --name NAME`, or with --sso"
                )
                raise NotLoggedIn(message) from cause
        yield client


def _login_again(data: Path, client: Client) -> bool:
    first = read_first_login(data)
    if first is None:
        return False
    try:
        granted = client.login(*first)
    except NotLoggedIn:
        return False
    write_session(data, Session(granted.token, None, first[0], granted.refresh))
    return True


def ask_code() -> Callable[[], str] | None:
    """Return what asks for a second factor; None: nobody sits at a terminal."""
    if not sys.stdin.isatty():
        return None
    return lambda: getpass.getpass(CODE_PROMPT)


def _renewed(data: Path, server: str) -> str | None:
    """Renew this directory's session, one command at a time: a refresh token counts once."""
    with (data / LOCK_FILE).open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        session = read_session(data)
        if session is None:
            return None
        with Client(server, session.token) as client:
            try:
                client.get("/auth/me")  # another command may have renewed it meanwhile
            except NotLoggedIn:
                if not session.refresh:
                    return None
            else:
                return session.token
            try:
                granted = client.refresh(session.refresh)
            except NotLoggedIn:
                return None
        write_session(data, Session(granted.token, session.server, session.name, granted.refresh))
        return granted.token


def local_server(data: Path) -> str:
    """Return the address of this data directory's control plane. Raises Away."""
    try:
        return str(json.loads((data / SERVER_FILE).read_bytes())["people"])
    except (OSError, ValueError, KeyError, TypeError) as cause:
        demo = frame.DEMO_DIRECTORY
        beside = demo.absolute() != data and (demo / SERVER_FILE).is_file()
        first = f"for the demo of this directory add --data {demo}, " if beside else ""
        message = (
            f"no control plane runs in {data}; {first}start one with `sentienguard up`, name "
            "another directory with --data, or log in elsewhere with "
            "`sentienguard login --server URL`"
        )
        raise Away(message) from cause


def read_session(data: Path) -> Session | None:
    """Return the session of this directory, if there is one."""
    try:
        found = json.loads((data / SESSION_FILE).read_bytes())
        refresh = str(found.get("refresh", ""))
        return Session(found["token"], found["server"], found["name"], refresh)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def write_session(data: Path, session: Session) -> None:
    """Keep a session, for its owner alone."""
    record = {
        "token": session.token,
        "server": session.server,
        "name": session.name,
        "refresh": session.refresh,
    }
    private_files.write(data / SESSION_FILE, json.dumps(record).encode())


def read_first_login(data: Path) -> tuple[str, str] | None:
    """Return name and password of the first administrator, if `up` made one here."""
    try:
        found = json.loads((data / FIRST_LOGIN_FILE).read_bytes())
        return str(found["name"]), str(found["password"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
