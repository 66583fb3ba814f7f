"""The pieces are those of BERT's own tokenizer; expected ones were taken from `tokenizers` 0.23."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentienguard.adapters.minilm import wordpiece

VOCABULARY = (
    "[PAD]", "[UNK]", "[CLS]", "[SEP]", "disk", "full", "##ness", "un", "##aff", "##able", ".",
    "-", "_", "/", "var", "naive", "\u03b1", "##\u03c3", "漢", "字", "a", "##b",
    "1", "##2", "$", "ss", "i", "€",
)  # fmt: skip
WORDS = wordpiece.WordPiece(VOCABULARY)


def pieces(text, most=64):
    return [VOCABULARY[number] for number in WORDS.numbers(text, most)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("  \t\n", []),
        ("disk full", ["disk", "full"]),
        ("DISK Fullness", ["disk", "full", "##ness"]),
        ("unaffable", ["un", "##aff", "##able"]),
        ("unaffine", ["[UNK]"]),  # one unknown piece makes the word unknown
        ("/var/disk_full.", ["/", "var", "/", "disk", "_", "full", "."]),
        ("disk-full", ["disk", "-", "full"]),
        ("naïve", ["naive"]),
        ("nai\u0308ve", ["naive"]),
        (
            "\u0391\u03a3",
            ["\u03b1", "##\u03c3"],
        ),  # the last sigma stays what lower() of one letter makes of it
        ("disk漢字full", ["disk", "漢", "字", "full"]),
        ("di\u200bsk", ["disk"]),  # what cannot be seen is left out
        ("disk\u00a0full", ["disk", "full"]),
        ("di\x00sk\ufffd", ["disk"]),
        ("$1", ["$", "1"]),
        ("€", ["€"]),  # a currency sign is no punctuation, but for the dollar
        ("a" * 101, ["[UNK]"]),
    ],
)
def test_text_becomes_the_pieces_of_bert(text, expected):
    assert pieces(text) == ["[CLS]", *expected, "[SEP]"]


def test_a_long_text_is_cut_and_still_ends():
    assert pieces("disk " * 100, most=5) == ["[CLS]", "disk", "disk", "disk", "[SEP]"]


@given(st.text(max_size=200), st.integers(2, 32))
def test_any_text_begins_ends_and_stays_within_its_limit(text, most):
    found = pieces(text, most)
    assert found[0] == "[CLS]"
    assert found[-1] == "[SEP]"
    assert len(found) <= most
