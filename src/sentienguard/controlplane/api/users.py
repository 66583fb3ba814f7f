"""Accounts, roles, and join tokens for agents."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi import status as http
from pydantic import BaseModel

from sentienguard.controlplane import logins
from sentienguard.controlplane.api import access_schemas, schemas
from sentienguard.controlplane.api.caller import Caller, needs
from sentienguard.model import errors
from sentienguard.model.access import AUDITOR_FOR_AT_MOST, EVERYWHERE, Permission, Role, User

router = APIRouter(prefix="/api/v1", tags=["users"])
# Accounts and tokens reach every environment, so they take the right in every environment.
Manager = Annotated[Caller, Depends(needs(Permission.MANAGE_USERS, everywhere=True, fresh=True))]
Looker = Annotated[Caller, Depends(needs(Permission.VIEW_USERS))]
TOKEN_LIFETIME = timedelta(minutes=30)
TOKEN_BYTES = 32


class UserList(BaseModel):
    """Accounts, by name."""

    items: list[schemas.UserView]


@router.get("/users")
def list_users(caller: Looker) -> UserList:
    """List the accounts, with the roles of the environments in which the caller may know them."""
    found = [_seen(caller, user) for user in caller.centre.users.list()]
    return UserList(items=[_view(user) for user in found if user is not None])


@router.post("/users", status_code=http.HTTP_201_CREATED)
def add_user(wanted: schemas.UserRequest, caller: Manager) -> schemas.UserView:
    """Make an account."""
    roles = _roles(caller, wanted.roles)
    ends = _ends(caller, roles, wanted.ends)
    user = caller.centre.users.add(wanted.name, wanted.password, roles, ends)
    _record(caller, "user.added", user)
    return _view(user)


@router.put("/users/{name}/roles")
def set_roles(name: str, wanted: schemas.RolesRequest, caller: Manager) -> schemas.UserView:
    """Replace somebody's roles; effective on their next request."""
    roles = _roles(caller, wanted.roles)
    user = caller.centre.users.set_roles(name, roles, _ends(caller, roles, wanted.ends))
    _record(caller, "user.roles_set", user)
    return _view(user)


@router.delete("/users/{name}/logins")
def end_logins(name: str, caller: Manager) -> access_schemas.Ended:
    """End all logins of somebody, from their next request on."""
    user = caller.centre.users.get(name)
    ended = logins.end_all(
        caller.centre,
        user.name,
        by=caller.user.name,
        because="revoked",
        address=caller.address,
    )
    return access_schemas.Ended(ended=ended)


@router.delete("/users/{name}/factors")
def remove_factors(name: str, caller: Manager) -> access_schemas.Ended:
    """Take all second factors of somebody who lost theirs, and end their logins."""
    user = caller.centre.users.get(name)
    gone = caller.centre.factors.remove_all(user.name)
    caller.centre.audit.append(
        kind="user.factor_removed",
        env="",
        actor=caller.user.name,
        data={"user": user.name, "way": "all", "removed": gone, "ip_address": caller.address},
    )
    return end_logins(name, caller)


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
    known = (*caller.centre.environments, EVERYWHERE)
    strange = sorted(set(wanted) - set(known))
    if strange:
        message = f"roles: expected environments out of {', '.join(known)}, found {strange}"
        raise errors.Rejected(message)
    return {environment: Role(role) for environment, role in wanted.items()}


def _ends(
    caller: Caller, roles: Mapping[str, Role], wanted: Mapping[str, datetime]
) -> dict[str, datetime]:
    """Return when roles end; an auditor's has to, within 30 days."""
    strange = sorted(set(wanted) - set(roles))
    if strange:
        message = f"ends: expected environments out of {sorted(roles)}, found {strange}"
        raise errors.Rejected(message)
    latest = caller.at + AUDITOR_FOR_AT_MOST
    for place, role in roles.items():
        end = wanted.get(place)
        if end is not None and end <= caller.at:
            raise errors.Rejected(f"the role in {place} would end at {end}, which is over")
        if role is Role.AUDITOR and (end is None or end > latest):
            raise errors.Rejected(
                f"an auditor in {place}: expected an end by {latest:%Y-%m-%d %H:%M} UTC, found "
                f"{end or 'none'}; an auditor looks for at most {AUDITOR_FOR_AT_MOST.days} days"
            )
    return dict(wanted)


def _seen(caller: Caller, user: User) -> User | None:
    """Return what of somebody's roles the caller may know; None: nothing."""
    if caller.may_everywhere(Permission.VIEW_USERS):
        return user
    places = [
        place
        for place in user.roles
        if place == EVERYWHERE or caller.may(Permission.VIEW_USERS, place)
    ]
    if not places:
        return None
    ends = {place: end for place, end in user.ends.items() if place in places}
    return User(user.name, {place: user.roles[place] for place in places}, ends)


def _record(caller: Caller, kind: str, user: User) -> None:
    roles = ", ".join(
        f"{place}={role.value}" + (f" until {user.ends[place]}" if place in user.ends else "")
        for place, role in sorted(user.roles.items())
    )
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
        ends=dict(user.ends),
    )
