"""One's own account: second factors, recovery codes, logins."""

from datetime import timedelta
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi import status as http

from sentienguard.controlplane import logins, refusals, second_factor
from sentienguard.controlplane.api import access_schemas
from sentienguard.controlplane.api.auth import party_of
from sentienguard.controlplane.api.caller import Caller, person
from sentienguard.controlplane.problems import ProblemError
from sentienguard.ports import user_store
from sentienguard.ports.factor_store import Factor, Way
from sentienguard.ports.session_store import Login
from sentienguard.trust import encoding, passkeys, totp, webauthn

router = APIRouter(prefix="/api/v1/account", tags=["account"])
Person = Annotated[Caller, Depends(person)]


@router.get("")
def show(caller: Person, request: Request) -> access_schemas.AccountView:
    """Show one's second factors and standing logins."""
    centre, name = caller.centre, caller.user.name
    party = party_of(request)
    return access_schemas.AccountView(
        name=name,
        factors=[_view(one, party) for one in centre.factors.of(name)],
        recovery_codes_left=centre.factors.recovery_codes_left(name),
        logins=[_login_view(one, caller) for one in centre.sessions.of(name, at=caller.at)],
        passkeys_at=party.origin if party else "",
        second_factor="required" if centre.settings.second_factor == "required" else "optional",
    )


@router.post("/totp")
def begin_totp(proof: access_schemas.Proof, caller: Person) -> access_schemas.TotpBegun:
    """Begin to register an app that shows codes."""
    _require_proof(caller, proof)
    ticket, secret = second_factor.begin_totp(caller.centre, caller.user.name)
    return access_schemas.TotpBegun(
        ticket=ticket,
        secret=totp.text(secret),
        address=totp.address(secret, user=caller.user.name, issuer=second_factor.ISSUER),
    )


@router.post("/totp/confirm", status_code=http.HTTP_201_CREATED)
def confirm_totp(given: access_schemas.TotpConfirm, caller: Person) -> access_schemas.FactorAdded:
    """Register it with a code that it shows."""
    name = caller.user.name
    factor = second_factor.confirm_totp(caller.centre, given.ticket, name, given.code, given.label)
    return _added(caller, factor)


@router.post("/passkeys")
def begin_passkey(
    proof: access_schemas.Proof, caller: Person, request: Request
) -> access_schemas.PasskeyBegun:
    """Begin to register a passkey."""
    party = _party(request)
    _require_proof(caller, proof)
    centre, name = caller.centre, caller.user.name
    ticket, challenge = second_factor.begin_passkey(centre, name)
    return access_schemas.PasskeyBegun(
        ticket=ticket,
        challenge=encoding.base64url(challenge),
        party=party.id,
        user=encoding.base64url(name.encode()[:64]),
        algorithms=list(webauthn.ALGORITHMS),
        exclude=[
            encoding.base64url(one.credential)
            for one in centre.factors.of(name)
            if one.way is Way.WEBAUTHN
        ],
    )


@router.post("/passkeys/confirm", status_code=http.HTTP_201_CREATED)
def confirm_passkey(
    given: access_schemas.PasskeyConfirm, caller: Person, request: Request
) -> access_schemas.FactorAdded:
    """Register the passkey that the browser made."""
    factor = second_factor.confirm_passkey(
        caller.centre,
        given.ticket,
        caller.user.name,
        _party(request),
        client_data=encoding.from_base64url(given.client_data),
        attestation=encoding.from_base64url(given.attestation),
        label=given.label,
    )
    return _added(caller, factor)


@router.delete("/factors/{factor_id}")
def remove_factor(factor_id: str, caller: Person) -> access_schemas.FactorView:
    """Take a second factor away; it is shown once more for that."""
    caller.require_fresh()
    centre, name = caller.centre, caller.user.name
    gone = centre.factors.remove(factor_id, name)
    if not centre.factors.of(name):
        centre.factors.remove_all(name)  # recovery codes stand for a factor; none, no codes
    _record(caller, "user.factor_removed", {"way": gone.way.value, "factor": gone.id})
    return _view(gone)


@router.post("/recovery-codes", status_code=http.HTTP_201_CREATED)
def new_recovery_codes(caller: Person) -> access_schemas.RecoveryCodes:
    """Replace one's recovery codes."""
    caller.require_fresh()
    if not caller.centre.factors.of(caller.user.name):
        detail = "recovery codes stand for a second factor; register one first"
        raise ProblemError(HTTPStatus.CONFLICT, "no-second-factor", detail)
    codes = second_factor.new_recovery_codes(caller.centre, caller.user.name)
    _record(caller, "user.factor_added", {"way": Way.RECOVERY.value, "factor": "", "label": ""})
    return access_schemas.RecoveryCodes(codes=codes)


@router.delete("/logins/{login_id}")
def end_login(login_id: str, caller: Person) -> access_schemas.Ended:
    """End one of one's logins, from its next request on."""
    ended = caller.centre.sessions.end(
        login_id, user=caller.user.name, at=caller.at, because="revoked"
    )
    logins.record_end(
        caller.centre, ended, by=caller.user.name, because="revoked", address=caller.address
    )
    return access_schemas.Ended(ended=1)


@router.delete("/logins")
def end_logins(caller: Person) -> access_schemas.Ended:
    """End all of one's logins, this one too."""
    ended = logins.end_all(
        caller.centre,
        caller.user.name,
        by=caller.user.name,
        because="revoked",
        address=caller.address,
    )
    return access_schemas.Ended(ended=ended)


def _require_proof(caller: Caller, proof: access_schemas.Proof) -> None:
    """A stolen token alone registers nothing: the second factor is shown again, or the password."""
    centre, name = caller.centre, caller.user.name
    if centre.factors.of(name):
        caller.require_fresh()
        return
    if centre.users.is_outside(name):
        _require_new_login(caller)
        return
    try:
        centre.users.check_password(name, proof.password)
    except user_store.NotAuthenticated as cause:
        said = {"user": name, "ip_address": caller.address, "result": "denied_wrong_credentials"}
        asked = {"action": "register a second factor", **said}
        refusals.record(centre, "password", asked, actor=name)
        raise ProblemError(
            HTTPStatus.FORBIDDEN, "wrong-password", "this is not your password"
        ) from cause


def _require_new_login(caller: Caller) -> None:
    """Somebody without a password here has just logged in at their provider."""
    minutes = caller.centre.settings.step_up_minutes
    opened = caller.login.opened_at if caller.login else None
    if opened is None or caller.at - opened > timedelta(minutes=minutes):
        detail = f"log in again: a first second factor needs a login within {minutes} minutes"
        raise ProblemError(HTTPStatus.FORBIDDEN, "login-too-old", detail)


def _party(request: Request) -> webauthn.Party:
    party = party_of(request)
    if party is None:
        raise second_factor.NoPasskeysHere(
            "passkeys are bound to a name: set people_origin to the address that browsers use"
        )
    return party


def _added(caller: Caller, factor: Factor) -> access_schemas.FactorAdded:
    centre, name = caller.centre, caller.user.name
    first = len(centre.factors.of(name)) == 1
    codes = second_factor.new_recovery_codes(centre, name) if first else []
    if caller.login is not None:
        centre.sessions.strengthen(caller.login.id, at=centre.clock.now())  # it was just shown
    said = {"way": factor.way.value, "factor": factor.id, "label": factor.label}
    _record(caller, "user.factor_added", said)
    return access_schemas.FactorAdded(factor=_view(factor), recovery_codes=codes)


def _record(caller: Caller, kind: str, said: dict[str, str]) -> None:
    data = {**said, "user": caller.user.name, "ip_address": caller.address}
    caller.centre.audit.append(kind=kind, env="", actor=caller.user.name, data=data)


def _view(factor: Factor, party: webauthn.Party | None = None) -> access_schemas.FactorView:
    return access_schemas.FactorView(
        id=factor.id,
        way="totp" if factor.way is Way.TOTP else "webauthn",
        label=factor.label,
        made_at=factor.made_at,
        approver_key=_approver_key(factor, party),
    )


def _approver_key(factor: Factor, party: webauthn.Party | None) -> str:
    """Return the line that holders of root keys add; empty: this factor approves nothing here."""
    if factor.way is not Way.WEBAUTHN or party is None or factor.party != party.id:
        return ""
    return passkeys.ApproverKey(factor.secret, party).text


def _login_view(login: Login, caller: Caller) -> access_schemas.LoginView:
    return access_schemas.LoginView(
        id=login.id,
        opened_at=login.opened_at,
        ends_at=login.ends_at,
        address=login.address,
        strong_at=login.strong_at,
        this=caller.login is not None and caller.login.id == login.id,
    )
