"""The durable engine of incidents, pretended: what controlplane.engine is with DBOS.

Called by `centre`. The rules are the same: every deed and every answer is recorded before the next
question; a step may be performed twice, its record never; after a crash the life is rebuilt from
the recorded answers. What is recorded survives everything; what is not is done again.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sentienguard.flow import incident as flow
from sentienguard.flow import incident_work
from sentienguard.model import errors
from sentienguard.model.ids import IncidentId
from sentienguard.simulation.scheduler import Process, Scheduler
from sentienguard.simulation.stores.database import Database

_NOTICES_S = 0.1  # how soon a waiting incident notices a message
_RETRY_FIRST_S, _RETRY_LONGEST_S = 0.5, 30.0


@dataclass(slots=True)
class Record:
    """What is durable of one incident's flow."""

    opened: bool = False
    answers: list[flow.Event] = field(default_factory=list)
    deeds: int = 0  # of the present turn that were performed
    inbox: list[flow.Event] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)  # of everything it was ever told
    wait_ends: datetime | None = None  # by the wall clock
    wait_s: float = 0.0
    over: bool = False


class Engine:
    """One run of the engine over the durable records."""

    def __init__(  # noqa: PLR0917 - made in one place, by their order there
        self,
        records: dict[IncidentId, Record],
        work: incident_work.IncidentWork,
        database: Database,
        scheduler: Scheduler,
        process: Process,
        performed: Callable[[IncidentId, flow.Deed], None],
        answered: Callable[[IncidentId, flow.Event], None],
    ) -> None:
        """`performed` and `answered` hear what happened, before it is recorded."""
        self._records = records
        self._work = work
        self._database = database
        self._scheduler = scheduler
        self._process = process
        self._performed = performed
        self._answered = answered
        self._delay: dict[IncidentId, float] = {}
        self._planned: set[IncidentId] = set()
        self._timers: dict[IncidentId, int] = {}

    def recover(self) -> None:
        """Go on with everything that is not over."""
        for incident, record in self._records.items():
            if not record.over:
                self._soon(incident, 0.0)

    def begin(self, incident: IncidentId) -> None:
        """Start the life of an incident; the same one again is a no-op."""
        self._database.write("flow")
        if incident not in self._records:
            self._records[incident] = Record()
            self._soon(incident, 0.0)

    def tell(self, incident: IncidentId, event: flow.Event, *, key: str) -> None:
        """Tell an incident what happened; the same key again is a no-op."""
        self._database.write("message")
        record = self._records.get(incident)
        if record is None or key in record.keys:
            return
        record.keys.add(key)
        record.inbox.append(event)
        self._database.wrote("message")
        self._soon(incident, _NOTICES_S)

    def _soon(self, incident: IncidentId, seconds: float) -> None:
        if incident in self._planned:
            return
        self._planned.add(incident)

        def goes_on() -> None:
            self._planned.discard(incident)
            self._go_on(incident)

        self._scheduler.after(seconds, f"{incident} goes on", goes_on, self._process)

    def _go_on(self, incident: IncidentId) -> None:
        record = self._records[incident]
        if record.over:
            return
        try:
            while self._one(incident, record):
                self._delay.pop(incident, None)
        except (errors.Unavailable, errors.Broken):
            delay = self._delay.get(incident, _RETRY_FIRST_S)
            self._delay[incident] = min(delay * 2, _RETRY_LONGEST_S)
            self._soon(incident, delay)

    def _one(  # noqa: PLR0911 - one answer for each kind of question
        self, incident: IncidentId, record: Record
    ) -> bool:
        """Do one recorded thing; tell whether there may be more to do at once."""
        life, turn = flow.begin(self._work.load(incident))
        for event in record.answers:
            life, turn = flow.advance(life, event)
        if not record.opened:
            self._work.opened(self._work.load(incident))
            self._record(lambda: setattr(record, "opened", True))
            return True
        if record.deeds < len(turn.deeds):
            deed = turn.deeds[record.deeds]
            self._work.perform(incident, deed)
            self._performed(incident, deed)
            self._record(lambda: setattr(record, "deeds", record.deeds + 1))
            return True
        match turn.then:
            case None:
                self._record(lambda: setattr(record, "over", True))
                return False
            case flow.Decide() as question:
                return self._answer(incident, record, self._work.decide(incident, question))
            case flow.Release() as question:
                return self._answer(incident, record, self._work.release(question))
            case flow.Withdraw() as question:
                return self._answer(incident, record, self._work.withdraw(question))
            case flow.Wait() as question:
                return self._wait(incident, record, question)

    def _record(self, do: Callable[[], None]) -> None:
        self._database.write("progress")
        do()
        self._database.wrote("progress")

    def _answer(self, incident: IncidentId, record: Record, event: flow.Event) -> bool:
        self._answered(incident, event)

        def keep() -> None:
            record.answers.append(event)
            record.deeds = 0
            record.wait_ends = None

        self._record(keep)
        return True

    def _wait(self, incident: IncidentId, record: Record, question: flow.Wait) -> bool:
        if record.inbox:
            event = record.inbox[0]
            self._database.write("receipt of a message")
            record.inbox.pop(0)
            return self._answer(incident, record, event)
        now = self._work.now()
        if record.wait_ends is None:
            patience = question.left(now).total_seconds()
            record.wait_ends, record.wait_s = now + timedelta(seconds=patience), patience
        else:  # recovered
            left = max(0.0, (record.wait_ends - now).total_seconds())
            patience = min(record.wait_s, left)
        if self._timers.get(incident) != len(record.answers):
            self._watch(incident, record, patience)
        return False

    def _watch(self, incident: IncidentId, record: Record, seconds: float) -> None:
        """Let the wait end, unless something else was recorded by then."""
        so_far = len(record.answers)
        self._timers[incident] = so_far

        def ends() -> None:
            if self._timers.get(incident) == so_far:
                del self._timers[incident]
            if len(record.answers) == so_far and not record.over:
                if record.inbox:
                    self._soon(incident, 0.0)
                else:
                    self._ended(incident, record)

        self._scheduler.after(seconds, f"{incident} has waited", ends, self._process)

    def _ended(self, incident: IncidentId, record: Record) -> None:
        try:
            self._answer(incident, record, self._work.silence(incident))
        except (errors.Unavailable, errors.Broken):
            self._watch(incident, record, _RETRY_LONGEST_S)
            return
        self._soon(incident, 0.0)
