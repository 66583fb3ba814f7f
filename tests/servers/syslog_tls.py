"""A syslog receiver over TLS in this process, for tests: it keeps every byte that it reads."""

import contextlib
import socket
import ssl
import threading
from datetime import UTC, datetime

from sentienguard.trust import certificates


class Receiver:
    """Listens on loopback; `stream` holds what each connection brought."""

    def __init__(self, place, *, names=("127.0.0.1", "localhost"), port=0):
        now = datetime.now(UTC)
        self._authority = certificates.make_authority("syslog test", now=now)
        server = certificates.make_server(self._authority, list(names), ["127.0.0.1"], now=now)
        self.ca = place / "ca.pem"
        self.ca.write_bytes(self._authority.certificate_pem)
        chain = place / "server.pem"
        chain.write_bytes(server.certificate_pem + server.key_pem)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(chain)
        self.streams = []
        self.answers_the_end = True  # as RFC 5425 asks; False: close without a word
        self.reads = True  # False: take connections and read nothing
        self.hang_up_after = None  # bytes of a connection, after which it is dropped
        self.changed = threading.Condition()
        self._socket = socket.create_server(("127.0.0.1", port))
        self._open = []
        self._stopping = False
        self._thread = threading.Thread(target=self._accept, daemon=True)

    @property
    def port(self):
        return self._socket.getsockname()[1]

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_error):
        self._stopping = True
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for one in list(self._open):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        self._thread.join(5)

    def wait_for(self, what, within_s=20):
        """Wait until `what(streams)` holds."""
        with self.changed:
            assert self.changed.wait_for(lambda: what(self.streams), within_s)

    def _accept(self):
        while not self._stopping:
            try:
                plain, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(plain,), daemon=True).start()

    def _serve(self, plain):
        self._open.append(plain)
        with contextlib.suppress(OSError), self._context.wrap_socket(plain, True) as tls:
            self._open.append(tls)
            with self.changed:
                number = len(self.streams)
                self.streams.append(b"")
            while self.reads:
                content = tls.recv(65536)
                with self.changed:
                    self.streams[number] += content
                    self.changed.notify_all()
                if not content:
                    if self.answers_the_end:
                        tls.unwrap()
                    return
                limit = self.hang_up_after
                if limit is not None and len(self.streams[number]) >= limit:
                    self.hang_up_after = None
                    return
            with self.changed:
                self.changed.wait_for(lambda: self._stopping, 30)
