"""A small control plane for the agent's tests: real TLS, real HTTP, an answer for each request.

Called by tests/integration/agent and by benchmarks/footprint.py. It keeps the samples that it
accepted, by sequence number, and does what `plan` says before it answers: a list of statuses for
the next requests to /api/v1/metrics, for example [503, 409]. `Relay` stands between the two and
counts the bytes that cross the wire.
"""

import base64
import contextlib
import http.server
import json
import socket
import socketserver
import ssl
import threading
from collections import deque
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from sentienguard.agent import private_files, settings
from sentienguard.model import errors, ids, telemetry
from sentienguard.stages.observe import payload, wire
from sentienguard.trust import certificates

AGENT = ids.AgentId("11111111-2222-4333-8444-555555555555")


class Trust:
    """An authority, a server's certificate and an agent's, made anew."""

    def __init__(
        self,
        *,
        names: Sequence[str] = ("localhost",),
        addresses: Sequence[str] = ("127.0.0.1",),
        now: datetime | None = None,
    ) -> None:
        at = now or datetime.now(UTC)
        self.authority = certificates.make_authority("test", now=at)
        self.server = certificates.make_server(self.authority, names, addresses, now=at)
        self.request = certificates.make_request("host-1")
        self.certificate = certificates.sign_agent(
            self.authority, self.request.csr_pem, AGENT, now=datetime.now(UTC)
        )
        self.pin = certificates.pin_of(self.server.certificate_pem)

    def context(self, directory: Path, *, ask_certificate: bool = True) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        chain, authority = directory / "server.pem", directory / "authority.pem"
        chain.write_bytes(self.server.certificate_pem + self.server.key_pem)
        authority.write_bytes(self.authority.certificate_pem)
        context.load_cert_chain(chain)
        context.load_verify_locations(authority)
        context.verify_mode = ssl.CERT_OPTIONAL if ask_certificate else ssl.CERT_NONE
        return context


def enrolled(directory: Path, trust: Trust, port: int, **changes: object) -> settings.Settings:
    """Write the files of an enrolled agent whose centre listens on this port."""
    record = {
        "agent_id": AGENT,
        "host": "host-1",
        "environment": "drill",
        "tags": {"service": "web"},
        "server": f"https://127.0.0.1:{port}",
        "pins": [trust.pin],
        "root_digest": "sha256:" + "0" * 64,
        "interval_s": 0.2,
        "limits": {"config_s": 1, "poll_s": 1},
        **changes,
    }
    text = json.dumps(record).encode()
    private_files.directory(directory)
    for name in ("collector", "collector/spool", "executor", "run"):
        private_files.directory(directory / name)
    private_files.write(directory / "collector" / "tls.key", trust.request.key_pem)
    private_files.write(directory / "collector" / "tls.crt", trust.certificate)
    private_files.write(directory / "collector" / "ca.pem", trust.authority.certificate_pem)
    private_files.write(directory / settings.FILE, text)
    return settings.parse(text)


class Centre:
    """Listens on loopback; a context manager."""

    def __init__(self, context: ssl.SSLContext | None, port: int = 0) -> None:
        self.samples: dict[int, telemetry.Sample] = {}  # accepted, by sequence number
        self.order: list[int] = []  # sequence numbers in the order of their first acceptance
        self.texts: dict[int, bytes] = {}
        self.frames: list[bytes] = []  # every frame that came
        self.plan: deque[int] = deque()  # statuses for the next samples, instead of taking them
        self.forget_bases = False  # answer 409 to every frame that builds on another
        self.hold_s = 0.0  # how long a request for orders waits for something to answer
        self.answers: dict[str, Any] = {}  # path -> JSON objects to answer, one by one
        self.requests: list[
            tuple[str, dict[str, str], dict[str, Any]]
        ] = []  # path, headers, JSON of the others
        self.arrived = threading.Condition()
        self._server = _Server(self, context, port)
        self.port = int(self._server.server_address[1])

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.end()

    def wait_for(self, condition: Callable[["Centre"], object], seconds: float = 10.0) -> bool:
        """Wait until condition(self) holds; tell whether it did."""
        with self.arrived:
            return bool(self.arrived.wait_for(lambda: condition(self), seconds))

    def take(self, frame: bytes) -> tuple[int, str]:
        """Take a frame as the ingest does; return status and problem type."""
        self.frames.append(frame)
        if self.plan:
            return self.plan.popleft(), ""
        try:
            decoded = wire.decode(frame, {} if self.forget_bases else self.texts)
            sample = payload.parse(decoded.text)
        except errors.Unavailable:
            return 409, "urn:sentienguard:problem:unknown-base"
        except errors.Rejected as error:
            return 422, str(error)
        assert sample.seq == decoded.seq
        if decoded.seq not in self.samples:
            self.order.append(decoded.seq)
        self.samples[decoded.seq] = sample
        self.texts[decoded.seq] = decoded.text
        return 204, ""


class _Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 16

    def __init__(self, centre: Centre, context: ssl.SSLContext | None, port: int) -> None:
        self.centre = centre
        self.context = context
        self.open: list[socket.socket] = []
        super().__init__(("127.0.0.1", port), _Handler)

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        self.open.append(connection)
        return connection, address

    def finish_request(self, request: Any, client_address: Any) -> None:
        if self.context is not None:
            request.settimeout(30)
            request = self.context.wrap_socket(request, server_side=True)
        self.open.append(request)
        super().finish_request(request, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Agents that refuse us, and tests that end, drop connections."""

    def end(self) -> None:
        self.server_close()
        for connection in self.open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def do_POST(self) -> None:
        centre = self.server.centre
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with centre.arrived:
            record: dict[str, Any] | None
            if self.path == "/api/v1/metrics":
                status, problem = centre.take(body)
                record = {"type": problem} if status >= 400 else None
            else:
                centre.requests.append((self.path, dict(self.headers), json.loads(body)))
                if self.path == "/api/v1/orders":
                    centre.arrived.wait_for(lambda: centre.answers.get(self.path), centre.hold_s)
                status, record = self._planned()
            centre.arrived.notify_all()
        self._answer(status, record)

    def do_GET(self) -> None:
        centre = self.server.centre
        with centre.arrived:
            centre.requests.append((self.path, dict(self.headers), {}))
            status, record = self._planned()
            centre.arrived.notify_all()
        self._answer(status, record)

    def _planned(self) -> tuple[int, dict[str, Any] | None]:
        waiting = self.server.centre.answers.get(self.path)
        if waiting:
            record = waiting.popleft()
            return record.pop("status", 200), record
        return 204, None

    def _answer(self, status: int, record: dict[str, Any] | None) -> None:
        body = b"" if record is None else json.dumps(record).encode()
        lines = [f"HTTP/1.1 {status} x", f"Content-Length: {len(body)}"]
        if record is not None:
            kind = "problem" if status >= 400 else "vnd.sentienguard"
            lines += [f"Content-Type: application/{kind}+json", 'ETag: "1"']
        if status == 204:
            lines = lines[:1]
        self.wfile.write(("\r\n".join(lines) + "\r\n\r\n").encode() + body)


class Relay:
    """Passes bytes between two ports and counts them; a context manager."""

    def __init__(self, to_port: int) -> None:
        self.up = self.down = 0  # bytes towards the centre, bytes back
        self.connections = 0
        self._to = to_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._open: list[socket.socket] = []

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def cut(self) -> None:
        """End every connection, as a network does."""
        for connection in self._open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()
        self._open = []

    def _accept(self) -> None:
        while True:
            try:
                one, _ = self._listener.accept()
                other = socket.create_connection(("127.0.0.1", self._to))
            except OSError:
                return
            for connection in (one, other):
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.connections += 1
            self._open += [one, other]
            for source, target, name in ((one, other, "up"), (other, one, "down")):
                threading.Thread(
                    target=self._pump, args=(source, target, name), daemon=True
                ).start()

    def _pump(self, source: socket.socket, target: socket.socket, name: str) -> None:
        try:
            while part := source.recv(65536):
                setattr(self, name, getattr(self, name) + len(part))
                target.sendall(part)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            return


class PretendExecutor:
    """The other end of the Unix socket: answers from a table and keeps what was asked."""

    def __init__(self, path: Path) -> None:
        self.asked: list[dict[str, Any]] = []
        self.events: list[dict[str, Any]] = []
        self.acked = 0
        self.arrived = threading.Condition()
        self._nonces = 0
        self._path = path
        self._path.unlink(missing_ok=True)
        self._server = _UnixServer(self, path)
        path.chmod(0o600)

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._path.unlink(missing_ok=True)

    def wait_for(
        self, condition: Callable[["PretendExecutor"], object], seconds: float = 10.0
    ) -> bool:
        with self.arrived:
            return bool(self.arrived.wait_for(lambda: condition(self), seconds))

    def asked_for(self, operation: str) -> list[dict[str, Any]]:
        return [request for request in self.asked if request["op"] == operation]

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        with self.arrived:
            self.asked.append(request)
            self.arrived.notify_all()
        done: dict[str, Any] = getattr(self, f"do_{request['op']}")(request)
        return done

    def do_hello(self, _: dict[str, Any]) -> dict[str, Any]:
        return {"agent_id": AGENT, "busy": None, "frozen": False, "last_seq": len(self.events)}

    def do_ticket(self, _: dict[str, Any]) -> dict[str, Any]:
        self._nonces += 1
        nonce = base64.b64encode(self._nonces.to_bytes(16, "big")).decode()
        return {"nonce": nonce, "checkpoint": None, "tree_size": 0}

    def do_order(self, request: dict[str, Any]) -> dict[str, Any]:
        return {"admitted": True, "order_id": request["envelope"].get("order_id", "")}

    def do_stop(self, _: dict[str, Any]) -> dict[str, Any]:
        return {"stopping": True, "reason": ""}

    def do_checkpoint(self, _: dict[str, Any]) -> dict[str, Any]:
        return {"cosigned": True, "reason": ""}

    def do_config(self, _: dict[str, Any]) -> dict[str, Any]:
        return {"accepted": True, "reason": "", "catalogue_version": 1}

    def do_renewal(self, _: dict[str, Any]) -> dict[str, Any]:
        return {"statement": {"payload": "pretended"}}

    def do_attempt(self, _: dict[str, Any]) -> dict[str, Any]:
        return {"recorded": True}

    def do_events(self, request: dict[str, Any]) -> dict[str, Any]:
        with self.arrived:
            self.arrived.wait_for(lambda: len(self.events) > request["after"], request["wait_s"])
            return {"events": self.events[request["after"] :][:64]}

    def do_acked(self, request: dict[str, Any]) -> dict[str, Any]:
        with self.arrived:
            self.acked = request["through"]
            self.arrived.notify_all()
        return {"through": self.acked}

    def happened(self, *leaves: str) -> None:
        with self.arrived:
            self.events += [{"leaf": leaf, "sig": "", "blobs": []} for leaf in leaves]
            self.arrived.notify_all()


class _UnixServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True

    def __init__(self, executor: PretendExecutor, path: Path) -> None:
        self.executor = executor
        super().__init__(str(path), _LineHandler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """The collector may go at any time."""


class _LineHandler(socketserver.StreamRequestHandler):
    server: _UnixServer

    def handle(self) -> None:
        for line in self.rfile:
            answer = self.server.executor.answer(json.loads(line))
            self.wfile.write(json.dumps(answer).encode() + b"\n")
