"""The flow's events as plain JSON values, for the engine's records and messages.

Called by controlplane.engine. An event is an object with its class name under `event`.
"""

from typing import Any

import msgspec

from sentienguard.flow import incident as flow
from sentienguard.model import errors

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


def encode(event: flow.Event) -> dict[str, Any]:
    """Return the event as JSON values."""
    values: dict[str, Any] = msgspec.to_builtins(event)
    return {"event": type(event).__name__, **values}


def decode(message: dict[str, Any]) -> flow.Event:
    """Return the event of a message. Raises Broken on one that this version does not know."""
    values = dict(message)
    kind = _KINDS.get(values.pop("event", ""))
    if kind is None:
        text = f"event of an incident: expected one of {sorted(_KINDS)}, found {message!r}"
        raise errors.Broken(text)
    event: flow.Event = msgspec.convert(values, kind)
    return event
