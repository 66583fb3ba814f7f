"""Logging a command line in through the provider: the way there, the question, the session.

No token of ours opens these four: the first begins, the next two know the browser by a cookie that
the provider's answer gave it, the last takes a code and the verifier that it was given for.
"""

from http import HTTPStatus
from typing import Annotated, Any, Final
from urllib.parse import parse_qs, urlencode

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from starlette.concurrency import run_in_threadpool

from sentienguard.controlplane import command_line, command_line_request, single_sign_on
from sentienguard.controlplane.api import access_schemas, auth, command_line_page
from sentienguard.controlplane.api.caller import address_of, centre_of
from sentienguard.controlplane.api.single_sign_on import question_cookie, required, send
from sentienguard.controlplane.problems import ProblemError
from sentienguard.controlplane.single_sign_on import NotLoggedIn

router = APIRouter(prefix="/api/v1/auth/command-line", tags=["auth"])
Digest = Annotated[
    str, Query(pattern=command_line_request.DIGEST, description="base64url of 32 bytes")
]
Machine = Annotated[str, Query(pattern=command_line_request.MACHINE)]
Port = Annotated[
    int,
    Query(
        ge=0, le=command_line_request.HIGHEST_PORT, description="of 127.0.0.1; 0: shown, to paste"
    ),
]
LONGEST_FORM: Final = 1000  # bytes
NO: Final = "access_denied"  # RFC 6749's word for a person's no
_HTML: Final[dict[str, Any]] = {"content": {"text/html": {"schema": {"type": "string"}}}}
_NO_QUESTION: Final[dict[int | str, dict[str, Any]]] = {
    403: {"description": "this browser is asked nothing", **_HTML}
}
_FORM: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/x-www-form-urlencoded": {
                "schema": {
                    "type": "object",
                    "required": ["mark", "answer"],
                    "properties": {
                        "mark": {"type": "string", "description": "of the page that asked"},
                        "answer": {"enum": ["yes", "no"]},
                    },
                }
            }
        },
    }
}


@router.get("", status_code=HTTPStatus.SEE_OTHER, response_class=RedirectResponse)
def begin(
    request: Request, challenge: Digest, state: Digest, machine: Machine, port: Port = 0
) -> RedirectResponse:
    """Send the browser to the provider, for a command line that waits for a code."""
    sign_on = required(request)
    wanted = command_line_request.read(challenge, state, port, machine)
    return send(request, command_line.begin(centre_of(request), sign_on, wanted))


@router.get("/confirm", response_class=HTMLResponse, responses=_NO_QUESTION)
def question(request: Request) -> HTMLResponse:
    """Ask the person who signed in whether the command line is theirs."""
    secret = _secret(request)
    required(request)
    try:
        asked = command_line.question(centre_of(request), secret)
    except NotLoggedIn:
        return _page(command_line_page.over(), status=HTTPStatus.FORBIDDEN)
    shown = command_line_page.question(asked, command_line.mark(secret), command_line_request.PAGE)
    return _page(shown, port=asked.wanted.port)


@router.post(
    "/confirm",
    response_class=HTMLResponse,
    responses={**_NO_QUESTION, 303: {"description": "to the command line, with its code or a no"}},
    openapi_extra=_FORM,
)
async def answer(request: Request) -> Response:
    """Take the person's answer: give the command line its code, or nothing."""
    body = await request.body()
    return await run_in_threadpool(_answer, request, body)


@router.post("/session")
def session(given: access_schemas.CommandLineCode, request: Request) -> access_schemas.LoginAnswer:
    """Give a command line its tokens for its code; no cookie is set."""
    required(request)
    address = address_of(request)
    try:
        pair = command_line.redeem(centre_of(request), given.code, given.verifier, address)
    except NotLoggedIn as cause:
        single_sign_on.refused(centre_of(request), cause, address)
        detail = "the code is unknown, over, used, or another command line's; log in again"
        raise ProblemError(HTTPStatus.UNAUTHORIZED, "unauthenticated", detail) from cause
    return auth.login_answer(pair)


def _answer(request: Request, body: bytes) -> Response:
    required(request)
    centre = centre_of(request)
    said = _form(body)
    try:
        asked = command_line.answered(centre, _secret(request), said.get("mark", ""))
    except NotLoggedIn as cause:
        single_sign_on.refused(centre, cause, address_of(request))
        return _page(command_line_page.over(), status=HTTPStatus.FORBIDDEN)
    by_hand = asked.wanted.port == command_line_request.BY_HAND
    if said.get("answer") != "yes":
        no = command_line.denied(asked)
        single_sign_on.refused(centre, no, address_of(request))
        shown = _page(command_line_page.refused()) if by_hand else _back(asked, error=NO)
        return _forget(request, shown)
    made = command_line.agreed(centre, asked)
    shown = _page(command_line_page.code(asked, made)) if by_hand else _back(asked, code=made)
    return _forget(request, shown)


def _back(asked: command_line.Question, **said: str) -> Response:
    """Send the browser to the command line on its own machine."""
    query = urlencode({**said, "state": asked.wanted.state})
    place = command_line_page.loopback(asked.wanted.port)
    return RedirectResponse(f"{place}/?{query}", HTTPStatus.SEE_OTHER)


def _form(body: bytes) -> dict[str, str]:
    """Return the first value of each field; of what is no form, nothing."""
    try:
        found = parse_qs(body[:LONGEST_FORM].decode(), max_num_fields=8)
    except ValueError:
        return {}
    return {name: values[0] for name, values in found.items()}


def _secret(request: Request) -> str:
    return request.cookies.get(question_cookie(request), "")[:100]


def _page(text: str, *, port: int = 0, status: HTTPStatus = HTTPStatus.OK) -> HTMLResponse:
    headers = {"Content-Security-Policy": command_line_page.policy(port)}
    return HTMLResponse(text, status, headers=headers)


def _forget(request: Request, answered: Response) -> Response:
    secure = request.url.scheme == "https"
    answered.delete_cookie(
        question_cookie(request), path="/", secure=secure, httponly=True, samesite="lax"
    )
    return answered
