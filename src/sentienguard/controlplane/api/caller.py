"""Who is asking, what they may do, and the record of every denial.

Called by every router of the people's API. A route names the least it needs with `needs(...)`; the
application refuses to start with a route that names nothing. Where a thing belongs to an
environment the handler checks again with `caller.require(...)` once it knows which.

A caller is a person with a login, or a machine with a token that only reads: an observer of one
environment. What belongs to a person's own login asks for `person`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Annotated, cast

from fastapi import Depends, Request

from sentienguard.controlplane import refusals
from sentienguard.controlplane.centre import Centre
from sentienguard.controlplane.problems import ProblemError
from sentienguard.model import errors
from sentienguard.model.access import Permission, Role, User
from sentienguard.model.emergency import Emergency
from sentienguard.ports import session_store, user_store

COOKIE = "sentienguard_session"
CSRF_HEADER = "x-sentienguard-request"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody who showed who they are, at an address and a moment."""

    user: User
    address: str
    centre: Centre
    at: datetime  # of this request: roles that are over by now are none
    login: session_store.Login | None  # None: a machine
    emergencies: tuple[Emergency, ...] = ()  # of theirs that stand: rights for minutes

    def may(self, permission: Permission, environment: str) -> bool:
        """Tell whether this is allowed there; an environment that does not exist denies."""
        if environment not in self.centre.environments:
            return False
        return self._may_by_role(permission, environment) or (
            any(one.gives(permission, environment, self.at) for one in self.emergencies)
            and self._may_ask_anywhere()
        )

    def _may_by_role(self, permission: Permission, environment: str) -> bool:
        return self.user.may(permission, environment, self.at) or (
            permission is Permission.BREAK_GLASS and self._may_as_the_owner_says(environment)
        )

    def _may_ask_anywhere(self) -> bool:
        """Tell whether they could ask in an emergency; who could not keeps no right of one."""
        return any(
            self._may_by_role(Permission.BREAK_GLASS, one) for one in self.centre.environments
        )

    def _may_as_the_owner_says(self, environment: str) -> bool:
        """Tell whether settings let this role ask in an emergency, and agree."""
        setting, role = self.centre.settings.break_glass_by, self.role_in(environment)
        return role is Role.REMEDIATION_AUTHORITY and setting == role

    def may_anywhere(self, permission: Permission) -> bool:
        """Tell whether this is allowed in at least one environment."""
        return any(self.may(permission, environment) for environment in self.centre.environments)

    def sees(self) -> frozenset[str] | None:
        """Return the environments whose incidents this person may list; None: all there are."""
        places = self.centre.environments
        found = frozenset(one for one in places if self.may(Permission.VIEW, one))
        return None if len(found) == len(places) else found

    def may_everywhere(self, permission: Permission) -> bool:
        """Tell whether this is allowed in all environments."""
        return all(self.may(permission, environment) for environment in self.centre.environments)

    def require(
        self,
        permission: Permission,
        environment: str,
        what: str,
        *,
        unseen: errors.Rejected | None = None,
    ) -> None:
        """Go on only where this is allowed; a denial is recorded with role and address.

        Who may not even see the environment is told `unseen`: what is said of a thing that is not
        there.
        """
        if self.may(permission, environment):
            return
        refusal = self.denied(permission, environment, what)
        if unseen is not None and not self.may(Permission.VIEW, environment):
            raise unseen from refusal
        raise refusal

    def again(self) -> "Caller | None":
        """Return who is behind a long answer now; None: the login is over, or sees nothing."""
        now = self.centre.clock.now()
        if self.login is None or not self.centre.sessions.stands(self.login.id, at=now):
            return None
        user = self.centre.users.get(self.user.name)
        held = tuple(self.centre.emergencies.of(user.name, at=now))
        found = Caller(user, self.address, self.centre, now, self.login, held)
        return found if found.may_anywhere(Permission.VIEW) else None

    def role_in(self, environment: str) -> Role | None:
        """Return the role of this person there, now."""
        return self.user.role_in(environment, self.at)

    def title_in(self, environment: str) -> str:
        """Return as what they act there, for the record: the role, and an emergency of theirs."""
        role = self.role_in(environment)
        held = [str(one.id) for one in self.emergencies if one.environment == environment]
        return ", ".join(([role.value] if role else []) + held) or "none"

    def denied(self, permission: Permission, environment: str, what: str) -> ProblemError:
        """Count a denial, record it unless there is a flood of them, and return the refusal."""
        role = self.role_in(environment)
        said = {
            "role": role.value if role else "none",
            "action": permission.value,
            "what": what[:200],
            "result": "denied_insufficient_permissions",
            "ip_address": self.address,
        }
        refusals.record(self.centre, "", said, actor=self.user.name, environment=environment)
        return ProblemError(
            HTTPStatus.FORBIDDEN,
            "forbidden",
            f"{self.user.name} is {role.value if role else 'nobody'} in {environment}, which does "
            f"not include {permission.value}; ask an administrator",
        )

    def require_fresh(self) -> None:
        """Go on only where a second factor was shown minutes ago, by whoever has one.

        Raises ProblemError 403 `step-up`, or `login-again` where there is no factor here that
        could be shown: it was the provider's, or it was taken away since. Where settings ask
        everybody for a second factor, `needs` refused those without.
        """
        login = self.login
        if login is None:
            raise _people_only()
        minutes = self.centre.settings.step_up_minutes
        strong = login.strong_at
        if strong is not None and self.at - strong <= timedelta(minutes=minutes):
            return
        if not self.centre.factors.of(self.user.name):
            if strong is None:
                return
            raise self.login_again()
        raise ProblemError(
            HTTPStatus.FORBIDDEN,
            "step-up",
            f"show your second factor again; this needs one within {minutes} minutes",
        )

    def login_again(self) -> ProblemError:
        """Return the refusal for whose second factor is too old, and can be shown nowhere here."""
        minutes = self.centre.settings.step_up_minutes
        if not self.centre.users.is_outside(self.user.name):
            detail = "you have no second factor any more; log in again, then go on"
        else:
            detail = (
                "you showed your second factor to the identity provider more than "
                f"{minutes} minutes ago: log in again there (`sentienguard login --sso`, or sign "
                f"out and in on the dashboard) and go on within {minutes} minutes, or register a "
                "factor of your own under Account"
            )
        return ProblemError(HTTPStatus.FORBIDDEN, "login-again", detail)


def centre_of(request: Request) -> Centre:
    """Return the centre that this application serves."""
    return cast(Centre, request.app.state.centre)


def address_of(request: Request) -> str:
    """Return the address on the other side of the connection; no header is believed."""
    return request.client.host if request.client else "unknown"


def require_same_site(request: Request) -> None:
    """Go on only where a page of ours asked. Raises ProblemError 403.

    A request that changes something and is let in by a cookie names a header that other sites
    cannot set.
    """
    if request.method not in SAFE_METHODS and CSRF_HEADER not in request.headers:
        raise ProblemError(
            HTTPStatus.FORBIDDEN, "cross-site", f"a cookie needs the header {CSRF_HEADER} beside it"
        )


def authenticated(request: Request) -> Caller:
    """Return who is asking. Raises 401; 403 for a browser's unsafe request from elsewhere."""
    centre = centre_of(request)
    scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
    token = bearer if scheme.lower() == "bearer" else request.cookies.get(COOKIE, "")
    if token and not bearer:
        require_same_site(request)
    now = centre.clock.now()
    try:
        user, login = _known(centre, token, now)
    except user_store.NotAuthenticated as cause:
        if token.startswith(session_store.READ_PREFIX):
            raise refusals.DoorRefusal(
                HTTPStatus.UNAUTHORIZED,
                "unauthenticated",
                "this read token is unknown, revoked or over; make a new one",
                label="read_token",
            ) from cause
        centre.counters.add("access_denied_total", "unauthenticated")  # refusals, rule 6
        raise ProblemError(
            HTTPStatus.UNAUTHORIZED, "unauthenticated", "log in, or send a bearer token"
        ) from cause
    held = () if login is None else tuple(centre.emergencies.of(user.name, at=now))
    return Caller(user, address_of(request), centre, now, login, held)


def person(caller: Annotated[Caller, Depends(authenticated)]) -> Caller:
    """Return who is asking, a person with a login. Raises 403 for machines."""
    if caller.login is None:
        raise _people_only()
    return caller


def needs(
    permission: Permission, *, everywhere: bool = False, fresh: bool = False
) -> Callable[..., Caller]:
    """Return the dependency of a route: allowed somewhere, or `everywhere`, or refused.

    With `fresh` whoever has a second factor has shown it minutes ago.
    """

    def allowed(request: Request, caller: Annotated[Caller, Depends(authenticated)]) -> Caller:
        held = caller.may_everywhere(permission) if everywhere else caller.may_anywhere(permission)
        if not held:
            environment = caller.centre.environments[0]
            raise caller.denied(permission, environment, f"{request.method} {request.url.path}")
        _require_second_factor(caller)
        if fresh:
            caller.require_fresh()
        return caller

    allowed.__dict__["permission"] = permission
    return allowed


def _known(centre: Centre, token: str, now: datetime) -> tuple[User, session_store.Login | None]:
    """Return whose token this is. Raises NotAuthenticated."""
    if not token.startswith(session_store.READ_PREFIX):
        return centre.sessions.by_access(token, at=now)
    machine = centre.sessions.by_read_token(token, at=now)
    return User(f"token:{machine.name}", {machine.environment: Role.OBSERVER}), None


def _require_second_factor(caller: Caller) -> None:
    required = caller.centre.settings.second_factor == "required"
    if required and caller.login is not None and caller.login.strong_at is None:
        caller.require_fresh()  # who has one, and came by a provider, shows it now
        raise ProblemError(
            HTTPStatus.FORBIDDEN,
            "second-factor-required",
            "everybody needs a second factor here; register one under Account, then go on",
        )


def _people_only() -> ProblemError:
    return ProblemError(
        HTTPStatus.FORBIDDEN, "people-only", "this belongs to a person's login; a token only reads"
    )
