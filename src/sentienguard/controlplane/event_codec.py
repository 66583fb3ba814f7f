"""The flow's events as the engine records and sends them: plain JSON values, sealed.

Called by controlplane.engine. An event is an object with its class name under `event`. Its JSON
text is sealed for its place and kept as one text; an object is what an earlier release recorded.

msgspec learns what a class holds when it first reads one, and where two threads do so at once it
reads what is not there yet: the process ends with a segmentation fault. It was seen at a start with
several open incidents. So every class is learned when its module is imported, here and elsewhere,
by a Decoder; `tests/unit/test_msgspec_types.py` looks for the others.
"""

import json
from typing import Any

import msgspec

from sentienguard.flow import incident as flow
from sentienguard.model import errors
from sentienguard.ports import sealing

_KINDS: dict[str, type[Any]] = {
    kind.__name__: kind
    for kind in (
        flow.Decided,
        flow.Answered,
        flow.Released,
        flow.OrderEnded,
        flow.Settled,
        flow.Recovered,
        flow.Withdrawn,
        flow.NothingCame,
    )
}
_LEARNED = tuple(msgspec.json.Decoder(kind) for kind in _KINDS.values())


def encode(event: flow.Event) -> dict[str, Any]:
    """Return the event as JSON values."""
    values: dict[str, Any] = msgspec.to_builtins(event)
    return {"event": type(event).__name__, **values}


def decode(message: dict[str, Any]) -> flow.Event:
    """Return the event of a message. Raises Broken on one that this version does not know."""
    values = dict(message)
    name = values.pop("event", "")
    kind = _KINDS.get(name)
    if kind is None:  # what it says stays out of the message, which is logged
        text = f"event of an incident: expected one of {sorted(_KINDS)}, found {name!r}"
        raise errors.Broken(text)
    event: flow.Event = msgspec.convert(values, kind)
    return event


class SealedEvents:
    """Events as texts that open in their own place only; see ports.sealing for what it raises."""

    def __init__(self, sealer: sealing.Sealer) -> None:
        self._sealer = sealer

    def seal(self, event: flow.Event, place: str) -> str:
        """Return what is recorded or sent."""
        return self._sealer.seal(json.dumps(encode(event)).encode(), place).decode()

    def open(self, kept: str | dict[str, Any], place: str) -> flow.Event:
        """Return what it means. Raises Broken on what was changed, moved, or is not known here."""
        if isinstance(kept, dict):
            return decode(kept)
        return decode(json.loads(self._sealer.unseal(kept.encode(), place)))
