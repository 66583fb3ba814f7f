"""Errors as answers: who has to mend it, who may come again and when."""

import asyncio

import httpx
import pytest
from fastapi import FastAPI

from sentienguard.adapters.sql_store import passwords
from sentienguard.controlplane import errands, evidence_desk, problems
from sentienguard.model import errors


class NoSuchThing(errors.Rejected):
    """Not there."""


def answer(raised: Exception) -> tuple[int, str, str | None]:
    app = FastAPI()
    problems.install(app)

    @app.get("/")
    def _() -> None:
        raise raised

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://guard") as client:
            return await client.get("/")

    found = asyncio.run(ask())
    kind = found.json()["type"].removeprefix("urn:sentienguard:problem:")
    return found.status_code, kind, found.headers.get("retry-after")


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (errors.Rejected("wrong"), (422, "rejected", None)),
        (NoSuchThing("gone"), (404, "not-found", None)),
        (errors.Unavailable("away"), (503, "unavailable", "5")),
        (errors.TooMany("many"), (429, "too-many", "5")),
        (evidence_desk.TooMany("many"), (429, "too-many", "5")),
        (errands.TooMany("many"), (429, "too-many", "5")),
        (passwords.TooManyAtOnce("many"), (429, "too-many", "5")),
        (errors.Broken("broken"), (503, "broken", "5")),
    ],
)
def test_each_group_of_errors_has_its_status(
    raised: Exception, expected: tuple[int, str, str | None]
) -> None:
    assert answer(raised) == expected
