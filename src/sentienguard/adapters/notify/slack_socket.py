"""Slack's Socket Mode: clicks come over a WebSocket that we open, so nothing listens here.

Made by the composition root for each app token; runs in a thread of its own. apps.connections.open
names an address for one use; each envelope is acknowledged before it is dealt with, because Slack
waits three seconds and sends again otherwise. Slack closes a socket every few hours and says so.
Source: docs.slack.dev, Socket Mode; RFC 6455 by wsproto.
"""

import contextlib
import json
import logging
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final

import wsproto
from wsproto import events

from sentienguard.adapters.notify import posting
from sentienguard.adapters.notify.slack import Workspace
from sentienguard.model import errors
from sentienguard.ports.notifier import NotNow, NotTaken
from sentienguard.ports.outbound import NoAnswer, NotAllowed, Outbound

log = logging.getLogger(__name__)
SILENCE_S: Final = 90.0  # Slack pings every few seconds; so long without a byte is a dead line
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 60.0  # between two attempts
LONGEST_MESSAGE: Final = 1024 * 1024
Take = Callable[[Mapping[str, Any]], Mapping[str, Any]]


class LineLost(errors.Unavailable):
    """The socket ended or broke a rule of its protocol."""


class SlackSocket:
    """One socket, opened again whenever it ends."""

    def __init__(
        self,
        space: Workspace,
        way: Outbound,
        connect: Callable[[str], socket.socket],
        tls: ssl.SSLContext,
        now: Callable[[], datetime],
    ) -> None:
        """Prepare; `connect` is the guarded connection to an allowed address."""
        self._space = space
        self._way = way
        self._connect = connect
        self._tls = tls
        self._now = now
        self._stop = threading.Event()
        self._line: socket.socket | None = None
        self._thread: threading.Thread | None = None

    def start(self, take: Take) -> None:
        """Listen until `stop`; `take` gets each envelope and returns its answer, or nothing."""
        self._thread = threading.Thread(
            target=self._run, args=(take,), name="slack-socket", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """End, and return when it has."""
        self._stop.set()
        line = self._line
        if line is not None:
            with contextlib.suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)
        if self._thread is not None:
            self._thread.join(timeout=10)

    def _run(self, take: Take) -> None:
        pause = FIRST_PAUSE_S
        while not self._stop.is_set():
            try:
                self._listen(take)
                pause = FIRST_PAUSE_S
            except NotNow as cause:
                log.warning("slack socket: %s", cause)
                pause = min(max(pause * 2, cause.after_s or 0.0), LONGEST_PAUSE_S)
            except (LineLost, NotTaken, NotAllowed, NoAnswer, OSError, ssl.SSLError) as cause:
                log.warning("slack socket: %s", cause)
                pause = min(pause * 2, LONGEST_PAUSE_S)
            except Exception:  # a fault in one envelope must not end the line for good
                log.exception("slack socket")
                pause = min(pause * 2, LONGEST_PAUSE_S)
            self._stop.wait(pause)

    def _address(self) -> str:
        token = self._space.app_token
        if token is None:
            raise NotNow("no app token: no clicks by socket")
        answer = posting.document(
            posting.send(
                self._way,
                f"{self._space.api}/apps.connections.open",
                b"",
                at=self._now(),
                headers={
                    "authorization": f"Bearer {token.text()}",
                    "content-type": "application/x-www-form-urlencoded",
                },
            )
        )
        url = answer.get("url")
        if answer.get("ok") is not True or not isinstance(url, str):
            code = posting.shown(str(answer.get("error", "no address")).encode())
            raise NotNow(f"apps.connections.open: {code}")
        return url

    def _listen(self, take: Take) -> None:
        """Talk over one socket until Slack ends it in good order."""
        url = self._address()
        with self._opened(url) as line:
            spoken = wsproto.WSConnection(wsproto.ConnectionType.CLIENT)
            host, _, target = url.partition("://")[2].partition("/")
            line.sendall(spoken.send(events.Request(host=host, target=f"/{target}")))
            for text in _messages(line, spoken):
                if not self._one(text, line, spoken, take):
                    return

    @contextlib.contextmanager
    def _opened(self, url: str) -> Iterator[socket.socket]:
        plain = self._connect(url)
        host = url.partition("://")[2].partition("/")[0].rpartition(":")
        name = host[0] or host[2]
        secure = url.startswith("wss:")
        line = self._tls.wrap_socket(plain, server_hostname=name) if secure else plain
        with line:
            line.settimeout(SILENCE_S)
            self._line = line
            try:
                yield line
            finally:
                self._line = None

    def _one(
        self, text: str, line: socket.socket, spoken: wsproto.WSConnection, take: Take
    ) -> bool:
        """Take one message; False where Slack asked us to connect again."""
        try:
            envelope = json.loads(text)
        except ValueError as cause:
            raise LineLost(f"a message is no JSON: {cause}") from cause
        if not isinstance(envelope, dict) or envelope.get("type") == "disconnect":
            return False
        name = envelope.get("envelope_id")
        if not isinstance(name, str):  # hello
            return True
        answers_itself = _is_answered(envelope)
        said = take(envelope) if answers_itself else {}
        acknowledged: dict[str, Any] = {"envelope_id": name}
        if said and envelope.get("accepts_response_payload") is True:
            acknowledged["payload"] = dict(said)
        line.sendall(spoken.send(events.TextMessage(json.dumps(acknowledged))))
        if not answers_itself:
            take(envelope)
        return True


def _is_answered(envelope: Mapping[str, Any]) -> bool:
    """Tell whether Slack waits for more than that it arrived."""
    payload = envelope.get("payload")
    handed_in = isinstance(payload, Mapping) and payload.get("type") == "view_submission"
    return envelope.get("type") == "slash_commands" or handed_in


def _messages(line: socket.socket, spoken: wsproto.WSConnection) -> Iterator[str]:
    """Yield whole text messages; pings are answered. Ends when the other side closes."""
    kept = ""
    for event in _events(line, spoken):
        match event:
            case events.Ping():
                line.sendall(spoken.send(event.response()))
            case events.TextMessage():
                kept += event.data
                if len(kept) > LONGEST_MESSAGE:
                    raise LineLost("a message is longer than any of Slack's")
                if event.message_finished:
                    yield kept
                    kept = ""
            case events.CloseConnection():
                line.sendall(spoken.send(event.response()))
                return
            case events.RejectConnection():
                raise LineLost(f"the socket was refused: {event.status_code}")
            case _:
                continue


def _events(line: socket.socket, spoken: wsproto.WSConnection) -> Iterator[events.Event]:
    """Yield what comes, until nothing more can."""
    try:
        while received := line.recv(65536):
            spoken.receive_data(received)
            yield from spoken.events()
    except (wsproto.utilities.ProtocolError, TimeoutError) as cause:
        raise LineLost(str(cause) or "nothing came for too long") from cause
