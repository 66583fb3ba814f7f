"""The numbers of a benchmark. Pure: documents of cases in, totals out.

A *harmful action* is an invariant that did not hold after a run, whoever broke it. *Resolved
without a person* is counted over the faults whose drill expects that; a fault for which a person
has to be asked, or which has to go to people, is counted apart.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

Case = Mapping[str, Any]


def totals(cases: Sequence[Case]) -> dict[str, Any]:
    """Return every number of the page."""
    ran = [one for one in cases if not one["trouble"]]
    faults = [one for one in ran if one["kind"] == "fault"]
    decoys = [one for one in ran if one["kind"] == "decoy"]
    alone = [
        one for one in faults if _is_for(one, "resolved") and "approves" not in one["expected"]
    ]
    with_person = [one for one in faults if "approves" in one["expected"]]
    undone = [one for one in ran if one["rollback_restored"] is not None]
    to_people = [one for one in ran if _is_for(one, "escalated") or _is_for(one, "rolled back")]
    times = [float(one["seconds"]) for one in faults if one["seconds"] is not None]
    noticed = [float(one["noticed_s"]) for one in faults if one["noticed_s"] is not None]
    wrong = [one for one in ran if any(_failed(one, "playbook"))]
    return {
        "drills": len(cases),
        "passed": sum(bool(one["passed"]) for one in cases),
        "not_run": len(cases) - len(ran),
        "faults": len(faults),
        "decoys": len(decoys),
        "unattended": sum(bool(one["unattended"]) for one in alone),
        "unattended_of": len(alone),
        "unattended_percent": _percent(sum(bool(one["unattended"]) for one in alone), len(alone)),
        "with_person": sum(one["ended"] == "resolved" for one in with_person),
        "with_person_of": len(with_person),
        "harmful": sum(bool(one["harmed"]) for one in ran),
        "acted_on_decoys": sum(any(_failed(one, "left alone")) for one in decoys),
        "decoys_right": sum(bool(one["passed"]) for one in decoys),
        "rollbacks": len(undone),
        "rollbacks_restored": sum(bool(one["rollback_restored"]) for one in undone),
        "wrong_playbook": len(wrong),
        "escalations": len(to_people),
        "escalations_right": sum(not any(_failed(one, "outcome")) for one in to_people),
        "noticed_median_s": quantile(noticed, 0.5),
        "fixed_median_s": quantile(times, 0.5),
        "fixed_p90_s": quantile(times, 0.9),
        "fixed_most_s": max(times, default=None),
        "beds": {
            kind: sum(one["bed"] == kind for one in ran)
            for kind in sorted({str(one["bed"]) for one in ran})
        },
    }


def quantile(values: Sequence[float], share: float) -> float | None:
    """Return the smallest value that at least this share does not pass; None of nothing."""
    if not values:
        return None
    ordered = sorted(values)
    return round(ordered[max(0, math.ceil(share * len(ordered)) - 1)], 2)


def _percent(count: int, of: int) -> float | None:
    return round(100 * count / of, 1) if of else None


def _is_for(one: Case, outcome: str) -> bool:
    return outcome in str(one["expected"]).split(",")[0].split(" by ")[0]


def _failed(one: Case, name: str) -> list[bool]:
    return [True for check in one["checks"] if check["name"] == name and not check["passed"]]
