"""The k largest or smallest of a group, with Prometheus's choice among equals.

Prometheus keeps a heap of k and replaces its worst. Where more than k values tie for the last
place, which of them stay depends on the shape of that heap, so for such steps it is played.
"""

from collections.abc import Callable

import numpy as np

from sentienguard.stages.observe.promql.values import Bools, Floats, Ints


def ranked(values: Floats, there: Bools, wanted: Ints, *, largest: bool) -> tuple[Bools, list[int]]:
    """Return which rows are chosen at each step, and all rows in the order of the last step."""
    rows, steps = values.shape
    # As keys in which more is better; NaN is worst, what is not there is not even that.
    keys = np.where(np.isnan(values), -np.inf, values if largest else -values)
    nan = np.isnan(values)
    order = np.lexsort(
        (np.broadcast_to(np.arange(rows)[:, None], keys.shape), -keys, nan, ~there), axis=0
    )
    places = np.empty_like(order)
    np.put_along_axis(places, order, np.broadcast_to(np.arange(rows)[:, None], keys.shape), axis=0)
    chosen = there & (places < wanted)
    for step in range(steps):
        present = np.flatnonzero(there[:, step])
        k = int(wanted[step])
        if 0 < k < len(present) and _ties(keys[:, step], nan[:, step], order[:, step], k):
            kept = _played(keys[present, step], nan[present, step], k)
            chosen[:, step] = False
            chosen[present[kept], step] = True
    return chosen, order[:, -1].tolist() if steps else []


def _ties(keys: Floats, nan: Bools, order: Ints, k: int) -> bool:
    last, next_one = order[k - 1], order[k]
    return bool(nan[last] == nan[next_one] and keys[last] == keys[next_one])


def _played(keys: Floats, nan: Bools, k: int) -> list[int]:
    """Keep the best k by a binary heap whose root is the worst, as Go's container/heap does."""
    heap: list[int] = []

    def worse(left: int, right: int) -> bool:
        if nan[left]:
            return True
        return bool(not nan[right] and keys[left] < keys[right])

    for one in range(len(keys)):
        if len(heap) == k:
            if not (nan[heap[0]] or keys[heap[0]] < keys[one]):
                continue
            _pop(heap, worse)
        heap.append(one)
        _up(heap, worse)
    return heap


def _pop(heap: list[int], worse: Callable[[int, int], bool]) -> None:
    last = heap.pop()
    if heap:
        heap[0] = last
        _down(heap, worse)


def _up(heap: list[int], worse: Callable[[int, int], bool]) -> None:
    at = len(heap) - 1
    while at:
        parent = (at - 1) // 2
        if not worse(heap[at], heap[parent]):
            return
        heap[at], heap[parent] = heap[parent], heap[at]
        at = parent


def _down(heap: list[int], worse: Callable[[int, int], bool]) -> None:
    at = 0
    while (child := 2 * at + 1) < len(heap):
        if child + 1 < len(heap) and worse(heap[child + 1], heap[child]):
            child += 1
        if not worse(heap[child], heap[at]):
            return
        heap[at], heap[child] = heap[child], heap[at]
        at = child
