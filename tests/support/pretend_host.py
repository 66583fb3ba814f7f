"""A host in memory for tests of `stages.execute`: time that obeys, services, files and programs.

Called by tests/unit/execute. It does what its ports say and nothing else; `clock.slept` tells how
long somebody waited, `did` in which order programs, services and files were acted on.
"""

import dataclasses
from datetime import UTC, datetime, timedelta

from sentienguard.ports import (
    command_runner,
    execution_journal,
    facts,
    files,
    http_probe,
    log_reader,
    processes,
    services,
)
from sentienguard.stages.execute import host as hosts
from sentienguard.stages.execute import ledger as ledgers
from sentienguard.stages.execute.report import events
from tests.support import execution

START = datetime(2026, 2, 12, 11, 26, tzinfo=UTC)


class Clock:
    def __init__(self):
        self.passed = 0.0
        self.slept = []

    def now(self):
        return START + timedelta(seconds=self.passed)

    def monotonic(self):
        return 1000.0 + self.passed

    def sleep(self, seconds, until=None):
        self.slept.append(round(seconds, 3))
        self.passed += seconds


class Interrupt:
    def __init__(self):
        self.by = None

    def requested(self):
        return self.by

    def wait(self, seconds):
        return self.by is not None


class Journal:
    """A journal in memory. `fail_at` breaks the write with that number, the first being 1."""

    def __init__(self, fail_at=None):
        self.kept = []
        self.durable = []
        self.synced = 0  # records from the start that survive everything
        self.writes = 0
        self.fail_at = fail_at

    def append(self, records, *, durable):
        self.writes += 1
        if self.writes == self.fail_at:
            raise execution_journal.JournalBroken("the disk is gone")
        self.kept += records
        if durable:
            self.durable += [record["t"] for record in records]
            self.synced = len(self.kept)

    def forget(self):
        """Lose what was not synced, with the power or by a sync that failed."""
        del self.kept[self.synced :]

    def records(self):
        return iter(list(self.kept))

    def cramped(self):
        return None

    def rewrite(self, records):
        self.kept = list(records)
        self.synced = len(self.kept)


@dataclasses.dataclass
class Program:
    """What a program does: how it ends, and what changes."""

    exit_code: int = 0
    stdout: str = ""
    ending: command_runner.Ending = command_runner.Ending.EXITED
    act: object = None


class PretendHost:
    def __init__(self, *, services=None, tags=None, name="host-1"):
        self.name = name
        self.tags = tags or {}
        self.clock = Clock()
        self.did = []
        self.measured = {"disk_usage": 91.0, "disk_free": 10**9, "memory_free": 10**9}
        self.programs = {}
        self.alive = dict(services or {})
        self.pids = {name: 100 + n for n, name in enumerate(self.alive)}
        self.fail_service = set()
        self.answers = {}
        self.log = {}
        self.contents = {}
        self.table = {}
        self.marked = []
        self.boot = "first"
        self.forbidden = None
        self.mounts = {"/", "/srv/data"}
        self.tree = {}  # path below a root -> age in seconds
        self.kept = {}

    def host(self):
        return hosts.Host(
            name=self.name,
            tags=self.tags,
            clock=self.clock,
            commands=Commands(self),
            facts=Facts(self),
            files=Files(self),
            http=Http(self),
            logs=Logs(self),
            processes=Processes(self),
            services=Services(self),
            forbidden=lambda: self.forbidden,
            running=frozenset,
            redact=lambda text: text.replace("hunter2", "[redacted]"),
        )

    def ledger(self, journal=None):
        controls = {}
        source = events.Source(
            execution.AGENT, execution.ENVIRONMENT, execution.key(9).sign, controls
        )
        return ledgers.Ledger(journal or Journal(), source, self.clock)


class Part:
    def __init__(self, host):
        self.host = host


class Commands(Part):
    def run(self, argv, *, limit, mark, interrupt, as_user="", started=None):
        self.host.did.append(" ".join(argv))
        program = self.host.programs.get(argv[0], Program())
        if started is not None:
            started(command_runner.ProcessGroup(4711, 99))
        if callable(program.act):
            program.act()
        over = program.ending is not command_runner.Ending.EXITED
        if program.ending is command_runner.Ending.TIMED_OUT:
            self.host.clock.passed += limit
        return command_runner.CommandResult(
            program.ending, None if over else program.exit_code, program.stdout, "", False, 1
        )

    def end_marked(self, mark, groups):
        self.host.marked.append(mark)
        return 0

    def boot(self):
        return self.host.boot

    def locate(self, program):
        return None if program == "/bin/missing" else program


class Facts(Part):
    def measure(self, name, parameters):
        if name not in self.host.measured:
            raise facts.UnknownFact(f"no fact {name}")
        found = self.host.measured[name]
        return found() if callable(found) else found


class Http(Part):
    def ask(self, url, limit, method="GET"):
        found = self.host.answers.get(url, 0)
        status = found() if callable(found) else found
        return http_probe.Answer(status, 1, "" if status else "refused")


class Logs(Part):
    def mark(self, path):
        return log_reader.Mark(1, len(self.host.log.get(path, ())))

    def lines(self, path, *, since, after):
        if path not in self.host.log:
            raise log_reader.LogUnreadable(f"no {path}")
        start = 0 if after is None else after.offset
        return tuple(text for at, text in self.host.log[path][start:] if at >= since)


class Processes(Part):
    def find(self, pid):
        return self.host.table.get(pid)

    def named(self, name):
        return tuple(one for one in self.host.table.values() if one.name == name)

    def cpu_percent(self, process, over_s):
        return 99.0

    def send(self, process, signal):
        self.host.did.append(f"{signal} {process.pid}")
        if signal in {processes.Signal.KILL, processes.Signal.TERMINATE}:
            self.host.table.pop(process.pid, None)

    def wait_gone(self, process, limit):
        return process.pid not in self.host.table

    def renice(self, process, nice):
        self.host.did.append(f"renice {process.pid} {nice}")
        self.host.table[process.pid] = dataclasses.replace(process, nice=nice)


class Services(Part):
    def names(self):
        return frozenset(self.host.alive)

    def describe(self, name):
        if name not in self.host.alive:
            raise services.UnknownService(name)
        return services.Service(
            name, f"http://127.0.0.1/{name}", f"/log/{name}", f"/etc/{name}.conf"
        )

    def state(self, name):
        self.describe(name)
        if not self.host.alive[name]:
            return services.State(services.Status.STOPPED)
        return services.State(services.Status.RUNNING, self.host.pids[name], 1)

    def _set(self, verb, name, alive):
        if verb in self.host.fail_service:
            self.host.did.append(f"{verb} {name} fails")
            raise services.ServiceFailed(f"{name} does not {verb}")
        if self.host.alive[name] != alive:
            self.host.did.append(f"{verb} {name}")
        self.host.alive[name] = alive

    def start(self, name, limit):
        self._set("start", name, True)

    def stop(self, name, limit):
        self._set("stop", name, False)

    def kill(self, name, limit):
        self._set("kill", name, False)

    def reload(self, name, limit):
        self.host.did.append(f"reload {name}")


class Files(Part):
    def volumes(self):
        return frozenset(self.host.mounts)

    def volume(self, path):
        return files.Volume(path, self.host.measured["disk_usage"], 10**9, 1.0)

    def find(self, selection):
        found = [
            files.Found(path, 1, n, 10, 0)
            for n, (path, age) in enumerate(sorted(self.host.tree.items()))
            if age >= selection.min_age_s
        ]
        return files.Findings(tuple(found[: selection.at_most]), len(found) > selection.at_most)

    def delete(self, root, chosen):
        self.host.did.append(f"delete {len(chosen)}")
        return sum(self.host.tree.pop(one.path, None) is not None for one in chosen)

    def truncate(self, root, chosen):
        self.host.did.append(f"truncate {len(chosen)}")
        return len(chosen)

    def move(self, root, chosen, kept):
        self.host.did.append(f"move {len(chosen)}")
        for one in chosen:
            self.host.kept[one.path] = self.host.tree.pop(one.path)
        return len(chosen)

    def move_back(self, root, chosen, kept):
        self.host.did.append("move back")
        for one in chosen:
            if one.path in self.host.kept:
                self.host.tree[one.path] = self.host.kept.pop(one.path)
        return sum(one.path in self.host.tree for one in chosen)

    def read(self, path):
        if path not in self.host.contents:
            raise files.FileFailed(f"no {path}")
        return self.host.contents[path]

    def replace(self, path, content):
        self.host.did.append(f"write {path}")
        self.host.contents[path] = content


def process(pid, name="spin", *, started=7, nice=0, state="R"):
    return processes.Process(
        pid=pid,
        started=started,
        name=name,
        state=state,
        parent=1,
        nice=nice,
        group=pid,
        uptime_s=60.0,
        memory_bytes=1,
    )
