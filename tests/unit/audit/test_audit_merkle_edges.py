"""Trees and proofs at every small size, against the definitions of RFC 6962 word by word.

Small, so that whatever is wrong with `stages.audit.merkle` shows within a fraction of a second;
test_audit_merkle asks the same of bigger trees and of random ones.
"""

import hashlib

import pytest

from sentienguard.stages.audit import merkle

SIZES = 17  # two powers of two are inside, and one more leaf than the bigger one
HASHES = [hashlib.sha256(b"\x00entry %d" % n).digest() for n in range(SIZES)]
STRANGER = hashlib.sha256(b"stranger").digest()
STRANGERS = (bytes(32), STRANGER, b"\xff" * 32)  # below and above every root


def above(left, right):
    return hashlib.sha256(b"\x01" + left + right).digest()


def split(count):
    """RFC 6962, section 2.1: the largest power of two smaller than `count`."""
    return max(2**power for power in range(6) if 2**power < count)


def root(hashes):
    """RFC 6962, section 2.1."""
    if not hashes:
        return hashlib.sha256(b"").digest()
    if len(hashes) == 1:
        return hashes[0]
    at = split(len(hashes))
    return above(root(hashes[:at]), root(hashes[at:]))


def path(index, hashes):
    """RFC 6962, section 2.1.1."""
    if len(hashes) == 1:
        return []
    at = split(len(hashes))
    if index < at:
        return [*path(index, hashes[:at]), root(hashes[at:])]
    return [*path(index - at, hashes[at:]), root(hashes[:at])]


def proof(old, hashes, whole=True):
    """RFC 6962, section 2.1.2."""
    if old == len(hashes):
        return [] if whole else [root(hashes)]
    at = split(len(hashes))
    if old <= at:
        return [*proof(old, hashes[:at], whole), root(hashes[at:])]
    return [*proof(old - at, hashes[at:], False), root(hashes[:at])]


ROOTS = [root(HASHES[:size]) for size in range(SIZES + 1)]
INDEXES = [(index, size) for size in range(1, SIZES + 1) for index in range(size)]
GROWTHS = [(old, new) for new in range(1, SIZES + 1) for old in range(1, new)]


def grown(size):
    tree = merkle.Tree()
    for index, hashed in enumerate(HASHES[:size]):
        assert tree.append(hashed) == index
    return tree


TREE = grown(SIZES)


def wrong_versions(good):
    """Yield every proof with one hash too many, one missing, changed, cut, longer or swapped."""
    for at in range(len(good) + 1):
        yield [*good[:at], STRANGER, *good[at:]]
    for at, one in enumerate(good):
        yield [*good[:at], *good[at + 1 :]]
        yield [*good[:at], STRANGER, *good[at + 1 :]]
        yield [*good[:at], one[:-1], *good[at + 1 :]]
        yield [*good[:at], one + b"\x00", *good[at + 1 :]]
        if len(set(good[at : at + 2])) == 2:
            yield [*good[:at], good[at + 1], one, *good[at + 2 :]]


# --- hashes and trees


def test_a_leaf_and_a_node_are_hashed_behind_their_own_byte():
    assert merkle.leaf_hash(b"entry 3") == HASHES[3]
    assert merkle.node_hash(HASHES[0], HASHES[1]) == above(HASHES[0], HASHES[1])
    assert hashlib.sha256(b"").digest() == merkle.EMPTY_ROOT


def test_roots_are_those_of_the_definition():
    for size in range(SIZES + 1):
        assert TREE.root(size) == ROOTS[size]
        assert merkle.root_of(iter(HASHES[:size])) == (size, ROOTS[size])
        tree = grown(size)
        assert len(tree) == size
        assert tree.root() == ROOTS[size]
        assert len(tree._levels) == max(1, size.bit_length())  # none is kept for nothing


def test_the_roots_of_complete_subtrees_are_where_tiles_look_for_them():
    for height in range(5):
        width = 2**height
        whole = [root(HASHES[at : at + width]) for at in range(0, SIZES - width + 1, width)]
        assert [TREE.at(height, position) for position in range(len(whole))] == whole
        assert TREE.row(height, 0, len(whole)) == b"".join(whole)
        for start in range(len(whole)):
            assert TREE.row(height, start, 1) == whole[start]


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        (lambda: TREE.root(SIZES + 1), f"the tree has {SIZES} leaves, not {SIZES + 1}"),
        (lambda: TREE.root(-1), f"the tree has {SIZES} leaves, not -1"),
        (lambda: TREE.inclusion(5, 5), "leaf 5 is not in a tree of 5 leaves"),
        (lambda: TREE.inclusion(6, 5), "leaf 6 is not in a tree of 5 leaves"),
        (lambda: TREE.inclusion(-1, 5), "leaf -1 is not in a tree of 5 leaves"),
        (lambda: TREE.inclusion(0, 0), "leaf 0 is not in a tree of 0 leaves"),
        (lambda: TREE.inclusion(0, SIZES + 1), f"the tree has {SIZES} leaves, not {SIZES + 1}"),
        (lambda: TREE.consistency(6, 5), "a tree of 6 leaves cannot grow into one of 5"),
        (lambda: TREE.consistency(-1, 5), "a tree of -1 leaves cannot grow into one of 5"),
        (lambda: TREE.consistency(0, SIZES + 1), f"the tree has {SIZES} leaves, not {SIZES + 1}"),
    ],
)
def test_a_tree_refuses_what_it_does_not_hold(mistake, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        mistake()


# --- that a leaf is in it


def test_the_proof_of_every_leaf_is_that_of_the_definition_and_is_believed():
    for index, size in INDEXES:
        made = TREE.inclusion(index, size)
        assert made == path(index, HASHES[:size])
        assert merkle.included(HASHES[index], index, size, made, ROOTS[size]) is True


def test_a_proof_that_is_a_little_different_proves_nothing():
    for index, size in INDEXES:
        for wrong in wrong_versions(path(index, HASHES[:size])):
            assert merkle.included(HASHES[index], index, size, wrong, ROOTS[size]) is False


def test_a_proof_is_for_its_leaf_its_place_and_its_tree_alone():
    for index, size in INDEXES:
        made = path(index, HASHES[:size])
        assert not merkle.included(STRANGER, index, size, made, ROOTS[size])
        assert not merkle.included(HASHES[index], index, size, made, STRANGER)
        assert not merkle.included(HASHES[index], index, size, made, ROOTS[size - 1])
        for place in (-1, *range(size + 2)):
            if place != index:
                assert not merkle.included(HASHES[index], place, size, made, ROOTS[size])


def test_what_is_no_tree_and_no_hash_has_nothing_in_it():
    for size in (0, -1):
        assert merkle.included(HASHES[0], 0, size, [], HASHES[0]) is False
    for leaf in (b"", HASHES[0][:-1], HASHES[0] + b"\x00"):
        assert not merkle.included(leaf, 0, 1, [], leaf)
        assert not merkle.included(leaf, 0, 2, [HASHES[1]], above(leaf, HASHES[1]))


def test_a_proof_in_a_bigger_tree_is_none_in_the_smaller_one():
    """Where the siblings of the smaller one are over, nothing more may be hashed."""
    assert merkle.included(HASHES[1], 0, 1, [HASHES[0]], ROOTS[2]) is False
    for index, size in INDEXES:
        for smaller in range(index + 1, size):
            above_it = [*path(index, HASHES[:smaller]), STRANGER]
            for one in (above(ROOTS[smaller], STRANGER), above(STRANGER, ROOTS[smaller])):
                assert not merkle.included(HASHES[index], index, smaller, above_it, one)


@pytest.mark.parametrize("length", [0, 31, 33])
def test_a_sibling_that_is_no_hash_proves_nothing_even_if_the_root_fits(length):
    odd = b"x" * length
    assert not merkle.included(HASHES[0], 0, 2, [odd], above(HASHES[0], odd))
    assert not merkle.included(HASHES[0], 1, 2, [odd], above(odd, HASHES[0]))
    assert not merkle.consistent(1, HASHES[0], 2, above(HASHES[0], odd), [odd])
    assert not merkle.consistent(1, odd, 2, above(odd, HASHES[0]), [HASHES[0]])


# --- that it only grew


def test_the_proof_of_every_growth_is_that_of_the_definition_and_is_believed():
    for old, new in GROWTHS:
        made = TREE.consistency(old, new)
        assert made == proof(old, HASHES[:new])
        assert merkle.consistent(old, ROOTS[old], new, ROOTS[new], made) is True


def test_a_proof_of_growth_that_is_a_little_different_proves_nothing():
    for old, new in GROWTHS:
        for wrong in wrong_versions(proof(old, HASHES[:new])):
            assert merkle.consistent(old, ROOTS[old], new, ROOTS[new], wrong) is False


def test_a_proof_of_growth_is_for_its_two_trees_alone():
    for old, new in GROWTHS:
        made = proof(old, HASHES[:new])
        assert not merkle.consistent(old, STRANGER, new, ROOTS[new], made)
        assert not merkle.consistent(old, ROOTS[old], new, STRANGER, made)
        assert not merkle.consistent(new, ROOTS[new], old, ROOTS[old], made)
        assert not merkle.consistent(-old, ROOTS[old], new, ROOTS[new], made)
        for other in range(1, new + 2):
            if other != old:
                assert not merkle.consistent(other, ROOTS[old], new, ROOTS[new], made)


def test_no_growth_needs_no_proof_and_shows_one_root():
    for size in range(1, SIZES + 1):
        same = ROOTS[size]
        assert TREE.consistency(size, size) == []
        assert merkle.consistent(size, same, size, same, []) is True
        assert merkle.consistent(size, same, size, same, [same]) is False
        for other in STRANGERS:
            assert merkle.consistent(size, same, size, other, []) is False
            assert merkle.consistent(size, other, size, same, []) is False


def test_a_tree_never_shrinks_though_it_shows_the_same_root():
    for new, old in GROWTHS:
        assert merkle.consistent(old, ROOTS[old], new, ROOTS[old], []) is False
        assert merkle.consistent(old, ROOTS[new], new, ROOTS[new], []) is False
        assert merkle.consistent(old, ROOTS[old], 0, ROOTS[0], []) is False


def test_everything_grew_from_the_empty_tree_and_from_nothing_less():
    empty = ROOTS[0]
    for size in range(SIZES + 1):
        assert TREE.consistency(0, size) == []
        assert merkle.consistent(0, empty, size, ROOTS[size], []) is True
        assert merkle.consistent(0, empty, size, ROOTS[size], [STRANGER]) is False
        assert merkle.consistent(-1, empty, size, ROOTS[size], []) is False
        for other in STRANGERS:
            assert merkle.consistent(0, other, size, ROOTS[size], []) is False
    for other in STRANGERS:
        assert merkle.consistent(0, empty, 0, other, []) is False
    assert merkle.consistent(0, empty, -1, empty, []) is False
