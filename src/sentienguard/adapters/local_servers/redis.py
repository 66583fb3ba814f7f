"""Redis, and what speaks its protocol."""

import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from sentienguard.adapters.local_servers import wire
from sentienguard.ports import servers

Answer: TypeAlias = "str | int | None"
POLICY: Final = "maxmemory-policy"
KEEPS: Final = "noeviction"
POLL_S: Final = 0.1
_SPARED = frozenset("SMO")  # flags of CLIENT LIST: a replica, a master, MONITOR


@dataclass(frozen=True, slots=True)
class Redis:
    """One Redis that was declared."""

    address: str
    user: str = ""
    password_file: str | None = None

    def setting(self, key: str) -> str:
        """Return the policy."""
        with self._open() as talk:
            return _policy(talk, key)

    def change(self, key: str, value: str) -> None:
        """Set the policy, and look whether it is set."""
        with self._open() as talk:
            _policy(talk, key)
            talk.ask("CONFIG", "SET", POLICY, value)
            if (now := _policy(talk, key)) != value:
                raise servers.ServerFailed(f"{self.address}: {POLICY} is {now}, not {value}")

    def choose(self, what: str, at_least: float) -> tuple[str, ...]:
        """Return ids of clients that have so many bytes unread."""
        if what != "slow_clients":
            raise servers.NotControlled(f"redis chooses no {what!r}")
        with self._open() as talk:
            found = [one for one in _clients(talk) if one[1] >= at_least]
        return tuple(str(one[0]) for one in sorted(found, key=lambda one: -one[1]))

    def do(self, deed: str, operand: str, limit: float) -> bool:
        """Do it."""
        with self._open(limit) as talk:
            match deed:
                case "flush":
                    had = _keys(_told(talk))
                    talk.ask("FLUSHALL", "ASYNC")
                    return had > 0
                case "drop":
                    return talk.ask("CLIENT", "KILL", "ID", str(int(operand))) == 1
                case "reconnect":
                    return _reconnected(talk)
                case "save":
                    return _saved(talk, limit)
                case _:
                    raise servers.NotControlled(f"redis does no {deed!r}")

    def reading(self, name: str) -> float:
        """Measure one of `READINGS`."""
        with self._open() as talk:
            if name == "redis_unread_bytes":
                return float(max((size for _, size in _clients(talk)), default=0))
            told = _told(talk)
        return READINGS[name](told)

    @contextlib.contextmanager
    def _open(self, limit: float = wire.LIMIT_S) -> Iterator["_Talk"]:
        word = wire.password(self.password_file)
        with wire.Wire(self.address, limit) as connection:
            talk = _Talk(connection, self.address)
            if word:
                talk.ask("AUTH", *([self.user] if self.user else []), word)
            yield talk


@dataclass(frozen=True, slots=True)
class _Talk:
    connection: wire.Wire
    address: str

    def ask(self, *words: str) -> Answer:
        """Send one command and return its answer. Raises servers.ServerFailed for an error."""
        parts = [b"*%d\r\n" % len(words)]
        parts += [b"$%d\r\n%b\r\n" % (len(word), word) for word in map(str.encode, words)]
        self.connection.send(b"".join(parts))
        found = self._answer()
        return found if not isinstance(found, list) else "\n".join(map(str, found))

    def _answer(self) -> "Answer | list[Answer]":
        head = self.connection.line()
        mark, rest = head[:1], head[1:].decode("utf-8", "replace")
        match mark:
            case b"+":
                return rest
            case b":":
                return int(rest)
            case b"$":
                size = int(rest)
                return (
                    None if size < 0 else self.connection.exactly(size).decode("utf-8", "replace")
                )
            case b"*":
                return [self._single() for _ in range(int(rest))]
            case _:
                raise servers.ServerFailed(f"redis at {self.address}: {rest[:120]}")

    def _single(self) -> Answer:
        found = self._answer()
        if isinstance(found, list):
            raise servers.ServerFailed(f"redis at {self.address}: a list in a list")
        return found


def _policy(talk: _Talk, key: str) -> str:
    if key != "policy":
        raise servers.NotControlled(f"redis has no setting {key!r} here")
    found = str(talk.ask("CONFIG", "GET", POLICY)).split("\n")
    return found[1] if len(found) > 1 else ""


def _told(talk: _Talk) -> Mapping[str, str]:
    text = str(talk.ask("INFO", "everything"))
    return dict(line.split(":", 1) for line in text.splitlines() if ":" in line)


def _clients(talk: _Talk) -> Sequence[tuple[int, int]]:
    """Return id and unread bytes of each client that is neither a replica nor a master."""
    listing = str(talk.ask("CLIENT", "LIST"))
    each = (dict(part.partition("=")[::2] for part in line.split()) for line in listing.split("\n"))
    return [
        (int(one["id"]), int(one.get("omem", "0")))
        for one in each
        if one.get("id", "").isdigit() and not _SPARED & set(one.get("flags", ""))
    ]


def _reconnected(talk: _Talk) -> bool:
    if _told(talk).get("role") != "slave":
        raise servers.ServerFailed(f"redis at {talk.address} is no replica")
    return int(talk.ask("CLIENT", "KILL", "TYPE", "master") or 0) > 0


def _saved(talk: _Talk, limit: float) -> bool:
    until = time.monotonic() + limit * 0.9
    if _number(_told(talk), "rdb_bgsave_in_progress") == 0:
        talk.ask("BGSAVE")
    while time.monotonic() < until:
        time.sleep(POLL_S)
        told = _told(talk)
        if _number(told, "rdb_bgsave_in_progress") == 0:
            if told.get("rdb_last_bgsave_status") != "ok":
                raise servers.ServerFailed(
                    f"redis at {talk.address} could not write its snapshot; is its volume full?"
                )
            return True
    raise servers.ServerFailed(f"redis at {talk.address}: the snapshot took over {limit:.0f} s")


def _number(told: Mapping[str, str], field: str) -> float:
    try:
        return float(told.get(field, 0))
    except ValueError:
        return 0.0


def _keys(told: Mapping[str, str]) -> float:
    fields = (told[name] for name in told if name.startswith("db") and name[2:].isdigit())
    return sum(float(field.partition("keys=")[2].partition(",")[0] or 0) for field in fields)


def _memory(told: Mapping[str, str]) -> float:
    most = _number(told, "maxmemory")
    return 100 * _number(told, "used_memory") / most if most > 0 else 0.0


def _silent(told: Mapping[str, str]) -> float:
    """Return for how long a replica heard nothing; a link that is down counts since then."""
    if told.get("role") != "slave":
        return 0.0
    if told.get("master_link_status") != "up":
        return max(1.0, _number(told, "master_link_down_since_seconds"))
    return max(0.0, _number(told, "master_last_io_seconds_ago"))


READINGS: Final = {
    "redis_memory_percent": _memory,
    "redis_evicts": lambda told: float(told.get("maxmemory_policy") != KEEPS),
    "redis_keys": _keys,
    "redis_save_failed": lambda told: float(told.get("rdb_last_bgsave_status", "ok") != "ok"),
    "redis_link_silent": _silent,
}
