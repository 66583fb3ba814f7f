"""What people write for `sentienguard trust`, read; and what it tells them to do next.

Called by trust_commands.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import typer

from sentienguard.cli import playbook_source, trust_files
from sentienguard.cli.installation import bundled
from sentienguard.model import errors, ids
from sentienguard.playbook import parse
from sentienguard.trust import bundle as bundles
from sentienguard.trust import catalogue, ceremony, dsse
from sentienguard.trust.delegation import Delegation
from sentienguard.trust.root import RoleName
from sentienguard.trust.ssh_approvals import ApproverSshKey

ANY = "*"
KEEP = {
    "root": "on a medium of its own, with one person, away from every machine that is online",
    "signer": "with the person who signs playbooks, not on the machine of the control plane",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """The options of `rotate` that change the root, as they were written."""

    add: list[str]  # ROLE=PUBLIC
    new: list[str]  # ROLE=PATH
    remove: list[str]  # ROLE=KEYID
    threshold: list[str]  # ROLE=N
    limit: list[str]  # KEYID=ENVIRONMENTS:PREFIXES
    passkeys: list[str]  # as an account page shows them, or files that hold that
    server_pins: list[str]  # hex SHA-256 of public keys
    log_ends: list[str]  # KEYID=SIZE
    ssh_keys: list[str]  # NAME=PUBLIC
    people: list[str]  # KEYID=NAME

    @property
    def any(self) -> bool:
        """Tell whether anything is to change."""
        wanted = (self.add, self.new, self.remove, self.threshold, self.limit, self.passkeys)
        return any((*wanted, self.server_pins, self.log_ends, self.ssh_keys, self.people))


def change(asked: Asked, expires_at: datetime, passphrase_file: Path | None) -> ceremony.Change:
    """Return what a new root changes; makes the keys of `new`. Raises typer.BadParameter."""
    removed = tuple(_pair("--remove", one) for one in asked.remove)
    thresholds = {role: _number(text) for role, text in _pairs("--threshold", asked.threshold)}
    limits = dict(_limit(one) for one in asked.limit)
    answering = tuple(trust_files.passkey(text) for text in asked.passkeys)
    signing = [_ssh_key(text) for text in asked.ssh_keys]
    people = dict(_person(text) for text in asked.people)
    added = [(role, trust_files.public_key(text)) for role, text in _pairs("--add", asked.add)]
    for role, text in _pairs("--new", asked.new):  # last: nothing is made where words are wrong
        path = Path(text)
        passphrase = trust_files.new_passphrase(path.stem, passphrase_file)
        added.append((role, trust_files.make_key(path, passphrase)[1].public))
    return ceremony.Change(
        expires_at=expires_at,
        add=tuple(added),
        remove=removed,
        thresholds=thresholds,
        limits=limits,
        passkeys=answering,
        ssh_keys=tuple(key for _, key in signing),
        people={**{key.id: name for name, key in signing}, **people},
        server_pins=tuple(one.lower() for one in asked.server_pins) or None,
        log_ends=dict(_log_end(one) for one in asked.log_ends),
    )


def listed(stored: Mapping[str, bytes]) -> dict[ids.Digest, tuple[catalogue.Listed, bytes]]:
    """Return playbooks as a catalogue lists them; `stored` maps a name for messages to bytes."""
    found = {}
    for origin, content in stored.items():
        read = parse.load(content, origin=origin)
        found[read.digest] = (catalogue.Listed(read.name, read.version, read.digest), content)
    return found


def not_in(bundle: bundles.Bundle, source: Mapping[str, bytes]) -> list[str]:
    """Return what the drafted catalogue lets run and neither the source nor this release holds."""
    if bundle.catalogue is None:
        return []
    here = {ids.digest(one) for one in (*source.values(), *bundled.playbooks().values())}
    return [
        f"{one.name} {one.version}"
        for one in catalogue.claimed(bundle.catalogue).playbooks
        if not one.revoked and one.digest not in here
    ]


def signable(file: Path) -> bytes:
    """Return a playbook's bytes. Raises errors.Rejected where lint would not let it be signed."""
    try:
        stored = file.read_bytes()
    except OSError as cause:
        raise errors.Rejected(f"{file}: cannot be read: {cause.strerror}") from cause
    playbook_source.require_signable(stored, str(file))
    return stored


def where_to_keep(made: trust_files.Made) -> dict[str, str]:
    """Return what to do with a new key."""
    keep = KEEP[made.name.partition("-")[0]]
    return {"name": made.name, "id": made.public.id, "path": str(made.path), "keep": keep}


def next_of_init(
    file: Path, directory: Path, found: Mapping[str, Any], *, moving: bool
) -> Iterator[str]:
    """Yield what comes after `init`."""
    if moving:
        yield "next, on the control plane, with its old root key:"
        yield f"  sentienguard trust sign {file.name} --key DATA/offline/root.pem"
        yield f"  sentienguard trust import {file.name} --data DATA"
    else:
        yield f"next: move {directory / 'online'}/*.pem to DATA/controlplane/keys, then there"
        yield (
            f"  sentienguard trust import {file.name} --data DATA --root-digest "
            f"{found['root']['first_digest']}"
        )
    yield f"Move each key of {directory / 'keys'} to its place and remove it here."


def destroy(files: list[Path]) -> None:
    """Overwrite and remove key files; on some disks and in backups copies may be left."""
    for file in files:
        size = file.stat().st_size
        with file.open("r+b") as opened:
            opened.write(os.urandom(size))
            opened.flush()
            os.fsync(opened.fileno())
        file.unlink()


def _pairs(option: str, given: list[str]) -> list[tuple[RoleName, str]]:
    return [_pair(option, one) for one in given]


def _pair(option: str, given: str) -> tuple[RoleName, str]:
    role, equals, text = given.partition("=")
    if not equals or not text or role not in {one.value for one in RoleName}:
        known = ", ".join(one.value for one in RoleName)
        raise typer.BadParameter(f"{option} {given}: expected ROLE=..., with ROLE of {known}")
    return RoleName(role), text


def _number(text: str, option: str = "--threshold") -> int:
    if not text.isascii() or not text.isdigit():
        raise typer.BadParameter(f"{option}: expected a number, found {text[:20]!r}")
    return int(text)


def _log_end(given: str) -> tuple[str, int]:
    keyid, equals, size = given.partition("=")
    if not equals:
        raise typer.BadParameter(f"--log-end {given}: expected KEYID=SIZE")
    return keyid, _number(size.replace(",", ""), "--log-end")


def _ssh_key(given: str) -> tuple[str, ApproverSshKey]:
    name, equals, public = given.partition("=")
    if not equals or not name or not public:
        raise typer.BadParameter(
            f"--add-ssh-key {given[:80]}: expected NAME=FILE, with the name of their account and "
            "their .pub file"
        )
    try:
        return name, trust_files.ssh_key(public)
    except dsse.NotTrusted as cause:
        raise errors.Rejected(f"--add-ssh-key {name}: {public[:80]}: {cause}") from cause


def _person(given: str) -> tuple[str, str]:
    keyid, equals, name = given.partition("=")
    if not equals or not keyid or not name:
        raise typer.BadParameter(f"--person {given[:80]}: expected KEYID=NAME")
    return keyid, name


def _limit(given: str) -> tuple[str, Delegation | None]:
    keyid, equals, reach = given.partition("=")
    environments, colon, prefixes = reach.partition(":")
    if not equals or not colon or not environments or not prefixes:
        raise typer.BadParameter(f"--limit {given}: expected KEYID=ENVIRONMENTS:PREFIXES")
    limit = Delegation(_entries(environments), _entries(prefixes))
    return keyid, None if limit == Delegation() else limit


def _entries(text: str) -> tuple[str, ...] | None:
    return None if text == ANY else tuple(text.split(","))
