"""What the centre's work needs of the process that does it.

Called by everything in this package that acts through ports. Offered by controlplane.centre, where
the parts are a database, files and threads, and by simulation.centre, where they are pretended and
can be lost at any moment. Whoever acts for the centre is written once, against this.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, Protocol, TypeAlias

from sentienguard.flow import incident as flow
from sentienguard.flow.ledger import Ledger
from sentienguard.model.ids import AgentId, Digest, IncidentId
from sentienguard.model.incident import Incident
from sentienguard.model.order import Order
from sentienguard.model.playbook import Playbook
from sentienguard.model.telemetry import Sample
from sentienguard.ports.agent_store import AgentStore
from sentienguard.ports.approval_store import ApprovalStore
from sentienguard.ports.audit_log import AuditLog
from sentienguard.ports.clock import Clock
from sentienguard.ports.embedder import Vector
from sentienguard.ports.episode_store import EpisodeStore
from sentienguard.ports.incident_store import IncidentStore
from sentienguard.ports.metric_store import MetricStore
from sentienguard.ports.order_store import OrderStore
from sentienguard.ports.spell_store import SpellStore
from sentienguard.ports.switches import Switches
from sentienguard.stages.decide.retrieval.shelf import Document, Vectors
from sentienguard.trust.catalogue import ProvingRecord


class Settings(Protocol):
    """The owner's lines that deciding keeps to."""

    @property
    def verified_runs_needed(self) -> int:
        """Verified successes before a playbook runs unattended."""

    @property
    def service_budget_per_hour(self) -> int:
        """Unattended starts on one host in an hour."""

    @property
    def fleet_budget_per_hour(self) -> int:
        """Unattended starts in one environment in an hour."""

    @property
    def adviser_may(self) -> str:
        """What an adviser's opinion may do: shown, restrict or choose."""

    @property
    def approval_minutes(self) -> int:
        """How long a question to people stands."""

    @property
    def two_person_risk(self) -> str:
        """Risk from which on two people have to say yes; `none`: one is enough."""


class Seals(Protocol):
    """Signs with the dispatch key."""

    @property
    def approvers_needed(self) -> int:
        """How many approvers' signatures hosts want where a playbook asks for people; 0: none."""

    def seal_order(
        self,
        wanted: Order,
        nonce: str,
        seq: int,
        approvals: Sequence[Mapping[str, Any]] = (),
    ) -> dict[str, Any]:
        """Sign an order for one poll of its agent, with what people signed for it."""

    def seal_stop(self, wanted: Order, nonce: str, seq: int, by: str) -> dict[str, Any]:
        """Sign a stop for one poll of its agent."""


class Shelved(Protocol):
    """One playbook of the library."""

    @property
    def playbook(self) -> Playbook:
        """The playbook, parsed from the bytes that were signed."""


class Library(Protocol):
    """The playbooks that the signed catalogue holds."""

    def playbooks(self) -> tuple[Playbook, ...]:
        """Return all, by name."""

    def named(self, name: str) -> Shelved | None:
        """Return the one of this name."""

    def stored(self) -> Mapping[Digest, bytes]:
        """Return the bytes of each playbook that were signed."""

    def proving(self) -> Mapping[Digest, ProvingRecord]:
        """Return the signed proving records by digest."""


class Meanings(Protocol):
    """Vectors of the library and of questions; None: matching goes by words alone."""

    @property
    def model(self) -> str:
        """What makes them, exactly."""

    def library(self, documents: tuple[Document, ...]) -> Vectors | None:
        """Return the vectors of these documents, in their order."""

    def question(self, text: str) -> Vector | None:
        """Return the vector of a question."""

    def remember(self, incident: Incident, vector: Vector) -> None:
        """Keep what an incident is about, for people who look for its like."""


ChangeKind: TypeAlias = Literal[
    "incident", "approval", "freeze", "break-glass", "host", "playbook", "user", "logins"
]  # what can change; an open page knows each of them


class Live(Protocol):
    """Tells whoever looks that something changed; nothing depends on it."""

    def changed(self, kind: ChangeKind, name: str, at: datetime) -> None:
        """Signal a change."""


class Bells(Protocol):
    """Wakes polls that wait; one that was missed costs time, never an order."""

    def ring(self, agent: str) -> None:
        """Wake the agent's poll."""


class Counters(Protocol):
    """Counts what happened."""

    def add(self, name: str, label: str = "", amount: int = 1) -> None:
        """Count."""


class Samples(Protocol):
    """What agents sent lately."""

    def recent_samples(self, agent: AgentId) -> Sequence[Sample]:
        """Return the last samples of an agent, oldest first; empty after a restart."""


class Centre(Protocol):
    """The parts that the centre's work shares."""

    @property
    def settings(self) -> Settings:
        """The owner's lines."""

    @property
    def clock(self) -> Clock:
        """The centre's time."""

    @property
    def incidents(self) -> IncidentStore:
        """Incidents and decisions."""

    @property
    def episodes(self) -> EpisodeStore:
        """Symptoms that stand."""

    @property
    def orders(self) -> OrderStore:
        """Orders from release to report."""

    @property
    def spells(self) -> SpellStore:
        """How long symptoms stood, and what was judged of recoveries."""

    @property
    def approvals(self) -> ApprovalStore:
        """Questions to people."""

    @property
    def agents(self) -> AgentStore:
        """Who the agents are."""

    @property
    def switches(self) -> Switches:
        """The kill switch and silences."""

    @property
    def metrics(self) -> MetricStore:
        """Readings."""

    @property
    def audit(self) -> Ledger:
        """The pen: what the centre itself records."""

    @property
    def log(self) -> AuditLog:
        """Everything that was recorded."""

    @property
    def library(self) -> Library:
        """The signed playbooks."""

    @property
    def meanings(self) -> Meanings | None:
        """The embedding model; None: there is none."""

    @property
    def trust(self) -> Seals:
        """The dispatch key."""

    @property
    def live(self) -> Live:
        """Change signals."""

    @property
    def bells(self) -> Bells:
        """Long polls."""

    @property
    def counters(self) -> Counters:
        """Counts."""

    @property
    def environments(self) -> tuple[str, ...]:
        """The environments that exist; any other is denied."""

    def tell(self, incident: IncidentId, event: flow.Event, *, key: str) -> None:
        """Tell an incident what happened; the same key again is a no-op."""
