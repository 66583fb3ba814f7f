"""Logging in and out, and who one is."""

from datetime import timedelta
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from fastapi import status as http

from sentienguard.controlplane.api import schemas
from sentienguard.controlplane.api.caller import (
    COOKIE,
    Caller,
    address_of,
    authenticated,
    centre_of,
)
from sentienguard.controlplane.problems import ProblemError
from sentienguard.model.access import Permission
from sentienguard.ports import user_store

router = APIRouter(prefix="/api/v1/auth", tags=["auth"])
TOKEN_BYTES = 32


@router.post("/login")
def login(wanted: schemas.Login, request: Request, response: Response) -> schemas.LoginAnswer:
    """Give a session for a name and a password; failures and successes are recorded."""
    centre = centre_of(request)
    now = centre.clock.now()
    try:
        user = centre.users.check_password(wanted.name, wanted.password)
    except user_store.NotAuthenticated as cause:
        centre.counters.add("access_denied_total", "login")
        centre.audit.append(
            kind="access.denied",
            env="",
            actor=wanted.name[:100],
            data={
                "action": "login",
                "result": "denied_wrong_credentials",
                "ip_address": address_of(request),
            },
        )
        detail = "name and password do not match"
        raise ProblemError(HTTPStatus.UNAUTHORIZED, "unauthenticated", detail) from cause
    token = centre.entropy.bytes(TOKEN_BYTES).hex()
    expires = now + timedelta(hours=centre.settings.session_hours)
    centre.users.open_session(user.name, token, at=now, expires_at=expires)
    centre.audit.append(
        kind="user.login", env="", actor=user.name, data={"ip_address": address_of(request)}
    )
    response.set_cookie(
        COOKIE,
        token,
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
        expires=expires,
        path="/",
    )
    return schemas.LoginAnswer(token=token, expires_at=expires)


@router.post("/logout", status_code=http.HTTP_204_NO_CONTENT)
def logout(caller: Annotated[Caller, Depends(authenticated)], response: Response) -> None:
    """End this session at once."""
    caller.centre.users.revoke(caller.token)
    response.delete_cookie(COOKIE, path="/")


@router.get("/me")
def me(caller: Annotated[Caller, Depends(authenticated)]) -> schemas.Me:
    """Tell who is asking and what they may do where."""
    centre = caller.centre
    return schemas.Me(
        name=caller.user.name,
        roles={environment: role.value for environment, role in caller.user.roles.items()},
        permissions={
            environment: [item.value for item in Permission if caller.may(item, environment)]
            for environment in centre.environments
        },
        evaluation_trust=centre.trust.evaluation,
    )
