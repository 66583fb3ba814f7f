"""The databases of a `stage`, as ports.databases asks for them.

Called by `ports`. Nobody here understands SQL: a statement is answered as the case says for the
first pattern that fits it, written in one line, and changes what the case's reactions say. The name
of an act is `sql`, the service and the statement.
"""

import fnmatch
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sentienguard.ports import databases, facts
from sentienguard.simulation.proving import stage as stages

_KIND: Final = "database_kind"
_TAKES_S: Final = 0.1  # a statement


@dataclass(slots=True)
class Databases:
    """A ports.databases.Databases."""

    stage: stages.Stage

    def names(self) -> frozenset[str]:
        """Return the services of the case that have one."""
        return frozenset(self.stage.databases)

    def ask(
        self, name: str, statement: str, values: Sequence[str] = (), *, limit: float
    ) -> databases.Answer:
        """Look; see the port."""
        del values
        return self._answer(name, statement, limit)

    def act(
        self, name: str, statement: str, values: Sequence[Sequence[str]] = ((),), *, limit: float
    ) -> tuple[databases.Answer, ...]:
        """Act; see the port."""
        answers = tuple(self._answer(name, statement, limit) for _ in values)
        act = f"sql {name} {_line(statement)}"
        self.stage.act(act, f"database {name}")
        self.stage.react(act)
        return answers

    def measure(self, name: str, fact: str) -> facts.Fact:
        """Tell what the case says; see the port."""
        keeping = self._of(name)
        if fact == _KIND:
            return keeping.known.kind
        if fact not in keeping.facts:
            raise facts.UnknownFact(f"the case does not say the {fact} of {name}")
        self._running(name)
        return keeping.facts[fact]

    def _answer(self, name: str, statement: str, limit: float) -> databases.Answer:
        keeping, line = self._of(name), _line(statement)
        self._running(name)
        self.stage.clock.sleep(min(_TAKES_S, limit))
        for pattern, rows in keeping.answers.items():
            if fnmatch.fnmatchcase(line, pattern):
                return databases.Answer(tuple((text,) for text in rows), len(rows))
        raise databases.StatementFailed(
            f"{line[:160]}: the case knows no such statement; name it among the answers of {name}"
        )

    def _of(self, name: str) -> stages.Keeping:
        keeping = self.stage.databases.get(name)
        if keeping is None:
            raise databases.NoDatabase(f"service {name} has no database in this case")
        return keeping

    def _running(self, name: str) -> None:
        serving = self.stage.services.get(name)
        if serving is not None and serving.state != "running":
            raise databases.DatabaseAway(f"database of {name}: it is {serving.state}")


def _line(statement: str) -> str:
    return " ".join(statement.split())
