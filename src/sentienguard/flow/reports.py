"""What the audit log says about one incident: the host's steps, and the complete record.

Called by the API and by receipts. The log is the only source: nothing is remembered elsewhere.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from sentienguard.model.ids import IncidentId, OrderId
from sentienguard.model.order import Phase, StepRecord, StepStatus
from sentienguard.ports import audit_log
from sentienguard.stages.audit import checkpoint
from sentienguard.stages.audit import record as records

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST_MS = 10**14

PHASE_OF_KIND = {
    "precheck.done": Phase.PRE_CHECK,
    "step.done": Phase.STEP,
    "verify.done": Phase.VERIFY,
    "undo.done": Phase.UNDO,
}


def steps(
    log: audit_log.AuditLog, incident: IncidentId, order: OrderId | None = None
) -> tuple[StepRecord, ...]:
    """Return what the host reported of each pre-check, step, verification and undo, in order.

    Of one order where it is named; an incident whose host ruled a remedy out has several.
    """
    return tuple(
        _step(log, PHASE_OF_KIND[fields["kind"]], fields["data"])
        for fields in records.believed(log.by_incident(incident))
        if fields["kind"] in PHASE_OF_KIND
        and (order is None or fields["data"].get("order_id") == order)
    )


def record(log: audit_log.AuditLog, incident: IncidentId) -> dict[str, Any]:
    """Render the incident record. Raises NoSuchEntry where the log holds nothing about it."""
    entries = log.by_incident(incident)
    last = entries[-1].index if entries else 0
    before = log.entry(last - 1) if last else None
    proof = log.prove(last) if entries else None
    blobs = {
        blob["sha256"]: _text(log, blob["sha256"])
        for entry in entries
        for blob in entry.fields["blobs"]
        if blob["type"] == "text/plain"
    }
    commitment = records.Commitment(
        checkpoint=proof.checkpoint if proof else None,
        cosigned_by=tuple(name for name, _ in cosigners(log.cosigned())),
        previous_hash=log.prove(before.index).leaf_hash if before else None,
    )
    return records.render(entries, commitment, blobs=blobs)


def cosigners(note: str | None) -> tuple[tuple[str, datetime], ...]:
    """Return who co-signed a kept checkpoint and when; the log keeps valid co-signatures only."""
    if note is None:
        return ()
    read = checkpoint.read_note(note)
    origin = checkpoint.read_text(read.text).origin
    return tuple(
        (one.name, datetime.fromtimestamp(int.from_bytes(one.body[:8], "big"), UTC))
        for one in read.signatures
        if one.name != origin
    )


def _step(log: audit_log.AuditLog, phase: Phase, data: dict[str, Any]) -> StepRecord:
    """Read what a host said; what is not understood is shown as failed, never an error here."""
    exit_code = data.get("exit_code")
    return StepRecord(
        phase=phase,
        name=str(data.get("name", "")),
        status=_status(data.get("status")),
        detail=str(data.get("detail", "")),
        started_at=_EPOCH + timedelta(milliseconds=_count(data.get("started_ms"))),
        duration_ms=_count(data.get("duration_ms")),
        exit_code=exit_code if isinstance(exit_code, int) else None,
        stdout=_text(log, str(data["stdout"])) if "stdout" in data else "",
        stderr=_text(log, str(data["stderr"])) if "stderr" in data else "",
    )


def _status(said: Any) -> StepStatus:
    try:
        return StepStatus(said)
    except ValueError:
        return StepStatus.FAILED


def _count(said: Any) -> int:
    """Return a host's milliseconds, at most those of the year 5138."""
    fine = isinstance(said, int) and 0 <= said <= _LATEST_MS
    return said if fine else 0


def _text(log: audit_log.AuditLog, sha256: str) -> str:
    try:
        return log.get_blob(sha256).decode(errors="replace")
    except audit_log.BlobErased:
        return "(erased)"
    except audit_log.NoSuchBlob:
        return "(never sent)"
