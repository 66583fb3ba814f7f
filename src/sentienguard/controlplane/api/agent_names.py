"""Which host an agent runs on that the log calls by its id, for people who read the log.

Called by api.audit. Rules:

1. A name stands beside the id, never in its place: the id is what the log proves.
2. Who may not see the host's environment is told nothing of it.
3. Only what agents or the control plane wrote names an agent: an account that somebody called by an
   agent's id stays what it is.
"""

from dataclasses import dataclass, field
from typing import Any, Final

from sentienguard.controlplane.api.caller import Caller
from sentienguard.model.access import Permission
from sentienguard.model.ids import AgentId
from sentienguard.ports.agent_store import NoSuchAgent

_AGENT: Final = "agent:"


@dataclass(frozen=True, slots=True)
class AgentNames:
    """The hosts of agents as one caller may see them; each is looked up once."""

    caller: Caller
    _known: dict[str, str] = field(default_factory=dict)

    def wrote(self, entry: dict[str, Any]) -> str:
        """Return the host whose agent wrote an entry or asked for what it tells; "": none."""
        found = self.called(entry["src"])
        about = entry.get("data", {}).get("agent")
        if not found and about and entry["actor"] == about:  # rule 3
            found = self._host(str(about))
        return found

    def called(self, name: str) -> str:
        """Return the host of what is called `agent:ID`; "": it is no agent, or not to be seen."""
        return self._host(name.removeprefix(_AGENT)) if name.startswith(_AGENT) else ""

    def on(self, host: str) -> frozenset[str]:
        """Return how the log calls the agents of a host of this name, where it may be seen."""
        agents = self.caller.centre.agents
        ids = [
            agents.hosts(environment)[host]
            for environment in agents.environments(host)
            if self.caller.may(Permission.VIEW, environment)
        ]
        return frozenset(one for agent in ids for one in (agent, f"{_AGENT}{agent}"))

    def _host(self, agent: str) -> str:
        if agent not in self._known:
            self._known[agent] = self._looked_up(agent)
        return self._known[agent]

    def _looked_up(self, agent: str) -> str:
        try:
            found = self.caller.centre.agents.get(AgentId(agent))
        except NoSuchAgent:
            return ""
        return found.host if self.caller.may(Permission.VIEW, found.environment) else ""  # rule 2
