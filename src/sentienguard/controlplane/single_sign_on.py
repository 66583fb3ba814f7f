"""Log people in with their organisation's provider: begun in one browser, finished in the same.

Called by controlplane.api.single_sign_on. What the provider has to prove stands in trust.id_token,
what its groups mean in sign_on_file, what a command line asks for in command_line_request. Rules:

 1. All of a login that is under way hangs on one random secret in a cookie of the browser that
    began it: state, nonce and the verifier of PKCE are digests of it. Nothing is kept here, so
    nobody fills our memory, and what another browser began is finished nowhere else.
 2. The cookie names the time and the page to go to, and its state depends on both: neither can be
    changed on the way. The page is one of ours, or the question of a command line, which only who
    asks for that begins. A login that takes longer than ten minutes is over.
 3. A person is known by issuer and subject. A name that somebody here has is never taken over.
 4. Roles are those that the person's groups mean at this login. None: no login, an account from
    before has no role any more, and its logins end.
 5. A second factor stays ours, unless the owner's file names the provider's ways that count as one,
    the token says that one of them was used, and when.
 6. Where the provider's second factor counts, it is asked for one that is as fresh as we ask for
    it (`max_age`): whoever has no other shows it again by logging in again. The provider may let
    somebody in by a session of this morning all the same; `auth_time` then says so (rule 5).
 7. Each refusal is counted, and recorded as controlplane.refusals says. Who proved who they are is
    no stranger there.
"""

import hashlib
import hmac
import logging
import re
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from sentienguard.controlplane import command_line_request, logins, refusals
from sentienguard.controlplane.sign_on_file import SignOnFile
from sentienguard.model import errors
from sentienguard.model.access import NO_PEOPLE, Role, User
from sentienguard.ports.identity_provider import Asked, IdentityProvider, NotBelieved, Person
from sentienguard.ports.user_store import NameTaken, Outside
from sentienguard.trust import encoding

if TYPE_CHECKING:
    from datetime import datetime

    from sentienguard.controlplane.centre import Centre

log = logging.getLogger(__name__)
BY: Final = "single-sign-on"  # the actor of what happens because of a login
FOR: Final = timedelta(minutes=10)
SECRET_BYTES: Final = 32
LONGEST_COOKIE: Final = 2000  # characters
_NAME: Final = re.compile(r"[A-Za-z0-9._@+\-]{1,200}\Z")  # no colon: `token:` names machines
_PAGE: Final = re.compile(r"/(?!/)[A-Za-z0-9\-._~!$&'()*+,;=:@/?%]{0,500}\Z")
_NO_PAGE: Final = ("/api/", "/v1/", "/login")


class NotLoggedIn(errors.Rejected):
    """Somebody came back from the provider and is not let in."""

    def __init__(self, code: str, detail: str, name: str = "") -> None:
        """Name what the dashboard tells them (`code`) and what the log says."""
        super().__init__(detail)
        self.code = code
        self.name = name


@dataclass(frozen=True, slots=True)
class SignOn:
    """The way in through a provider."""

    provider: IdentityProvider
    file: SignOnFile


@dataclass(frozen=True, slots=True)
class Attempt:
    """One login under way, as the cookie of its browser holds it."""

    secret: bytes
    began_s: int
    page: str

    @property
    def cookie(self) -> str:
        """What the browser keeps."""
        page = encoding.base64url(self.page.encode())
        return f"{encoding.base64url(self.secret)}.{self.began_s}.{page}"

    @property
    def state(self) -> str:
        """What comes back with the browser."""
        return self._digest("state")

    def asked(self, redirect: str, most_age_s: int | None = None) -> Asked:
        """Return what the provider is asked."""
        nonce, verifier = self._digest("nonce"), self._digest("verifier")
        return Asked(redirect, self.state, nonce, verifier, most_age_s)

    def _digest(self, part: str) -> str:
        said = f"{part}\n{self.began_s}\n{self.page}".encode()
        return encoding.base64url(hmac.digest(self.secret, said, hashlib.sha256))


@dataclass(frozen=True, slots=True)
class Shown:
    """What somebody proved to the provider."""

    user: User
    how: str  # for the record
    strong_at: "datetime | None"  # when a second factor was shown (rule 5)


def begin(centre: "Centre", page: str) -> Attempt:
    """Begin a login that leads to one of our pages."""
    return begin_at(centre, own_page(page))


def begin_at(centre: "Centre", page: str) -> Attempt:
    """Begin a login that leads to a page that is known to be ours."""
    return Attempt(centre.entropy.bytes(SECRET_BYTES), int(centre.clock.now().timestamp()), page)


def own_page(page: str) -> str:
    """Return a page of the dashboard; whatever else was asked for, its first one."""
    return page if _PAGE.match(page) and not page.startswith(_NO_PAGE) else "/"


def most_age_s(centre: "Centre", sign_on: SignOn) -> int | None:
    """Return how old what somebody shows to the provider may be (rule 6); None: as old as it is."""
    return centre.settings.step_up_minutes * 60 if sign_on.file.strong_ways else None


def resume(centre: "Centre", cookie: str, state: str, error: str = "") -> Attempt:
    """Return the login that this browser began (rules 1 and 2), unless it ended in an error.

    Raises NotLoggedIn.
    """
    attempt = _read(cookie)
    if attempt is None:
        raise NotLoggedIn("began-elsewhere", "this browser began no login")
    if not hmac.compare_digest(attempt.state.encode(), state.encode("utf-8", "replace")):
        raise NotLoggedIn("began-elsewhere", "the answer belongs to another login")
    now = centre.clock.now().timestamp()
    if not 0 <= now - attempt.began_s <= FOR.total_seconds():
        raise NotLoggedIn("too-late", "the login took too long")
    if error:
        raise NotLoggedIn("refused-there", f"the provider says {error[:100]!a}")
    return attempt


def finish(
    centre: "Centre", sign_on: SignOn, attempt: Attempt, *, code: str, issuer: str | None,
    redirect: str, address: str,
) -> Shown:  # fmt: skip
    """Return whose code this is, with the roles of today. Raises NotLoggedIn, ProviderAway."""
    try:
        person = sign_on.provider.redeem(code, attempt.asked(redirect), issuer)
    except NotBelieved as cause:
        raise NotLoggedIn("not-believed", str(cause)) from cause
    user = _admitted(centre, sign_on, person, address)
    shown_at = _strong_at(sign_on, person, centre.clock.now())
    how = "provider" if shown_at is None else f"provider, {', '.join(sorted(person.ways))}"[:100]
    return Shown(user, how, shown_at)


def open_login(centre: "Centre", shown: Shown, address: str) -> logins.Pair:
    """Log a browser in."""
    user, how = shown.user.name, shown.how
    _, pair = logins.open_login(centre, user, address, how=how, strong_at=shown.strong_at)
    return pair


def refused(centre: "Centre", cause: NotLoggedIn, address: str) -> None:
    """Count that somebody was not let in, and record it (rule 7)."""
    log.info("single sign-on: %s", cause)
    said = {"detail": str(cause)[:300], "ip_address": address}
    if cause.name:
        centre.people.meet(cause.name)  # so that the log has a pseudonym
    refusals.record(
        centre,
        "single_sign_on",
        {"action": "login", "result": f"denied_{cause.code}", **said},
        actor=cause.name,
        stranger=not cause.name,
    )


def _read(cookie: str) -> Attempt | None:
    parts = cookie.split(".") if len(cookie) <= LONGEST_COOKIE else []
    try:
        secret, began, page = parts
        read = Attempt(
            encoding.from_base64url(secret),
            int(began),
            encoding.from_base64url(page).decode(),
        )
    except (ValueError, errors.Rejected):
        return None
    whole = len(read.secret) == SECRET_BYTES and _is_ours(read.page)
    return read if whole and read.cookie == cookie else None


def _is_ours(page: str) -> bool:
    return own_page(page) == page or command_line_request.of_page(page) is not None


def _admitted(centre: "Centre", sign_on: SignOn, person: Person, address: str) -> User:
    """Return the person's account with the roles of today (rules 3 and 4)."""
    who = Outside(person.issuer, person.subject)
    known = centre.users.outside(who)
    name = known.name if known is not None else person.name
    roles, ends = sign_on.file.roles(person.groups, centre.clock.now())
    if not roles:
        if known is not None:
            _shut_out(centre, who, known, address)
        raise NotLoggedIn("no-role", f"no group of {name[:100]!a} means a role here", name)
    if not _NAME.match(name) or name.casefold() in NO_PEOPLE:
        claim = sign_on.file.name_claim
        raise NotLoggedIn("no-name", f"{claim}: expected a login name, found {name[:100]!a}")
    try:
        user = centre.users.adopt(who, name, roles, ends)
    except NameTaken as cause:
        raise NotLoggedIn("name-taken", str(cause), name) from cause
    if known is None:
        _record(centre, "user.added", user, address)
    elif (dict(known.roles), dict(known.ends)) != (roles, ends):
        _record(centre, "user.roles_set", user, address)
    return user


def _shut_out(centre: "Centre", who: Outside, known: User, address: str) -> None:
    if known.roles:
        none: dict[str, Role] = {}
        _record(centre, "user.roles_set", centre.users.adopt(who, known.name, none), address)
    logins.end_all(centre, known.name, by=BY, because="revoked", address=address)


def _strong_at(sign_on: SignOn, person: Person, now: "datetime") -> "datetime | None":
    """Return when a second factor was shown to the provider (rule 5); None: to nobody."""
    counts = bool(person.ways & sign_on.file.strong_ways)
    return min(person.shown_at, now) if counts and person.shown_at is not None else None


def _record(centre: "Centre", kind: str, user: User, address: str) -> None:
    roles = ", ".join(f"{place}={role.value}" for place, role in sorted(user.roles.items()))
    centre.audit.append(
        kind=kind,
        env="",
        actor=BY,
        data={"user": user.name, "roles": roles[:1000], "ip_address": address},
    )
