"""Time from a sample to a decision: judge 170 values, take evidence, match 60 playbooks, policy.

Limits of the figures: one thread on an otherwise busy machine, baselines in memory as in service.
"""

import statistics
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from benchmarks import order_latency
from sentienguard.model import ids
from sentienguard.model.anomaly import Anomaly, Baseline, Ground, Severity
from sentienguard.model.evidence import Evidence
from sentienguard.model.incident import Incident
from sentienguard.model.playbook import (
    Action,
    Parameter,
    ParamType,
    Playbook,
    Risk,
    Slots,
    Step,
    Undo,
)
from sentienguard.model.telemetry import LogLine, Sample, Series
from sentienguard.stages.decide import evidence
from sentienguard.stages.decide.decide import decide
from sentienguard.stages.decide.facts import Circumstances, TrackRecord
from sentienguard.stages.decide.matching import Library
from sentienguard.stages.decide.settings import DecideSettings
from sentienguard.stages.detect.detector import Detector
from sentienguard.stages.detect.settings import DetectSettings

_START = datetime(2026, 2, 12, tzinfo=UTC)
_VALUES = 170  # readings in the sample of an ordinary host
_PLAYBOOKS = 60
_NORMAL = Baseline(40.0, 8.0, 40.0, 52.0, 58.0, 1000, seasonal=True)
_RESOURCES = ("disk", "memory", "cpu", "process", "service", "connections")
_SYMPTOMS = ("full", "leak", "runaway", "zombie", "hung", "saturated")


def run(options: Mapping[str, Any]) -> dict[str, Any]:
    """Measure; option `rounds` (200) says how often. Times are in milliseconds."""
    rounds = int(options.get("rounds") or 200)
    return {
        "judge_170_values_ms": _spread(_judging(anomalous=False), rounds),
        "judge_and_decide_60_playbooks_ms": _spread(_judging(anomalous=True), rounds),
        "sample_to_order_on_host": order_latency.measure(min(rounds, 200)),
        "rounds": rounds,
        "playbooks": _PLAYBOOKS,
        "values": _VALUES,
    }


def _judging(*, anomalous: bool) -> Callable[[int], float]:
    detector, library = (
        Detector(DetectSettings()),
        Library([playbook(n) for n in range(_PLAYBOOKS)]),
    )
    rng = np.random.default_rng(7)
    rounds_values = np.round(40 + rng.normal(0, 3, (16, _VALUES)), 1).tolist()
    known: dict[Series, Baseline] = {}

    def read(series: Series) -> Baseline | None:
        return known.setdefault(series, _NORMAL)

    def once(number: int) -> float:
        sample = _sample(number, rounds_values[number % 16], full=anomalous and number % 3 == 0)
        began = time.perf_counter()
        judged = detector.judge(sample, read, lambda _: ())
        for anomaly in judged.anomalies:
            opened = Incident(
                ids.incident_id(sample.at, number.to_bytes(4)),
                sample.agent,
                sample.host,
                sample.environment,
                sample.tags,
                anomaly.fingerprint,
                anomaly,
                sample.at,
            )
            known = evidence.assemble(opened, sample.at, sample=sample)
            decision = decide(known, library, record, CLEAR, DecideSettings())
            assert decision.playbook == "remedy_00"
        took = (time.perf_counter() - began) * 1000
        return took if bool(judged.anomalies) == anomalous else float("nan")

    return once


def taken(metric: str, number: int) -> Evidence:
    """Return evidence of a metric that no playbook declares; also for benchmarks.matching_speed."""
    anomaly = Anomaly(
        Series("bench-01", metric, ""),
        _START,
        98.0,
        severity=Severity.CRITICAL,
        ground=Ground.LIMIT,
        sigma=6.6,
        baseline=_NORMAL,
        trend=None,
        reason=f"{metric} is 98",
    )
    opened = Incident(
        ids.incident_id(_START, number.to_bytes(4)),
        ids.AgentId("bench"),
        "bench-01",
        "production",
        {"service": "shop"},
        anomaly.fingerprint,
        anomaly,
        _START,
    )
    return evidence.assemble(opened, _START, sample=None)


CLEAR = Circumstances(frozenset({"production"}), audit_healthy=True)


def record(_: Playbook) -> TrackRecord:
    """Answer that every playbook has earned its trust."""
    return TrackRecord(verified=40)


def _sample(number: int, values: list[float], *, full: bool) -> Sample:
    readings = {(f"app.queue_{index}_percent", ""): value for index, value in enumerate(values[1:])}
    readings["system.disk_usage_percent", "/var"] = 97.0 if full else values[0]
    return Sample(
        agent=ids.AgentId("bench"),
        host="bench-01",
        environment="production",
        tags={"service": "shop"},
        seq=number,
        at=_START + timedelta(seconds=30 * number),
        values=readings,
        log_lines=tuple(
            LogLine(_START, "/var/log/app.log", f"write failed: no space left on device ({line})")
            for line in range(20)
        ),
    )


def playbook(number: int) -> Playbook:
    """Return one of many playbooks that are much alike."""
    resource, symptom = _RESOURCES[number % 6], _SYMPTOMS[(number // 6) % 6]
    name = f"remedy_{number:02d}"
    return Playbook(
        name=ids.PlaybookName(name),
        version="1.0.0",
        digest=ids.digest(name.encode()),
        description=f"Bring a {resource} that is {symptom} back to normal, by measure {number}.",
        slots=Slots("linux", resource, symptom),
        risk=Risk.SAFE,
        parameters=(Parameter("mount", ParamType.MOUNTPOINT),) if number == 0 else (),
        guard=None,
        pre_checks=(),
        steps=(Step("act", Action("service", {}), Undo(None, "nothing to undo")),),
        verification=(),
        approval_required=False,
        exclusions=(),
        needs=(),
        max_per_hour=3,
        idempotent=True,
        estimated_seconds=10,
        metrics=("system.disk_usage_percent",) if number == 0 else (),
    )


def _spread(once: Callable[[int], float], rounds: int) -> dict[str, float]:
    times = [once(number) for number in range(3 * rounds)][20:]  # the first ones fill the caches
    kept = sorted(value for value in times if value == value)  # noqa: PLR0124  leaves NaN out
    return {
        "p50": round(statistics.median(kept), 3),
        "p99": round(kept[min(len(kept) - 1, int(len(kept) * 0.99))], 3),
    }
