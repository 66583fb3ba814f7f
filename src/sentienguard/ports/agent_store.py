"""Keep who the agents are, what they last said, and the tokens that let new ones join.

Called by controlplane (agent api, detection loop). Offered by adapters.sql_store.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from sentienguard.model import errors
from sentienguard.model.ids import AgentId


class NoSuchAgent(errors.Rejected):
    """No agent has this id or key."""

    @classmethod
    def called(cls, agent: str) -> "NoSuchAgent":
        """Return what is said alike of one that is not there and of one that may not be seen."""
        return cls(f"no agent is called {agent[:80]!a}; list hosts to find its id")


class TokenRefused(errors.Rejected):
    """The join token is unknown, used, late, or for another environment or host."""


@dataclass(frozen=True, slots=True)
class Agent:
    """One enrolled agent."""

    id: AgentId
    host: str
    environment: str
    tags: Mapping[str, str]
    tls_pin: str  # hex SHA-256 of the public key info of its client certificate
    executor_key: str  # base64 of the 32 raw bytes; signs what the host reports
    enrolled_at: datetime
    last_seen: datetime | None = None
    last_seq: int = 0  # highest sample sequence number accepted
    events_through: int = 0  # highest event number that is durable in the audit log
    certificate_ends: datetime | None = None  # None: it was made before this was kept
    quarantined: str = ""  # why no order goes there until a person has looked; empty: it may
    struck_off: datetime | None = None  # its key is refused from then on
    root_version: int = 0  # of the root document that it goes by; 0: it never said


@dataclass(frozen=True, slots=True)
class Sighting:
    """An agent spoke."""

    agent: AgentId
    at: datetime
    seq: int = 0  # number of the sample that it sent; 0: it said something else
    root: int = 0  # version of the root document that it goes by; 0: it did not say


class Health(StrEnum):
    """How a host stands; one in quarantine may be silent too."""

    QUARANTINE = "quarantine"
    SILENT = "silent"
    HEARD = "heard"  # neither


@dataclass(frozen=True, slots=True)
class AgentFilter:
    """Which agents a list is narrowed to."""

    within: frozenset[str]  # environments that may be seen; nothing is told of any other
    silent_before: datetime  # who spoke last before then, or never, is silent
    text: str = ""  # stands in the name, the environment or a tag; letters of either case
    environment: str = ""
    health: Health | None = None


@dataclass(frozen=True, slots=True)
class AgentPage:
    """Some of the agents, in order."""

    agents: Sequence[Agent]
    next_cursor: str | None  # None: nothing follows


class AgentStore(Protocol):
    """Agents by id, by pin and by host.

    Who was struck off is found by its id alone: by no pin, and in no list.
    """

    def add(self, agent: Agent) -> None:
        """Keep a new agent. Raises Rejected where its id or pin is taken."""

    def get(self, agent: AgentId) -> Agent:
        """Return one. Raises NoSuchAgent."""

    def by_pin(self, tls_pin: str) -> Agent:
        """Return the one whose client certificate has this key. Raises NoSuchAgent."""

    def by_pins(self, tls_pins: Collection[str]) -> Mapping[str, Agent]:
        """Return those whose client certificates have these keys, by key.

        Unknown keys are left out. For a few hundred at a time.
        """

    def list(self) -> Sequence[Agent]:
        """Return all, by host name."""

    def page(self, where: AgentFilter, *, cursor: str | None, limit: int | None) -> AgentPage:
        """Return agents in quarantine first, then by host name; all without a limit.

        A page begins behind a place in the order, so that hosts that come, go or change between
        two pages shift nothing. Raises Rejected on a cursor that we did not give.
        """

    def counts(self, where: AgentFilter) -> tuple[Mapping[Health, int], int]:
        """Return how many stand how, and how many there are, whatever `where.health` says.

        One that is in quarantine and silent counts in both of these.
        """

    def hosts(self, environment: str) -> Mapping[str, AgentId]:
        """Return the agent of each host of an environment: of several the last in `list`."""

    def environments(self, host: str) -> frozenset[str]:
        """Return the environments that have a host of this name."""

    def seen(self, agent: AgentId, *, at: datetime, seq: int | None = None) -> None:
        """Remember that it spoke, and the highest sample number."""

    def seen_all(self, sightings: Sequence[Sighting]) -> None:
        """Remember of many that they spoke, in one commit.

        Raises NoSuchAgent where one is unknown; then none is kept.
        """

    def events_through(self, agent: AgentId, through: int) -> None:
        """Remember how far its events are durable."""

    def renewed(self, agent: AgentId, *, ends: datetime) -> None:
        """Remember when its newest certificate ends. Raises NoSuchAgent."""

    def quarantine(self, agent: AgentId, *, why: str) -> bool:
        """Let no order go there; False where that held before, and the first reason stays.

        Raises NoSuchAgent.
        """

    def release(self, agent: AgentId) -> bool:
        """Let orders go there again; False where they did. Raises NoSuchAgent."""

    def strike_off(self, agent: AgentId, *, at: datetime) -> bool:
        """Refuse its key from now on; False where that held before. Raises NoSuchAgent."""

    def add_token(
        self, token: str, *, environment: str, host: str | None, expires_at: datetime
    ) -> None:
        """Keep the hash of a join token."""

    def redeem_token(self, token: str, *, environment: str, host: str, at: datetime) -> None:
        """Use a join token up. Raises TokenRefused."""
