"""Write nested nouns as JSON text and times as integers, so that they come back equal.

Called by the stores. A text is read back before it is kept: what the decoder would not return
unchanged (NaN and infinity, half a surrogate pair from a file name, a list where the noun says
tuple) is refused while its sender still listens, and is no unreadable row years later. Decoding
ignores fields that it does not know, so a newer control plane beside this one may add some.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any, Generic, TypeVar

import msgspec

from sentienguard.model import errors
from sentienguard.model.access import Role
from sentienguard.model.anomaly import Anomaly
from sentienguard.model.decision import Decision
from sentienguard.model.ids import IncidentId
from sentienguard.model.order import ExecutionReport, Order
from sentienguard.model.window import Matcher

T = TypeVar("T")
E = TypeVar("E", bound=Enum)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Form(Generic[T]):
    """How one kind of noun is written."""

    def __init__(self, name: str, kind: type[T]) -> None:
        self._name = name  # for messages
        self._decoder = msgspec.json.Decoder(kind)

    def encode(self, noun: T) -> str:
        """Return the noun as JSON text. Raises Rejected where it would not read back equal."""
        try:
            text = msgspec.json.encode(noun, enc_hook=_plain)
            same = self._decoder.decode(text) == noun
        except (UnicodeEncodeError, TypeError, msgspec.MsgspecError) as error:
            raise errors.Rejected(f"{self._name} cannot be kept as JSON: {error}") from error
        if not same:
            raise errors.Rejected(
                f"{self._name} would not read back as it was given; expected finite numbers and "
                "the types that its fields declare"
            )
        return text.decode()

    def decode(self, text: str) -> T:
        """Return what was written. Raises Broken where the text is not such a noun."""
        try:
            return self._decoder.decode(text)
        except msgspec.MsgspecError as error:
            raise errors.Broken(
                f"a stored {self._name} cannot be read: {error}; restore the row from a backup"
            ) from error


ANOMALY = Form("anomaly", Anomaly)
DECISION = Form("decision", Decision)
ENDS: Form[Mapping[str, int]] = Form("table of ends", dict[str, int])
EARLIER: Form[tuple[IncidentId, ...]] = Form("list of earlier incidents", tuple[IncidentId, ...])
MATCHERS: Form[tuple[Matcher, ...]] = Form("list of matchers", tuple[Matcher, ...])
ENVELOPE: Form[Mapping[str, Any]] = Form("signed approval", dict[str, Any])
ORDER = Form("order", Order)
REPORT = Form("execution report", ExecutionReport)
ROLES: Form[Mapping[str, Role]] = Form("table of roles", dict[str, Role])
TAGS: Form[Mapping[str, str]] = Form("table of tags", dict[str, str])


def micros(at: datetime) -> int:
    """Return microseconds since 1970 in UTC: exact, sortable, the same on both engines."""
    if at.utcoffset() is None:
        raise errors.Broken(f"time {at.isoformat()} has no time zone; give it in UTC")
    return (at - _EPOCH) // _MICROSECOND


def instant(since_epoch_us: int) -> datetime:
    """Return the UTC time that `micros` wrote."""
    return _EPOCH + timedelta(microseconds=since_epoch_us)


def instant_or_none(since_epoch_us: int | None) -> datetime | None:
    """Return the UTC time that `micros` wrote, where there is one."""
    return None if since_epoch_us is None else instant(since_epoch_us)


def member(kind: type[E], stored: str) -> E:
    """Return a stored member of an enumeration. Raises Broken where it has no such member."""
    try:
        return kind(stored)
    except ValueError as error:
        raise errors.Broken(
            f"a row says {stored!r} where a {kind.__name__} is due; it was written by a newer "
            "control plane or damaged: upgrade this one or restore the row from a backup"
        ) from error


def _plain(value: object) -> Any:
    """Turn what msgspec does not know (mapping views, NumPy's floats) into what it does."""
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, float):
        return float(value)
    raise TypeError(f"{type(value).__name__} has no place in a stored noun")
