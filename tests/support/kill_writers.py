"""Kill a writer of the audit log, or of the executor's journal, again and again on its directory.

    python -m tests.support.kill_writers --kind log --kills 100 --seed 1 --directory DIR

Called by tests/kills and benchmarks.kills as a process of its own, which prints one JSON object. It
loads what a writer needs once and has no threads, so that each writer is a fork of it: a process of
its own that dies by SIGKILL like any other, without waiting for an interpreter. A writer tells what
was acknowledged through a pipe, after the call that acknowledged it has returned. A quarter of the
kills fall while it opens and repairs what the one before left.

After each start the writer tells what it finds of what the one before was promised; after each
round somebody else reads everything.
"""

import argparse
import contextlib
import hashlib
import json
import os
import random
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sentienguard.adapters.audit_files import log as log_files
from sentienguard.adapters.audit_files import reader
from sentienguard.adapters.execution_journal_files import journal
from sentienguard.ports import audit_log
from sentienguard.stages.audit import ledger, verify
from sentienguard.trust.keys import SigningKey
from sentienguard.trust.log_keys import LogKey, LogSigners
from tests.support import kill_bugs

KILLS_A_ROUND = 50  # a log is replayed at each start, so it must not grow for ever
LEAST_S, MOST_S = 0.001, 0.030  # of work before the kill
OPENING_S = 0.020  # within which kills fall that meet the opening
OPENS_S = 20.0
LINES_A_BLOB = 16
LINES_A_REWRITE = 40
TOOL = Path(__file__).parents[2] / "tools/verify_audit_log.py"
KEY = SigningKey.from_seed(b"\7" * 32)
ORIGIN = "sentienguard.test/kills"


@dataclass
class Promises:
    """What writers were told is kept."""

    told: dict[int, str] = field(default_factory=dict)  # number -> digest
    unseen: dict[int, str] = field(default_factory=dict)  # not found again by a later writer yet
    through: int = 0  # records that a later writer has found
    next_number: int = 1


@dataclass
class Result:
    """What came of all kills."""

    kills: int = 0
    while_opening: int = 0
    acknowledged: int = 0
    lost: list[str] = field(default_factory=list)
    recoveries: list[float] = field(default_factory=list)


def digest(number: int) -> str:
    """Return what the line of a number holds."""
    return hashlib.sha256(b"%d" % number).hexdigest()


# --- writers: these run in the process that is killed -------------------------------------------


def write_log(directory: Path, say: Callable[[str], None], promises: Promises) -> None:
    """Open the log, tell what is in it, append until killed."""
    log_files.CHECKPOINT_WITHIN_S = 0.004  # type: ignore[misc] - so that kills meet publications
    with log_files.AuditFiles(directory, ledger.Ledger(ORIGIN, LogSigners.of(KEY))) as log:
        say("open")
        for stored in log.entries(promises.through, log.size()):
            data = stored.fields["data"]
            say(f"has {stored.index + 1} {data['number']} {data['digest']}")
        say("told")
        number = promises.next_number
        while True:
            count = 1 + number % 4
            numbers = range(number, number + count)
            blob = ()
            if number % LINES_A_BLOB == 0:
                blob = (log.put_blob(digest(number).encode(), "text/plain"),)
            log.append_many([_entry(each, blob) for each in numbers])
            for each in numbers:
                say(f"ack {each} {digest(each)}")
            number += count


def _entry(number: int, blobs: tuple[audit_log.BlobRef, ...]) -> audit_log.NewEntry:
    return audit_log.NewEntry(
        kind="agent.alarm",
        at=datetime.now(UTC),
        environment="drill",
        source="cp",
        actor="kills",
        key=f"kills/{number}",
        incident=None,
        data={"number": number, "digest": digest(number)},
        blobs=blobs,
    )


def write_journal(directory: Path, say: Callable[[str], None], promises: Promises) -> None:
    """Open the journal, tell what is in it, append and rewrite until killed."""
    kept = journal.JournalFile(directory / "journal.log")
    say("open")
    records = list(kept.records())
    for index, record in enumerate(records):
        if index >= promises.through:
            say(f"has {index + 1} {record['number']} {record['digest']}")
    say("told")
    number = promises.next_number
    while True:
        count = 1 + number % 3
        some = [{"number": n, "digest": digest(n)} for n in range(number, number + count)]
        kept.append(some, durable=number % 2 == 0)
        records += some
        for record in some:
            say(f"ack {record['number']} {record['digest']}")
        number += count
        if number % LINES_A_REWRITE < count:
            kept.rewrite(records)


WRITERS: dict[str, Callable[[Path, Callable[[str], None], Promises], None]] = {
    "log": write_log,
    "journal": write_journal,
}


# --- the one who kills --------------------------------------------------------------------------


def run(kind: str, directory: Path, kills: int, seed: int) -> Result:
    """Kill so many writers; stop at the first thing that is lost."""
    result, dice = Result(), random.Random(seed)
    number = 0
    while result.kills < kills and not result.lost:
        place = directory / f"{kind}-{number}"
        place.mkdir(parents=True)
        promises = Promises()
        for _ in range(min(KILLS_A_ROUND, kills - result.kills)):
            _one(kind, place, promises, dice, result)
            if result.lost:
                return result
        result.acknowledged += len(promises.told)
        result.lost += _read_by_others(kind, place, promises)
        number += 1
        if not result.lost:
            subprocess.run(["rm", "-rf", str(place)], check=True)
    return result


def _one(kind: str, place: Path, promises: Promises, dice: random.Random, result: Result) -> None:
    opening = dice.random() < 0.25
    work_s = dice.uniform(0.0, OPENING_S) if opening else dice.uniform(LEAST_S, MOST_S)
    ours, theirs = os.pipe()
    began = time.monotonic()
    child = os.fork()
    if child == 0:
        _become(kind, place, theirs, promises)
    os.close(theirs)
    heard = b""
    try:
        if not opening:
            heard = _until(ours, b"told\n", began + OPENS_S)
            result.recoveries.append(time.monotonic() - began)
        time.sleep(work_s)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    while part := os.read(ours, 1 << 16):
        heard += part
    os.close(ours)
    result.kills += 1
    result.while_opening += b"told\n" not in heard
    result.lost += _judge(heard.decode().splitlines(), promises)


def _become(kind: str, place: Path, pipe: int, promises: Promises) -> None:
    """Be a writer; never returns."""
    try:
        WRITERS[kind](place, lambda line: _say(pipe, line), promises)
    except BaseException as error:  # noqa: BLE001 - the one who kills has to hear of it
        _say(pipe, f"error {type(error).__name__}: {str(error)[:400]}".replace("\n", " "))
    os._exit(1)


def _say(pipe: int, line: str) -> None:
    os.write(pipe, line.encode() + b"\n")


def _until(pipe: int, word: bytes, until: float) -> bytes:
    heard = b""
    while word not in heard:
        if not select.select([pipe], [], [], max(0.0, until - time.monotonic()))[0]:
            raise TimeoutError(f"a writer did not open its directory within {OPENS_S} s")
        part = os.read(pipe, 1 << 16)
        if not part:
            break  # it ended by itself: its last line says why
        heard += part
    return heard


def _judge(lines: list[str], promises: Promises) -> list[str]:
    """Take what a writer said; return what was promised before and is not there."""
    found: dict[int, str] = {}
    whole, through = False, promises.through
    acknowledged: dict[int, str] = {}
    for line in lines:
        word, _, rest = line.partition(" ")
        if word == "has":
            index, number, content = rest.split(" ")
            if int(number) in found:
                return [f"line {number} is there twice"]
            found[int(number)], through = content, int(index)
        elif word == "told":
            whole = True
        elif word == "ack":
            number, content = rest.split(" ")
            acknowledged[int(number)] = content
        elif word == "error":
            return [rest]
    lost = []
    if whole:
        lost = [
            f"line {number} was acknowledged"
            for number, content in promises.unseen.items()
            if found.get(number) != content
        ]
        promises.unseen, promises.through = {}, through
        promises.told |= found  # what was written and not answered yet is as good
    promises.unseen |= acknowledged
    promises.told |= acknowledged
    # Numbers that were killed unanswered may be there or not; they are not used again.
    promises.next_number = max([promises.next_number, *promises.told]) + 8
    return lost


def _read_by_others(kind: str, place: Path, promises: Promises) -> list[str]:
    if kind == "journal":
        kept = journal.JournalFile(place / "journal.log")
        there = {one["number"]: one["digest"] for one in kept.records()}
        kept.close()
        return _missing(there, promises)
    with log_files.AuditFiles(place, ledger.Ledger(ORIGIN, LogSigners.of(KEY))):
        pass  # as after the last restart: a torn end is cut, the checkpoint is brought up
    stored = reader.read_stored(place)
    report = verify.verify(stored, verify.Trust(log_keys=[LogKey(KEY.public)]))
    lost = [f"{one.name}: {one.detail}" for one in report.checks if not one.passed]
    entries = [json.loads(one)["data"] for one in stored.records if isinstance(one, bytes)]
    alone = subprocess.run(
        [sys.executable, "-I", str(TOOL), str(place)], capture_output=True, text=True, check=False
    )
    if alone.returncode != 0:
        lost.append(f"stand-alone: {(alone.stdout + alone.stderr)[-500:]}")
    return lost + _missing({one["number"]: one["digest"] for one in entries}, promises)


def _missing(there: dict[int, str], promises: Promises) -> list[str]:
    return [
        f"line {number} is gone at the end"
        for number, content in promises.told.items()
        if there.get(number) != content
    ]


def main() -> int:
    """Kill and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kind", choices=sorted(WRITERS), required=True)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--directory", type=Path, required=True)
    parser.add_argument("--bug", default="")
    wanted = parser.parse_args()
    if wanted.bug:
        kill_bugs.WRITERS[wanted.bug]()
    began = time.monotonic()
    result = run(wanted.kind, wanted.directory, wanted.kills, wanted.seed)
    ordered = sorted(result.recoveries) or [0.0]
    print(json.dumps(_figures(result, ordered, time.monotonic() - began)))
    return 1 if result.lost else 0


def _figures(result: Result, ordered: list[float], seconds: float) -> dict[str, Any]:
    return {
        "kills": result.kills,
        "kills_while_opening": result.while_opening,
        "acknowledged": result.acknowledged,
        "lost": len(result.lost),
        "first_lost": result.lost[:3],
        "recovery_p50_ms": round(ordered[len(ordered) // 2] * 1000, 1),
        "recovery_p99_ms": round(ordered[int(len(ordered) * 0.99)] * 1000, 1),
        "recovery_max_ms": round(ordered[-1] * 1000, 1),
        "seconds": round(seconds, 1),
    }


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(main())
