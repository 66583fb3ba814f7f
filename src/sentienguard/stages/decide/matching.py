"""Which playbooks are for this; none is an answer.

Rules, cited below by number:

1. What a playbook declares that it is for decides first: its metrics, then its slots (symptom,
   resource, system) against what the anomalous metric means. Of a metric whose meaning nobody
   wrote down, the slots are those of the author who declares it.
2. A contradiction caps the score below the line of a match, however alike the words are: another
   family of systems, other metrics, another resource or symptom. PostgreSQL's remedy is a near miss
   for MySQL, not an answer.
3. Words come last. Those of measured facts count for the score; those of text that anybody can
   write only break ties between playbooks whose scores are within `_TIE` of the best. Names of
   files, with the bytes that were measured, order all that declare the metric of a full volume by
   how much of it their steps would remove. A file that none of a playbook's steps would take is no
   word for that playbook.
4. Every score is the sum of its items, and each item says which words or slots it rests on.
5. The order is total: score, then name, then digest. The same input gives the same output.
6. Embeddings rank what matches and never make a match (`retrieval`). They compare measured facts
   with descriptions.
7. A match that no author declared for this metric, and one for a relative of the system, carries
   the item `AUTONOMY_CAP` with its reason, unless the calibrated comparison is sure of it:
   `confidence` then stays below unattended running.
8. Of two that are alike and do the same, the one for this very system goes first (`specific`).
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sentienguard.model.decision import Candidate, ScoreItem
from sentienguard.model.playbook import Playbook, Slots
from sentienguard.stages.decide import fills, meaning, specific, words
from sentienguard.stages.decide.meaning import Query
from sentienguard.stages.decide.retrieval import calibration, ranking
from sentienguard.stages.decide.retrieval.shelf import Document, Shelf, Vectors

MATCH_FROM = 0.60  # score from which a playbook counts as being for this
SHOWN = 5  # candidates that are kept and explained
AUTONOMY_CAP = "autonomy_cap"  # the item that says why a match may not run unattended
_UNATTENDED = 0.90  # probability by likeness from which rule 7 lifts its cap
_UNLIKE, _ALIKE = 0.25, 0.75  # cosines that are worth nothing, and as much as all the words
_TIE = 0.1  # scores closer than this are alike: they differ in words only
_NEAR_MISS = 0.45  # the cap of rule 2, under MATCH_FROM
_WEIGHTS: Mapping[str, float] = {
    "metric": 0.35, "symptom": 0.20, "resource": 0.20, "system": 0.10, "words": 0.15,
}  # fmt: skip
_ANY = 0.6  # what a slot that is left open is worth, of one that fits
_UNDECLARED = 0.5  # what leaving the metrics open is worth, of naming this one
_ENOUGH_WORDS = 0.8  # share of the query's weight in words that counts as all of it
_NAME_COUNTS = 3  # a word of the name is worth this many of the description
_K1, _B = 1.2, 0.75  # BM25's saturation and length normalisation, the values of its literature


@dataclass(frozen=True, slots=True)
class _Entry:
    """One playbook, prepared for matching."""

    playbook: Playbook
    counts: Mapping[str, int]
    length: int


@dataclass(frozen=True, slots=True)
class _Asked:
    """The words of a question, each once, and what a document with all of them would score."""

    terms: Sequence[str]
    reachable: float


class Library:
    """The playbooks that may be chosen from, prepared once for many decisions."""

    def __init__(self, playbooks: Sequence[Playbook], vectors: Vectors | None = None) -> None:
        """Prepare; `vectors` are those of `documents`, in their order."""
        ordered = sorted(playbooks, key=lambda one: (one.name, one.digest))
        self.playbooks: tuple[Playbook, ...] = tuple(ordered)
        self._entries = tuple(_entry(playbook) for playbook in ordered)
        self._mean_length = sum(one.length for one in self._entries) / max(len(ordered), 1)
        holding = Counter(term for one in self._entries for term in one.counts)
        self._rarity = {
            term: math.log(1 + (len(ordered) - count + 0.5) / (count + 0.5))
            for term, count in sorted(holding.items())
        }

        self.documents = tuple(_document(playbook) for playbook in ordered)
        self.shelf = Shelf(self.documents, vectors)

    def rank(self, query: Query, vector: Sequence[float] | None = None) -> tuple[Candidate, ...]:
        """Return the best playbooks, best first, at most `SHOWN`, near misses among them.

        `vector` is the embedding of `query.question.spoken` by the model of the library's vectors.
        """
        alike = self._likeness(query, vector)
        asked = self._asked(query.terms)
        scored = [
            self._candidate(entry, query, asked, alike[at] if alike else None)
            for at, entry in enumerate(self._entries)
        ]
        scored.sort(key=_order)
        kept = self._ties_broken(scored, query)[:SHOWN]
        return self._capped(kept, query, vector)

    def led_by(
        self,
        first: Candidate,
        candidates: Sequence[Candidate],
        query: Query,
        vector: Sequence[float] | None,
    ) -> tuple[Candidate, ...]:
        """Return the candidates with another one first, which rule 7 then judges as the first."""
        ordered = (first, *(one for one in candidates if one.digest != first.digest))
        bare = (
            replace(one, items=tuple(item for item in one.items if item.name != AUTONOMY_CAP))
            for one in ordered
        )
        return self._capped(tuple(bare), query, vector)

    def get(self, candidate: Candidate) -> Playbook:
        """Return the playbook that a candidate of this library names."""
        return next(one for one in self.playbooks if one.digest == candidate.digest)

    def _likeness(self, query: Query, vector: Sequence[float] | None) -> list[float] | None:
        """Return the cosine of each playbook's description; None without vectors."""
        cosines = self.shelf.cosines(vector) if query.question else None
        return None if cosines is None else [round(float(one), 4) for one in cosines[1]]

    def _capped(
        self, kept: tuple[Candidate, ...], query: Query, vector: Sequence[float] | None
    ) -> tuple[Candidate, ...]:
        """Say of the first why it may not run unattended, if so (rule 7)."""
        if not matches(kept):
            return kept
        playbook = self.get(kept[0])
        reason = ""
        if not meaning.same_family(playbook.slots.system, query.systems):
            reason = f"{playbook.slots.system} is a relative of what this is about"
        elif query.metric and query.metric not in playbook.metrics:
            reason = self._doubt(kept[0], query, vector)
        if not reason:
            return kept
        first = replace(kept[0], items=(*kept[0].items, ScoreItem(AUTONOMY_CAP, 0.0, reason)))
        return (first, *kept[1:])

    def _doubt(self, first: Candidate, query: Query, vector: Sequence[float] | None) -> str:
        """Say why the comparison by likeness is not sure of a match; empty: it is."""
        if query.question is None or vector is None or not self.shelf.model:
            return f"not declared for {query.metric}, and compared by words alone"
        asked = ranking.ask(self.shelf, query.question, vector)
        nearest = self.playbooks[asked.order[0]]
        if nearest.digest != first.digest:
            return f"not declared for {query.metric}, and {nearest.name} is more alike"
        sure = calibration.judge(self.shelf, asked)
        if sure.value >= _UNATTENDED:
            return ""
        because = "; ".join(sure.caps) or f"likeness is {sure.value:.2f} sure"
        return f"not declared for {query.metric}: {because}"

    def _candidate(
        self, entry: _Entry, query: Query, asked: _Asked, alike: float | None
    ) -> Candidate:
        playbook = entry.playbook
        named = bool(query.metric) and query.metric in playbook.metrics
        items = [
            _metric_item(playbook, query),
            _slot_item("symptom", playbook.slots.symptom, query.symptoms, named=named),
            _slot_item("resource", playbook.slots.resource, query.resources, named=named),
            _slot_item("system", playbook.slots.system, query.systems),
            self._words_item(entry, asked),
        ]
        total = sum(item.value for item in items)
        if alike is not None and total >= MATCH_FROM:
            items.append(_meaning_item(alike, items[-1].value))
            total += items[-1].value
        against = _contradiction(playbook, query)
        if against and total > _NEAR_MISS:
            items.append(ScoreItem("cap", _NEAR_MISS - total, f"near miss: {against}"))
            total = _NEAR_MISS
        return Candidate(
            playbook.name, playbook.version, playbook.digest, round(total, 6), tuple(items)
        )

    def _words_item(self, entry: _Entry, asked: _Asked) -> ScoreItem:
        share, matched = self._alike(entry, asked)
        value = _WEIGHTS["words"] * min(share / _ENOUGH_WORDS, 1.0)
        because = f"words: {', '.join(matched)}" if matched else "no word in common"
        return ScoreItem("words", value, because)

    def _asked(self, terms: Sequence[str]) -> _Asked:
        asked = sorted(set(terms))
        return _Asked(asked, sum(self._rarity.get(term, 0.0) for term in asked) * (_K1 + 1))

    def _alike(
        self, entry: _Entry, asked: _Asked, about: frozenset[str] | None = None
    ) -> tuple[float, tuple[str, ...]]:
        """Return BM25 as a share of what a perfect document would have, and the words.

        Only words that are `about` the entry count for it; None: all.
        """
        if not asked.reachable:
            return 0.0, ()
        length = 1 - _B + _B * entry.length / max(self._mean_length, 1.0)
        found = {
            term: self._rarity[term]
            * entry.counts[term]
            * (_K1 + 1)
            / (entry.counts[term] + _K1 * length)
            for term in asked.terms
            if term in entry.counts and (about is None or term in about)
        }
        matched = tuple(sorted(found, key=lambda term: (-found[term], term)))
        return sum(found.values()) / asked.reachable, matched

    def _ties_broken(self, scored: list[Candidate], query: Query) -> tuple[Candidate, ...]:
        """Order those that are alike by names of files and words of untrusted text (rule 3)."""
        filling = self._by_fills(scored, query)
        if filling is not None:
            return filling
        alike = [
            one
            for one in scored[:SHOWN]  # cut first: words bring nothing in
            if one.score >= MATCH_FROM and scored[0].score - one.score <= _TIE
        ]
        if len(alike) < 2:  # noqa: PLR2004  it takes two to tie
            return tuple(scored)
        led = specific.first(self._by_words(alike, query), self.get, query)
        return (*led, *scored[len(alike) :])

    def _by_words(self, alike: list[Candidate], query: Query) -> list[Candidate]:
        """Order by words that anybody can write, each by those that may be about it (rule 3)."""
        if not query.hints:
            return alike
        entries = {entry.playbook.digest: entry for entry in self._entries}
        asked = self._asked(query.hints)
        shares = {
            one.digest: self._alike(entries[one.digest], asked, _about(self.get(one), query))
            for one in alike
        }
        ordered = sorted(alike, key=lambda one: (-round(shares[one.digest][0], 6), *_order(one)))
        return [_hinted(one, shares[one.digest][1]) for one in ordered]

    def _by_fills(self, scored: list[Candidate], query: Query) -> tuple[Candidate, ...] | None:
        """Order what declares the metric by what its steps are for; None where they tell nothing.

        All that declare it are alike here: the words of a metric do not say what fills a volume.
        """
        alike = [
            one
            for one in scored
            if one.score >= MATCH_FROM and query.metric in self.get(one).metrics
        ]
        fits = {one.digest: fills.share(self.get(one), query.root, query.fills) for one in alike}
        if not any(fits.values()):
            return None
        alike.sort(key=lambda one: (-round(fits[one.digest], 1), *_order(one)))
        rest = [one for one in scored if one.digest not in fits]
        return (*(_filled(one, fits[one.digest]) for one in alike), *rest)


def matches(candidates: Sequence[Candidate]) -> bool:
    """Tell whether the first candidate is an answer, or all are near misses."""
    return bool(candidates) and candidates[0].score >= MATCH_FROM


def alike(candidates: Sequence[Candidate]) -> int:
    """Count the candidates that are as good as the first, itself included."""
    if not matches(candidates):
        return 0
    best = max(one.score for one in candidates)
    return sum(one.score >= MATCH_FROM and best - one.score <= _TIE for one in candidates)


def without_hints(query: Query) -> Query:
    """Return the query with its measured facts only."""
    return replace(query, hints=(), said=(), fills=())


def _entry(playbook: Playbook) -> _Entry:
    slots = f"{playbook.slots.system} {playbook.slots.resource} {playbook.slots.symptom}"
    counts = Counter(words.terms(f"{playbook.description} {slots}"))
    for term in words.terms(playbook.name.replace("_", " ")):
        counts[term] += _NAME_COUNTS
    counts.pop("any", None)
    return _Entry(playbook, counts, sum(counts.values()))


def _metric_item(playbook: Playbook, query: Query) -> ScoreItem:
    weight = _WEIGHTS["metric"]
    if not query.metric:
        return ScoreItem("metric", weight * _UNDECLARED, "no metric is known")
    if query.metric in playbook.metrics:
        return ScoreItem("metric", weight, f"declared for {query.metric}")
    if playbook.metrics:
        return ScoreItem("metric", 0.0, f"declared for {', '.join(playbook.metrics)}")
    return ScoreItem("metric", weight * _UNDECLARED, "declares no metric: judged by its slots")


def _slot_item(
    name: str, declared: str, wanted: frozenset[str], *, named: bool = False
) -> ScoreItem:
    weight = _WEIGHTS[name]
    if declared in wanted:
        return ScoreItem(name, weight, f"{name} {declared}")
    if declared == "any":
        return ScoreItem(name, weight * _ANY, f"any {name}")
    if not wanted and named:
        return ScoreItem(name, weight, f"{name} {declared}, as its author says of this metric")
    if not wanted:
        return ScoreItem(name, 0.0, f"{name} {declared}, none is known here")
    return ScoreItem(name, 0.0, f"{name} {declared}, not {' or '.join(sorted(wanted))}")


def _meaning_item(alike: float, by_words: float) -> ScoreItem:
    """Return what likeness adds to the words (rule 6), up to the words' whole weight."""
    share = min(max((alike - _UNLIKE) / (_ALIKE - _UNLIKE), 0.0), 1.0)
    value = max(_WEIGHTS["words"] * share - by_words, 0.0)
    return ScoreItem("meaning", round(value, 6), f"description means alike, cosine {alike:.2f}")


def _document(playbook: Playbook) -> Document:
    system = playbook.slots.system
    return Document(
        id=str(playbook.digest),
        title=playbook.name,
        service="" if system == "any" else system,
        text=playbook.description,
    )


def _contradiction(playbook: Playbook, query: Query) -> str:
    """Say what speaks against a playbook (rule 2); empty: nothing."""
    if query.metric and playbook.metrics and query.metric not in playbook.metrics:
        return f"declared for {', '.join(playbook.metrics)}, not {query.metric}"
    if query.metric in meaning.FOR_PEOPLE and query.metric not in playbook.metrics:
        return f"not declared for {query.metric}, which is for people"
    slots: Slots = playbook.slots
    if not meaning.same_family(slots.system, query.systems) and not meaning.related(
        slots.system, query.systems
    ):
        return f"{slots.system}, not {' or '.join(sorted(query.systems))}"
    for name, declared, wanted in (
        ("resource", slots.resource, query.resources),
        ("symptom", slots.symptom, query.symptoms),
    ):
        named = bool(query.metric) and query.metric in playbook.metrics
        if declared != "any" and declared not in wanted and not named:
            return f"{name} {declared}, not {' or '.join(sorted(wanted)) or 'known'}"
    return ""


def _about(playbook: Playbook, query: Query) -> frozenset[str]:
    """Return the words of text that may be about a playbook: not those of files it leaves alone."""
    named = [
        path.removeprefix(query.root)
        for path, _ in query.fills
        if fills.may_take(playbook, query.root, path)
    ]
    return frozenset((*query.said, *words.terms("\n".join(named))))


def _filled(candidate: Candidate, share: float) -> Candidate:
    because = f"its steps are for {share:.0%} of what fills the volume, by names anybody can write"
    return replace(candidate, items=(*candidate.items, ScoreItem("hint", 0.0, because)))


def _hinted(candidate: Candidate, matched: tuple[str, ...]) -> Candidate:
    if not matched:
        return candidate
    because = f"first among equals by words anybody can write: {', '.join(matched)}"
    return replace(candidate, items=(*candidate.items, ScoreItem("hint", 0.0, because)))


def _order(candidate: Candidate) -> tuple[float, str, str]:
    return (-candidate.score, candidate.playbook, candidate.digest)
