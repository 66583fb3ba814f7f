"""Tokens for machines that only read: one environment, named, with an end, revocable."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi import status as http

from sentienguard.controlplane.api import access_schemas
from sentienguard.controlplane.api.caller import Caller, needs
from sentienguard.model import errors
from sentienguard.model.access import Permission
from sentienguard.ports.session_store import READ_PREFIX, ReadToken

router = APIRouter(prefix="/api/v1/read-tokens", tags=["users"])
# A token outlives its maker's login, so it takes the right to make accounts.
Manager = Annotated[Caller, Depends(needs(Permission.MANAGE_USERS, everywhere=True))]
FreshManager = Annotated[
    Caller, Depends(needs(Permission.MANAGE_USERS, everywhere=True, fresh=True))
]
TOKEN_BYTES = 32


@router.get("")
def list_read_tokens(caller: Manager) -> access_schemas.ReadTokenList:
    """List the tokens, ended ones included."""
    found = caller.centre.sessions.read_tokens()
    return access_schemas.ReadTokenList(items=[_view(one) for one in found])


@router.post("", status_code=http.HTTP_201_CREATED)
def add_read_token(
    wanted: access_schemas.ReadTokenRequest, caller: FreshManager
) -> access_schemas.ReadTokenAnswer:
    """Make a token that may see one environment, shown once."""
    centre = caller.centre
    if wanted.environment not in centre.environments:
        known = ", ".join(centre.environments)
        raise errors.Rejected(f"environment {wanted.environment!r}: expected one of {known}")
    secret = READ_PREFIX + centre.entropy.bytes(TOKEN_BYTES).hex()
    token = ReadToken(
        id=f"rot_{centre.entropy.bytes(8).hex()}",
        name=wanted.name,
        environment=wanted.environment,
        made_by=caller.user.name,
        made_at=caller.at,
        expires_at=caller.at + timedelta(days=wanted.days),
    )
    centre.sessions.add_read_token(token, secret)
    _record(caller, "token.made", token)
    return access_schemas.ReadTokenAnswer(token=secret, **_view(token).model_dump())


@router.delete("/{token_id}")
def revoke_read_token(token_id: str, caller: Manager) -> access_schemas.ReadTokenView:
    """End a token; who holds it is refused from the next request on."""
    token = caller.centre.sessions.revoke_read_token(token_id, at=caller.at)
    _record(caller, "token.revoked", token)
    return _view(token)


def _record(caller: Caller, kind: str, token: ReadToken) -> None:
    caller.centre.audit.append(
        kind=kind,
        env=token.environment,
        actor=caller.user.name,
        data={
            "token_id": token.id,
            "for": "reading",
            "name": token.name,
            "expires": token.expires_at.isoformat(),
            "ip_address": caller.address,
        },
    )


def _view(token: ReadToken) -> access_schemas.ReadTokenView:
    return access_schemas.ReadTokenView(
        id=token.id,
        name=token.name,
        environment=token.environment,
        made_by=token.made_by,
        made_at=token.made_at,
        expires_at=token.expires_at,
        revoked_at=token.revoked_at,
    )
