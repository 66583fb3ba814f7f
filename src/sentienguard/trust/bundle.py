"""What is carried between machines: every signed document of one installation, and drafts of them.

Called by `sentienguard trust` and by whoever takes such a file over. It holds the whole chain of
roots, the catalogue, the proving records and the bytes of the playbooks: enough for a signer to see
what is to be signed and for a control plane to work. Never a private key.

The file itself is not signed. Every document in it is, or is a draft that says so:
1. A root is complete when the threshold of the root before it and of itself signed.
2. Catalogue and proving records are complete when the last root's signers signed, as `catalogue`
   asks for.
3. `verify` opens everything by the rules of each document and takes nothing on trust; `missing`
   only explains, for people who sign one after the other.
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from sentienguard.model import ids
from sentienguard.trust import canonical, dsse, fields, keys
from sentienguard.trust import catalogue as catalogues
from sentienguard.trust import root as root_document

MAX_BYTES: Final = 64 << 20  # of a file; 5,000 playbooks of 8 KiB
MAX_PROVING: Final = catalogues.MAX_PLAYBOOKS
_MEMBERS: Final = {"roots", "catalogue", "proving", "playbooks"}
_SIGNED_KINDS: Final = (catalogues.PAYLOAD_TYPE, catalogues.PROVING_TYPE)

Envelope = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Bundle:
    """The documents of one installation, as envelopes; nothing in it is judged yet."""

    roots: tuple[Envelope, ...]  # oldest first, the last one perhaps a draft
    catalogue: Envelope | None = None
    proving: tuple[Envelope, ...] = ()
    playbooks: Mapping[ids.Digest, bytes] = field(default_factory=dict)  # stored bytes

    @property
    def last(self) -> root_document.Root:
        """Return what the last root claims. Raises dsse.NotTrusted."""
        return root_document.claimed(self.roots[-1])


@dataclass(frozen=True, slots=True)
class Needed:
    """One group of keys whose threshold a document needs."""

    document: str  # for people: "root 2", "catalogue 5", "proving of NAME"
    group: str  # for people: "the keys of root 1"
    threshold: int
    signed: tuple[str, ...]  # key ids that signed it
    absent: tuple[str, ...]  # key ids that may still sign it

    @property
    def missing(self) -> int:
        """Return how many signatures it still takes."""
        return max(0, self.threshold - len(self.signed))


@dataclass(frozen=True, slots=True)
class Verified:
    """What a bundle holds, every signature counted."""

    root: root_document.Root
    catalogue: catalogues.Catalogue
    proving: tuple[catalogues.ProvingRecord, ...]


def write(bundle: Bundle) -> bytes:
    """Return a bundle as a file: the same documents give the same bytes."""
    return canonical.encode(
        {
            "v": 1,
            "roots": [dict(one) for one in bundle.roots],
            "catalogue": None if bundle.catalogue is None else dict(bundle.catalogue),
            "proving": [dict(one) for one in bundle.proving],
            "playbooks": {
                digest: base64.b64encode(stored).decode()
                for digest, stored in bundle.playbooks.items()
            },
        }
    )


def read(data: bytes) -> Bundle:
    """Read a file. Raises dsse.NotTrusted for another form; judges no signature."""
    if len(data) > MAX_BYTES:
        raise dsse.NotTrusted(f"trust file: {len(data)} bytes, expected at most {MAX_BYTES}")
    what = "trust file"
    found = fields.document(data, what, _MEMBERS)
    chain = fields.array(found, "roots", what, root_document.MAX_CHAIN)
    if not chain:
        raise dsse.NotTrusted("trust file: no root in it")
    made = Bundle(
        roots=tuple(chain),
        catalogue=found["catalogue"],
        proving=tuple(fields.array(found, "proving", what, MAX_PROVING)),
        playbooks=_playbooks(found["playbooks"]),
    )
    for envelope in made.roots:
        root_document.claimed(envelope)
    if made.catalogue is not None:
        catalogues.claimed(made.catalogue)
    for envelope in made.proving:
        catalogues.claimed_proving(envelope)
    return made


def missing(bundle: Bundle) -> tuple[Needed, ...]:
    """Return what every document that still needs signing needs, and who signed it already."""
    found = []
    last = bundle.last
    chain = [root_document.claimed(one) for one in bundle.roots]
    for at, (claimed, envelope) in enumerate(zip(chain, bundle.roots, strict=True)):
        document = f"root {claimed.version}"
        if at:
            before = chain[at - 1]
            found.append(
                _needed(
                    envelope,
                    root_document.PAYLOAD_TYPE,
                    document,
                    before,
                    root_document.RoleName.ROOT,
                )
            )
        found.append(
            _needed(
                envelope, root_document.PAYLOAD_TYPE, document, claimed, root_document.RoleName.ROOT
            )
        )
    for document, kind, envelope in _signed(bundle):
        found.append(_needed(envelope, kind, document, last, root_document.RoleName.SIGNER))
    return tuple(found)


def sign(bundle: Bundle, key: keys.SigningKey) -> tuple[Bundle, tuple[str, ...]]:
    """Add a key's signature wherever it is asked for; return which documents it signed.

    Only the last root is signed: what came before it is history. Raises dsse.NotTrusted where the
    key has nothing to sign.
    """
    wanted = {one.document for one in missing(bundle) if key.id in one.absent}
    last = bundle.last
    done = []
    chain = list(bundle.roots)
    if f"root {last.version}" in wanted:
        chain[-1] = dsse.add_signature(chain[-1], key)
        done.append(f"root {last.version}")
    added = {}
    for document, _, envelope in _signed(bundle):
        if document in wanted:
            added[document] = dsse.add_signature(envelope, key)
            done.append(document)
    if not done:
        raise dsse.NotTrusted(
            f"key {key.id} has nothing to sign here: root {last.version} and the one before do not "
            "name it, or it signed already; `sentienguard trust status` shows who is to sign"
        )
    names = [document for document, _, _ in _signed(bundle)]
    after = [added.get(name, one) for name, (_, _, one) in zip(names, _signed(bundle), strict=True)]
    first = 0 if bundle.catalogue is None else 1
    made = replace(
        bundle,
        roots=tuple(chain),
        catalogue=after[0] if first else None,
        proving=tuple(after[first:]),
    )
    return made, tuple(done)


def verify(
    bundle: Bundle,
    *,
    now: datetime,
    current: root_document.Root | None = None,
    pinned: ids.Digest | None = None,
    newest: tuple[int, ids.Digest] | None = None,
) -> Verified:
    """Open everything by its rules, from the current root or from a pinned first one.

    `newest` are version and digest of the newest catalogue that was accepted. Raises
    dsse.NotTrusted naming the document and the rule.
    """
    if current is not None:
        root = root_document.follow(current, bundle.roots, now=now)
    else:
        start = root_document.digest_of(bundle.roots[0]) if pinned is None else pinned
        root = root_document.enter(bundle.roots, start, now=now)
    if bundle.catalogue is None:
        raise dsse.NotTrusted("trust file: no catalogue in it; let the signers sign one")
    version, digest = newest or (0, None)
    listed = catalogues.open_catalogue(
        bundle.catalogue, root, now=now, newest_seen=version, newest_digest=digest
    )
    absent = [one.name for one in listed.playbooks if one.digest not in bundle.playbooks]
    if absent:
        raise dsse.NotTrusted(f"trust file: the bytes of {', '.join(absent)} are not in it")
    proving = tuple(catalogues.open_proving(one, root) for one in bundle.proving)
    return Verified(root, listed, proving)


def _signed(bundle: Bundle) -> list[tuple[str, str, Envelope]]:
    """Return what signers sign: a name for people, the payload type, the envelope."""
    found: list[tuple[str, str, Envelope]] = []
    if bundle.catalogue is not None:
        claimed = catalogues.claimed(bundle.catalogue)
        found.append((f"catalogue {claimed.version}", catalogues.PAYLOAD_TYPE, bundle.catalogue))
    for envelope in bundle.proving:
        record = catalogues.claimed_proving(envelope)
        name = f"proving of {record.playbook} {record.version}"
        found.append((name, catalogues.PROVING_TYPE, envelope))
    return found


def _needed(
    envelope: Envelope,
    kind: str,
    document: str,
    by: root_document.Root,
    role: root_document.RoleName,
) -> Needed:
    trusted = by.trusted(role)
    _, signed_by = dsse.opened(envelope, kind, trusted.values())
    signed = {key.id for key in signed_by}
    if kind in _SIGNED_KINDS:
        signed = {keyid for keyid in signed if _counts(envelope, kind, by, keyid)}
    return Needed(
        document=document,
        group=f"the {role} keys of root {by.version}",
        threshold=by.roles[role].threshold,
        signed=tuple(sorted(signed)),
        absent=tuple(sorted(set(trusted) - {key.id for key in signed_by})),
    )


def _counts(envelope: Envelope, kind: str, root: root_document.Root, keyid: str) -> bool:
    """Tell whether a signer reaches everything that the document lists.

    Signers that reach it in parts can be enough together; `verify` knows, this only explains.
    """
    limit = root.delegations.get(keyid)
    if limit is None:
        return True
    if kind == catalogues.PROVING_TYPE:
        return limit.reaches(catalogues.claimed_proving(envelope).playbook, None)
    listed = catalogues.claimed(envelope).playbooks
    return all(limit.reaches(one.name, None) for one in listed if not one.revoked)


def _playbooks(found: Any) -> dict[ids.Digest, bytes]:
    if not isinstance(found, dict) or len(found) > catalogues.MAX_PLAYBOOKS:
        raise dsse.NotTrusted("trust file: playbooks is not an object of digest -> base64")
    read_ones = {}
    for digest, text in found.items():
        try:
            stored = base64.b64decode(text, validate=True)
        except (TypeError, ValueError, binascii.Error) as error:
            raise dsse.NotTrusted(f"trust file: playbook {digest}: not base64") from error
        if ids.digest(stored) != digest:
            raise dsse.NotTrusted(
                f"trust file: playbook {digest}: its bytes have digest {ids.digest(stored)}"
            )
        read_ones[ids.Digest(digest)] = stored
    return read_ones
