"""How long a search looks: its short form in `make test`, its long form in `make thorough`.

A test that searches says both sizes where it starts:

    SEEDS = effort.pick(300, thorough=10_000)

    @pytest.mark.timeout(effort.pick(120, thorough=4_000))
    def test_...
"""

from __future__ import annotations

import os
from typing import TypeVar

T = TypeVar("T")

THOROUGH = os.environ.get("EFFORT") == "thorough"


def pick(short: T, *, thorough: T) -> T:
    """Return the size of this run: `short` unless EFFORT=thorough is in the environment."""
    return thorough if THOROUGH else short
