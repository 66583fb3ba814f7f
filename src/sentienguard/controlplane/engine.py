"""Make the flow of an incident durable: DBOS records every answer before the next question.

Called by controlplane.app. Rules:

 1. Every deed and every question is one recorded step. After a crash the workflow runs again from
    its first line, but recorded steps give their recorded answers, so `flow.incident` rebuilds the
    same life and goes on where it was.
 2. A step can be performed twice (the process died between the effect and its record), so each is
    idempotent: ids are derived, rows are unique, audit entries have keys.
 3. Where the world is unavailable or the audit log is broken, the step waits; it never skips.
 4. Values cross as plain JSON; nothing is pickled. What an event says is sealed before it crosses
    (ADR 0024): by us and not by DBOS's serializer, which is told no row to bind a value to, and
    whose failure would be recorded and end the workflow.
 5. Whoever lost its place to another replica, or is told to stop, leaves a step without an answer:
    a recorded error would end the workflow, an unrecorded one lets another go on with it.
 6. A fault of ours does end it. Its record names the fault's class alone; the log has the rest.
 7. A few are opened and begin at a time, up to what they first wait for: hundreds that open in one
    moment would hold up samples, polls and people. What follows a wait waits for nobody's turn.

The records lie in a SQLite file, or in a schema of the PostgreSQL database that several replicas
share. There each workflow belongs to the replica that runs it; DBOS gives each run a token and
checks it in the transaction of every record, so that a run which was taken over records nothing.

`FLOW_VERSION` pins recovery: a workflow is only recovered by code that declares the version it
started under. Raise it only together with a patch that lets the old ones finish.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar

import sqlalchemy
from dbos import DBOS, DBOSConfig, SetWorkflowID
from dbos._error import DBOSException, DBOSNonExistentWorkflowError
from dbos._serialization import DBOSPortableJSONSerializer

from sentienguard.controlplane import event_codec, waiting_lives
from sentienguard.flow import incident as flow
from sentienguard.flow import turns
from sentienguard.model import errors
from sentienguard.model.ids import IncidentId
from sentienguard.model.incident import Incident
from sentienguard.ports import sealing
from sentienguard.ports.replicas import TakenOver

log = logging.getLogger(__name__)

FLOW_VERSION = "flow-1"
TOPIC = "incident"
SCHEMA = "sentienguard_flow"  # of the workflows' tables in PostgreSQL
ALONE = "local"  # the executor of a control plane that has its workflows for itself
# A message wakes who waits for it (`tell`). What was lost between the two is found by one look for
# all that wait (`waiting_lives`). So often DBOS asks for one, and a stop waits until it has.
ASKED_EACH_S = 0.1
ALIVE = {  # notices a server that is gone without a word, after about 10 s
    "application_name": "sentienguard_flow",
    "keepalives_idle": 4,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,  # milliseconds
}
FROZEN_S = 5.0  # PostgreSQL ends a transaction of a process that says nothing for so long
# Each open incident holds one thread, so this bounds them; later ones wait until one has ended. The
# service's TasksMax leaves room for them.
MAX_LIVE_INCIDENTS = 2048
FORGOTTEN_AT_ONCE = 500  # lives whose records go in one transaction
OPENERS, BEGINNERS = 2, 4  # incidents at a time; of these two think (`flow.turns`)
RETRY_FIRST_S, RETRY_LONGEST_S = 0.5, 30.0

T = TypeVar("T")


class Work(Protocol):
    """What the engine needs done. Every method is idempotent."""

    def load(self, incident: IncidentId) -> Incident:
        """Return the incident as it was opened."""

    def opened(self, incident: Incident) -> None:
        """Record that it was opened."""

    def perform(self, incident: IncidentId, deed: flow.Deed) -> None:
        """Do it."""

    def decide(self, incident: IncidentId, question: flow.Decide) -> flow.Decided:
        """Gather evidence, decide, record both."""

    def release(self, question: flow.Release) -> flow.Released | flow.OrderEnded:
        """Make the order available to its agent, once; or tell why it never will be."""

    def withdraw(self, question: flow.Withdraw) -> flow.Withdrawn:
        """Take the order back if no agent has it."""

    def silence(self, incident: IncidentId) -> flow.Event:
        """Return what a wait that brought nothing means: an answer that nobody told, or nothing."""

    def now(self) -> datetime:
        """Return the time, UTC."""


class Left(BaseException):
    """A run that ends here without a record; no `Exception`, for DBOS would record one (rule 5)."""


class StepFailed(Exception):
    """A step ended with a fault that no waiting mends (rule 6)."""

    def __init__(self, step: str, fault: Exception) -> None:
        super().__init__(
            f"step {step} failed with {type(fault).__name__}; the control plane's output says why"
        )


class Engine:
    """Runs one durable workflow for each incident."""

    def __init__(
        self,
        database: Path | str,
        work: Work,
        *,
        executor: str = ALONE,
        require: Callable[[], None] = lambda: None,
        sealer: sealing.Sealer | None = None,
    ) -> None:
        """Prepare on a SQLite file or a PostgreSQL URL; nothing runs before `start`.

        `executor` names this process among those that share the database, and never named another
        one. `require` raises TakenOver where this process has lost its place among them. `sealer`
        seals what events say; None seals nothing.
        """
        self._work = work
        self._events = event_codec.SealedEvents(sealer or sealing.InTheClear())
        self._require = require
        self._stopping = threading.Event()
        self._openers, self._beginners = turns.Turns(OPENERS), turns.Turns(BEGINNERS)  # rule 7
        if isinstance(database, Path):
            _use_write_ahead_log(database)
        config: DBOSConfig = {
            "name": "sentienguard",
            "system_database_url": (
                f"sqlite:///{database}" if isinstance(database, Path) else database
            ),
            "dbos_system_schema": SCHEMA,
            "sys_db_idle_transaction_timeout_sec": FROZEN_S,
            "db_engine_kwargs": {} if isinstance(database, Path) else {"connect_args": ALIVE},
            "application_version": FLOW_VERSION,
            "executor_id": executor,
            "serializer": DBOSPortableJSONSerializer(),
            "notification_listener_polling_interval_sec": ASKED_EACH_S,
            "max_executor_threads": MAX_LIVE_INCIDENTS,
            "enable_otlp": False,
            "log_level": "WARNING",
        }
        self._dbos = DBOS(config=config)

        @DBOS.workflow(name="incident", max_recovery_attempts=1_000_000)
        def live(incident_id: str) -> str:
            return self._live(IncidentId(incident_id))

        self._workflow = live

    def start(self) -> None:
        """Recover what a crash interrupted and accept new incidents."""
        DBOS.launch()
        records = self._dbos._sys_db  # noqa: SLF001 - DBOS has no other door to who waits
        records.notifications_map = waiting_lives.WaitingLives(records)

    def stop(self) -> None:
        """Stop; what is under way goes on at the next start."""
        self._stopping.set()
        DBOS.destroy(destroy_registry=True)

    def take_over(self, executors: Sequence[str]) -> None:
        """Let the living go on with the workflows of these, which are known to be gone.

        Again is a no-op: what a living one has taken is not theirs any more.
        """
        DBOS._recover_pending_workflows(list(executors))  # noqa: SLF001 - its only door to this

    def begin(self, incident: IncidentId) -> None:
        """Start the life of an incident; the same one again is a no-op. Raises TakenOver."""
        self._require()
        with SetWorkflowID(incident):
            DBOS.start_workflow(self._workflow, incident)

    def tell(self, incident: IncidentId, event: flow.Event, *, key: str) -> None:
        """Tell a waiting incident what happened, once for each key.

        Raises TakenOver, and as ports.sealing does.

        One that ended so long ago that its records were dropped hears nothing more.
        """
        self._require()
        said = self._events.seal(event, sealing.message_place(incident))
        try:
            DBOS.send(incident, said, topic=TOPIC, idempotency_key=f"{incident}/{key}")
        except DBOSNonExistentWorkflowError:
            log.warning("%s is not told %s: it ended long ago", incident, type(event).__name__)
            return
        self._wake(incident)

    def forget(self, before: datetime) -> int:
        """Drop the records of lives that ended before this moment; return of how many.

        The log has what happened. These are what a restart would go on with, and name people.
        Raises Unavailable.
        """
        try:
            return self._forget(before)
        except (sqlalchemy.exc.SQLAlchemyError, DBOSException) as problem:
            raise errors.Unavailable(f"the engine's records: {problem}") from problem

    def _forget(self, before: datetime) -> int:
        forgotten = 0
        while ended := DBOS.list_workflows(
            status="SUCCESS", completed_before=before.isoformat(), limit=FORGOTTEN_AT_ONCE,
            load_input=False, load_output=False,
        ):  # fmt: skip
            DBOS.delete_workflows([one.workflow_id for one in ended])
            forgotten += len(ended)
        return forgotten

    def _wake(self, incident: IncidentId) -> None:
        """Let an incident that waits in this process have the message now.

        Only where there is one: a message that was repeated is none, and who is woken without one
        takes its wait for over.
        """
        records = self._dbos._sys_db  # noqa: SLF001 - DBOS has no other door to who waits
        waiting = records.notifications_map.get(f"{incident}::{TOPIC}")
        if waiting is not None:
            records.recv_check(incident, TOPIC, waiting)  # type: ignore[arg-type]  # it sets it

    def _live(self, incident: IncidentId) -> str:
        with self._openers.taken():  # rule 7
            opened = self._until_possible("load", lambda: self._work.load(incident))
            life, turn = flow.begin(opened)
            self._step("opened", lambda: self._work.opened(opened))
        with self._beginners.taken():
            while turn.then is not None and not isinstance(turn.then, flow.Wait):
                self._perform(incident, turn.deeds)
                life, turn = flow.advance(life, self._ask(incident, turn.then))
        while turn.then is not None:
            self._perform(incident, turn.deeds)
            life, turn = flow.advance(life, self._ask(incident, turn.then))
        self._perform(incident, turn.deeds)
        return life.status.value

    def _perform(self, incident: IncidentId, deeds: tuple[flow.Deed, ...]) -> None:
        for deed in deeds:
            self._step(type(deed).__name__, partial(self._work.perform, incident, deed))

    def _ask(self, incident: IncidentId, question: flow.Question) -> flow.Event:
        match question:
            case flow.Decide():
                return self._event(
                    incident, "decide", lambda: self._work.decide(incident, question)
                )
            case flow.Release():
                return self._event(incident, "release", lambda: self._work.release(question))
            case flow.Withdraw():
                return self._event(incident, "withdraw", lambda: self._work.withdraw(question))
            case flow.Wait():
                return self._wait(incident, question)

    def _wait(self, incident: IncidentId, question: flow.Wait) -> flow.Event:
        now_ms = self._step("now", lambda: int(self._work.now().timestamp() * 1000))
        now = datetime.fromtimestamp(now_ms / 1000, UTC)
        patience = question.left(now)
        message = DBOS.recv(TOPIC, timeout_seconds=patience.total_seconds())
        event: flow.Event = flow.NothingCame()
        if message is not None:
            event = self._opened(message, sealing.message_place(incident))
        if isinstance(event, flow.NothingCame):  # the wait is over, or loops.patience ended it
            return self._event(incident, "silence", lambda: self._work.silence(incident))
        return event

    def _event(self, incident: IncidentId, name: str, ask: Callable[[], flow.Event]) -> flow.Event:
        place = sealing.step_place(incident, name)
        return self._opened(self._step(name, lambda: self._events.seal(ask(), place)), place)

    def _opened(self, kept: str | dict[str, Any], place: str) -> flow.Event:
        """Return what a record means, once its key is there and the record is as it was."""
        return self._until_possible(place, lambda: self._events.open(kept, place))

    def _step(self, name: str, do: Callable[[], T]) -> T:
        return DBOS.run_step({"name": name}, self._until_possible, name, do)

    def _until_possible(self, name: str, do: Callable[[], T]) -> T:  # rule 3
        delay = RETRY_FIRST_S
        while True:
            try:
                return do()
            except TakenOver as problem:
                log.warning("step %s is another replica's now: %s", name, problem)
                raise Left from problem  # rule 5
            except (errors.Unavailable, errors.Broken) as problem:
                log.warning("step %s waits: %s", name, problem)
                with turns.lent():
                    is_over = self._stopping.wait(delay)
                if is_over:
                    raise Left from problem  # rule 5
                delay = min(delay * 2, RETRY_LONGEST_S)
            except Exception as problem:
                log.exception("step %s failed", name)
                raise StepFailed(name, problem) from problem  # rule 6


def _use_write_ahead_log(database: Path) -> None:
    """Set WAL before DBOS creates its tables: measured 152 s -> 13 s for the same work."""
    engine = sqlalchemy.create_engine(f"sqlite:///{database}")
    with engine.connect() as connection:
        connection.execute(sqlalchemy.text("PRAGMA journal_mode=WAL"))
    engine.dispose()
