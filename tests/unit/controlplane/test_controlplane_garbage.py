"""What is put aside is not searched again, and goes all the same where it is of no more use."""

import gc
import weakref
from collections.abc import Iterator

import pytest

from sentienguard.controlplane.loops.garbage import Aside


class Node:
    """One of two that hold each other."""

    other: "Node | None" = None


def pair() -> tuple[Node, "weakref.ref[Node]"]:
    one, other = Node(), Node()
    one.other, other.other = other, one
    return one, weakref.ref(one)


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """Leave nothing aside, and let no search come by itself."""
    was = gc.isenabled()
    gc.disable()
    yield
    gc.unfreeze()
    if was:
        gc.enable()


def test_what_a_search_left_is_put_aside_once() -> None:
    aside = Aside()
    assert not aside.look()
    before = gc.get_freeze_count()
    kept = [[] for _ in range(1000)]
    gc.collect(1)
    assert not aside.look(), "that was no search of everything"
    gc.collect()
    assert aside.look()
    assert gc.get_freeze_count() >= before + len(kept)
    assert not aside.look()


def test_garbage_that_was_put_aside_goes_with_the_next_search_of_all() -> None:
    held, seen = pair()
    aside = Aside()
    gc.collect()
    assert aside.look()
    del held
    gc.collect()
    assert seen() is not None, "it was not put aside"
    assert aside.whole() >= 2
    assert seen() is None
    assert gc.get_freeze_count() > 0, "all is to be put aside again"
