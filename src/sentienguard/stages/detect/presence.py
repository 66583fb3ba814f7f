"""Which hosts say nothing any more: the dead-man's switch.

Called by controlplane.roll_call. Rules, cited below by number:

1. Silence is watched and never computed from clocks: a host is silent when the number of its last
   sample has not changed for its patience, by our own monotonic time. No jump of a clock, ours or
   the host's, makes a host silent.
2. Watching counts only while looks come on time. After a start, a pause of ours, or a database that
   was away, everybody is watched anew: no host answers for the time in which we did not listen.
3. Patience is `INTERVALS` of the host's own intervals, and never less than what the owner set.
4. A host that never sent a sample is not missed, nor is an agent that was replaced: another of its
   host enrolled and spoke after it was heard last.
5. A silence is told a little after it is certain (`GATHERED`), so that hosts that fell silent
   together are told together: `MANY` or more of one environment are one story, because one cause (a
   network, a power supply, this control plane) is likelier than many.
6. While a story of many goes on, a host whose last sample is older than the story joins it: it
   only samples more rarely.
7. A story ends when all of its hosts were heard again, or replaced. Nobody is told twice before.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from sentienguard.model.ids import AgentId, IncidentId

INTERVALS: Final = 4.0  # one lost sample is the network's, a restart of the agent costs another
GATHERED: Final = 0.25  # of the patience
MANY: Final = 3  # hosts; two may fail by chance on one day, three in one minute hardly
LATE_S: Final = 15.0  # between two looks; more is a pause (rule 2)


@dataclass(frozen=True, slots=True)
class Heard:
    """What is known of one agent without listening."""

    agent: AgentId
    host: str
    environment: str
    number: int  # of its last sample; 0: it never sent one
    at: datetime | None  # when that came
    enrolled_at: datetime


@dataclass(frozen=True, slots=True)
class Silent:
    """A host that says nothing any more."""

    heard: Heard
    for_s: float  # seconds that we have listened in vain
    due: bool  # it is time to tell (rule 5)


@dataclass(frozen=True, slots=True)
class Story:
    """Hosts that fell silent together, and the incident that tells of them."""

    incident: IncidentId
    lead: AgentId  # the agent that the incident is of
    told_at: datetime
    missing: Mapping[AgentId, int]  # those not heard again yet -> number of their last sample
    hosts: int  # how many there were
    opened: bool = False  # the incident is durable

    @property
    def is_of_many(self) -> bool:
        """Tell whether one cause is behind all of them."""
        return self.hosts >= MANY


class Presence:
    """Listens for every agent's next sample."""

    def __init__(self, least_s: float) -> None:
        """Begin to listen; `least_s` is the patience with hosts that sample often (rule 3)."""
        self._least_s = least_s
        self._since: dict[AgentId, tuple[int, float]] = {}  # number, and when it was seen first
        self._looked_s: float | None = None

    def forget(self) -> None:
        """Listen anew: we could not hear (rule 2)."""
        self._since.clear()
        self._looked_s = None

    def look(
        self, now_s: float, agents: Iterable[Heard], interval_s: Callable[[Heard], float]
    ) -> tuple[Silent, ...]:
        """Return who is silent, by host name. `now_s` is monotonic.

        `interval_s` returns how often an agent samples; only those that seem silent are asked for.
        """
        if self._looked_s is None or not 0 <= now_s - self._looked_s <= LATE_S:
            self._since.clear()  # rule 2
        self._looked_s = now_s
        before, self._since = self._since, {}
        silent = []
        for one in agents:
            number, since_s = before.get(one.agent, (one.number, now_s))
            if number != one.number:
                since_s = now_s
            self._since[one.agent] = (one.number, since_s)
            for_s = now_s - since_s
            if not one.number or for_s < self._least_s:  # rule 4
                continue
            patience_s = max(self._least_s, INTERVALS * interval_s(one))
            if for_s >= patience_s:
                silent.append(Silent(one, for_s, for_s >= patience_s * (1 + GATHERED)))
        return tuple(sorted(silent, key=lambda one: (one.heard.host, one.heard.agent)))


def counted(agents: Sequence[Heard]) -> tuple[Heard, ...]:
    """Return the agents that count: those that were not replaced (rule 4)."""
    newest: dict[tuple[str, str], datetime] = {}
    for one in agents:
        place = (one.environment, one.host)
        if one.at is not None:
            newest[place] = max(one.enrolled_at, newest.get(place, one.enrolled_at))
    return tuple(
        one
        for one in agents
        if one.at is not None and one.at >= newest[(one.environment, one.host)]
    )


def goes_on(story: Story, agents: Mapping[AgentId, Heard]) -> Story:
    """Return the story without the hosts that were heard again or replaced (rule 7)."""
    missing = {
        agent: number
        for agent, number in story.missing.items()
        if agent in agents and agents[agent].number == number
    }
    return story if len(missing) == len(story.missing) else replace(story, missing=missing)


def joined(story: Story, silent: Iterable[Silent], environment: str) -> Story:
    """Return the story with the hosts that belong to it too (rule 6)."""
    late = {
        one.heard.agent: one.heard.number
        for one in silent
        if one.heard.environment == environment
        and one.heard.at is not None
        and one.heard.at <= story.told_at
    }
    if not story.is_of_many or not late:
        return story
    return replace(story, missing={**story.missing, **late}, hosts=story.hosts + len(late))


def to_tell(silent: Sequence[Silent]) -> tuple[tuple[Silent, ...], ...]:
    """Return which of these, of whom nobody was told, to tell of now, by story (rule 5)."""
    found: list[tuple[Silent, ...]] = []
    for environment in sorted({one.heard.environment for one in silent}):
        here = tuple(one for one in silent if one.heard.environment == environment)
        due = [one for one in here if one.due]
        if due and len(here) >= MANY:
            found.append(here)
        else:
            found += [(one,) for one in due]
    return tuple(found)
