"""Nouns for the cases of the stores: complete, with every optional part filled in."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from sentienguard.model import ids
from sentienguard.model.anomaly import Anomaly, Baseline, Ground, Severity, Trend
from sentienguard.model.approval import Approval
from sentienguard.model.decision import (
    Candidate,
    Confidence,
    Decision,
    Route,
    ScoreItem,
    Verdict,
)
from sentienguard.model.evidence import Evidence, PastIncident
from sentienguard.model.incident import Incident
from sentienguard.model.order import (
    ExecutionOutcome,
    ExecutionReport,
    Order,
    Phase,
    StepRecord,
    StepStatus,
)
from sentienguard.model.telemetry import LogLine, PathUse, ProcessUse, Series
from sentienguard.ports.agent_store import Agent

NOW = datetime(2026, 2, 12, 11, 26, 0, 123456, tzinfo=UTC)
AGENT = ids.AgentId("8f14e45f-ceea-467f-a1d1-2b7a5f0c9e11")
DIGEST = ids.digest(b"playbook")
CLEAN_DISK = ids.PlaybookName("clean_disk")


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def anomaly(*, host: str = "web-1", subject: str = "/var") -> Anomaly:
    return Anomaly(
        series=Series(host, "system.disk_usage_percent", subject),
        at=NOW,
        value=94.8,
        severity=Severity.CRITICAL,
        ground=Ground.LIMIT,
        sigma=6.1,
        baseline=Baseline(61.2, 5.5, 61.0, 69.9, 72.5, 20_160, seasonal=True),
        trend=Trend(2.5, 2.08),
        reason="/var is 94.8 % full — 日本語, 5 times its usual growth",
    )


def incident(number: int = 1, *, host: str = "web-1", subject: str = "/var") -> Incident:
    opened_at = later(number)
    found = anomaly(host=host, subject=subject)
    return Incident(
        id=ids.incident_id(opened_at, number.to_bytes(4, "big")),
        agent=AGENT,
        host=host,
        environment="production",
        tags={"role": "web", "team": "Ärzte"},
        fingerprint=found.fingerprint,
        anomaly=found,
        opened_at=opened_at,
        summary="disk fills up",
        earlier=(ids.IncidentId("inc_20260101_000000_00000000"),),
    )


def decision(of: Incident, *, playbook: ids.PlaybookName | None = CLEAN_DISK) -> Decision:
    items = (ScoreItem("slots", 1.0, "system, resource and symptom match"),)
    return Decision(
        incident=of.id,
        at=later(60),
        route=Route.ASK,
        playbook=playbook,
        version="1.2.0",
        digest=DIGEST,
        parameters={"mount": "/var"},
        confidence=Confidence(0.91, 0.83, 0.96, items),
        candidates=(Candidate(CLEAN_DISK, "1.2.0", DIGEST, 0.93, items),),
        verdicts=(
            Verdict("risk", Route.ASK, "the playbook deletes files"),
            Verdict("freeze", Route.RUN, "no freeze stands"),
        ),
        evidence=Evidence(
            incident=of.id,
            taken_at=later(59),
            host=of.host,
            environment=of.environment,
            tags=of.tags,
            anomaly=of.anomaly,
            recent=((NOW, 94.1), (later(30), 94.8)),
            related={"system.cpu_percent[]": 42.3},
            top_processes=(ProcessUse(4711, "postgres", 12.5, 1 << 33),),
            top_paths=(PathUse("/var/log/app.log.1", 6 << 30, 1e6),),
            log_lines=(LogLine(NOW, "/var/log/syslog", 'No space left on device "\u0000'),),
            similar=(PastIncident(of.id, NOW, "clean_disk", "resolved"),),
            text="disk of web-1 is full",
        ),
    )


def order(number: int = 1, *, agent: ids.AgentId = AGENT) -> Order:
    incident_id = incident(number).id
    return Order(
        id=ids.order_id(incident_id, DIGEST, dry_run=False),
        incident=incident_id,
        agent=agent,
        environment="production",
        playbook=CLEAN_DISK,
        version="1.2.0",
        digest=DIGEST,
        parameters={"mount": "/var"},
        facts={"anomaly_sigma": "6.1", "tag.role": "web"},
        dry_run=False,
        created_at=later(number),
        deadline_s=900,
    )


def report(of: Order, *, outcome: ExecutionOutcome = ExecutionOutcome.SUCCESS) -> ExecutionReport:
    return ExecutionReport(
        order=of.id,
        incident=of.incident,
        outcome=outcome,
        reason="94.8 % -> 61.0 %",
        records=(
            StepRecord(
                Phase.STEP, "rotate", StepStatus.SUCCESS, "6 files", later(70), 1500, 0, "ok\n", ""
            ),
        ),
        left_behind=("compress",),
        started_at=later(70),
        finished_at=later(80),
    )


def approval(number: int = 1) -> Approval:
    incident_id = incident(number).id
    return Approval(
        id=ids.approval_id(incident_id, DIGEST),
        incident=incident_id,
        environment="production",
        playbook=CLEAN_DISK,
        digest=DIGEST,
        question="Delete rotated logs older than 7 days on web-1?",
        reason="the playbook deletes files",
        opened_at=later(number),
        expires_at=later(number + 1800),
    )


def agent(number: int = 1) -> Agent:
    return Agent(
        id=ids.AgentId(f"00000000-0000-4000-8000-{number:012d}"),
        host=f"web-{number}",
        environment="production",
        tags={"role": "web"},
        tls_pin=f"{number:064x}",
        executor_key="MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI=",
        enrolled_at=NOW,
    )


def moved_in_time(given: Incident, seconds: float) -> Incident:
    """The same symptom, at another time and under another id."""
    opened_at = given.opened_at + timedelta(seconds=seconds)
    entropy = int(seconds * 1000).to_bytes(4, "big", signed=True)
    return replace(given, id=ids.incident_id(opened_at, entropy), opened_at=opened_at)
