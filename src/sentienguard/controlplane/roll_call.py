"""Tell people of hosts that say nothing any more, once, and notice when they are back.

Called by loops.roll_call. `stages.detect.presence` judges; this reads, keeps and opens. Rules:

1. A silent host is one incident, hosts that fell silent together are one. It goes to people:
   nothing can be measured or done on a host that does not speak. Only a playbook that names the
   metric is for it.
2. Who is missed is durable before anything is opened, and ids are derived from what is missed, so
   that a crash in between opens the same incident again and no second one.
3. Of control planes that share a database one tells at a time, and reads first what others told.
   Each listens for itself, so that any of them can go on.
4. An incident's episode ends when its last host is heard again, whoever heard it.
5. A series that stops while its host goes on is counted and logged: volumes are unmounted and
   programs end on purpose, so nobody is called for that.
"""

import hashlib
import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

import numpy as np

from sentienguard.controlplane.centre import Centre
from sentienguard.controlplane.intake import AWAITS_RECOVERY, Intake
from sentienguard.flow import incident as flow
from sentienguard.model import ids
from sentienguard.model.anomaly import Anomaly, Ground, Severity
from sentienguard.model.ids import AgentId, IncidentId
from sentienguard.model.telemetry import Series
from sentienguard.ports.agent_store import Agent
from sentienguard.ports.incident_store import NoSuchIncident
from sentienguard.stages.detect import presence
from sentienguard.stages.detect.presence import Heard, Silent, Story

log = logging.getLogger(__name__)
SILENT: Final = "agent.silent_s"  # metric of one silent host: seconds without a sample
MANY_SILENT: Final = "fleet.silent_hosts"  # metric of several: how many
NAMED: Final = 5  # hosts that a reason names
_GAPS: Final = 20  # samples, from whose times a host's own interval is taken
_LEAST_GAPS: Final = 4  # between samples, below which they say nothing of an interval
_LOOKS_BACK: Final = timedelta(hours=12)  # for those: the longest interval is an hour
_ROUND: Final = 120  # looks in which every host's series are looked at once (rule 5)


class RollCall:
    """Calls the roll; one thread at a time."""

    def __init__(self, centre: Centre, intake: Intake) -> None:
        """Begin to listen; nothing is told before patience is over."""
        self._centre = centre
        self._intake = intake
        self._presence = presence.Presence(centre.settings.host_silence_s)
        self._intervals: dict[AgentId, tuple[int, float]] = {}  # of silent agents, by number
        self._stopped: dict[AgentId, frozenset[Series]] = {}  # series, known to have stopped
        self._looks = 0

    def forget(self) -> None:
        """Listen anew, because something kept us from hearing."""
        self._presence.forget()

    def look(self) -> None:
        """Look once. Raises what the stores raise; the next look goes on from there."""
        listed = {one.id: one for one in self._centre.agents.list()}
        agents = presence.counted([_heard(one) for one in listed.values()])
        silent = self._presence.look(self._centre.clock.monotonic(), agents, self._interval_s)
        with self._centre.episodes.roll_call() as mine:
            if mine:  # rule 3
                self._tell(listed, {one.agent: one for one in agents}, silent)
        self._note_stopped(agents, {one.heard.agent for one in silent})

    def _tell(
        self,
        listed: Mapping[AgentId, Agent],
        agents: Mapping[AgentId, Heard],
        silent: Sequence[Silent],
    ) -> None:
        kept: Sequence[Story] = _read(self._centre.episodes.missed())
        stories = [presence.goes_on(one, agents) for one in kept]
        for story in stories:
            if not story.missing:
                self._end(story)
        stories = [one for one in stories if one.missing]
        for at, story in enumerate(stories):
            environment = agents[next(iter(story.missing))].environment
            stories[at] = presence.joined(story, _untold(silent, stories), environment)
        now = self._centre.clock.now()
        stories += [_story(told, now) for told in presence.to_tell(_untold(silent, stories))]
        kept = self._keep(kept, stories)  # rule 2
        by_agent = {one.heard.agent: one for one in silent}
        told = [one if one.opened else self._open(one, listed, by_agent) for one in stories]
        self._keep(kept, told)

    def _keep(self, kept: Sequence[Story], stories: Sequence[Story]) -> Sequence[Story]:
        if list(kept) != list(stories):
            self._centre.episodes.save_missed(_text(stories))
        return stories

    def _open(
        self, story: Story, listed: Mapping[AgentId, Agent], silent: Mapping[AgentId, Silent]
    ) -> Story:
        """Open its incident; return the story with the one that it is told in."""
        lead = listed[story.lead]
        hosts = [listed[agent].host for agent in story.missing if agent in listed]
        for_s = max((silent[one].for_s for one in story.missing if one in silent), default=0.0)
        metric, value, reason = SILENT, for_s, _of_one(lead, for_s)
        if story.is_of_many:
            metric, value, reason = MANY_SILENT, float(story.hosts), _of_many(lead, hosts)
        anomaly = Anomaly(
            series=Series(lead.host, metric),
            at=story.told_at,
            value=round(value, 3),
            severity=Severity.CRITICAL,
            ground=Ground.SILENCE,
            sigma=None,
            baseline=None,
            trend=None,
            reason=reason,
        )
        opened = self._intake.alerted(lead, anomaly, story.incident)
        if opened is None:  # somebody silenced it; told when that has ended
            return story
        self._centre.counters.add("hosts_silent_total", amount=story.hosts)
        return replace(story, incident=opened, opened=True)

    def _exists(self, incident: IncidentId) -> bool:
        try:
            self._centre.incidents.get(incident)
        except NoSuchIncident:
            return False
        return True

    def _end(self, story: Story) -> None:
        """End what was told (rule 4)."""
        if not self._exists(story.incident):
            return
        now = self._centre.clock.now()
        self._centre.episodes.clear(story.incident, at=now)
        found = self._centre.incidents.get(story.incident)
        if found.status in AWAITS_RECOVERY:
            key = f"recovered/{found.status.value}"
            self._centre.tell(found.id, flow.Recovered(now), key=key)
        self._centre.live.changed("incident", found.id, now)

    def _interval_s(self, agent: Heard) -> float:
        """Return how often it samples: as its last samples say, and no less than it is told to."""
        known = self._intervals.get(agent.agent)
        if known is None or known[0] != agent.number:
            known = self._intervals[agent.agent] = (agent.number, self._measured_s(agent.host))
        return max(known[1], self._centre.settings.interval_s)

    def _measured_s(self, host: str) -> float:
        latest = self._centre.metrics.latest(host)
        if not latest:
            return 0.0
        series, (newest, _) = max(latest.items(), key=lambda one: one[1][0])
        end = newest + timedelta(milliseconds=1)
        times = self._centre.metrics.range(series, end - _LOOKS_BACK, end).times_ms[-_GAPS:]
        gaps = np.diff(times)
        # Gaps that earlier silences left are longer than the interval, and none is shorter.
        return float(np.quantile(gaps, 0.25)) / 1000 if len(gaps) >= _LEAST_GAPS else 0.0

    def _note_stopped(self, agents: Sequence[Heard], silent: set[AgentId]) -> None:
        """Look at the series of some hosts (rule 5)."""
        self._looks += 1
        for at, one in enumerate(agents):
            if one.agent in silent or (at + self._looks) % _ROUND:
                continue
            found = stopped(self._centre.metrics.latest(one.host), self._patience(one))
            before = self._stopped.get(one.agent, found)  # what had stopped before we came
            self._stopped[one.agent] = found
            for series in sorted(found - before):
                log.info("%s stopped while its host goes on", series)
            self._centre.counters.add("series_stopped_total", "agent", len(found - before))

    def _patience(self, agent: Heard) -> timedelta:
        least_s = self._centre.settings.host_silence_s
        return timedelta(seconds=max(least_s, presence.INTERVALS * self._interval_s(agent)))


def stopped(
    latest: Mapping[Series, tuple[datetime, float]], patience: timedelta
) -> frozenset[Series]:
    """Return the series of a host that stopped that long before its newest reading."""
    newest = max((at for at, _ in latest.values()), default=None)
    if newest is None:
        return frozenset()
    return frozenset(series for series, (at, _) in latest.items() if newest - at > patience)


def _heard(agent: Agent) -> Heard:
    return Heard(
        agent=agent.id,
        host=agent.host,
        environment=agent.environment,
        number=agent.last_seq,
        at=agent.last_seen,
        enrolled_at=agent.enrolled_at,
    )


def _untold(silent: Iterable[Silent], stories: Iterable[Story]) -> list[Silent]:
    told = {agent for story in stories for agent in story.missing}
    return [one for one in silent if one.heard.agent not in told]


def _story(told: Sequence[Silent], now: datetime) -> Story:
    lead = told[0].heard
    many = MANY_SILENT if len(told) >= presence.MANY else SILENT
    purpose = f"{many}\n{lead.agent}\n{lead.number}"
    return Story(
        incident=ids.incident_id(lead.at or now, hashlib.sha256(purpose.encode()).digest()),
        lead=lead.agent,
        told_at=now,
        missing={one.heard.agent: one.heard.number for one in told},
        hosts=len(told),
    )


def _of_one(lead: Agent, for_s: float) -> str:
    last = f"{lead.last_seen:%Y-%m-%d %H:%M:%SZ}" if lead.last_seen else "it enrolled"
    return (
        f"no sample of {lead.host} since {last}; listened for {for_s:.0f} s: the host, its agent "
        "or the way here is down"
    )


def _of_many(lead: Agent, hosts: Sequence[str]) -> str:
    more = f" and {len(hosts) - NAMED} more" if len(hosts) > NAMED else ""
    return (
        f"{len(hosts)} hosts of {lead.environment} fell silent together, {', '.join(hosts[:NAMED])}"
        f"{more}: look at what they share, the network and this control plane first"
    )


def _text(stories: Iterable[Story]) -> str:
    return json.dumps(
        [
            {
                "incident": one.incident,
                "lead": one.lead,
                "told_at": one.told_at.isoformat(),
                "missing": dict(one.missing),
                "hosts": one.hosts,
                "opened": one.opened,
            }
            for one in stories
        ]
    )


def _read(text: str | None) -> list[Story]:
    rows: list[dict[str, Any]] = json.loads(text) if text else []
    return [
        Story(
            incident=IncidentId(row["incident"]),
            lead=AgentId(row["lead"]),
            told_at=datetime.fromisoformat(row["told_at"]),
            missing={AgentId(agent): int(number) for agent, number in row["missing"].items()},
            hosts=int(row["hosts"]),
            opened=bool(row["opened"]),
        )
        for row in rows
    ]
