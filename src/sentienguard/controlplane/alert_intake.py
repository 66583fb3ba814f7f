"""Deal with alerts that were acknowledged: open an incident, fold into one, or end one.

Called by controlplane.app, as one thread. Rules:

1. Alerts are dealt with in the order in which they came, and one is marked when all that follows
   from it is durable. A crash in between does it again, and every act does nothing the second
   time: the incident's id is derived from the alert.
2. An alert decides nothing. It opens an incident of the enrolled host that its labels name, in the
   environment of the token that it came with; the flow of that incident is the usual one, and the
   host's own checks judge what the host itself measures.
3. An alert that names no enrolled host is kept, counted and shown, and opens nothing: nothing can
   be measured or done there, and its sender tells people by itself.
4. The reading of the incident is the host's own newest one of the declared series. Where the host
   reports no such series, the alert is of the metric `alert.firing`, which no remedy is for. The
   symptom of a relay's object stands as it is declared: the relay measures it before it acts.
5. An incident of alerts recovers when all of them ended, or when this centre saw its symptom stand
   and end. A later episode of an alert whose incident is closed is a new incident.
6. An alert that a silence covers opens nothing. Its sender repeats itself without a new episode, so
   it is looked at again while it fires, and opens its incident when the silence has ended.
"""

import hashlib
import logging
import threading
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sentienguard.controlplane.centre import Centre
from sentienguard.controlplane.intake import AWAITS_RECOVERY, Intake
from sentienguard.flow import crediting
from sentienguard.flow import incident as flow
from sentienguard.model import errors, ids
from sentienguard.model.alert import Alert, AlertStatus
from sentienguard.model.anomaly import Anomaly, Ground
from sentienguard.model.ids import IncidentId
from sentienguard.model.incident import Status
from sentienguard.model.telemetry import Series
from sentienguard.playbook import objects
from sentienguard.ports.agent_store import Agent
from sentienguard.ports.alert_inbox import AlertInbox, Dealt, KeptAlert, NewAlert, Result
from sentienguard.stages.detect import alert_rules
from sentienguard.stages.observe import alert_batch

log = logging.getLogger(__name__)
BATCH = 200  # alerts read at a time
GATHER_S = 0.2  # how long marks that nobody looks for may wait for others
BATCH_S = 2.0  # after so long the batch ends: PostgreSQL takes the turn from who is silent for 5 s
LOOKS_AGAIN_S = 1.0  # for rows of another control plane, and after a failure
SILENCED_AGAIN_S = 10.0  # how long a silence may outlive itself for what still fires
HOSTS_KNOWN_S = 1.0  # how long a host that has just enrolled may be unknown to alerts
OWN_READING = timedelta(hours=1)  # an older reading of the host says nothing of now


@dataclass(frozen=True, slots=True)
class _Hosts:
    """Who is enrolled, as it was a moment ago."""

    read_at: float = float("-inf")  # monotonic
    by_id: Mapping[str, Agent] = field(default_factory=dict)
    by_name: Mapping[tuple[str, str], Sequence[Agent]] = field(default_factory=dict)


class Backlog:
    """How many alerts wait, as far as this process knows."""

    def __init__(self) -> None:
        """Start with none."""
        self._lock = threading.Lock()
        self.waiting = 0

    def add(self, more: int) -> None:
        """Count some that came, or less than none that were dealt with."""
        with self._lock:
            self.waiting = max(0, self.waiting + more)

    def set(self, waiting: int) -> None:
        """Start again from what was counted."""
        with self._lock:
            self.waiting = waiting


class AlertIntake:
    """Alerts in, incidents out."""

    def __init__(self, centre: Centre, intake: Intake, backlog: Backlog) -> None:
        """Work on this centre's inbox; nothing is read before `start`."""
        self._centre = centre
        self._inbox = centre.alerts
        self._intake = intake
        self._backlog = backlog
        self._hosts = _Hosts()
        self._came = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="alert-intake", daemon=True)

    def start(self) -> None:
        """Begin, after finishing what a crash may have left half done."""
        self._work_if_possible()
        self._thread.start()

    def stop(self) -> None:
        """Finish the batch at hand and stop."""
        self._stopping = True
        self._came.set()
        if self._thread.ident is not None:
            self._thread.join()

    def wake(self) -> None:
        """Say that something came."""
        self._came.set()

    def work(self) -> int:
        """Deal with what waits, for a moment at most, and return how many alerts that were.

        Raises what the stores raise; what was dealt with before that is marked.
        """
        with self._inbox.turn() as mine:
            if not mine:
                return 0
            marks = _Marks(self._inbox)
            until = self._centre.clock.monotonic() + BATCH_S
            try:
                while waiting := self._inbox.waiting(BATCH, after=marks.last):
                    for one in waiting:
                        marks.settle(one)
                        marks.add(one, self._deal(one))
                        self._backlog.add(-1)
                        if self._centre.clock.monotonic() > until:
                            return marks.count
                    self._pause(marks)
            finally:
                marks.write()
                for result, many in marks.results.items():
                    self._centre.counters.add("alerts_total", result.value, many)
        return marks.count

    def look_again(self) -> int:
        """Deal again with what silences held back (rule 6); return how many are silent no more."""
        freed, last = 0, 0
        with self._inbox.turn() as mine:
            while mine and (found := self._inbox.silenced(BATCH, after=last)):
                last = found[-1].number
                again = [self._deal(one) for one in found]
                heard = [one for one in again if one.result is not Result.SILENCED]
                self._inbox.dealt(heard)
                for one in heard:
                    self._centre.counters.add("alerts_total", one.result.value)
                freed += len(heard)
        return freed

    def _pause(self, marks: "_Marks") -> None:
        """Let more come before the marks are written, so that they cost few commits."""
        if marks.idle:
            self._came.clear()
            self._came.wait(GATHER_S)

    def _run(self) -> None:
        looked_at = self._centre.clock.monotonic()
        while not self._stopping:
            self._came.clear()
            if self._work_if_possible() == 0:
                self._came.wait(LOOKS_AGAIN_S)
            if self._centre.clock.monotonic() > looked_at + SILENCED_AGAIN_S:
                self._look_again_if_possible()
                looked_at = self._centre.clock.monotonic()

    def _look_again_if_possible(self) -> None:
        try:
            self.look_again()
        except (errors.Unavailable, errors.Broken) as problem:
            log.warning("silenced alerts wait: %s", problem)

    def _work_if_possible(self) -> int:
        try:
            return self.work()
        except (errors.Unavailable, errors.Broken) as problem:
            log.warning("alerts wait: %s", problem)
            return 0

    def _deal(self, kept: KeptAlert) -> Dealt:
        try:
            alert = alert_batch.decode(kept.alert.text)
            result, incident = self._judge(kept, alert)
        except errors.Rejected as problem:
            log.error("alert %d cannot be processed: %s", kept.number, problem)  # noqa: TRY400  its message says all
            return Dealt(kept.number, Result.FAILED)
        return Dealt(kept.number, result, incident)

    def _judge(self, waiting: KeptAlert, alert: Alert) -> tuple[Result, IncidentId | None]:
        kept = waiting.alert
        agent = self._agent(kept.environment, alert)
        if agent is None:
            return Result.UNKNOWN_HOST, None  # rule 3
        if alert.status is AlertStatus.RESOLVED:
            return self._ended(waiting)
        if self._inbox.had_ended(waiting):
            return Result.LATE, None
        return self._began(agent, kept, alert)

    def _began(
        self, agent: Agent, kept: NewAlert, alert: Alert
    ) -> tuple[Result, IncidentId | None]:
        self._close_earlier(kept)
        name = _incident_id(kept)
        incident = self._intake.alerted(agent, self._anomaly(agent, kept, alert), name)
        if incident is None:
            return Result.SILENCED, None  # rule 6
        return (Result.OPENED if incident == name else Result.FOLDED), incident

    def _close_earlier(self, kept: NewAlert) -> None:
        """Let a new episode of an alert open anew where the end of the last one was lost."""
        earlier = self._inbox.incident_of(kept.environment, kept.fingerprint, before=kept.starts_at)
        if earlier is not None:
            found = self._centre.incidents.get(earlier)
            if found.status is Status.CLOSED and found.anomaly.ground is Ground.ALERT:
                self._centre.episodes.clear(earlier, at=kept.starts_at)

    def _ended(self, waiting: KeptAlert) -> tuple[Result, IncidentId | None]:
        kept = waiting.alert
        incident = self._inbox.incident_of(kept.environment, kept.fingerprint)
        if incident is None:
            return Result.NOTHING_OPEN, None
        if self._inbox.firing(incident, beside=waiting):
            return Result.STILL_FIRING, incident
        found = self._centre.incidents.get(incident)
        if found.anomaly.ground is not Ground.ALERT:
            return Result.FOLDED, incident  # it was found here, and it ends where it was found
        self._centre.episodes.clear(incident, at=kept.received_at)
        crediting.ended(self._centre, incident, kept.received_at)
        if found.status in AWAITS_RECOVERY:
            key = f"recovered/{found.status.value}"
            self._centre.tell(incident, flow.Recovered(kept.received_at), key=key)
        return Result.RECOVERED, incident

    def _anomaly(self, agent: Agent, kept: NewAlert, alert: Alert) -> Anomaly:
        symptom = alert_rules.symptom(alert)
        series = Series(agent.host, symptom.metric, symptom.subject)
        value = self._own_reading(series, kept.received_at)
        if value is None and symptom.metric in objects.SYMPTOMS:
            value = 1.0  # of an object no agent measures anything until it acts; 1: it fires
        if value is None:  # rule 4
            symptom, value = alert_rules.undeclared(alert), 1.0  # 1: it fires
            series = Series(agent.host, symptom.metric, symptom.subject)
        return Anomaly(
            series=series,
            at=kept.received_at,
            value=value,
            severity=alert_rules.severity(alert),
            ground=Ground.ALERT,
            sigma=None,
            baseline=self._centre.baselines.of(series, kept.received_at),
            trend=None,
            reason=alert_rules.reason(alert),
            alert=ids.digest(kept.text.encode()),
        )

    def _own_reading(self, series: Series, now: datetime) -> float | None:
        if series.metric == alert_rules.UNDECLARED:
            return None
        found = self._centre.metrics.range(series, now - OWN_READING, now)
        return float(found.values[-1]) if len(found.values) else None

    def _agent(self, environment: str, alert: Alert) -> Agent | None:
        place = alert_rules.place(alert)
        if place is None:
            return None
        hosts = self._enrolled()
        if place.label == "agent":
            found = hosts.by_id.get(place.name)
            return found if found and found.environment == environment else None
        named = hosts.by_name.get((environment, place.name.casefold()), ())
        return named[0] if len(named) == 1 else None  # two hosts of one name: it names neither

    def _enrolled(self) -> _Hosts:
        now = self._centre.clock.monotonic()
        if now - self._hosts.read_at > HOSTS_KNOWN_S:
            by_name: defaultdict[tuple[str, str], list[Agent]] = defaultdict(list)
            agents = self._centre.agents.list()
            for agent in agents:
                by_name[(agent.environment, agent.host.casefold())].append(agent)
            self._hosts = _Hosts(now, {agent.id: agent for agent in agents}, dict(by_name))
        return self._hosts


class _Marks:
    """What was dealt with in this turn, and which of it is not marked in the inbox yet.

    A mark says of which incident an alert is, and later alerts look for that: those that would look
    for one that is not written yet wait for it (`settle`). The others share a commit.
    """

    def __init__(self, inbox: AlertInbox) -> None:
        self._inbox = inbox
        self._unwritten: list[Dealt] = []
        self._names: set[str] = set()  # fingerprints of unwritten marks that name an incident
        self.last = 0  # number of the last alert that was dealt with
        self.results: Counter[Result] = Counter()

    @property
    def count(self) -> int:
        """How many alerts were dealt with."""
        return self.results.total()

    @property
    def idle(self) -> bool:
        """Whether nobody looks for what is unwritten."""
        return bool(self._unwritten) and not self._names

    def settle(self, waiting: KeptAlert) -> None:
        """Write what this alert may look for."""
        ends = waiting.alert.status is AlertStatus.RESOLVED
        if (ends and self._names) or waiting.alert.fingerprint in self._names:
            self.write()

    def add(self, waiting: KeptAlert, dealt: Dealt) -> None:
        """Remember what became of an alert."""
        self.last = waiting.number
        self.results[dealt.result] += 1
        self._unwritten.append(dealt)
        if dealt.incident is not None:
            self._names.add(waiting.alert.fingerprint)

    def write(self) -> None:
        """Mark everything in the inbox."""
        self._inbox.dealt(self._unwritten)
        self._unwritten.clear()
        self._names.clear()


def _incident_id(kept: NewAlert) -> IncidentId:
    """Derive the id, so that the same alert dealt with twice is one incident (rule 1)."""
    purpose = f"{kept.environment}\n{kept.fingerprint}\n{kept.starts_at.isoformat()}"
    return ids.incident_id(kept.received_at, hashlib.sha256(purpose.encode()).digest())
