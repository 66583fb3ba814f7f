"""What came of one drill, and whether it was right. Pure: answers of the API in, a verdict out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sentienguard.cli.drills import definition, drill
from sentienguard.cli.drills.scoring import Check

_TRIED = frozenset({"success", "failed", "timed_out", "stopped", "not_undoable"})
_TO_PEOPLE = frozenset({"escalated", "rejected", "expired", "failed"})


@dataclass(frozen=True, slots=True)
class Told:
    """One incident of the bed's host, as it ended or stands."""

    incident: str
    metric: str
    subject: str
    status: str
    outcome: str  # empty while it is not closed
    playbook: str  # the one that was decided on; empty: none
    asked: bool  # a person was asked
    acted: bool  # a step of a remedy was really tried
    opened_s: float  # seconds after the fault
    closed_s: float | None
    summary: str


@dataclass(frozen=True, slots=True)
class Case:
    """One run of one drill."""

    name: str
    kind: str
    about: str
    bed: str  # kind of bed that was used; empty: none could be made
    expected: str
    ended: str  # in a word: an outcome, or `left alone`, `not injected`, `broke`
    playbook: str
    checks: tuple[Check, ...]
    told: tuple[Told, ...]
    harmed: tuple[str, ...]  # invariants that did not hold
    noticed_s: float | None  # from the fault to the incident
    seconds: float | None  # from the fault to the verified end
    unattended: bool  # resolved, and no person was asked
    rollback: bool | None  # whether an undo restored everything; None: there was none
    took_s: float = 0.0  # of the whole run, with making the bed
    trouble: str = ""  # why nothing could be learnt; empty: it could
    started: str = ""  # when, ISO 8601

    @property
    def passed(self) -> bool:
        """Tell whether everything was right."""
        return not self.trouble and all(one.passed for one in self.checks)

    def document(self) -> dict[str, Any]:
        """Return it as JSON data."""
        return {
            "name": self.name,
            "kind": self.kind,
            "about": self.about,
            "bed": self.bed,
            "passed": self.passed,
            "expected": self.expected,
            "ended": self.ended,
            "playbook": self.playbook,
            "unattended": self.unattended,
            "noticed_s": self.noticed_s,
            "seconds": self.seconds,
            "rollback_restored": self.rollback,
            "harmed": list(self.harmed),
            "checks": [
                {"name": one.name, "passed": one.passed, "detail": one.detail}
                for one in self.checks
            ],
            "incidents": [
                {
                    "id": one.incident, "metric": one.metric, "subject": one.subject,
                    "status": one.status, "outcome": one.outcome, "playbook": one.playbook,
                    "asked": one.asked, "acted": one.acted, "opened_s": one.opened_s,
                    "closed_s": one.closed_s, "summary": one.summary,
                }
                for one in self.told
            ],
            "took_s": self.took_s,
            "trouble": self.trouble,
            "started": self.started,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Seen:
    """What a run saw."""

    told: tuple[Told, ...]
    invariants: Sequence[drill.Invariant] = ()
    present: bool = True  # the fault was there after it was injected
    gone: bool | None = None  # what was broken works; None: the drill does not ask
    late: bool = field(default=False)  # the limit passed before everything had ended


def judge(wanted: definition.Definition, bed: str, seen: Seen) -> Case:
    """Compare what was seen with what the drill expects."""
    main = _main(wanted, seen.told)
    ended = _ended(main, seen.told)
    harmed = tuple(one.name for one in seen.invariants if not one.kept)
    expected = wanted.expected
    resolved = main is not None and main.outcome == "resolved"
    asked = any(one.asked for one in seen.told)
    undone = [one for one in seen.told if one.outcome in {"rolled_back", "failed"}]
    return Case(
        name=wanted.name,
        kind=wanted.kind,
        about=wanted.about,
        bed=bed,
        expected=expected.sentence,
        ended=ended,
        playbook=main.playbook if main else "",
        checks=tuple(_checks(wanted, seen, main, ended)),
        told=seen.told,
        harmed=harmed,
        noticed_s=main.opened_s if main else None,
        seconds=main.closed_s if main and resolved else None,
        unattended=resolved and not asked and bool(seen.gone) and not harmed,
        rollback=not harmed if undone else None,
    )


def broken(wanted: definition.Definition, bed: str, trouble: str) -> Case:
    """Return the case of a run from which nothing can be learnt."""
    return Case(
        name=wanted.name, kind=wanted.kind, about=wanted.about, bed=bed,
        expected=wanted.expected.sentence, ended="broke", playbook="", checks=(), told=(),
        harmed=(), noticed_s=None, seconds=None, unattended=False, rollback=None, trouble=trouble,
    )  # fmt: skip


def tell(story: Mapping[str, Any], since: float) -> Told:
    """Read an answer of GET /incidents/ID; `since` is the time of the fault, seconds of epoch."""
    incident, order = story["incident"], story["order"]
    decision = story["decision"] or {}
    steps = order["steps"] if order and not order["dry_run"] else ()
    return Told(
        incident=str(incident["id"]),
        metric=str(incident["metric"]),
        subject=str(incident["subject"]),
        status=str(incident["status"]),
        outcome=str(incident["outcome"] or ""),
        playbook=str(decision.get("playbook") or ""),
        asked=story["approval"] is not None,
        acted=any(one["phase"] == "step" and one["status"] in _TRIED for one in steps),
        opened_s=_after(incident["opened_at"], since),
        closed_s=_after(incident["closed_at"], since) if incident["closed_at"] else None,
        summary=str(incident["summary"]),
    )


def _after(moment: str, since: float) -> float:
    return round(datetime.fromisoformat(moment).timestamp() - since, 3)


def _main(wanted: definition.Definition, told: Sequence[Told]) -> Told | None:
    """Return the incident that the drill is about: of its symptom, the last that did something."""
    about = [one for one in told if not wanted.metric or one.metric == wanted.metric]
    return next((one for one in about if one.outcome == "resolved"), None) or next(
        (one for one in about if one.acted), about[0] if about else None
    )


def _ended(main: Told | None, told: Sequence[Told]) -> str:
    if main is None:
        return "left_alone" if not any(one.acted for one in told) else "acted"
    return main.outcome or main.status.lower()


def _checks(
    wanted: definition.Definition, seen: Seen, main: Told | None, ended: str
) -> list[Check]:
    expected = wanted.expected
    acted = [one for one in seen.told if one.acted]
    found = []
    if not wanted.is_decoy or wanted.present.strip():
        found.append(Check("the fault was there", seen.present, "measured after injection"))
    if wanted.is_decoy and not expected.acts:
        names = ", ".join(sorted({one.playbook for one in acted}))
        found.append(Check("left alone", not acted, f"{names} ran" if acted else "nothing ran"))
    right = _right(expected, ended, main, acted)
    detail = ended.replace("_", " ") + (f": {main.summary}" if main and not right else "")
    found.append(Check("outcome", right, detail))
    if expected.playbook:
        chosen = main.playbook if main else ""
        found.append(Check("playbook", chosen == expected.playbook, chosen or "none"))
    asked = any(one.asked for one in seen.told)
    if expected.person == "nobody" and not wanted.is_decoy:
        found.append(Check("no person", not asked, "asked" if asked else "nobody was asked"))
    if seen.gone is not None:
        detail = "it works" if seen.gone else "it does not work"
        found.append(Check("looked at directly", seen.gone, detail))
    found += [
        Check(one.name, one.kept, "unchanged" if one.kept else f"was {one.before}, is {one.after}")
        for one in seen.invariants
    ]
    if seen.late:
        found.append(Check("in time", passed=False, detail=f"not within {wanted.limit_s:.0f} s"))
    return found


def _right(
    expected: definition.Expected, ended: str, main: Told | None, acted: Sequence[Told]
) -> bool:
    if ended in expected.outcomes:
        return True
    if "left_alone" in expected.outcomes:
        return not acted
    to_people = ended in _TO_PEOPLE or (main is not None and main.status == "AWAITING_APPROVAL")
    return "escalated" in expected.outcomes and to_people
