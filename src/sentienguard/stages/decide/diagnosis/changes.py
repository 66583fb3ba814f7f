"""Which change to look at first, and whether none of them did it.

A shortlist, never a verdict: what one finds in the text of a change is untrusted and too coarse to
act on, so the first of them is not safe to roll back unseen. Rules, cited below:
1. A change that was not rolled out when the fault began did not cause it; one that was is the
   more likely the shorter before.
2. What was changed has to be among what moved, the earlier the better.
3. Documents, tests, styles and build files do not break what runs; neither does code that was
   only moved about.
4. Words that errors and changes share count the more the fewer changes have them.
5. That no change did it is a hypothesis of its own, and always on the shortlist.
"""

import math
import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sentienguard.model import diagnosis
from sentienguard.stages.decide.diagnosis import readings

SHORTLIST: Final = 3  # as many as a person reads before doing something else

_FADES_MS: Final = 1_200_000  # twenty minutes: most that breaks at once shows by then (rule 1)
_SLACK_MS: Final = (
    60_000  # clocks and sampling: an onset this long before a rollout may be after it
)
_NOT_ROLLED_OUT: Final = 0.1  # weight of what was not out, or of which nobody knows
_TOO_LATE: Final = 0.02  # weight of what came out after the onset
_UNMOVED: Final = 0.2  # weight of a change of something that did not move (rule 2)
_LATER: Final = 0.7  # weight of a change of something that moved after the first
_FIRST_MS: Final = 120_000  # onsets this close to the first are no later
_MOVED_ABOUT: Final = 0.9  # of the removed words, added again: the code was moved (rule 3)
_NATURE: Final[Sequence[tuple[re.Pattern[str], float]]] = (  # of a file, by what breaks (rule 3)
    (re.compile(r"(^|/)(docs?|\.github|runbooks?)/|\.(md|rst|txt)$|CODEOWNERS|LICENSE"), 0.05),
    (re.compile(r"(^|/)(tests?|testdata|__tests__)/|_test\.|\.test\.|\.spec\."), 0.05),
    (re.compile(r"\.(css|scss|svg|png)$|theme\.|/templates/|/styles?/"), 0.1),
    (re.compile(r"(go\.(mod|sum)|package(-lock)?\.json|\.lock|requirements.*)$"), 0.3),
    (re.compile(r"(\.ya?ml|\.toml|\.ini|\.conf|config\.\w+)$"), 0.7),
)
_PLAIN_NATURE: Final = 1.0  # of any other file
_WORD: Final = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_LEAST_WORD: Final = 3  # letters
_COMMON: Final = frozenset(  # words that say nothing about a change
    {
        "the",
        "and",
        "for",
        "not",
        "with",
        "from",
        "this",
        "that",
        "func",
        "return",
        "err",
        "nil",
        "var",
        "const",
        "new",
        "was",
        "has",
        "are",
        "can",
        "into",
        "error",
        "errors",
        "failed",
        "failing",
        "service",
        "svc",
        "http",
        "https",
        "get",
        "set",
        "string",
        "int",
    }
)
_BAD: Final = frozenset({"error", "fatal", "critical", "warn", "warning"})
_SURGE: Final = 0.5  # growth of requests that a fault does not make by itself
_FOREIGN: Final = re.compile(  # errors that speak of what nobody here deploys; shortlist only
    r"certificate has expired|x509|no such host|ENOTFOUND|SERVFAIL|https?://(?!\S*\.(svc|local|internal))\S+"
    r"|node .*pressure|evicted by|rate.?limited by provider",
    re.IGNORECASE,
)
_INFRASTRUCTURE: Final = frozenset({"node", "resolver", "external", "provider", "dns"})


@dataclass(frozen=True, slots=True)
class _Onsets:
    """When what moved."""

    by_object: Mapping[str, int]
    first: int


def shortlist(
    snapshot: diagnosis.Snapshot, found: Mapping[str, tuple[readings.Movement, ...]]
) -> tuple[diagnosis.Suspect, ...]:
    """Give changes to look at, the likeliest first, with NO_CHANGE among the first three."""
    if not snapshot.changes:
        return ()
    onsets = _onsets(snapshot, found)
    commits = _commits(snapshot.changes)
    weights = _rarity([_words(change) for change in commits])
    wanted = _symptom_words(snapshot)
    scored = [_score(change, snapshot, onsets, wanted, weights) for change in commits]
    ranked = sorted(scored, key=lambda one: (-one.score, one.object))
    none = _no_change(snapshot, found, onsets)
    place = sum(one.score > none.score for one in ranked[: SHORTLIST - 1])  # rule 5
    return (*ranked[:place], none, *ranked[place:])


def _onsets(
    snapshot: diagnosis.Snapshot, found: Mapping[str, tuple[readings.Movement, ...]]
) -> _Onsets:
    times = {
        name: min(one.onset_ms for one in moved if one.onset_ms is not None)
        for name, moved in found.items()
        if any(one.onset_ms is not None for one in moved)
    }
    late = snapshot.symptom.at_ms if snapshot.symptom else snapshot.until_ms
    return _Onsets(times, min(times.values(), default=late))


def _commits(changes: Iterable[diagnosis.ChangeEvent]) -> list[diagnosis.ChangeEvent]:
    """Take one entry for each id: what says most about it."""
    best: dict[str, diagnosis.ChangeEvent] = {}
    for change in sorted(
        changes, key=lambda one: (one.id, -len(one.diff), -len(one.summary), one.at_ms)
    ):
        best.setdefault(change.id, change)
    return [best[name] for name in sorted(best)]


def _score(
    change: diagnosis.ChangeEvent,
    snapshot: diagnosis.Snapshot,
    onsets: _Onsets,
    wanted: Collection[str],
    weights: Mapping[str, float],
) -> diagnosis.Suspect:
    rollouts = [
        one
        for one in snapshot.changes
        if one.kind is not diagnosis.ChangeKind.COMMIT and change.id in {one.id, one.carried_by}
    ]
    timely, when = _timing(rollouts, onsets)
    where = max((_place(one.object, onsets) for one in rollouts), default=_UNMOVED)
    nature = _nature(change)
    shared = sorted(_words(change) & set(wanted), key=lambda word: (-weights[word], word))
    affinity = sum(weights[word] for word in shared)
    score = timely * where * nature * (0.3 + affinity / (1 + affinity))  # rule 4
    evidence = [when] if when else []
    if shared:
        evidence.append("shares with the errors: " + ", ".join(shared[:5]))
    return diagnosis.Suspect(
        object=change.id,
        cause=str(change.kind),
        score=score,
        share=0.0,
        evidence=(change.summary.splitlines()[0][:100] if change.summary else "", *evidence),
        against=() if rollouts else ("nothing says that it was rolled out",),
    )


def _timing(rollouts: Sequence[diagnosis.ChangeEvent], onsets: _Onsets) -> tuple[float, str]:
    """Weigh how long before the onset it came out (rule 1)."""
    best, when = (_NOT_ROLLED_OUT, "") if not rollouts else (_TOO_LATE, "came out after the onset")
    for one in rollouts:
        lag = onsets.first - one.at_ms
        if lag < -_SLACK_MS:
            continue
        weight = math.exp(-max(0, lag) / _FADES_MS)
        if weight > best:
            best, when = (
                weight,
                f"came out on {one.object or 'something'} {lag / 60_000:.0f} min before",
            )
    return best, when


def _place(name: str, onsets: _Onsets) -> float:
    """Weigh whether what was changed moved, and how early (rule 2)."""
    if name not in onsets.by_object:
        return _UNMOVED
    return 1.0 if onsets.by_object[name] <= onsets.first + _FIRST_MS else _LATER


def _nature(change: diagnosis.ChangeEvent) -> float:
    """Weigh what kind of thing was changed (rule 3)."""
    weights = [
        next((weight for pattern, weight in _NATURE if pattern.search(file)), _PLAIN_NATURE)
        for file in change.files
    ]
    nature = max(weights, default=_PLAIN_NATURE)
    removed = _bag(change.diff, "-")
    if removed:
        kept = sum((removed & _bag(change.diff, "+")).values()) / sum(removed.values())
        nature *= 0.6 if kept >= _MOVED_ABOUT else 1.0
    return nature


def _bag(diff: str, sign: str) -> Counter[str]:
    lines = (line[1:] for line in diff.splitlines() if line.startswith(sign))
    return Counter(word for line in lines for word in _split(line))


def _split(text: str) -> Iterable[str]:
    for word in _WORD.findall(text):
        lower = word.lower()
        if len(lower) >= _LEAST_WORD and lower not in _COMMON:
            yield lower.removesuffix("s")


def _words(change: diagnosis.ChangeEvent) -> frozenset[str]:
    return frozenset(_split(" ".join((change.summary, *change.files, change.diff))))


def _rarity(bags: Sequence[frozenset[str]]) -> Mapping[str, float]:
    counts = Counter(word for bag in bags for word in bag)
    return {word: math.log((1 + len(bags)) / count) / 4 for word, count in sorted(counts.items())}


def _symptom_words(snapshot: diagnosis.Snapshot) -> frozenset[str]:
    texts = [line.text for line in snapshot.logs if line.severity in _BAD]
    if snapshot.symptom:
        texts += [snapshot.symptom.text, snapshot.symptom.metric]
    return frozenset(word for text in texts for word in _split(text.replace("_", " ")))


def _no_change(
    snapshot: diagnosis.Snapshot,
    found: Mapping[str, tuple[readings.Movement, ...]],
    onsets: _Onsets,
) -> diagnosis.Suspect:
    """Weigh what speaks for nobody's change (rule 5)."""
    grounds: list[tuple[float, str]] = [(0.15, "")]
    kinds = {thing.name: thing.kind for thing in snapshot.objects}
    infra = [
        name
        for name, at in sorted(onsets.by_object.items())
        if kinds.get(name) in _INFRASTRUCTURE and at <= onsets.first + _FIRST_MS
    ]
    if infra:
        grounds.append((0.8, f"{', '.join(infra)} moved among the first, and nobody deploys it"))
    surged = _surged(snapshot, found, onsets)
    if surged:
        grounds.append((0.8, f"{surged} is asked far more than usual from outside"))
    timely = [
        one
        for one in snapshot.changes
        if one.kind is not diagnosis.ChangeKind.COMMIT
        and -_SLACK_MS <= onsets.first - one.at_ms <= _FADES_MS * 3 / 4
        and one.object in onsets.by_object
    ]
    if not timely:
        grounds.append((0.6, "nothing that moved was changed shortly before"))
    foreign = next(
        (
            line.text
            for line in snapshot.logs
            if line.severity in _BAD and _FOREIGN.search(line.text)
        ),
        "",
    )
    if foreign:
        grounds.append((0.7, f"errors speak of what nobody here deploys: {foreign[:80]}"))
    score, _ = max(grounds)
    return diagnosis.Suspect(
        object=diagnosis.NO_CHANGE,
        cause="none",
        score=score,
        share=0.0,
        evidence=tuple(text for _, text in sorted(grounds, reverse=True) if text),
    )


def _surged(
    snapshot: diagnosis.Snapshot,
    found: Mapping[str, tuple[readings.Movement, ...]],
    onsets: _Onsets,
) -> str:
    """Name the object with the symptom if its own requests grew first."""
    name = snapshot.symptom.object if snapshot.symptom else ""
    for one in found.get(name, ()):
        if (
            one.kind is diagnosis.MetricKind.TRAFFIC
            and one.onset_ms is not None
            and one.onset_ms <= onsets.first + _SLACK_MS
            and one.peak > one.usual * (1 + _SURGE)
        ):
            return name
    return ""
