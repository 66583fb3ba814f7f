"""The centre's agents in memory, who is struck off among them.

Called by `centre`. `database` has the rules of all stores.
"""

import dataclasses
from collections.abc import Collection, Mapping, Sequence

from sentienguard.model.ids import AgentId
from sentienguard.ports.agent_store import Agent, NoSuchAgent
from sentienguard.simulation.stores.database import Database


class Agents:
    """The part of ports.agent_store.AgentStore that the centre's work asks for."""

    def __init__(self, database: Database) -> None:
        """Begin empty."""
        self._database = database
        self.rows: dict[AgentId, Agent] = {}

    def add(self, agent: Agent) -> None:
        """Keep a new agent."""
        self.rows[agent.id] = agent

    def list(self) -> Sequence[Agent]:
        """Return all."""
        return tuple(self.rows.values())

    def get(self, agent: AgentId) -> Agent:
        """Return one. Raises NoSuchAgent."""
        self._database.read()
        found = self.rows.get(agent)
        if found is None:
            raise NoSuchAgent(f"no agent {agent}")
        return found

    def by_pins(self, tls_pins: Collection[str]) -> Mapping[str, Agent]:
        """Return those whose certificates have these keys, by key; nobody who was struck off."""
        self._database.read()
        found = (one for one in self.rows.values() if one.struck_off is None)
        return {one.tls_pin: one for one in found if one.tls_pin in tls_pins}

    def events_through(self, agent: AgentId, through: int) -> None:
        """Remember how far its events are durable."""
        self._database.write("events through")
        found = self.rows[agent]
        self.rows[agent] = dataclasses.replace(
            found, events_through=max(found.events_through, through)
        )
