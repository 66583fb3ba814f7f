"""Many seeds, one after another, with what they showed added up.

Called by `__main__`, tests/simulation and `planted`.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from sentienguard.simulation import signatures, world


@dataclass(slots=True)
class Report:
    """What a search found."""

    seeds: int = 0
    steps: int = 0
    hours: float = 0.0
    tally: Counter[str] = field(default_factory=Counter)
    failed: list[world.Outcome] = field(default_factory=list)


def search(
    seeds: Iterable[int],
    size: world.Size,
    *,
    most_failures: int = 1,
    told: Callable[[Report], None] = lambda _: None,
) -> Report:
    """Run seeds until that many have failed."""
    report = Report()
    with signatures.remembered():
        for seed in seeds:
            outcome = world.World(seed, size).run()
            report.seeds += 1
            report.steps += outcome.steps
            report.hours += size.hours
            report.tally += outcome.tally
            if outcome.violations:
                report.failed.append(outcome)
            told(report)
            if len(report.failed) >= most_failures:
                break
    return report
