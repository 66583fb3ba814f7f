"""What tells a text that an alert is about from the sibling of one that the library lacks.

Called by `calibration`, for the first of a ranking. A sibling is of the same product, shares most
words and comes first when the right text is missing: how alike it is does not give it away. What
does is read against the library itself:

1. The right one is ahead in most parts of the score, a sibling in some.
2. It is ahead of the best of the others by more, and its title's words are said side by side.
3. One thing is said in the place of another: the alert's name and the title each have a word that
   the other has not, their symptoms are other ones, or their words exclude each other.
"""

from sentienguard.stages.decide.retrieval import lexicon
from sentienguard.stages.decide.retrieval.ranking import Asked
from sentienguard.stages.decide.retrieval.shelf import Places, Shelf

_PARTS = ("bm25", "text", "title", "title_covered", "question_covered", "title_in_headline")


def features(shelf: Shelf, asked: Asked) -> dict[str, float]:
    """Return what the second logistic looks at; 0 to 1 each, but `lead`, a difference of scores."""
    first = asked.order[0]
    entry = shelf.entries[first]
    others = shelf.others(first)
    plain = lexicon.service_words(asked.question.service) | entry.service
    title = frozenset(entry.title) - plain
    headline = asked.headline - plain
    name = frozenset(lexicon.sequence(asked.question.name)) - plain
    symptoms = lexicon.symptoms(headline)
    return {
        "ahead": _ahead(asked, first, others),
        "lead": lead(asked, first, others),
        "title_pairs": _pairs_said(asked, entry.title),
        "name_differs": float(bool(name - title) and bool(title - name)) if name else 0.0,
        "symptom_differs": float(
            bool(symptoms) and bool(entry.symptoms) and not symptoms & entry.symptoms
        ),
        "excluded": float(lexicon.exclude(headline, title, entry.words)),
    }


def lead(asked: Asked, first: int, others: Places) -> float:
    """Return by how much the first beats the best of the others; 0 where there are none."""
    return float(asked.scores[first] - asked.scores[others].max()) if len(others) else 0.0


def _ahead(asked: Asked, first: int, others: Places) -> float:
    """Return in which share of the parts no other document is better (rule 1)."""
    if not len(others):
        return 1.0
    held = [asked.values[name] for name in _PARTS if name in asked.values]
    return sum(bool(one[first] >= one[others].max()) for one in held) / len(held)


def _pairs_said(asked: Asked, title: tuple[str, ...]) -> float:
    """Return which share of the title's neighbouring pairs the headline holds."""
    held = frozenset(lexicon.pairs(title))
    said = frozenset(lexicon.pairs(lexicon.sequence(asked.question.headline)))
    return len(held & said) / len(held) if held else 0.0
