"""The offer of ports.databases: as the declared role, one short session for each statement."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from sentienguard.adapters.databases import login, measures, mysql, postgresql
from sentienguard.model import errors
from sentienguard.ports import databases, facts

SLACK_S = 1.0  # the server ends a statement by itself before we stop listening
MEASURE_S = 3.0  # for one fact
LOCK_S = 2.0  # that a statement waits for a lock of somebody else
_LONGEST_PASSWORD = 1024


@dataclass(frozen=True, slots=True)
class Declared:
    """A database as agent.json declares it."""

    kind: str  # postgresql or mysql
    address: str  # host:port of loopback, or the path of a Unix socket
    user: str
    password_file: Path | None = None  # its first line; None: the server asks the kernel
    database: str = ""  # empty: the one that every server has


class Session(Protocol):
    """What both protocols can do once they are logged in."""

    def run(self, statement: str, values: Sequence[str], most_rows: int) -> login.Told:
        """Run one statement."""


class Connect(Protocol):
    """Log in for one statement."""

    def __call__(
        self, to: login.Login, limit: float, *, reading: bool
    ) -> AbstractContextManager[Session]:
        """Return a session that may only read, or one that may act."""


class LocalDatabases:
    """A ports.databases.Databases."""

    def __init__(self, declared: Mapping[str, Declared]) -> None:
        """Take the declarations, by the name of their service."""
        self._declared = dict(declared)

    def names(self) -> frozenset[str]:
        """Return the services that have one."""
        return frozenset(self._declared)

    def ask(
        self, name: str, statement: str, values: Sequence[str] = (), *, limit: float
    ) -> databases.Answer:
        """Look; see the port."""
        [answer] = self._run(name, statement, (values,), limit=limit, reading=True)
        return answer

    def act(
        self, name: str, statement: str, values: Sequence[Sequence[str]] = ((),), *, limit: float
    ) -> tuple[databases.Answer, ...]:
        """Act; see the port."""
        return self._run(name, statement, values, limit=limit, reading=False)

    def measure(self, name: str, fact: str) -> facts.Fact:
        """Measure a fact; see the port."""
        known = self._of(name)
        if fact == measures.KIND:
            return known.kind
        statement = measures.STATEMENTS[known.kind].get(fact)
        if statement is None:
            raise facts.UnknownFact(f"a database of kind {known.kind} has no fact {fact}")
        try:
            answer = self.ask(name, statement, limit=MEASURE_S)
        except errors.SentienGuardError as error:
            raise facts.FactNotMeasured(f"fact {fact} cannot be measured: {error}") from error
        return sum(float(row[measures.NUMBER.get(fact, 0)] or 0) for row in answer.rows)

    def _of(self, name: str) -> Declared:
        known = self._declared.get(name)
        if known is None:
            raise databases.NoDatabase(
                f"service {name} has no database; declare it under `databases` in agent.json"
            )
        return known

    def _run(
        self,
        name: str,
        statement: str,
        each: Sequence[Sequence[str]],
        *,
        limit: float,
        reading: bool,
    ) -> tuple[databases.Answer, ...]:
        known = self._of(name)
        try:
            with _session(name, known, limit, reading=reading) as session:
                return tuple(_answer(session, statement, values) for values in each)
        except login.CutOff as error:
            raise databases.StatementCutOff(str(error)) from error
        except login.Failed as error:
            raise databases.StatementFailed(str(error)) from error
        except (OSError, ValueError, IndexError) as error:  # what it said was no answer at all
            why = str(error) or type(error).__name__
            raise databases.DatabaseUnreachable(f"database of {name}: {why}") from error


def _session(
    name: str, known: Declared, limit: float, *, reading: bool
) -> AbstractContextManager[Session]:
    """Log in. Raises DatabaseAway where no session comes about, and what the server refuses."""
    try:
        to = login.Login(name, known.address, known.user, _password(known), known.database)
        return CONNECT[known.kind](to, limit, reading=reading)
    except login.Failed:
        raise
    except (OSError, ValueError, IndexError) as error:
        why = str(error) or type(error).__name__
        raise databases.DatabaseAway(f"database of {name}: {why}") from error


def _answer(session: Session, statement: str, values: Sequence[str]) -> databases.Answer:
    try:
        told = session.run(statement, values, databases.MOST_ROWS)
    except login.Gone:
        return databases.Answer(())
    return databases.Answer(told.rows, told.changed)


def _password(known: Declared) -> str:
    if known.password_file is None:
        return ""
    with known.password_file.open(encoding="utf-8") as file:
        return file.readline(_LONGEST_PASSWORD).rstrip("\r\n")


def _postgresql(to: login.Login, limit: float, *, reading: bool) -> AbstractContextManager[Session]:
    limit_ms = max(1, int(limit * 1000))
    options = {
        "statement_timeout": str(limit_ms),
        "lock_timeout": str(min(limit_ms, int(LOCK_S * 1000))),
        "default_transaction_read_only": "on" if reading else "off",
        "search_path": "pg_catalog",  # a function of the same name elsewhere is not ours
        "standard_conforming_strings": "on",
        "vacuum_cost_delay": "2",  # ms; as gently as autovacuum
    }
    return postgresql.Connection(to, limit + SLACK_S, options)


def _mysql(to: login.Login, limit: float, *, reading: bool) -> AbstractContextManager[Session]:
    connection = mysql.Connection(to, limit + SLACK_S)
    try:
        seconds = max(1, int(limit))
        maria = "mariadb" in connection.version.lower()
        time = f"max_statement_time={seconds}" if maria else f"max_execution_time={seconds * 1000}"
        waits = f"lock_wait_timeout={int(LOCK_S)}, innodb_lock_wait_timeout={int(LOCK_S)}"
        connection.run(f"SET SESSION {time}, {waits}", (), 0)
        connection.run(f"SET SESSION TRANSACTION {'READ ONLY' if reading else 'READ WRITE'}", (), 0)
    except BaseException:
        connection.close()
        raise
    return connection


CONNECT: Mapping[str, Connect] = {"postgresql": _postgresql, "mysql": _mysql}
