"""Proofs: known answers of others, every pair of small sizes, changed proofs, a million entries."""

import base64
import functools
import time

import pytest

from sentienguard.stages.audit import merkle
from tests.support import effort, second_verifier

SMALL = 64
LEAVES = [b"leaf %d" % n for n in range(SMALL)]
TREE = merkle.Tree()
for _leaf in LEAVES:
    TREE.append(merkle.leaf_hash(_leaf))
ROOTS = [second_verifier.tree_hash(LEAVES[:size]) for size in range(SMALL + 1)]

# The tree of eight leaves that tests of RFC 6962 share; roots by size, nodes by level. From
# testonly/constants.go of github.com/transparency-dev/merkle.
KNOWN_LEAVES = [
    bytes.fromhex(text)
    for text in (
        "", "00", "10", "2021", "3031", "40414243", "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]  # fmt: skip
KNOWN_ROOTS = (
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)
NODE_1_0 = KNOWN_ROOTS[2]
NODE_0_1 = "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7"
NODE_0_2 = "0298d122906dcfc10892cb53a73992fc5b9f493ea4c9badb27b791b4127a7fe7"
NODE_0_4 = "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"
NODE_0_6 = "b08693ec2e721597130641e8211e7eedccb4c26413963eee6c1e2ed16ffb1a5f"
NODE_1_1 = "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e"
NODE_1_2 = "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a"
NODE_1_3 = "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0"
NODE_2_0 = KNOWN_ROOTS[4]
NODE_2_1 = "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"
# Which nodes prove what: testdata/inclusion and testdata/consistency there, "happy path".
KNOWN_INCLUSION = {
    (0, 1): [],
    (0, 8): [NODE_0_1, NODE_1_1, NODE_2_1],
    (5, 8): [NODE_0_4, NODE_1_3, NODE_2_0],
    (2, 3): [NODE_1_0],
    (1, 5): [KNOWN_ROOTS[1], NODE_1_1, NODE_0_4],
}
KNOWN_CONSISTENCY = {
    (1, 1): [],
    (1, 8): [NODE_0_1, NODE_1_1, NODE_2_1],
    (6, 8): [NODE_1_2, NODE_1_3, NODE_2_0],
    (2, 5): [NODE_1_1, NODE_0_4],
    (6, 7): [NODE_1_2, NODE_0_6, NODE_2_0],
}  # fmt: skip


@functools.cache
def known_tree():
    tree = merkle.Tree()
    for one in KNOWN_LEAVES:
        tree.append(merkle.leaf_hash(one))
    return tree


@pytest.mark.parametrize("size", range(9))
def test_roots_are_the_known_ones(size):
    assert known_tree().root(size).hex() == KNOWN_ROOTS[size]
    assert second_verifier.tree_hash(KNOWN_LEAVES[:size]).hex() == KNOWN_ROOTS[size]


@pytest.mark.parametrize(("index", "size"), KNOWN_INCLUSION)
def test_inclusion_proofs_are_the_known_ones(index, size):
    known = [bytes.fromhex(one) for one in KNOWN_INCLUSION[index, size]]
    assert known_tree().inclusion(index, size) == known
    assert second_verifier.path(index, KNOWN_LEAVES[:size]) == known
    leaf, root = merkle.leaf_hash(KNOWN_LEAVES[index]), bytes.fromhex(KNOWN_ROOTS[size])
    assert merkle.included(leaf, index, size, known, root)


@pytest.mark.parametrize(("old", "new"), KNOWN_CONSISTENCY)
def test_consistency_proofs_are_the_known_ones(old, new):
    known = [bytes.fromhex(one) for one in KNOWN_CONSISTENCY[old, new]]
    assert known_tree().consistency(old, new) == known
    assert second_verifier.proof(old, KNOWN_LEAVES[:new]) == known
    roots = [bytes.fromhex(KNOWN_ROOTS[size]) for size in (old, new)]
    assert merkle.consistent(old, roots[0], new, roots[1], known)


def test_every_proof_of_small_trees_is_the_definitions():
    """RFC 6962, sections 2.1.1 and 2.1.2: all 4,160 pairs of a place and a size up to 64."""
    for size in range(1, SMALL + 1):
        for m in range(size):
            proof = TREE.inclusion(m, size)
            assert proof == second_verifier.path(m, LEAVES[:size])
            assert merkle.included(merkle.leaf_hash(LEAVES[m]), m, size, proof, ROOTS[size])
            grown = TREE.consistency(m + 1, size)
            assert grown == second_verifier.proof(m + 1, LEAVES[:size])
            assert merkle.consistent(m + 1, ROOTS[m + 1], size, ROOTS[size], grown)


def _changed(proof):
    """Yield every proof that differs in one place: a bit, one less, one more, two exchanged."""
    for at, one in enumerate(proof):
        for bit in (0, 7, 128, 255):
            flipped = int.from_bytes(one, "big") ^ 1 << bit
            yield [*proof[:at], flipped.to_bytes(32, "big"), *proof[at + 1 :]]
        yield [*proof[:at], *proof[at + 1 :]]
        yield [*proof[:at], one[:-1], *proof[at + 1 :]]
        if at and proof[at - 1] != one:
            yield [*proof[: at - 1], one, proof[at - 1], *proof[at + 1 :]]
    for at in range(len(proof) + 1):
        yield [*proof[:at], merkle.EMPTY_ROOT, *proof[at:]]


@pytest.mark.parametrize("size", effort.pick((2, 7, 8, 33, 64), thorough=range(2, SMALL + 1)))
def test_no_changed_inclusion_proof_proves_anything(size):
    for m in range(size):
        leaf, proof, root = merkle.leaf_hash(LEAVES[m]), TREE.inclusion(m, size), ROOTS[size]
        for wrong in _changed(proof):
            assert not merkle.included(leaf, m, size, wrong, root)
        for other in range(size):
            assert merkle.included(leaf, other, size, proof, root) is (other == m)
        assert not merkle.included(b"", m, size, proof, root)
        assert not merkle.included(leaf, m, size, proof, b"")


@pytest.mark.parametrize("new", effort.pick((2, 7, 8, 33, 64), thorough=range(2, SMALL + 1)))
def test_no_changed_consistency_proof_proves_anything(new):
    for old in range(1, new):
        proof = TREE.consistency(old, new)
        for wrong in _changed(proof):
            assert not merkle.consistent(old, ROOTS[old], new, ROOTS[new], wrong)
        for other in range(1, new):
            fits = merkle.consistent(old, ROOTS[other], new, ROOTS[new], proof)
            assert fits is (other == old)
        assert not merkle.consistent(old, ROOTS[old], new, ROOTS[old], proof)


# Cases of transparency-dev/merkle, testdata, that a careless verifier accepts.
NOT_EMPTY = base64.b64decode("ZG9uJ3QgY2FyZSAy")


def test_the_empty_tree_has_one_root():
    assert merkle.consistent(0, merkle.EMPTY_ROOT, 0, merkle.EMPTY_ROOT, [])
    assert not merkle.consistent(0, merkle.EMPTY_ROOT, 0, NOT_EMPTY, [])
    assert not merkle.consistent(0, merkle.EMPTY_ROOT, 0, ROOTS[1], [])


def test_nothing_is_no_leaf():
    assert not merkle.included(b"", 0, 1, [], b"")


@pytest.mark.timeout(600)
def test_a_proof_for_any_of_a_million_entries_is_at_most_a_kilobyte():
    size = effort.pick(100_000, thorough=1_000_000)
    tree = merkle.Tree()
    for number in range(size):
        tree.append(merkle.leaf_hash(b"%d" % number))
    root = tree.root()
    places = sorted({0, 1, size // 3, size // 2, size - 2, size - 1, *range(0, size, size // 500)})
    proofs = {at: tree.inclusion(at, size) for at in places}
    assert max(sum(map(len, proof)) for proof in proofs.values()) <= 32 * (size - 1).bit_length()
    assert 32 * (1_000_000 - 1).bit_length() <= 1024
    began = time.perf_counter()
    for at, proof in proofs.items():
        assert merkle.included(merkle.leaf_hash(b"%d" % at), at, size, proof, root)
    each_us = (time.perf_counter() - began) / len(proofs) * 1e6
    assert each_us < 1_000  # 50 on a quiet machine; the benchmark measures, this catches a blow-up
