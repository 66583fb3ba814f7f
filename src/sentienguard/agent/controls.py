"""What remedies may speak to on this host: `controls` of agent.json.

Called by `settings`, which reads the file, and by `executor`. A service that is not named here is
spoken to by no remedy: being watched under `software` permits nothing.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Final

KINDS: Final = ("redis", "haproxy", "rabbitmq", "certificate", "resolver")
HOLDS: Final = ("data", "cache")
LOCKS: Final = ("/run/lock", "/var/lock")  # mostly the same directory
_SERVICE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@-]{0,63}")
_NEAR = re.compile(r"(?:127\.0\.0\.1|localhost|\[::1\]):[0-9]{1,5}|/[\x21-\x7e]{1,200}")
_WORDS = 64  # of a renewal


@dataclass(frozen=True, slots=True)
class Control:
    """A server program or certificate of one service that remedies may speak to."""

    kind: str  # one of KINDS
    address: str  # host:port of loopback, or an absolute path of a Unix socket
    user: str = ""
    password_file: str | None = None  # absolute; its first line is the password
    holds: str = "data"  # cache: everything in it can be made again, so it may be emptied
    queue: str = ""  # rabbitmq: what the service consumes, of virtual host /
    file: str = ""  # certificate: absolute path of its PEM file
    renew: tuple[str, ...] = ()  # certificate: argv that renews it; empty: nothing does


Controls = Mapping[str, Mapping[str, Control]]  # service -> kind -> control


class Wrong(ValueError):
    """A value that cannot be used; `settings` says in which file."""

    def __init__(self, key: str, expected: str, value: object) -> None:
        """Take the key, what it should hold and what it holds."""
        super().__init__(key)
        self.key, self.expected, self.value = key, expected, value


def parse(record: Any) -> Controls:
    """Read `controls`. Raises Wrong."""
    return {
        service: {
            kind: _control(kind, one, f"controls.{service}.{kind}")
            for kind, one in _named(each, KINDS, f"controls.{service}").items()
        }
        for service, each in _named(record, None, "controls").items()
    }


def render(controls: Controls) -> dict[str, dict[str, dict[str, object]]]:
    """Write what `parse` reads."""
    names = [one.name for one in fields(Control) if one.name != "kind"]
    return {
        service: {kind: {name: getattr(one, name) for name in names} for kind, one in each.items()}
        for service, each in controls.items()
    }


def _named(value: Any, known: tuple[str, ...] | None, key: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Wrong(key, "an object", value)
    for name in value:
        if _SERVICE.fullmatch(name) is None or (known is not None and name not in known):
            expected = "the name of a service" if known is None else " or ".join(known)
            raise Wrong(key, expected, name)
    return value


def _control(kind: str, value: Any, key: str) -> Control:
    known = {one.name for one in fields(Control)} - {"kind"}
    if not isinstance(value, dict) or not set(value) <= known or "address" not in value:
        raise Wrong(key, f"an object with address and perhaps {', '.join(sorted(known))}", value)
    renew = value.get("renew") or []
    words = isinstance(renew, list | tuple) and len(renew) <= _WORDS
    if not words or not all(isinstance(one, str) and "\0" not in one for one in renew):
        raise Wrong(f"{key}.renew", "a list of texts", renew)
    if renew and not renew[0].startswith("/"):
        raise Wrong(f"{key}.renew", "argv that begins with an absolute path", renew)
    found = Control(
        kind=kind,
        address=_text(value, "address", key),
        user=_text(value, "user", key),
        password_file=_path(value, "password_file", key) or None,
        holds=value.get("holds", "data"),
        queue=_text(value, "queue", key),
        file=_path(value, "file", key),
        renew=tuple(renew),
    )
    if _NEAR.fullmatch(found.address) is None:
        raise Wrong(f"{key}.address", "host:port of loopback, or an absolute path", found.address)
    if found.holds not in HOLDS:
        raise Wrong(f"{key}.holds", " or ".join(HOLDS), found.holds)
    if kind == "certificate" and not found.file:
        raise Wrong(f"{key}.file", "the absolute path of a PEM file", found.file)
    return found


def _text(record: Mapping[str, Any], name: str, key: str) -> str:
    value = record.get(name) or ""
    if not isinstance(value, str) or len(value) > 253 or not value.isprintable():  # noqa: PLR2004 - as other texts of agent.json
        raise Wrong(f"{key}.{name}", "at most 253 printable characters", value)
    return value


def _path(record: Mapping[str, Any], name: str, key: str) -> str:
    value = _text(record, name, key)
    if value and not value.startswith("/"):
        raise Wrong(f"{key}.{name}", "an absolute path", value)
    return value
