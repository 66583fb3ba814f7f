"""Who is asking, what they may do, and the record of every denial.

Called by every router of the people's API. A route names the least it needs with `needs(...)`; the
application refuses to start with a route that names nothing. Where a thing belongs to an
environment the handler checks again with `caller.require(...)` once it knows which.
"""

from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, cast

from fastapi import Depends, Request

from sentienguard.controlplane.centre import Centre
from sentienguard.controlplane.problems import ProblemError
from sentienguard.model.access import Permission, Role, User
from sentienguard.ports import user_store

COOKIE = "sentienguard_session"
CSRF_HEADER = "x-sentienguard-request"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated person at an address."""

    user: User
    address: str
    token: str
    centre: Centre

    def may(self, permission: Permission, environment: str) -> bool:
        """Tell whether this is allowed there; an environment that does not exist denies."""
        return environment in self.centre.environments and self.user.may(permission, environment)

    def may_anywhere(self, permission: Permission) -> bool:
        """Tell whether this is allowed in at least one environment."""
        return any(self.may(permission, environment) for environment in self.centre.environments)

    def may_everywhere(self, permission: Permission) -> bool:
        """Tell whether this is allowed in all environments."""
        return all(self.may(permission, environment) for environment in self.centre.environments)

    def require(self, permission: Permission, environment: str, what: str) -> None:
        """Go on only where this is allowed; a denial is recorded with role and address."""
        if not self.may(permission, environment):
            raise self.denied(permission, environment, what)

    def role_in(self, environment: str) -> Role | None:
        """Return the role of this person there."""
        return self.user.roles.get(environment, self.user.roles.get("*"))

    def denied(self, permission: Permission, environment: str, what: str) -> ProblemError:
        """Record a denial and return the refusal."""
        role = self.role_in(environment)
        self.centre.counters.add("access_denied_total")
        self.centre.audit.append(
            kind="access.denied",
            env=environment,
            actor=self.user.name,
            data={
                "role": role.value if role else "none",
                "action": permission.value,
                "what": what[:200],
                "result": "denied_insufficient_permissions",
                "ip_address": self.address,
            },
        )
        return ProblemError(
            HTTPStatus.FORBIDDEN,
            "forbidden",
            f"{self.user.name} is {role.value if role else 'nobody'} in {environment}, which does "
            f"not include {permission.value}; ask an administrator",
        )


def centre_of(request: Request) -> Centre:
    """Return the centre that this application serves."""
    return cast(Centre, request.app.state.centre)


def address_of(request: Request) -> str:
    """Return the address on the other side of the connection; no header is believed."""
    return request.client.host if request.client else "unknown"


def authenticated(request: Request) -> Caller:
    """Return who is asking. Raises 401; 403 for a browser's unsafe request from elsewhere."""
    centre = centre_of(request)
    scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
    token = bearer if scheme.lower() == "bearer" else request.cookies.get(COOKIE, "")
    unsafe = request.method not in SAFE_METHODS and CSRF_HEADER not in request.headers
    if token and not bearer and unsafe:
        raise ProblemError(
            HTTPStatus.FORBIDDEN, "cross-site", f"a cookie needs the header {CSRF_HEADER} beside it"
        )
    try:
        user = centre.users.by_token(token, at=centre.clock.now())
    except user_store.NotAuthenticated as cause:
        centre.counters.add("access_denied_total", "unauthenticated")
        raise ProblemError(
            HTTPStatus.UNAUTHORIZED, "unauthenticated", "log in, or send a bearer token"
        ) from cause
    return Caller(user, address_of(request), token, centre)


def needs(permission: Permission, *, everywhere: bool = False) -> Callable[..., Caller]:
    """Return the dependency of a route: allowed somewhere, or `everywhere`, or refused."""

    def allowed(request: Request, caller: Annotated[Caller, Depends(authenticated)]) -> Caller:
        held = caller.may_everywhere(permission) if everywhere else caller.may_anywhere(permission)
        if not held:
            environment = caller.centre.environments[0]
            raise caller.denied(permission, environment, f"{request.method} {request.url.path}")
        return caller

    allowed.__dict__["permission"] = permission
    return allowed
