"""Evaluation trust: make every key on one machine, and sign the bundled playbooks with them.

Called by `sentienguard up` on a fresh directory and after an upgrade. Says so in the interface: as
long as the offline keys lie on the machine of the control plane, who owns the machine owns both.
`sentienguard trust` moves them away; from then on nothing is signed here and only what is missing
of the TLS files is made. The control plane's own process never opens `offline`.
"""

import base64
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sentienguard.controlplane import private_files
from sentienguard.controlplane.trust_store import evaluation_mark, playbook_path
from sentienguard.model.ids import Digest, digest, version_key
from sentienguard.playbook import parse
from sentienguard.trust import catalogue, certificates, dsse, keys, root
from sentienguard.trust.root import RoleName

ROOT_LIFETIME = timedelta(days=365)
CATALOGUE_LIFETIME = timedelta(days=90)
RESIGN_BEFORE = timedelta(days=30)  # `up` signs again when less than this is left


@dataclass(frozen=True, slots=True)
class Offline:
    """Where the offline keys lie."""

    directory: Path

    def key(self, name: str) -> keys.SigningKey:
        """Read one."""
        return keys.SigningKey.from_pem((self.directory / f"{name}.pem").read_bytes())


def prepare(centre: Path, offline: Path, bundled: Mapping[str, bytes], *, now: datetime) -> None:
    """Make what is missing in `centre` and `offline`, and sign the bundled playbooks.

    `bundled` maps a name for messages to the bytes of a playbook. Everything that exists is kept;
    the catalogue gets a new version when its content changed or is about to expire; a playbook that
    was taken back stays so, and one that people listed stays listed. Where the offline keys were
    moved away, only missing TLS files are made.
    """
    if moved_away(centre):
        (centre / "tls").mkdir(exist_ok=True, mode=0o700)
        _make_tls(centre / "tls", now)
        return
    for directory in (offline, centre / "keys", centre / "tls", centre / "trust/proving"):
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    (centre / "trust/playbooks").mkdir(exist_ok=True)
    evaluation_mark(centre).touch()  # before there is a root, so that one without it is another's
    for name in ("root", "signer"):
        _make_key(offline / f"{name}.pem")
    for name in ("dispatch", "log"):
        _make_key(centre / f"keys/{name}.pem")
    _make_data_key(centre / "keys/data.key")
    _make_tls(centre / "tls", now)
    _make_root(centre, Offline(offline), now)
    _make_catalogue(centre, Offline(offline), bundled, now)


def moved_away(centre: Path) -> bool:
    """Tell whether there is a root whose offline keys were not made by `up` on this machine."""
    return (centre / "trust/root.json").exists() and not evaluation_mark(centre).exists()


def _make_key(path: Path) -> None:
    if not path.exists():
        private_files.write(path, keys.SigningKey.generate().to_pem())


def _make_data_key(path: Path) -> None:
    """Make the key that wraps those of secrets at rest, before anybody copies the directory."""
    if not path.exists():
        private_files.write(path, base64.b64encode(os.urandom(32)) + b"\n")


def _make_tls(tls: Path, now: datetime) -> None:
    if (tls / "server.pem").exists():
        return
    authority = certificates.make_authority("SentienGuard evaluation", now=now)
    server = certificates.make_server(authority, ["localhost"], ["127.0.0.1", "::1"], now=now)
    private_files.write(tls / "ca.key", authority.key_pem)
    private_files.write(tls / "ca.pem", authority.certificate_pem)
    private_files.write(tls / "server.key", server.key_pem)
    private_files.write(tls / "server.pem", server.certificate_pem)


def _make_root(centre: Path, offline: Offline, now: datetime) -> None:
    path = centre / "trust/root.json"
    if path.exists():
        return
    log_key = keys.SigningKey.from_pem((centre / "keys/log.pem").read_bytes())
    dispatch = keys.SigningKey.from_pem((centre / "keys/dispatch.pem").read_bytes())
    payload = root.payload(
        version=1,
        expires_at=now + ROOT_LIFETIME,
        roles={
            RoleName.ROOT: ([offline.key("root").public], 1),
            RoleName.SIGNER: ([offline.key("signer").public], 1),
            RoleName.DISPATCH: ([dispatch.public], 1),
            RoleName.LOG: ([log_key.public], 1),
            RoleName.APPROVER: ([], 1),
        },
        log_origin=f"sentienguard.local/{log_key.public.id}",
    )
    envelope = dsse.seal(root.PAYLOAD_TYPE, payload, [offline.key("root")])
    private_files.write(centre / "trust/root.digest", digest(payload).encode())
    private_files.write(path, _text(envelope))


def _make_catalogue(
    centre: Path, offline: Offline, bundled: Mapping[str, bytes], now: datetime
) -> None:
    path = centre / "trust/catalogue.json"
    verified = root.first(
        json.loads((centre / "trust/root.json").read_bytes()),
        Digest((centre / "trust/root.digest").read_text().strip()),
        now=now,
    )
    signers = verified.roles[RoleName.SIGNER]
    if offline.key("signer").id not in signers.keyids or signers.threshold > 1:
        return  # others sign by now; what `up` would sign alone, no host takes
    wanted: dict[Digest, catalogue.Listed] = {}
    for origin, stored in bundled.items():
        playbook = parse.load(stored, origin=origin)
        wanted[playbook.digest] = catalogue.Listed(playbook.name, playbook.version, playbook.digest)
        playbook_path(centre, playbook.digest).write_bytes(stored)
    version, listed = 0, list(wanted.values())
    if path.exists():
        standing = catalogue.open_catalogue(
            json.loads(path.read_bytes()), verified, now=datetime.min.replace(tzinfo=now.tzinfo)
        )
        version, listed = standing.version, _listed(standing.playbooks, listed)
        same = set(standing.playbooks) == set(listed)
        if same and standing.expires_at - now > RESIGN_BEFORE:
            return
    payload = catalogue.payload(
        version=version + 1,
        expires_at=now + CATALOGUE_LIFETIME,
        playbooks=sorted(listed, key=lambda one: (one.name, one.version)),
    )
    private_files.write(
        path, _text(dsse.seal(catalogue.PAYLOAD_TYPE, payload, [offline.key("signer")]))
    )


def _listed(
    standing: Sequence[catalogue.Listed], bundled: Sequence[catalogue.Listed]
) -> list[catalogue.Listed]:
    """Return what to list: what people decided stays, of the rest what this release brings.

    People take a playbook back, and list their own: another name, or a version of a bundled name
    that this release does not reach. Only what earlier releases brought makes room.
    """
    newest = {one.name: version_key(one.version) for one in bundled}
    kept = [
        one
        for one in standing
        if one.revoked or one.name not in newest or version_key(one.version) >= newest[one.name]
    ]
    known = {(one.name, one.version) for one in kept}  # whose bytes never change
    return [*kept, *(one for one in bundled if (one.name, one.version) not in known)]


def sign_proving(centre: Path, offline: Path, record: catalogue.ProvingRecord) -> None:
    """Sign what a playbook has proven in drills, so that it may run in the drill environment."""
    envelope = dsse.seal(
        catalogue.PROVING_TYPE, catalogue.proving_payload(record), [Offline(offline).key("signer")]
    )
    private_files.write(centre / f"trust/proving/{record.playbook}.json", _text(envelope))


def _text(envelope: dict[str, Any]) -> bytes:
    return json.dumps(envelope, indent=1, sort_keys=True).encode()
