"""Many requests, one commit: nobody is told before it, and nobody pays for another's mistake."""

import asyncio
import threading
from collections.abc import Sequence

import pytest

from sentienguard.controlplane.group_commit import GroupCommit, Stopped
from sentienguard.model import errors


class Store:
    """A store whose commits wait until a test lets them go."""

    def __init__(self) -> None:
        self.commits: list[list[int]] = []
        self.gate = threading.Event()
        self.entered = threading.Event()

    def put(self, items: Sequence[int]) -> None:
        self.entered.set()
        assert self.gate.wait(10)
        if -1 in items:
            raise errors.Rejected("-1 cannot be kept")
        if -2 in items:
            raise errors.Unavailable("the disk is full")
        self.commits.append(list(items))


async def together(keeper: GroupCommit[int], requests: Sequence[Sequence[int]]) -> list[object]:
    """Send requests while a first commit is under way, and return what each was told."""
    asked = [asyncio.create_task(keeper.keep(items)) for items in requests]
    return list(await asyncio.gather(*asked, return_exceptions=True))


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.mark.parametrize(("most", "commits"), [(1000, 2), (2, 3), (1, 5)])
def test_what_comes_during_a_commit_shares_the_next_one(store, most: int, commits: int) -> None:
    async def run() -> None:
        keeper = GroupCommit(store.put, most=most)
        keeper.start()
        first = asyncio.create_task(keeper.keep([0]))
        await asyncio.to_thread(store.entered.wait, 10)
        rest = [asyncio.create_task(keeper.keep([number])) for number in range(1, 5)]
        await asyncio.sleep(0.05)
        assert not first.done(), "told before the commit"
        assert not any(one.done() for one in rest)
        store.gate.set()
        await asyncio.gather(first, *rest)
        keeper.stop()

    asyncio.run(run())
    assert len(store.commits) == commits
    assert [item for commit in store.commits for item in commit] == [0, 1, 2, 3, 4]


def test_one_that_cannot_be_kept_takes_no_other_with_it(store: Store) -> None:
    async def run() -> list[object]:
        keeper = GroupCommit(store.put, most=1000)
        keeper.start()
        asyncio.get_running_loop().call_later(0.05, store.gate.set)
        told = await together(keeper, [[0], [1], [-1], [2]])
        keeper.stop()
        return told

    told = asyncio.run(run())
    assert [type(one) for one in told] == [type(None), type(None), errors.Rejected, type(None)]
    assert sorted(item for commit in store.commits for item in commit) == [0, 1, 2]


def test_a_commit_that_failed_is_told_to_each_and_not_tried_again(store: Store) -> None:
    async def run() -> list[object]:
        keeper = GroupCommit(store.put, most=1000)
        keeper.start()
        store.gate.set()
        told = await together(keeper, [[-2], [-2, 1]])
        keeper.stop()
        return told

    assert [type(one) for one in asyncio.run(run())] == [errors.Unavailable] * 2
    assert store.commits == []


def test_what_was_taken_is_committed_at_the_stop_and_nothing_is_taken_after(store: Store) -> None:
    async def run() -> None:
        keeper = GroupCommit(store.put, most=1)
        keeper.start()
        asked = [asyncio.create_task(keeper.keep([number])) for number in range(3)]
        await asyncio.sleep(0.05)
        store.gate.set()
        await asyncio.to_thread(keeper.stop)
        await asyncio.gather(*asked)
        with pytest.raises(Stopped):
            await keeper.keep([9])

    asyncio.run(run())
    assert store.commits == [[0], [1], [2]]


def test_a_sender_that_hung_up_is_no_trouble_for_the_others(store: Store) -> None:
    async def run() -> None:
        keeper = GroupCommit(store.put, most=1000)
        keeper.start()
        gone, stays = (asyncio.create_task(keeper.keep([number])) for number in (1, 2))
        await asyncio.sleep(0.05)
        gone.cancel()
        store.gate.set()
        await stays
        keeper.stop()

    asyncio.run(run())
    assert sorted(item for commit in store.commits for item in commit) == [1, 2]


def test_after_several_it_rests_until_most_have_come(store: Store) -> None:
    async def run() -> None:
        keeper = GroupCommit(store.put, most=3, rest_s=3600)
        keeper.start()
        first = asyncio.create_task(keeper.keep([0]))
        await asyncio.to_thread(store.entered.wait, 10)
        several = [asyncio.create_task(keeper.keep([number])) for number in (1, 2)]
        await asyncio.sleep(0)
        store.gate.set()
        await asyncio.gather(first, *several)
        assert store.commits == [[0], [1, 2]], "one alone is no reason to rest"
        asked = [asyncio.create_task(keeper.keep([number])) for number in (3, 4)]
        await asyncio.sleep(0.05)
        assert len(store.commits) == 2, "put before the rest was over"
        await keeper.keep([5])
        await asyncio.gather(*asked)
        last = asyncio.create_task(keeper.keep([6]))
        await asyncio.sleep(0)
        await asyncio.to_thread(keeper.stop)
        await last

    asyncio.run(run())
    assert store.commits == [[0], [1, 2], [3, 4, 5], [6]]


def test_a_rest_ends(store: Store) -> None:
    async def run() -> None:
        keeper = GroupCommit(store.put, most=1000, rest_s=0.05)
        store.gate.set()
        keeper.start()
        for start in range(0, 12, 4):
            await asyncio.gather(*(keeper.keep([start + more]) for more in range(4)))
        keeper.stop()

    asyncio.run(run())
    assert [item for commit in store.commits for item in commit] == list(range(12))
