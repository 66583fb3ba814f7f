"""A notice as the text that the outbox keeps."""

import hashlib
import json
from datetime import datetime
from typing import Any

from sentienguard.model import errors
from sentienguard.model.anomaly import Severity
from sentienguard.model.ids import ApprovalId, Digest, IncidentId
from sentienguard.model.notice import Notice, NoticeKind, Question


class NotANotice(errors.Broken):
    """A kept text is no notice that this release wrote."""


def write(notice: Notice) -> str:
    """Return the notice as JSON."""
    asked = notice.question
    question = None
    if asked is not None:
        question = {
            "approval": asked.approval,
            "digest": asked.digest,
            "playbook": asked.playbook,
            "expires_at": asked.expires_at.isoformat(),
            "needs_signature": asked.needs_signature,
        }
    return json.dumps(
        {
            "kind": notice.kind.value,
            "incident": notice.incident,
            "environment": notice.environment,
            "host": notice.host,
            "severity": notice.severity.value,
            "title": notice.title,
            "lines": list(notice.lines),
            "at": notice.at.isoformat(),
            "page": notice.page,
            "question": question,
            "over": notice.over,
            "facts": dict(notice.facts or {}),
        },
        ensure_ascii=False,
    )


def read(text: str) -> Notice:
    """Return what `write` wrote. Raises NotANotice."""
    try:
        found: dict[str, Any] = json.loads(text)
        asked = found["question"]
        question = None
        if asked is not None:
            question = Question(
                approval=ApprovalId(asked["approval"]),
                digest=Digest(asked["digest"]),
                playbook=asked["playbook"],
                expires_at=datetime.fromisoformat(asked["expires_at"]),
                needs_signature=bool(asked["needs_signature"]),
            )
        return Notice(
            kind=NoticeKind(found["kind"]),
            incident=IncidentId(found["incident"]),
            environment=found["environment"],
            host=found["host"],
            severity=Severity(found["severity"]),
            title=found["title"],
            lines=tuple(found["lines"]),
            at=datetime.fromisoformat(found["at"]),
            page=found["page"],
            question=question,
            over=bool(found["over"]),
            facts=found["facts"],
        )
    except (ValueError, KeyError, TypeError) as cause:
        raise NotANotice(f"a kept notice cannot be read: {cause}; it is left out") from cause


def name(*parts: str) -> str:
    """Return the id of a message: the same cause for the same channel is the same message."""
    return f"msg_{hashlib.sha256(chr(10).join(parts).encode()).hexdigest()[:24]}"
