"""What a host says of itself: samples, the series they belong to, log lines and processes.

A sample is one reading of a whole host. On the wire it has the nested JSON shape that
`stages.observe` documents; inside, it is a flat table of series. A *metric* is what is measured
(`system.disk_usage_percent`), a *subject* the part of the host it is measured of
(`/var/lib/postgresql`, `eth0`, a service name; empty for the whole host).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sentienguard.model.ids import AgentId


@dataclass(frozen=True, slots=True, order=True)
class Series:
    """One measured thing on one host."""

    host: str  # name as the agent reports it, for people; identity is the agent id
    metric: str  # dotted lower-case name with its unit, for example system.cpu_percent
    subject: str = ""  # mount point, interface, service; empty: the host as a whole
    # What else names a series of another system: pairs of name and value; none for our agents'.
    labels: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        """Show as `host:metric[subject]`, with the labels of another system where it has some."""
        shown = f"{self.host}:{self.metric}" + (f"[{self.subject}]" if self.subject else "")
        pairs = ",".join(f"{name}={value!r}" for name, value in self.labels)
        return f"{shown}{{{pairs}}}" if pairs else shown


@dataclass(frozen=True, slots=True)
class ProcessUse:
    """One of the processes that use most of something."""

    pid: int
    name: str  # command name of at most 15 bytes, never the arguments (they hold secrets)
    cpu_percent: float  # of one core, since the sample before
    memory_bytes: int  # resident
    io_bytes_per_s: float = 0.0  # read from and written to devices; 0 where it was not measured


@dataclass(frozen=True, slots=True)
class PathUse:
    """One of the files or directories that use most of a volume."""

    path: str
    bytes: int
    growth_bytes_per_hour: float = 0.0


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line that the agent found worth sending; secrets are redacted on the host."""

    at: datetime  # when the agent read it, UTC
    file: str
    text: str  # at most 512 characters


@dataclass(frozen=True, slots=True)
class Sample:
    """One reading of one host."""

    agent: AgentId
    host: str
    environment: str
    tags: Mapping[str, str]
    seq: int  # counts up by one for each sample of this agent, kept over restarts
    at: datetime  # the host's wall clock, UTC
    values: Mapping[tuple[str, str], float]  # (metric, subject) -> reading
    top_cpu: tuple[ProcessUse, ...] = ()
    top_memory: tuple[ProcessUse, ...] = ()
    top_paths: Mapping[str, tuple[PathUse, ...]] = field(default_factory=dict)  # by mount point
    log_lines: tuple[LogLine, ...] = ()
    top_io: tuple[ProcessUse, ...] = ()  # of a unit where processes may not be looked into

    def series(self, metric: str, subject: str) -> Series:
        """Name the series of one of this sample's values."""
        return Series(self.host, metric, subject)
