"""What a believed token says about a person. Pure.

A claim of the wrong form says nothing: no groups, no name, no time.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sentienguard.ports.identity_provider import Person

MOST_GROUPS: Final = 2000
LONGEST_GROUP: Final = 200
_LATEST: Final = 2**40  # seconds; later is no time
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def person(claims: Mapping[str, Any], *, name_claim: str, groups_claim: str) -> Person:
    """Return the person; `claims` are believed and have `iss` and `sub`."""
    return Person(
        issuer=claims["iss"],
        subject=claims["sub"],
        name=_name(claims, name_claim),
        groups=_texts(claims.get(groups_claim)),
        ways=_texts(claims.get("amr")),
        shown_at=_time(claims.get("auth_time")),
    )


def _name(claims: Mapping[str, Any], claim: str) -> str:
    """Return the name; an e-mail address counts only where the provider verified it."""
    found = claims.get(claim)
    if claim == "email" and claims.get("email_verified") is not True:
        return ""
    return found if isinstance(found, str) else ""


def _texts(found: Any) -> frozenset[str]:
    listed = [found] if isinstance(found, str) else found
    if not isinstance(listed, list) or len(listed) > MOST_GROUPS:
        return frozenset()
    return frozenset(
        one for one in listed if isinstance(one, str) and 0 < len(one) <= LONGEST_GROUP
    )


def _time(found: Any) -> datetime | None:
    if not isinstance(found, int) or isinstance(found, bool) or not 0 < found < _LATEST:
        return None
    return _EPOCH + timedelta(seconds=found)
