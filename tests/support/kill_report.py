"""What came of killing, as figures.

Called by tests.support.kill_harness, which fills it in, and by whoever prints it.
"""

import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.support import kill_history


@dataclass
class Report:
    """What came of it."""

    findings: list[kill_history.Finding] = field(default_factory=list)
    kills: Counter[str] = field(default_factory=Counter)  # by kind of process
    acknowledged: int = 0
    entries: int = 0
    incidents: Counter[str] = field(default_factory=Counter)  # outcomes
    orders: int = 0
    recoveries: dict[str, list[float]] = field(default_factory=dict)  # by kind of process
    resumptions: list[float] = field(default_factory=list)  # from the centre's start to a sample
    strays: int = 0  # processes of services that their host did not know of any more
    rounds: int = 0
    seconds: float = 0.0

    def figures(self) -> dict[str, Any]:
        """Return it as figures."""
        rules = Counter(one.rule for one in self.findings)
        every = [one for some in self.recoveries.values() for one in some]
        return {
            "kills": self.kills.total(),
            "kills_by_process": dict(sorted(self.kills.items())),
            "acknowledged": self.acknowledged,
            "audit_entries": self.entries,
            "incidents": self.incidents.total(),
            "incidents_by_outcome": dict(sorted(self.incidents.items())),
            "orders": self.orders,
            "lost": rules["lost"] + rules["log"] + rules["refused"],
            "executed_twice": rules["twice"],
            "without_intent": rules["no_intent"],
            "stuck": rules["stuck"],
            "other_findings": rules["outcome"] + rules["harness"],
            **_spread("recovery", every),
            **{
                f"recovery_of_{name.replace(' ', '_')}": _spread("seconds", found)
                for name, found in sorted(self.recoveries.items())
            },
            "from_start_of_control_plane_to_next_sample": _spread("seconds", self.resumptions),
            "stray_services": self.strays,
            "rounds": self.rounds,
            "seconds": round(self.seconds, 1),
        }


def _spread(name: str, found: Sequence[float]) -> dict[str, Any]:
    ordered = sorted(found)
    if not ordered:
        return {f"{name}_count": 0}
    return {
        f"{name}_count": len(ordered),
        f"{name}_p50_s": round(statistics.median(ordered), 3),
        f"{name}_p99_s": round(ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))], 3),
        f"{name}_max_s": round(ordered[-1], 3),
    }
