"""Evidence packages that somebody asked for: made one after another, kept as archives.

Called by api.evidence; opened by app.py. Rules:

1. One package is made at a time, in a thread of its own, and at most MOST_WAITING wait; whoever
   asks for more is told to come back.
2. What is made is recorded in the log (`evidence.built`, with the digest of the manifest) before it
   can be fetched: reading the log leaves a trace in the log.
3. The newest MOST_KEPT archives are kept. A package can be made again, the same bytes, as long as
   the log has not grown, so an older one is no loss.
4. What waits or is being made lives in this process alone; after a restart it is unknown and may be
   asked for again. Archives and their descriptions lie in files.
"""

import contextlib
import dataclasses
import hashlib
import json
import logging
import queue
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from sentienguard.flow.ledger import Ledger
from sentienguard.model import errors
from sentienguard.ports.audit_log import StoredLog
from sentienguard.ports.clock import Clock
from sentienguard.ports.entropy import Entropy
from sentienguard.ports.report_printer import ReportPrinter
from sentienguard.stages.audit import verify
from sentienguard.stages.audit.evidence import frameworks, package, population
from sentienguard.stages.audit.evidence.control import Framework

log = logging.getLogger(__name__)
MOST_WAITING: Final = 4  # a package takes seconds; five asked for at once is already a mistake
MOST_KEPT: Final = 20
STOP_S: Final = 5.0  # a package that is being made when we stop is given up


class State(StrEnum):
    """How far a package is."""

    WAITING = "waiting"
    WORKING = "working"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Job:
    """A package that somebody asked for."""

    id: str  # evd_20260401_093000_a8f3b2c1
    framework: str
    first: str  # day, UTC
    last: str
    by: str  # who asked
    asked_at: datetime
    state: State = State.WAITING
    doing: str = ""  # what is being done now
    done: int = 0  # how much of that
    of: int = 0
    rows: int = 0  # entries of the period, once it is made
    manifest_sha256: str = ""
    archive_sha256: str = ""
    archive_bytes: int = 0
    detail: str = ""  # why it failed


@dataclass(frozen=True, slots=True)
class Press:
    """What turns entries into files; the composition root names who does it."""

    read: Callable[[], StoredLog]
    trust: verify.Trust
    printer: ReportPrinter
    verifier: bytes  # the program that goes into each package
    archived: Callable[[Mapping[str, bytes]], bytes]


class NoSuchPackage(errors.Rejected):
    """No package of this id is waiting, being made or kept."""


class NotMade(errors.Rejected):
    """The package is not made yet, or could not be made."""


class TooMany(errors.TooMany):
    """Too many packages wait already."""


class EvidenceDesk:
    """Makes packages, from `start` to `stop`."""

    def __init__(
        self, place: Path, press: Press, pen: Ledger, clock: Clock, entropy: Entropy
    ) -> None:
        """Keep archives in `place`, which need not be there yet."""
        self._place = place
        self._press = press
        self._pen = pen
        self._clock = clock
        self._entropy = entropy
        self._lock = threading.Lock()
        self._jobs = self._found()
        self._waiting: queue.Queue[str | None] = queue.Queue()
        self._worker = threading.Thread(target=self._work, name="evidence", daemon=True)

    def start(self) -> None:
        """Begin to make what is asked for."""
        self._worker.start()

    def stop(self) -> None:
        """Make nothing more."""
        self._waiting.put(None)
        self._worker.join(STOP_S)

    def ask(self, framework: Framework, period: population.Period, by: str) -> Job:
        """Put a package on the list. Raises TooMany."""
        now = self._clock.now()
        job = Job(
            id=f"evd_{now:%Y%m%d_%H%M%S}_{self._entropy.bytes(4).hex()}",
            framework=framework.name,
            first=period.first.isoformat(),
            last=period.last.isoformat(),
            by=by,
            asked_at=now,
        )
        with self._lock:
            waiting = sum(one.state is State.WAITING for one in self._jobs.values())
            if waiting >= MOST_WAITING:
                raise TooMany(f"{waiting} packages wait already; ask again when one is made")
            self._jobs[job.id] = job
        self._waiting.put(job.id)
        return job

    def job(self, job_id: str) -> Job:
        """Return how far a package is. Raises NoSuchPackage."""
        with self._lock:
            found = self._jobs.get(job_id)
        if found is None:
            raise NoSuchPackage(f"no evidence package has the id {job_id[:60]!r}")
        return found

    def jobs(self) -> list[Job]:
        """Return all packages, newest first."""
        with self._lock:
            return sorted(self._jobs.values(), key=lambda one: (one.asked_at, one.id), reverse=True)

    def rename(self, old: str, new: str) -> None:
        """Call who asked by another name from now on, also in what is kept."""
        with self._lock:
            theirs = [one for one in self._jobs.values() if one.by == old]
            for one in theirs:
                self._jobs[one.id] = renamed = dataclasses.replace(one, by=new)
                if (kept := self._file(one.id, "json")).exists():
                    kept.write_text(json.dumps(_written(renamed)), encoding="utf-8")

    def archive(self, job_id: str) -> Path:
        """Return the file of a package that is made. Raises NoSuchPackage, NotMade."""
        found = self.job(job_id)
        if found.state is not State.DONE:
            why = found.detail or "it is not made yet; ask for its state until it is done"
            raise NotMade(f"package {job_id} is {found.state}: {why}")
        return self._file(job_id, "zip")

    def _work(self) -> None:
        while (job_id := self._waiting.get()) is not None:
            try:
                self._make(job_id)
            except (errors.SentienGuardError, OSError) as error:
                log.warning("evidence package %s: %s", job_id, error)
                self._note(job_id, state=State.FAILED, detail=str(error))
            except Exception:  # one package must not end the making of others
                log.exception("evidence package %s", job_id)
                self._note(job_id, state=State.FAILED, detail="see the control plane's own log")

    def _make(self, job_id: str) -> None:
        job = self.job(job_id)
        self._note(job_id, state=State.WORKING)
        press = self._press
        made = package.build(
            frameworks.named(job.framework),
            press.read(),
            population.Period.read(job.first, job.last),
            press.printer,
            press.verifier,
            trust=press.trust,
            told=lambda doing, done, of: self._note(job_id, doing=doing, done=done, of=of),
        )
        self._note(job_id, doing="packing", done=0, of=0)
        archive = press.archived(made.files)
        job = dataclasses.replace(
            self.job(job_id),
            state=State.DONE,
            doing="",
            done=0,
            of=0,
            rows=made.manifest["rows"]["in_period"],
            manifest_sha256=made.digest,
            archive_sha256=hashlib.sha256(archive).hexdigest(),
            archive_bytes=len(archive),
        )
        self._record(job)
        self._place.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._file(job_id, "zip").write_bytes(archive)
        self._make_room()  # who hears that it is done finds no more than are kept
        with self._lock:  # they may have been renamed meanwhile
            job = dataclasses.replace(job, by=self._jobs[job_id].by)
            self._file(job_id, "json").write_text(json.dumps(_written(job)), encoding="utf-8")
            self._jobs[job_id] = job

    def _record(self, job: Job) -> None:
        self._pen.append(
            kind="evidence.built",
            env="",
            actor=job.by,
            key=f"{job.id}/built",
            data={
                "package": job.id,
                "framework": job.framework,
                "from": job.first,
                "to": job.last,
                "rows": job.rows,
                "manifest_sha256": job.manifest_sha256,
                "archive_sha256": job.archive_sha256,
            },
        )

    def _note(self, job_id: str, **changed: Any) -> None:
        with self._lock:
            self._jobs[job_id] = dataclasses.replace(self._jobs[job_id], **changed)

    def _make_room(self) -> None:
        ended = [one for one in self.jobs() if one.state in {State.DONE, State.FAILED}]
        for one in ended[MOST_KEPT - 1 :]:
            for kind in ("json", "zip"):  # an archive without its description is never looked for
                self._file(one.id, kind).unlink(missing_ok=True)
            with self._lock:
                del self._jobs[one.id]

    def _found(self) -> dict[str, Job]:
        """Return the packages that were made before."""
        found: dict[str, Job] = {}
        for path in sorted(self._place.glob("evd_*.json")):
            try:
                job = _read(json.loads(path.read_bytes()))
            except (OSError, ValueError, KeyError, TypeError) as error:
                log.warning("%s: no description of a package (%s)", path, error)
                continue
            if job.id == path.stem and self._file(job.id, "zip").exists():
                found[job.id] = job
        return found

    def _file(self, job_id: str, kind: str) -> Path:
        return self._place / f"{job_id}.{kind}"


@contextlib.contextmanager
def opened(desk: EvidenceDesk) -> Iterator[EvidenceDesk]:
    """Make packages while the block lasts."""
    desk.start()
    try:
        yield desk
    finally:
        desk.stop()


def _written(job: Job) -> dict[str, Any]:
    return {**dataclasses.asdict(job), "asked_at": job.asked_at.isoformat()}


def _read(document: Any) -> Job:
    members = dict(document)
    members["asked_at"] = datetime.fromisoformat(members["asked_at"])
    members["state"] = State(members["state"])
    return Job(**members)
