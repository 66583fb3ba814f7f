"""Hand-made playbooks, anomalies and evidence for tests of deciding."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sentienguard.model import ids
from sentienguard.model.anomaly import Anomaly, Baseline, Ground, Severity, Trend
from sentienguard.model.incident import Incident
from sentienguard.model.playbook import (
    Action,
    Check,
    Parameter,
    ParamType,
    Playbook,
    Risk,
    Slots,
    Step,
    Undo,
)
from sentienguard.model.telemetry import LogLine, PathUse, ProcessUse, Sample, Series
from sentienguard.stages.decide import evidence as evidences
from sentienguard.stages.decide.facts import Circumstances, TrackRecord
from sentienguard.stages.decide.matching import Library

NOW = datetime(2026, 2, 12, 11, 26, tzinfo=UTC)
MOUNT = Parameter("mount", ParamType.MOUNTPOINT)
SERVICE = Parameter("service", ParamType.SERVICE)
PID = Parameter("pid", ParamType.PID)
CLEAR = Circumstances(frozenset({"production", "drill"}), audit_healthy=True)
TRUSTED = TrackRecord(verified=40)


def playbook(name: str, description: str = "", slots: Slots | None = None, **more: Any) -> Playbook:
    given: dict[str, Any] = {
        "version": "1.0.0",
        "digest": ids.digest(name.encode()),
        "risk": Risk.SAFE,
        "parameters": (),
        "guard": None,
        "pre_checks": (),
        "steps": (
            Step("do_it", Action("service", {}), Undo(None, "nothing is kept"), only_if=None),
        ),
        "verification": (Check("gone", "metric", {}, timedelta(seconds=5)),),
        "approval_required": False,
        "exclusions": (),
        "needs": (),
        "max_per_hour": 3,
        "idempotent": True,
        "estimated_seconds": 20,
        "metrics": (),
    }
    return Playbook(
        name=ids.PlaybookName(name),
        description=description or name.replace("_", " "),
        slots=slots or Slots(),
        **(given | more),
    )


LIBRARY = Library(
    [
        playbook(
            "disk_cleanup_rotated_logs",
            "Remove rotated logs older than seven days from a volume that is full.",
            Slots("linux", "disk", "full"),
            metrics=("system.disk_usage_percent",),
            parameters=(MOUNT, Parameter("older_than", ParamType.DURATION, default="7d")),
            exclusions=("*.vault.*",),
        ),
        playbook(
            "inode_cleanup_sessions",
            "Remove stale session files from a volume without free inodes.",
            Slots("linux", "disk", "full"),
            metrics=("system.inode_usage_percent",),
            parameters=(MOUNT,),
        ),
        playbook(
            "service_restart_hung",
            "Restart a service that runs and does not answer its health check.",
            Slots("any", "service", "hung"),
            metrics=("service.healthy",),
            parameters=(SERVICE,),
        ),
        playbook(
            "service_start_stopped",
            "Start a service that is not running.",
            Slots("any", "service", "down"),
            metrics=("service.up",),
            parameters=(SERVICE,),
        ),
        playbook(
            "zombie_parent_notify",
            "Ask the parent of zombies to collect them.",
            Slots("linux", "process", "zombie"),
            metrics=("system.zombies",),
        ),
        playbook(
            "runaway_process_renice",
            "Lower the priority of a process that uses a whole processor.",
            Slots("linux", "process", "runaway"),
            metrics=("system.cpu_percent",),
            parameters=(PID,),
        ),
        playbook(
            "postgres_connection_pool_reset",
            "Terminate idle sessions of a PostgreSQL connection pool that is exhausted.",
            Slots("postgresql", "connections", "saturated"),
        ),
        playbook(
            "mysql_connection_pool_reset",
            "Terminate idle sessions of a MySQL connection pool that is exhausted.",
            Slots("mysql", "connections", "saturated"),
        ),
    ]
)


def anomaly(metric: str, subject: str = "", value: float = 98.0, **more: Any) -> Anomaly:
    given: dict[str, Any] = {
        "severity": Severity.CRITICAL,
        "ground": Ground.LIMIT,
        "sigma": 6.63,
        "baseline": Baseline(42.3, 8.4, 42.0, 55.0, 60.0, 20_160, seasonal=True),
        "trend": Trend(3.2, 1.6),
        "reason": f"{metric}[{subject}] is {value:g}",
    }
    return Anomaly(Series("web-01", metric, subject), NOW, value, **(given | more))


def incident(found: Anomaly, **more: Any) -> Incident:
    given: dict[str, Any] = {"environment": "production", "tags": {"service": "shop"}}
    return Incident(
        id=ids.incident_id(NOW, b"\xa8\xf3\xb2\xc1"),
        agent=ids.AgentId("8f9b"),
        host=found.series.host,
        fingerprint=found.fingerprint,
        anomaly=found,
        opened_at=NOW,
        **(given | more),
    )


def sample(
    found: Anomaly,
    *,
    top_cpu: Sequence[ProcessUse] = (ProcessUse(4711, "report-gen", 99.0, 10_000_000),),
    top_paths: Mapping[str, tuple[PathUse, ...]] | None = None,
    log_lines: Sequence[LogLine] = (),
) -> Sample:
    return Sample(
        agent=ids.AgentId("8f9b"),
        host=found.series.host,
        environment="production",
        tags={},
        seq=7,
        at=NOW,
        values={(found.series.metric, found.series.subject): found.value},
        top_cpu=tuple(top_cpu),
        top_paths=top_paths or {},
        log_lines=tuple(log_lines),
    )


def evidence(metric: str, subject: str = "", *, texts: Sequence[str] = (), **more: Any) -> Any:
    found = anomaly(metric, subject)
    lines = [LogLine(NOW, "/var/log/app.log", text) for text in texts]
    paths = {subject: tuple(PathUse(text, 1000) for text in texts)} if subject else {}
    return evidences.assemble(
        incident(found, **more),
        NOW,
        sample=sample(found, log_lines=lines, top_paths=paths),
        recent=((NOW, 98.0),),
    )
