"""Logging in with one or two factors, staying, leaving, and who one is."""

from http import HTTPStatus
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request, Response
from fastapi import status as http
from fastapi.responses import JSONResponse

from sentienguard.controlplane import logins, refusals, second_factor
from sentienguard.controlplane.api import access_schemas, schemas
from sentienguard.controlplane.api.caller import (
    COOKIE,
    Caller,
    address_of,
    authenticated,
    centre_of,
    person,
    require_same_site,
)
from sentienguard.controlplane.problems import ProblemError
from sentienguard.model.access import Permission
from sentienguard.ports import user_store
from sentienguard.trust import encoding, webauthn

router = APIRouter(prefix="/api/v1/auth", tags=["auth"])
REFRESH_COOKIE = "sentienguard_refresh"
REFRESH_PATH = "/api/v1/auth/refresh"
Person = Annotated[Caller, Depends(person)]
SECOND: Final[dict[int | str, dict[str, Any]]] = {
    202: {"model": access_schemas.SecondStep, "description": "now a second factor"}
}


@router.post("/login", responses=SECOND, response_model=access_schemas.LoginAnswer)
def login(
    wanted: access_schemas.Login, request: Request, response: Response
) -> access_schemas.LoginAnswer | Response:
    """Take a name and a password; answer with tokens, or with 202 and what is asked besides."""
    centre = centre_of(request)
    try:
        user = centre.users.check_password(wanted.name, wanted.password)
    except user_store.NotAuthenticated as cause:
        said = {"result": "denied_wrong_credentials", "ip_address": address_of(request)}
        refusals.record(
            centre, "login", {"action": "login", **said}, actor=wanted.name, stranger=True
        )
        detail = "name and password do not match"
        raise ProblemError(HTTPStatus.UNAUTHORIZED, "unauthenticated", detail) from cause
    party = party_of(request)
    begun = second_factor.begin(centre, user.name, "login", party)
    if begun is not None:
        step = step_view(begun, party).model_dump(mode="json")
        return JSONResponse(step, http.HTTP_202_ACCEPTED)
    _, pair = logins.open_login(centre, user.name, address_of(request), how="password")
    return _answer(request, response, pair)


@router.post("/login/second")
def second(
    given: access_schemas.SecondAnswer, request: Request, response: Response
) -> access_schemas.LoginAnswer:
    """Finish a login with a second factor."""
    centre = centre_of(request)
    answer = answer_of(given)
    ticket, way = second_factor.answer(centre, given.ticket, "login", answer, party_of(request))
    _, pair = logins.open_login(
        centre, ticket.user, address_of(request), how=f"password, {way.value}", strong=True
    )
    return _answer(request, response, pair)


@router.post("/refresh")
def refresh(
    given: access_schemas.Refresh, request: Request, response: Response
) -> access_schemas.LoginAnswer:
    """Give the next pair of tokens for a refresh token; one that comes twice ends the login."""
    token = given.refresh_token
    if not token:
        token = request.cookies.get(REFRESH_COOKIE, "")
        if token:
            require_same_site(request)
    try:
        pair = logins.refresh(centre_of(request), token, address_of(request))
    except user_store.NotAuthenticated as cause:
        raise ProblemError(HTTPStatus.UNAUTHORIZED, "unauthenticated", str(cause)) from cause
    return _answer(request, response, pair)


@router.post("/step-up")
def begin_step_up(caller: Person, request: Request) -> access_schemas.SecondStep:
    """Begin to show the second factor again."""
    party = party_of(request)
    about = caller.login.id if caller.login else ""
    begun = second_factor.begin(caller.centre, caller.user.name, "step-up", party, about)
    if begun is None:
        if caller.login is not None and caller.login.strong_at is not None:
            raise caller.login_again()
        raise ProblemError(
            HTTPStatus.CONFLICT, "no-second-factor", "you have none; register one under Account"
        )
    return step_view(begun, party)


@router.post("/step-up/second", status_code=http.HTTP_204_NO_CONTENT)
def step_up(given: access_schemas.SecondAnswer, caller: Person, request: Request) -> None:
    """Show it: what needs a fresh second factor is open to this login for minutes."""
    centre, answer = caller.centre, answer_of(given)
    party = party_of(request)
    ticket, way = second_factor.answer(centre, given.ticket, "step-up", answer, party)
    if caller.login is None or ticket.about != caller.login.id:
        raise ProblemError(HTTPStatus.FORBIDDEN, "ticket-over", "this step is another login's")
    centre.sessions.strengthen(caller.login.id, at=centre.clock.now())
    centre.audit.append(
        kind="user.stepped_up",
        env="",
        actor=caller.user.name,
        data={"way": way.value, "login": caller.login.id, "ip_address": caller.address},
    )


@router.post("/logout", status_code=http.HTTP_204_NO_CONTENT)
def logout(caller: Person, response: Response) -> None:
    """End this login at once, with all its tokens."""
    if caller.login is not None:
        ended = caller.centre.sessions.end(
            caller.login.id, user=caller.user.name, at=caller.at, because="logout"
        )
        logins.record_end(
            caller.centre, ended, by=caller.user.name, because="logout", address=caller.address
        )
    response.delete_cookie(COOKIE, path="/")
    response.delete_cookie(REFRESH_COOKIE, path=REFRESH_PATH)


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


def party_of(request: Request) -> webauthn.Party | None:
    """Return for whom passkeys answer here; the port is the socket's, no header is believed."""
    server = request.scope.get("server") or ("", 0)
    return second_factor.party_of(centre_of(request).settings, int(server[1] or 0))


def step_view(
    begun: second_factor.Begun, party: webauthn.Party | None
) -> access_schemas.SecondStep:
    """Return what a person is asked."""
    return access_schemas.SecondStep(
        ticket=begun.ticket,
        expires_at=begun.expires_at,
        ways=[way.value for way in begun.ways],
        challenge=encoding.base64url(begun.challenge),
        party=party.id if party else "",
        credentials=[encoding.base64url(one) for one in begun.credentials],
    )


def answer_of(given: access_schemas.SecondAnswer) -> second_factor.Answer:
    """Return what a person answered. Raises NotBase64Url."""
    passkey = given.passkey
    if passkey is None:
        return second_factor.Answer(code=given.code, recovery=given.recovery)
    return second_factor.Answer(
        credential=encoding.from_base64url(passkey.credential),
        assertion=webauthn.Assertion(
            encoding.from_base64url(passkey.client_data),
            encoding.from_base64url(passkey.authenticator_data),
            encoding.from_base64url(passkey.signature),
        ),
    )


def set_cookies(request: Request, response: Response, pair: logins.Pair) -> None:
    """Give a browser the tokens of its login."""
    for name, issued, path in (
        (COOKIE, pair.access, "/"),
        (REFRESH_COOKIE, pair.refresh, REFRESH_PATH),
    ):
        response.set_cookie(
            name,
            issued.token,
            httponly=True,
            samesite="strict",
            secure=request.url.scheme == "https",
            expires=issued.expires_at,
            path=path,
        )


def _answer(request: Request, response: Response, pair: logins.Pair) -> access_schemas.LoginAnswer:
    set_cookies(request, response, pair)
    return login_answer(pair)


def login_answer(pair: logins.Pair) -> access_schemas.LoginAnswer:
    """Return the tokens of a login as they are told."""
    return access_schemas.LoginAnswer(
        token=pair.access.token,
        expires_at=pair.access.expires_at,
        refresh_token=pair.refresh.token,
        refresh_until=pair.refresh.expires_at,
        ends_at=pair.ends_at,
    )
