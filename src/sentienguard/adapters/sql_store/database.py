"""Open a database, bring its tables up to date and offer its stores.

Called by the composition roots.
"""

import pathlib
import threading

import sqlalchemy

from sentienguard.adapters.sql_store.agents import SqlAgentStore
from sentienguard.adapters.sql_store.alerts import SqlAlertInbox
from sentienguard.adapters.sql_store.approvals import SqlApprovalStore
from sentienguard.adapters.sql_store.audit import SqlAuditStorage
from sentienguard.adapters.sql_store.changes import SqlChangeStore
from sentienguard.adapters.sql_store.chat_identities import SqlChatIdentities
from sentienguard.adapters.sql_store.connections import Connections, Transaction
from sentienguard.adapters.sql_store.data_keys import DataKeys
from sentienguard.adapters.sql_store.drafts import SqlDraftStore
from sentienguard.adapters.sql_store.emergencies import SqlEmergencyStore
from sentienguard.adapters.sql_store.episodes import SqlEpisodeStore
from sentienguard.adapters.sql_store.factors import SqlFactorStore
from sentienguard.adapters.sql_store.incident_care import SqlIncidentCare
from sentienguard.adapters.sql_store.incident_figures import SqlIncidentFigures
from sentienguard.adapters.sql_store.incidents import SqlIncidentStore
from sentienguard.adapters.sql_store.orders import SqlOrderStore
from sentienguard.adapters.sql_store.outbox import SqlOutbox
from sentienguard.adapters.sql_store.outside_logs import SqlOutsideLogs
from sentienguard.adapters.sql_store.people import SqlPeople
from sentienguard.adapters.sql_store.profiles import SqlProfileStore
from sentienguard.adapters.sql_store.replicas import SqlReplicas
from sentienguard.adapters.sql_store.sessions import SqlSessionStore
from sentienguard.adapters.sql_store.signals import SqlSignals
from sentienguard.adapters.sql_store.spells import SqlSpellStore
from sentienguard.adapters.sql_store.switches import SqlSwitches
from sentienguard.adapters.sql_store.topology import SqlTopologyStore
from sentienguard.adapters.sql_store.users import SqlUserStore
from sentienguard.adapters.sql_store.vectors import SqlVectorStore
from sentienguard.adapters.sql_store.webhook_tokens import SqlWebhookTokens
from sentienguard.adapters.sql_store.workflow_records import WorkflowRecords
from sentienguard.model import errors
from sentienguard.ports.agent_store import AgentStore
from sentienguard.ports.alert_inbox import AlertInbox
from sentienguard.ports.approval_store import ApprovalStore
from sentienguard.ports.audit_storage import AuditStorage
from sentienguard.ports.change_store import ChangeStore
from sentienguard.ports.chat_identities import ChatIdentities
from sentienguard.ports.draft_store import DraftStore
from sentienguard.ports.emergency_store import EmergencyStore
from sentienguard.ports.episode_store import EpisodeStore
from sentienguard.ports.factor_store import FactorStore
from sentienguard.ports.incident_care import IncidentCare
from sentienguard.ports.incident_figures import IncidentFigures
from sentienguard.ports.incident_store import IncidentStore
from sentienguard.ports.key_keeper import KeyKeeper
from sentienguard.ports.order_store import OrderStore
from sentienguard.ports.outbox import Outbox
from sentienguard.ports.outside_logs import OutsideLogs
from sentienguard.ports.people import People
from sentienguard.ports.profile_store import ProfileStore
from sentienguard.ports.replicas import Replicas
from sentienguard.ports.session_store import SessionStore
from sentienguard.ports.signals import Signals
from sentienguard.ports.spell_store import SpellStore
from sentienguard.ports.switches import Switches
from sentienguard.ports.topology_store import TopologyStore
from sentienguard.ports.user_store import UserStore
from sentienguard.ports.vector_store import VectorStore
from sentienguard.ports.webhook_tokens import WebhookTokens

MIGRATIONS = pathlib.Path(__file__).parent / "migrations"
REVISION = sqlalchemy.text("SELECT version_num FROM alembic_version")

_one_at_a_time = threading.Lock()  # Alembic keeps its context in a module

# Several control planes may start at once; the number is arbitrary and ours alone.
WAIT_FOR_OTHER_MIGRATIONS = sqlalchemy.text("SELECT pg_advisory_xact_lock(7311806257201914)")


class Database:
    """All stores of one database; safe to use from many threads."""

    incidents: IncidentStore  # with their decisions
    care: IncidentCare  # who looks after incidents
    figures: IncidentFigures  # how incidents ended, counted
    episodes: EpisodeStore  # with what the detectors remember
    orders: OrderStore  # with the message numbers of each agent
    spells: SpellStore  # how long symptoms stood, and what was judged of recoveries
    approvals: ApprovalStore
    agents: AgentStore  # with the tokens that let new ones join
    users: UserStore
    people: People  # whose a pseudonym of the log is
    sessions: SessionStore  # logins, and tokens that only read
    factors: FactorStore  # second factors of people
    emergencies: EmergencyStore  # rights for minutes that two people gave
    switches: Switches
    alerts: AlertInbox
    webhook_tokens: WebhookTokens
    topology: TopologyStore  # as traces of other systems tell
    outside_logs: OutsideLogs  # of other systems
    changes: ChangeStore  # that people and pipelines made
    audit: AuditStorage  # of a log that several control planes share
    profiles: ProfileStore  # what they learned of hosts
    outbox: Outbox  # what people are going to be told
    chat: ChatIdentities  # who is who in chat services
    drafts: DraftStore  # of playbooks, and what proofs showed
    data_keys: DataKeys  # that seal secrets and personal values of the others

    def __init__(self, connections: Connections, keys: DataKeys) -> None:
        self._connections = connections
        self.data_keys = keys
        self.incidents = SqlIncidentStore(connections, keys)
        self.care = SqlIncidentCare(connections, keys)
        self.figures = SqlIncidentFigures(connections)
        self.episodes = SqlEpisodeStore(connections)
        self.orders = SqlOrderStore(connections, keys)
        self.spells = SqlSpellStore(connections)
        self.approvals = SqlApprovalStore(connections, keys)
        self.agents = SqlAgentStore(connections)
        self.users = SqlUserStore(connections, keys)
        self.people = SqlPeople(connections, keys)
        self.sessions = SqlSessionStore(connections, keys)
        self.factors = SqlFactorStore(connections, keys)
        self.emergencies = SqlEmergencyStore(connections, keys)
        self.switches = SqlSwitches(connections, keys)
        self.alerts = SqlAlertInbox(connections, keys)
        self.webhook_tokens = SqlWebhookTokens(connections, keys)
        self.topology = SqlTopologyStore(connections)
        self.outside_logs = SqlOutsideLogs(connections, keys)
        self.changes = SqlChangeStore(connections, keys)
        self.audit = SqlAuditStorage(connections, keys)
        self.profiles = SqlProfileStore(connections)
        self.outbox = SqlOutbox(connections, keys)
        self.chat = SqlChatIdentities(connections)
        self.drafts = SqlDraftStore(connections, keys)

    @property
    def is_shared(self) -> bool:
        """Tell whether several control planes can use it at once."""
        return self._connections.dialect == "postgresql"

    def replicas(self, name: str) -> Replicas:
        """Return the replicas of this database as the one of this id sees them."""
        return SqlReplicas(self._connections, name)

    def signals(self, name: str) -> Signals:
        """Return the signals between the replicas of this database for the one of this id."""
        return SqlSignals(self._connections, name)

    def vectors(self) -> VectorStore:
        """Return what keeps vectors. Raises ports.vector_store.NoVectors where it cannot."""
        return SqlVectorStore(self._connections)

    def close(self) -> None:
        """Give all connections back; every later use of a store raises Broken."""
        self._connections.close()


def open_database(
    url: str, keeper: KeyKeeper | None = None, *, workflows: pathlib.Path | None = None
) -> Database:
    """Open the database and bring its tables up to date.

    Args:
        url: `sqlite:///FILE` (made with mode 0600 where it is missing; its directory has to be
            there) or `postgresql://USER:PASSWORD@HOST:PORT/NAME`.
        keeper: wraps the keys under which secrets and personal values are sealed; a control plane
            always has one. None seals nothing, and opens nothing that is sealed.
        workflows: the file with the records of the workflows, beside a SQLite file; in PostgreSQL
            they have a schema of the same database. Their texts go under the same keys.

    Raises Rejected (URL), Unavailable (no answer, full, locked), Broken (damaged, not permitted, or
    written by a newer release, sealed by another keeper). After any of them nothing is left open.
    """
    connections = Connections(url)
    try:
        _migrate(connections)
        keys = DataKeys(connections, keeper, beside=[WorkflowRecords(connections, workflows)])
        keys.begin()
    except BaseException:
        connections.close()
        raise
    return Database(connections, keys)


def newest() -> str:
    """Return the revision of this release; migrations are numbered in their order."""
    return max(path.name[1:5] for path in (MIGRATIONS / "versions").glob("v[0-9]*.py"))


def _migrate(connections: Connections) -> None:
    """Run the migrations that this database has not seen, all of them or none."""
    with connections.read() as transaction:
        if _revision(transaction) == newest():
            return
    # Loaded by who migrates alone, and before the transaction, which may not stand still.
    import alembic.command  # noqa: PLC0415
    import alembic.config  # noqa: PLC0415
    import alembic.util  # noqa: PLC0415

    settings = alembic.config.Config()
    settings.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    settings.set_main_option("path_separator", "os")
    with _one_at_a_time, connections.write() as transaction:
        if connections.dialect == "postgresql":
            transaction.row(WAIT_FOR_OTHER_MIGRATIONS)
        settings.attributes["connection"] = transaction.connection
        try:
            alembic.command.upgrade(settings, "head")
        except alembic.util.CommandError as error:
            raise errors.Broken(
                f"database {connections.place} has tables that this release does not know "
                f"({error}); start the newer release that wrote it, or restore a backup"
            ) from error


def _revision(transaction: Transaction) -> str | None:
    """Return where this database stands; None where it has no tables of ours."""
    if not sqlalchemy.inspect(transaction.connection).has_table("alembic_version"):
        return None
    row = transaction.row(REVISION)
    return None if row is None else str(row[0])
