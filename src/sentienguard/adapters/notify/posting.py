"""Ask a service and say what its status means for the message.

Called by the modules of the services that speak HTTP.
"""

import base64
import dataclasses
import email.utils
import json
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Any, Final

from sentienguard.ports.notifier import NotNow, NotTaken
from sentienguard.ports.outbound import Answer, NoAnswer, NotAllowed, Outbound, Request

LONGEST_WAIT_S: Final = 3600.0  # that we let a service ask for
JSON: Final = "application/json; charset=utf-8"
_SECONDS: Final = re.compile(r"[0-9]{1,6}(\.[0-9]{1,6})?\Z", re.ASCII)


def post(
    way: Outbound,
    url: str,
    document: Mapping[str, Any],
    *,
    at: datetime,
    headers: Mapping[str, str] | None = None,
    method: str = "POST",
    hide: str = "",
) -> Answer:
    """Send a JSON document and return the answer of a service that took it.

    Raises NotTaken, NotNow. Of what the service says at most a line is repeated. Whatever its
    status, its answer is without the secrets that it was told: those of the header Authorization,
    and `hide`.
    """
    body = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
    return send(way, url, body, at=at, headers={"content-type": JSON, **(headers or {})},
                method=method, hide=hide)  # fmt: skip


def send(
    way: Outbound,
    url: str,
    body: bytes,
    *,
    at: datetime,
    headers: Mapping[str, str],
    method: str = "POST",
    hide: str = "",
) -> Answer:
    """Send bytes; see `post`."""
    asked = Request(method, url, {"user-agent": "SentienGuard", **headers}, body)
    try:
        answer = way.send(asked)
    except NotAllowed as cause:
        raise NotTaken(str(cause)) from cause
    except NoAnswer as cause:
        raise NotNow(str(cause)) from cause
    answer = dataclasses.replace(answer, body=_kept(answer.body, _told(headers, hide)))
    status = answer.status
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return answer
    said = f"the service answered {status}: {shown(answer.body)}"
    if status in {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.REQUEST_TIMEOUT} or (
        status >= HTTPStatus.INTERNAL_SERVER_ERROR
    ):
        raise NotNow(said, after_s=retry_after(answer.headers, at))
    raise NotTaken(said)


def document(answer: Answer) -> dict[str, Any]:
    """Return the JSON object that a service answered. Raises NotNow where it is none."""
    try:
        found = json.loads(answer.body)
    except (ValueError, RecursionError) as cause:
        raise NotNow(f"the service answered no JSON: {shown(answer.body)}") from cause
    if not isinstance(found, dict):
        raise NotNow(f"the service answered no JSON object: {shown(answer.body)}")
    return found


def retry_after(headers: Mapping[str, str], at: datetime) -> float | None:
    """Return how many seconds a service wants to be left alone, bounded (RFC 9110, 10.2.3)."""
    found = headers.get("retry-after", "").strip()
    if _SECONDS.match(found):
        return min(float(found), LONGEST_WAIT_S)
    try:
        until = email.utils.parsedate_to_datetime(found)
    except (TypeError, ValueError):
        return None
    if until.tzinfo is None:
        return None
    return min(max((until - at).total_seconds(), 0.0), LONGEST_WAIT_S)


def without(body: bytes, secrets: Iterable[str]) -> bytes:
    """Return what a service said without our secrets, which some repeat in their errors.

    Nor as base64, in which they are sent, has them. A part of one is not found.
    """
    for one in filter(None, secrets):
        for form in (one.encode(), base64.b64encode(one.encode()).rstrip(b"=")):
            body = body.replace(form, b"***")
    return body


def _kept(body: bytes, secrets: list[str]) -> bytes:
    """Return an answer as it may be kept: `without` the secrets, also in what a JSON reader sees.

    JSON writes any character as an escape too, so that the bytes hold a secret that is not found
    in them, and whoever reads them has it in the clear.
    """
    plain = without(body, secrets)
    try:
        read = json.loads(plain)
        cleaned = _cleaned(read, secrets)
    except (ValueError, RecursionError):
        return plain
    if cleaned == read:
        return plain
    return json.dumps(cleaned, ensure_ascii=False).encode("utf-8", "replace")


def _cleaned(read: Any, secrets: list[str]) -> Any:
    if isinstance(read, str):
        return without(read.encode("utf-8", "replace"), secrets).decode()
    if isinstance(read, list):
        return [_cleaned(one, secrets) for one in read]
    if isinstance(read, dict):
        return {_cleaned(key, secrets): _cleaned(one, secrets) for key, one in read.items()}
    return read


def _told(headers: Mapping[str, str], hide: str) -> list[str]:
    """Return the secrets that a request tells, also the password of a Basic one by itself."""
    scheme, _, value = headers.get("authorization", "").partition(" ")
    told = [hide, value]
    if scheme == "Basic":
        both = base64.b64decode(value).decode()
        told += [both, both.partition(":")[2]]
    return told


def shown(body: bytes) -> str:
    """Return the beginning of an answer on one printable line."""
    text = body[:400].decode("utf-8", "replace")
    return "".join(letter if letter.isprintable() else " " for letter in text)[:200]


def path_of(url: str) -> str:
    """Return what comes after the host: of a webhook's address the secret."""
    return url.partition("://")[2].partition("/")[2]


def basic(user: str, password: str) -> str:
    """Return the value of a Basic Authorization header."""
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"


def cut(text: str, most: int) -> str:
    """Return at most so many characters, with a sign where some are missing."""
    return text if len(text) <= most else f"{text[: most - 3]}..."
