"""Orders, stops and approvals: what may set a host to work, and what may end it.

Called by the control plane (seals orders and stops), by people's CLI (seals approvals) and by the
executor (opens all three). Opening proves who said it and that the form is right. Whether the host
does it is for `stages.execute` to decide: agent id, nonce, sequence, catalogue, parameters, guard.

An approval names the whole deed: order, incident, agent, environment, playbook by digest, every
parameter, and whether it is a dry run. One taken from another order therefore counts for nothing.
It ends: who holds the order back cannot use the yes of a day on another one.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sentienguard.model import ids
from sentienguard.model.order import Order
from sentienguard.trust import canonical, dsse, fields, keys
from sentienguard.trust import root as root_document

ORDER_TYPE: Final = "application/vnd.sentienguard.order+json"
STOP_TYPE: Final = "application/vnd.sentienguard.stop+json"
APPROVAL_TYPE: Final = "application/vnd.sentienguard.approval+json"
MAX_PARAMETERS: Final = 32
MAX_FACTS: Final = 128  # tags included
MAX_APPROVALS: Final = 16
MAX_DEADLINE_S: Final = 86_400  # a remedy that takes longer than a day is a project
# At most, for hosts: what people agreed to is how things are now. The control plane asks for
# minutes (signed_approval_minutes); a host takes its word for nothing, and its own bound has to let
# pass whatever an owner may set there, an approver who signs hours after the first included.
APPROVAL_LASTS: Final = timedelta(days=1)
_ORDER: Final = {
    "order_id", "incident_id", "agent_id", "environment", "playbook", "version", "digest",
    "parameters", "facts", "dry_run", "created_ms", "deadline_s", "nonce", "seq", "approvals",
}  # fmt: skip
_APPROVAL: Final = {
    "order_id", "incident_id", "agent_id", "environment", "digest", "parameters", "dry_run",
    "approver", "expires_ms",
}  # fmt: skip
_STOP: Final = {"order_id", "agent_id", "nonce", "seq", "by"}


@dataclass(frozen=True, slots=True)
class SignedOrder:
    """An order as the dispatch key signed it for one poll of one agent."""

    order: Order
    nonce: str  # of the poll that it answers
    seq: int  # counts up over everything sent to this agent
    approvals: tuple[Mapping[str, Any], ...] = ()  # envelopes, not yet judged


@dataclass(frozen=True, slots=True)
class SignedStop:
    """A request to end an order in mid-flight, as the dispatch key signed it."""

    order: ids.OrderId
    agent: ids.AgentId
    nonce: str
    seq: int
    by: str  # who asked for it


def seal_order(signed: SignedOrder, dispatch: keys.SigningKey) -> dict[str, Any]:
    """Return the envelope of an order. Raises dsse.NotTrusted for a form that hosts refuse."""
    order = signed.order
    payload = canonical.encode(
        {
            **_deed(order),
            "version": order.version,
            "playbook": order.playbook,
            "facts": dict(order.facts),
            "created_ms": fields.milliseconds(order.created_at),
            "deadline_s": order.deadline_s,
            "nonce": signed.nonce,
            "seq": signed.seq,
            "approvals": [dict(one) for one in signed.approvals],
        }
    )
    _read_order(payload)
    return dsse.seal(ORDER_TYPE, payload, [dispatch])


def open_order(envelope: Any, root: root_document.Root) -> SignedOrder:
    """Open an order that the dispatch role signed. Raises dsse.NotTrusted."""
    return _read_order(root.open(envelope, ORDER_TYPE, root_document.RoleName.DISPATCH))


def claimed_order(envelope: Any) -> SignedOrder:
    """Return what an envelope claims, whoever signed it. Proves nothing: `open_order` does.

    The executor reads it to judge every rule by itself, the signature among them, and to say which
    order it refuses. Raises dsse.NotTrusted for what has not the form of an order.
    """
    payload, _ = dsse.opened(envelope, ORDER_TYPE, ())
    return _read_order(payload)


def seal_stop(stop: SignedStop, dispatch: keys.SigningKey) -> dict[str, Any]:
    """Return the envelope of a stop. Raises dsse.NotTrusted for a form that hosts refuse."""
    payload = canonical.encode(
        {
            "v": 1,
            "order_id": stop.order,
            "agent_id": stop.agent,
            "nonce": stop.nonce,
            "seq": stop.seq,
            "by": stop.by,
        }
    )
    _read_stop(payload)
    return dsse.seal(STOP_TYPE, payload, [dispatch])


def open_stop(envelope: Any, root: root_document.Root) -> SignedStop:
    """Open a stop that the dispatch role signed. Raises dsse.NotTrusted."""
    return _read_stop(root.open(envelope, STOP_TYPE, root_document.RoleName.DISPATCH))


def seal_approval(
    order: Order, approver: str, key: keys.SigningKey, *, expires_at: datetime
) -> dict[str, Any]:
    """Return the envelope by which a person approves exactly this order, until then.

    Hosts take none that lasts for more than APPROVAL_LASTS from when they look.
    """
    return dsse.seal(APPROVAL_TYPE, approval_payload(order, approver, expires_at), [key])


def approval_payload(order: Order, approver: str, expires_at: datetime) -> bytes:
    """Return what a person signs to approve exactly this order, until then.

    With a passkey they answer `passkeys.challenge(APPROVAL_TYPE, payload)`; with an OpenSSH key
    they sign it as it is, in the namespace `ssh_approvals.NAMESPACE`.
    """
    return canonical.encode(_approval(order, approver, fields.milliseconds(expires_at)))


def approved_by(
    signed: SignedOrder,
    root: root_document.Root,
    now: datetime,
    lasts: timedelta = APPROVAL_LASTS,
) -> Mapping[str, str]:
    """Return whose approval of this order is valid now: approver key id -> the name given with it.

    Judges each envelope alone: one that is malformed, by another key, for another deed, over or for
    longer than `lasts` adds nobody and spoils nothing. A key counts once. Where the root says whose
    a key is (its rule 11), it approves in that name alone, and that person counts once.
    """
    found: dict[str, str] = {}
    for envelope in signed.approvals:
        try:
            payload, signers = _approval_opened(envelope, root)
            members = fields.document(payload, "approval", _APPROVAL)
            name = fields.text(members, "approver", "approval", fields.LINE)
            until = fields.moment(members, "expires_ms", "approval")
        except dsse.NotTrusted:
            continue
        meant = _approval(signed.order, name, fields.milliseconds(until))
        if payload == canonical.encode(meant) and now < until <= now + lasts:
            _count(found, signers, name, root)
    return found


def _count(
    found: dict[str, str], signers: Collection[str], name: str, root: root_document.Root
) -> None:
    """Add who approved in this name, unless it is another's or that person's key counts already."""
    for keyid in signers:
        owner = root.people.get(keyid)
        mine = owner is None or owner.casefold() == name.casefold()
        if mine and (owner is None or not _counts(found, owner, root)):
            found[keyid] = name


def _counts(found: Mapping[str, str], owner: str, root: root_document.Root) -> bool:
    owners = (root.people.get(keyid, "") for keyid in found)
    return owner.casefold() in {one.casefold() for one in owners}


def _approval_opened(
    envelope: Mapping[str, Any], root: root_document.Root
) -> tuple[bytes, Collection[str]]:
    """Return the payload and the ids of the approvers that signed it. Raises dsse.NotTrusted."""
    answering, signing = root.approving_passkeys, root.approving_ssh_keys
    if "ssh" in envelope and signing:
        from sentienguard.trust import ssh_approvals  # noqa: PLC0415 - as for passkeys

        yes = ssh_approvals.opened(envelope, APPROVAL_TYPE, signing)
        return yes.payload, [yes.signer.id]
    if "signatures" in envelope or not answering:
        trusted = root.trusted(root_document.RoleName.APPROVER)
        payload, signers = dsse.opened(envelope, APPROVAL_TYPE, trusted.values())
        return payload, [key.id for key in signers]
    from sentienguard.trust import passkeys  # noqa: PLC0415 - a root that names none never pays

    payload, keyid = passkeys.opened(envelope, APPROVAL_TYPE, answering)
    return payload, [keyid]


def require_approvals(
    signed: SignedOrder, root: root_document.Root, now: datetime
) -> Mapping[str, str]:
    """Return who approved, at least the threshold of the approver role. Raises dsse.NotTrusted."""
    found = approved_by(signed, root, now)
    needed = root.roles[root_document.RoleName.APPROVER].threshold
    if len(found) < needed:
        raise dsse.NotTrusted(
            f"order {signed.order.id} needs {needed} approvals by keys that the root lists as "
            f"approvers, for exactly this agent, playbook and parameters, that are not over and "
            f"last for a day at most; {len(found)} are valid"
        )
    return found


def _approval(order: Order, approver: str, expires_ms: int) -> dict[str, Any]:
    return {**_deed(order), "approver": approver, "expires_ms": expires_ms}


def _deed(order: Order) -> dict[str, Any]:
    return {
        "v": 1,
        "order_id": order.id,
        "incident_id": order.incident,
        "agent_id": order.agent,
        "environment": order.environment,
        "digest": order.digest,
        "parameters": dict(order.parameters),
        "dry_run": order.dry_run,
    }


def _read_order(payload: bytes) -> SignedOrder:
    what = "order"
    found = fields.document(payload, what, _ORDER)
    return SignedOrder(
        order=Order(
            id=ids.OrderId(fields.text(found, "order_id", what, fields.ORDER)),
            incident=ids.IncidentId(fields.text(found, "incident_id", what, fields.INCIDENT)),
            agent=ids.AgentId(fields.text(found, "agent_id", what, fields.TOKEN)),
            environment=fields.text(found, "environment", what, fields.TOKEN),
            playbook=ids.PlaybookName(fields.text(found, "playbook", what, fields.NAME)),
            version=fields.text(found, "version", what, fields.TOKEN),
            digest=ids.Digest(fields.text(found, "digest", what, fields.DIGEST)),
            parameters=fields.texts(found, "parameters", what, fields.NAME, MAX_PARAMETERS),
            facts=fields.texts(found, "facts", what, fields.LINE, MAX_FACTS),
            dry_run=fields.truth(found, "dry_run", what),
            created_at=fields.moment(found, "created_ms", what),
            deadline_s=fields.integer(found, "deadline_s", what, 1, MAX_DEADLINE_S),
        ),
        nonce=fields.text(found, "nonce", what, fields.NONCE),
        seq=fields.integer(found, "seq", what, 1, canonical.MAX_INTEGER),
        approvals=_approvals(fields.array(found, "approvals", what, MAX_APPROVALS)),
    )


def _approvals(found: Sequence[Any]) -> tuple[Mapping[str, Any], ...]:
    if not all(isinstance(one, dict) for one in found):
        raise dsse.NotTrusted("order: approvals are not envelopes")
    return tuple(found)


def _read_stop(payload: bytes) -> SignedStop:
    what = "stop"
    found = fields.document(payload, what, _STOP)
    return SignedStop(
        order=ids.OrderId(fields.text(found, "order_id", what, fields.ORDER)),
        agent=ids.AgentId(fields.text(found, "agent_id", what, fields.TOKEN)),
        nonce=fields.text(found, "nonce", what, fields.NONCE),
        seq=fields.integer(found, "seq", what, 1, canonical.MAX_INTEGER),
        by=fields.text(found, "by", what, fields.LINE),
    )
