"""What an agent can say about itself: how it is doing, and whether its files are as they must be.

Called by `sentienguard-agent status` and `verify`. Changes nothing.
"""

import json
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sentienguard.agent import executor_link, ownership, settings, spool, uplink
from sentienguard.model import errors, ids
from sentienguard.trust import catalogue, certificates, dsse, keys
from sentienguard.trust import root as root_document


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    what: str
    good: bool
    reason: str  # empty where it is good and there is nothing to add


def status(directory: Path) -> dict[str, Any]:
    """Return how an agent is doing. Raises settings.SettingsInvalid."""
    configured = settings.read(directory)
    places = settings.Places(directory)
    return {
        "agent_id": configured.agent_id,
        "host": configured.host,
        "environment": configured.environment,
        "server": configured.server,
        "executor": _executor(places.socket),
        "spool": _spool(places.collector / "spool"),
        "frozen": (directory / "do-not-remediate").exists(),
    }


def _executor(socket: Path) -> dict[str, Any]:
    link = executor_link.ExecutorLink(socket)
    try:
        return {"running": True, **link.ask("hello")}
    except errors.Unavailable as error:
        return {"running": False, "reason": str(error)}
    finally:
        link.close()


def _spool(directory: Path) -> dict[str, Any]:
    depth = spool.waiting(directory)
    found: dict[str, Any] = {
        "waiting": depth.waiting,
        "bytes": depth.on_disk_bytes,
        "refused": depth.refused,
        "last_acknowledged": None,
    }
    try:
        last = spool.last_acknowledged(directory)
    except OSError:
        return found
    if last.seq:
        ago = round(max(time.time() - last.at, 0.0), 1)
        found["last_acknowledged"] = {"seq": last.seq, "seconds_ago": ago}
    return found


def verify(directory: Path, *, now: datetime) -> list[Finding]:
    """Look at every file of an agent; each finding says what is wrong with it."""
    return [*_modes(directory), *_settings(directory), *_link(directory), *_trust(directory, now)]


def _modes(directory: Path) -> Iterator[Finding]:
    """Look for files that others may read or change."""
    wrong = list(ownership.wrong(directory))
    yield Finding("only the agent may read its files", not wrong, "; ".join(wrong[:5]))
    apart = ownership.collector_of(directory) is not None
    if apart:
        yield Finding("the collector has a user of its own", good=True, reason="")
    else:
        way = "`sentienguard-agent install` gives the collector its own"
        yield Finding("both processes run as one user", good=True, reason=way)


def _settings(directory: Path) -> Iterator[Finding]:
    try:
        settings.read(directory)
    except settings.SettingsInvalid as error:
        yield Finding("agent.json can be used", good=False, reason=str(error))
    else:
        yield Finding("agent.json can be used", good=True, reason="")


def _link(directory: Path) -> Iterator[Finding]:
    what = "the certificate is for this agent and its key"
    home = directory / "collector"
    try:
        uplink.client_context(home / "ca.pem", certificate=home / "tls.crt", key=home / "tls.key")
        named = certificates.agent_of(certificates.to_der((home / "tls.crt").read_bytes()))
        expected = settings.read(directory).agent_id
    except (ssl.SSLError, OSError, errors.SentienGuardError) as error:
        yield Finding(what, good=False, reason=str(error))
        return
    reason = "" if named == expected else f"it names {named}, agent.json says {expected}"
    yield Finding(what, good=not reason, reason=reason)


def _trust(directory: Path, now: datetime) -> Iterator[Finding]:
    home = directory / "executor"
    yield _tried("the executor's key can be used", lambda: _key(home / "key.pem"))
    try:
        root = _root(directory, now)
    except (OSError, ValueError, errors.SentienGuardError) as error:
        yield Finding("the root document is signed and current", good=False, reason=str(error))
        return
    yield Finding("the root document is signed and current", good=True, reason="")
    file = home / "trust" / "catalogue.json"
    if not file.exists():
        yield Finding("the catalogue is signed and current", good=True, reason="none received yet")
        return
    try:
        listed = catalogue.open_catalogue(json.loads(file.read_bytes()), root, now=now)
    except (OSError, ValueError, errors.SentienGuardError) as error:
        yield Finding("the catalogue is signed and current", good=False, reason=str(error))
        return
    yield Finding("the catalogue is signed and current", good=True, reason="")
    yield _playbooks(home / "trust" / "playbooks", listed)


def _tried(what: str, look: Any) -> Finding:
    try:
        look()
    except (OSError, ValueError, errors.SentienGuardError) as error:
        return Finding(what, good=False, reason=str(error))
    return Finding(what, good=True, reason="")


def _key(file: Path) -> None:
    keys.SigningKey.from_pem(file.read_bytes())


def _root(directory: Path, now: datetime) -> root_document.Root:
    """Open the root that is kept: the pinned one, or one that the executor chained to it."""
    envelope = json.loads((directory / "executor" / "trust" / "root.json").read_bytes())
    digest = root_document.digest_of(envelope)
    pinned = settings.read(directory).root_digest
    root = root_document.first(envelope, digest, now=now)
    if digest != pinned and root.version <= 1:
        raise dsse.NotTrusted(f"root version {root.version} has digest {digest}, pinned: {pinned}")
    return root


def _playbooks(directory: Path, listed: catalogue.Catalogue) -> Finding:
    wrong = []
    for file in sorted(directory.glob("*.yaml")):
        digest = ids.digest(file.read_bytes())
        if digest != f"sha256:{file.stem}":
            wrong.append(f"{file.name} was changed")
        elif not listed.permits(digest):
            wrong.append(f"{file.name} is not listed any more")
    return Finding("every playbook is the listed one", not wrong, "; ".join(wrong[:5]))
