"""Strict reading of payload members: exact names, exact types, bounded text.

Called by the files of trust that define a document. Each message says which member of which
document, what was expected and what came.
"""

import re
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sentienguard.trust import canonical, dsse

DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}\Z")
INCIDENT: Final = re.compile(r"inc_[0-9]{8}_[0-9]{6}_[0-9a-f]{8}\Z")
KEY_ID: Final = re.compile(r"[0-9a-f]{16}\Z")
NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,63}\Z")  # playbooks and parameters
NONCE: Final = re.compile(r"[0-9a-f]{32,64}\Z")
ORDER: Final = re.compile(r"ord_[0-9a-f]{16}\Z")
TOKEN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+\-]{0,63}\Z")  # versions, agents, environments
LINE: Final = re.compile(r"[^\x00-\x1f\x7f]{0,1024}\Z")  # one line of text for people
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST_MS: Final = 253_402_300_799_999  # 9999-12-31, where datetime ends


def document(
    payload: bytes, what: str, members: AbstractSet[str], optional: AbstractSet[str] = frozenset()
) -> dict[str, Any]:
    """Read a canonical object with version 1 and exactly these members besides `v`.

    `optional` ones may be left out; unknown ones are refused, so that a reader that does not know
    a restriction never takes the document without it.
    """
    try:
        found = canonical.decode_object(payload)
    except canonical.NotCanonical as error:
        raise dsse.NotTrusted(f"{what}: {error}") from error
    if found.get("v") != 1 or found["v"] is True:
        raise dsse.NotTrusted(f"{what}: expected format version 1, got {found.get('v')!r}")
    return exact(found, what, members | {"v"} | (optional & set(found)))


def exact(found: Any, what: str, members: AbstractSet[str]) -> dict[str, Any]:
    """Return an object that has exactly these members."""
    if not isinstance(found, dict):
        raise dsse.NotTrusted(f"{what}: expected an object, got {_kind(found)}")
    if set(found) != members:
        missing, unknown = sorted(members - set(found)), sorted(set(found) - members)
        raise dsse.NotTrusted(f"{what}: missing members {missing}, unknown members {unknown}")
    return found


def text(found: Mapping[str, Any], name: str, what: str, pattern: re.Pattern[str]) -> str:
    """Return a text member that matches the whole pattern."""
    value = found[name]
    if not isinstance(value, str) or pattern.match(value) is None:
        raise dsse.NotTrusted(f"{what}: {name} is {str(value)[:60]!r}, expected {pattern.pattern}")
    return value


def integer(found: Mapping[str, Any], name: str, what: str, low: int, high: int) -> int:
    """Return an integer member within bounds, both included."""
    value = found[name]
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise dsse.NotTrusted(f"{what}: {name} is {str(value)[:60]!r}, expected {low} to {high}")
    return value


def truth(found: Mapping[str, Any], name: str, what: str) -> bool:
    """Return a boolean member."""
    value = found[name]
    if not isinstance(value, bool):
        raise dsse.NotTrusted(f"{what}: {name} is {str(value)[:60]!r}, expected true or false")
    return value


def array(found: Mapping[str, Any], name: str, what: str, limit: int) -> list[Any]:
    """Return a list member of at most `limit` elements."""
    value = found[name]
    if not isinstance(value, list) or len(value) > limit:
        raise dsse.NotTrusted(f"{what}: {name} is not a list of at most {limit}")
    return value


def texts(
    found: Mapping[str, Any], name: str, what: str, key: re.Pattern[str], limit: int
) -> dict[str, str]:
    """Return a member that maps names to lines of text."""
    value = found[name]
    if not isinstance(value, dict) or len(value) > limit:
        raise dsse.NotTrusted(f"{what}: {name} is not an object of at most {limit} members")
    for member, member_value in value.items():
        if key.match(member) is None:
            raise dsse.NotTrusted(f"{what}: {name} has a member {member[:60]!r}")
        text(value, member, f"{what}: {name}", LINE)
        assert isinstance(member_value, str)  # noqa: S101 - text() made sure; for the type checker
    return value


def moment(found: Mapping[str, Any], name: str, what: str) -> datetime:
    """Return a time member, integer milliseconds UTC on the wire."""
    return _EPOCH + timedelta(milliseconds=integer(found, name, what, 0, _LATEST_MS))


def milliseconds(at: datetime) -> int:
    """Return a time as it travels."""
    return (at - _EPOCH) // timedelta(milliseconds=1)


def _kind(value: Any) -> str:
    return "null" if value is None else f"a {type(value).__name__}"
