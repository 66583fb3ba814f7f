"""What has to be true of a playbook, each shown by running it.

Called by the CLI and tests/playbooks. Each proof puts up hosts of its own, gives orders there and
looks at what came of it. None believes the report alone: outcome, acts and things have to agree.

    heals         the symptom stands before and is gone after; only what may change changed
    steps         every step acts in the run that heals, so that the proofs below mean all of them
    twice         the second run does nothing: SUCCESS_NO_ACTION
    failure       a failure after each step: what was done is undone, or said to be left behind
    death         the executor dies after each step: verified, undone, or said to be left behind
    decoy         a host that looks alike is left alone
    dry run       nothing acts, no program runs
"""

import fnmatch
from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

from sentienguard.model import errors, order
from sentienguard.playbook import conditions as language
from sentienguard.simulation.proving import case as cases
from sentienguard.simulation.proving import ports, reading, rehearsal
from sentienguard.stages.execute import conditions, parameters

Outcome = order.ExecutionOutcome
_UNDONE = frozenset({Outcome.ROLLED_BACK, Outcome.PARTIALLY_ROLLED_BACK})
_SHOWN = 4  # things or acts that one message names


@dataclass(frozen=True, slots=True)
class Proof:
    """One thing that was tried, and what came of it."""

    name: str  # one of those above
    passed: bool
    step: str  # the step or decoy it is about; empty: the whole
    reason: str  # what was seen: one sentence


@dataclass(frozen=True, slots=True)
class Subject:
    """What is to be proven."""

    stored: bytes  # playbook.yaml
    case: cases.Case

    def rehearsal(self, scene: cases.Scene | None = None) -> rehearsal.Rehearsal:
        """Put up a host with an executor on it."""
        return rehearsal.Rehearsal(self.stored, self.case.scene if scene is None else scene)


def prove(stored: bytes, case: bytes, *, origin: str) -> tuple[Proof, ...]:
    """Try everything. Raises BrokenPlaybook for bytes that are no playbook or no case."""
    subject = Subject(stored, reading.read(case, f"{origin}/simulation.yaml"))
    return tuple(proof for one in PROOFS for proof in one(subject))


def _heals(subject: Subject) -> Iterator[Proof]:
    run = subject.rehearsal()
    if (why := _symptom(subject, run, wanted=True)) is not None:
        yield Proof("heals", passed=False, step="", reason=why)
        return
    ended = run.give(subject.case)
    problems = [
        _unlike(ended, {Outcome.SUCCESS}),
        "nothing acted on the host" if not ended.acts else None,
        _stray(subject, ended),
        _symptom(subject, run, wanted=False) if ended.outcome is Outcome.SUCCESS else None,
    ]
    yield _judged("heals", _failed_step(ended), problems, f"{_some(ended.acts)}; symptom gone")


def _steps(subject: Subject) -> Iterator[Proof]:
    run = subject.rehearsal()
    ended = run.give(subject.case)
    idle = [step.name for at, step in enumerate(run.remedy.steps) if at not in ended.worked]
    for name in idle:
        reason = "the case never needs it; make the host such that every step has work"
        yield Proof("steps", passed=False, step=name, reason=reason)
    if not idle:
        count = len(run.remedy.steps)
        yield Proof("steps", passed=True, step="", reason=f"all {count} had work to do")


def _twice(subject: Subject) -> Iterator[Proof]:
    run = subject.rehearsal()
    first = run.give(subject.case)
    if first.outcome is not Outcome.SUCCESS:
        why = f"the first run did not heal: {first.outcome.value}"
        yield Proof("twice", passed=False, step="", reason=why)
        return
    second = run.again(subject.case)
    problems = [
        _unlike(second, {Outcome.SUCCESS_NO_ACTION}),
        f"it acted again: {_some(second.acts)}" if second.acts else None,
        f"it changed {_some(second.differing)}" if second.differing else None,
    ]
    yield _judged("twice", _failed_step(second), problems, "SUCCESS_NO_ACTION, nothing acted")


def _failure(subject: Subject) -> Iterator[Proof]:
    for at, step in enumerate(subject.rehearsal().remedy.steps):
        run = subject.rehearsal()
        ended = run.give(subject.case, fails_after=at)
        yield _broken_off("failure", step.name, run, ended, _UNDONE)


def _death(subject: Subject) -> Iterator[Proof]:
    for at, step in enumerate(subject.rehearsal().remedy.steps):
        run = subject.rehearsal()
        ended = run.give(subject.case, killed_after=at)
        if ended.outcome is not Outcome.SUCCESS:
            yield _broken_off("death", step.name, run, ended, {*_UNDONE, Outcome.UNKNOWN})
            continue
        problems = [_symptom(subject, run, wanted=False), _stray(subject, ended)]
        yield _judged("death", step.name, problems, "SUCCESS, verified after the restart")


def _broken_off(
    name: str,
    step: str,
    run: rehearsal.Rehearsal,
    ended: rehearsal.Ended,
    wanted: AbstractSet[Outcome],
) -> Proof:
    """Judge a run that was broken off: what differs was said, and only where there is no undo."""
    index = {each.name: at for at, each in enumerate(run.remedy.steps)}
    left = frozenset(index[one] for one in ended.left_behind if one in index)
    undoable = [run.remedy.steps[at].name for at in left if run.remedy.steps[at].undo.action]
    unsaid = [one for one in ended.differing if not ended.changed.get(one, frozenset()) & left]
    problems = [
        _unlike(ended, wanted),
        f"its undo did not work for {_some(undoable)}" if undoable else None,
        f"different, and nobody says so: {_some(unsaid)}" if unsaid else None,
    ]
    said = f", left and said: {_some(ended.left_behind)}" if ended.left_behind else ", all is back"
    return _judged(name, step, problems, f"{ended.outcome.value}{said}")


def _decoys(subject: Subject) -> Iterator[Proof]:
    for decoy in subject.case.decoys:
        ended = subject.rehearsal(decoy.scene).give(subject.case)
        problems = [
            f"it acted: {_some(ended.acts)}" if ended.acts else None,
            f"it changed {_some(ended.differing)}" if ended.differing else None,
            "it claims a success" if ended.outcome is Outcome.SUCCESS else None,
        ]
        seen = f"{ended.outcome.value}: {ended.reason}"
        yield _judged("decoy", decoy.name, problems, f"{seen[:160]}")


def _dry_run(subject: Subject) -> Iterator[Proof]:
    ended = subject.rehearsal().give(subject.case, dry_run=True)
    problems = [
        _unlike(ended, {Outcome.DRY_RUN}),
        f"it acted: {_some(ended.acts)}" if ended.acts else None,
        f"it ran programs: {_some(ended.programs)}" if ended.programs else None,
        f"it changed {_some(ended.differing)}" if ended.differing else None,
    ]
    yield _judged("dry run", _failed_step(ended), problems, "nothing changed, no program ran")


PROOFS: tuple[Callable[[Subject], Iterator[Proof]], ...] = (
    _heals,
    _steps,
    _twice,
    _failure,
    _death,
    _decoys,
    _dry_run,
)


def _symptom(subject: Subject, run: rehearsal.Rehearsal, *, wanted: bool) -> str | None:
    """Measure the case's own symptom on the host; return why it is not as it should be."""
    condition = language.parse(subject.case.symptom)
    declared, given = run.remedy.parameters, subject.case.parameters
    try:
        values = {**{p.name: p.default for p in declared if p.default is not None}, **given}
        bound = parameters.bound_before(declared, values, {})
        host = replace(run.host, facts=ports.Truths(run.stage))
        verdict = conditions.judge(condition, bound, subject.case.facts, host)
    except errors.SentienGuardError as error:
        return f"the symptom {condition.text} cannot be measured: {error}"
    if verdict.holds is wanted:
        return None
    when = "does not stand before the run" if wanted else "stands after the run"
    return f"the symptom {condition.text} {when}: {verdict.seen}"


def _stray(subject: Subject, ended: rehearsal.Ended) -> str | None:
    stray = [
        one
        for one in ended.differing
        if not any(fnmatch.fnmatchcase(one, allowed) for allowed in subject.case.may_change)
    ]
    return f"changed beside what it may: {_some(stray)}" if stray else None


def _unlike(ended: rehearsal.Ended, wanted: AbstractSet[Outcome]) -> str | None:
    if ended.outcome in wanted:
        return None
    expected = " or ".join(sorted(one.value for one in wanted))
    return f"expected {expected}, found {ended.outcome.value}: {ended.reason}"


def _failed_step(ended: rehearsal.Ended) -> str:
    failed = {order.StepStatus.FAILED, order.StepStatus.TIMED_OUT}
    return next((one.name for one in ended.records if one.status in failed), "")


def _judged(name: str, step: str, problems: list[str | None], good: str) -> Proof:
    found = [one for one in problems if one is not None]
    return Proof(name, not found, step, "; ".join(found) if found else good)


def _some(names: tuple[str, ...] | list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
