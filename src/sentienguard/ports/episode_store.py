"""Keep which symptoms stand, and the sample that showed each first.

An episode lasts from the first anomalous reading of a symptom to the moment it cleared. While it
stands no second incident is opened for it, whatever became of the first.

Called by controlplane.intake, controlplane.roll_call and flow.deciding. Offered by
adapters.sql_store.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sentienguard.model.ids import AgentId, Fingerprint, IncidentId


@dataclass(frozen=True, slots=True)
class Episode:
    """One symptom at one place that stands or stood."""

    incident: IncidentId
    agent: AgentId
    fingerprint: Fingerprint
    started_at: datetime
    sample: str  # the text of the sample that showed it first, as the agent sent it


class EpisodeStore(Protocol):
    """Episodes by agent and by incident."""

    def start(self, episode: Episode) -> None:
        """Keep a new one; the same incident again changes nothing."""

    def clear(self, incident: IncidentId, *, at: datetime) -> None:
        """Mark that the symptom is gone."""

    def standing(self, agent: AgentId) -> Sequence[Episode]:
        """Return this agent's that have not cleared."""

    def sample_of(self, incident: IncidentId) -> str | None:
        """Return the sample that showed it first, also after it has cleared."""

    def save_detector_state(self, agent: AgentId, state: str) -> None:
        """Keep what the detector remembers of this agent, as JSON text."""

    def detector_state(self, agent: AgentId) -> str | None:
        """Return what was saved last."""

    def save_learned(self, agent: AgentId, state: str) -> None:
        """Keep what the lanes learned of this agent's host, as text."""

    def learned(self, agent: AgentId) -> str | None:
        """Return what `save_learned` kept last."""

    def save_states(self, detectors: Mapping[AgentId, str], learned: Mapping[AgentId, str]) -> None:
        """Keep what `save_detector_state` and `save_learned` would of many, in one commit."""

    def roll_call(self) -> AbstractContextManager[bool]:
        """Take the turn to tell of silent hosts, for a block; False where another has it."""

    def save_missed(self, state: str) -> None:
        """Keep which hosts are missed, as JSON text; one state for all control planes."""

    def missed(self) -> str | None:
        """Return what `save_missed` kept last."""
