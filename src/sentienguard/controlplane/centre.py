"""What the control plane consists of, in one typed place. Made by `app.py`, read by the rest."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sentienguard.controlplane.live import Bells, Live
from sentienguard.controlplane.refusals import Refusals
from sentienguard.controlplane.settings import Settings
from sentienguard.flow import incident as flow
from sentienguard.flow.ledger import Ledger
from sentienguard.model import errors
from sentienguard.model.ids import IncidentId
from sentienguard.ports.agent_store import AgentStore
from sentienguard.ports.alert_inbox import AlertInbox
from sentienguard.ports.approval_store import ApprovalStore
from sentienguard.ports.audit_log import AuditLog
from sentienguard.ports.change_store import ChangeStore
from sentienguard.ports.chat_identities import ChatIdentities
from sentienguard.ports.clock import Clock
from sentienguard.ports.emergency_store import EmergencyStore
from sentienguard.ports.entropy import Entropy
from sentienguard.ports.episode_store import EpisodeStore
from sentienguard.ports.factor_store import FactorStore
from sentienguard.ports.incident_care import IncidentCare
from sentienguard.ports.incident_figures import IncidentFigures
from sentienguard.ports.incident_store import IncidentStore
from sentienguard.ports.metric_store import MetricStore
from sentienguard.ports.order_store import OrderStore
from sentienguard.ports.outbox import Outbox
from sentienguard.ports.outside_logs import OutsideLogs
from sentienguard.ports.people import People
from sentienguard.ports.replicas import Replicas
from sentienguard.ports.sealing import InTheClear, Sealer
from sentienguard.ports.session_store import SessionStore
from sentienguard.ports.signals import Signals
from sentienguard.ports.spell_store import SpellStore
from sentienguard.ports.switches import Switches
from sentienguard.ports.topology_store import TopologyStore
from sentienguard.ports.user_store import UserStore
from sentienguard.ports.webhook_tokens import WebhookTokens
from sentienguard.stages.audit import verify

if TYPE_CHECKING:
    from sentienguard.controlplane.anchoring import Anchoring
    from sentienguard.controlplane.baselines import Baselines
    from sentienguard.controlplane.counters import Counters
    from sentienguard.controlplane.draft_desk import DraftDesk
    from sentienguard.controlplane.drill_reports import DrillReports
    from sentienguard.controlplane.engine import Engine
    from sentienguard.controlplane.errands import Errands
    from sentienguard.controlplane.evidence_desk import EvidenceDesk
    from sentienguard.controlplane.key_care import KeyCare
    from sentienguard.controlplane.library import Library
    from sentienguard.controlplane.meanings import Meanings
    from sentienguard.controlplane.pointing_desk import PointingDesk
    from sentienguard.controlplane.trust_store import TrustStore


class Messages:
    """The way to the engine, which is made after the centre that its work needs."""

    def __init__(self) -> None:
        """Start without an engine."""
        self._engine: Engine | None = None

    def connect(self, engine: "Engine") -> None:
        """Name the engine."""
        self._engine = engine

    def engine(self) -> "Engine":
        """Return the engine. Raises Unavailable before it was named."""
        if self._engine is None:
            message = "the incident engine has not started yet; try again in a moment"
            raise errors.Unavailable(message)
        return self._engine


@dataclass(frozen=True, slots=True)
class Company:
    """The other control planes of a database that several can use."""

    replicas: Replicas  # joined
    signals: Signals
    ready: Callable[[], None]  # says that membership beats from here on


@dataclass(frozen=True, slots=True)
class Centre:
    """The parts that the control plane's own modules share."""

    settings: Settings
    clock: Clock
    entropy: Entropy
    incidents: IncidentStore
    care: IncidentCare
    figures: IncidentFigures
    episodes: EpisodeStore
    orders: OrderStore
    spells: SpellStore
    approvals: ApprovalStore
    agents: AgentStore
    users: UserStore
    people: People  # whose a pseudonym of the log is
    sessions: SessionStore
    factors: FactorStore
    emergencies: EmergencyStore
    switches: Switches
    alerts: AlertInbox
    webhook_tokens: WebhookTokens
    topology: TopologyStore
    outside_logs: OutsideLogs
    changes: ChangeStore
    outbox: Outbox  # what people are going to be told
    chat: ChatIdentities  # who is who in chat services
    metrics: MetricStore
    audit: Ledger  # the pen: what the centre itself records
    log: AuditLog  # everything that was recorded, people by name
    library: "Library"
    trust: "TrustStore"
    live: Live
    bells: Bells
    counters: "Counters"
    baselines: "Baselines"
    messages: "Messages"
    verify_log: Callable[[], verify.Report]  # the whole log as it lies in storage
    refusals: Refusals = field(default_factory=Refusals)  # which are recorded
    meanings: "Meanings | None" = None  # None: matching goes by words alone
    company: "Company | None" = None  # None: nobody else can use the database
    anchoring: "Anchoring | None" = None  # None: nobody asks what is outside
    evidence: "EvidenceDesk | None" = None  # None: no packages are made here
    errands: "Errands | None" = None  # None: no backtests and no drills are run from here
    drills: "DrillReports | None" = None  # None: nobody knows which drills there are
    keys: "KeyCare | None" = None  # None: nobody looks after keys here
    drafts: "DraftDesk | None" = None  # None: no playbooks are written from here
    pointing: "PointingDesk | None" = None  # None: no model has a part in answers
    sealer: Sealer = field(default_factory=InTheClear)  # of what is kept outside of the stores

    def begin(self, incident: IncidentId) -> None:
        """Start the life of an incident; the same one again is a no-op."""
        self.messages.engine().begin(incident)

    def tell(self, incident: IncidentId, event: flow.Event, *, key: str) -> None:
        """Tell an incident what happened; the same key again is a no-op."""
        self.messages.engine().tell(incident, event, key=key)

    @property
    def environments(self) -> tuple[str, ...]:
        """The environments that exist; any other is denied."""
        return tuple(name.strip() for name in self.settings.environments.split(",") if name.strip())
