"""The guarded client against real sockets: rebinding, redirects, endless and slow answers."""

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest

from sentienguard.adapters.outbound_http import client
from sentienguard.adapters.outbound_http.destinations import Allowed
from sentienguard.ports.outbound import NoAnswer, NotAllowed, Request

pytestmark = pytest.mark.integration


class Handler(BaseHTTPRequestHandler):
    asked: ClassVar[list[tuple[str, str, dict[str, str], bytes]]] = []

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", "0")))
        self.asked.append((self.command, self.path, dict(self.headers), body))
        if self.path == "/endless":
            self.send_response(200)
            self.end_headers()
            try:
                while True:
                    self.wfile.write(b"x" * 65536)
            except OSError:
                return
        if self.path == "/drip":
            self.send_response(200)
            self.end_headers()
            try:
                for _ in range(100):
                    self.wfile.write(b"x")
                    time.sleep(0.05)
            except OSError:
                return
        self.send_response(302 if self.path == "/away" else 200)
        if self.path == "/away":
            self.send_header("Location", "http://169.254.169.254/latest/meta-data/")
        self.end_headers()
        self.wfile.write(b"done")

    do_GET = do_POST = _answer  # noqa: N815 - the library's names

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        pass


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    Handler.asked = []
    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    running.daemon_threads = True
    thread = threading.Thread(target=running.serve_forever, daemon=True)
    thread.start()
    yield running
    running.shutdown()
    running.server_close()
    thread.join()


def url_of(server: ThreadingHTTPServer, path: str = "/", host: str = "127.0.0.1") -> str:
    return f"http://{host}:{server.server_port}{path}"


def guarded(server: ThreadingHTTPServer, **more: object) -> client.GuardedClient:
    allowed = [Allowed.of(url_of(server), private=True)]
    return client.GuardedClient(allowed, limit_s=0.5, **more)  # type: ignore[arg-type]


def test_what_was_configured_is_asked(server: ThreadingHTTPServer) -> None:
    request = Request("POST", url_of(server, "/x?y=1"), {"Content-Type": "text/plain"}, b"hello")
    answer = guarded(server).send(request)
    assert (answer.status, answer.body) == (200, b"done")
    [(method, path, headers, body)] = Handler.asked
    assert (method, path, body) == ("POST", "/x?y=1", b"hello")
    assert headers["host"] == f"127.0.0.1:{server.server_port}"


def test_a_redirect_is_an_answer_and_not_followed(server: ThreadingHTTPServer) -> None:
    assert guarded(server).send(Request("GET", url_of(server, "/away"))).status == 302
    assert len(Handler.asked) == 1


@pytest.mark.parametrize("path", ["/endless", "/drip"])
def test_an_answer_without_end_is_given_up(server: ThreadingHTTPServer, path: str) -> None:
    with pytest.raises(NoAnswer):
        guarded(server).send(Request("GET", url_of(server, path)))


def test_a_name_is_resolved_once_and_the_judged_address_is_asked(
    server: ThreadingHTTPServer,
) -> None:
    answers = iter([["127.0.0.1"], ["169.254.169.254"]])
    asked: list[str] = []

    def rebinding(host: str, port: int) -> list[str]:
        asked.append(host)
        return next(answers)

    url = url_of(server, host="chat.corp")
    way = client.GuardedClient([Allowed.of(url, private=True)], limit_s=1, resolver=rebinding)
    assert way.send(Request("GET", url)).status == 200
    assert asked == ["chat.corp"]
    with pytest.raises(NotAllowed):
        way.send(Request("GET", url))


def test_a_public_name_that_leads_inside_is_refused(server: ThreadingHTTPServer) -> None:
    url = url_of(server, host="hooks.example.com")
    way = client.GuardedClient([Allowed.of(url)], resolver=lambda _host, _port: ["127.0.0.1"])
    for ask in (lambda: way.send(Request("GET", url)), lambda: way.connect(url)):
        with pytest.raises(NotAllowed, match="private: true"):
            ask()
    assert Handler.asked == []


@pytest.mark.parametrize(
    ("method", "headers"),
    [("DELETE", {}), ("GET", {"Host": "evil"}), ("GET", {"X": "a\r\nHost: evil"})],
)
def test_a_request_that_says_two_things_is_refused(
    server: ThreadingHTTPServer, method: str, headers: dict[str, str]
) -> None:
    with pytest.raises(NotAllowed):
        guarded(server).send(Request(method, url_of(server), headers))
    assert Handler.asked == []


def test_the_environment_s_proxy_is_not_used(
    server: ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert guarded(server).send(Request("GET", url_of(server))).status == 200


def test_silence_is_unavailable(server: ThreadingHTTPServer) -> None:
    port = server.server_port
    server.shutdown()
    server.server_close()
    url = f"http://127.0.0.1:{port}/"
    with pytest.raises(NoAnswer):
        client.GuardedClient([Allowed.of(url, private=True)]).send(Request("GET", url))
