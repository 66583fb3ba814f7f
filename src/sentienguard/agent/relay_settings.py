"""What the owner of a relay agent declares under `relays` in agent.json: targets it may act on.

Called by `settings`, which reads and renders the whole file. A relay reaches these and nothing
else; an order names an object of one of them and can neither add one nor point it elsewhere.
"""

import re
import urllib.parse
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any, Final, TypeAlias

from sentienguard.model import addresses

Wrong: TypeAlias = Callable[[str, str, object], Exception]  # key, expected, value

LAST_PORT: Final = 65_535
MOST: Final = 16  # targets of one agent; more clusters are for more agents
_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?")
_LABEL: Final = re.compile(r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?")
_REGION: Final = re.compile(r"[a-z]{2}(?:-[a-z]+)+-[0-9]{1,2}")
_WORD: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@:-]{0,127}")
_LOGIN: Final = re.compile(r"[a-z_][a-z0-9_-]{0,31}")
_HOST: Final = re.compile(r"[A-Za-z0-9:](?:[A-Za-z0-9.:-]{0,251}[A-Za-z0-9])?")
_UNIT: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@-]{0,120}\.service")


@dataclass(frozen=True, slots=True)
class Kubernetes:
    """A cluster."""

    server: str  # https://host:port of its API
    ca_file: str  # absolute; PEM of the authority that its certificate comes from
    namespaces: tuple[str, ...]  # in which it may act
    token_file: str | None = None  # absolute; token of a service account
    certificate_file: str | None = None  # absolute; PEM of a client certificate, with key_file
    key_file: str | None = None
    nodes: bool = False  # whether it may cordon nodes
    kind: str = "kubernetes"


@dataclass(frozen=True, slots=True)
class Aws:
    """An account in one region."""

    region: str
    objects: tuple[str, ...]  # globs over names of its objects, such as ec2_instance/i-0a*
    profile: str | None = None  # of config_file; absent: the role of the machine
    config_file: str | None = None  # absolute; shared configuration of AWS tools
    credentials_file: str | None = None  # absolute
    endpoint: str | None = None  # https address instead of AWS' own; http on loopback alone
    kind: str = "aws"


@dataclass(frozen=True, slots=True)
class Gcp:
    """A project."""

    program: str  # absolute; gcloud of the operator
    project: str
    config_directory: str  # absolute; CLOUDSDK_CONFIG with the account to use
    objects: tuple[str, ...]  # globs over names of its objects
    kind: str = "gcp"


@dataclass(frozen=True, slots=True)
class Azure:
    """A subscription."""

    program: str  # absolute; az of the operator
    subscription: str
    config_directory: str  # absolute; AZURE_CONFIG_DIR with the account to use
    objects: tuple[str, ...]  # globs over names of its objects
    kind: str = "azure"


@dataclass(frozen=True, slots=True)
class Ssh:
    """A host without an agent."""

    host: str
    user: str
    key_file: str  # absolute; private key, without a passphrase
    known_hosts_file: str  # absolute; the host's own key, nobody else's is taken
    units: tuple[str, ...]  # systemd services that may be restarted
    port: int = 22
    systemctl: tuple[str, ...] = ("/usr/bin/systemctl",)  # argv; with sudo before it where needed
    kind: str = "ssh"


Target: TypeAlias = Kubernetes | Aws | Gcp | Azure | Ssh
_KINDS: Final[Mapping[str, type[Target]]] = {
    "kubernetes": Kubernetes,
    "aws": Aws,
    "gcp": Gcp,
    "azure": Azure,
    "ssh": Ssh,
}


def read(value: Any, wrong: Wrong) -> dict[str, Target]:
    """Read `relays`: names to targets. Raises what `wrong` returns."""
    if not isinstance(value, dict) or len(value) > MOST:
        raise wrong("relays", f"an object of at most {MOST} targets by name", value)
    return {name: _target(name, one, wrong) for name, one in value.items()}


def render(targets: Mapping[str, Target]) -> dict[str, dict[str, object]]:
    """Write targets as `read` reads them; what is absent stays so."""
    return {
        name: {
            one.name: list(held) if isinstance(held, tuple) else held
            for one in fields(target)
            if (held := getattr(target, one.name)) is not None
        }
        for name, target in targets.items()
    }


def _target(name: str, value: Any, wrong: Wrong) -> Target:
    key = f"relays.{name}"
    if _NAME.fullmatch(name) is None:
        raise wrong("relays", "names of lower-case letters, digits, - and _", name)
    kind = value.get("kind") if isinstance(value, dict) else None
    made = _KINDS.get(kind) if isinstance(kind, str) else None
    if made is None:
        raise wrong(f"{key}.kind", "one of " + ", ".join(_KINDS), kind)
    known = {one.name: one for one in fields(made)}
    if unknown := sorted(value.keys() - known.keys()):
        raise wrong(f"{key}.{unknown[0]}", "one of " + ", ".join(known), unknown[0])
    for one in known.values():
        if one.name not in value and one.default is MISSING:
            raise wrong(f"{key}.{one.name}", "a value", None)
    for field_name, held in value.items():
        test, expected = _TESTS[field_name]
        if held is None or not test(held):
            raise wrong(f"{key}.{field_name}", expected, held)
    given: dict[str, Any] = {
        one: tuple(held) if isinstance(held, list) else held for one, held in value.items()
    }
    target: Target = made(**given)
    _whole(target, key, wrong)
    return target


def _whole(target: Target, key: str, wrong: Wrong) -> None:
    """Check what is true of several fields together."""
    if isinstance(target, Kubernetes):
        by_certificate = (target.certificate_file is not None, target.key_file is not None)
        if target.token_file is None and by_certificate != (True, True):
            raise wrong(key, "token_file, or certificate_file with key_file", "neither")
        if target.token_file is not None and any(by_certificate):
            raise wrong(key, "token_file or certificate_file, one of them", "both")


def _text(pattern: re.Pattern[str]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and pattern.fullmatch(value) is not None


def _path(value: Any) -> bool:
    return isinstance(value, str) and value.startswith("/") and value.isprintable()


def _each(test: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and bool(value) and all(map(test, value))


def _glob(value: Any) -> bool:
    return isinstance(value, str) and "/" in value and value.isprintable() and len(value) <= 256  # noqa: PLR2004 - the longest name of a cloud


def _port(value: Any) -> bool:
    return type(value) is int and 0 < value <= LAST_PORT


def _https(value: Any, *, on_loopback: bool = False) -> bool:
    try:
        parts = urllib.parse.urlsplit(value if isinstance(value, str) else "")
        near = on_loopback and parts.hostname in addresses.LOOPBACK
        usual = parts.port is None or parts.port > 0
    except ValueError:  # a port that is none
        return False
    plain = parts.username is None and not parts.query and not parts.fragment
    secure = parts.scheme == "https" or (near and parts.scheme == "http")
    return bool(usual and parts.hostname) and plain and secure


_ABSOLUTE: Final = (_path, "an absolute path")
_GLOBS: Final = (_each(_glob), "a list of globs such as ec2_instance/*")
_TESTS: Final[Mapping[str, tuple[Callable[[Any], bool], str]]] = {
    "kind": (_text(re.compile("|".join(_KINDS))), "a kind"),
    "server": (_https, "https://host:port"),
    "ca_file": _ABSOLUTE,
    "namespaces": (_each(_text(_LABEL)), "a list of namespaces, none by a pattern"),
    "token_file": _ABSOLUTE,
    "certificate_file": _ABSOLUTE,
    "key_file": _ABSOLUTE,
    "nodes": (lambda value: isinstance(value, bool), "true or false"),
    "region": (_text(_REGION), "a region such as eu-central-1"),
    "objects": _GLOBS,
    "profile": (_text(_WORD), "the name of a profile"),
    "config_file": _ABSOLUTE,
    "credentials_file": _ABSOLUTE,
    "endpoint": (
        lambda value: _https(value, on_loopback=True),
        "https://host, or http:// on loopback",
    ),
    "program": _ABSOLUTE,
    "project": (_text(_WORD), "the id of a project"),
    "subscription": (_text(_WORD), "the id of a subscription"),
    "config_directory": _ABSOLUTE,
    "host": (_text(_HOST), "a host name or address"),
    "user": (_text(_LOGIN), "a login name"),
    "known_hosts_file": _ABSOLUTE,
    "units": (_each(_text(_UNIT)), "a list of names that end in .service"),
    "port": (_port, "a port"),
    "systemctl": (
        _each(lambda value: isinstance(value, str) and value.isprintable()),
        "argv",
    ),
}
