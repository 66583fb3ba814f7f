"""Take parts out of an object as a cluster's API gives it, whatever it really holds.

Objects come from hosts and people; a field of the wrong type is treated as one that is not there.
"""

import re
from collections.abc import Mapping
from typing import Final

from sentienguard.model import diagnosis

_MAPPING: Final = (dict, Mapping)  # the first is nearly always it, and cheap to ask
NOTHING: Final[diagnosis.PlainObject] = {}
_QUANTITY = re.compile(r"^\s*(\d+(?:\.\d+)?(?:e\d+)?)\s*([A-Za-z]*)\s*$")
_UNITS: Final[Mapping[str, float]] = {
    "": 1.0, "n": 1e-9, "u": 1e-6, "m": 1e-3, "k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12,
    "P": 1e15, "Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40, "Pi": 2.0**50,
}  # fmt: skip


def at(thing: object, *path: str) -> object:
    """Return what stands at the end of a path of keys, None where there is nothing."""
    for key in path:
        if not isinstance(thing, _MAPPING):
            return None
        thing = thing.get(key)
    return thing


def text(thing: object, *path: str) -> str:
    """Return the text there; numbers as text, everything else as none."""
    found = at(thing, *path)
    if isinstance(found, bool):
        return "true" if found else "false"
    return str(found) if isinstance(found, str | int | float) else ""


def whole(thing: object, *path: str) -> int | None:
    """Return the whole number there."""
    found = at(thing, *path)
    if isinstance(found, bool):
        return None
    if isinstance(found, str) and found.isdigit():
        return int(found)
    return found if isinstance(found, int) else None


def true(thing: object, *path: str) -> bool:
    """Tell whether it says true there."""
    return at(thing, *path) is True


def each(thing: object, *path: str) -> tuple[diagnosis.PlainObject, ...]:
    """Return the objects of the list there."""
    found = at(thing, *path)
    if not isinstance(found, list | tuple):
        return ()
    return tuple(one for one in found if isinstance(one, Mapping))


def words(thing: object, *path: str) -> tuple[str, ...]:
    """Return the texts of the list there."""
    found = at(thing, *path)
    if not isinstance(found, list | tuple):
        return ()
    return tuple(one for one in found if isinstance(one, str))


def mapping(thing: object, *path: str) -> dict[str, str]:
    """Return the names and texts there."""
    found = at(thing, *path)
    if not isinstance(found, Mapping):
        return {}
    return {str(key): text(found, key) for key in sorted(found, key=str)}


def has(thing: object, *path: str) -> bool:
    """Tell whether there is anything but an empty value."""
    return bool(at(thing, *path))


def quantity(spelling: str) -> float | None:
    """Read a resource quantity (`130m`, `300Mi`, `2`) in its base unit; None if it is none."""
    found = _QUANTITY.match(spelling)
    if not found or found.group(2) not in _UNITS:
        return None
    return float(found.group(1)) * _UNITS[found.group(2)]


def is_selected(labels: Mapping[str, str], selector: Mapping[str, str]) -> bool:
    """Tell whether a selector, which must not be empty, takes something with these labels."""
    return bool(selector) and all(labels.get(name) == value for name, value in selector.items())
