"""Which playbooks may run, and what they proved. Signed offline; its version never falls.

Called by the executor before every order, and by the control plane for matching and for earned
autonomy. The catalogue is what makes a compromised control plane survivable: an order may only name
a digest that is listed here and not revoked.

Rules; the line that refuses names its rule:
1. Signed by the threshold of the signer role.
2. Not expired.
3. Its version is not below the newest seen, and a version seen before has the same content.
4. No digest and no pair of name and version is listed twice.
5. Where the root limits signers, the threshold of those who signed may speak for the name of every
   playbook that may run; revoking needs no such thing. In which environments is for the executor's
   admission to ask, by `outside`. The same holds for a proving record and its playbook.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sentienguard.model import ids
from sentienguard.trust import canonical, dsse, fields
from sentienguard.trust import root as root_document

PAYLOAD_TYPE: Final = "application/vnd.sentienguard.catalogue+json"
PROVING_TYPE: Final = "application/vnd.sentienguard.proving+json"
MAX_PLAYBOOKS: Final = 5_000
MAX_DRILLS: Final = 500  # in one proving record
_MEMBERS: Final = {"version", "expires_ms", "playbooks"}
_LISTED: Final = {"name", "version", "digest", "revoked"}


class RolledBack(dsse.NotTrusted):
    """An older catalogue came after a newer one, or another content under the same version."""


@dataclass(frozen=True, slots=True)
class Listed:
    """One playbook that the signers let run, or take back."""

    name: ids.PlaybookName
    version: str
    digest: ids.Digest  # of the YAML file's bytes
    revoked: bool = False


@dataclass(frozen=True, slots=True)
class Catalogue:
    """A verified catalogue."""

    version: int
    expires_at: datetime
    playbooks: tuple[Listed, ...]
    digest: ids.Digest  # of the payload, to be remembered together with the version

    def find(self, digest: ids.Digest) -> Listed | None:
        """Return what is listed under this digest, revoked or not; None where nothing is."""
        return next((one for one in self.playbooks if one.digest == digest), None)

    def permits(self, digest: ids.Digest) -> bool:
        """Tell whether this digest is listed and not revoked."""
        found = self.find(digest)
        return found is not None and not found.revoked

    def require_current(self, now: datetime) -> None:
        """Refuse to be used after expiry (rule 2). Raises dsse.NotTrusted."""
        if now >= self.expires_at:
            raise dsse.NotTrusted(
                f"rule 2: catalogue version {self.version} expired at "
                f"{self.expires_at:%Y-%m-%d %H:%M}Z; have the signers sign a new one"
            )


@dataclass(frozen=True, slots=True)
class Proven:
    """What one drill showed."""

    drill: str
    runs: int
    verified: int  # runs whose outcome was verified, at most `runs`


@dataclass(frozen=True, slots=True)
class ProvingRecord:
    """What a playbook proved before it was shipped."""

    playbook: ids.PlaybookName
    version: str
    digest: ids.Digest
    proven: tuple[Proven, ...]


def payload(*, version: int, expires_at: datetime, playbooks: Iterable[Listed]) -> bytes:
    """Return the payload of a catalogue, to be sealed by the signers."""
    made = canonical.encode(
        {
            "v": 1,
            "version": version,
            "expires_ms": fields.milliseconds(expires_at),
            "playbooks": [
                {
                    "name": one.name,
                    "version": one.version,
                    "digest": one.digest,
                    "revoked": one.revoked,
                }
                for one in playbooks
            ],
        }
    )
    _read(made)
    return made


def open_catalogue(
    envelope: Any,
    root: root_document.Root,
    *,
    now: datetime,
    newest_seen: int = 0,
    newest_digest: ids.Digest | None = None,
) -> Catalogue:
    """Open a catalogue. `newest_seen` and `newest_digest` are of the newest one accepted before.

    Raises RolledBack for rule 3 and dsse.NotTrusted for everything else.
    """
    found = _read(root.open(envelope, PAYLOAD_TYPE, root_document.RoleName.SIGNER))  # rule 1
    if found.version < newest_seen:
        raise RolledBack(
            f"rule 3: expected catalogue version {newest_seen} or later, got {found.version}"
        )
    if found.version == newest_seen and newest_digest not in {None, found.digest}:
        raise RolledBack(
            f"rule 3: catalogue version {found.version} came before with digest {newest_digest}, "
            f"now with {found.digest}; the signers must raise the version with each change"
        )
    _require_reach(root, envelope, found)
    found.require_current(now)
    return found


def outside(
    envelope: Any, root: root_document.Root, playbook: ids.PlaybookName, environment: str
) -> str | None:
    """Return why this playbook may not run there under this catalogue, or None (rule 5)."""
    if root.outside(envelope, PAYLOAD_TYPE, [playbook], environment) is None:
        return None
    needed = root.roles[root_document.RoleName.SIGNER].threshold
    return (
        f"fewer than {needed} of the signers of the catalogue may speak for {playbook} in "
        f"{environment}; have it signed by one whose key reaches there"
    )


def claimed(envelope: Any) -> Catalogue:
    """Return what an envelope claims, whoever signed it: for drafts. Raises dsse.NotTrusted."""
    payload, _ = dsse.opened(envelope, PAYLOAD_TYPE, ())
    return _read(payload)


def claimed_proving(envelope: Any) -> ProvingRecord:
    """Return what an envelope claims, whoever signed it: for drafts. Raises dsse.NotTrusted."""
    payload, _ = dsse.opened(envelope, PROVING_TYPE, ())
    return _read_proving(payload)


def proving_payload(record: ProvingRecord) -> bytes:
    """Return the payload of a proving record, to be sealed by the signers."""
    made = canonical.encode(
        {
            "v": 1,
            "playbook": record.playbook,
            "version": record.version,
            "digest": record.digest,
            "proven": [
                {"drill": one.drill, "runs": one.runs, "verified": one.verified}
                for one in record.proven
            ],
        }
    )
    _read_proving(made)
    return made


def open_proving(envelope: Any, root: root_document.Root) -> ProvingRecord:
    """Open what a playbook proved before it was shipped. Raises dsse.NotTrusted."""
    found = _read_proving(root.open(envelope, PROVING_TYPE, root_document.RoleName.SIGNER))
    if root.outside(envelope, PROVING_TYPE, [found.playbook]) is not None:
        raise dsse.NotTrusted(
            f"rule 5: the signers of the proving record may not speak for {found.playbook}"
        )
    return found


def _require_reach(root: root_document.Root, envelope: Any, found: Catalogue) -> None:
    runnable = [one.name for one in found.playbooks if not one.revoked]
    stranger = root.outside(envelope, PAYLOAD_TYPE, runnable)
    if stranger is not None:
        raise dsse.NotTrusted(
            f"rule 5: catalogue version {found.version} lists {stranger}, for which too few of its "
            "signers may speak; have it signed by one whose key reaches it, or leave it out"
        )


def _read(found_payload: bytes) -> Catalogue:
    found = fields.document(found_payload, "catalogue", _MEMBERS)
    listed = tuple(
        _listed(one) for one in fields.array(found, "playbooks", "catalogue", MAX_PLAYBOOKS)
    )
    if len({one.digest for one in listed}) != len(listed):
        raise dsse.NotTrusted("rule 4: the catalogue lists one digest twice")
    if len({(one.name, one.version) for one in listed}) != len(listed):
        raise dsse.NotTrusted("rule 4: the catalogue lists one name and version twice")
    return Catalogue(
        version=fields.integer(found, "version", "catalogue", 1, canonical.MAX_INTEGER),
        expires_at=fields.moment(found, "expires_ms", "catalogue"),
        playbooks=listed,
        digest=ids.digest(found_payload),
    )


def _listed(one: Any) -> Listed:
    what = "catalogue: playbook"
    found = fields.exact(one, what, _LISTED)
    return Listed(
        name=ids.PlaybookName(fields.text(found, "name", what, fields.NAME)),
        version=fields.text(found, "version", what, fields.TOKEN),
        digest=ids.Digest(fields.text(found, "digest", what, fields.DIGEST)),
        revoked=fields.truth(found, "revoked", what),
    )


def _read_proving(found_payload: bytes) -> ProvingRecord:
    what = "proving record"
    found = fields.document(found_payload, what, {"playbook", "version", "digest", "proven"})
    return ProvingRecord(
        playbook=ids.PlaybookName(fields.text(found, "playbook", what, fields.NAME)),
        version=fields.text(found, "version", what, fields.TOKEN),
        digest=ids.Digest(fields.text(found, "digest", what, fields.DIGEST)),
        proven=tuple(_proven(one) for one in fields.array(found, "proven", what, MAX_DRILLS)),
    )


def _proven(one: Any) -> Proven:
    what = "proving record: drill"
    found = fields.exact(one, what, {"drill", "runs", "verified"})
    runs = fields.integer(found, "runs", what, 0, canonical.MAX_INTEGER)
    return Proven(
        drill=fields.text(found, "drill", what, fields.LINE),
        runs=runs,
        verified=fields.integer(found, "verified", what, 0, runs),
    )
