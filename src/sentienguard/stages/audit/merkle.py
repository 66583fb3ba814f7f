"""RFC 6962 Merkle trees over stored bytes.

Called by ledger (grows a tree, makes proofs), by witness and verify (check them), by adapters that
write tiles. Hashes are raw SHA-256, 32 bytes. A leaf is hashed behind 0x00 and a node behind 0x01,
so that a node can never be passed off as a leaf.

The algorithms of proving are in RFC 6962, sections 2.1.1 and 2.1.2; those of verifying in RFC 9162,
sections 2.1.3.2 and 2.1.4.2. Verification returns False for whatever is wrong and never raises.
"""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Final

HASH_BYTES: Final = 32
EMPTY_ROOT: Final = hashlib.sha256(b"").digest()


def leaf_hash(stored: bytes) -> bytes:
    """Return the hash of a leaf's stored bytes."""
    return hashlib.sha256(b"\x00" + stored).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of the node above two hashes."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def root_of(leaf_hashes: Iterable[bytes]) -> tuple[int, bytes]:
    """Return the size and the root of a tree, keeping only its right edge: O(log n) memory."""
    edge: list[bytes] = []  # roots of complete subtrees, biggest first
    size = 0
    for hashed in leaf_hashes:
        carried = hashed
        size += 1
        trailing = size
        while not trailing & 1:
            carried = node_hash(edge.pop(), carried)
            trailing >>= 1
        edge.append(carried)
    return size, _folded(edge)


class Tree:
    """A growing tree that keeps every complete subtree's hash: 64 bytes for each leaf."""

    def __init__(self) -> None:
        self._levels: list[bytearray] = [bytearray()]  # [h]: roots of the complete 2**h subtrees

    def __len__(self) -> int:
        return len(self._levels[0]) // HASH_BYTES

    def append(self, leaf: bytes) -> int:
        """Add a leaf hash and return its index."""
        index = len(self)
        self._levels[0] += leaf
        height, position = 0, index
        while position & 1:
            carried = node_hash(self.at(height, position - 1), self.at(height, position))
            height, position = height + 1, position >> 1
            if height == len(self._levels):
                self._levels.append(bytearray())
            self._levels[height] += carried
        return index

    def at(self, height: int, position: int) -> bytes:
        """Return the root of the complete subtree of 2**height leaves at that position."""
        start = position * HASH_BYTES
        return bytes(self._levels[height][start : start + HASH_BYTES])

    def row(self, height: int, start: int, count: int) -> bytes:
        """Return `count` neighbouring subtree roots as one string, as tiles hold them."""
        return bytes(self._levels[height][start * HASH_BYTES : (start + count) * HASH_BYTES])

    def root(self, size: int | None = None) -> bytes:
        """Return the root of the first `size` leaves; all of them by default."""
        size = len(self) if size is None else self._within(size)
        return self._range(0, size) if size else EMPTY_ROOT

    def inclusion(self, index: int, size: int) -> list[bytes]:
        """Return the proof that leaf `index` is in the tree of the first `size` leaves."""
        if not 0 <= index < self._within(size):
            raise ValueError(f"leaf {index} is not in a tree of {size} leaves")
        proof: list[bytes] = []
        start, stop = 0, size
        while stop - start > 1:
            split = start + _left_size(stop - start)
            if index < split:
                proof.append(self._range(split, stop))
                stop = split
            else:
                proof.append(self._range(start, split))
                start = split
        return proof[::-1]

    def consistency(self, old: int, new: int) -> list[bytes]:
        """Return the proof that the first `old` leaves are how the first `new` ones begin."""
        if not 0 <= old <= self._within(new):
            raise ValueError(f"a tree of {old} leaves cannot grow into one of {new}")
        if old in {0, new}:
            return []
        proof: list[bytes] = []
        start, stop, whole = 0, new, True  # whole: the old tree is this subtree, and known
        while stop != old:
            split = start + _left_size(stop - start)
            if old <= split:
                proof.append(self._range(split, stop))
                stop = split
            else:
                proof.append(self._range(start, split))
                start, whole = split, False
        if not whole:
            proof.append(self._range(start, stop))
        return proof[::-1]

    def _range(self, start: int, stop: int) -> bytes:
        """Hash leaves start..stop, where start is a multiple of the biggest subtree inside."""
        edge = []
        while start < stop:
            height = (stop - start).bit_length() - 1
            edge.append(self.at(height, start >> height))
            start += 1 << height
        return _folded(edge)

    def _within(self, size: int) -> int:
        if not 0 <= size <= len(self):
            raise ValueError(f"the tree has {len(self)} leaves, not {size}")
        return size


def included(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Tell whether the proof shows that this leaf hash is at `index` in the tree with this root."""
    if not 0 <= index < size or len(leaf) != HASH_BYTES:
        return False
    position, last, carried = index, size - 1, leaf
    for sibling in proof:
        if last == 0 or len(sibling) != HASH_BYTES:
            return False
        if position & 1 or position == last:
            carried = node_hash(sibling, carried)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            carried = node_hash(carried, sibling)
        position, last = position >> 1, last >> 1
    return last == 0 and carried == root


def consistent(
    old: int, old_root: bytes, new: int, new_root: bytes, proof: Sequence[bytes]
) -> bool:
    """Tell whether the proof shows that the tree only grew from `old` to `new` leaves."""
    if old == 0:  # every tree grew from the empty one, which has one root
        empty = old_root == EMPTY_ROOT and not proof
        return empty and (new > 0 or (new == 0 and new_root == EMPTY_ROOT))
    if old >= new:
        return old == new and not proof and old_root == new_root
    hashes = list(proof) if old & (old - 1) else [old_root, *proof]
    if not hashes or any(len(one) != HASH_BYTES for one in hashes):
        return False
    position, last = old - 1, new - 1
    while position & 1:
        position, last = position >> 1, last >> 1
    was = now = hashes[0]
    for sibling in hashes[1:]:
        if last == 0:
            return False
        if position & 1 or position == last:
            was, now = node_hash(sibling, was), node_hash(sibling, now)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            now = node_hash(now, sibling)
        position, last = position >> 1, last >> 1
    return last == 0 and was == old_root and now == new_root


def _left_size(count: int) -> int:
    """Return the biggest power of two below `count`: where RFC 6962 splits."""
    return 1 << ((count - 1).bit_length() - 1)


def _folded(edge: Sequence[bytes]) -> bytes:
    """Hash roots of subtrees, biggest first, into the root over them."""
    if not edge:
        return EMPTY_ROOT
    carried = edge[-1]
    for left in reversed(edge[:-1]):
        carried = node_hash(left, carried)
    return carried
