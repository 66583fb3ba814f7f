"""Text to the numbers that MiniLM reads: BERT's uncased WordPiece.

Called by `embedder`. Clean, lower case, accents off, split at spaces, punctuation and CJK, then the
longest known piece first. tests/unit/minilm compares it with the `tokenizers` package's answers.
"""

import unicodedata
from collections.abc import Iterator, Mapping, Sequence

UNKNOWN, BEGIN, END = "[UNK]", "[CLS]", "[SEP]"
_LONGEST_WORD = 100  # characters; a longer word is unknown (the model's own limit)
_CJK = (
    (0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2A6DF), (0x2A700, 0x2B73F), (0x2B740, 0x2B81F),
    (0x2B820, 0x2CEAF), (0xF900, 0xFAFF), (0x2F800, 0x2FA1F),
)  # fmt: skip


class WordPiece:
    """Splits text into the pieces of a vocabulary."""

    def __init__(self, vocabulary: Sequence[str]) -> None:
        """Take the vocabulary in the order of its numbers."""
        self._numbers: Mapping[str, int] = {piece: at for at, piece in enumerate(vocabulary)}

    def numbers(self, text: str, most: int) -> list[int]:
        """Return the numbers of a text, begin and end included, at most `most` of them."""
        found = [self._numbers[BEGIN]]
        for word in _words(text):
            found.extend(self._pieces(word))
            if len(found) >= most:
                break
        return [*found[: most - 1], self._numbers[END]]

    def _pieces(self, word: str) -> list[int]:
        if len(word) > _LONGEST_WORD:
            return [self._numbers[UNKNOWN]]
        found: list[int] = []
        start = 0
        while start < len(word):
            mark = "##" if start else ""
            end = len(word)
            while end > start and mark + word[start:end] not in self._numbers:
                end -= 1
            if end == start:
                return [self._numbers[UNKNOWN]]
            found.append(self._numbers[mark + word[start:end]])
            start = end
        return found


def _words(text: str) -> Iterator[str]:
    """Split at spaces, around punctuation and around CJK."""
    word = ""
    # Lowered one by one: str.lower would give a Greek word's last sigma a form of its own.
    lowered = "".join(character.lower() for character in _clean(text))
    for character in unicodedata.normalize("NFD", lowered):
        category = unicodedata.category(character)
        if category == "Mn":  # accents, off after decomposition
            continue
        if character.isspace():
            alone = False
        elif _is_punctuation(character, category) or _is_cjk(character):
            alone = True
        else:
            word += character
            continue
        if word:
            yield word
            word = ""
        if alone:
            yield character
    if word:
        yield word


def _clean(text: str) -> str:
    """Leave out what cannot be seen; every kind of space becomes a space."""
    kept = []
    for character in text:
        if character in "\t\n\r" or unicodedata.category(character) == "Zs":
            kept.append(" ")
        elif character not in "\x00\ufffd" and unicodedata.category(character)[0] != "C":
            kept.append(character)
    return "".join(kept)


def _is_punctuation(character: str, category: str) -> bool:
    """Tell what BERT calls punctuation: Unicode's, and every printable ASCII that is no letter."""
    plain = "!" <= character <= "~"
    return (plain and not character.isalnum()) or category.startswith("P")


def _is_cjk(character: str) -> bool:
    point = ord(character)
    return any(first <= point <= last for first, last in _CJK)
