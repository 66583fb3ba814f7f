"""The centre reads with libyaml, an agent of one file without: both read and refuse the same.

A playbook that one of them reads and the other refuses would be signed, delivered and never run;
one that they read differently would do something else than what was signed. And the slower one has
to be quick enough: an agent reads each playbook of its catalogue.
"""

import sys
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sentienguard.playbook import document, parse

PLAYBOOKS = Path(__file__).parents[3] / "playbooks"
STORED = [file.read_bytes() for file in sorted(PLAYBOOKS.glob("*/playbook.yaml"))]
# What damages a document in a way that its readers have an opinion on.
PIECES = [
    *(b":", b"- ", b"\n", b" ", b"'", b'"', b"{", b"}", b"[", b"]", b",", b"#", b"|", b">", b"?"),
    *(b"!", b"&", b"*", b"%", b"@", b"`", b"---\n", b"...\n", b"\\", b"\\x41", b"\\u0041", b"\\/"),
    *(
        b"\r",
        b"\r\n",
        b"\xc2\x85",
        b"\xe2\x80\xa8",
        b"\xef\xbb\xbf",
        b"\xc2\xa0",
        b"~",
        b"=",
        b"<<",
    ),
    *(b"0x1f", b"1_0", b"%YAML 1.2\n---\n", b"\xf0\x9f\x98\x80", b"? ", b": ", b"  ", b"|2\n"),
    *(b">-\n", b"{a}", b"{a: }", b"[a: b]", b"-\n", b"- - a", b'"a":', b'{"a":1}', b",,", b">#\n"),
    *(b"a?b", b"[?]", b"? a\n: b\n", b"x:}", b"|+#", b"\t"),
]


@st.composite
def damaged(draw):
    """Give a bundled playbook's beginning with a few pieces put in, taken out or repeated."""
    stored = bytearray(draw(st.sampled_from(STORED))[: draw(st.integers(50, 1500))])
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(stored)))
        match draw(st.sampled_from(("put", "put", "take", "repeat"))):
            case "put":
                stored[at:at] = draw(st.sampled_from(PIECES))
            case "take":
                del stored[at : at + draw(st.integers(1, 8))]
            case "repeat":
                other = draw(st.integers(0, len(stored)))
                stored[at:at] = stored[other : other + draw(st.integers(1, 40))]
    return bytes(stored)


def read_by(reader, stored):
    """Return the tree that a reader sees, or nothing where it refuses."""
    kept = document._loader
    document._loader = lambda: reader
    try:
        return document.read(stored, "it")
    except parse.BrokenPlaybook:
        return None
    finally:
        document._loader = kept


WITH_LIBYAML = document._loader()
needs_both = pytest.mark.skipif(
    WITH_LIBYAML is document._OwnScanner, reason="this PyYAML has no libyaml to compare with"
)


@needs_both
@pytest.mark.property
@settings(max_examples=400)
@given(stored=damaged())
@example(stored=b"match: {system: linux, symptom: un?known}\n")
@example(stored=b"metrics: [system.z? ombies]\n")
@example(stored=b"metrics: [? a]\n")
@example(stored=b"metrics: [?a]\n")
@example(stored=b"? name\n: x\n")
@example(stored=b"description: >#\n  text\n")
@example(stored=b"description: |+# no\n  text\n")
@example(stored=b"match: {system: aws, symptom:}\n")
@example(stored=b"match: {system: aws, symptom :}\n")
@example(stored=b"match: {symptom:[a]}\n")
def test_both_readers_take_the_same_bytes_for_the_same_playbook(stored):
    assert read_by(WITH_LIBYAML, stored) == read_by(document._OwnScanner, stored)


@needs_both
def test_texts_with_question_marks_are_read_by_both():
    stored = b'name: "a?"\ndescription: why? because\nmetrics: ["x?y", \'z?\']\n'
    assert read_by(WITH_LIBYAML, stored) == read_by(document._OwnScanner, stored) is not None


def calls(stored):
    """Count the calls that reading takes: a cost that no busy machine changes."""
    found = 0

    def count(_frame, event, _argument):
        nonlocal found
        found += event in {"call", "c_call"}

    sys.setprofile(count)
    try:
        read_by(document._OwnScanner, stored)
    finally:
        sys.setprofile(None)
    return found


STEP = b"  - {name: a, action: service, operation: stop, service: web, rollback: {skip: because}}\n"
WORST = {
    "steps": b"steps:\n" + STEP * 700,
    "brackets": b"x: [" + b"[], " * 16_000 + b"]\n",
    "keys": b"".join(b"k%d: 1\n" % number for number in range(7_000)),
    "commas": b"x: [" + b"a, " * 21_000 + b"]\n",
    "words": b"x: " + b"word " * 13_000 + b"\n",
    "comments": b"# c\n" * 16_000 + b"x: 1\n",
    "quotes": b'x: "' + b"a" * 65_000 + b'"\n',
}


@pytest.mark.parametrize("name", WORST)
def test_the_largest_document_costs_the_slower_reader_a_bounded_number_of_calls(name):
    stored = WORST[name]
    assert len(stored) <= document.MAX_BYTES
    assert calls(stored) < 700_000  # about half a second; 256 KiB of steps took six million


def test_twice_the_steps_cost_at_most_little_more_than_twice():
    once, twice = (calls(b"steps:\n" + STEP * count) for count in (60, 120))
    assert twice < 2.3 * once
