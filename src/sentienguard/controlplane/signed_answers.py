"""A yes that hosts take: signed by an approver of the root, by passkey, SSH key or key file.

Called by controlplane.api.approvals. The control plane cannot make one: it says what is to be
signed, looks whether it was, so that people learn of a mistake at once, and hands it on. Hosts
judge it again, by their own root. Rules:

1. What is signed names the deed of this question, the person who is logged in, and an end.
2. A question whose hosts want signatures takes no yes without one that counts.
3. It lasts for minutes (`signed_approval_minutes`): a right that is given for one deed is not one
   for a day. Whoever comes too late for the others is asked again; hosts take a day at most.
4. The record says by which key it was signed, and of a hardware key for SSH whether that asked who
   was there.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from sentienguard.controlplane.problems import ProblemError
from sentienguard.model import ids
from sentienguard.model.approval import Agreement, Approval
from sentienguard.model.order import Order
from sentienguard.ports.factor_store import Way
from sentienguard.trust import dsse, passkeys, ssh_approvals, webauthn
from sentienguard.trust import order as orders

if TYPE_CHECKING:
    from sentienguard.controlplane.centre import Centre

_NONCE: Final = "0" * 32  # of no poll: an order that is only compared


@dataclass(frozen=True, slots=True)
class ToSign:
    """What somebody signs to say yes."""

    payload: bytes
    challenge: bytes  # for a passkey
    credentials: tuple[bytes, ...]  # of this person's passkeys that the root names, here
    party: str


def to_sign(
    centre: "Centre", asked: Approval, user: str, party: webauthn.Party | None, now: datetime
) -> ToSign:
    """Return what this person has to sign (rule 1)."""
    payload = orders.approval_payload(_order(centre, asked), user, now + lasts(centre))
    named = centre.trust.root.approving_passkeys
    mine = tuple(
        one.credential
        for one in centre.factors.of(user)
        if one.way is Way.WEBAUTHN
        and party is not None
        and (key := named.get(passkeys.key_id(one.secret))) is not None
        and key.party == party
    )
    challenge = passkeys.challenge(orders.APPROVAL_TYPE, payload)
    return ToSign(payload, challenge, mine, party.id if party else "")


def by_passkey(
    centre: "Centre", user: str, payload: bytes, credential: bytes, answer: webauthn.Assertion
) -> dict[str, Any]:
    """Return the envelope of what one of this person's passkeys answered. Raises ProblemError."""
    for one in centre.factors.of(user):
        if one.way is Way.WEBAUTHN and one.credential == credential:
            keyid = passkeys.key_id(one.secret)
            return passkeys.envelope(orders.APPROVAL_TYPE, payload, keyid, answer)
    raise _wrong("this passkey is not registered to you")


def require(
    centre: "Centre", asked: Approval, user: str, envelope: dict[str, Any] | None, now: datetime
) -> str:
    """Go on only with a yes that hosts would take (rules 1 and 2). Raises ProblemError.

    Returns by which key it was signed, for the record (rule 4); empty: by none, and none is needed.
    """
    if envelope is None:
        if asked.signed:  # rule 2
            raise ProblemError(
                HTTPStatus.CONFLICT,
                "signature-needed",
                "hosts take this yes only signed: approve in the browser with the passkey that the "
                "root names, or with `sentienguard approvals approve ID` and --ssh-key or --key",
            )
        return ""
    found = _approved(centre, asked, envelope, now, lasts(centre))
    mine = [keyid for keyid, name in found.items() if name == user]
    if not mine:  # rules 1 and 3
        why = _why_no_ssh_key(centre, user, envelope)
        raise _wrong(
            why
            or "it does not approve this order in your name, with a key that the root lists as an "
            f"approver's, for {centre.settings.signed_approval_minutes} minutes at most"
        )
    return _signed_with(centre, envelope, mine[0])


def lasts(centre: "Centre") -> timedelta:
    """Return how long a signed yes is good for (rule 3)."""
    return timedelta(minutes=centre.settings.signed_approval_minutes)


def stands(centre: "Centre", asked: Approval, given: Agreement, until: datetime) -> bool:
    """Tell whether hosts would take, at that time, what somebody signed before."""
    signature = given.signature
    if signature is None:
        return False
    return given.by in _approved(centre, asked, signature, until).values()


def _approved(
    centre: "Centre",
    asked: Approval,
    envelope: Mapping[str, Any],
    at: datetime,
    lasts_for: timedelta = orders.APPROVAL_LASTS,
) -> Mapping[str, str]:
    """Return in whose name an envelope approves this question by the root of today, by key id."""
    signed = orders.SignedOrder(_order(centre, asked), _NONCE, 1, (envelope,))
    return orders.approved_by(signed, centre.trust.root, at, lasts_for)


def _signed_with(centre: "Centre", envelope: Mapping[str, Any], keyid: str) -> str:
    """Return by which key a yes was signed (rule 4)."""
    if ssh_approvals.is_one(envelope):
        signing = centre.trust.root.approving_ssh_keys
        return ssh_approvals.opened(envelope, orders.APPROVAL_TYPE, signing).said
    return f"passkey {keyid}" if passkeys.is_one(envelope) else f"key file {keyid}"


def _why_no_ssh_key(centre: "Centre", user: str, envelope: Mapping[str, Any]) -> str:
    """Return why an SSH signature counts for nothing; empty: it is none, or it is the deed's."""
    if not ssh_approvals.is_one(envelope):
        return ""
    root = centre.trust.root
    try:
        yes = ssh_approvals.opened(envelope, orders.APPROVAL_TYPE, root.approving_ssh_keys)
    except dsse.NotTrusted as cause:
        return str(cause)
    owner = root.people.get(yes.signer.id, "")
    if owner.casefold() != user.casefold():
        return "the root says that this SSH key is another person's; sign with your own"
    return ""


def _order(centre: "Centre", asked: Approval) -> Order:
    """Return the order that a yes releases, as far as an approval names it."""
    incident = centre.incidents.get(asked.incident)
    return Order(
        id=ids.order_id(asked.incident, asked.digest, dry_run=False),
        incident=asked.incident,
        agent=incident.agent,
        environment=asked.environment,
        playbook=asked.playbook,
        version="",
        digest=asked.digest,
        parameters=asked.parameters,
        facts={},
        dry_run=False,  # a dry run asks nobody
        created_at=asked.opened_at,
        deadline_s=1,
    )


def _wrong(detail: str) -> ProblemError:
    return ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, "signature-wrong", detail)
