"""How long one symptom stood at one place, and who did what about it meanwhile."""

from dataclasses import dataclass
from datetime import datetime

from sentienguard.model.ids import AgentId, Digest, Fingerprint, IncidentId, OrderId
from sentienguard.model.target import TargetKind


@dataclass(frozen=True, slots=True)
class Spell:
    """One episode as the record of outcomes sees it."""

    incident: IncidentId
    agent: AgentId
    fingerprint: Fingerprint
    metric: str  # of the reading that opened it
    subject: str
    kind: TargetKind
    started_at: datetime
    ended_at: datetime | None  # when the symptom was gone; None: it stands, as far as is known
    remedied_at: datetime | None = None  # when a remedy of ours was released there; None: never
    people_at: datetime | None = None  # when it was handed to people or they closed it; None: never
    order: OrderId | None = None  # of that remedy
    playbook: Digest | None = None  # that it ran
    counts: bool | None = None  # what was judged of its recovery; None: nothing was
