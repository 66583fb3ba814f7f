"""Second factors: begun with a ticket, answered once, asked for again where much is at stake.

Called by controlplane.api (auth, account, caller). What is kept, and what counts once, stands in
ports.factor_store; what a code or a passkey proves stands in trust. Rules:

 1. A ticket belongs to one person and one purpose, for minutes, and is used up by a right answer.
 2. Five wrong answers in a row lock a person's second factor for a quarter of an hour, whichever
    tickets they were given on.
 3. Wrong answers are recorded. What was wrong is not told to whoever answers.
"""

import base64
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from sentienguard.controlplane import refusals
from sentienguard.controlplane.problems import ProblemError
from sentienguard.model import errors
from sentienguard.ports.factor_store import Factor, NoSuchTicket, Ticket, Way
from sentienguard.trust import totp, webauthn

if TYPE_CHECKING:
    from sentienguard.controlplane.centre import Centre
    from sentienguard.controlplane.settings import Settings

ISSUER = "SentienGuard"
TICKET_FOR = timedelta(minutes=5)
TICKET_BYTES = 32
CHALLENGE_BYTES = 32
MOST_WRONG = 5
LOCKED_FOR = timedelta(minutes=15)
RECOVERY_CODES = 10
RECOVERY_BYTES = 10  # 80 bits each: guessing is hopeless, typing is not


@dataclass(frozen=True, slots=True)
class Begun:
    """What somebody needs to answer."""

    ticket: str
    expires_at: datetime
    ways: tuple[Way, ...]
    challenge: bytes
    credentials: tuple[bytes, ...]  # passkeys that may answer here


@dataclass(frozen=True, slots=True)
class Answer:
    """What somebody answers: one of the three."""

    code: str | None = None
    recovery: str | None = None
    credential: bytes | None = None
    assertion: webauthn.Assertion | None = None


def party_of(settings: "Settings", port: int) -> webauthn.Party | None:
    """Return for whom passkeys answer; None: no browser address is known where they could.

    Passkeys are bound to host names, never to addresses such as 127.0.0.1.
    """
    if settings.people_origin:
        found = urlsplit(settings.people_origin)
        return webauthn.Party(found.hostname or "", settings.people_origin.rstrip("/"))
    if settings.people_certificate:
        return None
    return webauthn.Party("localhost", f"http://localhost:{port}")


def begin(
    centre: "Centre", user: str, purpose: str, party: webauthn.Party | None, about: str = ""
) -> Begun | None:
    """Give a ticket to somebody who has a second factor; None: they have none."""
    factors = centre.factors.of(user)
    if not factors:
        return None
    passkeys = tuple(
        one.credential
        for one in factors
        if one.way is Way.WEBAUTHN and party is not None and one.party == party.id
    )
    ways = [Way.WEBAUTHN] if passkeys else []
    if any(one.way is Way.TOTP for one in factors):
        ways.append(Way.TOTP)
    ways.append(Way.RECOVERY)
    challenge = centre.entropy.bytes(CHALLENGE_BYTES)
    secret, ticket = _open(centre, purpose, user, challenge, about)
    return Begun(secret, ticket.expires_at, tuple(ways), challenge, passkeys)


def answer(
    centre: "Centre", secret: str, purpose: str, given: Answer, party: webauthn.Party | None
) -> tuple[Ticket, Way]:
    """Return the ticket that was answered rightly, used up, and how. Raises ProblemError."""
    now = centre.clock.now()
    try:
        ticket = centre.factors.ticket(secret, purpose, at=now)
    except NoSuchTicket as cause:
        raise _refusal(purpose, "ticket-over", str(cause)) from cause
    locked = centre.factors.locked_until(ticket.user, at=now)
    if locked is not None:  # rule 2
        detail = f"too many wrong answers; wait until {locked:%H:%M} UTC"
        raise _refusal(purpose, "second-factor-locked", detail)
    way = _shown(centre, ticket, given, party, now)
    if way is None:
        locks = centre.factors.failed(ticket.user, most=MOST_WRONG, locked_until=now + LOCKED_FOR)
        _record_wrong(centre, ticket, given, locks=locks)
        detail = "this does not show that it is you; try again"
        raise _refusal(purpose, "second-factor-wrong", detail)
    try:
        taken = centre.factors.take_ticket(secret, purpose, at=now)  # rule 1
    except NoSuchTicket as cause:
        raise _refusal(purpose, "ticket-over", str(cause)) from cause
    centre.factors.succeeded(ticket.user)
    return taken, way


def begin_totp(centre: "Centre", user: str) -> tuple[str, bytes]:
    """Return a ticket and a new secret, which counts once a code of it was shown."""
    made = centre.entropy.bytes(totp.SECRET_BYTES)
    return _open(centre, "enrol-totp", user, made)[0], made


def confirm_totp(centre: "Centre", secret: str, user: str, given: str, label: str) -> Factor:
    """Keep a secret whose app shows right codes. Raises ProblemError."""
    now = centre.clock.now()
    ticket = _own(centre, secret, "enrol-totp", user)
    step = totp.matching_step(ticket.challenge, digits(given), at_s=now.timestamp())
    if step is None:
        detail = "the code is not of this secret and minute; compare the clocks"
        raise _refusal("enrol-totp", "second-factor-wrong", detail)
    centre.factors.take_ticket(secret, "enrol-totp", at=now)
    factor = Factor(
        id=_id(centre),
        user=user,
        way=Way.TOTP,
        label=label,
        made_at=now,
        secret=ticket.challenge,
        used_through=step,  # this code counted
    )
    centre.factors.add(factor)
    return factor


def begin_passkey(centre: "Centre", user: str) -> tuple[str, bytes]:
    """Return a ticket and the challenge for a new passkey."""
    challenge = centre.entropy.bytes(CHALLENGE_BYTES)
    return _open(centre, "enrol-webauthn", user, challenge)[0], challenge


def confirm_passkey(  # what a browser hands over has many parts
    centre: "Centre",
    secret: str,
    user: str,
    party: webauthn.Party,
    *,
    client_data: bytes,
    attestation: bytes,
    label: str,
) -> Factor:
    """Keep a new passkey. Raises webauthn.AssertionWrong, ProblemError."""
    ticket = _own(centre, secret, "enrol-webauthn", user)
    made = webauthn.register(party, ticket.challenge, client_data, attestation)
    centre.factors.take_ticket(secret, "enrol-webauthn", at=centre.clock.now())
    factor = Factor(
        id=_id(centre),
        user=user,
        way=Way.WEBAUTHN,
        label=label,
        made_at=centre.clock.now(),
        secret=made.public_key,
        credential=made.credential,
        party=party.id,
        used_through=made.counter,
    )
    centre.factors.add(factor)
    return factor


def new_recovery_codes(centre: "Centre", user: str) -> list[str]:
    """Replace a person's recovery codes and return them, for the only time."""
    codes = [
        base64.b32encode(centre.entropy.bytes(RECOVERY_BYTES)).decode().lower()
        for _ in range(RECOVERY_CODES)
    ]
    centre.factors.set_recovery_codes(user, codes)
    return ["-".join(one[at : at + 4] for at in range(0, len(one), 4)) for one in codes]


def digits(given: str) -> str:
    """Return a code without the spaces that apps show in it."""
    return "".join(given.split())


def _shown(
    centre: "Centre",
    ticket: Ticket,
    given: Answer,
    party: webauthn.Party | None,
    now: datetime,
) -> Way | None:
    factors = centre.factors.of(ticket.user)
    if given.code is not None:
        for factor in factors:
            if factor.way is Way.TOTP and _code_counts(centre, factor, given.code, now):
                return Way.TOTP
    elif given.recovery is not None:
        code = "".join(given.recovery.replace("-", "").split()).lower()
        if centre.factors.use_recovery_code(ticket.user, code, at=now):
            return Way.RECOVERY
    elif given.assertion is not None and party is not None:
        for factor in factors:
            mine = factor.credential == given.credential and factor.party == party.id
            if factor.way is Way.WEBAUTHN and mine:
                return _asserted(centre, ticket, factor, given.assertion, party)
    return None


def _code_counts(centre: "Centre", factor: Factor, given: str, now: datetime) -> bool:
    step = totp.matching_step(
        factor.secret, digits(given), at_s=now.timestamp(), after=factor.used_through
    )
    return step is not None and centre.factors.advance(factor.id, step)


def _asserted(
    centre: "Centre",
    ticket: Ticket,
    factor: Factor,
    given: webauthn.Assertion,
    party: webauthn.Party,
) -> Way | None:
    known = webauthn.Registered(factor.credential, factor.secret, factor.used_through)
    try:
        counter = webauthn.verify(party, ticket.challenge, known, given)
    except webauthn.AssertionWrong:
        return None
    return Way.WEBAUTHN if centre.factors.advance(factor.id, counter) else None


def _own(centre: "Centre", secret: str, purpose: str, user: str) -> Ticket:
    try:
        ticket = centre.factors.ticket(secret, purpose, at=centre.clock.now())
    except NoSuchTicket as cause:
        raise _refusal(purpose, "ticket-over", str(cause)) from cause
    if ticket.user != user:
        detail = "this step was begun by somebody else; begin again"
        raise _refusal(purpose, "ticket-over", detail)
    return ticket


def _open(
    centre: "Centre", purpose: str, user: str, challenge: bytes, about: str = ""
) -> tuple[str, Ticket]:
    now = centre.clock.now()
    secret = centre.entropy.bytes(TICKET_BYTES).hex()
    ticket = Ticket(purpose, user, challenge, now + TICKET_FOR, about)
    centre.factors.open_ticket(secret, ticket, at=now)
    return secret, ticket


def _record_wrong(centre: "Centre", ticket: Ticket, given: Answer, *, locks: bool) -> None:
    tried = (
        Way.TOTP if given.code is not None
        else Way.RECOVERY if given.recovery is not None
        else Way.WEBAUTHN
    )  # fmt: skip
    said = {"action": ticket.purpose, "result": "denied_second_factor", "way": tried.value}
    refusals.record(centre, "second_factor", {**said, "locked": locks}, actor=ticket.user)


def _id(centre: "Centre") -> str:
    return f"fac_{centre.entropy.bytes(8).hex()}"


def _refusal(purpose: str, kind: str, detail: str) -> ProblemError:
    """Return 401 to who is not logged in yet, 422 to who is: their token is still good."""
    login = purpose == "login"
    status = HTTPStatus.UNAUTHORIZED if login else HTTPStatus.UNPROCESSABLE_ENTITY
    return ProblemError(status, kind, detail)


class NoPasskeysHere(errors.Rejected):
    """The control plane does not know the address under which browsers reach it."""
