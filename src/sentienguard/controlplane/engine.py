"""Make the flow of an incident durable: DBOS records every answer before the next question.

Called by controlplane.app. Rules:

 1. Every deed and every question is one recorded step. After a crash the workflow runs again from
    its first line, but recorded steps give their recorded answers, so `flow.incident` rebuilds the
    same life and goes on where it was.
 2. A step can be performed twice (the process died between the effect and its record), so each is
    idempotent: ids are derived, rows are unique, audit entries have keys.
 3. Where the world is unavailable or the audit log is broken, the step waits; it never skips.
 4. Values cross as plain JSON; nothing is pickled.

`FLOW_VERSION` pins recovery: a workflow is only recovered by code that declares the version it
started under. Raise it only together with a patch that lets the old ones finish.
"""

import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar

import sqlalchemy
from dbos import DBOS, DBOSConfig, SetWorkflowID
from dbos._serialization import DBOSPortableJSONSerializer

from sentienguard.controlplane import event_codec
from sentienguard.flow import incident as flow
from sentienguard.model import errors
from sentienguard.model.ids import IncidentId
from sentienguard.model.incident import Incident

log = logging.getLogger(__name__)

FLOW_VERSION = "flow-1"
TOPIC = "incident"
POLL_INTERVAL_S = 0.1  # how soon a waiting workflow notices a message; SQLite cannot notify
MAX_LIVE_INCIDENTS = 512  # each open incident holds one thread, so this bounds them
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

    def decide(self, incident: IncidentId) -> flow.Decided:
        """Gather evidence, decide, record both."""

    def release(self, order: flow.Release) -> flow.Released:
        """Make the order available to its agent, once."""

    def withdraw(self, question: flow.Withdraw) -> flow.Withdrawn:
        """Take the order back if no agent has it."""

    def now(self) -> datetime:
        """Return the time, UTC."""


class Engine:
    """Runs one durable workflow for each incident."""

    def __init__(self, database: Path, work: Work) -> None:
        """Prepare on this SQLite file; nothing runs before `start`."""
        self._work = work
        self._stopping = threading.Event()
        _use_write_ahead_log(database)
        config: DBOSConfig = {
            "name": "sentienguard",
            "system_database_url": f"sqlite:///{database}",
            "application_version": FLOW_VERSION,
            "executor_id": "local",
            "serializer": DBOSPortableJSONSerializer(),
            "notification_listener_polling_interval_sec": POLL_INTERVAL_S,
            "max_executor_threads": MAX_LIVE_INCIDENTS,
            "enable_otlp": False,
            "log_level": "WARNING",
        }
        DBOS(config=config)

        @DBOS.workflow(name="incident", max_recovery_attempts=1_000_000)
        def live(incident_id: str) -> str:
            return self._live(IncidentId(incident_id))

        self._workflow = live

    def start(self) -> None:
        """Recover what a crash interrupted and accept new incidents."""
        DBOS.launch()

    def stop(self) -> None:
        """Stop; what is under way goes on at the next start."""
        self._stopping.set()
        DBOS.destroy(destroy_registry=True)

    def begin(self, incident: IncidentId) -> None:
        """Start the life of an incident; the same one again is a no-op."""
        with SetWorkflowID(incident):
            DBOS.start_workflow(self._workflow, incident)

    def tell(self, incident: IncidentId, event: flow.Event, *, key: str) -> None:
        """Tell a waiting incident what happened; the same key again is a no-op."""
        DBOS.send(
            incident, event_codec.encode(event), topic=TOPIC, idempotency_key=f"{incident}/{key}"
        )

    def _live(self, incident: IncidentId) -> str:
        life, turn = flow.begin(self._work.load(incident))
        self._step("opened", lambda: self._work.opened(self._work.load(incident)))
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
                return self._event("decide", lambda: self._work.decide(incident))
            case flow.Release():
                return self._event("release", lambda: self._work.release(question))
            case flow.Withdraw():
                return self._event("withdraw", lambda: self._work.withdraw(question))
            case flow.Wait():
                return self._wait(question)

    def _wait(self, question: flow.Wait) -> flow.Event:
        now_ms = self._step("now", lambda: int(self._work.now().timestamp() * 1000))
        now = datetime.fromtimestamp(now_ms / 1000, UTC)
        patience = max(0.0, (question.until - now).total_seconds())
        message = DBOS.recv(TOPIC, timeout_seconds=patience)
        return flow.NothingCame() if message is None else event_codec.decode(message)

    def _event(self, name: str, ask: Callable[[], flow.Event]) -> flow.Event:
        return event_codec.decode(self._step(name, lambda: event_codec.encode(ask())))

    def _step(self, name: str, do: Callable[[], T]) -> T:
        return DBOS.run_step({"name": name}, self._until_possible, name, do)

    def _until_possible(self, name: str, do: Callable[[], T]) -> T:  # rule 3
        delay = RETRY_FIRST_S
        while True:
            try:
                return do()
            except (errors.Unavailable, errors.Broken) as problem:
                log.warning("step %s waits: %s", name, problem)
                if self._stopping.wait(delay):
                    raise
                delay = min(delay * 2, RETRY_LONGEST_S)


def _use_write_ahead_log(database: Path) -> None:
    """Set WAL before DBOS creates its tables: measured 152 s -> 13 s for the same work."""
    engine = sqlalchemy.create_engine(f"sqlite:///{database}")
    with engine.connect() as connection:
        connection.execute(sqlalchemy.text("PRAGMA journal_mode=WAL"))
    engine.dispose()
