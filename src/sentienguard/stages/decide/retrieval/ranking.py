"""The order of a library for a question, and what each place rests on.

    score = BM25 + 2 x cosine(text) + cosine(title) + title covered + question covered   (z-scores)
            + 0.5 x title in headline + 0.5 x metrics covered                         (z-scores)
            + 1.5 x symptoms + 1.5 x resources + 2 x scope                          (-1 to 1 each)
            + 2 x system                            (0, or -0.5 for a relative, -1 for another one)

A z-score says how far a document stands out of its own library, so the sum holds for libraries of
other sizes and authors; the weights are coarse on purpose. Without vectors the two cosines are
left out. Sums are rounded and ties go by id: the same input gives the same order everywhere.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sentienguard.stages.decide.retrieval import lexicon, phrases, relation
from sentienguard.stages.decide.retrieval.question import Question
from sentienguard.stages.decide.retrieval.shelf import Entry, Numbers, Shelf

SHOWN = 5  # explained
WEIGHTS: Mapping[str, float] = {
    "bm25": 1.0, "text": 2.0, "title": 1.0, "title_covered": 1.0, "question_covered": 1.0,
    "title_in_headline": 0.5, "metrics_covered": 0.5,
    "symptom": 1.5, "resource": 1.5, "scope": 2.0, "system": 2.0,
}  # fmt: skip
_METRIC_COUNTS = 0.5  # a word of a metric's name is worth this many of the sentences
_FEW = frozenset({lexicon.base("low")})  # what titles call some that should be more
_DIGITS = 4  # kept of a score: finer differences are noise of arithmetic
_WORDS_SHOWN = 8


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a score."""

    name: str
    value: float
    because: str


@dataclass(frozen=True, slots=True)
class Ranked:
    """One document in its place."""

    at: int  # its position on the shelf
    id: str
    score: float  # for ranking only; not a probability
    parts: tuple[Part, ...] = ()  # empty below the first `SHOWN`


@dataclass(frozen=True, slots=True)
class Asked:
    """A question's words, and what each part of the score is for each document."""

    question: Question
    words: frozenset[str]  # all: service, name, metrics, sentences
    said: frozenset[str]  # name and sentences
    headline: frozenset[str]
    values: Mapping[str, Numbers]  # as they are
    parts: Mapping[str, Numbers]  # weighted
    scores: Numbers
    order: tuple[int, ...]  # positions, best first
    vectors: bool  # the cosines are among the parts


def ask(shelf: Shelf, question: Question, vector: Sequence[float] | None = None) -> Asked:
    """Score every document; `vector` is the embedding of `question.spoken`."""
    said = frozenset(lexicon.sequence(f"{question.name} {question.text}"))
    measured = frozenset(lexicon.sequence(" ".join(question.metrics)))
    service = frozenset(lexicon.sequence(question.service))
    headline = frozenset(lexicon.sequence(question.headline))
    scope = phrases.scope(lexicon.apart(question.headline))
    words = said | measured | service | (_FEW if scope == "some" else frozenset())
    values: dict[str, Numbers] = {"bm25": shelf.bm25(_weighted(question))}
    cosines = shelf.cosines(vector)
    if cosines is not None:
        values["title"], values["text"] = cosines
    symptoms = lexicon.symptoms(said)
    resources = lexicon.resources(said | measured)
    entries = shelf.entries
    wanted = lexicon.service_words(question.service)
    values["title_covered"] = shelf.titles_said(words)
    values["question_covered"] = shelf.said_in(headline)
    values["title_in_headline"] = shelf.titles_said(headline | service)
    values["metrics_covered"] = shelf.said_in(measured)
    values["symptom"] = _each(entries, lambda one: _agreement(one.symptoms, symptoms))
    values["resource"] = _each(entries, lambda one: _agreement(one.resources, resources))
    values["scope"] = _each(entries, lambda one: _same_scope(one.scope, scope))
    values["system"] = _each(entries, lambda one: _against(wanted, one))
    parts = {
        name: weight * (values[name] if name in _SLOTS else _standing_out(values[name]))
        for name, weight in WEIGHTS.items()
        if name in values
    }
    scores = np.round(sum(parts.values(), np.zeros(len(entries))), _DIGITS)
    order = sorted(range(len(entries)), key=lambda at: (-scores[at], entries[at].document.id))
    return Asked(
        question, words, said, headline, values, parts, scores, tuple(order), cosines is not None
    )


def ranked(shelf: Shelf, asked: Asked) -> tuple[Ranked, ...]:
    """Return all documents in their order, the first `SHOWN` explained."""
    return tuple(
        Ranked(
            at,
            shelf.entries[at].document.id,
            float(asked.scores[at]),
            _explained(shelf, asked, at) if place < SHOWN else (),
        )
        for place, at in enumerate(asked.order)
    )


def relation_of(question: Question, entry: Entry) -> relation.Relation:
    """Return how a document's system stands to the question's."""
    return _relation(lexicon.service_words(question.service), entry)


def share(
    words: Collection[str],
    among: Collection[str],
    rarity: Mapping[str, float],
    unseen: float = 0.0,
) -> float:
    """Return the share of `words`, by rarity, that are `among` others; 0 where nothing weighs."""
    total = sum(rarity.get(one, unseen) for one in sorted(set(words)))
    if not total:
        return 0.0
    return sum(rarity.get(one, unseen) for one in sorted(set(words)) if one in among) / total


_SLOTS = frozenset({"symptom", "resource", "scope", "system"})
_AGAINST = {relation.Kind.RELATIVE: -0.5, relation.Kind.FOREIGN: -1.0}


def _relation(wanted: frozenset[str], entry: Entry) -> relation.Relation:
    return relation.between(wanted, entry.service, entry.names, entry.words)


def _against(wanted: frozenset[str], entry: Entry) -> float:
    return _AGAINST.get(_relation(wanted, entry).kind, 0.0)


def _weighted(question: Question) -> dict[str, float]:
    measured = " ".join(question.metrics)
    weights = dict.fromkeys(lexicon.features(measured), _METRIC_COUNTS)
    weights.update(dict.fromkeys(lexicon.features(question.service), 1.0))
    # Name and sentences apart: no pair is made of the last word of one and the first of the other.
    weights.update(dict.fromkeys(lexicon.features(question.name), 1.0))
    weights.update(dict.fromkeys(lexicon.features(question.text), 1.0))
    return weights


def _each(entries: Sequence[Entry], value: Callable[[Entry], float]) -> Numbers:
    return np.array([value(one) for one in entries], dtype=np.float64)


def _agreement(declared: frozenset[str], found: frozenset[str]) -> float:
    """Return 1 where all that is declared was found, -1 where nothing was, 0 where none is."""
    if not declared:
        return 0.0
    return (len(declared & found) - len(declared - found)) / len(declared)


def _same_scope(declared: str, said: str) -> float:
    """Return 1 for the same scope, -1 for the other one, 0 where either is not said."""
    if not declared or not said:
        return 0.0
    return 1.0 if declared == said else -1.0


def _standing_out(values: Numbers) -> Numbers:
    """Return z-scores; all alike stand out by nothing."""
    spread = float(values.std()) if len(values) else 0.0
    return (values - values.mean()) / spread if spread > 1e-9 else np.zeros_like(values)  # noqa: PLR2004


def _explained(shelf: Shelf, asked: Asked, at: int) -> tuple[Part, ...]:
    entry = shelf.entries[at]
    because = {
        "bm25": "words: " + _listed(shelf.rarest(tuple(asked.words & entry.words), _WORDS_SHOWN)),
        "text": f"its text means alike, cosine {_value(asked, 'text', at):.2f}",
        "title": f"its title means alike, cosine {_value(asked, 'title', at):.2f}",
        "title_covered": f"{_value(asked, 'title_covered', at):.0%} of its title is said, not: "
        + _listed(_missing(entry, asked.words)),
        "title_in_headline": f"{_value(asked, 'title_in_headline', at):.0%} of its title is said "
        "at once: in name, service and first sentence",
        "question_covered": f"{_value(asked, 'question_covered', at):.0%} of what is said is in "
        "it, not: " + _listed(sorted(asked.headline - entry.words)),
        "metrics_covered": f"{_value(asked, 'metrics_covered', at):.0%} of what its metrics are "
        "called is in it",
        "scope": f"its title is about {entry.scope}" if entry.scope else "its title names no scope",
        "symptom": _slot("symptom", entry.symptoms, lexicon.symptoms(asked.said)),
        "resource": _slot("resource", entry.resources, lexicon.resources(asked.words)),
        "system": relation_of(asked.question, entry).because,
    }
    return tuple(
        Part(name, round(float(values[at]), _DIGITS), because[name])
        for name, values in asked.parts.items()
    )


def _value(asked: Asked, name: str, at: int) -> float:
    return float(asked.values[name][at]) if name in asked.values else 0.0


def _missing(entry: Entry, words: frozenset[str]) -> list[str]:
    return sorted(frozenset(entry.title) - words)


def _listed(words: Sequence[str]) -> str:
    return ", ".join(words[:_WORDS_SHOWN]) if words else "nothing"


def _slot(name: str, declared: frozenset[str], found: frozenset[str]) -> str:
    if not declared:
        return f"its title names no {name}"
    said = ", ".join(sorted(declared & found))
    return f"{name} {said}" if said else f"{name} {', '.join(sorted(declared))} is not said"
