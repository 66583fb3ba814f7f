"""Accounts, roles, and join tokens for agents."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi import status as http
from pydantic import BaseModel

from sentienguard.controlplane.api import schemas
from sentienguard.controlplane.api.caller import Caller, needs
from sentienguard.model import errors
from sentienguard.model.access import Permission, Role, User

router = APIRouter(prefix="/api/v1", tags=["users"])
# Accounts and tokens reach every environment, so they take the right in every environment.
Manager = Annotated[Caller, Depends(needs(Permission.MANAGE_USERS, everywhere=True))]
TOKEN_LIFETIME = timedelta(minutes=30)
TOKEN_BYTES = 32


class UserList(BaseModel):
    """Accounts, by name."""

    items: list[schemas.UserView]


@router.get("/users")
def list_users(caller: Manager) -> UserList:
    """List the accounts."""
    return UserList(items=[_view(user) for user in caller.centre.users.list()])


@router.post("/users", status_code=http.HTTP_201_CREATED)
def add_user(wanted: schemas.UserRequest, caller: Manager) -> schemas.UserView:
    """Make an account."""
    user = caller.centre.users.add(wanted.name, wanted.password, _roles(caller, wanted.roles))
    _record(caller, "user.added", user)
    return _view(user)


@router.put("/users/{name}/roles")
def set_roles(name: str, wanted: schemas.RolesRequest, caller: Manager) -> schemas.UserView:
    """Replace somebody's roles; effective on their next request."""
    user = caller.centre.users.set_roles(name, _roles(caller, wanted.roles))
    _record(caller, "user.roles_set", user)
    return _view(user)


@router.post("/tokens", status_code=http.HTTP_201_CREATED)
def add_token(wanted: schemas.TokenRequest, caller: Manager) -> schemas.TokenAnswer:
    """Make a one-time token that lets one agent join within 30 minutes."""
    centre = caller.centre
    if wanted.environment not in centre.environments:
        known = ", ".join(centre.environments)
        message = f"environment {wanted.environment!r}: expected one of {known}"
        raise errors.Rejected(message)
    token = centre.entropy.bytes(TOKEN_BYTES).hex()
    expires = centre.clock.now() + TOKEN_LIFETIME
    centre.agents.add_token(
        token, environment=wanted.environment, host=wanted.host, expires_at=expires
    )
    centre.audit.append(
        kind="token.made",
        env=wanted.environment,
        actor=caller.user.name,
        data={"host": wanted.host or "", "ip_address": caller.address},
    )
    return schemas.TokenAnswer(
        token=token,
        expires_at=expires,
        server=centre.trust.agents_address,
        pin=centre.trust.server_pin,
        root_digest=centre.trust.root_digest,
    )


def _roles(caller: Caller, wanted: Mapping[str, str]) -> dict[str, Role]:
    known = (*caller.centre.environments, "*")
    strange = sorted(set(wanted) - set(known))
    if strange:
        message = f"roles: expected environments out of {', '.join(known)}, found {strange}"
        raise errors.Rejected(message)
    return {environment: Role(role) for environment, role in wanted.items()}


def _record(caller: Caller, kind: str, user: User) -> None:
    roles = ", ".join(f"{place}={role.value}" for place, role in sorted(user.roles.items()))
    caller.centre.audit.append(
        kind=kind,
        env="",
        actor=caller.user.name,
        data={"user": user.name, "roles": roles, "ip_address": caller.address},
    )


def _view(user: User) -> schemas.UserView:
    return schemas.UserView(
        name=user.name,
        roles={environment: role.value for environment, role in user.roles.items()},
    )
