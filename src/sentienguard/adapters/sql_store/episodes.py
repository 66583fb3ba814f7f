"""Keep which symptoms stand, the sample that showed each first, and what detectors remember.

Called through ports.episode_store.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime

from sqlalchemy import text

from sentienguard.adapters.sql_store import codec
from sentienguard.adapters.sql_store.connections import Connections
from sentienguard.model.ids import AgentId, Fingerprint, IncidentId
from sentienguard.ports.episode_store import Episode

# Keep a new episode; the same incident again changes nothing.
START = text("""
    INSERT INTO episodes (incident, agent, fingerprint, started_us, sample)
    VALUES (:incident, :agent, :fingerprint, :started_us, :sample)
    ON CONFLICT (incident) DO NOTHING
""")

# The symptom is gone; the first time counts.
CLEAR = text("""
    UPDATE episodes SET cleared_us = :at_us WHERE incident = :incident AND cleared_us IS NULL
""")

# What stands on an agent's host, oldest first.
STANDING = text("""
    SELECT * FROM episodes WHERE agent = :agent AND cleared_us IS NULL
    ORDER BY started_us, incident
""")

# The sample that showed the symptom of an incident first.
SAMPLE_OF = text("SELECT sample FROM episodes WHERE incident = :incident")

# Keep what the detector remembers of an agent.
SAVE_STATE = text("""
    INSERT INTO detector_states (agent, state) VALUES (:agent, :state)
    ON CONFLICT (agent) DO UPDATE SET state = excluded.state
""")

# What the detector remembered last.
STATE = text("SELECT state FROM detector_states WHERE agent = :agent")

# The turn to tell of silent hosts, until the transaction ends; the number is ours alone.
ROLL_CALL = text("SELECT pg_try_advisory_xact_lock(7311806257201921) AS mine")

_MISSED = AgentId("")  # the row of what is remembered of no agent in particular: who is missed


class SqlEpisodeStore:
    """Episodes in the relational store; see ports.episode_store for what each method promises."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def start(self, episode: Episode) -> None:
        """Keep a new one; the same incident again changes nothing."""
        with self._connections.write() as transaction:
            transaction.change(
                START,
                incident=episode.incident,
                agent=episode.agent,
                fingerprint=episode.fingerprint,
                started_us=codec.micros(episode.started_at),
                sample=episode.sample,
            )

    def clear(self, incident: IncidentId, *, at: datetime) -> None:
        """Mark that the symptom is gone."""
        with self._connections.write() as transaction:
            transaction.change(CLEAR, incident=incident, at_us=codec.micros(at))

    def standing(self, agent: AgentId) -> Sequence[Episode]:
        """Return this agent's that have not cleared."""
        with self._connections.read() as transaction:
            rows = transaction.rows(STANDING, agent=agent)
        return tuple(
            Episode(
                incident=IncidentId(row.incident),
                agent=AgentId(row.agent),
                fingerprint=Fingerprint(row.fingerprint),
                started_at=codec.instant(row.started_us),
                sample=row.sample,
            )
            for row in rows
        )

    def sample_of(self, incident: IncidentId) -> str | None:
        """Return the sample that showed it first, also after it has cleared."""
        with self._connections.read() as transaction:
            row = transaction.row(SAMPLE_OF, incident=incident)
        return None if row is None else str(row.sample)

    def save_detector_state(self, agent: AgentId, state: str) -> None:
        """Keep what the detector remembers of this agent, as JSON text."""
        with self._connections.write() as transaction:
            transaction.change(SAVE_STATE, agent=agent, state=state)

    def detector_state(self, agent: AgentId) -> str | None:
        """Return what was saved last."""
        with self._connections.read() as transaction:
            row = transaction.row(STATE, agent=agent)
        return None if row is None else str(row.state)

    def save_learned(self, agent: AgentId, state: str) -> None:
        """Keep what the deviation lane learned of this agent's host, as text."""
        self.save_detector_state(_learned(agent), state)

    def learned(self, agent: AgentId) -> str | None:
        """Return what `save_learned` kept last."""
        return self.detector_state(_learned(agent))

    def save_states(self, detectors: Mapping[AgentId, str], learned: Mapping[AgentId, str]) -> None:
        """Keep what detectors remember and lanes learned of many agents, in one commit."""
        rows = {**detectors, **{_learned(agent): state for agent, state in learned.items()}}
        with self._connections.write() as transaction:  # in one order, so that none deadlocks
            transaction.change_all(
                SAVE_STATE, [{"agent": name, "state": rows[name]} for name in sorted(rows)]
            )

    @contextmanager
    def roll_call(self) -> Iterator[bool]:
        """Take the turn to tell of silent hosts, for a block; False where another has it."""
        if self._connections.dialect != "postgresql":
            yield True
            return
        with self._connections.read() as transaction:  # the lock is all that it holds
            row = transaction.row(ROLL_CALL)
            yield row is not None and bool(row.mine)

    def save_missed(self, state: str) -> None:
        """Keep which hosts are missed, as JSON text; one state for all control planes."""
        self.save_detector_state(_MISSED, state)

    def missed(self) -> str | None:
        """Return what `save_missed` kept last."""
        return self.detector_state(_MISSED)


def _learned(agent: AgentId) -> AgentId:
    """Name the row of an agent's lane beside the one of its detector: it is written rarely."""
    return AgentId(f"{agent}/lane")
