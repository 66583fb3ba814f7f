"""Many threads, few commits; nobody hears of success before the commit, or of another's refusal."""

import threading

import pytest

from sentienguard.adapters.joint_commit import JointCommit
from sentienguard.model import errors

WRITERS = 24
PATIENCE_S = 10


class Store:
    """Keeps what is put; the first commit is held until the test lets it go."""

    def __init__(self, refuse=(), fail=()):
        self.batches, self.kept = [], []
        self.refuse, self.fail = set(refuse), set(fail)
        self.entered, self.go = threading.Event(), threading.Event()

    def put(self, items):
        self.batches.append(list(items))
        self.entered.set()
        assert self.go.wait(PATIENCE_S)
        if self.refuse & set(items):
            raise errors.Rejected("refused")
        if self.fail & set(items):
            raise errors.Unavailable("the disk is full")
        self.kept += items


def written(store, *, most=64, writers=WRITERS):
    """Let threads write a number each while the first commit is held; return what they hear."""
    together = JointCommit(store.put, most=most)
    heard = {}

    def write(number):
        try:
            together.write(number)
        except errors.SentienGuardError as problem:
            heard[number] = type(problem)
        else:
            heard[number] = number in store.kept

    threads = [threading.Thread(target=write, args=(number,)) for number in range(writers)]
    threads[0].start()
    assert store.entered.wait(PATIENCE_S)
    for thread in threads[1:]:
        thread.start()
    while len(together._waiting) < writers - 1:
        pass
    assert not heard  # nobody is answered before the commit
    store.go.set()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert not together._busy
    return heard


def test_what_came_during_a_commit_is_committed_together():
    store = Store()
    assert written(store) == dict.fromkeys(range(WRITERS), True)
    assert [len(batch) for batch in store.batches] == [1, WRITERS - 1]


def test_no_commit_holds_more_than_the_most():
    store = Store()
    assert written(store, most=8) == dict.fromkeys(range(WRITERS), True)
    assert [len(batch) for batch in store.batches] == [1, 8, 8, 7]


def test_one_that_is_refused_takes_no_other_with_it():
    heard = written(Store(refuse={5}))
    assert heard.pop(5) is errors.Rejected
    assert set(heard.values()) == {True}


def test_a_commit_that_fails_fails_for_all_that_it_held_and_the_next_ones_go_on():
    store = Store(fail={0})
    heard = written(store)
    assert heard.pop(0) is errors.Unavailable
    assert set(heard.values()) == {True}


def test_it_goes_on_after_a_failure():
    store = Store(fail={1})
    store.go.set()
    together = JointCommit(store.put, most=4)
    with pytest.raises(errors.Unavailable):
        together.write(1)
    together.write(2)
    assert store.kept == [2]


def test_whatever_stops_a_commit_nobody_is_told_that_it_was_kept():
    class Stopped(BaseException):
        pass

    def put(_items):
        raise Stopped

    with pytest.raises(Stopped):
        JointCommit(put, most=4).write(1)
