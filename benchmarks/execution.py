"""What the executor adds to the work itself: judging an order, checking, journaling, verifying.

Everything is the product's own code on this machine: a real journal with real syncs, real programs,
the catalogue of all bundled playbooks. Compared are a whole order of five steps with a check after
each, every one of them a program, and one metric at the end, and ten plain subprocess.run calls of
the same programs, turn by turn in the same run, by wall and by processor time with all children;
then the same order and the same ten programs as ten tasks of ansible-playbook and ten states of
salt-call, turn by turn as well (`execution_peers`), where those are installed.

An executor is there already when an order comes, and both peers are programs that begin with each
run: that is how each is used, and most of what they take.

Limits of the figures: one machine, other work beside it; ratios hold better than times.
"""

import dataclasses
import itertools
import statistics
import subprocess
import tempfile
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import execution_peers as peers
from sentienguard.adapters.execution_journal_files import journal
from sentienguard.adapters.local_host import (
    clock,
    command_runner,
    facts,
    files,
    http_probe,
    interrupt,
    log_reader,
    processes,
    services,
    systemd,
)
from sentienguard.model import ids, playbook
from sentienguard.model.order import ExecutionOutcome
from sentienguard.playbook import parse
from sentienguard.stages.execute import admission, engine, memory, parameters, preconditions
from sentienguard.stages.execute import host as hosts
from sentienguard.stages.execute import ledger as ledgers
from sentienguard.stages.execute import session as sessions
from sentienguard.stages.execute.report import events
from sentienguard.trust import catalogue as catalogues
from sentienguard.trust import freshness
from sentienguard.trust import order as orders
from sentienguard.trust import root as roots
from tests.support import execution

ROOT = Path(__file__).parents[1]
PROGRAM = "/bin/true"
_HEAD = """
name: bench
version: "1.0.0"
description: Five steps and five checks of the benchmark.
match: {system: any, resource: any, symptom: any}
risk: SAFE
idempotent: true
max_per_hour: 60
parameters:
  mount: {type: mountpoint}
"""
_PRE_CHECKS = """
pre_execution_checks:
  - {name: calm, type: maintenance}
  - {name: alone, type: concurrency_check, scope: host}
  - {name: needed, type: condition, condition: "disk_usage >= 0%"}
  - {name: room, type: resources, disk_free: 100KB, memory_free: 1MB}
  - {name: tools, type: dependencies, binaries: [sh, ls]}
  - {name: tagged, type: tag_check, tag: maintenance_mode, expect_value: false}
"""
_SKIP = "rollback: {skip: it changes nothing that matters}"


def _step(name: str, program: str, check: str) -> str:
    looked_at = f'[{{name: seen, type: command, command: "{check}", retry: 1}}]'
    command = f'action: ssh_command, command: "{program}"'
    return f"  - {{name: {name}, {command}, verify: {looked_at}, {_SKIP}}}\n"


_PLAIN = "".join(_step(name, PROGRAM, PROGRAM) for name in ("one", "two", "three", "four"))
_METRIC = '{name: seen, type: metric, metric: disk_usage, threshold: "> 1%", retry: 1}'


def _steps(marker: str | Path) -> str:
    """Return five steps, each with a check after it, the last of which leaves a file there."""
    last = _step("five", f"/bin/cp {PROGRAM} {marker}", f"/usr/bin/test -e {marker}")
    return f"steps:\n{_PLAIN}{last}verification:\n  - {_METRIC}\n"


_ORDER_MS = 2.0  # promised: p99 of judging one order, of processor time: others work here, too
_PRE_CHECK_MS = 100.0  # promised: all pre-checks of one playbook
_RATIO = 1.5  # promised: five steps and five checks against ten plain calls
_TIMES = {"ansible-playbook": 40, "salt-call": 10}  # promised: as often as fast, at least


def run(options: Mapping[str, Any]) -> dict[str, Any]:
    """Measure; times are milliseconds of wall time where no other is said.

    Options: `orders` (2000), `rounds` (15), `peer_rounds` (5), `ansible_playbook` and `salt_call`
    (paths).
    """
    count = int(options.get("orders") or 2000)
    rounds = int(options.get("rounds") or 15)
    peer_rounds = int(options.get("peer_rounds") or 5)
    with tempfile.TemporaryDirectory() as place:
        bench = _Bench(Path(place))
        try:
            verified, checked = bench.order_verification(count), bench.pre_checks(50)
            playbooks = bench.playbooks(rounds)
            ready = peers.ready(options, Path(place), PROGRAM)
            beside = {name: bench.beside(peer, peer_rounds) for name, peer in ready.items()}
        finally:
            bench.close()
    figures = {
        "order_verification_ms": verified,
        "pre_checks_ms": checked,
        **playbooks,
        "peers": beside,
    }
    figures["promises"] = {
        "order_verification_p99_at_most_2_ms": verified["cpu_p99"] <= _ORDER_MS,
        "pre_checks_at_most_100_ms": checked["p50"] <= _PRE_CHECK_MS,
        "playbook_at_most_1.5_times_ten_calls": playbooks["ratio"] <= _RATIO,
        **{
            f"{_TIMES[name]}_times_as_fast_as_{name}": min(found["times_ours"].values())
            >= _TIMES[name]
            for name, found in beside.items()
            if isinstance(found, dict)
        },
    }
    return figures


class _Bench:
    """One host with its trust, and what is measured on it."""

    def __init__(self, place: Path) -> None:
        self.centre = execution.Centre(now=datetime.now(UTC), threshold=2)
        self.volume = place / "volume"  # counts as one of 1 MB, so that a step can be seen in it
        self.volume.mkdir()
        self.host = _host(place, self.volume)
        self.numbers = itertools.count(5000)  # of incidents that no other round has
        self.journal = journal.JournalFile(place / "journal.log")
        source = events.Source(execution.AGENT, "drill", execution.key(9).sign, {})
        self.ledger = ledgers.Ledger(self.journal, source, self.host.clock)
        found = sorted((ROOT / "playbooks").glob("*/playbook.yaml"))
        self.bundled = [  # parsed once, as the executor does
            parse.load(one.read_bytes(), origin=str(one)) for one in found
        ]

    def close(self) -> None:
        self.journal.close()

    def order_verification(self, count: int) -> dict[str, float]:
        """Judge orders for a bundled playbook by every rule, guard included."""
        name = "disk_cleanup_temp_files"
        stored = (ROOT / "playbooks" / name / "playbook.yaml").read_bytes()
        remedy = parse.load(stored, origin=name)
        loose = dataclasses.replace(remedy, guard="disk_usage > 0%")
        root = self.centre.root()
        envelope = self.centre.catalogue_envelope(execution.listed(*self.bundled))
        listed = _opened(envelope, root, self.centre.now)
        book = freshness.NonceBook()
        times, used = [], []
        for number in range(count):
            nonce = book.issue(time.monotonic(), number.to_bytes(16, "big"))
            incident = ids.IncidentId(f"inc_20260212_112600_{number:08x}")
            signed = self.centre.order(
                remedy, nonce=nonce, parameters={"mount": "/"}, incident=incident
            )
            sealed = self.centre.seal(signed)
            began, busy = time.perf_counter(), time.thread_time()
            claimed = orders.claimed_order(sealed)
            book.redeem(claimed.nonce, time.monotonic())
            case = admission.Case(
                envelope=sealed,
                signed=claimed,
                agent=execution.AGENT,
                environment=execution.ENVIRONMENT,
                now=self.centre.now,
                root=root,
                catalogue=listed,
                catalogue_envelope=envelope,
                newest=admission.Newest(1, listed.digest),
                stored=stored,
                remedy=loose,
                unread="",
                stale=None,
                memory=memory.Memory(),
                now_ms=self.ledger.now_ms(),
                broken=self.ledger.broken,
                host=self.host,
            )
            refusal = admission.judge(case)
            times.append(time.perf_counter() - began)
            used.append(time.thread_time() - busy)
            assert refusal is None, refusal
        return {**_spread(times), "cpu_p99": _spread(used)["p99"]}

    def pre_checks(self, rounds: int) -> dict[str, float]:
        """Judge six pre-checks that look at this host."""
        times = []
        for number in range(rounds):
            running = self._session(_HEAD + _PRE_CHECKS + _steps("/"), number)
            began = time.perf_counter()
            why = preconditions.hold(running)
            times.append(time.perf_counter() - began)
            assert why is None, why
            running.report(ExecutionOutcome.ABORTED, "only its pre-checks were wanted")
            self.ledger.acked(self.ledger.memory.event_seq)
        return _spread(times)

    def playbooks(self, rounds: int) -> dict[str, Any]:
        """Run a whole order and ten plain calls, turn by turn."""
        ours: list[peers.Cost] = []
        plain: list[peers.Cost] = []
        for number in range(rounds + 2):
            marker = self.volume / f"marker-{number}"
            text = _HEAD + _steps(marker)
            remedy = parse.load(text.encode(), origin="bench")
            used, began = peers.spent(), time.perf_counter()
            self._execute(remedy, text.encode(), 1000 + number)
            ours.append(peers.Cost(time.perf_counter() - began, peers.spent() - used))
            marker.unlink()
            used, began = peers.spent(), time.perf_counter()
            for argv in _argvs(remedy):
                subprocess.run(argv, check=True, capture_output=True)
            plain.append(peers.Cost(time.perf_counter() - began, peers.spent() - used))
            marker.unlink()
        del ours[:2], plain[:2]  # they warm up
        pairs = list(zip(ours, plain, strict=True))
        return {
            "playbook_5_steps_5_checks_ms": _spread([one.wall for one in ours]),
            "ten_plain_subprocess_calls_ms": _spread([one.wall for one in plain]),
            "ratio": _ratio([one.wall / other.wall for one, other in pairs]),
            "processor_ms": _median(ours)["processor"],
            "processor_ms_of_ten_plain_calls": _median(plain)["processor"],
            "processor_ratio": _ratio([one.processor / other.processor for one, other in pairs]),
        }

    def beside(self, peer: peers.Peer | str, rounds: int) -> dict[str, Any] | str:
        """Run a whole order and a peer, turn by turn; the first turn fills caches of both."""
        if isinstance(peer, str):
            return peer
        ours, theirs = [], []
        for number in range(rounds + 1):
            marker = self.volume / f"beside-{peer.name}-{number}"
            text = _HEAD + _steps(marker)
            remedy = parse.load(text.encode(), origin="bench")
            used, began = peers.spent(), time.perf_counter()
            self._execute(remedy, text.encode(), next(self.numbers))
            ours.append(peers.Cost(time.perf_counter() - began, peers.spent() - used))
            marker.unlink()
            theirs.append(peer.run())
        own, their = _median(ours[1:]), _median(theirs[1:])
        return {
            "version": peer.version,
            "runs": rounds,
            "ours_ms": own,
            "its_ms": their,
            "times_ours": {name: round(their[name] / own[name], 1) for name in own},
        }

    def _session(self, text: str, number: int) -> sessions.Session:
        remedy = parse.load(text.encode(), origin="bench")
        signed, bound = self._intended(remedy, text.encode(), number)
        return sessions.Session(
            order=signed.order,
            playbook=remedy,
            bound=bound,
            host=self.host,
            ledger=self.ledger,
            interrupt=interrupt.LocalInterrupt(),
            started_at=self.host.clock.now(),
            deadline=self.host.clock.monotonic() + 60,
        )

    def _intended(
        self, remedy: playbook.Playbook, stored: bytes, number: int
    ) -> tuple[orders.SignedOrder, parameters.Bound]:
        incident = ids.IncidentId(f"inc_20260212_112600_{number:08x}")
        given = {"mount": str(self.volume)}
        signed = self.centre.order(remedy, incident=incident, parameters=given)
        bound = parameters.bind(remedy.parameters, given, self.host)
        self.ledger.intend(signed, stored, bound, self.host.commands.boot())
        return signed, bound

    def _execute(self, remedy: playbook.Playbook, stored: bytes, number: int) -> None:
        signed, bound = self._intended(remedy, stored, number)
        report = engine.execute(
            signed.order,
            remedy,
            bound,
            self.host,
            ledger=self.ledger,
            interrupt=interrupt.LocalInterrupt(),
        )
        assert report.outcome is ExecutionOutcome.SUCCESS, report
        self.ledger.acked(self.ledger.memory.event_seq)


def _argvs(remedy: playbook.Playbook) -> list[list[str]]:
    parts = []
    for step in remedy.steps:
        parts += [step.action.fields["argv"], *(check.fields["argv"] for check in step.verify)]
    return [[str(word) for word in argv] for argv in parts if isinstance(argv, tuple)]


def _opened(envelope: Any, root: roots.Root, now: datetime) -> catalogues.Catalogue:
    return catalogues.open_catalogue(envelope, root, now=now)


def _host(place: Path, volume: Path) -> hosts.Host:
    probe, runner = http_probe.LoopbackProbe(), command_runner.LocalCommands()
    table, volumes = processes.LocalProcesses(), files.LocalFiles({str(volume): 1_000_000})
    known = services.LocalServices({}, place / "services", probe, systemd.Systemd(runner))
    return hosts.Host(
        name="bench",
        tags={},
        clock=clock.LocalClock(),
        commands=runner,
        facts=facts.LocalFacts(volumes, known, table, probe),
        files=volumes,
        http=probe,
        logs=log_reader.LocalLogs(),
        processes=table,
        services=known,
        forbidden=lambda: None,
        running=frozenset,
        redact=lambda text: text,
    )


def _spread(seconds: list[float]) -> dict[str, float]:
    ordered = sorted(one * 1000 for one in seconds)
    return {
        "p50": round(statistics.median(ordered), 3),
        "p99": round(ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))], 3),
        "runs": len(ordered),
    }


def _ratio(ratios: list[float]) -> float:
    return round(statistics.median(ratios), 2)


def _median(costs: list[peers.Cost]) -> dict[str, float]:
    return {
        "wall": round(statistics.median(one.wall for one in costs) * 1000, 2),
        "processor": round(statistics.median(one.processor for one in costs) * 1000, 2),
    }
