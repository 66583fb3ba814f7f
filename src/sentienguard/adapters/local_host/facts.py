"""Facts of this machine, measured when they are asked for."""

import os
import time
from collections.abc import Callable, Mapping

from sentienguard.adapters.local_host import procfs
from sentienguard.ports import facts, files, http_probe, processes, services

MEASURE_S = 0.2  # how long processor time is watched for one reading
HEALTH_S = 2.0  # within which a health address has to answer
_IDLE, _IOWAIT = 3, 4  # places in the first line of /proc/stat
_COUNTED = 8  # guest time is already in user time
_KIB = 1024

Measure = Callable[["LocalFacts", Mapping[str, str]], facts.Fact]


class LocalFacts:
    """A ports.facts.Facts."""

    def __init__(
        self,
        volumes: files.Files,
        known: services.Services,
        table: processes.Processes,
        probe: http_probe.HttpProbe,
        more: Mapping[str, Callable[[Mapping[str, str]], facts.Fact]] | None = None,
    ) -> None:
        """Take the ports that know volumes, services, processes and health addresses.

        `more` are facts that something else measures, such as a server program.
        """
        self.more = more or {}
        self.files = volumes
        self.services = known
        self.processes = table
        self.http = probe

    def measure(self, name: str, parameters: Mapping[str, str]) -> facts.Fact:
        """Measure one fact; see the port."""
        if name in self.more:
            return self.more[name](parameters)
        measure = _MEASURES.get(name)
        if measure is None:
            raise facts.UnknownFact(f"this host measures no fact {name!r}")
        try:
            return measure(self, parameters)
        except (OSError, ValueError, files.FileFailed) as error:
            raise facts.FactNotMeasured(f"fact {name} cannot be measured: {error}") from error

    def volume(self, parameters: Mapping[str, str]) -> files.Volume:
        """Measure the volume that the parameters name, else the root."""
        return self.files.volume(parameters.get("mount", "/"))

    def process(self, parameters: Mapping[str, str]) -> processes.Process | None:
        """Find the process that the parameters name."""
        return self.processes.find(int(_given(parameters, "pid")))

    def living(self, parameters: Mapping[str, str]) -> processes.Process:
        """Find it, or say that it ended."""
        found = self.process(parameters)
        if found is None:
            raise facts.FactNotMeasured(f"process {parameters['pid']} has ended")
        return found


def _given(parameters: Mapping[str, str], name: str) -> str:
    if name not in parameters:
        raise facts.UnknownFact(f"the playbook has no parameter that says which {name} is meant")
    return parameters[name]


def _http_status(host: LocalFacts, parameters: Mapping[str, str]) -> int:
    name = _given(parameters, "service")
    url = host.services.describe(name).health_url
    if url is None:
        raise facts.UnknownFact(f"service {name} has no health_url; declare it in agent.json")
    return host.http.ask(url, HEALTH_S).status


def _cpu(host: LocalFacts, parameters: Mapping[str, str]) -> float:
    del host, parameters
    busy, total = _ticks()
    time.sleep(MEASURE_S)
    busy_after, total_after = _ticks()
    passed = total_after - total
    return 100.0 * (busy_after - busy) / passed if passed > 0 else 0.0


def _ticks() -> tuple[int, int]:
    line = (procfs.PROC / "stat").read_text("ascii").split("\n", 1)[0].split()[1 : 1 + _COUNTED]
    ticks = [int(field) for field in line]
    return sum(ticks) - ticks[_IDLE] - ticks[_IOWAIT], sum(ticks)


def _memory() -> Mapping[str, int]:
    lines = (procfs.PROC / "meminfo").read_text("ascii").splitlines()
    fields = (line.split() for line in lines)
    return {words[0].rstrip(":"): int(words[1]) * _KIB for words in fields if len(words) > 1}


def _memory_percent(host: LocalFacts, parameters: Mapping[str, str]) -> float:
    del host, parameters
    memory = _memory()
    return 100.0 * (1 - memory["MemAvailable"] / memory["MemTotal"])


def _memory_free(host: LocalFacts, parameters: Mapping[str, str]) -> int:
    del host, parameters
    return _memory()["MemAvailable"]


def _swap_percent(host: LocalFacts, parameters: Mapping[str, str]) -> float:
    del host, parameters
    memory = _memory()
    total = memory["SwapTotal"]
    return 100.0 * (1 - memory["SwapFree"] / total) if total else 0.0


def _load(host: LocalFacts, parameters: Mapping[str, str]) -> float:
    del host, parameters
    return os.getloadavg()[0]


def _zombies(host: LocalFacts, parameters: Mapping[str, str]) -> int:
    del host, parameters
    found = (procfs.stat(pid) for pid in procfs.pids())
    return sum(1 for fields in found if fields is not None and fields[1] == "Z")


_MEASURES: Mapping[str, Measure] = {
    "disk_usage": lambda host, given: host.volume(given).used_percent,
    "inode_usage": lambda host, given: host.volume(given).inode_percent,
    "disk_free": lambda host, given: host.volume(given).free_bytes,
    "cpu_percent": _cpu,
    "memory_percent": _memory_percent,
    "memory_free": _memory_free,
    "swap_percent": _swap_percent,
    "load_1m": _load,
    "zombies": _zombies,
    "service_leftovers": lambda host, given: host.services.leftovers(_given(given, "service")),
    "service_status": lambda host, given: (
        host.services.state(_given(given, "service")).status.value
    ),
    "http_status": _http_status,
    "process_alive": lambda host, given: host.process(given) is not None,
    "process_cpu": lambda host, given: host.processes.cpu_percent(host.living(given), MEASURE_S),
    "process_memory": lambda host, given: host.living(given).memory_bytes,
}
NAMES = frozenset(_MEASURES)
