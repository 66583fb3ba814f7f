"""The probability that the first of a ranking is right, and what keeps it below autonomy.

A logistic over features that do not know their library: how alike the meanings are, what of its
title and of the question is covered, which slots agree. How far the first stands out is not among
them: where nothing is right, one sibling stands out as well. A second logistic, over what tells a
text from its sibling (`siblings`), was fitted on libraries whose right text was taken out; it only
caps (rule 4). The coefficients are in `fitted`, and docs/explanation/matching.md has the figures
on services and authors that were left out. They hold for one embedding model; another one ranks,
and is not calibrated.

Rules, cited below by number; each keeps the probability under `CAP`, whatever it is:

1. No calibration for the model that made the vectors, or for this index; or no vectors at all.
2. The service is not said, or the document is not known to be for it, or for a relative of it.
3. The first two are alike and are not the same remedy.
4. It looks like the sibling of a remedy that the library lacks.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from sentienguard.stages.decide.retrieval import fitted, lexicon, ranking, relation, siblings
from sentienguard.stages.decide.retrieval.ranking import Asked
from sentienguard.stages.decide.retrieval.shelf import VERSION, Entry, Shelf

CAP = 0.89  # under the line of unattended running
_AMBIGUOUS = 3.0  # the first two are alike when their scores differ by less than this
OWN_FROM = 0.65  # rule 4; chosen on services and authors left out: with it all aims are met


@dataclass(frozen=True, slots=True)
class Sure:
    """How probable it is that the first is right."""

    value: float  # calibrated, after the caps
    plain: float  # before them
    own: float  # how probable it is that it is no sibling of a missing one; 0 without calibration
    caps: tuple[str, ...]  # why it stays under autonomy; empty: it need not
    features: Mapping[str, float]


def judge(shelf: Shelf, asked: Asked) -> Sure:
    """Return the probability that the first document is right; 0 for an empty library."""
    if not asked.order:
        return Sure(0.0, 0.0, 0.0, ("the library is empty",), {})
    found = {**features(shelf, asked), **siblings.features(shelf, asked)}
    model = shelf.model if asked.vectors else ""
    table = fitted.TABLES.get(model, fitted.TABLES[""])
    plain = round(_logistic(table, found), 4)
    known = fitted.SIBLINGS.get(model)
    own = round(_logistic(known, found), 4) if known else 0.0
    caps = (
        *_uncalibrated(model),
        *plain_caps(shelf, asked),
        *(_sibling(own) if known else ()),
    )
    return Sure(min(plain, CAP) if caps else plain, plain, own, caps, found)


def features(shelf: Shelf, asked: Asked) -> dict[str, float]:
    """Return what the first logistic looks at, for the first document."""
    first = asked.order[0]
    entry = shelf.entries[first]
    service = lexicon.service_words(asked.question.service)
    plain = service | lexicon.service_words(entry.document.service)
    title = sorted(frozenset(entry.title) - plain)
    headline = asked.headline - plain
    rarity = shelf.title_rarity
    unseen = shelf.unseen_rarity or 1.0
    covered = ranking.share(headline, entry.words, shelf.word_rarity, unseen) if headline else 0.5
    title_covered = ranking.share(title, asked.words, rarity) if title else 0.5
    mass = sum(shelf.word_rarity.get(word, unseen) for word in sorted(headline)) / unseen
    return {
        "text": _at(asked, "text", first),
        "title": _at(asked, "title", first),
        "symptom": _at(asked, "symptom", first),
        "resource": _at(asked, "resource", first),
        "service": len(service & entry.words) / len(service) if service else 0.0,
        "rarest_missing": max(
            (rarity[word] / unseen for word in title if word not in asked.words), default=0.0
        ),
        "title_in_headline": ranking.share(title, headline, rarity) if title else 0.5,
        "headline_covered": covered,
        "headline_mass": math.log1p(mass),
        "both_covered": min(covered, title_covered),
        "metric_elsewhere": float(_metric_elsewhere(shelf, asked, entry)),
        "told": shelf.told(frozenset(lexicon.features(asked.question.text)), first),
    }


def plain_caps(shelf: Shelf, asked: Asked) -> tuple[str, ...]:
    """Return the reasons of rules 2 and 3, which no calibration is in."""
    entry = shelf.entries[asked.order[0]]
    caps = (_another_service(asked, entry), _ambiguous(shelf, asked))
    return tuple(one for one in caps if one)


def _uncalibrated(model: str) -> tuple[str, ...]:
    """Rule 1."""
    if not model:
        return ("compared by words alone",)
    if fitted.FITTED_FOR != VERSION:
        return ("the index changed since the calibration",)
    known = model in fitted.TABLES and model in fitted.SIBLINGS
    return () if known else (f"no calibration for {model}",)


def _another_service(asked: Asked, entry: Entry) -> str:
    """Rule 2."""
    found = ranking.relation_of(asked.question, entry)
    return "" if found.kind is relation.Kind.SAME else found.because


def _ambiguous(shelf: Shelf, asked: Asked) -> str:
    """Rule 3; a library of one remedy cannot say that the first stands out."""
    if len(asked.order) == 1:
        return ""
    first = asked.order[0]
    beaten = siblings.lead(asked, first, shelf.others(first))
    return "the first two are alike" if beaten < _AMBIGUOUS else ""


def _sibling(own: float) -> tuple[str, ...]:
    """Rule 4."""
    if own >= OWN_FROM:
        return ()
    return (f"may be the sibling of a missing one: {own:.2f}, not {OWN_FROM:.2f}, its own",)


def _metric_elsewhere(shelf: Shelf, asked: Asked, entry: Entry) -> bool:
    """Tell whether a metric of the question stands in another document and not in this one."""
    named = [one.lower() for one in asked.question.metrics if "_" in one]
    return any(
        one not in entry.lowered and any(one in other.lowered for other in shelf.entries)
        for one in named
    )


def _at(asked: Asked, name: str, at: int) -> float:
    return float(asked.values[name][at]) if name in asked.values else 0.0


def _logistic(table: Mapping[str, float], found: Mapping[str, float]) -> float:
    logit = table["constant"] + sum(
        table[name] * found[name] for name in sorted(found) if name in table
    )
    return 1.0 / (1.0 + math.exp(-max(min(logit, 30.0), -30.0)))
