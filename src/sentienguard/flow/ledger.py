"""The control plane's pen for the audit log: its own entries, with defaults.

Called wherever the centre records something. `key` makes a record happen once; without one the
record stands for itself. What belongs to an incident, a question or an order is recorded `once`,
of many of them in one commit (`once_all`).
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sentienguard.model.approval import Approval
from sentienguard.model.ids import IncidentId
from sentienguard.model.incident import Incident
from sentienguard.model.order import Order
from sentienguard.ports.audit_log import Appended, AuditLog, BlobRef, EntryRefused, NewEntry
from sentienguard.ports.clock import Clock
from sentienguard.ports.entropy import Entropy

SOURCE = "cp"
SYSTEM = "sentienguard"  # the actor of what no person did


class Ledger:
    """Appends entries of the source `cp`."""

    def __init__(self, log: AuditLog, clock: Clock, entropy: Entropy) -> None:
        """Write to this log."""
        self._log = log
        self._clock = clock
        self._entropy = entropy

    def append(
        self,
        *,
        kind: str,
        env: str,
        data: Mapping[str, Any],
        actor: str = SYSTEM,
        incident: IncidentId | None = None,
        key: str = "",
        blobs: Sequence[BlobRef] = (),
    ) -> Appended:
        """Record one fact; durable when this returns. Raises AuditUnavailable, AuditBroken."""
        return self._log.append(
            NewEntry(
                kind=kind,
                at=self._clock.now(),
                environment=env,
                source=SOURCE,
                actor=actor,
                key=key or f"{kind}/{self._entropy.bytes(8).hex()}",
                incident=incident,
                data=data,
                blobs=tuple(blobs),
            )
        )

    def once_all(
        self, kind: str, key: str, facts: Sequence[tuple[Order, Mapping[str, Any]]]
    ) -> Sequence[Appended | EntryRefused]:
        """Record a fact in the life of each of these orders, as `once`, durable in one commit.

        A refused entry is answered with its error. Raises AuditUnavailable, AuditBroken.
        """
        now = self._clock.now()
        return self._log.append_many(
            [
                NewEntry(
                    kind=kind,
                    at=now,
                    environment=about.environment,
                    source=SOURCE,
                    actor=SYSTEM,
                    key=f"{about.id}/{key}",
                    incident=about.incident,
                    data=data,
                )
                for about, data in facts
            ]
        )

    def once(
        self,
        kind: str,
        about: Incident | Approval | Order,
        key: str,
        data: Mapping[str, Any],
        *,
        actor: str = SYSTEM,
        blobs: Sequence[BlobRef] = (),
    ) -> Appended:
        """Record a fact in the life of its subject, whose id makes `key` unique. As `append`.

        Recording it again, after a crash or in another process, writes nothing.
        """
        return self.append(
            kind=kind,
            env=about.environment,
            incident=about.id if isinstance(about, Incident) else about.incident,
            key=f"{about.id}/{key}",
            data=data,
            actor=actor,
            blobs=blobs,
        )

    def append_blob(self, plain: bytes, media_type: str) -> BlobRef:
        """Keep what is too long for an entry. Raises AuditUnavailable, AuditBroken."""
        return self._log.put_blob(plain, media_type)
