"""Backtests, drills and proofs that people ask for: the program's own command line, as a child.

Called by api.backtests, api.drills and draft_desk; opened by app.py. Judging a month of history
takes minutes of a processor, a drill breaks things on purpose, and a proof runs what nobody signed
on a pretended host: none of it belongs into the process that decides. Rules:

1. One child runs at a time, at low priority and in a session of its own; at most MOST_WAITING wait.
2. A child is told words of ours and values that the API has checked. No shell reads them.
3. A child that is stopped ends with all that it started; so does one that outlasts the LIMITS_S of
   its kind, and the one that runs when the control plane ends.
4. The newest MOST_KEPT are kept, each in a directory. What ran when the process died has failed.
5. What a child prints is data: its answer is one JSON document, its messages are shown as text.
"""

import contextlib
import dataclasses
import json
import logging
import os
import queue
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, TypeAlias

from sentienguard.model import errors
from sentienguard.ports.clock import Clock
from sentienguard.ports.entropy import Entropy

log = logging.getLogger(__name__)
MOST_WAITING: Final = 4
MOST_KEPT: Final = 20  # of each kind
MOST_BYTES: Final = 64 << 20  # of an answer; a year of a thousand hosts is a tenth of that
GRACE_S: Final = 5.0  # between the polite and the other end of a child
LOW_PRIORITY: Final = 10  # nice
WORK: Final = "work"  # of an errand's directory: what its child may fill
OURS: Final = (sys.executable, "-m", "sentienguard.cli.main")
_COUNTED: Final = re.compile(r"(.{1,120}?): (\d{1,9}) of (\d{1,9})\b")
_TAIL: Final = 4096  # bytes of messages that are looked at


class Kind(StrEnum):
    """What is asked for."""

    BACKTEST = "backtest"
    DRILL = "drill"
    PROOF = "proof"


LIMITS_S: Final[Mapping[Kind, float]] = {
    Kind.BACKTEST: 6 * 3600.0,  # a year of history of a large estate
    Kind.DRILL: 6 * 3600.0,
    Kind.PROOF: 300.0,  # the largest bundled playbook takes a few seconds
}
_SHORT: Final[Mapping[Kind, str]] = {Kind.BACKTEST: "btt", Kind.DRILL: "drl", Kind.PROOF: "prf"}


class State(StrEnum):
    """How far it is."""

    WAITING = "waiting"
    WORKING = "working"
    DONE = "done"
    FAILED = "failed"
    STOPPED = "stopped"


ENDED: Final = frozenset({State.DONE, State.FAILED, State.STOPPED})


@dataclass(frozen=True, slots=True)
class Errand:
    """One thing that somebody asked for."""

    id: str  # btt_20260401_093000_a8f3b2c1, drl_..., prf_...
    kind: Kind
    words: tuple[str, ...]  # for the command line; {out}, {home}: its and the centre's directory
    asked: dict[str, Any]  # the same for people: name -> value
    by: str
    asked_at: datetime
    state: State = State.WAITING
    ended_at: datetime | None = None
    detail: str = ""  # why it failed, or who stopped it


@dataclass(frozen=True, slots=True)
class Progress:
    """What a child does now, by its own words."""

    doing: str = ""
    done: int = 0
    of: int = 0  # 0: nobody knows


Answered: TypeAlias = Callable[["Errand", dict[str, Any]], None]


@dataclass(frozen=True, slots=True)
class Luggage:
    """What a child is given beside its words, and who hears its answer."""

    files: Mapping[str, bytes] = field(default_factory=dict)  # by name, in `{out}`
    then: Answered | None = None  # called once, in the worker, with an answer that came


class NoSuchErrand(errors.Rejected):
    """Nothing of this id waits, runs or is kept."""


class TooMany(errors.TooMany):
    """Too many wait already."""


@dataclass
class _Standing:
    """What changes while the desk is open, under its lock."""

    known: dict[str, Errand] = field(default_factory=dict)
    luggage: dict[str, Luggage] = field(default_factory=dict)  # of what waits or runs
    child: subprocess.Popen[bytes] | None = None
    runs: str = ""  # id of what the child does
    stopped_by: str = ""
    closing: bool = False


class Errands:
    """Runs what is asked for, from `start` to `stop`."""

    def __init__(
        self, place: Path, clock: Clock, entropy: Entropy, command: Sequence[str] = OURS
    ) -> None:
        """Keep everything in `place`, which need not be there yet."""
        self._place = place
        self._clock = clock
        self._entropy = entropy
        self._command = tuple(command)
        self._lock = threading.Lock()
        self._now = _Standing(known={one.id: one for one in self._found()})
        self._waiting: queue.Queue[str | None] = queue.Queue()
        self._worker = threading.Thread(target=self._work, name="errands", daemon=True)

    def start(self) -> None:
        """Begin to run what is asked for."""
        self._worker.start()

    def stop(self) -> None:
        """Run nothing more, and end what runs (rule 3)."""
        with self._lock:
            self._now.closing = True
        self._waiting.put(None)
        self._end_child("the control plane ended")
        self._worker.join(2 * GRACE_S)

    def ask(
        self,
        kind: Kind,
        words: Sequence[str],
        asked: dict[str, Any],
        by: str,
        *,
        luggage: Luggage | None = None,
    ) -> Errand:
        """Put something on the list; `{out}` in a word is its own directory. Raises TooMany."""
        now = self._clock.now()
        made = Errand(
            id=f"{_SHORT[kind]}_{now:%Y%m%d_%H%M%S}_{self._entropy.bytes(4).hex()}",
            kind=kind,
            words=tuple(words),
            asked=asked,
            by=by,
            asked_at=now,
        )
        with self._lock:
            waiting = sum(one.state is State.WAITING for one in self._now.known.values())
            if waiting >= MOST_WAITING:
                raise TooMany(f"{waiting} wait already; ask again when one has ended")
            self._now.known[made.id] = made
            if luggage is not None:
                self._now.luggage[made.id] = luggage
        self._waiting.put(made.id)
        return made

    def get(self, kind: Kind, name: str) -> Errand:
        """Return one. Raises NoSuchErrand."""
        with self._lock:
            found = self._now.known.get(name)
        if found is None or found.kind is not kind:
            raise NoSuchErrand(f"no {kind} has the id {name[:60]!r}")
        return found

    def list(self, kind: Kind) -> list[Errand]:
        """Return all of a kind, newest first."""
        with self._lock:
            found = [one for one in self._now.known.values() if one.kind is kind]
        return sorted(found, key=lambda one: (one.asked_at, one.id), reverse=True)

    def end(self, kind: Kind, name: str, by: str) -> None:
        """Stop what waits or runs, forget what has ended. Raises NoSuchErrand."""
        found = self.get(kind, name)
        if found.state in ENDED:
            self._forget(found)
            return
        with self._lock:
            standing = self._now.known[name]
            if standing.state is State.WAITING:
                self._now.luggage.pop(name, None)
                self._now.known[name] = dataclasses.replace(
                    standing, state=State.STOPPED, ended_at=self._clock.now(), detail=_by(by)
                )
                return
        self._end_child(_by(by), only=name)

    def progress(self, one: Errand) -> Progress:
        """Return how far it is, by the last thing that its child said."""
        return Progress() if one.state is not State.WORKING else _said(self._file(one, "messages"))

    def answer(self, one: Errand) -> dict[str, Any]:
        """Return what came of one that is done. Raises NoSuchErrand where it is not there."""
        found = _document(self._file(one, "answer.json"))
        if one.state is not State.DONE or found is None:
            raise NoSuchErrand(f"{one.id} is {one.state}: it has no answer")
        return found

    def rename(self, old: str, new: str) -> None:
        """Call who asked, or stopped it, by another name from now on, also in what is kept."""
        with self._lock:
            for one in list(self._now.known.values()):
                by = new if one.by == old else one.by
                detail = _by(new) if one.detail == _by(old) else one.detail
                if (by, detail) == (one.by, one.detail):
                    continue
                self._now.known[one.id] = named = dataclasses.replace(one, by=by, detail=detail)
                if (kept := self._file(one, "errand.json")).exists():
                    kept.write_text(json.dumps(_written(named)), encoding="utf-8")

    # ---- the worker ---------------------------------------------------------------------------

    def _work(self) -> None:
        while (name := self._waiting.get()) is not None:
            try:
                self._run(name)
            except Exception:  # one of them must not end the running of others
                log.exception("errand %s", name)
                self._note(name, State.FAILED, "see the control plane's own log")

    def _run(self, name: str) -> None:
        with self._lock:
            wanted = self._now.known.get(name)
            if wanted is None or wanted.state is not State.WAITING or self._now.closing:
                return
            place = self._place / name
            place.mkdir(parents=True, exist_ok=True, mode=0o700)
            luggage = self._now.luggage.pop(name, Luggage())
            _unpack(luggage, place / WORK)
            self._now.known[name] = dataclasses.replace(wanted, state=State.WORKING)
            self._now.stopped_by = ""
            self._now.child = self._begin(wanted, place)
            self._now.runs = name
            child = self._now.child
        try:
            status: int | None = child.wait(LIMITS_S[wanted.kind])
        except subprocess.TimeoutExpired:
            status = None
            self._end_child(f"it took more than {LIMITS_S[wanted.kind] / 60:g} minutes")
        with self._lock:
            self._now.child, self._now.runs = None, ""
            why = self._now.stopped_by
        self._ended(wanted, status, why, luggage.then)

    def _begin(self, wanted: Errand, place: Path) -> subprocess.Popen[bytes]:
        known = {"{out}": str(place / WORK), "{home}": str(self._place.parent)}
        words = [_filled(one, known) for one in wanted.words]
        with (place / "answer.json").open("wb") as out, (place / "messages").open("wb") as said:
            child = subprocess.Popen(  # noqa: S603  # rule 2
                [*self._command, *words, "--json"],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=said,
                start_new_session=True,
                cwd=place,
            )
        with contextlib.suppress(OSError):  # it may have ended by now
            os.setpriority(os.PRIO_PROCESS, child.pid, LOW_PRIORITY)
        return child

    def _ended(self, wanted: Errand, status: int | None, why: str, then: Answered | None) -> None:
        shutil.rmtree(self._place / wanted.id / WORK, ignore_errors=True)  # only the answer stays
        if why:
            self._note(wanted.id, State.STOPPED, why)
        elif (found := _document(self._file(wanted, "answer.json"))) is not None:
            if then is not None:
                then(wanted, found)  # first: who sees the end finds what came of it
            self._note(wanted.id, State.DONE, "")
        else:
            last = _said(self._file(wanted, "messages")).doing
            self._note(wanted.id, State.FAILED, last or f"it ended with status {status}")
        for old in [one for one in self.list(wanted.kind) if one.state in ENDED][MOST_KEPT:]:
            self._forget(old)

    def _end_child(self, why: str, *, only: str = "") -> None:
        """End the child and all that it started: politely, and then not (rule 3)."""
        with self._lock:
            child = self._now.child
            if child is None or (only and self._now.runs != only):
                return
            self._now.stopped_by = why
        for kind in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, kind)
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(GRACE_S)
                break

    def _note(self, name: str, state: State, detail: str) -> None:
        with self._lock:  # kept first, so that nobody sees an end that a crash takes back
            found = dataclasses.replace(
                self._now.known[name], state=state, detail=detail, ended_at=self._clock.now()
            )
            place = self._file(found, "errand.json")
            place.write_text(json.dumps(_written(found)), encoding="utf-8")
            self._now.known[name] = found

    def _forget(self, one: Errand) -> None:
        shutil.rmtree(self._place / one.id, ignore_errors=True)
        with self._lock:
            self._now.known.pop(one.id, None)

    def _found(self) -> Iterator[Errand]:
        """Yield what was kept; a directory without a description is what a crash left (rule 4)."""
        for place in sorted(self._place.glob("*_*")):
            try:
                yield _read(json.loads((place / "errand.json").read_bytes()))
            except (OSError, ValueError, KeyError, TypeError) as cause:
                log.warning("%s is left over and removed (%s)", place, cause)
                shutil.rmtree(place, ignore_errors=True)

    def _file(self, one: Errand, name: str) -> Path:
        return self._place / one.id / name


@contextlib.contextmanager
def opened(desk: Errands) -> Iterator[Errands]:
    """Run errands while the block lasts."""
    desk.start()
    try:
        yield desk
    finally:
        desk.stop()


def _unpack(luggage: Luggage, place: Path) -> None:
    if luggage.files:
        place.mkdir(mode=0o700)
    for name, content in luggage.files.items():
        (place / name).write_bytes(content)


def _filled(word: str, known: Mapping[str, str]) -> str:
    for name, value in known.items():
        word = word.replace(name, value)
    return word


def _by(name: str) -> str:
    return f"stopped by {name}"


def _document(file: Path) -> dict[str, Any] | None:
    """Return the JSON object in a file; None where there is none (rule 5)."""
    try:
        if file.stat().st_size > MOST_BYTES:
            return None
        found = json.loads(file.read_bytes())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) and found else None


def _said(file: Path) -> Progress:
    """Return the last line of a child's messages, and the count in it."""
    try:
        with file.open("rb") as opened_file:
            opened_file.seek(max(0, file.stat().st_size - _TAIL))
            lines = opened_file.read(_TAIL).decode("utf-8", "replace").splitlines()
    except OSError:
        return Progress()
    last = next((line.strip() for line in reversed(lines) if line.strip()), "")
    shown = "".join(sign if sign.isprintable() else " " for sign in last)[:300]
    counted = _COUNTED.match(shown)
    if counted is None:
        return Progress(shown)
    return Progress(counted[1], int(counted[2]), int(counted[3]))


def _written(one: Errand) -> dict[str, Any]:
    said = dataclasses.asdict(one)
    for name in ("asked_at", "ended_at"):
        said[name] = said[name].isoformat() if said[name] else None
    return said


def _read(document: Any) -> Errand:
    members = dict(document)
    members["kind"], members["state"] = Kind(members["kind"]), State(members["state"])
    members["words"] = tuple(members["words"])
    for name in ("asked_at", "ended_at"):
        members[name] = datetime.fromisoformat(members[name]) if members[name] else None
    return Errand(**members)
