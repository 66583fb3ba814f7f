"""The centre's episodes in memory: since when a symptom stands, and when it cleared.

Called by `centre` and `spells`. `database` has the rules of all stores.
"""

from collections.abc import Sequence
from datetime import datetime

from sentienguard.model.ids import AgentId, IncidentId
from sentienguard.ports.episode_store import Episode
from sentienguard.simulation.stores.database import Database


class Episodes:
    """The part of ports.episode_store.EpisodeStore that the centre's work asks for."""

    def __init__(self, database: Database) -> None:
        """Begin empty."""
        self._database = database
        self._standing: dict[IncidentId, Episode] = {}
        self.begun: dict[IncidentId, datetime] = {}
        self.ended: dict[IncidentId, datetime] = {}

    def start(self, episode: Episode) -> None:
        """Keep a new one; the same incident again changes nothing."""
        self._database.write("episode")
        self._standing.setdefault(episode.incident, episode)
        self.begun.setdefault(episode.incident, episode.started_at)

    def clear(self, incident: IncidentId, *, at: datetime) -> None:
        """Mark that the symptom is gone."""
        self._database.write("episode's end")
        if self._standing.pop(incident, None) is not None:
            self.ended[incident] = at

    def standing(self, agent: AgentId) -> Sequence[Episode]:
        """Return this agent's that have not cleared."""
        self._database.read()
        return [one for one in self._standing.values() if one.agent == agent]

    def sample_of(self, incident: IncidentId) -> str | None:
        """Return nothing: the pretend world sends no samples' texts."""
        del incident
        return None
