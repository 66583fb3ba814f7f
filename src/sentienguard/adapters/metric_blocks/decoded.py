"""The blocks that were read last, as arrays, so that a dashboard that asks again decodes nothing.

Every transaction that writes blocks empties it; a block is known by its series, its beginning, its
number of readings and its clock.
"""

import threading
from collections import OrderedDict
from typing import TypeAlias

from sentienguard.adapters.metric_blocks.columns import Column

Key: TypeAlias = tuple[int, int, int, int]  # series, start_ms, count, clock
MOST_READINGS = 4_000_000  # 16 bytes each


class Decoded:
    """Columns by block, the ones that were used last; from any thread."""

    def __init__(self, most: int = MOST_READINGS) -> None:
        """Start empty."""
        self._most = most
        self._lock = threading.Lock()
        self._columns: OrderedDict[Key, Column] = OrderedDict()
        self._readings = 0

    def get(self, key: Key) -> Column | None:
        """Return the arrays of a block, if they are still here."""
        with self._lock:
            found = self._columns.get(key)
            if found is not None:
                self._columns.move_to_end(key)
            return found

    def put(self, key: Key, column: Column) -> None:
        """Keep the arrays of a block; nobody may write to them."""
        for array in column:
            array.flags.writeable = False
        with self._lock:
            if key not in self._columns:
                self._columns[key] = column
                self._readings += len(column[0])
            while self._readings > self._most:
                _, (times, _) = self._columns.popitem(last=False)
                self._readings -= len(times)

    def clear(self) -> None:
        """Forget everything: blocks were written."""
        with self._lock:
            self._columns.clear()
            self._readings = 0
