"""What the owner of a host tells its agent: `agent.json`, read once, passed down as values.

Called by both processes and by the command line. Written at enrolment by `agent.enroll`; the owner
may edit `volumes`, `services`, `log_files`, `certificates`, `tags`, `interval_s` and `limits`, and
restarts the agent. A field that is not known is an error: a misspelt limit is a missing limit.
"""

import json
import re
import urllib.parse
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

from sentienguard.agent import controls as speakable
from sentienguard.agent import relay_settings
from sentienguard.model import addresses, errors, ids
from sentienguard.stages.observe import payload

FILE = "agent.json"

T = TypeVar("T")
_SERVICE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@-]{0,63}")
_UNIT = re.compile(r"[A-Za-z0-9:_.@\\-]{1,250}\.[a-z]{3,9}")
_SOFTWARE = re.compile(r"postgresql|mysql|redis|nginx|rabbitmq")
_DATABASE = re.compile(r"postgresql|mysql")
_ROLE = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,62}")
_MAYBE_ROLE = re.compile(r"(?:[A-Za-z_][A-Za-z0-9_.-]{0,62})?")
_PIN = re.compile(r"[0-9a-f]{64}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_AGENT_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_CONFINEMENT = re.compile(r"wanted|required|off")  # agent.confinement says what it is
_TAG = re.compile(r"[A-Za-z0-9][A-Za-z0-9_./-]{0,62}")


class SettingsInvalid(errors.Rejected):
    """agent.json cannot be used; the message names the file, the key and what it should hold."""


@dataclass(frozen=True, slots=True)
class Volume:
    """A directory whose use is watched and may be named in an order."""

    path: str  # absolute
    budget_bytes: int | None  # counts as a volume of this size; None: ask its file system


@dataclass(frozen=True, slots=True)
class Service:
    """A process that the owner of the host declares, for hosts without systemd or beside it."""

    name: str  # how orders and metrics call it
    start: tuple[str, ...]  # argv that starts it; the program is an absolute path
    pid_file: str  # absolute; holds the process id in decimal while it runs
    health_url: str | None  # answers 2xx within 2 s while it is healthy; None: not asked
    log_file: str | None  # absolute; tailed like log_files
    config_file: str | None  # absolute; for playbooks that restore it


@dataclass(frozen=True, slots=True)
class Software:
    """A server program that is asked what it does; it may be on this host only."""

    kind: str  # postgresql, mysql, redis, nginx or rabbitmq
    name: str  # the subject of its metrics; as its kind where there is one of them
    address: str  # host:port of loopback, an absolute path of a socket, or an http:// address
    user: str  # empty: none, or the usual one
    password_file: str | None  # absolute; its first line is the password


@dataclass(frozen=True, slots=True)
class Database:
    """The database of a service, and the role as which playbooks may ask and repair it."""

    kind: str  # postgresql or mysql
    address: str  # host:port of loopback, or an absolute path of a socket
    user: str  # a role with the rights of docs/how-to/repair-databases.md
    password_file: str | None  # absolute; its first line is the password
    database: str  # the one to log in to; empty: postgres, or none


@dataclass(frozen=True, slots=True)
class Limits:
    """What the agent may use of its host."""

    spool_bytes: int = 16 << 20  # disk for samples not yet acknowledged; two weeks at 30 s
    rejected_files: int = 50  # samples that the centre refused, kept for people
    log_lines: int = 20  # lines of logs in one sample; what is left out is counted
    log_read_bytes: int = 262_144  # read of one log file for one sample
    top: int = 5  # processes in each of the two lists
    paths: int = 8  # paths of one volume
    walk_entries: int = 20_000  # directory entries looked at for one sample, all volumes together
    walk_ms: int = 40  # time spent on that for one sample
    busy_percent: float = 80.0  # use of a volume from which its biggest paths are looked for
    poll_s: int = 25  # how long the centre may hold a request for orders
    config_s: int = 30  # between two requests for the configuration


MOST_SERVERS = 8  # control planes that an agent may know
BOUNDS: Mapping[str, tuple[float, float]] = {
    "spool_bytes": (65_536, 1 << 40),
    "rejected_files": (1, 10_000),
    "log_lines": (0, 200),  # payload.MAX_LOG_LINES, with room for notices
    "log_read_bytes": (4096, 16 << 20),
    "top": (0, payload.MAX_TOP),
    "paths": (0, payload.MAX_TOP),
    "walk_entries": (100, 1_000_000),
    "walk_ms": (1, 1000),
    "busy_percent": (0, 100),
    "poll_s": (0, 55),  # below the 60 s for which a ticket is fresh
    "config_s": (1, 3600),
}


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything in agent.json."""

    agent_id: ids.AgentId  # given at enrolment; the identity, never the host name
    host: str  # how people call this host
    environment: str  # where it belongs, for example production
    tags: Mapping[str, str]  # for policies and people
    server: str  # https://host:port of the control plane; several are separated by spaces
    pins: tuple[str, ...]  # SHA-256 of the server's public key info, hex; any one is enough
    root_digest: ids.Digest  # of the first root document, given by whoever installed the agent
    interval_s: float  # seconds between samples, 0.2 to 3600
    volumes: tuple[Volume, ...]
    services: Mapping[str, Service]
    log_files: tuple[str, ...]  # absolute paths of the logs to tail
    limits: Limits
    journal_units: tuple[str, ...] = ()  # whose lines in systemd's journal are read
    probes: Mapping[str, str] = field(default_factory=dict)  # addresses that are tried, by name
    statsd_socket: str | None = None  # absolute; applications send their numbers there
    software: tuple[Software, ...] = ()
    databases: Mapping[str, Database] = field(default_factory=dict)  # by the name of their service
    certificates: tuple[str, ...] = ()  # absolute paths of PEM files whose end is watched
    confined: bool = False  # only the declared volumes and services are watched and acted on
    confinement: str = "wanted"  # Landlock and seccomp around the collector: or required, or off
    relays: Mapping[str, relay_settings.Target] = field(default_factory=dict)  # acted on, too
    controls: speakable.Controls = field(default_factory=dict)  # what remedies may speak to
    lock_directories: tuple[str, ...] = speakable.LOCKS  # where stale lock files are looked for

    @property
    def server_addresses(self) -> tuple[tuple[str, int], ...]:
        """Return host and port of each server of the control plane, the first to try first."""
        return split_servers(self.server)


@dataclass(frozen=True, slots=True)
class Places:
    """Where the files of one agent are, below its directory."""

    directory: Path

    @property
    def collector(self) -> Path:
        """Return the directory of the unprivileged process."""
        return self.directory / "collector"

    @property
    def executor(self) -> Path:
        """Return the directory of the privileged process."""
        return self.directory / "executor"

    @property
    def socket(self) -> Path:
        """Return the Unix socket between the two."""
        return self.directory / "run" / "executor.sock"


def read(directory: Path) -> Settings:
    """Read DIR/agent.json.

    Raises SettingsInvalid where it is missing or wrong.
    """
    file = directory / FILE
    try:
        text = file.read_bytes()
    except OSError as error:
        raise SettingsInvalid(
            f"{file}: cannot be read ({error.strerror}); enrol this host with"
            f" `sentienguard-agent enroll --dir {directory}`"
        ) from error
    return parse(text, str(file))


def parse(text: bytes, file: str = FILE) -> Settings:
    """Read settings from JSON; `file` is for messages.

    Raises SettingsInvalid.
    """
    try:
        record = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SettingsInvalid(f"{file}: not JSON ({error})") from error
    return _Reader(file).settings(record)


def render(settings: Settings) -> bytes:
    """Write settings as the JSON that `parse` reads."""
    record = {
        "agent_id": settings.agent_id,
        "host": settings.host,
        "environment": settings.environment,
        "tags": dict(settings.tags),
        "server": settings.server,
        "pins": list(settings.pins),
        "root_digest": settings.root_digest,
        "interval_s": settings.interval_s,
        "volumes": [_plain(volume) for volume in settings.volumes],
        "services": {
            name: {key: value for key, value in _plain(service).items() if key != "name"}
            for name, service in settings.services.items()
        },
        "log_files": list(settings.log_files),
        "limits": _plain(settings.limits),
        "journal_units": list(settings.journal_units),
        "probes": dict(settings.probes),
        "statsd_socket": settings.statsd_socket,
        "software": [{**_plain(one), "user": one.user or None} for one in settings.software],
        "databases": {name: _plain(one) for name, one in settings.databases.items()},
        "certificates": list(settings.certificates),
        "confined": settings.confined,
        "confinement": settings.confinement,
        "relays": relay_settings.render(settings.relays),
        "controls": speakable.render(settings.controls),
        "lock_directories": list(settings.lock_directories),
    }
    return (json.dumps(record, indent=2, ensure_ascii=False) + "\n").encode()


def split_servers(servers: str) -> tuple[tuple[str, int], ...]:
    """Split what `server` holds: one https://host:port or several with spaces between them.

    Raises ValueError for anything else.
    """
    found = tuple(split_server(one) for one in servers.split(" "))
    if len(found) > MOST_SERVERS:
        raise ValueError(servers)
    return found


def split_server(server: str) -> tuple[str, int]:
    """Split https://host:port.

    Raises ValueError for anything else.
    """
    parts = urllib.parse.urlsplit(server)
    if parts.scheme != "https" or not parts.hostname or parts.path not in {"", "/"}:
        raise ValueError(server)
    if parts.username or parts.query or parts.fragment:
        raise ValueError(server)
    return parts.hostname, parts.port or 443


def _plain(record: Volume | Service | Software | Database | Limits) -> dict[str, object]:
    return {field.name: getattr(record, field.name) for field in fields(record)}


@dataclass(frozen=True, slots=True)
class _Reader:
    """Checks one file; each method takes the value and the key it stood at."""

    file: str

    def settings(self, value: Any) -> Settings:
        record = self.object(value, "")
        optional = {
            *("tags", "interval_s", "volumes", "services", "log_files", "limits"),
            *("journal_units", "probes", "statsd_socket", "software", "certificates", "confined"),
            *("databases", "controls", "lock_directories"),
        }
        optional |= {"relays", "confinement"}
        known = {field.name for field in fields(Settings)}
        self.fields(record, known - optional, optional, "")
        services = self.object(record.get("services", {}), "services")
        volumes = record.get("volumes", [])
        return Settings(
            agent_id=ids.AgentId(self.matching(record["agent_id"], _AGENT_ID, "agent_id")),
            host=self.text(record["host"], "host"),
            environment=self.environment(record["environment"], "environment"),
            tags=self.tags(record.get("tags", {})),
            server=self.server(record["server"], "server"),
            pins=self.pins(record["pins"]),
            root_digest=ids.Digest(self.matching(record["root_digest"], _DIGEST, "root_digest")),
            interval_s=self.number(record.get("interval_s", 30), "interval_s", 0.2, 3600),
            volumes=self.list(volumes, "volumes", self.volume),
            services={
                name: self.service(name, service, f"services.{name}")
                for name, service in services.items()
            },
            log_files=self.list(record.get("log_files", []), "log_files", self.absolute),
            limits=self.limits(record.get("limits", {})),
            journal_units=self.list(
                record.get("journal_units", []),
                "journal_units",
                lambda unit, key: self.matching(unit, _UNIT, key),
            ),
            probes=self.probes(record.get("probes", {}), "probes"),
            statsd_socket=self.maybe_path(record.get("statsd_socket"), "statsd_socket"),
            software=self.list(record.get("software", []), "software", self.software),
            databases={
                self.matching(name, _SERVICE, "databases"): self.database(one, f"databases.{name}")
                for name, one in self.object(record.get("databases", {}), "databases").items()
            },
            certificates=self.list(record.get("certificates", []), "certificates", self.absolute),
            confined=self.truth(record.get("confined", False), "confined"),
            confinement=self.matching(
                record.get("confinement", "wanted"), _CONFINEMENT, "confinement"
            ),
            relays=relay_settings.read(record.get("relays", {}), self.wrong),
            controls=self.controls(record.get("controls", {})),
            lock_directories=self.list(
                record.get("lock_directories", list(speakable.LOCKS)),
                "lock_directories",
                self.absolute,
            ),
        )

    def wrong(self, key: str, expected: str, value: object) -> SettingsInvalid:
        """Say which file, which key, what it should hold and what it holds."""
        return SettingsInvalid(
            f"{self.file}: {key or 'the file'}: expected {expected}, found {ascii(value)[:80]}"
        )

    def object(self, value: Any, key: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise self.wrong(key, "an object", value)
        return value

    def fields(
        self, record: Mapping[str, Any], needed: set[str], optional: set[str], key: str
    ) -> None:
        if missing := sorted(needed - record.keys()):
            raise self.wrong(f"{key}{missing[0]}", "a value", None)
        if unknown := sorted(record.keys() - needed - optional):
            known = ", ".join(sorted(needed | optional))
            raise SettingsInvalid(
                f"{self.file}: {key}{unknown[0]!a} is not a setting; known: {known}"
            )

    def list(self, value: Any, key: str, read: Callable[[Any, str], T]) -> tuple[T, ...]:
        if not isinstance(value, list):
            raise self.wrong(key, "a list", value)
        return tuple(read(item, f"{key}[{index}]") for index, item in enumerate(value))

    def text(self, value: Any, key: str) -> str:
        if not isinstance(value, str) or not 0 < len(value) <= 253 or not value.isprintable():  # noqa: PLR2004 - the longest host name
            raise self.wrong(key, "1 to 253 printable characters", value)
        return value

    def matching(self, value: Any, pattern: re.Pattern[str], key: str) -> str:
        if not isinstance(value, str) or pattern.fullmatch(value) is None:
            raise self.wrong(key, pattern.pattern, value)
        return value

    def environment(self, value: Any, key: str) -> str:
        if not isinstance(value, str) or not payload.environment_name(value):
            raise self.wrong(key, "a lower-case name of at most 32 letters, digits, - or _", value)
        return value

    def absolute(self, value: Any, key: str) -> str:
        if not isinstance(value, str) or not value.startswith("/") or not value.isprintable():
            raise self.wrong(key, "an absolute path", value)
        return value

    def probes(self, value: Any, key: str) -> dict[str, str]:
        return {
            self.matching(name, _SERVICE, key): self.probe(address, f"{key}.{name}")
            for name, address in self.object(value, key).items()
        }

    def probe(self, value: Any, key: str) -> str:
        if isinstance(value, str) and value.startswith("tcp://"):
            parts = urllib.parse.urlsplit(value)
            try:
                whole = parts.hostname and parts.port and not parts.path and not parts.username
            except ValueError:  # a port that is none
                whole = False
            if not whole:
                raise self.wrong(key, "tcp://host:port", value)
            return value
        return self.url(value, key)

    def maybe_path(self, value: Any, key: str) -> str | None:
        return None if value is None else self.absolute(value, key)

    def truth(self, value: Any, key: str) -> bool:
        if not isinstance(value, bool):
            raise self.wrong(key, "true or false", value)
        return value

    def number(self, value: Any, key: str, least: float, most: float) -> float:
        if type(value) not in {int, float} or not least <= value <= most:
            raise self.wrong(key, f"a number from {least} to {most}", value)
        return float(value)

    def tags(self, value: Any) -> dict[str, str]:
        tags = self.object(value, "tags")
        if len(tags) > payload.MAX_TAGS:
            raise self.wrong("tags", f"at most {payload.MAX_TAGS}", len(tags))
        return {
            self.matching(tag, _TAG, "tags"): self.text(text, f"tags.{tag}")
            for tag, text in tags.items()
        }

    def server(self, value: Any, key: str) -> str:
        try:
            split_servers(value)
        except (ValueError, AttributeError, TypeError) as error:
            expected = f"https://host:port, at most {MOST_SERVERS} with a space between them"
            raise self.wrong(key, expected, value) from error
        return str(value)

    def pins(self, value: Any) -> tuple[str, ...]:
        pins = self.list(value, "pins", lambda pin, key: self.matching(pin, _PIN, key))
        if not pins:
            raise self.wrong("pins", "at least one SHA-256 of the server's key info", value)
        return pins

    def volume(self, value: Any, key: str) -> Volume:
        record = self.object(value, key)
        self.fields(record, {"path"}, {"budget_bytes"}, f"{key}.")
        budget = record.get("budget_bytes")
        if budget is not None:
            budget = int(self.number(budget, f"{key}.budget_bytes", 1, payload.MAX_COUNT))
        path = self.absolute(record["path"], f"{key}.path")
        return Volume(path=path.rstrip("/") or "/", budget_bytes=budget)

    def service(self, name: str, value: Any, key: str) -> Service:
        self.matching(name, _SERVICE, "services")
        record = self.object(value, key)
        optional = {"health_url", "log_file", "config_file"}
        self.fields(record, {"start", "pid_file"}, optional, f"{key}.")
        start = self.list(record["start"], f"{key}.start", self.argument)
        if not start or not start[0].startswith("/"):
            raise self.wrong(f"{key}.start", "argv that begins with an absolute path", start)
        return Service(
            name=name,
            start=start,
            pid_file=self.absolute(record["pid_file"], f"{key}.pid_file"),
            health_url=self.maybe(record, "health_url", key, self.url),
            log_file=self.maybe(record, "log_file", key, self.absolute),
            config_file=self.maybe(record, "config_file", key, self.absolute),
        )

    def software(self, value: Any, key: str) -> Software:
        record = self.object(value, key)
        optional = {"name", "user", "password_file"}
        self.fields(record, {"kind", "address"}, optional, f"{key}.")
        kind = self.matching(record["kind"], _SOFTWARE, f"{key}.kind")
        return Software(
            kind=kind,
            name=self.matching(record.get("name", kind), _SERVICE, f"{key}.name"),
            address=self.nearby(record["address"], f"{key}.address"),
            user=self.maybe(record, "user", key, self.text) or "",
            password_file=self.maybe(record, "password_file", key, self.absolute),
        )

    def controls(self, value: Any) -> speakable.Controls:
        try:
            return speakable.parse(value)
        except speakable.Wrong as error:
            raise self.wrong(error.key, error.expected, error.value) from error

    def database(self, value: Any, key: str) -> Database:
        record = self.object(value, key)
        self.fields(record, {"kind", "address", "user"}, {"password_file", "database"}, f"{key}.")
        return Database(
            kind=self.matching(record["kind"], _DATABASE, f"{key}.kind"),
            address=self.reached(record["address"], f"{key}.address"),
            user=self.matching(record["user"], _ROLE, f"{key}.user"),
            password_file=self.maybe(record, "password_file", key, self.absolute),
            database=self.matching(record.get("database", ""), _MAYBE_ROLE, f"{key}.database"),
        )

    def reached(self, value: Any, key: str) -> str:
        address = self.nearby(value, key)
        if "://" in address:
            raise self.wrong(key, "host:port of loopback, or an absolute path of a socket", value)
        return address

    def nearby(self, value: Any, key: str) -> str:
        text = value if isinstance(value, str) and value.isprintable() else ""
        expected = "host:port of loopback, an absolute path, or http://127.0.0.1:port/path"
        parts = urllib.parse.urlsplit(text if "://" in text else f"tcp://{text}")
        try:
            near = (
                parts.hostname in addresses.LOOPBACK
                and parts.port is not None
                and not parts.username
            )
        except ValueError:  # a port that is none
            near = False
        if not text.startswith("/") and not (near and parts.scheme in {"http", "tcp"}):
            raise self.wrong(key, expected, value)
        return text

    def maybe(
        self, record: Mapping[str, Any], name: str, key: str, read: Callable[[Any, str], str]
    ) -> str | None:
        value = record.get(name)
        return None if value is None else read(value, f"{key}.{name}")

    def argument(self, value: Any, key: str) -> str:
        if not isinstance(value, str) or "\0" in value:
            raise self.wrong(key, "a text", value)
        return value

    def url(self, value: Any, key: str) -> str:
        parts = urllib.parse.urlsplit(value if isinstance(value, str) else "")
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username:
            raise self.wrong(key, "http://host:port/path", value)
        return str(value)

    def limits(self, value: Any) -> Limits:
        record = self.object(value, "limits")
        self.fields(record, set(), set(BOUNDS), "limits.")
        return Limits(**{name: self.limit(name, number) for name, number in record.items()})

    def limit(self, name: str, value: Any) -> Any:
        number = self.number(value, f"limits.{name}", *BOUNDS[name])
        return number if name == "busy_percent" else int(number)
