"""Logging in through the organisation's provider: where browsers leave and come back.

Both answers are redirects, because a person looks at them: to the provider, to a page of ours, or
to the login page with one of a few words that it explains.
"""

from http import HTTPStatus
from typing import Annotated, Final, cast
from urllib.parse import urlencode, urlsplit

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse

from sentienguard.controlplane import command_line, command_line_request, single_sign_on
from sentienguard.controlplane.api import access_schemas, auth
from sentienguard.controlplane.api.caller import address_of, centre_of
from sentienguard.controlplane.problems import not_found
from sentienguard.controlplane.single_sign_on import Attempt, NotLoggedIn, SignOn
from sentienguard.model import addresses, errors
from sentienguard.ports.identity_provider import ProviderAway

router = APIRouter(prefix="/api/v1/auth", tags=["auth"])
CALLBACK: Final = "/api/v1/auth/provider/callback"
COMMAND_LINE_BEGIN: Final = "/api/v1/auth/command-line"
COOKIE: Final = "sentienguard_provider"
QUESTION_COOKIE: Final = "sentienguard_command_line"
Text = Annotated[str, Query(max_length=4096)]


@router.get("/ways")
def ways(request: Request) -> access_schemas.LoginWays:
    """Tell how people log in here besides name and password."""
    found, party = _configured(request), auth.party_of(request)
    return access_schemas.LoginWays(
        provider=found.file.button if found else "",
        command_line=found.file.command_line if found else (),
        command_line_at=party.origin + COMMAND_LINE_BEGIN if found and party else "",
    )


@router.get("/provider", status_code=HTTPStatus.SEE_OTHER, response_class=RedirectResponse)
def begin(request: Request, to: Text = "/") -> RedirectResponse:
    """Send the browser to the provider; `to` is the page that the login leads to."""
    return send(request, single_sign_on.begin(centre_of(request), to))


def send(request: Request, attempt: Attempt) -> RedirectResponse:
    """Send the browser to the provider and have it keep what it began."""
    sign_on = required(request)
    try:
        most_age_s = single_sign_on.most_age_s(centre_of(request), sign_on)
        asked = attempt.asked(_redirect(request), most_age_s)
        address = sign_on.provider.address(asked)
    except ProviderAway as cause:
        return _failed(request, NotLoggedIn("provider-away", str(cause)))
    answer = RedirectResponse(address, HTTPStatus.SEE_OTHER)
    answer.set_cookie(
        _cookie(request),
        attempt.cookie,
        max_age=int(single_sign_on.FOR.total_seconds()),
        httponly=True,
        samesite="lax",  # it has to come along when the provider sends the browser back
        secure=request.url.scheme == "https",
        path="/",
    )
    return answer


@router.get("/provider/callback", status_code=HTTPStatus.SEE_OTHER, response_class=RedirectResponse)
def finish(
    request: Request,
    state: Text = "",
    code: Text = "",
    error: Text = "",
    iss: Text | None = None,
) -> RedirectResponse:
    """Take the provider's answer: log in, or say on the login page why not."""
    centre, sign_on, address = centre_of(request), required(request), address_of(request)
    try:
        cookie = request.cookies.get(_cookie(request), "")
        attempt = single_sign_on.resume(centre, cookie, state, error)
        shown = single_sign_on.finish(
            centre,
            sign_on,
            attempt,
            code=code,
            issuer=iss,
            redirect=_redirect(request),
            address=address,
        )
        wanted = command_line_request.of_page(attempt.page)
        if wanted is not None:
            return _ask(request, command_line.ask(centre, wanted, shown, address))
        pair = single_sign_on.open_login(centre, shown, address)
    except NotLoggedIn as cause:
        return _failed(request, cause)
    except ProviderAway as cause:
        return _failed(request, NotLoggedIn("provider-away", str(cause)))
    answer = RedirectResponse(attempt.page, HTTPStatus.SEE_OTHER)
    auth.set_cookies(request, answer, pair)
    _forget(request, answer)
    return answer


def question_cookie(request: Request) -> str:
    """Return the name of the cookie of a browser that is asked about a command line."""
    return f"__Host-{QUESTION_COOKIE}" if request.url.scheme == "https" else QUESTION_COOKIE


def _ask(request: Request, secret: str) -> RedirectResponse:
    answer = RedirectResponse(command_line_request.PAGE, HTTPStatus.SEE_OTHER)
    answer.set_cookie(
        question_cookie(request),
        secret,
        max_age=int(command_line.ASKED_FOR.total_seconds()),
        httponly=True,
        samesite="lax",  # it is read at the end of the way that began at the provider
        secure=request.url.scheme == "https",
        path="/",
    )
    _forget(request, answer)
    return answer


def _failed(request: Request, cause: NotLoggedIn) -> RedirectResponse:
    single_sign_on.refused(centre_of(request), cause, address_of(request))
    answer = RedirectResponse(f"/login?{urlencode({'why': cause.code})}", HTTPStatus.SEE_OTHER)
    _forget(request, answer)
    return answer


def _forget(request: Request, answer: RedirectResponse) -> None:
    secure = request.url.scheme == "https"
    answer.delete_cookie(_cookie(request), path="/", secure=secure, httponly=True, samesite="lax")


def _cookie(request: Request) -> str:
    """Return the cookie's name; `__Host-` keeps neighbours of our name from setting it."""
    return f"__Host-{COOKIE}" if request.url.scheme == "https" else COOKIE


def _redirect(request: Request) -> str:
    """Return where the provider sends browsers back to.

    The owner's address, or on loopback the one that the browser asked.
    """
    settings = centre_of(request).settings
    if settings.people_origin:
        return settings.people_origin.rstrip("/") + CALLBACK
    host = request.headers.get("host", "")
    try:
        known = urlsplit(f"//{host}").hostname in addresses.LOOPBACK
    except ValueError:
        known = False
    if not known:
        raise errors.Rejected(
            "people_origin: expected the address that browsers use; without it single sign-on "
            "works on localhost alone"
        )
    return f"http://{host}{CALLBACK}"


def _configured(request: Request) -> SignOn | None:
    return cast(SignOn | None, getattr(request.app.state, "sign_on", None))


def required(request: Request) -> SignOn:
    """Return the way in through the provider. Raises 404 where there is none."""
    found = _configured(request)
    if found is None:
        raise not_found("no identity provider is set up here; see docs/how-to/single-sign-on.md")
    return found
