"""What is known when the decision is made, frozen, and the same in words."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sentienguard.model.anomaly import Anomaly
from sentienguard.model.evidence import Evidence, PastIncident
from sentienguard.model.incident import Incident
from sentienguard.model.telemetry import LogLine, PathUse, ProcessUse, Sample

_PROCESSES = 5  # top processes kept
_PATHS = 10  # top paths kept
_LINES = 20  # log lines kept, the newest
_RECENT = 240  # readings kept of the anomalous series: two hours at the usual interval
_KIB = 1024.0
_IO = frozenset(
    {
        "system.disk_latency_ms",
        "system.disk_busy_percent",
        "system.disk_read_bytes_per_s",
        "system.disk_write_bytes_per_s",
    }
)
_PRESSURE = frozenset({"system.pressure_percent", "system.pressure_full_percent"})


def assemble(
    incident: Incident,
    taken_at: datetime,
    *,
    sample: Sample | None,
    recent: Sequence[tuple[datetime, float]] = (),
    similar: Sequence[PastIncident] = (),
    log_lines: Sequence[LogLine] = (),
) -> Evidence:
    """Freeze what is known about an incident.

    `sample` is the host's newest one, None where nothing newer than the anomaly is known; `recent`
    is the anomalous series, oldest first; `log_lines` adds to the sample's, redacted already.
    """
    anomaly = incident.anomaly
    processes = () if sample is None else _processes(anomaly, sample)
    paths = () if sample is None else tuple(sample.top_paths.get(anomaly.series.subject, ()))
    lines = sorted(
        {*log_lines, *(() if sample is None else sample.log_lines)},
        key=lambda line: (line.at, line.file, line.text),
    )[-_LINES:]
    newest_first = sorted(similar, key=lambda past: (past.opened_at, past.id), reverse=True)
    paths = tuple(sorted(paths, key=lambda use: (-use.bytes, use.path))[:_PATHS])
    return Evidence(
        incident=incident.id,
        taken_at=taken_at,
        host=incident.host,
        environment=incident.environment,
        tags=dict(sorted(incident.tags.items())),
        anomaly=anomaly,
        recent=tuple(recent[-_RECENT:]),
        related={} if sample is None else _related(sample),
        top_processes=processes,
        top_paths=paths,
        log_lines=tuple(lines),
        similar=tuple(newest_first),
        text=_text(incident, processes, paths, lines, newest_first),
    )


def _related(sample: Sample) -> Mapping[str, float]:
    return {
        f"{metric}[{subject}]" if subject else metric: value
        for (metric, subject), value in sorted(sample.values.items())
    }


def _processes(anomaly: Anomaly, sample: Sample) -> tuple[ProcessUse, ...]:
    by_memory = anomaly.series.metric in {"system.memory_percent", "system.swap_percent"}
    if _waits_for_disk(anomaly) and sample.top_io:
        ordered = sorted(sample.top_io, key=lambda use: (-use.io_bytes_per_s, use.pid))
    elif by_memory:
        ordered = sorted(sample.top_memory, key=lambda use: (-use.memory_bytes, use.pid))
    else:
        ordered = sorted(sample.top_cpu, key=lambda use: (-use.cpu_percent, use.pid))
    return tuple(ordered[:_PROCESSES])


def _waits_for_disk(anomaly: Anomaly) -> bool:
    series = anomaly.series
    return series.metric in _IO or (series.metric in _PRESSURE and series.subject == "io")


def _text(
    incident: Incident,
    processes: Sequence[ProcessUse],
    paths: Sequence[PathUse],
    lines: Sequence[LogLine],
    similar: Sequence[PastIncident],
) -> str:
    """Say it for people and for similarity of words; one fact in a line."""
    said = [
        f"On {incident.host} ({incident.environment}) {incident.anomaly.reason}.",
        f"Severity {incident.anomaly.severity.value}, found by {incident.anomaly.ground.value}.",
        *_distance(incident.anomaly),
        *_growth(incident.anomaly),
    ]
    if paths:
        said.append(f"Most of it is used by {paths[0].path} ({_size(paths[0].bytes)}).")
    if processes:
        first = processes[0]
        said.append(
            f"Top process is {first.name} (pid {first.pid}) with {first.cpu_percent:.0f} % of a "
            f"core and {_size(first.memory_bytes)}{_moving(first)}."
        )
    if similar:
        said.append(f"{len(similar)} similar incidents in 30 days; {_ended(similar[0])}.")
    if incident.tags:
        tags = ", ".join(f"{name}={value}" for name, value in sorted(incident.tags.items()))
        said.append(f"Tags: {tags}.")
    said.extend(f"Log {line.file}: {line.text}" for line in lines)
    return "\n".join(said)


def _moving(use: ProcessUse) -> str:
    moved = use.io_bytes_per_s
    return f", moving {_size(round(moved))} a second to and from disks" if moved else ""


def _distance(anomaly: Anomaly) -> list[str]:
    if anomaly.baseline is None or anomaly.sigma is None:
        return ["There is no baseline yet."]
    base = anomaly.baseline
    return [f"Baseline {base.mean:.1f} +- {base.stddev:.1f}, {anomaly.sigma:.2f} sigma away."]


def _growth(anomaly: Anomaly) -> list[str]:
    if anomaly.trend is None:
        return []
    said = f"Growth {anomaly.trend.per_hour:+.1f} an hour"
    hours = anomaly.trend.hours_to_exhaustion
    if hours is None:
        return [f"{said}."]
    soonest, latest = anomaly.trend.soonest_hours, anomaly.trend.latest_hours
    known = soonest is not None and latest is not None
    interval = f" ({soonest:.1f} to {latest:.1f})" if known else ""
    return [f"{said}; exhausted in {hours:.1f} hours{interval}."]


def _ended(past: PastIncident) -> str:
    playbook = past.playbook or "no playbook"
    return f"the last one ({past.id}) ended {past.outcome or 'open'} with {playbook}"


def _size(count: float) -> str:
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < _KIB:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= _KIB
    return f"{count:.1f} TiB"
