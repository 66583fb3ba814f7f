"""Kill the whole product again and again while it works, and judge what came of it.

    report = kill_harness.run(tmp_path, kill_harness.Wish(kills=100, seed=1))
    assert not report.findings

Called by tests/kills and benchmarks.kills. A run is a few rounds; each has an installation of its
own, hosts that break all the time, clients that write down what they were told, and strikes drawn
from the seed (kill_plan). When the last one has fallen, everything comes to rest and is judged
(kill_history). The seed fixes what is broken and what is killed when; what the processes were doing
at that instant is theirs.
"""

import concurrent.futures
import contextlib
import functools
import json
import random
import shutil
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sentienguard.agent import executor_link, settings, spool
from sentienguard.cli import client
from sentienguard.cli.installation import processes
from sentienguard.model import errors
from tests.support import (
    kill_clients,
    kill_faults,
    kill_fleet,
    kill_history,
    kill_plan,
    kill_processes,
    kill_report,
    kill_watch,
)

HOSTS = 3
KILLS_A_ROUND = 36
DECK = ("tally", "tally", "tally", "disk-full", "disk-full", "service-hung", "service-degraded")
CALM_READINGS = 3
CALM_S = 60.0
MOMENT_S = 8.0  # that a strike waits for its moment; then it falls anyway
CLOSES_S = 60.0  # from a fault, or from the last strike, to the end of the incident
SETTLES_S = 60.0  # for everything to have arrived when all is calm
LOOK_S = 0.1


@dataclass(frozen=True, slots=True)
class Wish:
    """How much to do."""

    kills: int = 100
    seed: int = 1
    hosts: int = HOSTS
    kills_a_round: int = KILLS_A_ROUND
    database: str = "sqlite"  # or postgresql
    bug: str = ""
    keep: bool = False  # the directory of a round in which nothing was wrong


def run(
    directory: Path, wish: Wish, tell: Callable[[str], None] = lambda _: None
) -> kill_report.Report:
    """Do all rounds, or stop after the first in which something is wrong."""
    report = kill_report.Report()
    began = time.monotonic()
    strikes = kill_plan.draw(wish.kills, wish.seed)
    for number, some in enumerate(kill_plan.dealt(strikes, wish.kills_a_round)):
        place = directory / f"round-{number}"
        place.mkdir(parents=True)
        with _database(wish) as (url, settings):
            fleet_wish = kill_fleet.Wish(place, wish.hosts, url, settings, wish.bug)
            _Round(fleet_wish, some, wish.seed * 1000 + number, report).play()
        report.rounds += 1
        report.seconds = time.monotonic() - began
        tell(f"round {number}: {report.kills.total()} kills, {len(report.findings)} findings")
        if report.findings:
            break
        if not wish.keep:
            shutil.rmtree(place)
    return report


@contextlib.contextmanager
def _database(wish: Wish) -> Iterator[tuple[str, dict[str, Any]]]:
    if wish.database != "postgresql":
        yield "", {}
        return
    from tests.servers import postgresql  # the driver is loaded where it is used

    with postgresql.running() as server:
        yield server.new_database(), {}


class _Round:
    """One installation and its strikes."""

    def __init__(
        self,
        wish: kill_fleet.Wish,
        strikes: Sequence[kill_plan.Strike],
        seed: int,
        report: kill_report.Report,
    ) -> None:
        self._wish, self._strikes, self._report = wish, strikes, report
        self._seed = seed
        self._struck = threading.Event()  # the last strike has fallen
        self._ended = threading.Event()  # the clients are to stop
        self._struck_at = float("inf")
        self._injected: dict[str, int] = {}  # faults by host
        self._recoveries: list[concurrent.futures.Future[kill_processes.Recovery]] = []

    def play(self) -> None:
        """Start, kill, come to rest, judge, stop, judge the files."""
        with contextlib.ExitStack() as ending:
            fleet = ending.enter_context(kill_fleet.running(self._wish))
            watch = ending.enter_context(kill_watch.following(fleet.log_directory()))
            asked = ending.enter_context(fleet.client())
            asked.login(kill_fleet.ADMINISTRATOR, kill_fleet.PASSWORD)
            told = kill_clients.Acknowledged(logins=2)
            pretend = kill_clients.Pretend(fleet, asked)
            history = self._history = kill_history.History(fleet, pretend, told, watch)
            people = kill_clients.People(fleet)
            work = [
                self._thread("pretend", pretend.work, told, self._ended),
                self._thread("people", people.work, told, self._ended),
            ]
            breaking = [
                self._thread(f"faults of {host.name}", self._break_often, host, number)
                for number, host in enumerate(fleet.hosts)
            ]
            try:
                with concurrent.futures.ThreadPoolExecutor(16) as pool:
                    self._strike_all(pool)
                    self._struck.set()
                    for thread in breaking:
                        thread.join()
                    self._settle()
            finally:
                self._struck.set()
                self._ended.set()
                for thread in (*breaking, *work):
                    thread.join()
            self._take_recoveries()
            watch.look()
            history.watch.note_checkpoint()
            found = kill_history.judge(history, asked)
            verified = asked.post("/audit/verify")
            if not verified["passed"]:
                found.append(kill_history.Finding("log", json.dumps(verified["findings"])))
            self._report.findings += found
            self._count()
        self._report.findings += kill_history.judge_files(history)

    def _thread(self, name: str, work: Callable[..., None], *arguments: Any) -> threading.Thread:
        def guarded() -> None:
            try:
                work(*arguments)
            except Exception:  # noqa: BLE001 - whatever it is, the run has to fail with it
                self._history.errors.append(f"{name}: {traceback.format_exc()[-1500:]}")

        thread = threading.Thread(target=guarded, name=name)
        thread.start()
        return thread

    # --- strikes ---------------------------------------------------------------------------------

    def _strike_all(self, pool: concurrent.futures.Executor) -> None:
        for strike in self._strikes:
            if self._history.told.refused or self._history.errors:
                break  # it is found out already
            host = self._wait_for(strike)
            for process in self._targets(strike, host):
                self._strike(process, strike, pool)
        self._struck_at = time.monotonic()

    def _wait_for(self, strike: kill_plan.Strike) -> kill_fleet.Host:
        """Wait for the moment; return the host that it came to."""
        fleet, watch = self._history.fleet, self._history.watch
        chosen = fleet.hosts[strike.host % len(fleet.hosts)]
        if strike.moment == kill_plan.EFFECT:
            chosen = self._wait_for_effect() or chosen
        elif strike.moment == "fault":
            before = self._injected.get(chosen.name, 0)
            _until(lambda: self._injected.get(chosen.name, 0) != before, MOMENT_S)
        elif strike.moment != kill_plan.ANYWHERE:
            seen = watch.wait_for(lambda one: one["kind"] == strike.moment, MOMENT_S, watch.size())
            chosen = self._host_of(seen) or chosen
        time.sleep(strike.wait_s)
        return chosen

    def _wait_for_effect(self) -> kill_fleet.Host | None:
        hosts = self._history.fleet.hosts
        before = {host.name: (host.tally / "lines").stat().st_size for host in hosts}
        until = time.monotonic() + MOMENT_S
        while time.monotonic() < until:
            for host in hosts:
                if (host.tally / "lines").stat().st_size != before[host.name]:
                    return host
            time.sleep(0.005)
        return None

    def _host_of(self, seen: kill_watch.Entry | None) -> kill_fleet.Host | None:
        if seen is None:
            return None
        opened = self._history.watch.find(
            lambda one: one["kind"] == "incident.opened" and one["incident"] == seen["incident"]
        )
        agent = "" if opened is None else opened["data"]["agent"]
        return next((host for host in self._history.fleet.hosts if host.agent == agent), None)

    def _targets(
        self, strike: kill_plan.Strike, host: kill_fleet.Host
    ) -> list[kill_processes.Process]:
        known = {
            kill_plan.CENTRE: self._history.fleet.centre,
            kill_plan.COLLECTOR: host.collector,
            kill_plan.EXECUTOR: host.executor,
        }
        return [known[name] for name in strike.targets]

    def _strike(
        self,
        process: kill_processes.Process,
        strike: kill_plan.Strike,
        pool: concurrent.futures.Executor,
    ) -> None:
        fleet, history = self._history.fleet, self._history
        history.kills.append(kill_history.Kill(time.monotonic(), process.name, strike.moment))
        host = fleet.host_of(process)
        look = history.watch.note_checkpoint
        if host is not None and process is host.collector:
            look = functools.partial(self._look_into_spool, host)
        since = process.crash(look)
        kind = process.name.partition(" of ")[0]
        self._report.kills[kind] += 1

        needs_centre = host is not None and process is host.collector

        def recover() -> kill_processes.Recovery:
            recovery = process.wait(since, fleet.of_use_since if needs_centre else lambda: since)
            if process is fleet.centre and recovery.seconds is not None:
                fleet.ready_at = time.monotonic()
                self._note_resumption(since)
            return recovery

        self._recoveries.append(pool.submit(recover))

    def _note_resumption(self, since: float) -> None:
        """Note how long after the centre's start each collector's next sample was accepted."""
        hosts = self._history.fleet.hosts
        before = {host.name: kill_processes.number_in(_acknowledged(host)) for host in hosts}
        waiting = list(hosts)
        while waiting and self._history.fleet.centre.began == since:
            for host in list(waiting):
                if kill_processes.number_in(_acknowledged(host)) > before[host.name]:
                    waiting.remove(host)
                    self._report.resumptions.append(time.monotonic() - since)
            time.sleep(kill_processes.LOOK_S)
            if time.monotonic() - since > kill_processes.GIVE_UP_S:
                break

    def _look_into_spool(self, host: kill_fleet.Host) -> None:
        """Note which samples lie on the disk of a collector that has just been killed."""
        directory = host.directory / "collector/spool"
        kept = self._history.spooled.setdefault(host.name, set())
        acknowledged = kill_processes.number_in(directory / "acknowledged")
        for path in directory.glob("*.seg"):
            for _, offset, length in spool._index(path, acknowledged)[0]:
                with path.open("rb") as file:
                    file.seek(offset)
                    text = spool._unpack(file.read(length))
                kept.add(int(json.loads(text)["at_ms"]))

    def _take_recoveries(self) -> None:
        for future in self._recoveries:
            recovery = future.result()
            if recovery.seconds is None:
                continue
            kind = recovery.process.partition(" of ")[0]
            self._report.recoveries.setdefault(kind, []).append(recovery.seconds)
            if not recovery.came:
                detail = f"{recovery.process} was not of use after {recovery.seconds:.0f} s"
                self._report.findings.append(kill_history.Finding("stuck", detail))

    # --- faults ----------------------------------------------------------------------------------

    def _break_often(self, host: kill_fleet.Host, number: int) -> None:
        """Break this host again and again until the last strike has fallen."""
        dice = random.Random(f"{self._seed}/{number}")
        deck: list[str] = ["service-broken-fix"] if number == 0 else []
        with self._history.fleet.client() as asked:
            kill_clients.login(asked, self._history.told, self._struck)
            while not self._struck.is_set():
                if not deck:
                    deck = dice.sample(DECK, len(DECK))
                fault = kill_faults.MAKERS[deck.pop()](host)
                try:
                    if not self._calm(asked, host, fault):
                        return
                    self._history.episodes.append(self._episode(asked, host, fault))
                finally:
                    fault.clean_up()
                    self._report.strays += fault.strays

    def _episode(
        self, asked: client.Client, host: kill_fleet.Host, fault: kill_faults.Fault
    ) -> kill_history.Episode:
        watch, starts = self._history.watch, fault.starts()
        size, began = watch.size(), time.monotonic()
        fault.inject()
        self._injected[host.name] = self._injected.get(host.name, 0) + 1
        opened = self._waited(lambda one: _opens(one, host, fault), size)
        closed = None
        if opened is not None:
            closed = self._waited(
                lambda one: (
                    one["kind"] == "incident.closed" and one["incident"] == opened["incident"]
                ),
                size,
            )
        return kill_history.Episode(
            host=host.name,
            kind=fault.kind,
            wanted=fault.outcome,
            began=began,
            ended=time.monotonic(),
            incident=None if opened is None else str(opened["incident"]),
            outcome=None if closed is None else str(closed["data"]["outcome"]),
            gone=fault.gone() if closed is None or _resolved(closed) else False,
            starts=fault.starts() - starts,
            scene=self._scene(asked, host, fault) if closed is None else "",
        )

    def _scene(self, asked: client.Client, host: kill_fleet.Host, fault: kill_faults.Fault) -> str:
        """Tell what is known of a host on which nothing follows, for whoever reads the finding."""
        told = [
            f"acknowledged {kill_processes.number_in(_acknowledged(host))} at {time.time():.1f}"
        ]
        symptom = fault.symptom
        try:
            series = asked.get(
                f"/hosts/{host.agent}/series",
                metric=symptom.metric,
                subject=symptom.subject,
                minutes=2,
            )
            told.append(f"last readings {series['points'][-3:]}")
            told += [
                f"{one['id']} {one['metric']} {one['subject']} {one['status']} {one.get('outcome')}"
                for one in asked.get("/incidents", limit=50)["items"]
                if one.get("agent_id") == host.agent
            ]
        except (errors.Unavailable, client.Refused) as problem:
            told.append(f"the control plane does not say: {problem}")
        logs = self._history.fleet.places
        told += [processes.tail(logs.log(f"{host.name}-collector"))]
        told += [processes.tail(logs.log("controlplane"))]
        return "\n".join(told)

    def _waited(
        self, wanted: Callable[[kill_watch.Entry], bool], start: int
    ) -> kill_watch.Entry | None:
        """Wait for an entry, at most CLOSES_S after the fault or after the last strike."""
        began = time.monotonic()
        while True:
            found = self._history.watch.wait_for(wanted, 0.5, start)
            later = max(began, min(self._struck_at, time.monotonic()))
            if found is not None or time.monotonic() - later > CLOSES_S:
                return found
            self._history.fleet.centre.keep_up()
            for host in self._history.fleet.hosts:
                host.executor.keep_up()

    def _calm(self, asked: client.Client, host: kill_fleet.Host, fault: kill_faults.Fault) -> bool:
        """Wait until nothing is wrong there, so that the fault is news; False where we stop."""
        began = time.time()
        until = time.monotonic() + CALM_S
        while time.monotonic() < until:
            if self._struck.is_set():
                return False
            with contextlib.suppress(errors.Unavailable):
                if _is_calm(asked, host, fault, began):
                    return True
            time.sleep(LOOK_S)
        self._history.errors.append(f"{fault.kind} on {host.name} never became calm")
        return False

    # --- rest ------------------------------------------------------------------------------------

    def _settle(self) -> None:
        """Wait until every process is of use and what lies on the hosts has arrived."""
        for future in self._recoveries:
            future.result()
        fleet = self._history.fleet
        hosts = fleet.hosts
        marks = [host.collector.first_number for host in hosts]
        sizes = [kill_processes.number_in(_acknowledged(host)) for host in hosts]

        def arrived() -> bool:
            pairs = zip(hosts, marks, sizes, strict=True)
            return all(
                kill_processes.number_in(_acknowledged(host)) > max(mark, size)
                for host, mark, size in pairs
            )

        stuck = any(one.outcome is None for one in self._history.episodes)
        patience_s = LOOK_S if stuck else SETTLES_S  # what is stuck was waited for already
        if not _until(arrived, SETTLES_S):
            self._history.errors.append("samples do not arrive although all processes run")
        with fleet.client() as asked:
            asked.login(kill_fleet.ADMINISTRATOR, kill_fleet.PASSWORD)
            self._history.told.logins += 1
            _until(lambda: _all_closed(asked), patience_s)
        _until(lambda: all(_events_are_through(host) for host in hosts), patience_s)

    def _count(self) -> None:
        report, history = self._report, self._history
        report.acknowledged += history.told.count()
        for one in history.watch.entries:
            report.entries += 1
            report.orders += one["kind"] == "order.admitted"
            if one["kind"] == "incident.closed":
                report.incidents[str(one["data"]["outcome"])] += 1


def _opens(one: kill_watch.Entry, host: kill_fleet.Host, fault: kill_faults.Fault) -> bool:
    data = one["data"]
    return one["kind"] == "incident.opened" and (
        data["agent"], data["metric"], data["subject"],
    ) == (host.agent, fault.symptom.metric, fault.symptom.subject)  # fmt: skip


def _resolved(closed: kill_watch.Entry) -> bool:
    return bool(closed["data"]["outcome"] == "resolved")


def _is_calm(
    asked: client.Client, host: kill_fleet.Host, fault: kill_faults.Fault, since: float
) -> bool:
    symptom = fault.symptom
    series = asked.get(
        f"/hosts/{host.agent}/series", metric=symptom.metric, subject=symptom.subject, minutes=2
    )
    values = [value for at, value in series["points"] if _seconds(at) >= since][-CALM_READINGS:]
    fine = all(value < 85 if "disk" in symptom.metric else value == 1 for value in values)
    return fine and len(values) == CALM_READINGS and _all_closed(asked, host.agent)


def _all_closed(asked: client.Client, agent: str = "") -> bool:
    with contextlib.suppress(errors.Unavailable):
        items = asked.get("/incidents", limit=50)["items"]
        return all(one["status"] == "CLOSED" for one in items if agent in {"", one.get("agent_id")})
    return False


def _seconds(at: str) -> float:
    return datetime.fromisoformat(at).timestamp()


def _acknowledged(host: kill_fleet.Host) -> Path:
    return host.directory / "collector/spool/acknowledged"


def _events_are_through(host: kill_fleet.Host) -> bool:
    """Tell whether the centre holds every event that the executor wrote down."""
    link = executor_link.ExecutorLink(settings.Places(host.directory).socket)
    try:
        last = int(link.ask("hello")["last_seq"])
    except errors.Unavailable:
        return False
    finally:
        link.close()
    marks = json.loads((host.directory / "collector/state.json").read_bytes())
    return int(marks["events_through"]) >= last


def _until(true: Callable[[], bool], within_s: float) -> bool:
    until = time.monotonic() + within_s
    while not true():
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True
