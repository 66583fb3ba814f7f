"""Every content that a crash may leave behind a recorded program, and whether recovery copes.

Called by the tests of this directory. For each moment between two operations, every change that is
not durable may be on the disk, in part, as zeros, or not at all (`disk_model`, rules 3 to 5). Up to
`WHOLE` of them: each subset. More: none, all, all but one, one alone, and subsets drawn by seed.
On top of these one write at a time is torn, with all the others there and with none.

A state is one content of the directory with one list of promises: what is counted is distinct.
"""

import contextlib
import itertools
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sentienguard.model import errors
from tests.faults import disk_model as model
from tests.faults import durable_writers, recorded_disk

WHOLE = 6  # changes of which every subset is tried


@dataclass(frozen=True)
class Effort:
    """How much is tried at each moment."""

    drawn: int = 8  # subsets drawn where there are too many for all
    cuts: int = 3  # places in the first sector at which a write is torn, besides sector borders
    whole: int = WHOLE
    stride: int = 1  # of the states of a life every n-th is judged


@dataclass
class Found:
    """What a search came to."""

    states: int = 0
    problems: list[str] = field(default_factory=list)


def torn(write: model.Write, cuts: int, known: int) -> Iterator[model.Write]:
    """Yield what may be there of one write: prefixes, a lost sector, zeros in place of bytes.

    Zeros only behind the `known` length of the file, where blocks were new.
    """
    length = len(write.data)
    borders = range(model.SECTOR - write.offset % model.SECTOR, length, model.SECTOR)
    spread = {max(1, length * part // (cuts + 1)) for part in range(1, cuts + 1)}
    for cut in sorted({1, length - 1, *spread, *borders} & set(range(1, length))):
        yield model.Write(write.node, write.offset, write.data[:cut])
        if write.offset >= known:
            yield model.Write(write.node, write.offset, write.data[:cut] + bytes(length - cut))
            if cut in borders:
                yield model.Write(write.node, write.offset, bytes(cut) + write.data[cut:])
    if write.offset >= known:
        yield model.Write(write.node, write.offset, bytes(length))


def contents(disk: model.Disk, effort: Effort, dice: random.Random) -> Iterator[model.Tree]:
    """Yield each content that a crash at this moment may leave; some come more than once."""
    pending = disk.pending()
    every = {id(change): None for change in pending}
    for lost in _lost(pending, effort, dice):
        yield disk.tree({id(change): None for change in lost})
    for write in pending:
        if isinstance(write, model.Write) and len(write.data) > 1:
            known = len(disk.nodes[write.node].content)
            for part in torn(write, effort.cuts, known):
                yield disk.tree({id(write): part})
                yield disk.tree({**every, id(write): part})
                names = [one for one in pending if isinstance(one, model.Name)]
                if names and len(names) < len(pending) - 1:
                    only = {key: None for key in every if key not in {id(one) for one in names}}
                    yield disk.tree({**only, id(write): part})


def _lost(
    pending: Sequence[model.Change], effort: Effort, dice: random.Random
) -> Iterator[Sequence[model.Change]]:
    if len(pending) <= effort.whole:
        for count in range(len(pending) + 1):
            yield from itertools.combinations(pending, count)
        return
    yield ()
    yield pending
    for one in pending:
        yield (one,)
        yield [other for other in pending if other is not one]
    for _ in range(effort.drawn):
        yield [one for one in pending if dice.random() < 0.5]


def states(
    recording: recorded_disk.Recording, effort: Effort, seed: int, promised: Sequence[str] = ()
) -> Iterator[tuple[model.Tree, tuple[str, ...]]]:
    """Yield the distinct states of a recorded program: content, and what was promised so far."""
    disk, dice = recording.before.copied(), random.Random(seed)
    so_far, seen = list(promised), set()
    for operation in [*recording.operations, model.Told("")]:
        if not isinstance(operation, model.Told | model.Make):
            for tree in contents(disk, effort, dice):
                key = hash((frozenset(tree.items()), len(so_far)))
                if key not in seen:
                    seen.add(key)
                    yield tree, tuple(so_far)
        disk.do(operation)
        if isinstance(operation, model.Told) and operation.text:
            so_far.append(operation.text)
    for tree in contents(disk, effort, dice):
        if hash((frozenset(tree.items()), len(so_far))) not in seen:
            yield tree, tuple(so_far)


def judge(
    writer: durable_writers.Writer, place: Path, tree: model.Tree, promised: Sequence[str]
) -> str | None:
    """Put a state on a disk and recover from it; say what is wrong, None where all is well."""
    model.put(tree, place)
    try:
        for problem in writer.broken(place, promised):
            return problem
        once = model.read(place)
        writer.recover(place)
        again = model.read(place)
    except Exception as error:  # noqa: BLE001 - whatever recovery raises, no fault was in the state
        return f"recovery fails: {error!r}"
    if once != again:
        differing = [one for one in once | again if once.get(one) != again.get(one)]
        return f"recovered a second time, {differing} changed"
    return None


def run(
    writer: durable_writers.Writer,
    place: Path,
    disk: model.Disk | None = None,
    fail_sync: recorded_disk.FailSync | None = None,
) -> recorded_disk.Recording:
    """Let a writer work, or work on, and record it. That a failed sync stops it is in order."""
    model.put({} if disk is None else disk.tree(), place)
    with (
        recorded_disk.Recording(place, disk, fail_sync=fail_sync) as recording,
        contextlib.suppress(errors.SentienGuardError, OSError),
    ):
        writer.work(place, recording.told)
    return recording


@dataclass(frozen=True)
class Life:
    """What a process did on a disk where others may have been before it."""

    recording: recorded_disk.Recording
    promised: tuple[str, ...] = ()  # by the ones before


def first_life(writer: durable_writers.Writer, place: Path) -> Life:
    """Return the life of a process that begins on an empty disk."""
    return Life(run(writer, place))


def lives_after_a_kill(
    writer: durable_writers.Writer, place: Path, first: Life, every: int = 1
) -> Iterator[Life]:
    """Yield the second life after a kill at each n-th operation: the page cache is as it was."""
    disk, promised = first.recording.before.copied(), list(first.promised)
    for at, operation in enumerate(first.recording.operations):
        if at % every == every - 1 and not isinstance(operation, model.Told):
            yield Life(run(writer, place, disk), tuple(promised))
        disk.do(operation)
        if isinstance(operation, model.Told):
            promised.append(operation.text)


def lives_after_a_failed_sync(
    writer: durable_writers.Writer, place: Path, first: Life, every: int = 1
) -> Iterator[Life]:
    """Yield the second life after each n-th sync of a file failed and the process was restarted."""
    for number in range(every, first.recording.syncs + 1, every):
        cut = run(writer, place, fail_sync=lambda _, count, number=number: count == number)
        told = [one.text for one in cut.operations if isinstance(one, model.Told)]
        yield Life(run(writer, place, cut.after), tuple(told))


def lives_of_recoveries(
    writer: durable_writers.Writer, place: Path, first: Life, effort: Effort, every: int
) -> Iterator[Life]:
    """Yield the recovery of each n-th state: the power may go again while it recovers."""
    found = states(first.recording, effort, 1, first.promised)
    for tree, promised in itertools.islice(found, every - 1, None, every):
        model.put(tree, place)
        with recorded_disk.Recording(place) as recording:
            writer.recover(place)
        yield Life(recording, promised)


def search(
    writer: durable_writers.Writer, lives: Iterable[Life], place: Path, effort: Effort,
    *, enough: int = 1,
) -> Found:  # fmt: skip
    """Judge the states of some lives until `enough` problems are found."""
    found = Found()
    for seed, life in enumerate(lives):
        distinct = states(life.recording, effort, seed, life.promised)
        for tree, promised in itertools.islice(distinct, seed % effort.stride, None, effort.stride):
            if len(found.problems) >= enough:
                return found
            found.states += 1
            problem = judge(writer, place, tree, promised)
            if problem is not None:
                found.problems.append(problem)
    return found
