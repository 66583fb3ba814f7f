"""How new is what is known of vulnerabilities, and what was not judged for the want of it.

Called by `advisories.py`. What is unread is said in capitals and with its age, never passed over.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from locked import Package

OLD_DAYS: Final = 30  # from then on the age is told loudly


def answered(
    known: Mapping[str, Any],
    records: Sequence[Mapping[str, Any]],
    packages: Sequence[Package],
    today: dt.date,
) -> dict[str, Any]:
    """Return what is known with the registry's answer in the place of its last one."""
    kept = [one for one in known["records"] if not one.get("answered")]
    asked = sorted(f"{one.name}@{one.version}" for one in packages if one.ecosystem == "npm")
    return {
        **known,
        "answer": {"on": today.isoformat(), "about": asked},
        "records": [*kept, *({**one, "answered": True} for one in records)],
    }


def all_read(known: Mapping[str, Any], today: dt.date, unread: str) -> bool:
    """Tell whether what is known of every ecosystem is of today, or not old."""
    fresh = {
        system
        for system, day in known["newest"].items()
        if (today - dt.date.fromisoformat(day)).days <= OLD_DAYS
    }
    return "PyPI" in fresh and (not unread or "npm" in fresh)


def by_records(
    known: Mapping[str, Any], packages: Sequence[Package], today: dt.date
) -> Iterator[str]:
    """Say of which day the records are."""
    for ecosystem in ("PyPI", "npm"):
        day = known["newest"].get(ecosystem)
        if day is None:
            if ecosystem == "PyPI":  # npm's registry is asked as well, see by_answer
                yield f"{ecosystem}: {_counted(packages, ecosystem)} NOT JUDGED: no records"
            continue
        age = (today - dt.date.fromisoformat(day)).days
        late = f"; OLD, refresh it: later ones are not known ({age} days)" * (age > OLD_DAYS)
        yield f"{ecosystem}: {_counted(packages, ecosystem)} against records up to {day}{late}"


def by_answer(
    known: Mapping[str, Any], packages: Sequence[Package], unread: str, today: dt.date
) -> Iterator[str]:
    """Say what the npm registry said today, or how old its last answer is."""
    counted, last = _counted(packages, "npm"), known.get("answer")
    if not unread:
        yield f"npm: {counted}, asked of the registry today"
        return
    yield f"npm: COULD NOT BE READ, so nothing newer is known: {unread}"
    if last is None:
        records = " but by the records" * ("npm" in known["newest"])
        yield f"npm: {counted} NOT JUDGED{records}: no registry ever answered"
        return
    about = set(last["about"])
    new = sum(one.ecosystem == "npm" and f"{one.name}@{one.version}" not in about
              for one in packages)  # fmt: skip
    age = (today - dt.date.fromisoformat(last["on"])).days
    yield f"npm: {counted} by the answer of {last['on']} ({age} days); {new} NOT JUDGED, as newer"


def _counted(packages: Sequence[Package], ecosystem: str) -> str:
    ours = [one for one in packages if one.ecosystem == ecosystem]
    tools = sum(one.development for one in ours)
    return f"{len(ours)} versions ({len(ours) - tools} shipped, {tools} only build and test)"
