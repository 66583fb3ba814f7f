"""Keep the agents and the tokens with which new ones join.

Called through ports.agent_store. Of a join token only the SHA-256 is kept (`tokens`); one UPDATE
uses it up, so it enrols one agent however many ask at once. What an agent reached never goes back:
a late or repeated message leaves the highest number and the latest time.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeAlias

from sqlalchemy import Row, TextClause, bindparam, text

from sentienguard.adapters.joint_commit import JointCommit
from sentienguard.adapters.sql_store import agent_lists, codec, tokens
from sentienguard.adapters.sql_store.agent_lists import AGENTS
from sentienguard.adapters.sql_store.connections import Connections
from sentienguard.model import errors
from sentienguard.model.ids import AgentId
from sentienguard.ports.agent_store import (
    Agent,
    AgentFilter,
    AgentPage,
    Health,
    NoSuchAgent,
    Sighting,
    TokenRefused,
)

# Keep a new agent, unless its id or pin is taken.
ADD = text("""
    INSERT INTO agents
        (id, host, environment, tags, tls_pin, executor_key, enrolled_us, last_seen_us, last_seq,
         events_through, certificate_ends_us, search)
    VALUES
        (:id, :host, :environment, :tags, :tls_pin, :executor_key, :enrolled_us, :last_seen_us,
         :last_seq, :events_through, :certificate_ends_us, :search)
    ON CONFLICT DO NOTHING
""")

# One agent by its id.
GET = text(f"{AGENTS} WHERE id = :id")

# The agent whose client certificate has this key.
BY_PIN = text(f"{AGENTS} WHERE tls_pin = :tls_pin AND struck_off_us IS NULL")

# The agents whose client certificates have these keys.
BY_PINS = text(f"{AGENTS} WHERE tls_pin IN :tls_pins AND struck_off_us IS NULL").bindparams(
    bindparam("tls_pins", expanding=True)
)

# All agents that were not struck off, by host name.
LIST = text(f"{AGENTS} WHERE struck_off_us IS NULL ORDER BY host, id")

# Who is on the hosts of an environment, by host name.
HOSTS = text("""
    SELECT host, id FROM agents WHERE environment = :environment AND struck_off_us IS NULL
    ORDER BY host, id
""")

# Where there is a host of this name.
ENVIRONMENTS = text("""
    SELECT DISTINCT environment FROM agents WHERE host = :host AND struck_off_us IS NULL
""")

# The agent spoke; time and number only rise.
SEEN = text("""
    UPDATE agents
    SET last_seen_us = CASE WHEN last_seen_us > :at_us THEN last_seen_us ELSE :at_us END,
        last_seq = CASE WHEN last_seq > :seq THEN last_seq ELSE :seq END,
        root_version = CASE WHEN :root = 0 THEN root_version ELSE :root END
    WHERE id = :id
""")

# The agent's events are durable up to here; the number only rises.
EVENTS_THROUGH = text("""
    UPDATE agents
    SET events_through = CASE WHEN events_through > :through THEN events_through ELSE :through END
    WHERE id = :id
""")

# The agent has a new certificate; a late answer takes none back.
RENEWED = text("""
    UPDATE agents
    SET certificate_ends_us = CASE
        WHEN certificate_ends_us > :ends_us THEN certificate_ends_us ELSE :ends_us END
    WHERE id = :id
""")

# No order goes to the agent until it is released.
QUARANTINE = text("UPDATE agents SET quarantined = :why WHERE id = :id AND quarantined IS NULL")

# Orders go to the agent again.
RELEASE = text("UPDATE agents SET quarantined = NULL WHERE id = :id AND quarantined IS NOT NULL")

# The agent's key is refused from now on.
STRIKE_OFF = text(
    "UPDATE agents SET struck_off_us = :at_us WHERE id = :id AND struck_off_us IS NULL"
)

# Keep the hash of a join token.
ADD_TOKEN = text("""
    INSERT INTO join_tokens (token_sha256, environment, host, expires_us)
    VALUES (:token_sha256, :environment, :host, :expires_us)
    ON CONFLICT DO NOTHING
""")

# Use a join token up, where it is unused, in time and meant for this environment and host.
REDEEM = text("""
    UPDATE join_tokens SET used_us = :at_us, used_by_host = :host
    WHERE token_sha256 = :token_sha256 AND used_us IS NULL AND expires_us > :at_us
        AND environment = :environment AND (host IS NULL OR host = :host)
""")

# A join token, to say why it was refused.
TOKEN = text("SELECT * FROM join_tokens WHERE token_sha256 = :token_sha256")

_TOGETHER = 64  # sightings of several threads that share one commit, at most
# Who, when in UTC microseconds, number of its sample, version of its root.
_Sighting: TypeAlias = tuple[AgentId, int, int, int]


class SqlAgentStore:
    """Agents in the relational store; see ports.agent_store for what each method promises."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._sightings = JointCommit(self._keep_sightings, most=_TOGETHER)

    def add(self, agent: Agent) -> None:
        """Keep a new agent. Raises Rejected where its id or pin is taken."""
        with self._connections.write() as transaction:
            added = transaction.change(ADD, **_columns(agent))
        if not added:
            raise errors.Rejected(
                f"agent {agent.id} on {agent.host}: its id or the key of its certificate is taken; "
                "enrol with a new key"
            )

    def get(self, agent: AgentId) -> Agent:
        """Return one. Raises NoSuchAgent."""
        with self._connections.read() as transaction:
            row = transaction.row(GET, id=agent)
        if row is None:
            raise NoSuchAgent.called(agent)
        return _agent(row)

    def by_pin(self, tls_pin: str) -> Agent:
        """Return the one whose client certificate has this key. Raises NoSuchAgent."""
        return self._one(BY_PIN, f"certificate key {tls_pin!r}", tls_pin=tls_pin)

    def by_pins(self, tls_pins: Collection[str]) -> Mapping[str, Agent]:
        """Return those whose client certificates have these keys, by key."""
        if not tls_pins:
            return {}
        with self._connections.read() as transaction:
            rows = transaction.rows(BY_PINS, tls_pins=list(tls_pins))
        return {row.tls_pin: _agent(row) for row in rows}

    def list(self) -> Sequence[Agent]:
        """Return all, by host name."""
        with self._connections.read() as transaction:
            return tuple(_agent(row) for row in transaction.rows(LIST))

    def page(self, where: AgentFilter, *, cursor: str | None, limit: int | None) -> AgentPage:
        """Return agents in quarantine first, then by host name. Raises Rejected."""
        statement, values = agent_lists.page(where, cursor, limit)
        with self._connections.read() as transaction:
            rows = transaction.rows(statement, **values)
        agents = tuple(_agent(row) for row in rows[:limit])
        follows = len(rows) > len(agents)
        return AgentPage(agents, agent_lists.cursor_after(agents[-1]) if follows else None)

    def counts(self, where: AgentFilter) -> tuple[Mapping[Health, int], int]:
        """Return how many stand how, and how many there are. Raises Rejected."""
        statement, values = agent_lists.counts(where)
        with self._connections.read() as transaction:
            (row,) = transaction.rows(statement, **values)
        return {one: getattr(row, one.value) for one in Health}, row.every

    def hosts(self, environment: str) -> Mapping[str, AgentId]:
        """Return the agent of each host of an environment: of several the last in `list`."""
        with self._connections.read() as transaction:
            rows = transaction.rows(HOSTS, environment=environment)
        return {row.host: AgentId(row.id) for row in rows}

    def environments(self, host: str) -> frozenset[str]:
        """Return the environments that have a host of this name."""
        with self._connections.read() as transaction:
            return frozenset(row.environment for row in transaction.rows(ENVIRONMENTS, host=host))

    def seen(self, agent: AgentId, *, at: datetime, seq: int | None = None) -> None:
        """Remember that it spoke, and the highest sample number. Raises NoSuchAgent."""
        self._sightings.write((agent, codec.micros(at), 0 if seq is None else seq, 0))

    def seen_all(self, sightings: Sequence[Sighting]) -> None:
        """Remember of many that they spoke, in one commit. Raises NoSuchAgent."""
        self._keep_sightings(
            [(one.agent, codec.micros(one.at), one.seq, one.root) for one in sightings]
        )

    def events_through(self, agent: AgentId, through: int) -> None:
        """Remember how far its events are durable. Raises NoSuchAgent."""
        self._update(EVENTS_THROUGH, agent, through=through)

    def renewed(self, agent: AgentId, *, ends: datetime) -> None:
        """Remember when its newest certificate ends. Raises NoSuchAgent."""
        self._update(RENEWED, agent, ends_us=codec.micros(ends))

    def quarantine(self, agent: AgentId, *, why: str) -> bool:
        """Let no order go there; False where that held before. Raises NoSuchAgent."""
        return self._switch(QUARANTINE, agent, why=why)

    def release(self, agent: AgentId) -> bool:
        """Let orders go there again; False where they did. Raises NoSuchAgent."""
        return self._switch(RELEASE, agent)

    def strike_off(self, agent: AgentId, *, at: datetime) -> bool:
        """Refuse its key from now on; False where that held before. Raises NoSuchAgent."""
        return self._switch(STRIKE_OFF, agent, at_us=codec.micros(at))

    def add_token(
        self, token: str, *, environment: str, host: str | None, expires_at: datetime
    ) -> None:
        """Keep the hash of a join token. Raises Rejected where it was kept before."""
        with self._connections.write() as transaction:
            added = transaction.change(
                ADD_TOKEN,
                token_sha256=tokens.digest(token),
                environment=environment,
                host=host,
                expires_us=codec.micros(expires_at),
            )
        if not added:
            raise errors.Rejected("this join token was made before; make a new random one")

    def redeem_token(self, token: str, *, environment: str, host: str, at: datetime) -> None:
        """Use a join token up. Raises TokenRefused."""
        token_sha256 = tokens.digest(token)
        with self._connections.write() as transaction:
            used = transaction.change(
                REDEEM,
                token_sha256=token_sha256,
                environment=environment,
                host=host,
                at_us=codec.micros(at),
            )
            kept = None if used else transaction.row(TOKEN, token_sha256=token_sha256)
        if not used:
            raise TokenRefused(f"{_why_refused(kept, environment, at)}; ask for a new join token")

    def _one(self, statement: TextClause, wanted: str, **values: str) -> Agent:
        """Return the agent that a statement finds. Raises NoSuchAgent."""
        with self._connections.read() as transaction:
            row = transaction.row(statement, **values)
        if row is None:
            raise NoSuchAgent(f"no agent has {wanted}; enrol it, or look at the list of agents")
        return _agent(row)

    def _keep_sightings(self, sightings: Sequence[_Sighting]) -> None:
        """Keep what several threads tell at once. Raises NoSuchAgent."""
        with self._connections.write() as transaction:
            rows: list[dict[str, Any]] = [
                {"id": agent, "at_us": at_us, "seq": seq, "root": root}
                for agent, at_us, seq, root in sorted(
                    sightings
                )  # in one order, so that none deadlocks
            ]
            if transaction.change_all(SEEN, rows) == len(rows):
                return
            for row in rows:
                if not transaction.change(SEEN, **row):
                    raise NoSuchAgent.called(row["id"])

    def _switch(self, statement: TextClause, agent: AgentId, **values: int | str) -> bool:
        """Change an agent that is not so already. Raises NoSuchAgent."""
        with self._connections.write() as transaction:
            if transaction.change(statement, id=agent, **values):
                return True
            if transaction.row(GET, id=agent) is None:
                raise NoSuchAgent.called(agent)
            return False

    def _update(self, statement: TextClause, agent: AgentId, **values: int) -> None:
        """Change one agent. Raises NoSuchAgent."""
        with self._connections.write() as transaction:
            if not transaction.change(statement, id=agent, **values):
                raise NoSuchAgent.called(agent)


def _why_refused(kept: Row[Any] | None, environment: str, at: datetime) -> str:
    """Say what is wrong with a token; who asks holds the token, so this gives nothing away."""
    if kept is None:
        return "the join token is unknown"
    if kept.used_us is not None:
        return f"the join token was used at {codec.instant(kept.used_us).isoformat()}"
    if kept.expires_us <= codec.micros(at):
        return f"the join token expired at {codec.instant(kept.expires_us).isoformat()}"
    if kept.environment != environment:
        return f"the join token is for environment {kept.environment!r}, not {environment!r}"
    return f"the join token is for host {kept.host!r}"


def _columns(agent: Agent) -> dict[str, str | int | None]:
    """Return what the row of an agent holds."""
    return {
        "id": agent.id,
        "host": agent.host,
        "environment": agent.environment,
        "tags": codec.TAGS.encode(agent.tags),
        "tls_pin": agent.tls_pin,
        "executor_key": agent.executor_key,
        "enrolled_us": codec.micros(agent.enrolled_at),
        "last_seen_us": None if agent.last_seen is None else codec.micros(agent.last_seen),
        "last_seq": agent.last_seq,
        "events_through": agent.events_through,
        "certificate_ends_us": None
        if agent.certificate_ends is None
        else codec.micros(agent.certificate_ends),
        "search": agent_lists.searched(agent),
    }


def _agent(row: Sequence[Any]) -> Agent:
    """Read a row of `agent_lists.COLUMNS`."""
    # fmt: off
    (
        name, host, environment, tags, tls_pin, executor_key, enrolled_us, last_seen_us, last_seq,
        events_through, certificate_ends_us, quarantined, struck_off_us, root_version,
    ) = row
    # fmt: on
    return Agent(
        id=AgentId(name),
        host=host,
        environment=environment,
        tags=codec.TAGS.decode(tags),
        tls_pin=tls_pin,
        executor_key=executor_key,
        enrolled_at=codec.instant(enrolled_us),
        last_seen=codec.instant_or_none(last_seen_us),
        last_seq=last_seq,
        events_through=events_through,
        certificate_ends=codec.instant_or_none(certificate_ends_us),
        quarantined=quarantined or "",
        struck_off=codec.instant_or_none(struck_off_us),
        root_version=root_version or 0,
    )
