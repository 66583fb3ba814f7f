"""What a few lines do: the figures to beat, measured on the same snapshots in the same run.

For objects it is the largest robust deviation of any series since the symptom, as BARO ranks them
(median and quartiles before, the maximum after, no graph, no directions, no guard gap); for changes
the last one that was rolled out before the symptom; for alerts those that were called severe.
"""

from typing import Any

import numpy as np

from sentienguard.model import diagnosis

_SEVERE = frozenset({"sev1", "sev2"})


def predict(name: str, read: diagnosis.Snapshot) -> dict[str, Any] | None:
    """Give the scorer's line of the baseline; None where there is none for the task."""
    if name == "noisebench":
        return {"page": [one.id for one in read.alerts if one.severity in _SEVERE]}
    if name == "rootcausebench":
        return {"ranked": [{"object": one} for one in _latest(read)]}
    if not read.series or read.symptom is None:
        return None
    return {"ranked": [{"object": one} for one in _deviating(read, read.symptom.at_ms)]}


def _latest(read: diagnosis.Snapshot) -> list[str]:
    at_ms = read.symptom.at_ms if read.symptom else read.until_ms
    out = [
        one
        for one in read.changes
        if one.kind is diagnosis.ChangeKind.DEPLOY and one.at_ms <= at_ms
    ]
    return list(dict.fromkeys(one.id for one in sorted(out, key=lambda one: (-one.at_ms, one.id))))


def _deviating(read: diagnosis.Snapshot, at_ms: int) -> list[str]:
    best: dict[str, float] = {}
    for series in read.series:
        times, values = np.asarray(series.times_ms), np.asarray(series.values)
        before, after = values[times < at_ms], values[times >= at_ms]
        if before.size and after.size:
            low, level, high = np.percentile(before, (25, 50, 75))
            score = float(np.max(np.abs(after - level))) / max(float(high - low), 1e-9)
            best[series.object] = max(score, best.get(series.object, 0.0))
    return sorted(best, key=lambda name: (-best[name], name))[:10]
