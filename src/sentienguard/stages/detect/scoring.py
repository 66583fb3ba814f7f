"""How far a reading is from its baseline, and how bad that distance is.

    sigma >= 5 critical, >= 3 warning, >= 2 info (source: the product's own severity table)

Example: a connection pool at 98 % with baseline 42.3 +- 8.4 is (98 - 42.3) / 8.4 = 6.63 sigma away,
which is critical.
"""

from sentienguard.model.anomaly import Baseline, Severity
from sentienguard.stages.detect.kinds import Direction

CRITICAL_SIGMA = 5.0
WARNING_SIGMA = 3.0
INFO_SIGMA = 2.0


def sigma(value: float, baseline: Baseline, direction: Direction = Direction.EITHER) -> float:
    """Return the distance in standard deviations; 0 where the deviation is not a bad one."""
    return directed((value - baseline.mean) / baseline.stddev, direction)


def directed(distance: float, direction: Direction) -> float:
    """Return a distance with its sign as far as it goes in the bad direction, else 0."""
    match direction:
        case Direction.UP:
            return max(distance, 0.0)
        case Direction.DOWN:
            return max(-distance, 0.0)
        case Direction.EITHER:
            return abs(distance)


def severity(distance: float) -> Severity | None:
    """Return how bad a distance in standard deviations is; None below info."""
    if distance >= CRITICAL_SIGMA:
        return Severity.CRITICAL
    if distance >= WARNING_SIGMA:
        return Severity.WARNING
    if distance >= INFO_SIGMA:
        return Severity.INFO
    return None
