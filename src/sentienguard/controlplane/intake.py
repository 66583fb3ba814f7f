"""Take in one sample of an agent: keep it, judge it, open what it shows, then say thank you.

Called by the agents' API. Rules:

 1. The answer comes after everything is durable. An agent that hears nothing sends again, and each
    step here does nothing the second time.
 2. What a sample says of who it comes from must be what the client certificate says.
 3. A sample from the future is refused: it would hide the present. A late one is kept, not judged.
 4. While a symptom stands, one incident is open or was; a second one needs it to clear first. But
    a forecast that is closed does not stand in the way of what comes true.
 5. A waiting incident hears of recovery at every sample in which its symptom does not stand, so
    that no order of events can lose it.
 6. What a silence covers opens nothing: it is kept and judged like the rest, and reported again
    with each sample that still shows it, so that it opens when the silence has ended. An incident
    that is open already goes on.
"""

import functools
import json
import logging
import threading
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from sentienguard.controlplane import desks, identities, kept_samples
from sentienguard.controlplane.centre import Centre
from sentienguard.flow import crediting
from sentienguard.flow import incident as flow
from sentienguard.model import errors
from sentienguard.model.anomaly import Anomaly, Ground
from sentienguard.model.ids import AgentId, Fingerprint, IncidentId, incident_id
from sentienguard.model.incident import Incident, Status
from sentienguard.model.telemetry import Sample, Series
from sentienguard.model.window import Purpose
from sentienguard.ports.agent_store import Agent, Sighting
from sentienguard.ports.episode_store import Episode
from sentienguard.stages.detect import correlate, silencing
from sentienguard.stages.detect import detector as detection
from sentienguard.stages.detect.settings import DetectSettings, Sensitivity
from sentienguard.stages.observe import payload, wire

log = logging.getLogger(__name__)
FUTURE_TOLERANCE = timedelta(minutes=5)  # a host whose clock is further ahead has to be mended
KEPT_TEXTS = 8  # last texts of an agent, any of which its next frame may build on
KEPT_SAMPLES = 20  # last ones of a host, which decisions look at
RECENT_WINDOW = timedelta(hours=1)  # what the trend looks at
PATTERN_WINDOW = timedelta(days=30)  # in which an earlier incident counts as the same pattern
AWAITS_RECOVERY = frozenset({Status.AWAITING_APPROVAL, Status.VERIFYING})


class SampleRefused(errors.Rejected):
    """The sample is not one that this agent may send."""


class Intake:
    """Samples in, incidents out."""

    def __init__(self, centre: Centre) -> None:
        """Start with empty desks; detectors go on from their saved states."""
        self._centre = centre
        self._settings = DetectSettings(sensitivity=Sensitivity(centre.settings.sensitivity))
        self._desks_lock = threading.Lock()
        self._desks: dict[AgentId, desks.Desk] = {}
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
            now = self._centre.clock.now()
            read = self._read(desk, agent, frame, now)
            if read is None:
                return False
            moment = read.moment(desk.names)
            self._centre.metrics.append(agent.id, moment.at, moment.values)
            with desks.judging(desk):
                self._follow(desk, read, self._judged(desk, read.sample))
            self._centre.agents.seen(agent.id, at=now, seq=read.sample.seq)
            self._remember(desk, read, now)
        return True

    def accept_all(self, arrivals: Sequence[desks.Arrival]) -> None:
        """Take frames of many agents in one commit of each store; each arrival is told its own.

        As `accept` for each, but for what may take long: where a sample changes anything about
        incidents, or another thread is at the agent's desk, the arrival gets a `rest`. Whoever
        called has to run that, in any thread: it keeps the desk, and the answer comes with it.
        """
        now = self._centre.clock.now()
        held: list[desks.Held] = []
        try:
            for arrival in arrivals:
                self._begin(arrival, now, held)
            if not held:
                return
            self._keep_readings(held)
            self._judge_all(held)
            self._part(held)
            self._keep_calm([one for one in held if one.at_work], now)
        finally:
            for one in held:
                if one.at_work:
                    one.let_go()

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

    def _desk(self, agent: AgentId) -> desks.Desk:
        with self._desks_lock:
            if agent not in self._desks:
                detector = detection.Detector(self._settings)
                saved = self._centre.episodes.detector_state(agent)
                if saved:
                    detector.restore(json.loads(saved))
                self._desks[agent] = desks.Desk(detector, saved=saved or "")
                self._recall_lanes(self._desks[agent], agent)
            return self._desks[agent]

    def _recall(self, desk: desks.Desk, agent: Agent) -> None:
        """Take up what was saved of the agent, instead of what this process remembers."""
        saved = self._centre.episodes.detector_state(agent.id) or ""
        desk.detector = detection.Detector(self._settings)
        if saved:
            desk.detector.restore(json.loads(saved))
        desk.saved, desk.known = saved, agent.last_seq
        self._recall_lanes(desk, agent.id)

    def _recall_lanes(self, desk: desks.Desk, agent: AgentId) -> None:
        learned = self._centre.episodes.learned(agent)
        for problem in desk.recall(learned) if learned else ():  # of another release: learned anew
            log.warning("what was learned of %s cannot be read: %s", agent, problem)

    def _read(
        self, desk: desks.Desk, agent: Agent, frame: bytes, now: datetime
    ) -> desks.Read | None:
        """Unpack and check a frame; None where it was taken before. Raises as `accept` does."""
        decoded = wire.decode(frame, desk.texts.get)
        if agent.last_seq > desk.known:  # another control plane judged samples meanwhile
            self._recall(desk, agent)
        taken = decoded.seq in desk.seqs
        if taken and desk.texts.get(decoded.seq) == decoded.text:
            self._centre.counters.add("samples_total", "duplicate")
            return None
        sample = payload.parse(decoded.text)
        _require_own(agent, sample, decoded.seq, now)
        if identities.is_doubtful(desk, sample, decoded.text):
            identities.doubted(self._centre, desk, agent, sample)
        if taken:
            self._centre.counters.add("samples_total", "duplicate")
            return None
        return desks.Read(agent, sample, decoded.text)

    def _judged(self, desk: desks.Desk, sample: Sample) -> detection.Judgement:
        judgement = desk.detector.judge(
            sample,
            self._centre.baselines.lookup(sample.host, sample.at),
            self._recent(sample),
            desk.deviations.judge(sample.at, sample.values),
            desk.ramps.judge(sample.at, sample.values),
        )
        self._centre.counters.add("anomalies_total", amount=len(judgement.anomalies))
        return judgement

    def _follow(self, desk: desks.Desk, read: desks.Read, judgement: detection.Judgement) -> None:
        """Do what follows from a judgement."""
        agent, sample = read.agent, read.sample
        standing = {one.fingerprint: one for one in self._centre.episodes.standing(agent.id)}
        heard = self._heard(desk, agent, judgement.anomalies, standing)
        for group in correlate.fold(heard):
            found = self._standing(group.lead, standing)
            if found is not None:  # rule 4
                self._centre.begin(found.incident)  # it may have failed right before that
            else:
                name = incident_id(self._centre.clock.now(), self._centre.entropy.bytes(4))
                self._open(agent, group.lead, name, at=sample.at, text=read.text.decode())
        for fingerprint in judgement.cleared:
            if fingerprint in standing:
                self._centre.episodes.clear(standing[fingerprint].incident, at=sample.at)
                crediting.ended(self._centre, standing[fingerprint].incident, sample.at)
        self._save(desk, agent.id)
        self._save_lanes(desk, sample)
        self._tell_recovered(agent.id, set(judgement.standing), sample)

    def _remember(self, desk: desks.Desk, read: desks.Read, now: datetime) -> None:
        """Take a sample over into memory, once all of it is durable."""
        sample = read.sample
        self._latest[read.agent.id].append(kept_samples.kept(sample, read.text))
        desk.known = max(desk.known, sample.seq)
        number, at = desk.newest or (sample.seq, sample.at)
        desk.newest = (max(number, sample.seq), max(at, sample.at))
        desk.seqs.add(sample.seq)
        desk.texts[sample.seq] = read.text
        while len(desk.texts) > KEPT_TEXTS:
            del desk.texts[next(iter(desk.texts))]
        self._centre.counters.add("samples_total", "accepted")
        self._centre.live.changed("host", read.agent.id, now)

    # --- many at once

    def _begin(self, arrival: desks.Arrival, now: datetime, held: list[desks.Held]) -> None:
        """Read one of many, and keep its desk where there is more to do."""
        try:
            desk = self._desk(arrival.agent.id)
            if not desk.lock.acquire(blocking=False):
                arrival.rest = functools.partial(self.accept, arrival.agent, arrival.frame)
                return
        except Exception as problem:  # noqa: BLE001  its sender gets it as its answer
            arrival.problem = problem
            return
        try:
            read = self._read(desk, arrival.agent, arrival.frame, now)
        except Exception as problem:  # noqa: BLE001  the same
            arrival.problem = problem
            read = None
        except BaseException:
            desk.lock.release()
            raise
        if read is None:
            desk.lock.release()
        else:
            held.append(desks.Held(arrival, desk, read))

    def _keep_readings(self, held: Sequence[desks.Held]) -> None:
        try:
            self._centre.metrics.append_all([one.read.moment(one.desk.names) for one in held])
        except errors.Rejected:  # of one: each by itself, so that none takes another with it
            for one in held:
                one.arrival.rest = functools.partial(self.accept, one.read.agent, one.arrival.frame)
                one.let_go()
        except Exception as problem:  # noqa: BLE001  each sender gets it as its answer
            for one in held:
                one.fail(problem)

    def _judge_all(self, held: Sequence[desks.Held]) -> None:
        for one in held:
            if one.at_work:
                try:
                    with desks.judging(one.desk):
                        one.judgement = self._judged(one.desk, one.read.sample)
                except Exception as problem:  # noqa: BLE001  its sender gets it as its answer
                    one.fail(problem)

    def _part(self, held: Sequence[desks.Held]) -> None:
        """Leave to another thread what something follows from (rules 4 and 5)."""
        try:
            waiting = self._centre.incidents.agents_in(AWAITS_RECOVERY)
        except Exception as problem:  # noqa: BLE001  each sender gets it as its answer
            for one in held:
                one.fail(problem)
            return
        for one in held:
            found = one.judgement
            if not one.at_work or found is None:
                continue
            if found.anomalies or found.cleared or one.read.agent.id in waiting:
                one.at_work = False  # the desk stays taken until `rest` was run
                one.arrival.rest = functools.partial(self._finish, one, found)

    def _finish(self, one: desks.Held, judgement: detection.Judgement) -> bool:
        """Do what follows, in any thread; then let the desk go."""
        try:
            now = self._centre.clock.now()
            with desks.judging(one.desk):
                self._follow(one.desk, one.read, judgement)
            self._centre.agents.seen(one.read.agent.id, at=now, seq=one.read.sample.seq)
            self._remember(one.desk, one.read, now)
        finally:
            one.desk.lock.release()
        return True

    def _keep_calm(self, calm: Sequence[desks.Held], now: datetime) -> None:
        """Keep what is left to keep of samples from which nothing follows."""
        if not calm:
            return
        states: dict[AgentId, str] = {}
        watched: dict[AgentId, str] = {}
        learned: dict[AgentId, str] = {}
        for one in calm:
            agent = one.read.agent.id
            watches = one.desk.watches()
            if watches != one.desk.saved:
                states[agent], watched[agent] = one.desk.state(), watches
            if one.desk.lanes_are_due(one.read.sample):
                learned[agent] = one.desk.learned()
        try:
            if states or learned:
                self._centre.episodes.save_states(states, learned)
            self._centre.agents.seen_all(
                [Sighting(one.read.agent.id, now, one.read.sample.seq) for one in calm]
            )
        except Exception as problem:  # noqa: BLE001  each sender gets it as its answer
            for one in calm:
                one.fail(problem)
            return
        for one in calm:
            one.desk.saved = watched.get(one.read.agent.id, one.desk.saved)
            self._remember(one.desk, one.read, now)
            one.arrival.taken = True

    # --- incidents

    def _heard(
        self,
        desk: desks.Desk,
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
        return next((one for one, past in self._views(anomaly, standing) if not past), None)

    def _views(
        self, anomaly: Anomaly, standing: Mapping[Fingerprint, Episode]
    ) -> Iterator[tuple[Episode, bool]]:
        """Yield the episodes of this symptom, then of its cause; true: a closed forecast of it."""
        own = standing.get(anomaly.fingerprint)
        for episode in ([own] if own else []) + [one for one in standing.values() if one != own]:
            found = self._centre.incidents.get(episode.incident)
            if episode == own or correlate.same_cause(anomaly.series, found.anomaly.series):
                closed = found.status is Status.CLOSED and found.anomaly.is_forecast
                yield episode, closed and not anomaly.is_forecast

    def _open(
        self, agent: Agent, anomaly: Anomaly, name: IncidentId, *, at: datetime, text: str
    ) -> IncidentId:
        now = self._centre.clock.now()
        standing = {one.fingerprint: one for one in self._centre.episodes.standing(agent.id)}
        for episode, past in self._views(anomaly, standing):
            if past:  # rule 4
                self._centre.episodes.clear(episode.incident, at=at)
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

    def _save(self, desk: desks.Desk, agent: AgentId) -> None:
        watches = desk.watches()
        if watches != desk.saved:
            self._centre.episodes.save_detector_state(agent, desk.state())
            desk.saved = watches

    def _save_lanes(self, desk: desks.Desk, sample: Sample) -> None:
        if desk.lanes_are_due(sample):
            self._centre.episodes.save_learned(sample.agent, desk.learned())

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
