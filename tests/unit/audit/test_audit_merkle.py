import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentienguard.stages.audit import merkle

SIZES = 300
DATA = [b"entry %d" % n for n in range(SIZES)]
HASHES = [merkle.leaf_hash(one) for one in DATA]


def naive_root(hashes):
    """RFC 6962, section 2.1, word by word."""
    if not hashes:
        return hashlib.sha256(b"").digest()
    if len(hashes) == 1:
        return hashes[0]
    split = 1
    while split * 2 < len(hashes):
        split *= 2
    return merkle.node_hash(naive_root(hashes[:split]), naive_root(hashes[split:]))


def naive_inclusion(index, hashes):
    if len(hashes) == 1:
        return []
    split = 1
    while split * 2 < len(hashes):
        split *= 2
    if index < split:
        return [*naive_inclusion(index, hashes[:split]), naive_root(hashes[split:])]
    return [*naive_inclusion(index - split, hashes[split:]), naive_root(hashes[:split])]


ROOTS = [naive_root(HASHES[:size]) for size in range(SIZES + 1)]
TREE = merkle.Tree()
for _hashed in HASHES:
    TREE.append(_hashed)


def test_hashes_are_those_of_rfc_6962():
    empty_leaf = "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    assert merkle.leaf_hash(b"").hex() == empty_leaf
    assert hashlib.sha256(b"").digest() == merkle.EMPTY_ROOT
    eight = [b"", b"\0", b"\x10", b" !", b"01", b"@ABC", b"PQRSTUVW", b"`abcdefghijklmno"]
    known = "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"
    assert merkle.root_of(map(merkle.leaf_hash, eight))[1].hex() == known


@pytest.mark.parametrize("size", range(SIZES + 1))
def test_a_root_is_what_the_definition_says_at_every_size(size):
    assert TREE.root(size) == ROOTS[size]
    assert merkle.root_of(HASHES[:size]) == (size, ROOTS[size])


@pytest.mark.parametrize("size", [*range(1, 18), 31, 32, 33, 127, 128, 129, 255, 256, 257, 300])
def test_every_leaf_of_a_tree_is_proven_as_the_definition_says(size):
    for index in range(size):
        proof = TREE.inclusion(index, size)
        assert proof == naive_inclusion(index, HASHES[:size])
        assert merkle.included(HASHES[index], index, size, proof, ROOTS[size])


@pytest.mark.parametrize("new", range(0, SIZES + 1, 3))
def test_growth_is_proven_from_every_size_before(new):
    for old in range(new + 1):
        proof = TREE.consistency(old, new)
        assert merkle.consistent(old, ROOTS[old], new, ROOTS[new], proof)


@pytest.mark.property
@given(st.data())
def test_a_changed_inclusion_proof_proves_nothing(draw):
    size = draw.draw(st.integers(2, SIZES))
    index = draw.draw(st.integers(0, size - 1))
    proof = TREE.inclusion(index, size)
    other = draw.draw(st.integers(0, size - 1).filter(lambda one: one != index))
    at = draw.draw(st.integers(0, len(proof) - 1))
    flipped = bytes([proof[at][0] ^ 1]) + proof[at][1:]
    root = ROOTS[size]
    assert not merkle.included(HASHES[other], index, size, proof, root)
    assert not merkle.included(HASHES[index], other, size, proof, root)
    assert not merkle.included(HASHES[index], index, size, proof[:-1], root)
    assert not merkle.included(HASHES[index], index, size, [*proof, root], root)
    changed = [*proof[:at], flipped, *proof[at + 1 :]]
    assert not merkle.included(HASHES[index], index, size, changed, root)
    assert not merkle.included(HASHES[index], index, size, proof, ROOTS[size - 1])
    assert not merkle.included(HASHES[index], index, 0, proof, root)
    assert not merkle.included(HASHES[index], -1, size, proof, root)


@pytest.mark.property
@given(st.data())
def test_a_changed_consistency_proof_proves_nothing(draw):
    new = draw.draw(st.integers(2, SIZES))
    old = draw.draw(st.integers(1, new - 1))
    proof = TREE.consistency(old, new)
    at = draw.draw(st.integers(0, len(proof) - 1))
    flipped = bytes([proof[at][0] ^ 1]) + proof[at][1:]
    assert not merkle.consistent(old, ROOTS[old], new, ROOTS[new], [])
    assert not merkle.consistent(old, ROOTS[old], new, ROOTS[new], proof[:-1])
    assert not merkle.consistent(old, ROOTS[old], new, ROOTS[new], [*proof, ROOTS[1]])
    changed = [*proof[:at], flipped, *proof[at + 1 :]]
    assert not merkle.consistent(old, ROOTS[old], new, ROOTS[new], changed)
    assert not merkle.consistent(old, ROOTS[old - 1], new, ROOTS[new], proof)
    assert not merkle.consistent(old, ROOTS[old], new, ROOTS[new - 1], proof)
    assert not merkle.consistent(new, ROOTS[new], old, ROOTS[old], proof)


@pytest.mark.property
@given(
    st.integers(-2, 40),
    st.binary(max_size=33),
    st.integers(-2, 40),
    st.lists(st.binary(min_size=31, max_size=33), max_size=8),
)
def test_nonsense_is_refused_and_nothing_is_raised(one, root, other, proof):
    assert not merkle.included(HASHES[0], one, other, proof, root)
    if not (one == other >= 0 and not proof) and (one, other) != (0, other):
        assert not merkle.consistent(one, root, other, ROOTS[3], proof)


def test_the_empty_tree_grows_into_every_tree_and_shows_its_own_root():
    assert merkle.consistent(0, merkle.EMPTY_ROOT, 5, ROOTS[5], [])
    assert not merkle.consistent(0, ROOTS[1], 5, ROOTS[5], [])
    assert not merkle.consistent(0, merkle.EMPTY_ROOT, 5, ROOTS[5], [ROOTS[1]])


def test_the_same_tree_is_consistent_with_itself_alone():
    assert merkle.consistent(5, ROOTS[5], 5, ROOTS[5], [])
    assert not merkle.consistent(5, ROOTS[5], 5, ROOTS[4], [])


def test_a_tree_refuses_what_it_does_not_hold():
    for mistake in (
        lambda: TREE.root(SIZES + 1),
        lambda: TREE.inclusion(5, 5),
        lambda: TREE.inclusion(-1, 5),
        lambda: TREE.inclusion(0, SIZES + 1),
        lambda: TREE.consistency(6, 5),
        lambda: TREE.consistency(-1, 5),
    ):
        with pytest.raises(ValueError, match="tree"):
            mistake()


def test_a_row_holds_neighbouring_subtrees():
    assert TREE.row(0, 2, 3) == b"".join(HASHES[2:5])
    assert TREE.row(8, 0, 1) == ROOTS[256]


def test_a_proof_for_a_smaller_tree_proves_nothing_about_a_bigger_one():
    assert not merkle.included(HASHES[0], 0, 2, [], HASHES[0])
    assert not merkle.included(HASHES[0], 0, 4, TREE.inclusion(0, 2), ROOTS[2])
    assert not merkle.consistent(2, ROOTS[2], 8, ROOTS[4], TREE.consistency(2, 4))


@pytest.mark.parametrize("size", [2, 3, 5, 8, 13])
def test_a_proof_that_is_too_long_or_of_other_hashes_proves_nothing(size):
    for index in range(size):
        proof = TREE.inclusion(index, size)
        assert not merkle.included(HASHES[index], index, size, [*proof, ROOTS[1]], ROOTS[size])
        assert not merkle.included(HASHES[index], index, size, proof[:-1], ROOTS[size])
        for wrong in (b"", proof[0] + b"x", proof[0][:-1]):
            assert not merkle.included(HASHES[index], index, size, [wrong, *proof[1:]], ROOTS[size])
    for old in range(1, size):
        proof = TREE.consistency(old, size)
        assert not merkle.consistent(old, ROOTS[old], size, ROOTS[size], [*proof, ROOTS[1]])
        assert not merkle.consistent(old, ROOTS[old], size, ROOTS[size], proof[:-1])
        for wrong in (b"", proof[0] + b"x", proof[0][:-1]):
            assert not merkle.consistent(old, ROOTS[old], size, ROOTS[size], [wrong, *proof[1:]])


@pytest.mark.parametrize("index", [-1, 5, 6])
def test_a_leaf_that_the_tree_cannot_hold_is_not_in_it(index):
    assert not merkle.included(HASHES[0], index, 5, TREE.inclusion(0, 5), ROOTS[5])


@pytest.mark.parametrize("leaf", [b"", HASHES[0][:-1], HASHES[0] + b"x"])
def test_what_is_no_hash_is_in_no_tree(leaf):
    assert not merkle.included(leaf, 0, 1, [], leaf)
