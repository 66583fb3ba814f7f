"""A verdict as plain data, for JSON, the API and the record."""

from typing import Any

from sentienguard.model import diagnosis

_DIGITS = 4  # of scores: more would be noise that a reader takes for knowledge


def document(verdict: diagnosis.Verdict) -> dict[str, Any]:
    """Give the verdict as JSON has it; docs/reference/snapshot.md names the fields."""
    return {
        "v": 1,
        "snapshot": verdict.snapshot,
        "abstained": verdict.abstained,
        "confidence": round(verdict.confidence, _DIGITS),
        "ranked": [_suspect(one) for one in verdict.ranked],
        "edges": [list(edge) for edge in verdict.edges],
        "changes": [_suspect(one) for one in verdict.changes],
        "triage": [
            {"alert": one.alert, "page": one.page, "reason": one.reason} for one in verdict.triage
        ],
    }


def _suspect(one: diagnosis.Suspect) -> dict[str, Any]:
    return {
        "object": one.object,
        "cause": one.cause,
        "score": round(one.score, _DIGITS),
        "share": round(one.share, _DIGITS),
        "path": list(one.path),
        "evidence": list(one.evidence),
        "against": list(one.against),
    }
