"""HAProxy, over its admin socket (`stats socket ... level admin`)."""

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sentienguard.adapters.local_servers import wire
from sentienguard.ports import servers

RECENT_S: Final = 600  # a server that did not change for so long does not flap
_NAME = re.compile(r"[A-Za-z0-9_.:-]{1,128}")
_FORCED_MAINTENANCE, _FORCED_DRAIN = 0x01, 0x08  # of srv_admin_state (management guide, 9.3)
_STATES = frozenset({"ready", "drain"})
Row = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Haproxy:
    """One HAProxy that was declared."""

    address: str

    def setting(self, key: str) -> str:
        """Return ready, drain or maint of a server."""
        admin = self._admin()
        if key not in admin:
            raise servers.ServerFailed(f"haproxy at {self.address} has no server {key[:80]!r}")
        if admin[key] & _FORCED_MAINTENANCE:
            return "maint"
        return "drain" if admin[key] & _FORCED_DRAIN else "ready"

    def change(self, key: str, value: str) -> None:
        """Set a server ready or draining, and look whether it is."""
        if value not in _STATES:
            raise servers.NotControlled(f"haproxy sets no server {value[:40]!r}")
        backend, _, server = key.partition("/")
        said = self._ask(f"set server {_named(backend)}/{_named(server)} state {value}")
        if self.setting(key) != value:
            raise servers.ServerFailed(f"haproxy did not set {key} {value}: {said.strip()[:120]}")

    def choose(self, what: str, at_least: float) -> tuple[str, ...]:
        """Name servers; see ports.servers."""
        rows = self._rows()
        if what == "drained":
            admin = self._admin()
            return tuple(
                name
                for row in rows
                if (name := _server(row)) in admin
                and admin[name] & _FORCED_DRAIN
                and row["status"].startswith("DRAIN")
            )
        if what == "flapping":
            return _flapping(rows, at_least)
        raise servers.NotControlled(f"haproxy chooses no {what!r}")

    def do(self, deed: str, operand: str, limit: float) -> bool:
        """Do nothing else than change settings."""
        del operand, limit
        raise servers.NotControlled(f"haproxy does no {deed!r}")

    def reading(self, name: str) -> float:
        """Measure one of `READINGS`."""
        if name == "haproxy_drained":
            return float(len(self.choose("drained", 0)))
        rows = self._rows()
        if name == "haproxy_flaps":
            return float(max((_downs(row) for row in rows), default=0))
        down = [row for row in rows if row["svname"] == "BACKEND" and row["status"] == "DOWN"]
        return float(len(down))

    def _rows(self) -> Sequence[Row]:
        text = self._ask("show stat")
        if not text.startswith("# pxname,"):
            raise servers.ServerFailed(f"haproxy at {self.address} said {text[:80]!r}")
        return list(csv.DictReader(io.StringIO(text.removeprefix("# ").rstrip("\n"))))

    def _admin(self) -> Mapping[str, int]:
        lines = self._ask("show servers state").splitlines()
        head = next((line.split()[1:] for line in lines if line.startswith("# ")), [])
        rows = [dict(zip(head, line.split(), strict=False)) for line in lines if line[:1].isdigit()]
        return {
            f"{row['be_name']}/{row['srv_name']}": int(row["srv_admin_state"])
            for row in rows
            if {"be_name", "srv_name", "srv_admin_state"} <= row.keys()
        }

    def _ask(self, command: str) -> str:
        with wire.Wire(self.address) as connection:
            connection.send(command.encode() + b"\n")
            said = connection.rest().decode("utf-8", "replace")
        if "ermission denied" in said:
            raise servers.ServerFailed(
                f"haproxy at {self.address} denies {command[:20]!r}: give its socket level admin"
            )
        return said


READINGS: Final = ("haproxy_drained", "haproxy_flaps", "haproxy_backends_down")


def _flapping(rows: Sequence[Row], at_least: float) -> tuple[str, ...]:
    """Return the servers that flap, except where nobody else would serve in their place."""
    meant = {_server(row): _downs(row) for row in rows if _downs(row) >= max(1, at_least)}
    steady = [
        row["pxname"]
        for row in rows
        if _server(row) and row["status"].startswith("UP") and _server(row) not in meant
    ]
    ranked = sorted(meant, key=lambda name: (-meant[name], name))
    return tuple(name for name in ranked if name.partition("/")[0] in steady)


def _downs(row: Row) -> int:
    """Return how often a server that serves was down, if it changed a moment ago."""
    serves = bool(_server(row)) and row["status"].startswith("UP")
    return _whole(row, "chkdown") if serves and _whole(row, "lastchg") < RECENT_S else 0


def _server(row: Row) -> str:
    if row["svname"] in {"FRONTEND", "BACKEND"} or row.get("type") != "2":
        return ""
    return f"{row['pxname']}/{row['svname']}"


def _whole(row: Row, field: str) -> int:
    text = row.get(field) or ""
    return int(text) if text.isdigit() else 0


def _named(name: str) -> str:
    if _NAME.fullmatch(name) is None:
        raise servers.NotControlled(f"{name[:80]!r} is no name that haproxy gives")
    return name
