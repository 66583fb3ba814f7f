"""A real bus (dbus-daemon), and a small service on it that answers as systemd's manager does.

Members, signatures and the order of what is emitted are those of org.freedesktop.systemd1(5):
ListUnitsFiltered(as) -> a(ssssssouso), Subscribe(), JobRemoved(u, o, s, s), and PropertiesChanged
(s, a{sv}, as) on the objects of units. The service writes its own bytes and shares no code with
the product, so that both would have to be wrong in the same way.
"""

import contextlib
import os
import pathlib
import socket
import struct
import threading
from collections.abc import Iterator, Mapping

from tests.servers import programs

NAME = "org.freedesktop.systemd1"
_CONFIGURATION = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path={socket}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/> <allow own="*"/>
    <allow send_destination="*" eavesdrop="false"/> <allow receive_sender="*"/>
  </policy>
</busconfig>
"""


def missing() -> str | None:
    """Say what is missing to run a bus; None: nothing."""
    return programs.missing(("dbus-daemon",), "dbus-daemon")


@contextlib.contextmanager
def running(place: pathlib.Path) -> Iterator[str]:
    """Run a bus while the block lasts; yields the path of its socket."""
    place.mkdir(parents=True, exist_ok=True)
    path = place / "bus"
    configuration = place / "bus.conf"
    configuration.write_text(_CONFIGURATION.format(socket=path), "utf-8")
    command = ["dbus-daemon", f"--config-file={configuration}", "--nofork", "--nopidfile"]
    with programs.running(command, place, ready=lambda: _answers(path)):
        yield str(path)


def _answers(path: pathlib.Path) -> bool:
    """Tell whether the bus takes connections: its socket is there a moment before."""
    with socket.socket(socket.AF_UNIX) as tried:
        return tried.connect_ex(str(path)) == 0


class Peer:
    """Somebody on the bus, who blocks and may name himself."""

    def __init__(self, path: str, name: str = "") -> None:
        """Connect, and own `name` where one is given."""
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.socket.settimeout(5)
        self._serial = 0
        self._stream = self.socket.makefile("rb")
        self.socket.sendall(f"\0AUTH EXTERNAL {str(os.getuid()).encode().hex()}\r\n".encode())
        assert self._stream.readline().startswith(b"OK ")
        self.socket.sendall(b"BEGIN\r\n")
        self.unique = self.ask_bus("Hello")
        if name:
            wanted = text(name)
            body = wanted + bytes(-len(wanted) % 4) + struct.pack("<I", 4)  # do not queue
            self.ask_bus("RequestName", "su", body)

    def close(self) -> None:
        """Leave the bus."""
        self._stream.close()
        self.socket.close()

    def ask_bus(self, member: str, signature: str = "", body: bytes = b"") -> str:
        """Call the bus and return the text it answers, if it is one."""
        fields = {
            1: ("o", "/org/freedesktop/DBus"),
            6: ("s", "org.freedesktop.DBus"),
            2: ("s", "org.freedesktop.DBus"),
            3: ("s", member),
        }
        asked = self.send(1, fields, signature, body)
        while True:
            kind, found, answer = self.receive()
            if found.get(5) == asked:
                assert kind == 2, answer
                return answer[4:-1].decode() if found.get(8) == "s" else ""

    def send(
        self, kind: int, fields: Mapping[int, tuple[str, str | int]], signature: str, body: bytes
    ) -> int:
        """Send a message; return its serial."""
        self._serial += 1
        if signature:
            fields = {**fields, 8: ("g", signature)}
        listed = b""
        for code, (letter, value) in fields.items():
            listed += bytes(-len(listed) % 8) + bytes((code, 1)) + letter.encode() + b"\0"
            if letter == "u":
                listed += struct.pack("<I", int(value))
            elif letter == "g":
                listed += bytes((len(str(value)),)) + str(value).encode() + b"\0"
            else:
                listed += text(str(value))
        head = struct.pack("<cBBBIII", b"l", kind, 0, 1, len(body), self._serial, len(listed))
        self.socket.sendall(head + listed + bytes(-len(head + listed) % 8) + body)
        return self._serial

    def receive(self) -> tuple[int, dict[int, str | int], bytes]:
        """Return kind, fields by number and body of the next message."""
        head = self._stream.read(16)
        if len(head) < 16:
            raise EOFError
        length, serial, listed_bytes = struct.unpack_from("<III", head, 4)
        listed = self._stream.read(listed_bytes + -listed_bytes % 8)
        body = self._stream.read(length)
        fields: dict[int, str | int] = {0: serial}
        at = 0
        while at < listed_bytes:
            at += -at % 8
            code, letter = listed[at], chr(listed[at + 2])
            at += 4
            if letter == "u":
                (fields[code],) = struct.unpack_from("<I", listed, at)
                at += 4
            elif letter == "g":
                fields[code] = listed[at + 1 : at + 1 + listed[at]].decode()
                at += listed[at] + 2
            else:
                (size,) = struct.unpack_from("<I", listed, at)
                fields[code] = listed[at + 4 : at + 4 + size].decode()
                at += size + 5
        return head[1], fields, body


class Manager:
    """Answers as systemd does, in a thread."""

    def __init__(self, path: str) -> None:
        """Own the name of systemd."""
        self.failed: list[tuple[str, str]] = []  # name and sub-state of what has failed
        self.asked: list[str] = []
        self.mute = False  # true: nothing is answered
        self._peer = Peer(path, NAME)
        self._peer.socket.settimeout(None)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Leave the bus, as systemd does when it ends."""
        self._peer.socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(5)
        self._peer.close()

    def change(self, unit: str, active: str, sub: str) -> None:
        """Emit what systemd emits when a unit changes."""
        changed_unit(self._peer, unit, active, sub)

    def end_job(self, unit: str, result: str) -> None:
        """Emit JobRemoved."""
        body = struct.pack("<I", 7) + text("/org/freedesktop/systemd1/job/7")
        body += bytes(-len(body) % 4) + text(unit)
        body += bytes(-len(body) % 4) + text(result)
        fields = signal("/org/freedesktop/systemd1", f"{NAME}.Manager", "JobRemoved")
        self._peer.send(4, fields, "uoss", body)

    def _serve(self) -> None:
        with contextlib.suppress(EOFError, OSError, ValueError):  # until one of us leaves the bus
            self._answer_all()

    def _answer_all(self) -> None:
        while True:
            kind, fields, _ = self._peer.receive()
            if kind != 1:
                continue
            self.asked.append(str(fields[3]))
            if self.mute:
                continue
            answer = {5: ("u", fields[0]), 6: ("s", fields[7])}
            if fields[3] == "ListUnitsFiltered":
                self._peer.send(2, answer, "a(ssssssouso)", self._rows())
            else:
                self._peer.send(2, answer, "", b"")

    def _rows(self) -> bytes:
        rows = b""
        for unit, sub in self.failed:
            rows += bytes(-len(rows) % 8)
            for one in (unit, f"{unit} of the test", "loaded", "failed", sub, "", path_of(unit)):
                rows += bytes(-len(rows) % 4) + text(one)
            rows += bytes(-len(rows) % 4) + struct.pack("<I", 0) + text("")
            rows += bytes(-len(rows) % 4) + text("/")
        return struct.pack("<II", len(rows), 0) + rows  # the first structure stands at 8


def changed_unit(peer: Peer, unit: str, active: str, sub: str, *, to: str = "") -> None:
    """Emit PropertiesChanged of a unit; `to` one peer alone, where it is given."""
    entries = b""
    stamp = struct.pack("<Q", 1_770_895_560_000_000)
    for name, value in (("ActiveState", active), ("SubState", sub), ("StateChange", "")):
        entries += bytes(-len(entries) % 8) + text(name)
        if value:
            entries += b"\x01s\0"
            entries += bytes(-len(entries) % 4) + text(value)
        else:
            entries += b"\x01t\0"
            entries += bytes(-len(entries) % 8) + stamp
    body = text(f"{NAME}.Unit")
    body += bytes(-len(body) % 4) + struct.pack("<I", len(entries))
    body += bytes(-len(body) % 8) + entries
    body += bytes(-len(body) % 4) + struct.pack("<I", 0)  # nothing invalidated
    fields = signal(path_of(unit), "org.freedesktop.DBus.Properties", "PropertiesChanged")
    if to:
        fields[6] = ("s", to)
    peer.send(4, fields, "sa{sv}as", body)


def signal(path: str, interface: str, member: str) -> dict[int, tuple[str, str | int]]:
    """Return the fields of a signal."""
    return {1: ("o", path), 2: ("s", interface), 3: ("s", member)}


def path_of(unit: str) -> str:
    """Return the object of a unit: what is no letter or digit is written as its number."""
    name = "".join(one if one.isalnum() else f"_{ord(one):02x}" for one in unit)
    return f"/org/freedesktop/systemd1/unit/{name}"


def text(value: str) -> bytes:
    """Write a text that stands at a multiple of four."""
    data = value.encode()
    return struct.pack("<I", len(data)) + data + b"\0"
