"""Which keys may do what. Changes only by the threshold of the old and of the new root keys.

Called by the executor (enrolment, `config`), by the control plane at start and by `sentienguard
trust`. The first root is pinned: the install command carries the digest of its payload, so who
delivers it cannot choose it. Every later one is chained to the one before.

Rules; the line that refuses names its rule:
1. The first root has the pinned digest and is signed by the threshold of its own root role.
2. A later root is signed by the threshold of the current root role *and* of its own.
3. Its version is the one after the current one, so that no root is left out: each hands over to
   the next. The current root itself may come again; another one of the same version may not.
4. An expired root is refused, first or later. One that only leads to a later one may have expired:
   a host that was away for years follows the whole chain.
5. Each key id is the id of its key; roles name listed keys, none twice, and their threshold can be
   reached.
6. Online keys (dispatch, log) are not offline keys (root, signer) nor approvers' keys: else who
   holds the control plane could also write playbooks, or approve.
7. A signer's key may be limited to environments and prefixes (`delegation`). The member is left out
   where no key is; a reader that does not know it refuses the document.
8. An approver's key is a key file's, a passkey or an OpenSSH key, and not two of these.
9. It may name the keys of the control plane's listener (`server_pins`), at least two of them, so
   that one can follow the other. Hosts then know the control plane by these and by no others.
10. A log key may have an end (`log_ends`): the biggest size of which its checkpoint counts. One at
   least has none. A later root keeps a key that has an end, and never lifts that or moves it up.
11. It may say whose each approver's key is (`people`), by the name of their account. A key then
   approves in that name alone, and all keys of a person are one yes. A root that names OpenSSH keys
   says it of every approver's key.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from sentienguard.model import ids
from sentienguard.trust import approvers, canonical, delegation, dsse, fields, log_keys
from sentienguard.trust.keys import BadKey, VerifyKey

if TYPE_CHECKING:
    from sentienguard.trust.passkeys import ApproverKey
    from sentienguard.trust.ssh_approvals import ApproverSshKey

PAYLOAD_TYPE: Final = "application/vnd.sentienguard.root+json"
MAX_KEYS: Final = 256  # people who approve included
MAX_CHAIN: Final = 256  # roots that one message leads through; 64 years of a new one each quarter
_MEMBERS: Final = {"version", "expires_ms", "keys", "roles", "log_origin"}
_LIMITS: Final = "delegations"
_SERVERS: Final = "server_pins"
_ENDS: Final = "log_ends"
LEAST_PINS, MOST_PINS = 2, 8
_PIN: Final = re.compile(r"[0-9a-f]{64}\Z")
_LONG_AGO: Final = datetime(1970, 1, 1, tzinfo=UTC)  # judged by it, nothing has expired


class RoleName(StrEnum):
    """What keys are for."""

    ROOT = "root"  # offline, k of n: says who the others are
    SIGNER = "signer"  # offline: signs catalogues and proving records
    DISPATCH = "dispatch"  # online: signs orders and stops
    LOG = "log"  # online: signs checkpoints of the audit log
    APPROVER = "approver"  # one per person


_ONLINE: Final = (RoleName.DISPATCH, RoleName.LOG)
_NEVER_ONLINE: Final = (RoleName.ROOT, RoleName.SIGNER, RoleName.APPROVER)


@dataclass(frozen=True, slots=True)
class Role:
    """Who may act in a role, and how many of them it takes."""

    keyids: tuple[str, ...]
    threshold: int


@dataclass(frozen=True, slots=True)
class Root:
    """A verified root document."""

    version: int
    expires_at: datetime
    keys: Mapping[str, VerifyKey]  # by key id
    roles: Mapping[RoleName, Role]  # every role, always
    log_origin: str  # first line of the audit log's checkpoints
    digest: ids.Digest  # of the payload; what the install command pins
    delegations: Mapping[str, delegation.Delegation] = field(default_factory=dict)  # by key id
    passkeys: Mapping[str, "ApproverKey"] = field(default_factory=dict)  # by key id
    ssh_keys: Mapping[str, "ApproverSshKey"] = field(default_factory=dict)  # by key id
    people: Mapping[str, str] = field(default_factory=dict)  # accounts by approver's key id
    server_pins: tuple[str, ...] = ()  # hex SHA-256 of public key infos; empty: as at enrolment
    log_ends: Mapping[str, int] = field(default_factory=dict)  # by key id, in entries (rule 10)

    def trusted(self, role: RoleName) -> dict[str, VerifyKey]:
        """Return the keys of a role by key id; its passkeys and OpenSSH keys are none of them."""
        return {keyid: self.keys[keyid] for keyid in self.roles[role].keyids if keyid in self.keys}

    @property
    def log_keys(self) -> tuple[log_keys.LogKey, ...]:
        """The log's keys: what has no end first, then what ended, the latest first."""
        found = (
            log_keys.LogKey(key, self.log_ends.get(keyid))
            for keyid, key in self.trusted(RoleName.LOG).items()
        )
        return tuple(sorted(found, key=lambda one: (one.until is not None, -(one.until or 0))))

    @property
    def approving_passkeys(self) -> "dict[str, ApproverKey]":
        """The passkeys of the approver role by key id."""
        named = self.roles[RoleName.APPROVER].keyids
        return {keyid: self.passkeys[keyid] for keyid in named if keyid in self.passkeys}

    @property
    def approving_ssh_keys(self) -> "dict[str, ApproverSshKey]":
        """The OpenSSH keys of the approver role by key id."""
        named = self.roles[RoleName.APPROVER].keyids
        return {keyid: self.ssh_keys[keyid] for keyid in named if keyid in self.ssh_keys}

    def open(self, envelope: Any, payload_type: str, role: RoleName) -> bytes:
        """Return the payload that the threshold of a role signed. Raises dsse.NotTrusted."""
        threshold = self.roles[role].threshold
        return dsse.open_envelope(envelope, payload_type, self.trusted(role), threshold)

    def outside(
        self,
        envelope: Any,
        payload_type: str,
        playbooks: Collection[str],
        environment: str | None = None,
    ) -> str | None:
        """Return the first of the playbooks for which too few signers of an envelope may speak.

        None where enough may for each, there or (None) anywhere. Whether the threshold signed at
        all is for `open` to say. Raises dsse.NotTrusted.
        """
        if not self.delegations:  # every signature that `open` counts reaches everything
            return None
        role = self.roles[RoleName.SIGNER]
        _, signed_by = dsse.opened(envelope, payload_type, self.trusted(RoleName.SIGNER).values())
        limits = [self.delegations.get(key.id, delegation.Delegation()) for key in signed_by]
        for name in playbooks:
            if sum(limit.reaches(name, environment) for limit in limits) < role.threshold:
                return name
        return None

    def require_current(self, now: datetime) -> None:
        """Refuse to be used after expiry (rule 4). Raises dsse.NotTrusted."""
        if now >= self.expires_at:
            raise dsse.NotTrusted(
                f"rule 4: root version {self.version} expired at "
                f"{self.expires_at:%Y-%m-%d %H:%M}Z; "
                "have the root keys sign a new version"
            )


def payload(
    *,
    version: int,
    expires_at: datetime,
    roles: Mapping[RoleName, tuple[Sequence[VerifyKey], int]],
    log_origin: str,
    delegations: Mapping[str, delegation.Delegation] | None = None,
    passkeys: "Collection[ApproverKey]" = (),
    ssh_keys: "Collection[ApproverSshKey]" = (),
    people: Mapping[str, str] | None = None,
    server_pins: Sequence[str] = (),
    log_ends: Mapping[str, int] | None = None,
) -> bytes:
    """Return the payload of a root document, to be sealed by the root keys.

    `roles` gives each role its keys and its threshold; `delegations` limits signers by key id,
    those that are not named in it reach everything; `passkeys` and `ssh_keys` approve besides the
    keys that do; `people` are accounts by approver's key id (rule 11); `server_pins` are those of
    rule 9, `log_ends` those of rule 10. Raises dsse.NotTrusted where the result would be refused on
    opening.
    """
    every = {key.id: key.text for members, _ in roles.values() for key in members}
    answering, signing = {one.id: one for one in passkeys}, {one.id: one for one in ssh_keys}
    made = canonical.encode(
        {
            "v": 1,
            "version": version,
            "expires_ms": fields.milliseconds(expires_at),
            "keys": every,
            "roles": {
                role.value: {
                    "keyids": [
                        *(key.id for key in members),
                        *((*answering, *signing) if role is RoleName.APPROVER else ()),
                    ],
                    "threshold": threshold,
                }
                for role, (members, threshold) in roles.items()
            },
            "log_origin": log_origin,
            **({_LIMITS: delegation.record(delegations)} if delegations else {}),
            **approvers.record(answering, signing, people or {}),
            **({_SERVERS: list(server_pins)} if server_pins else {}),
            **({_ENDS: dict(log_ends)} if log_ends else {}),
        }
    )
    _read(made)
    return made


def digest_of(envelope: Any) -> ids.Digest:
    """Return the digest to pin: of the payload of a root envelope, judging nothing else."""
    found, _ = dsse.opened(envelope, PAYLOAD_TYPE, ())
    return ids.digest(found)


def claimed(envelope: Any) -> Root:
    """Return what an envelope claims, whoever signed it: for drafts, and to say what is missing.

    Raises dsse.NotTrusted for what has not the form of a root.
    """
    found, _ = dsse.opened(envelope, PAYLOAD_TYPE, ())
    return _read(found)


def first(envelope: Any, pinned: ids.Digest, *, now: datetime) -> Root:
    """Open the root that starts the chain, by its pinned digest. Raises dsse.NotTrusted."""
    found = digest_of(envelope)
    if found != pinned:
        raise dsse.NotTrusted(
            f"rule 1: this root has digest {found}, but {pinned} is pinned; compare the install "
            "command with what the holders of the root keys published"
        )
    return _signed_by_itself(envelope, now)


def rotate(current: Root, envelope: Any, *, now: datetime) -> Root:
    """Open the root that follows the current one, or the current one again.

    Raises dsse.NotTrusted; the current root then stays.
    """
    found = current.open(envelope, PAYLOAD_TYPE, RoleName.ROOT)  # rule 2: the old threshold
    following = _signed_by_itself(envelope, now)
    if ids.digest(found) != current.digest and following.version != current.version + 1:
        raise dsse.NotTrusted(
            f"rule 3: expected root version {current.version + 1} or the same root again, got "
            f"{'another ' * (following.version == current.version)}version {following.version}"
        )
    _require_kept_ends(current, following)
    return following


def follow(current: Root, chain: Sequence[Any], *, now: datetime) -> Root:
    """Go from the current root through a chain of envelopes, oldest first; return the last.

    What lies before the current root is passed over, and nothing is concluded from it. Raises
    dsse.NotTrusted where any link does not hold; the current root then stays.
    """
    if not 1 <= len(chain) <= MAX_CHAIN:
        raise dsse.NotTrusted(f"root: expected 1 to {MAX_CHAIN} documents, got {len(chain)}")
    for envelope in chain[:-1]:
        link = claimed(envelope)
        if link.version >= current.version:
            current = rotate(current, envelope, now=_LONG_AGO)  # rule 4
    return rotate(current, chain[-1], now=now)


def enter(chain: Sequence[Any], pinned: ids.Digest, *, now: datetime) -> Root:
    """Open the pinned root wherever it stands in a chain and follow it to the last.

    Raises dsse.NotTrusted.
    """
    if not 1 <= len(chain) <= MAX_CHAIN:
        raise dsse.NotTrusted(f"root: expected 1 to {MAX_CHAIN} documents, got {len(chain)}")
    at = next((n for n, one in enumerate(chain) if digest_of(one) == pinned), len(chain) - 1)
    following = chain[at + 1 :]
    start = first(chain[at], pinned, now=_LONG_AGO if following else now)  # rule 4
    return follow(start, following, now=now) if following else start


def _signed_by_itself(envelope: Any, now: datetime) -> Root:
    found, _ = dsse.opened(envelope, PAYLOAD_TYPE, ())
    root = _read(found)
    root.open(envelope, PAYLOAD_TYPE, RoleName.ROOT)  # rules 1 and 2: its own threshold
    root.require_current(now)
    return root


def _read(found_payload: bytes) -> Root:
    optional = {_LIMITS, _SERVERS, _ENDS, *approvers.MEMBERS}
    found = fields.document(found_payload, "root", _MEMBERS, optional)
    listed = _keys(found["keys"])
    answering = approvers.read_passkeys(found, MAX_KEYS)
    signing = approvers.read_ssh_keys(found, MAX_KEYS)
    approvers.require_apart(keys=listed, passkeys=answering, ssh_keys=signing)
    named = fields.exact(found["roles"], "root: roles", {role.value for role in RoleName})
    approving = (*listed, *answering, *signing)
    roles = {
        role: _role(named[role.value], role, approving if role is RoleName.APPROVER else listed)
        for role in RoleName
    }
    _apart(roles)
    people = _people(found, roles[RoleName.APPROVER], signing)
    signers = roles[RoleName.SIGNER].keyids
    limits = delegation.read(found[_LIMITS], signers) if _LIMITS in found else {}
    return Root(
        version=fields.integer(found, "version", "root", 1, canonical.MAX_INTEGER),
        expires_at=fields.moment(found, "expires_ms", "root"),
        keys=listed,
        roles=roles,
        log_origin=_origin(found["log_origin"]),
        digest=ids.digest(found_payload),
        delegations=limits,
        passkeys=answering,
        ssh_keys=signing,
        people=people,
        server_pins=_server_pins(found) if _SERVERS in found else (),
        log_ends=_log_ends(found[_ENDS], roles[RoleName.LOG].keyids) if _ENDS in found else {},
    )


def _log_ends(found: Any, keyids: Sequence[str]) -> dict[str, int]:
    most = canonical.MAX_INTEGER
    if not isinstance(found, dict) or not found:
        raise dsse.NotTrusted(f"rule 10: {_ENDS} is not an object with members")
    for keyid, until in found.items():
        if keyid not in keyids:
            raise dsse.NotTrusted(f"rule 10: {_ENDS} names {keyid}, which is no key of the log")
        if type(until) is not int or not 1 <= until <= most:
            raise dsse.NotTrusted(f"rule 10: the end of log key {keyid} is not 1 to {most} entries")
    if len(found) == len(keyids):
        raise dsse.NotTrusted("rule 10: every key of the log has an end; one has to go on")
    return dict(found)


def _require_kept_ends(current: Root, following: Root) -> None:
    for keyid, until in current.log_ends.items():
        after = following.log_ends.get(keyid)
        if after is None or after > until:
            raise dsse.NotTrusted(
                f"rule 10: log key {keyid} ended at size {until}; root version {following.version} "
                "does not say so any more. Name it with that end: what it signed stays checkable, "
                "and who stole it signs nothing new"
            )


def _server_pins(found: Mapping[str, Any]) -> tuple[str, ...]:
    named = fields.array(found, _SERVERS, "root", MOST_PINS)
    good = [one for one in named if isinstance(one, str) and _PIN.match(one)]
    if len(good) != len(named) or not LEAST_PINS <= len(set(good)) == len(named):
        raise dsse.NotTrusted(
            f"rule 9: {_SERVERS} is not a list of {LEAST_PINS} to {MOST_PINS} different hex SHA-256"
            " digests of public keys"
        )
    return tuple(good)


def _people(found: Mapping[str, Any], approver: Role, ssh_keys: Collection[str]) -> dict[str, str]:
    named = approvers.read_people(found, approver.keyids, ssh_keys)
    persons = approvers.persons(approver.keyids, named)
    if named and approver.threshold > persons:
        raise dsse.NotTrusted(
            f"rule 5: {approver.threshold} people have to approve, and the keys of approvers are "
            f"{persons} people's"
        )
    return named


def _keys(found: Any) -> dict[str, VerifyKey]:
    if not isinstance(found, dict) or len(found) > MAX_KEYS:
        raise dsse.NotTrusted(f"root: keys is not an object of at most {MAX_KEYS} members")
    listed = {}
    for keyid, text in found.items():
        if not isinstance(text, str):
            raise dsse.NotTrusted(f"root: key {keyid} is not text")
        try:
            listed[keyid] = VerifyKey.from_text(text)
        except BadKey as error:
            raise dsse.NotTrusted(f"root: key {keyid}: {error}") from error
        if listed[keyid].id != keyid:
            raise dsse.NotTrusted(f"rule 5: root lists key {listed[keyid].id} as {keyid}")
    return listed


def _role(found: Any, role: RoleName, listed: Collection[str]) -> Role:
    what = f"root: role {role}"
    members = fields.exact(found, what, {"keyids", "threshold"})
    keyids = tuple(fields.array(members, "keyids", what, MAX_KEYS))
    unknown = [keyid for keyid in keyids if not isinstance(keyid, str) or keyid not in listed]
    if unknown or len(set(keyids)) != len(keyids):
        raise dsse.NotTrusted(f"rule 5: {what} names unlisted keys {unknown} or one key twice")
    if role is RoleName.APPROVER and not keyids:  # nobody approves by signature here
        return Role((), fields.integer(members, "threshold", what, 1, MAX_KEYS))
    return Role(keyids, fields.integer(members, "threshold", what, 1, len(keyids)))


def _apart(roles: Mapping[RoleName, Role]) -> None:
    online = {keyid for role in _ONLINE for keyid in roles[role].keyids}
    others = {keyid for role in _NEVER_ONLINE for keyid in roles[role].keyids}
    if online & others:
        raise dsse.NotTrusted(
            f"rule 6: keys {sorted(online & others)} are both online (dispatch, log) and offline "
            "(root, signer) or an approver's; give each its own"
        )


def _origin(found: Any) -> str:
    if not isinstance(found, str) or not found or any(c in "+ " or c < "!" for c in found):
        raise dsse.NotTrusted("root: log_origin is not text without blanks and plus signs")
    return found
