"""What SQLite says, in the words of the port."""

import contextlib
import math
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from sentienguard.model import errors
from sentienguard.model.telemetry import Series
from sentienguard.ports.metric_store import MetricStoreBusy, MetricStoreDamaged, MetricStoreFull

_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


class ReadingRefused(errors.Rejected):
    """A reading is no finite number; the sample that holds it was not kept."""


def check_finite(series: Series, value: float) -> None:
    """Refuse what is no finite number: it would spoil every average that it enters."""
    if not math.isfinite(value):
        raise ReadingRefused(
            f"the reading of {series} is {value}: expected a finite number; leave it out"
        )


@contextlib.contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn errors of SQLite into those of the port."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the low byte is the primary code
        if code == sqlite3.SQLITE_FULL:
            raise MetricStoreFull(
                f"the metric store {path} is full and kept nothing of this call: free space on its "
                "disk, raise its limit, or keep fewer days"
            ) from error
        if code in _DAMAGED:
            raise MetricStoreDamaged(
                f"the metric store {path} cannot be read ({error}): check the disk, then restore "
                "it from a copy or move it away to begin a new one"
            ) from error
        raise MetricStoreBusy(
            f"the metric store {path} cannot be used just now ({error}): the same call may succeed "
            "later; check that its directory exists and can be written"
        ) from error
