"""What was known when a decision was made. Frozen then, so that the decision can be replayed."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sentienguard.model.anomaly import Anomaly
from sentienguard.model.ids import IncidentId
from sentienguard.model.telemetry import LogLine, PathUse, ProcessUse


@dataclass(frozen=True, slots=True)
class Evidence:
    """A structured snapshot of one host around one anomaly, and the same in words."""

    incident: IncidentId
    taken_at: datetime
    host: str
    environment: str
    tags: Mapping[str, str]
    anomaly: Anomaly
    recent: tuple[tuple[datetime, float], ...]  # the anomalous series before the decision
    related: Mapping[str, float]  # "metric[subject]" -> latest value on the same host
    top_processes: tuple[ProcessUse, ...]
    top_paths: tuple[PathUse, ...]  # on the anomalous volume, biggest first
    log_lines: tuple[LogLine, ...]  # redacted, newest last, untrusted text
    similar: tuple["PastIncident", ...]  # same symptom, last 30 days, newest first
    text: str  # the snapshot in natural language, for matching


@dataclass(frozen=True, slots=True)
class PastIncident:
    """How an earlier incident of the same kind ended."""

    id: IncidentId
    opened_at: datetime
    playbook: str | None
    outcome: str | None
