"""PostgreSQL, protocol 3: log in, ask one statement, read the answer as texts.

Called by `access` and by the collector of PostgreSQL. `Connection.told` sends a statement of our
own without values. `Connection.run` is for signed ones: the extended protocol, in which the server
itself refuses more than one statement, binds the values and stops after so many rows.
"""

import hashlib
import secrets
import struct
from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import Self

from sentienguard.adapters.databases import login, scram, wire

_PROTOCOL = 196_608  # 3.0
_OK, _CLEAR_TEXT, _MD5, _SASL, _SASL_GOES_ON, _SASL_ENDS = 0, 3, 5, 10, 11, 12
_DENIED = frozenset({b"42501", b"28000", b"28P01"})  # privilege, authorization, password
_CUT_OFF = frozenset({b"57014", b"57P01", b"55P03"})  # cancelled, shut down, lock not had in time


class Connection:
    """One session. `options` are the server's settings for it, such as its time limit in ms."""

    def __init__(self, to: login.Login, within_s: float, options: Mapping[str, str]) -> None:
        """Log in. Raises OSError, ValueError; wire.Refused where we are not let in."""
        self._name = to.name
        self._wire = wire.Wire(to.address, within_s)
        try:
            self._log_in(to, options)
        except BaseException:
            self._wire.close()
            raise

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Say goodbye where the server still listens, and close."""
        if kind is None:
            self._wire.send(_message(b"X"))
        self._wire.close()

    def told(self, query: str) -> login.Told:
        """Run a statement of our own. Raises OSError, ValueError, login.Failed."""
        self._wire.send(_message(b"Q", query.encode() + b"\0"))
        return self._answer()

    def run(self, statement: str, values: Sequence[str], most_rows: int) -> login.Told:
        """Run one statement, `$1` and on bound to the values.

        Raises OSError, ValueError, login.Failed, login.TooMany where there are more rows.
        """
        bound = b"".join(struct.pack("!i", len(one)) + one for one in _encoded(values))
        head = struct.pack("!hh", 0, len(values))
        self._wire.send(
            _message(b"P", b"\0" + statement.encode() + b"\0" + struct.pack("!h", 0))
            + _message(b"B", b"\0\0" + head + bound + struct.pack("!h", 0))
            + _message(b"D", b"P\0")
            + _message(b"E", b"\0" + struct.pack("!i", most_rows + 1))
            + _message(b"S")
        )
        told = self._answer()
        if len(told.rows) > most_rows:
            raise login.TooMany(f"{self._name}: more than {most_rows} rows")
        return told

    def _answer(self) -> login.Told:
        """Read until the server is ready for the next one; what came before an error is dropped."""
        names: tuple[str, ...] = ()
        rows: list[tuple[str | None, ...]] = []
        changed, failed = 0, None
        for kind, body in self._messages():
            if kind == b"T":
                names = tuple(_names(body))
            elif kind == b"D":
                rows.append(tuple(_fields(body)))
            elif kind == b"C":
                changed = _changed(body)
            elif kind == b"E":
                failed = _failure(self._name, body)
            elif kind == b"Z":
                break
        if failed is not None:
            raise failed
        return login.Told(names, tuple(rows), changed)

    def _log_in(self, to: login.Login, options: Mapping[str, str]) -> None:
        settings = " ".join(f"-c {name}={value}" for name, value in options.items())
        pairs = {
            "user": to.user,
            "database": to.database or "postgres",
            "application_name": "sentienguard-agent",
            "client_encoding": "UTF8",
            "options": settings,
        }
        words = b"".join(f"{key}\0{value}\0".encode() for key, value in pairs.items())
        body = struct.pack("!i", _PROTOCOL) + words + b"\0"
        self._wire.send(struct.pack("!i", len(body) + 4) + body)
        exchange = scram.Exchange(to.password, secrets.token_urlsafe(18))
        for kind, body in self._messages():
            if kind == b"E":
                raise wire.Refused(f"{to.name}: {_reason(body)}")
            if kind == b"Z":
                return
            if kind == b"R":
                self._authenticate(body, to, exchange)
        raise ConnectionError(f"{to.name}: it closed the connection during the login")

    def _authenticate(self, body: bytes, to: login.Login, exchange: scram.Exchange) -> None:
        """Answer one request of the server for proof."""
        (asked,), rest = struct.unpack("!i", body[:4]), body[4:]
        if asked == _CLEAR_TEXT and to.address.startswith("/"):
            self._wire.send(_message(b"p", to.password.encode() + b"\0"))
        elif asked == _MD5:
            inner = hashlib.md5((to.password + to.user).encode()).hexdigest()  # noqa: S324 - its protocol
            outer = hashlib.md5(inner.encode() + rest[:4]).hexdigest()  # noqa: S324 - as above
            self._wire.send(_message(b"p", f"md5{outer}".encode() + b"\0"))
        elif asked == _SASL and scram.MECHANISM in rest.split(b"\0"):
            first = exchange.first()
            length = struct.pack("!i", len(first))
            self._wire.send(_message(b"p", scram.MECHANISM + b"\0" + length + first))
        elif asked == _SASL_GOES_ON:
            self._wire.send(_message(b"p", exchange.final(rest)))
        elif asked == _SASL_ENDS:
            exchange.check(rest)
        elif asked != _OK:
            raise wire.Refused(
                f"{to.name}: it asks for authentication of kind {asked}; expected peer, trust, md5"
                " or scram-sha-256 (a password in clear text is given over a Unix socket only)"
            )

    def _messages(self) -> Iterator[tuple[bytes, bytes]]:
        while True:
            kind = self._wire.exactly(1)
            (length,) = struct.unpack("!i", self._wire.exactly(4))
            if length < 4:  # noqa: PLR2004 - it counts itself
                raise ValueError(f"PostgreSQL: a message of {length} bytes")
            yield kind, self._wire.exactly(length - 4)


def _message(kind: bytes, body: bytes = b"") -> bytes:
    return kind + struct.pack("!i", len(body) + 4) + body


def _encoded(values: Sequence[str]) -> list[bytes]:
    return [value.encode() for value in values]


def _names(body: bytes) -> list[str]:
    (count,), at = struct.unpack("!h", body[:2]), 2
    names = []
    for _ in range(count):
        end = body.index(b"\0", at)
        names.append(body[at:end].decode("utf-8", "replace"))
        at = end + 19  # the end of the text, and 18 bytes about the type
    return names


def _fields(body: bytes) -> Iterator[str | None]:
    (count,), at = struct.unpack("!h", body[:2]), 2
    for _ in range(count):
        (length,) = struct.unpack("!i", body[at : at + 4])
        at += 4
        yield None if length < 0 else body[at : at + length].decode("utf-8", "replace")
        at += max(length, 0)


def _changed(body: bytes) -> int:
    """Return the number at the end of a tag such as `UPDATE 3`; others have none."""
    last = body.rstrip(b"\0").rpartition(b" ")[2]
    return int(last) if last.isdigit() else 0


def _failure(name: str, body: bytes) -> login.Failed:
    code = _parts(body).get(b"C", b"")
    kind = login.Denied if code in _DENIED else login.CutOff if code in _CUT_OFF else login.Failed
    return kind(f"{name}: {_reason(body)}")


def _reason(body: bytes) -> str:
    """Return the text of an error, short and in ASCII."""
    return ascii(_parts(body).get(b"M", b"refused").decode("utf-8", "replace"))[:120]


def _parts(body: bytes) -> dict[bytes, bytes]:
    return {part[:1]: part[1:] for part in body.split(b"\0") if part}
