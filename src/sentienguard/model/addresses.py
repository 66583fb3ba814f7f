"""Addresses (URLs) as people write them into settings and onto command lines."""

import re
from typing import Final

_HOST_PART: Final = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.\-]*:)?//([^/?#\\]*)")


def names_somebody(address: str) -> bool:
    """Tell whether an address has a name, and perhaps a password, before its host.

    Command lines are seen by everybody on a machine, and addresses are shown and logged, so a
    password belongs into a file of its own.
    """
    found = _HOST_PART.match(address.strip())
    return "@" in (found[1] if found else address.partition("/")[0])
