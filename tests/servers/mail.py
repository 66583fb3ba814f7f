"""An SMTP server with STARTTLS in this process, for tests; it keeps the mails that it took."""

import base64
import contextlib
import socket
import socketserver
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from sentienguard.trust import certificates


@dataclass
class MailServer:
    """The running server."""

    port: int = 0
    ca: Path = Path()
    offers_tls: bool = True
    replies: dict[str, list[bytes]] = field(default_factory=dict)  # what a command hears next
    mails: list[bytes] = field(default_factory=list)
    heard: list[str] = field(default_factory=list)  # commands, and whether under TLS
    login: bytes = b"\0bot\0mail-password"  # of AUTH PLAIN
    repeats_at: str = ""  # command whose refusal repeats all that was said before it
    repeated: int = 0  # how often it did


@contextlib.contextmanager
def running(place: Path) -> Iterator[MailServer]:
    """Run the server while the block lasts."""
    now = datetime.now(UTC)
    authority = certificates.make_authority("mail test", now=now)
    made = certificates.make_server(authority, ["127.0.0.1", "localhost"], ["127.0.0.1"], now=now)
    ca, chain = place / "mail-ca.pem", place / "mail.pem"
    ca.write_bytes(authority.certificate_pem)
    chain.write_bytes(made.certificate_pem + made.key_pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain)
    world = MailServer(ca=ca)

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            _talk(self.request, world, context)

    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    world.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield world
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def _talk(plain: socket.socket, world: MailServer, context: ssl.SSLContext) -> None:
    talk = _Talk(plain, world, context)
    try:
        talk.run()
    except OSError:  # the client went away, or did not believe our certificate
        return
    finally:
        talk.close()


class _Talk:
    """One session."""

    def __init__(self, line: socket.socket, world: MailServer, context: ssl.SSLContext) -> None:
        self._line, self._reader, self._secure = line, line.makefile("rb"), False
        self._world, self._context = world, context
        self._said: list[bytes] = []  # of this session, logins also in the clear

    def close(self) -> None:
        self._reader.close()
        self._line.close()

    def _say(self, text: bytes) -> None:
        self._line.sendall(text + b"\r\n")

    def run(self) -> None:
        self._say(b"220 test ESMTP")
        while command := self._reader.readline():
            verb = command.split()[0].upper().decode()
            self._world.heard.append(f"{verb}{' tls' if self._secure else ''}")
            if self._world.replies.get(verb):
                self._say(self._world.replies[verb].pop(0))
            elif verb == self._world.repeats_at:
                self._repeat(command)
            elif verb == "QUIT":
                self._say(b"221 bye")
                return
            else:
                self._one(verb, command)

    def _repeat(self, command: bytes) -> None:
        """Refuse for good and say again all that was told, as a broken server would log it."""
        self._remember(command)
        told = b" ".join(self._said)
        if command.split()[0].upper() == b"DATA":
            self._say(b"354 go on")
            mail = b""
            while (part := self._reader.readline()) != b".\r\n":
                mail += part
            told += b" " + b" ".join(mail.split())[:100]
        self._world.repeated += 1
        self._say(b"554-who are you?\r\n554 you said: " + told[-400:])

    def _remember(self, command: bytes) -> None:
        words = command.split()
        if words[0].upper() == b"AUTH":  # the clear text last, where less is cut off
            plain = base64.b64decode(words[-1]).replace(b"\0", b" ")
            self._said = [words[-1], *plain.split()]
        elif words[0].upper() in {b"MAIL", b"RCPT"}:
            self._said.insert(0, b" ".join(words))

    def _one(self, verb: str, command: bytes) -> None:
        self._remember(command)
        match verb:
            case "EHLO":
                self._say(b"250-test")
                if self._world.offers_tls and not self._secure:
                    self._say(b"250-STARTTLS")
                self._say(b"250-AUTH PLAIN\r\n250 8BITMIME" if self._secure else b"250 8BITMIME")
            case "STARTTLS":
                self._say(b"220 go on")
                self._reader.close()
                self._line = self._context.wrap_socket(self._line, server_side=True)
                self._reader, self._secure = self._line.makefile("rb"), True
            case "AUTH":
                right = base64.b64encode(self._world.login)
                self._say(b"235 ok" if right in command else b"535 no")
            case "DATA":
                self._say(b"354 go on")
                mail = b""
                while (part := self._reader.readline()) != b".\r\n":
                    mail += part
                self._world.mails.append(mail)
                self._say(b"250 taken")
            case _:
                self._say(b"250 ok")
