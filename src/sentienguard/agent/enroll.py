"""Enrolment: a host makes its keys, gets its identity and checks whom it got it from.

Called by the command line and by `sentienguard up`. Loads `cryptography`; no other part of the
collector does.

Rules:

1. Private keys are made here and never leave the host.
2. Nothing is sent before the server's key matched a pin; the token is sent once.
3. The root document must have the digest that whoever installed the agent was given; the centre
   cannot choose it.
4. The certificate must be for our key and name the agent id of the answer.
5. agent.json is written last: where it is, the enrolment is complete.
6. Where the collector has a user of its own, it keeps it with the next identity.
7. The next identity numbers its events from 1, so the collector asks for them from there.
"""

import json
import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from sentienguard.agent import bookmarks, ownership, private_files, server_pins, settings, uplink
from sentienguard.model import errors, ids
from sentienguard.trust import certificates, keys
from sentienguard.trust import root as root_document

PATH = "/api/v1/enroll"
_CREATED = 201


class EnrolmentFailed(errors.Rejected):
    """This host is not enrolled; the message says what to change."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What whoever installs the agent says about it."""

    directory: Path  # of the agent; made with mode 0700
    server: str  # https://host:port
    token: str = field(repr=False)  # one-time join token
    pins: tuple[str, ...]  # SHA-256 of the server's public key info, hex; one is enough
    root_digest: ids.Digest  # sha256:<hex> of the root document's payload
    host: str  # how people call this host
    environment: str  # where it belongs, for example production
    tags: Mapping[str, str] = field(default_factory=dict)
    interval_s: float = 30.0
    volumes: tuple[settings.Volume, ...] = ()
    services: Mapping[str, settings.Service] = field(default_factory=dict)
    log_files: tuple[str, ...] = ()
    replace: bool = False  # true: give up an identity that is there


def enrol(wish: Wish, *, now: datetime) -> settings.Settings:
    """Enrol this host and return what was written to agent.json.

    Raises EnrolmentFailed, uplink.NotTrusted, uplink.Unreachable, dsse.NotTrusted or OSError.
    """
    file = wish.directory / settings.FILE
    if file.exists() and not wish.replace:
        raise EnrolmentFailed(f"{file}: this host is enrolled; --replace gives that identity up")
    _check(wish)
    request = certificates.make_request(wish.host)
    executor_key = keys.SigningKey.generate()
    answer = _ask(wish, request.csr_pem, executor_key.public.text)
    agent = _agent_id(answer)
    root_document.first(answer.get("root"), wish.root_digest, now=now)  # rule 3
    certificate = _text(answer, "certificate_pem").encode()
    if certificates.agent_of(certificates.to_der(certificate)) != agent:
        raise EnrolmentFailed(f"the certificate names another agent than {agent}; enrol again")
    configured = _settings(wish, agent)
    private = {
        "collector/tls.key": request.key_pem,
        "collector/tls.crt": certificate,
        "collector/ca.pem": _text(answer, "ca_pem").encode(),
        "collector/spool/seq": b"0\n",
        "executor/key.pem": executor_key.to_pem(),
        "executor/trust/root.json": json.dumps(answer["root"]).encode(),
    }
    collector = ownership.collector_of(wish.directory)
    _write(wish.directory, private, settings.render(configured))
    if collector is not None:  # rule 6
        ownership.hand_over(wish.directory, collector)
    return configured


def _check(wish: Wish) -> None:
    """Find mistakes before the token is used up."""
    probe = ids.AgentId("00000000-0000-0000-0000-000000000000")
    try:
        settings.parse(settings.render(_settings(wish, probe)), "enrolment")
    except settings.SettingsInvalid as error:
        raise EnrolmentFailed(str(error)) from error
    if not wish.token:
        raise EnrolmentFailed("the token is empty; ask the control plane for one")


def _settings(wish: Wish, agent: ids.AgentId) -> settings.Settings:
    return settings.Settings(
        agent_id=agent,
        host=wish.host,
        environment=wish.environment,
        tags=dict(wish.tags),
        server=wish.server.rstrip("/"),
        pins=tuple(pin.lower() for pin in wish.pins),
        root_digest=wish.root_digest,
        interval_s=wish.interval_s,
        volumes=wish.volumes,
        services=dict(wish.services),
        log_files=wish.log_files,
        limits=settings.Limits(),
    )


def _ask(wish: Wish, csr_pem: bytes, executor_key: str) -> dict[str, object]:
    (host, port), *others = settings.split_servers(wish.server.rstrip("/"))
    address = uplink.Address(host, port, wish.pins, tuple(others))
    link = uplink.Uplink(address, uplink.client_context(None))
    body = {
        "token": wish.token,
        "host": wish.host,
        "environment": wish.environment,
        "tags": dict(wish.tags),
        "csr_pem": csr_pem.decode(),
        "executor_key": executor_key,
    }
    try:
        answer = link.post_json(PATH, body)
    finally:
        link.close()
    if answer.status != _CREATED:
        raise EnrolmentFailed(
            f"{wish.server} did not enrol this host: {answer.reason()};"
            " tokens work once and for a limited time"
        )
    return answer.json()


def _agent_id(answer: Mapping[str, object]) -> ids.AgentId:
    return ids.AgentId(_text(answer, "agent_id"))


def _text(answer: Mapping[str, object], name: str) -> str:
    value = answer.get(name)
    if not isinstance(value, str) or not value:
        raise EnrolmentFailed(f"the answer to the enrolment has no {name}")
    return value


def _write(directory: Path, private: Mapping[str, bytes], agent_json: bytes) -> None:
    for old in (settings.FILE, f"collector/{server_pins.FILE}"):
        (directory / old).unlink(missing_ok=True)
    for name in ("", "collector/spool", "collector", "executor/trust/playbooks", "executor/trust"):
        private_files.directory(directory / name)
    for name in ("executor", "run"):
        private_files.directory(directory / name)
    for name, content in private.items():
        private_files.write(directory / name, content)
    if (marks := directory / "collector/state.json").exists():
        bookmarks.Bookmarks(marks).keep_events(0)  # rule 7
    home = directory / "collector"
    try:  # rule 4: the key fits the certificate, and the authority can be loaded
        uplink.client_context(home / "ca.pem", certificate=home / "tls.crt", key=home / "tls.key")
    except (ssl.SSLError, OSError) as error:
        raise EnrolmentFailed(f"the certificate in the answer cannot be used: {error}") from error
    private_files.write(directory / settings.FILE, agent_json)


def host_name() -> str:
    """Return what this host calls itself, as a default for people to change."""
    return os.uname().nodename
