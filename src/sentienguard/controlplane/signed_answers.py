"""A yes that hosts take: signed by an approver of the root, with a passkey or a key file.

Called by controlplane.api.approvals. The control plane cannot make one: it says what is to be
signed, looks whether it was, so that people learn of a mistake at once, and hands it on. Hosts
judge it again, by their own root. Rules:

1. What is signed names the deed of this question, the person who is logged in, and an end.
2. A question whose hosts want signatures takes no yes without one that counts.
3. It lasts for minutes (`signed_approval_minutes`): a right that is given for one deed is not one
   for a day. Whoever comes too late for the others is asked again; hosts take a day at most.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from sentienguard.controlplane.problems import ProblemError
from sentienguard.model import ids
from sentienguard.model.approval import Agreement, Approval
from sentienguard.model.order import Order
from sentienguard.ports.factor_store import Way
from sentienguard.trust import order as orders
from sentienguard.trust import passkeys, webauthn

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
) -> None:
    """Go on only with a yes that hosts would take (rules 1 and 2). Raises ProblemError."""
    if envelope is None:
        if asked.signed:  # rule 2
            raise ProblemError(
                HTTPStatus.CONFLICT,
                "signature-needed",
                "hosts take this yes only signed: approve in the browser with the passkey that the "
                "root names, or with `sentienguard approvals approve ID --key FILE`",
            )
        return
    if user not in _names(centre, asked, envelope, now, lasts(centre)):  # rules 1 and 3
        raise _wrong(
            "it does not approve this order in your name, with a key that the root lists as an "
            f"approver's, for {centre.settings.signed_approval_minutes} minutes at most"
        )


def lasts(centre: "Centre") -> timedelta:
    """Return how long a signed yes is good for (rule 3)."""
    return timedelta(minutes=centre.settings.signed_approval_minutes)


def stands(centre: "Centre", asked: Approval, given: Agreement, until: datetime) -> bool:
    """Tell whether hosts would take, at that time, what somebody signed before."""
    signature = given.signature
    return signature is not None and given.by in _names(centre, asked, signature, until)


def _names(
    centre: "Centre",
    asked: Approval,
    envelope: Mapping[str, Any],
    at: datetime,
    lasts_for: timedelta = orders.APPROVAL_LASTS,
) -> Collection[str]:
    """Return in whose name an envelope approves this question, by the root of today."""
    signed = orders.SignedOrder(_order(centre, asked), _NONCE, 1, (envelope,))
    return orders.approved_by(signed, centre.trust.root, at, lasts_for).values()


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
