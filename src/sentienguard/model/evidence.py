"""What was known when a decision was made. Frozen then, so that the decision can be replayed."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sentienguard.model.anomaly import Anomaly
from sentienguard.model.diagnosis import Verdict
from sentienguard.model.ids import Digest, IncidentId
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
    changes: tuple["Changed", ...] = ()  # around the incident before the decision, newest first
    diagnosis: "Diagnosis | None" = None  # what it comes from; None: nobody looked


@dataclass(frozen=True, slots=True)
class Changed:
    """Something that somebody changed, and told us of. Untrusted text, redacted."""

    id: str
    at: datetime
    service: str  # that was changed; "" if nobody said
    kind: str  # deploy, commit, flag, config, scale, event
    version: str  # "" if nobody said
    by: str  # "" if nobody said
    summary: str


@dataclass(frozen=True, slots=True)
class Blame:
    """Where measurements alone put the cause; no text has a part in it."""

    object: str  # as the snapshot names it
    hosts: tuple[str, ...]  # that it runs on; empty: none that is known here
    confidence: float  # 0..1
    is_here: bool  # it is what a remedy on the incident's host can reach


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What the incident comes from, as the engine said from a snapshot of its surroundings."""

    snapshot: Digest | None  # of the bytes that it was made from; None: there was none
    verdict: Verdict | None  # None: nobody could be asked
    blame: Blame | None  # None: measurements alone blame nobody
    absent: str = ""  # why there is no verdict
    left_out: tuple[str, ...] = ()  # what was beyond a limit, or did not come in time


@dataclass(frozen=True, slots=True)
class PastIncident:
    """How an earlier incident of the same kind ended."""

    id: IncidentId
    opened_at: datetime
    playbook: str | None
    outcome: str | None
