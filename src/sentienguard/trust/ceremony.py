"""What people with offline keys decide, as drafts for them to sign: roots and catalogues.

Called by `sentienguard trust`. Each function takes a bundle and returns one with a new draft at its
end. Nothing here signs. Rules:

1. A draft of a root follows a complete one. A second draft of the same version is made only where
   the caller says that the first is to be forgotten: two roots of one version that both got their
   signatures would part the hosts for good.
2. A catalogue that changes gets a new version, and so new signatures. One that stays gets further
   signatures where a new root names other signers.
3. What is revoked stays listed as revoked.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from sentienguard.model import errors, ids
from sentienguard.trust import bundle as bundles
from sentienguard.trust import catalogue, dsse, keys
from sentienguard.trust import root as roots
from sentienguard.trust.delegation import Delegation
from sentienguard.trust.passkeys import ApproverKey
from sentienguard.trust.root import RoleName
from sentienguard.trust.ssh_approvals import ApproverSshKey

OFFLINE: Final = (RoleName.ROOT, RoleName.SIGNER)

Roles = Mapping[RoleName, tuple[Sequence[keys.VerifyKey], int]]


class CannotDraft(errors.Rejected):
    """What was asked for cannot become a document that hosts would take."""


@dataclass(frozen=True, slots=True)
class Change:
    """What a new root changes; everything else stays."""

    expires_at: datetime
    add: tuple[tuple[RoleName, keys.VerifyKey], ...] = ()
    remove: tuple[tuple[RoleName, str], ...] = ()  # role and key id
    thresholds: Mapping[RoleName, int] = field(default_factory=dict)
    limits: Mapping[str, Delegation | None] = field(default_factory=dict)  # None lifts the limits
    passkeys: tuple[ApproverKey, ...] = ()  # approvers to add
    ssh_keys: tuple[ApproverSshKey, ...] = ()  # approvers to add
    people: Mapping[str, str] = field(default_factory=dict)  # accounts to add, by approver's key id
    server_pins: tuple[str, ...] | None = None  # all of them; None: as before
    log_ends: Mapping[str, int] = field(default_factory=dict)  # to add, by key id, in entries


def begin(roles: Roles, *, expires_at: datetime, log_origin: str) -> bundles.Bundle:
    """Draft the first root of an installation that has none."""
    payload = roots.payload(version=1, expires_at=expires_at, roles=roles, log_origin=log_origin)
    return bundles.Bundle(roots=(_draft(roots.PAYLOAD_TYPE, payload),))


def open_root(bundle: bundles.Bundle) -> bool:
    """Tell whether the last root is a draft that still needs signatures."""
    last = f"root {bundle.last.version}"
    return any(one.missing for one in bundles.missing(bundle) if one.document == last)


def rotate(bundle: bundles.Bundle, change: Change, *, forget_draft: bool = False) -> bundles.Bundle:
    """Draft the root that follows (rule 1). Raises CannotDraft or dsse.NotTrusted."""
    if open_root(bundle):
        if not forget_draft or len(bundle.roots) == 1:
            raise CannotDraft(
                f"root {bundle.last.version} is a draft that is not signed by all yet; sign it, or "
                "forget it if nobody will ever sign it"
            )
        bundle = replace(bundle, roots=bundle.roots[:-1])
    last = bundle.last
    payload = roots.payload(
        version=last.version + 1,
        expires_at=change.expires_at,
        roles=_roles(last, change),
        log_origin=last.log_origin,
        delegations=_limits(last, change),
        passkeys=_passkeys(last, change),
        ssh_keys=_ssh_keys(last, change),
        people=_people(last, change),
        server_pins=last.server_pins if change.server_pins is None else change.server_pins,
        log_ends=_log_ends(last, change),
    )
    return replace(bundle, roots=(*bundle.roots, _draft(roots.PAYLOAD_TYPE, payload)))


def hand_over(
    bundle: bundles.Bundle, roles: Roles, *, expires_at: datetime, forget_draft: bool = False
) -> bundles.Bundle:
    """Draft a root in which the given roles have these keys and no others."""
    last = bundle.last
    gone = tuple((role, keyid) for role in roles for keyid in last.roles[role].keyids)
    change = Change(
        expires_at=expires_at,
        add=tuple((role, key) for role, (members, _) in roles.items() for key in members),
        remove=gone,
        thresholds={role: threshold for role, (_, threshold) in roles.items()},
    )
    return rotate(bundle, change, forget_draft=forget_draft)


def revoke_signer(
    bundle: bundles.Bundle, keyid: str, *, expires_at: datetime, forget_draft: bool = False
) -> bundles.Bundle:
    """Draft a root without a signer. Raises CannotDraft where too few are left."""
    role = bundle.last.roles[RoleName.SIGNER]
    if len(role.keyids) - 1 < role.threshold:
        raise CannotDraft(
            f"{len(role.keyids) - 1} signers would be left and {role.threshold} have to sign; add "
            "one and strike this one off in one draft: `sentienguard trust rotate FILE --new "
            f"signer=PATH --remove signer={keyid}`"
        )
    change = Change(expires_at=expires_at, remove=((RoleName.SIGNER, keyid),))
    return rotate(bundle, change, forget_draft=forget_draft)


def revoke_playbook(
    bundle: bundles.Bundle, name: str, version: str | None, *, expires_at: datetime
) -> bundles.Bundle:
    """Draft a catalogue in which a playbook, or one version of it, is revoked (rules 2 and 3)."""
    standing = _standing(bundle)
    meant = [
        one
        for one in standing.playbooks
        if one.name == name and version in {None, one.version} and not one.revoked
    ]
    if not meant:
        shown = name if version is None else f"{name}@{version}"
        raise CannotDraft(f"catalogue {standing.version} lists no {shown} that could be revoked")
    listed = [replace(one, revoked=one in meant or one.revoked) for one in standing.playbooks]
    return _relisted(bundle, standing.version + 1, listed, expires_at)


def list_playbooks(
    bundle: bundles.Bundle,
    added: Mapping[ids.Digest, tuple[catalogue.Listed, bytes]],
    *,
    expires_at: datetime,
) -> bundles.Bundle:
    """Draft a catalogue with these playbooks besides those that are listed, or a fresh one.

    Raises CannotDraft for a name and version that is listed with other bytes.
    """
    standing = None if bundle.catalogue is None else catalogue.claimed(bundle.catalogue)
    before = () if standing is None else standing.playbooks
    known = {one.digest for one in before}
    new = [one for one, _ in added.values() if one.digest not in known]
    taken = {(one.name, one.version) for one in before}
    for one in new:
        if (one.name, one.version) in taken:
            raise CannotDraft(
                f"{one.name} {one.version} is listed with other bytes; raise its version"
            )
        taken.add((one.name, one.version))
    listed = sorted([*before, *new], key=lambda one: (one.name, one.version))
    stored = {one.digest: added[one.digest][1] for one in new}
    made = replace(bundle, playbooks={**bundle.playbooks, **stored})
    return _relisted(made, 1 if standing is None else standing.version + 1, listed, expires_at)


def add_proving(
    bundle: bundles.Bundle, records: Collection[catalogue.ProvingRecord]
) -> bundles.Bundle:
    """Draft proving records for playbooks that are listed; one that is there stays as it is."""
    known = {catalogue.claimed_proving(one).digest for one in bundle.proving}
    new = [
        _draft(catalogue.PROVING_TYPE, catalogue.proving_payload(one))
        for one in records
        if one.digest in bundle.playbooks and one.digest not in known
    ]
    return replace(bundle, proving=(*bundle.proving, *new))


def _roles(last: roots.Root, change: Change) -> Roles:
    removed = set(change.remove)
    for role, keyid in removed:
        if keyid not in last.roles[role].keyids:
            raise CannotDraft(f"root {last.version} names no {role} key {keyid}")
    made: dict[RoleName, tuple[Sequence[keys.VerifyKey], int]] = {}
    for role, standing in last.roles.items():
        kept = [key for one, key in last.trusted(role).items() if (role, one) not in removed]
        new = [key for to, key in change.add if to is role and key not in kept]
        made[role] = ([*kept, *new], change.thresholds.get(role, standing.threshold))
    return made


def _passkeys(last: roots.Root, change: Change) -> list[ApproverKey]:
    gone = {keyid for role, keyid in change.remove if role is RoleName.APPROVER}
    kept = {keyid: one for keyid, one in last.approving_passkeys.items() if keyid not in gone}
    return list({**kept, **{one.id: one for one in change.passkeys}}.values())


def _ssh_keys(last: roots.Root, change: Change) -> list[ApproverSshKey]:
    gone = {keyid for role, keyid in change.remove if role is RoleName.APPROVER}
    kept = {keyid: one for keyid, one in last.approving_ssh_keys.items() if keyid not in gone}
    return list({**kept, **{one.id: one for one in change.ssh_keys}}.values())


def _people(last: roots.Root, change: Change) -> dict[str, str]:
    gone = {keyid for role, keyid in change.remove if role is RoleName.APPROVER}
    kept = {keyid: name for keyid, name in last.people.items() if keyid not in gone}
    return {**kept, **change.people}


def _log_ends(last: roots.Root, change: Change) -> dict[str, int]:
    for role, keyid in change.remove:
        if role is RoleName.LOG and keyid in last.log_ends:
            raise CannotDraft(
                f"log key {keyid} ended at size {last.log_ends[keyid]} and stays named with that "
                "end: what it signed is checked by it"
            )
    for keyid, until in change.log_ends.items():
        if until > last.log_ends.get(keyid, until):
            raise CannotDraft(
                f"log key {keyid} ended at size {last.log_ends[keyid]}; an end never moves up"
            )
    return {**last.log_ends, **change.log_ends}


def _limits(last: roots.Root, change: Change) -> dict[str, Delegation]:
    gone = {keyid for role, keyid in change.remove if role is RoleName.SIGNER}
    wanted = {**last.delegations, **change.limits}
    return {
        keyid: limit for keyid, limit in wanted.items() if limit is not None and keyid not in gone
    }


def _standing(bundle: bundles.Bundle) -> catalogue.Catalogue:
    if bundle.catalogue is None:
        raise CannotDraft("there is no catalogue yet; list playbooks first")
    return catalogue.claimed(bundle.catalogue)


def _relisted(
    bundle: bundles.Bundle, version: int, listed: Sequence[catalogue.Listed], expires_at: datetime
) -> bundles.Bundle:
    payload = catalogue.payload(version=version, expires_at=expires_at, playbooks=listed)
    return replace(bundle, catalogue=_draft(catalogue.PAYLOAD_TYPE, payload))


def _draft(kind: str, payload: bytes) -> dict[str, Any]:
    return dsse.seal(kind, payload, [])
