"""Facts of open files, lock files and the kernel. Called by agent.executor, for `LocalFacts`."""

from collections.abc import Callable, Mapping

from sentienguard.adapters.local_host import kernel_settings, locks, open_files
from sentienguard.model import errors
from sentienguard.ports import facts, files, services

COPY = ".last-good"  # behind the name of a configuration: the copy that its owner keeps
LEAST_AGE_S = 60.0  # a younger lock file may be between its writing and its process

Measures = Mapping[str, Callable[[Mapping[str, str]], facts.Fact]]


def measures(
    opened: open_files.LocalOpenFiles,
    left: locks.LocalLocks,
    kernel: kernel_settings.LocalKernel | None,
    known: services.Services,
    volumes: files.Files,
) -> Measures:
    """Return what measures each; without a kernel its fact is unknown."""
    found: dict[str, Callable[[Mapping[str, str]], facts.Fact]] = {
        "open_files_percent": lambda given: opened.percent(_service(given)),
        "deleted_open_bytes": lambda given: sum(
            held.size for held in opened.deleted(_service(given))
        ),
        "config_differs": lambda given: _differs(known.describe(_service(given)), volumes),
        "stale_locks": lambda _: len(left.stale(LEAST_AGE_S)),
    }
    if kernel is not None:
        found["conntrack_percent"] = lambda _: kernel.conntrack_percent()
    return {name: _told(name, measure) for name, measure in found.items()}


def _told(
    name: str, measure: Callable[[Mapping[str, str]], facts.Fact]
) -> Callable[[Mapping[str, str]], facts.Fact]:
    def measured(given: Mapping[str, str]) -> facts.Fact:
        try:
            return measure(given)
        except (OSError, ValueError, errors.Unavailable) as error:
            raise facts.FactNotMeasured(f"fact {name} cannot be measured: {error}") from error

    return measured


def _differs(service: services.Service, volumes: files.Files) -> int:
    """Tell whether a configuration is another one than its copy; without a copy nobody knows."""
    if service.config_file is None:
        raise facts.UnknownFact(f"service {service.name} has no config_file; see agent.json")
    kept = volumes.read(service.config_file + COPY)
    return int(volumes.read(service.config_file) != kept)


def _service(given: Mapping[str, str]) -> str:
    if "service" not in given:
        raise facts.UnknownFact("the playbook has no parameter that says which service is meant")
    return given["service"]
