"""A library prepared once for many questions: its words, how rare they are, its vectors.

Vectors are kept as whole numbers (`STEPS` to 1), so that their products are exact and the ranking
is the same on every machine.
"""

import hashlib
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sentienguard.stages.decide.retrieval import lexicon, phrases

VERSION = "3"  # of features and weights: another one needs another calibration
STEPS = 10_000  # a vector's numbers are rounded to this part of 1
_K1, _B = 1.2, 0.75  # BM25's saturation and length normalisation, the values of its literature
_TITLE_COUNTS = 2  # a word of the title is worth this many of the text
_SAME_MEANING = 0.87  # cosine from which two texts count as the same remedy told twice
Numbers = npt.NDArray[np.float64]
Places = npt.NDArray[np.intp]  # of documents


@dataclass(frozen=True, slots=True)
class Document:
    """One text of a library."""

    id: str
    title: str
    service: str  # empty: not said
    text: str

    @property
    def spoken(self) -> tuple[str, str]:
        """What is embedded: its title, and all of it."""
        return f"{self.service}: {lexicon.apart(self.title)}", f"{self.title}. {self.text}"


@dataclass(frozen=True, slots=True)
class Vectors:
    """What a model makes of a library, in the order of its documents."""

    model: str
    titles: Sequence[Sequence[float]] | Numbers  # a row for each document
    texts: Sequence[Sequence[float]] | Numbers


@dataclass(frozen=True, slots=True)
class Entry:
    """One document, prepared."""

    document: Document
    title: tuple[str, ...]  # its words
    service: frozenset[str]  # words of its service
    names: frozenset[str]  # words of service and title
    words: frozenset[str]  # all of its words
    lowered: str  # title and text, for identifiers that stand in them
    symptoms: frozenset[str]  # of the title
    resources: frozenset[str]  # of the title
    scope: str  # of the title: `all`, `some`, or empty


class Shelf:
    """The documents that may be chosen from."""

    def __init__(self, documents: Sequence[Document], vectors: Vectors | None = None) -> None:
        self.entries = tuple(_entry(one) for one in documents)
        self.model = vectors.model if vectors else ""
        self._titles = exact(vectors.titles) if vectors else None
        self._texts = exact(vectors.texts) if vectors else None
        self._postings, self._rarity = _postings(documents)
        self.title_rarity = _rarities([frozenset(one.title) for one in self.entries])
        self.word_rarity = _rarities([one.words for one in self.entries])
        self.unseen_rarity = _rarity(len(documents), 0)
        self._in_titles = _holders([frozenset(one.title) for one in self.entries])
        self._in_words = _holders([one.words for one in self.entries])
        self._title_weights = np.array(
            [
                sum(self.title_rarity[word] for word in sorted(set(one.title)))
                for one in self.entries
            ],
            dtype=np.float64,
        )
        self.index = _digest(documents, self.model)

    def bm25(self, asked: Mapping[str, float]) -> Numbers:
        """Return the score of each document by words and their weights."""
        scores = np.zeros(len(self.entries))
        for word in sorted(asked):
            if word in self._postings:
                places, values = self._postings[word]
                scores[places] += asked[word] * values
        return scores

    def titles_said(self, words: frozenset[str]) -> Numbers:
        """Return which share of each title, by how rare its words are, `words` hold; 0 of none."""
        found = np.zeros(len(self.entries))
        for word in sorted(words & self._in_titles.keys()):
            found[self._in_titles[word]] += self.title_rarity[word]
        shares = np.zeros_like(found)
        np.divide(found, self._title_weights, out=shares, where=self._title_weights > 0)
        return shares

    def said_in(self, words: frozenset[str]) -> Numbers:
        """Return which share of `words`, by how rare they are, stands in each document."""
        found = np.zeros(len(self.entries))
        whole = 0.0
        for word in sorted(words):
            rarity = self.word_rarity.get(word, self.unseen_rarity)
            whole += rarity
            if word in self._in_words:
                found[self._in_words[word]] += rarity
        return found / whole if whole else found

    def told(self, features: frozenset[str], at: int) -> float:
        """Return which share of `features`, by how rare they are, the text at `at` holds."""
        whole = held = 0.0
        for one in sorted(features):
            rarity = self._rarity.get(one, self.unseen_rarity)
            whole += rarity
            if one in self._postings and at in self._postings[one][0]:
                held += rarity
        return held / whole if whole else 0.0

    def rarest(self, words: Sequence[str], limit: int) -> tuple[str, ...]:
        """Return the words that tell most, best first."""
        return tuple(sorted(set(words), key=lambda one: (-self._rarity.get(one, 0), one))[:limit])

    def cosines(self, vector: Sequence[float] | None) -> tuple[Numbers, Numbers] | None:
        """Return the likeness of titles and of texts; None without vectors."""
        if vector is None or self._titles is None or self._texts is None:
            return None
        asked = exact([vector])[0]
        scale = float(STEPS) ** 2
        return self._titles @ asked / scale, self._texts @ asked / scale

    def others(self, one: int) -> Places:
        """Return the documents that are not the same remedy as this one, told twice."""
        title = frozenset(self.entries[one].title)
        told = np.array([frozenset(other.title) == title for other in self.entries], dtype=bool)
        if self._texts is not None:
            told |= self._texts @ self._texts[one] / float(STEPS) ** 2 > _SAME_MEANING
        told[one] = True
        return np.flatnonzero(~told)


def exact(vectors: Sequence[Sequence[float]] | Numbers) -> npt.NDArray[np.float64]:
    """Return vectors of length 1 as whole numbers; sums of their products stay below 2**53."""
    return np.round(np.asarray(vectors, dtype=np.float64) * STEPS)


def _entry(document: Document) -> Entry:
    title = lexicon.sequence(document.title)
    service = lexicon.service_words(document.service)
    return Entry(
        document=document,
        title=tuple(title),
        service=service,
        names=service | frozenset(title),
        words=frozenset(lexicon.sequence(document.text)) | service | frozenset(title),
        lowered=f"{document.title} {document.text}".lower(),
        symptoms=lexicon.symptoms(title),
        resources=lexicon.resources(title),
        scope=phrases.scope(lexicon.apart(document.title)),
    )


def _holders(sets: Sequence[frozenset[str]]) -> dict[str, Places]:
    """Return word -> the documents that hold it."""
    found: dict[str, list[int]] = {}
    for at, words in enumerate(sets):
        for word in words:
            found.setdefault(word, []).append(at)
    return {word: np.array(places, dtype=np.intp) for word, places in found.items()}


def _postings(
    documents: Sequence[Document],
) -> tuple[dict[str, tuple[Places, Numbers]], dict[str, float]]:
    """Return word -> documents and their shares of BM25, and word -> rarity."""
    counts = []
    for one in documents:
        count = Counter(lexicon.features(one.text))
        count.update(lexicon.features(one.service))
        for feature in lexicon.features(one.title):
            count[feature] += _TITLE_COUNTS
        counts.append(count)
    lengths = [sum(count.values()) for count in counts]
    mean = max(sum(lengths) / max(len(lengths), 1), 1.0)
    rarity = _rarities([frozenset(count) for count in counts])
    postings: dict[str, list[tuple[int, float]]] = {}
    for at, count in enumerate(counts):
        length = _K1 * (1 - _B + _B * lengths[at] / mean)
        for word, times in count.items():
            value = rarity[word] * times * (_K1 + 1) / (times + length)
            postings.setdefault(word, []).append((at, value))
    return {word: _columns(rows) for word, rows in postings.items()}, rarity


def _columns(rows: Sequence[tuple[int, float]]) -> tuple[Places, Numbers]:
    places, values = zip(*rows, strict=True)
    return np.array(places, dtype=np.intp), np.array(values, dtype=np.float64)


def _rarities(sets: Sequence[frozenset[str]]) -> dict[str, float]:
    held = Counter(word for one in sets for word in one)
    return {word: _rarity(len(sets), count) for word, count in held.items()}


def _rarity(documents: int, holding: int) -> float:
    return math.log(1 + (documents - holding + 0.5) / (holding + 0.5))


def _digest(documents: Sequence[Document], model: str) -> str:
    """Name what is ranked and how: another digest is another index."""
    summed = hashlib.sha256(f"{VERSION}\0{model}".encode())
    for one in documents:
        for field in (one.id, one.title, one.service, one.text):
            summed.update(f"\0{field}".encode())
    return f"sha256:{summed.hexdigest()}"
