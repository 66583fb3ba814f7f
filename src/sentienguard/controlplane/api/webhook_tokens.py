"""Tokens with which other systems send to a webhook."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi import status as http
from pydantic import BaseModel

from sentienguard.controlplane import alert_senders, changes, otlp, remote_write
from sentienguard.controlplane.api import schemas
from sentienguard.controlplane.api.caller import Caller, needs
from sentienguard.model import errors
from sentienguard.model.access import Permission
from sentienguard.ports.webhook_tokens import WebhookToken

router = APIRouter(prefix="/api/v1/webhook-tokens", tags=["webhooks"])
# What a token lets in reaches people and hosts like an account does, so it takes the same right.
Manager = Annotated[Caller, Depends(needs(Permission.MANAGE_USERS, everywhere=True, fresh=True))]
TOKEN_BYTES = 32


class WebhookTokenList(BaseModel):
    """Webhook tokens, oldest first; never their secrets."""

    items: list[schemas.WebhookTokenView]


@router.get("")
def list_webhook_tokens(caller: Manager) -> WebhookTokenList:
    """List the tokens, revoked ones included."""
    return WebhookTokenList(items=[_view(one) for one in caller.centre.webhook_tokens.list()])


@router.post("", status_code=http.HTTP_201_CREATED)
def add_webhook_token(
    wanted: schemas.WebhookTokenRequest, caller: Manager
) -> schemas.WebhookTokenAnswer:
    """Make a token for one webhook and one environment, shown once and good until revoked."""
    centre = caller.centre
    if wanted.environment not in centre.environments:
        known = ", ".join(centre.environments)
        raise errors.Rejected(f"environment {wanted.environment!r}: expected one of {known}")
    secret = centre.entropy.bytes(TOKEN_BYTES).hex()
    token = WebhookToken(
        id=f"tok_{centre.entropy.bytes(8).hex()}",
        purpose=wanted.purpose,
        environment=wanted.environment,
        made_by=caller.user.name,
        made_at=centre.clock.now(),
    )
    centre.webhook_tokens.add(token, secret)
    _record(caller, "token.made", token)
    return schemas.WebhookTokenAnswer(
        token=secret, path=_path(token.purpose), **_view(token).model_dump()
    )


@router.put("/{token_id}/signing-secrets")
def set_signing_secrets(
    token_id: str, wanted: schemas.SigningSecretsRequest, caller: Manager, request: Request
) -> schemas.WebhookTokenView:
    """Replace the secrets with which a sender signs; none lets PagerDuty send nothing more."""
    token = caller.centre.webhook_tokens.set_signing_secrets(token_id, wanted.secrets)
    _forget(request)
    _record(caller, "token.secrets_set", token)
    return _view(token)


@router.delete("/{token_id}")
def revoke_webhook_token(
    token_id: str, caller: Manager, request: Request
) -> schemas.WebhookTokenView:
    """End a token at once; who holds it is refused from the next request on."""
    token = caller.centre.webhook_tokens.revoke(token_id, at=caller.centre.clock.now())
    _forget(request)
    _record(caller, "token.revoked", token)
    return _view(token)


def _path(purpose: str) -> str:
    """Return what the token opens; of OpenTelemetry the base, as exporters are told it."""
    pushed = {
        remote_write.PURPOSE: remote_write.PATH,
        otlp.PURPOSE: "/",
        changes.PURPOSE: changes.PATH,
    }
    return pushed[purpose] if purpose in pushed else alert_senders.BY_PURPOSE[purpose].path


def _forget(request: Request) -> None:
    """Let both doors look tokens up again."""
    request.app.state.alert_door.forget_tokens()
    request.app.state.telemetry_door.forget_tokens()


def _record(caller: Caller, kind: str, token: WebhookToken) -> None:
    caller.centre.audit.append(
        kind=kind,
        env=token.environment,
        actor=caller.user.name,
        data={"token_id": token.id, "for": token.purpose, "ip_address": caller.address},
    )


def _view(token: WebhookToken) -> schemas.WebhookTokenView:
    return schemas.WebhookTokenView(
        id=token.id,
        purpose=token.purpose,
        environment=token.environment,
        made_by=token.made_by,
        made_at=token.made_at,
        revoked_at=token.revoked_at,
        signing_secrets=len(token.signing_secrets),
    )
