"""The host ports of a `stage`: what the executor's engine sees of it.

Called by `rehearsal`, which puts them into the engine's bundle. Each class keeps the rules of its
port as far as a host in memory can break them; tests/contract runs the ports' contracts on them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sentienguard.model import ids
from sentienguard.ports import command_runner, http_probe, log_reader, processes
from sentienguard.ports import facts as facts_port
from sentienguard.ports import interrupt as interrupts
from sentienguard.ports import services as services_port
from sentienguard.simulation import remedies
from sentienguard.simulation.proving import faraway, lying, programs, storing
from sentienguard.simulation.proving import stage as stages
from sentienguard.stages.execute import host as hosts
from sentienguard.stages.execute import session

_START_S = 1.0  # how long a service takes to start or to stop


@dataclass(slots=True)
class Part:
    """One port of a stage."""

    stage: stages.Stage


def host(stage: stages.Stage, running: Callable[[], frozenset[ids.OrderId]]) -> hosts.Host:
    """Return the bundle that the engine takes."""
    scene = stage.scene
    return hosts.Host(
        name=scene.name,
        tags=scene.tags,
        clock=stage.clock,
        commands=Commands(stage),
        facts=Facts(stage),
        files=lying.Files(stage),
        http=Http(stage),
        logs=Logs(stage),
        processes=Processes(stage),
        services=Services(stage),
        forbidden=lambda: scene.forbidden or None,
        running=running,
        redact=lambda text: text,
        servers=programs.Servers(stage),
        open_files=programs.OpenFiles(stage),
        locks=programs.Locks(stage),
        kernel=programs.Kernel(stage),
        remotes=faraway.Remotes(stage),
        databases=storing.Databases(stage),
    )


class Commands(Part):
    """A ports.command_runner.CommandRunner."""

    def run(
        self,
        argv: Sequence[str],
        *,
        limit: float,
        mark: str,
        interrupt: interrupts.Interrupt,
        as_user: str = "",
        started: Callable[[command_runner.ProcessGroup], None] | None = None,
    ) -> command_runner.CommandResult:
        """Run it; see the port."""
        del as_user
        stage, line = self.stage, " ".join(argv)
        program = stage.exit_of(line)
        if program is None:
            raise command_runner.CommandNotRunnable(
                f"{line}: the case knows no such program; name it under host.programs"
            )
        stage.programs.append(line)
        if not mark.endswith(f":{session.LOOKING}"):
            stage.act(f"run {line}")
        if started is not None:
            started(command_runner.ProcessGroup(2, 1))
        stage.clock.sleep(min(program.takes, limit), interrupt)
        if program.takes > limit:
            return _result(command_runner.Ending.TIMED_OUT, None, limit)
        if program.exit == 0 and not mark.endswith(f":{session.LOOKING}"):
            stage.react(f"run {line}")
        return _result(command_runner.Ending.EXITED, program.exit, program.takes)

    def end_marked(self, mark: str, groups: Sequence[command_runner.ProcessGroup]) -> int:
        """Find nothing that is left; a command here ends before anybody else acts."""
        del mark, groups
        return 0

    def boot(self) -> str:
        """Name the only boot."""
        return "simulated"

    def locate(self, program: str) -> str | None:
        """Return the path of a program that the case names."""
        names = {one.run.split()[0] for one in self.stage.scene.programs if one.run.split()}
        return program if program in names else None


def _result(
    ending: command_runner.Ending, code: int | None, took: float
) -> command_runner.CommandResult:
    return command_runner.CommandResult(
        ending, code, "", "", truncated=False, duration_ms=int(took * 1000)
    )


class Facts(Part):
    """A ports.facts.Facts."""

    def measure(self, name: str, parameters: Mapping[str, str]) -> facts_port.Fact:
        """Measure the truth; see the port."""
        if name == "stale_locks":
            return len(programs.Locks(self.stage).stale(0.0))
        if name == "config_differs":
            known = Services(self.stage).describe(_given(parameters, "service"))
            read = lying.Files(self.stage).read
            return int(read(str(known.config_file)) != read(f"{known.config_file}.last-good"))
        if name in self.stage.levels:
            return self.stage.levels[name]
        if name in {"disk_usage", "disk_free", "inode_usage"}:
            volume = lying.Files(self.stage).volume(parameters.get("mount", "/"))
            return {
                "disk_usage": volume.used_percent,
                "disk_free": volume.free_bytes,
                "inode_usage": volume.inode_percent,
            }[name]
        if name in {"service_status", "http_status"}:
            return self._service(name, _given(parameters, "service"))
        if name in {"process_alive", "process_cpu", "process_memory"}:
            return self._process(name, _given(parameters, "pid"))
        raise facts_port.UnknownFact(f"a simulated host measures no fact {name!r}")

    def _service(self, name: str, service: str) -> facts_port.Fact:
        known = Services(self.stage)
        if name == "service_status":
            return known.state(service).status.value
        if known.describe(service).health_url is None:
            raise facts_port.UnknownFact(f"service {service} has no health_url")
        return self.stage.services[service].status

    def _process(self, name: str, pid: str) -> facts_port.Fact:
        living = self.stage.living.get(int(pid))
        if name == "process_alive":
            return living is not None
        if living is None:
            raise facts_port.FactNotMeasured(f"process {pid} has ended")
        return living.cpu if name == "process_cpu" else living.known.memory


class Truths(Facts):
    """The facts, and what the case knows of the host beside them; no executor sees that."""

    def measure(self, name: str, parameters: Mapping[str, str]) -> facts_port.Fact:
        """Measure a fact or a truth."""
        if name in self.stage.truths:
            return self.stage.truths[name]
        return Facts(self.stage).measure(name, parameters)


def _given(parameters: Mapping[str, str], name: str) -> str:
    if name not in parameters:
        raise facts_port.UnknownFact(f"no parameter says which {name} is meant")
    return parameters[name]


class Http(Part):
    """A ports.http_probe.HttpProbe."""

    def ask(self, url: str, limit: float, method: str = "GET") -> http_probe.Answer:
        """Ask once; see the port."""
        host_part = url.partition("//")[2].partition("/")[0].partition(":")[0]
        if not url.startswith("http://") or host_part not in {"127.0.0.1", "localhost"}:
            raise http_probe.NotLoopback(f"{url} is not plain http on this host")
        if method == "POST":
            self.stage.act(f"http POST {url}")
            self.stage.react(f"http POST {url}")
        for serving in self.stage.services.values():
            if serving.known.health_url == url and serving.status:
                return http_probe.Answer(serving.status, 1, "")
            if serving.known.health_url == url and serving.state == "hung":
                self.stage.clock.sleep(limit)
                return http_probe.Answer(0, int(limit * 1000), "timed out")
        return http_probe.Answer(0, 1, "connection refused")


class Logs(Part):
    """A ports.log_reader.LogReader."""

    def mark(self, path: str) -> log_reader.Mark | None:
        """Return the end of a log."""
        if path not in self.stage.files:
            return None
        return log_reader.Mark(self.stage.files[path].inode, len(self.stage.log(path)))

    def lines(
        self, path: str, *, since: datetime, after: log_reader.Mark | None
    ) -> tuple[str, ...]:
        """Return the lines behind the mark; see the port."""
        if path not in self.stage.files:
            raise log_reader.LogUnreadable(f"no {path}")
        start = 0 if after is None else after.offset
        return tuple(
            line
            for at, line in self.stage.log(path)[start:]
            if remedies.START + timedelta(seconds=at) >= since
        )


class Processes(Part):
    """A ports.processes.Processes."""

    def find(self, pid: int) -> processes.Process | None:
        """Find a process; see the port."""
        living = self.stage.living.get(pid)
        if living is None:
            return None
        serving = self.stage.services.get(living.service)
        return processes.Process(
            pid=pid,
            started=living.started,
            name=living.known.name,
            state="T" if serving is not None and serving.state == "hung" else "S",
            parent=1,
            nice=living.nice,
            group=pid,
            uptime_s=self.stage.clock.passed - living.began,
            memory_bytes=living.known.memory,
        )

    def named(self, name: str) -> tuple[processes.Process, ...]:
        """Find processes by name; see the port."""
        found = [self.find(pid) for pid in sorted(self.stage.living)]
        return tuple(one for one in found if one is not None and one.name == name[:15])

    def cpu_percent(self, process: processes.Process, over_s: float) -> float:
        """Measure it; see the port."""
        self._same(process)
        self.stage.clock.sleep(over_s)
        return self.stage.living[process.pid].cpu

    def send(self, process: processes.Process, signal: processes.Signal) -> None:
        """Signal it; see the port."""
        living = self._same(process)
        name = f"signal {signal.value} {process.pid}"
        self.stage.act(name, *self._thing(living))
        ends = signal in {processes.Signal.TERMINATE, processes.Signal.KILL}
        if ends and signal.value not in living.known.ignores:
            self.stage.process_ends(process.pid)
        self.stage.react(name)

    def wait_gone(self, process: processes.Process, limit: float) -> bool:
        """Wait for its end; see the port."""
        if self.stage.living.get(process.pid) is None:
            return True
        self.stage.clock.sleep(limit)
        return False

    def renice(self, process: processes.Process, nice: int) -> None:
        """Give it another priority; see the port."""
        living = self._same(process)
        living.nice = nice
        name = f"renice {process.pid} {nice}"
        self.stage.act(name, *self._thing(living))
        self.stage.react(name)

    def _same(self, process: processes.Process) -> stages.Living:
        living = self.stage.living.get(process.pid)
        if living is None or living.started != process.started:
            raise processes.NoSuchProcess(f"process {process.pid} has ended")
        return living

    @staticmethod
    def _thing(living: stages.Living) -> tuple[str]:
        of_service = f"service {living.service}"
        return (of_service if living.service else f"process {living.known.pid}",)


class Services(Part):
    """A ports.services.Services."""

    def names(self) -> frozenset[str]:
        """Return the services of the case."""
        return frozenset(self.stage.services)

    def describe(self, name: str) -> services_port.Service:
        """Return what is known of it; see the port."""
        known = self._serving(name).known
        return services_port.Service(name, known.health_url, known.log_file, known.config_file)

    def state(self, name: str) -> services_port.State:
        """Measure it; see the port."""
        serving = self._serving(name)
        status = services_port.Status(serving.state)
        if not serving.pid:
            return services_port.State(status)
        return services_port.State(status, serving.pid, self.stage.living[serving.pid].started)

    def start(self, name: str, limit: float) -> None:
        """Make it run; see the port."""
        serving = self._serving(name)
        if serving.pid:
            return
        self._acts("start", name, limit)
        if serving.state == "missing" or not serving.known.starts:
            raise services_port.ServiceFailed(f"service {name} ended at once")
        self.stage.service_starts(serving)
        self.stage.react(f"service start {name}")

    def stop(self, name: str, limit: float) -> None:
        """End it in order; see the port."""
        self._end("stop", name, limit)

    def kill(self, name: str, limit: float) -> None:
        """End it by force; see the port."""
        self._end("kill", name, limit)

    def leftovers(self, name: str) -> int:
        """Count what its dead process left; see the port."""
        alive = self._serving(name).pid
        return 0 if alive else int(self.stage.levels["service_leftovers"])

    def end_leftovers(self, name: str, limit: float) -> int:
        """End it; see the port."""
        if not (left := self.leftovers(name)):
            return 0
        self.stage.act(f"service end_leftovers {name}")
        self.stage.clock.sleep(min(limit, _START_S))
        self.stage.levels["service_leftovers"] = 0.0
        self.stage.react(f"service end_leftovers {name}")
        return left

    def reload(self, name: str, limit: float) -> None:
        """Have it read its settings again; see the port."""
        if not self._serving(name).pid:
            raise services_port.ServiceFailed(f"service {name} does not run")
        self._acts("reload", name, limit)
        self.stage.react(f"service reload {name}")

    def _end(self, verb: str, name: str, limit: float) -> None:
        serving = self._serving(name)
        if not serving.pid:
            return
        self._acts(verb, name, limit)
        self.stage.service_ends(serving)
        self.stage.react(f"service {verb} {name}")

    def _acts(self, verb: str, name: str, limit: float) -> None:
        self.stage.act(f"service {verb} {name}", f"service {name}")
        self.stage.clock.sleep(min(limit, _START_S))

    def _serving(self, name: str) -> stages.Serving:
        found = self.stage.services.get(name)
        if found is None:
            raise services_port.UnknownService(f"this case has no service {name!r}")
        return found
