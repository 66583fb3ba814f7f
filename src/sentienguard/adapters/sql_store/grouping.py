"""What one question about several of something found, by whose it is. Pure.

Called by the stores that are asked about many at once.
"""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import Row

Owner = TypeVar("Owner", bound=Hashable)
Noun = TypeVar("Noun")


def grouped(
    rows: Iterable[Row[Any]], owner: Callable[[Row[Any]], Owner], read: Callable[[Row[Any]], Noun]
) -> Mapping[Owner, Sequence[Noun]]:
    """Return what `read` makes of each row by its `owner`, in the order of the rows.

    Whoever owns none of them is left out.
    """
    found: dict[Owner, list[Noun]] = {}
    for row in rows:
        found.setdefault(owner(row), []).append(read(row))
    return found
