"""All drills, some at a time, with a state that outlives an interruption.

Called by `drill run-all`.

    DIR/benchmark/cases/NAME.json   one for each drill that has run; left out by the next run
    DIR/benchmark/proven/NAME.json  what a playbook proved in trials, by its digest
    DIR/benchmark/report.json       everything, with the numbers of `report`
    DIR/benchmark/report.html       the same as a page
    DIR/benchmark/sites, beds       control planes and beds while it runs; removed at the end

Trials come first, for the playbooks that the chosen drills need and that have no signed record.
Each worker then has a control plane of its own, and a fresh one after a remedy has failed.
"""

import fcntl
import json
import os
import queue
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sentienguard.cli import client, private_files
from sentienguard.cli.drills import (
    case,
    definition,
    guest,
    report,
    report_page,
    shelf,
    sites,
    trial,
    verdict,
)
from sentienguard.cli.drills.beds import leftovers
from sentienguard.model import errors, ids
from sentienguard.trust import catalogue

DIRECTORY = "benchmark"
_DRILLS_TRIED = 2  # for a playbook: one may break in a way that it is not for
_COUNTS_AGAINST = frozenset({"rolled_back", "failed", "escalated"})  # outcomes of what was tried

Tell = Callable[[str], None]
Came = Callable[[Mapping[str, Any], int, int], None]


@dataclass
class Campaign:
    """What to run and where."""

    drills: Sequence[definition.Definition]
    data: Path  # the data directory
    at_once: int = 2  # drills that run at the same time
    kind: str | None = None  # of the beds; None: the best that each drill can use
    trials: int = trial.RUNS  # of a playbook without a signed record; 0: none
    again: bool = False  # true: also what has run already
    tell: Tell = lambda _: None
    audits: list[Mapping[str, object]] = field(default_factory=list)

    @property
    def directory(self) -> Path:
        """Return where cases and reports are kept."""
        return self.data / DIRECTORY

    def run(self, came: Came) -> dict[str, Any]:
        """Run what has not run yet, and return the whole report. Raises errors.Unavailable."""
        with self._alone():
            cases = self.directory / "cases"
            for place in (cases, self.directory / "proven"):
                place.mkdir(exist_ok=True, mode=0o700)
            self._sweep()
            try:
                return self._run(cases, came)
            finally:
                self._sweep()

    def _run(self, cases: Path, came: Came) -> dict[str, Any]:
        done = {} if self.again else dict(self._done(cases))
        missing = [one for one in self.drills if one.name not in done]
        tried = self._try(missing) if self.trials else []
        proven = list(self._proven())
        waiting: queue.SimpleQueue[definition.Definition] = queue.SimpleQueue()
        for one in missing:
            waiting.put(one)
        ended = threading.Event()
        with ThreadPoolExecutor(self.at_once, thread_name_prefix="drill") as workers:
            arrived: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
            running = [
                workers.submit(self._work, number, waiting, proven, arrived.put, ended)
                for number in range(min(self.at_once, len(missing)))
            ]
            try:
                for _ in missing:
                    found = _next(arrived, running)
                    _write(cases / f"{found['name']}.json", found)
                    done[found["name"]] = found
                    came(found, len(done), len(self.drills))
                for future in as_completed(running):
                    future.result()
            finally:
                ended.set()
        return self._report([done[one.name] for one in self.drills], tried)

    def _work(
        self,
        number: int,
        waiting: "queue.SimpleQueue[definition.Definition]",
        proven: Sequence[catalogue.ProvingRecord],
        arrived: Callable[[dict[str, Any]], None],
        ended: threading.Event,
    ) -> None:
        """Run one drill after the other on a control plane of this worker's own."""
        place = self.directory / f"sites/{number}"
        site: case.Site | None = None
        try:
            while not ended.is_set():
                try:
                    wanted = waiting.get_nowait()
                except queue.Empty:
                    return
                site = site or sites.raise_up(place, proven)
                with client.connect(site.places.data, here=True) as asked:
                    found = case.run(wanted, site, asked, kind=self.kind, stop=ended.is_set)
                if ended.is_set():
                    return  # nobody waits for it, and it may be cut short
                arrived({**found.document(), "digest": shelf.digest(wanted)})
                if _counts_against(found):
                    self.audits.append(sites.audit(site))
                    site = None
        finally:
            if site is not None and not ended.is_set():
                self.audits.append(sites.audit(site))
            sites.take_down(place)

    def _done(self, cases: Path) -> Iterator[tuple[str, dict[str, Any]]]:
        for one in self.drills:
            found = _read(cases / f"{one.name}.json")
            if found and not found.get("trouble") and found.get("digest") == shelf.digest(one):
                yield one.name, found

    def _proven(self) -> Iterator[catalogue.ProvingRecord]:
        for file in sorted((self.directory / "proven").glob("*.json")):
            found = _read(file)
            if found:
                proven = catalogue.Proven(found["drill"], found["runs"], found["verified"])
                yield catalogue.ProvingRecord(
                    ids.PlaybookName(file.stem),
                    found["version"],
                    ids.Digest(found["digest"]),
                    (proven,),
                )

    def _try(self, missing: Sequence[definition.Definition]) -> list[trial.Trial]:
        """Try the playbooks that the missing drills need and that have proven nothing yet."""
        if not missing:
            return []
        place = self.directory / "sites/trials"
        site = sites.raise_up(place, ())
        try:
            return self._try_on(site, missing)
        finally:
            sites.take_down(place)

    def _try_on(
        self, site: case.Site, missing: Sequence[definition.Definition]
    ) -> list[trial.Trial]:
        unproven = trial.unproven(site)
        for record in self._proven():
            standing = unproven.get(str(record.playbook))
            if standing is not None and standing.digest == record.digest:
                del unproven[str(record.playbook)]
        wanted: dict[str, list[definition.Definition]] = {}
        for one in missing:
            if one.expected.playbook in unproven and trial.can_prove(one):
                wanted.setdefault(one.expected.playbook, []).append(one)

        def prove(name: str) -> list[trial.Trial]:
            tried = []
            for drill in wanted[name][:_DRILLS_TRIED]:
                with client.connect(site.places.data, here=True) as asked:
                    found = trial.prove(
                        drill, unproven[name], site, asked, runs=self.trials, tell=self.tell
                    )
                tried.append(found)
                if found.verified == found.runs:
                    kept = {**asdict(found), "version": unproven[name].version}
                    kept["digest"] = str(unproven[name].digest)
                    _write(self.directory / f"proven/{name}.json", kept)
                    break
            return tried

        with ThreadPoolExecutor(self.at_once) as workers:
            return [one for tried in workers.map(prove, wanted) for one in tried]

    def _sweep(self) -> None:
        """Remove what a run left: its control planes, and its beds."""
        for place in sorted((self.directory / "sites").glob("*")):
            for name in leftovers.sweep(place / "beds"):
                self.tell(f"removed bed {name}, which a run had left")
            sites.take_down(place)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Let one benchmark at a time work on this directory."""
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (self.directory / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as cause:
                raise errors.Unavailable(
                    f"another benchmark runs in {self.directory}; wait for it to end"
                ) from cause
            yield

    def _report(
        self, cases: Sequence[Mapping[str, Any]], tried: Sequence[trial.Trial]
    ) -> dict[str, Any]:
        whole = {
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "processors": os.cpu_count(),
            "load": round(os.getloadavg()[0], 2),
            "at_once": self.at_once,
            "interval_s": guest.INTERVAL_S,
            "audit": {
                "passed": all(bool(one["passed"]) for one in self.audits),
                "logs": len(self.audits),
                "entries": sum(int(str(one["entries"])) for one in self.audits),
                "detail": "; ".join(str(one["detail"]) for one in self.audits if one["detail"]),
            },
            "trials": [asdict(one) for one in tried],
            "totals": report.totals(cases),
            "cases": list(cases),
        }
        _write(self.directory / "report.json", whole)
        page = self.directory / "report.html"
        private_files.write(page, report_page.render(whole).encode())
        return whole


def _next(arrived: "queue.SimpleQueue[dict[str, Any]]", running: Sequence[Any]) -> dict[str, Any]:
    """Return the next case; raise what ended a worker."""
    while True:
        try:
            return arrived.get(timeout=0.5)
        except queue.Empty:
            for future in running:
                if future.done() and future.exception() is not None:
                    future.result()


def _counts_against(found: verdict.Case) -> bool:
    """Tell whether a remedy failed, which counts in what is decided next."""
    return bool(found.trouble) or any(
        one.acted and one.outcome in _COUNTS_AGAINST for one in found.told
    )


def _read(file: Path) -> dict[str, Any]:
    """Read a file of ours; empty where it is missing or was cut off."""
    try:
        found = json.loads(file.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _write(file: Path, found: Mapping[str, Any]) -> None:
    private_files.write(file, (json.dumps(found, ensure_ascii=False, indent=1) + "\n").encode())
