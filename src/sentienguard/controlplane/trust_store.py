"""The centre's keys and the documents that the offline keys signed, as files of its directory.

    keys/dispatch.pem, keys/log.pem       online keys; keys/log.next.pem where one is to follow
    keys/data.key                         wraps the keys of secrets at rest: app_keys.py
    tls/server.{pem,key}                  the agents' listener
    tls/ca.*                              the authority of its clients: authority.py
    trust/root.json, trust/catalogue.json signed documents, handed to agents as they are
    trust/root.digest                     of the oldest root that is kept: where the chain begins
    trust/roots/<version>.json            the roots before the current one, for who was away
    trust/playbooks/<64 hex>.yaml         playbooks by digest
    trust/proving/*.json                  signed proving records

Called by app.py and the agents' API. The offline keys (root, signers) are not here and the control
plane never reads them: `evaluation.py`, run by `up`, keeps them elsewhere.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sentienguard.controlplane.authority import AuthorityFiles
from sentienguard.controlplane.tls_files import TlsFiles
from sentienguard.model import errors
from sentienguard.model.ids import AgentId, Digest
from sentienguard.model.order import Order
from sentienguard.trust import catalogue as catalogues
from sentienguard.trust import certificates, keys, log_keys, order
from sentienguard.trust import root as roots

LOG_KEY, NEXT_LOG_KEY = "keys/log.pem", "keys/log.next.pem"


class TrustMissing(errors.Broken):
    """A key or a signed document is missing or cannot be read."""


@dataclass(frozen=True, slots=True)
class Listing:
    """What the signers list, as one: a new one takes its place as a whole."""

    catalogue: catalogues.Catalogue
    envelope: dict[str, Any]
    playbooks: dict[Digest, bytes]  # stored bytes of everything listed
    proving: tuple[catalogues.ProvingRecord, ...]


class Listed:
    """The listing that counts now. A newer one under the same root needs no restart."""

    def __init__(self, listing: Listing) -> None:
        """Begin with what was there at the start."""
        self.now = listing


@dataclass(frozen=True, slots=True)
class TrustStore:
    """What the centre may sign with, and what it hands on."""

    root: roots.Root
    root_envelope: dict[str, Any]
    earlier_roots: tuple[dict[str, Any], ...]  # that lead to it, oldest first
    listed: Listed
    dispatch: keys.SigningKey
    log: log_keys.LogSigners
    authorities: AuthorityFiles
    tls: TlsFiles
    server_pin: str  # hex SHA-256 of the server's public key info
    agents_address: str  # https://host:port as agents reach it
    evaluation: bool  # all keys were made on this machine and the offline ones are still on it

    @property
    def listing(self) -> Listing:
        """What the signers list now; who needs several parts of it asks once."""
        return self.listed.now

    @property
    def catalogue(self) -> catalogues.Catalogue:
        """The catalogue that counts now."""
        return self.listed.now.catalogue

    @property
    def catalogue_envelope(self) -> dict[str, Any]:
        """The same as the signers signed it."""
        return self.listed.now.envelope

    @property
    def playbooks(self) -> dict[Digest, bytes]:
        """Stored bytes of everything that is listed now."""
        return self.listed.now.playbooks

    @property
    def proving(self) -> tuple[catalogues.ProvingRecord, ...]:
        """Proving records that count now."""
        return self.listed.now.proving

    def adopt(self, fresh: "TrustStore") -> bool:
        """Let a newer listing count from now on; False under another root: that takes a start."""
        if fresh.root.digest != self.root.digest:
            return False
        self.listed.now = fresh.listing
        return True

    @property
    def root_digest(self) -> Digest:
        """What the install command pins."""
        return self.root.digest

    @property
    def approvers_needed(self) -> int:
        """How many approvers' signatures hosts want where a playbook asks for people; 0: none."""
        approvers = self.root.roles[roots.RoleName.APPROVER]
        return approvers.threshold if approvers.keyids else 0

    def seal_order(
        self,
        wanted: Order,
        nonce: str,
        seq: int,
        approvals: Sequence[Mapping[str, Any]] = (),
    ) -> dict[str, Any]:
        """Sign an order for one poll of its agent, with what people signed for it."""
        signed = order.SignedOrder(wanted, nonce, seq, tuple(approvals))
        return order.seal_order(signed, self.dispatch)

    def seal_stop(self, wanted: Order, nonce: str, seq: int, by: str) -> dict[str, Any]:
        """Sign a stop for one poll of its agent."""
        stop = order.SignedStop(wanted.id, wanted.agent, nonce, seq, by)
        return order.seal_stop(stop, self.dispatch)

    def sign_agent(
        self, csr_pem: bytes, agent: AgentId, now: datetime, lifetime: timedelta
    ) -> bytes:
        """Return a client certificate for a new agent. Raises dsse.NotTrusted."""
        signing = self.authorities.read().signing
        return certificates.sign_agent(signing, csr_pem, agent, now=now, lifetime=lifetime)

    def renew_agent(self, der: bytes, now: datetime, lifetime: timedelta) -> bytes:
        """Return the next certificate of an agent that has one. Raises dsse.NotTrusted."""
        found = self.authorities.read()
        return certificates.renew_agent(
            found.signing, der, now=now, lifetime=lifetime, before=found.trusted
        )


def load(directory: Path, *, agents_address: str, now: datetime) -> TrustStore:
    """Read and verify everything. Raises TrustMissing naming the file and the way out."""
    tls = directory / "tls"
    root_envelope = _json(directory / "trust/root.json")
    pinned = Digest(_bytes(directory / "trust/root.digest").decode().strip())
    earlier = earlier_roots(directory)
    verified = roots.enter([*earlier, root_envelope], pinned, now=now)
    server = _bytes(tls / "server.pem")
    authorities = AuthorityFiles(tls)
    return TrustStore(
        root=verified,
        root_envelope=root_envelope,
        earlier_roots=earlier,
        listed=Listed(_listing(directory, verified, now)),
        dispatch=keys.SigningKey.from_pem(_bytes(directory / "keys/dispatch.pem")),
        log=log_signers(directory, verified),
        authorities=authorities,
        tls=TlsFiles(tls / "server.pem", tls / "server.key", _trusted(authorities)),
        server_pin=certificates.pin_of(server),
        agents_address=agents_address,
        evaluation=evaluation_mark(directory).exists(),
    )


def _listing(directory: Path, root: roots.Root, now: datetime) -> Listing:
    envelope = _json(directory / "trust/catalogue.json")
    found = catalogues.open_catalogue(envelope, root, now=now)
    return Listing(
        catalogue=found,
        envelope=envelope,
        playbooks={one.digest: _playbook(directory, one.digest) for one in found.playbooks},
        proving=tuple(
            catalogues.open_proving(_json(path), root)
            for path in sorted((directory / "trust/proving").glob("*.json"))
        ),
    )


def log_signers(directory: Path, root: roots.Root) -> log_keys.LogSigners:
    """Return who signs checkpoints here. Raises TrustMissing, dsse.NotTrusted."""
    private = [keys.SigningKey.from_pem(_bytes(directory / LOG_KEY))]
    if (directory / NEXT_LOG_KEY).exists():
        private.append(keys.SigningKey.from_pem(_bytes(directory / NEXT_LOG_KEY)))
    return log_keys.held(root.log_keys, private)


def evaluation_mark(directory: Path) -> Path:
    """Return the file that says that the keys of the current root were made by `up`, here."""
    return directory / "trust/evaluation"


def earlier_roots(directory: Path) -> tuple[dict[str, Any], ...]:
    """Return the roots before the current one, oldest first. Raises TrustMissing."""
    current = roots.claimed(_json(directory / "trust/root.json")).version
    found = {int(path.stem): path for path in (directory / "trust/roots").glob("*.json")}
    # One that is not before the current root is left of an import that was cut off.
    return tuple(_json(found[version]) for version in sorted(found) if version < current)


def playbook_path(directory: Path, digest: Digest) -> Path:
    """Return where a playbook of this digest lies."""
    return directory / "trust/playbooks" / f"{digest.removeprefix('sha256:')}.yaml"


def _trusted(authorities: AuthorityFiles) -> bytes:
    try:
        return authorities.read().trusted_pem
    except OSError as cause:
        message = (
            f"{cause.filename}: {cause.strerror}; run `sentienguard up` to make what is missing"
        )
        raise TrustMissing(message) from cause


def _playbook(directory: Path, digest: Digest) -> bytes:
    return _bytes(playbook_path(directory, digest))


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as cause:
        message = f"{path}: {cause.strerror}; run `sentienguard up` to make what is missing"
        raise TrustMissing(message) from cause


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(_bytes(path))
    except ValueError as cause:
        message = f"{path}: expected a JSON envelope, found {cause}; restore it from a backup"
        raise TrustMissing(message) from cause
    if not isinstance(found, dict):
        message = f"{path}: expected a JSON object, found {type(found).__name__}"
        raise TrustMissing(message)
    return found
