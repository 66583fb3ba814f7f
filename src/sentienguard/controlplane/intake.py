"""Take in one sample of an agent: keep it, judge it, open what it shows, then say thank you.

Called by the agents' API. Rules:

 1. The answer comes after everything is durable. An agent that hears nothing sends again, and each
    step here does nothing the second time.
 2. What a sample says of who it comes from must be what the client certificate says.
 3. A sample from the future is refused: it would hide the present. A late one is kept, not judged.
 4. While a symptom stands, one incident is open or was; a second one needs it to clear first.
 5. A waiting incident hears of recovery at every sample in which its symptom does not stand, so
    that no order of events can lose it.
 6. What a silence covers opens nothing: it is kept and judged like the rest, and reported again
    with each sample that still shows it, so that it opens when the silence has ended. An incident
    that is open already goes on.
"""

import json
import logging
import threading
import zlib
from collections import defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sentienguard.controlplane import kept_samples
from sentienguard.controlplane.centre import Centre
from sentienguard.controlplane.sample_numbers import Numbers
from sentienguard.flow import crediting
from sentienguard.flow import incident as flow
from sentienguard.model import errors
from sentienguard.model.anomaly import Anomaly, Ground
from sentienguard.model.ids import AgentId, Fingerprint, IncidentId, incident_id
from sentienguard.model.incident import Incident, Status
from sentienguard.model.telemetry import Sample, Series
from sentienguard.model.window import Purpose
from sentienguard.ports.agent_store import Agent
from sentienguard.ports.episode_store import Episode
from sentienguard.stages.detect import correlate, silencing
from sentienguard.stages.detect import detector as detection
from sentienguard.stages.detect.deviations import Deviations
from sentienguard.stages.detect.settings import DetectSettings, Sensitivity
from sentienguard.stages.observe import payload, wire

log = logging.getLogger(__name__)
FUTURE_TOLERANCE = timedelta(minutes=5)  # a host whose clock is further ahead has to be mended
KEPT_TEXTS = 8  # last texts of an agent, any of which its next frame may build on
KEPT_SAMPLES = 20  # last ones of a host, which decisions look at
LANE_SAVED_EACH = 20  # samples: ten minutes at one each thirty seconds
RECENT_WINDOW = timedelta(hours=1)  # what the trend looks at
PATTERN_WINDOW = timedelta(days=30)  # in which an earlier incident counts as the same pattern
AWAITS_RECOVERY = frozenset({Status.AWAITING_APPROVAL, Status.VERIFYING})


class SampleRefused(errors.Rejected):
    """The sample is not one that this agent may send."""


@dataclass
class _Desk:
    """What is kept in memory of one agent; everything here can be rebuilt."""

    detector: detection.Detector
    lane: Deviations = field(default_factory=Deviations)
    lock: threading.Lock = field(default_factory=threading.Lock)
    texts: dict[int, bytes] = field(default_factory=dict)
    seqs: Numbers = field(default_factory=Numbers)
    saved: str = ""
    known: int = 0  # highest sample number that the detector remembers; -1: recall what was saved


class Intake:
    """Samples in, incidents out."""

    def __init__(self, centre: Centre) -> None:
        """Start with empty desks; detectors go on from their saved states."""
        self._centre = centre
        self._settings = DetectSettings(sensitivity=Sensitivity(centre.settings.sensitivity))
        self._desks_lock = threading.Lock()
        self._desks: dict[AgentId, _Desk] = {}
        self._latest: defaultdict[AgentId, deque[Sample]] = defaultdict(
            lambda: deque(maxlen=KEPT_SAMPLES)
        )

    def accept(self, agent: Agent, frame: bytes) -> bool:
        """Take one frame; False where it was taken before.

        Raises wire.Malformed, wire.UnknownBase, payload.Malformed, SampleRefused, and what the
        stores raise when they cannot keep it.
        """
        desk = self._desk(agent.id)
        with desk.lock:
            decoded = wire.decode(frame, desk.texts.get)
            if agent.last_seq > desk.known:  # another control plane judged samples meanwhile
                self._recall(desk, agent)
            if decoded.seq in desk.seqs:
                self._centre.counters.add("samples_total", "duplicate")
                return False
            sample = payload.parse(decoded.text)
            now = self._centre.clock.now()
            _require_own(agent, sample, decoded.seq, now)
            values = [
                (Series(sample.host, metric, subject), value)
                for (metric, subject), value in sample.values.items()
            ]
            self._centre.metrics.append(agent.id, sample.at, values)
            try:
                self._judge(desk, agent, sample, decoded.text)
            except BaseException:
                desk.known = -1  # what was judged and not kept is judged again (rule 1)
                raise
            self._centre.agents.seen(agent.id, at=now, seq=sample.seq)
            self._latest[agent.id].append(kept_samples.kept(sample, decoded.text))
            desk.known = max(desk.known, sample.seq)
            desk.seqs.add(decoded.seq)
            desk.texts[decoded.seq] = decoded.text
            while len(desk.texts) > KEPT_TEXTS:
                del desk.texts[next(iter(desk.texts))]
        self._centre.counters.add("samples_total", "accepted")
        self._centre.live.changed("host", agent.id, now)
        return True

    def alerted(self, agent: Agent, anomaly: Anomaly, name: IncidentId) -> IncidentId | None:
        """Return the incident of what an alert from outside says of this agent's host.

        It is the one whose symptom stands (rule 4), or a new one with this id; the same id again
        changes nothing. None: a silence covers it (rule 6). Raises what the stores raise.
        """
        desk = self._desk(agent.id)
        with desk.lock:
            standing = {one.fingerprint: one for one in self._centre.episodes.standing(agent.id)}
            found = self._standing(anomaly, standing)
            if found is not None:
                self._centre.begin(found.incident)  # it may have failed right before that
                return found.incident
            if self._silenced(agent, [anomaly]):
                return None
            samples = self._latest[agent.id]
            text = payload.encode(samples[-1]).decode() if samples else ""
            return self._open(agent, anomaly, name, at=anomaly.at, text=text)

    def recent_samples(self, agent: AgentId) -> tuple[Sample, ...]:
        """Return the last samples of an agent, oldest first; empty after a restart."""
        return tuple(self._latest[agent])

    def _desk(self, agent: AgentId) -> _Desk:
        with self._desks_lock:
            if agent not in self._desks:
                detector = detection.Detector(self._settings)
                saved = self._centre.episodes.detector_state(agent)
                if saved:
                    detector.restore(json.loads(saved))
                self._desks[agent] = _Desk(detector, saved=saved or "")
                self._recall_lane(self._desks[agent], agent)
            return self._desks[agent]

    def _recall(self, desk: _Desk, agent: Agent) -> None:
        """Take up what was saved of the agent, instead of what this process remembers."""
        saved = self._centre.episodes.detector_state(agent.id) or ""
        desk.detector = detection.Detector(self._settings)
        if saved:
            desk.detector.restore(json.loads(saved))
        desk.saved, desk.known = saved, agent.last_seq
        self._recall_lane(desk, agent.id)

    def _recall_lane(self, desk: _Desk, agent: AgentId) -> None:
        learned = self._centre.episodes.learned(agent)
        if learned is None:
            return
        try:
            desk.lane.restore(learned)
        except ValueError as problem:  # of another release: it is learned anew
            log.warning("what was learned of %s cannot be read: %s", agent, problem)

    def _judge(self, desk: _Desk, agent: Agent, sample: Sample, text: bytes) -> None:
        judgement = desk.detector.judge(
            sample,
            self._centre.baselines.lookup(sample.host, sample.at),
            self._recent(sample),
            desk.lane.judge(sample.at, sample.values),
        )
        self._centre.counters.add("anomalies_total", amount=len(judgement.anomalies))
        standing = {one.fingerprint: one for one in self._centre.episodes.standing(agent.id)}
        heard = self._heard(desk, agent, judgement.anomalies, standing)
        for group in correlate.fold(heard):
            found = self._standing(group.lead, standing)
            if found is not None:  # rule 4
                self._centre.begin(found.incident)  # it may have failed right before that
            else:
                name = incident_id(self._centre.clock.now(), self._centre.entropy.bytes(4))
                self._open(agent, group.lead, name, at=sample.at, text=text.decode())
        for fingerprint in judgement.cleared:
            if fingerprint in standing:
                self._centre.episodes.clear(standing[fingerprint].incident, at=sample.at)
                crediting.ended(self._centre, standing[fingerprint].incident, sample.at)
        self._save(desk, agent.id)
        self._save_lane(desk, sample)
        self._tell_recovered(agent.id, set(judgement.standing), sample)

    def _heard(
        self,
        desk: _Desk,
        agent: Agent,
        anomalies: Sequence[Anomaly],
        standing: Mapping[Fingerprint, Episode],
    ) -> list[Anomaly]:
        """Return what may open an incident; put the rest aside (rule 6)."""
        new = [one for one in anomalies if self._standing(one, standing) is None]
        silenced = self._silenced(agent, new)
        for one in silenced:
            desk.detector.set_aside(one.series)
        self._centre.counters.add("anomalies_silenced_total", amount=len(silenced))
        return [one for one in anomalies if one not in silenced]

    def _silenced(self, agent: Agent, anomalies: Sequence[Anomaly]) -> list[Anomaly]:
        """Return those that a silence covers now."""
        if not anomalies:
            return []
        now = self._centre.clock.now()
        found = self._centre.switches.windows(Purpose.SILENCE, at=now)
        place = silencing.place(agent.host, agent.environment, agent.tags)
        return [
            one
            for one in anomalies
            if silencing.covering(found, silencing.symptom(place, one), now)
        ]

    def _recent(self, sample: Sample) -> Callable[[Series], detection.Recent]:
        def recent(series: Series) -> detection.Recent:
            found = self._centre.metrics.range(series, sample.at - RECENT_WINDOW, sample.at)
            return tuple(
                (payload.moment(int(at)), float(value))
                for at, value in zip(found.times_ms, found.values, strict=True)
            )

        return recent

    def _standing(
        self, anomaly: Anomaly, standing: Mapping[Fingerprint, Episode]
    ) -> Episode | None:
        """Return the standing episode of this symptom, or of another view of its cause."""
        if anomaly.fingerprint in standing:
            return standing[anomaly.fingerprint]
        for episode in standing.values():
            series = self._centre.incidents.get(episode.incident).anomaly.series
            if correlate.same_cause(anomaly.series, series):
                return episode
        return None

    def _open(
        self, agent: Agent, anomaly: Anomaly, name: IncidentId, *, at: datetime, text: str
    ) -> IncidentId:
        now = self._centre.clock.now()
        earlier = self._centre.incidents.earlier(
            agent.id, anomaly.fingerprint, since=now - PATTERN_WINDOW
        )
        opened = self._centre.incidents.open(
            Incident(
                id=name,
                agent=agent.id,
                host=agent.host,
                environment=agent.environment,
                tags=agent.tags,
                fingerprint=anomaly.fingerprint,
                anomaly=anomaly,
                opened_at=now,
                summary=anomaly.reason,
                earlier=tuple(one.id for one in earlier),
            )
        )
        # The episode comes second: without its incident it would keep a new one from opening.
        self._centre.episodes.start(Episode(opened.id, agent.id, anomaly.fingerprint, at, text))
        if opened.id == name:
            self._centre.counters.add("incidents_opened_total")
        self._centre.begin(opened.id)
        self._centre.live.changed("incident", opened.id, now)
        return opened.id

    def _save(self, desk: _Desk, agent: AgentId) -> None:
        state = json.dumps(desk.detector.state()["watches"], sort_keys=True)
        if state != desk.saved:
            whole = json.dumps(desk.detector.state(), sort_keys=True)
            self._centre.episodes.save_detector_state(agent, whole)
            desk.saved = state

    def _save_lane(self, desk: _Desk, sample: Sample) -> None:
        """Save what the lane learned, each host in its own turn: it is large and not urgent."""
        if (sample.seq + zlib.crc32(sample.agent.encode())) % LANE_SAVED_EACH == 0:
            self._centre.episodes.save_learned(sample.agent, desk.lane.state())

    def _tell_recovered(self, agent: AgentId, standing: set[str], sample: Sample) -> None:
        for incident in self._centre.incidents.unfinished(agent):
            waits = incident.status in AWAITS_RECOVERY
            if waits and not self._still_stands(incident, standing):  # rule 5
                self._recovered(incident.id, incident.status, sample.at)

    def _still_stands(self, incident: Incident, standing: set[str]) -> bool:
        """Tell whether the symptom stands: where an alert says so, its episode, else the readings.

        The detector may never have found what an alert is about, so its silence proves nothing; of
        hosts that fell silent, one sample proves nothing of the others.
        """
        if incident.anomaly.ground is Ground.REQUEST:  # it has no symptom that could end
            return True
        if incident.anomaly.ground not in {Ground.ALERT, Ground.SILENCE}:
            return incident.fingerprint in standing
        episodes = self._centre.episodes.standing(incident.agent)
        return any(episode.incident == incident.id for episode in episodes)

    def _recovered(self, incident: IncidentId, status: Status, at: datetime) -> None:
        self._centre.tell(incident, flow.Recovered(at), key=f"recovered/{status.value}")


def _require_own(agent: Agent, sample: Sample, seq: int, now: datetime) -> None:
    said = (sample.agent, sample.host, sample.environment, sample.seq)
    known = (agent.id, agent.host, agent.environment, seq)
    if said != known:  # rule 2
        message = (
            f"sample of agent {agent.id}: expected agent, host, environment and number {known}, "
            f"found {said}; enrol again if the host was renamed or moved"
        )
        raise SampleRefused(message)
    if sample.at > now + FUTURE_TOLERANCE:  # rule 3
        message = (
            f"sample {seq} of {agent.host} is from {sample.at:%Y-%m-%d %H:%M:%SZ}, which is more "
            f"than {FUTURE_TOLERANCE} ahead of {now:%Y-%m-%d %H:%M:%SZ}; set the host's clock"
        )
        raise SampleRefused(message)
