"""Typed identifiers and how they are made.

Time and entropy are arguments, so that a simulated run gives the same ids again. An order id is
derived from what it is for: releasing the same remedy for the same incident twice is one order.
"""

import hashlib
from datetime import datetime
from typing import NewType

AgentId = NewType("AgentId", str)  # UUID, given at enrolment; never the host name
IncidentId = NewType("IncidentId", str)  # inc_20260212_112600_a8f3b2c1
OrderId = NewType("OrderId", str)  # ord_ and 16 hex digits
ApprovalId = NewType("ApprovalId", str)  # apr_ and 16 hex digits
PlaybookName = NewType("PlaybookName", str)  # [a-z][a-z0-9_]{1,63}
Digest = NewType("Digest", str)  # sha256:<64 hex digits> of stored bytes
Fingerprint = NewType("Fingerprint", str)  # 16 hex digits: same symptom at the same place


def incident_id(opened_at: datetime, entropy: bytes) -> IncidentId:
    """Name an incident by its UTC second and four random bytes."""
    return IncidentId(f"inc_{opened_at:%Y%m%d_%H%M%S}_{entropy[:4].hex()}")


def order_id(incident: IncidentId, playbook: Digest, *, dry_run: bool) -> OrderId:
    """Name the one order that this playbook can ever have for this incident."""
    purpose = f"{incident}\n{playbook}\n{'dry' if dry_run else 'real'}"
    return OrderId(f"ord_{hashlib.sha256(purpose.encode()).hexdigest()[:16]}")


def approval_id(incident: IncidentId, playbook: Digest) -> ApprovalId:
    """Name the one approval that this playbook can ever have for this incident."""
    purpose = f"{incident}\n{playbook}"
    return ApprovalId(f"apr_{hashlib.sha256(purpose.encode()).hexdigest()[:16]}")


def fingerprint(host: str, metric: str, subject: str) -> Fingerprint:
    """Name a symptom at a place, so that its repetitions fold into one incident."""
    return Fingerprint(hashlib.sha256(f"{host}\n{metric}\n{subject}".encode()).hexdigest()[:16])


def digest(stored: bytes) -> Digest:
    """Name bytes by their SHA-256."""
    return Digest(f"sha256:{hashlib.sha256(stored).hexdigest()}")


def version_key(version: str) -> tuple[tuple[int, int | str], ...]:
    """Order versions: numbers as numbers, 1.10.0 after 1.9.0; anything else as text before them."""
    return tuple((1, int(part)) if part.isdigit() else (0, part) for part in version.split("."))
