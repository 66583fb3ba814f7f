"""What an incident comes from, as `incidents show` tells it.

Names, evidence and reasons hold text that others wrote: all of it goes through `frame.plain`.
"""

from collections.abc import Iterator
from typing import Any

from sentienguard.cli import frame

_NO_CHANGE = "none"


def lines(found: dict[str, Any]) -> Iterator[str]:
    """Tell a diagnosis of the API to a person; nothing where nobody looked."""
    if not found["asked"]:
        return
    if found["absent"]:
        yield f"cause     no diagnosis: {frame.plain(found['absent'])}"
        return
    first = found["first"]
    if first is None:
        yield f"cause     nobody is blamed: {frame.plain(found['abstained'])}"
        return
    yield f"cause     {_cause(found, first)}"
    for name, texts in (("for", first["evidence"]), ("against", first["against"])):
        for text in texts:
            yield f"  {name:<7} {frame.plain(text)}"
    second = found["runner_up"]
    if second is not None:
        yield f"  else    {frame.plain(second['object'])} (score {second['score']:.2f})"
    for change in found["changes"][:1]:
        if change["object"] != _NO_CHANGE:
            yield f"  change  {frame.plain(change['object'])}"
    blame = found["blame"]
    if blame is not None and not blame["is_here"]:
        yield "  the remedy here would not reach it: a person decides where that is sure enough"


def _cause(found: dict[str, Any], first: dict[str, Any]) -> str:
    """Say what the diagnosis says, and no more: a hint is no cause, a place is no way."""
    here = len(first["path"]) == 1
    way = " -> ".join(frame.plain(one) for one in first["path"])
    sure = f"confidence {found['confidence']:.2f}"
    if not found["sure"]:
        hint = f"nothing points beyond {way}, where it is seen" if here else f"a hint is {way}"
        return f"not established; {hint} ({sure}, too low to go by)"
    what = f"{frame.plain(first['cause'])}; {sure}, explains {first['share']:.0%}"
    return f"{way} itself, where it is seen ({what})" if here else f"{way} ({what})"
