"""Read simulation.yaml. Like the playbook beside it: one reader, closed keys, lines in messages.

Called by `proofs.read` and through it by the CLI. Raises BrokenPlaybook with every problem. A decoy
writes only what differs from `host`: each key it gives replaces that key as a whole.
"""

from collections.abc import Callable, Mapping
from typing import TypeVar

from sentienguard.model import errors
from sentienguard.playbook import conditions, document, facts, objects, units
from sentienguard.playbook.document import Node, Scalar, Sequence, Table
from sentienguard.playbook.problems import BrokenPlaybook, Problem, nearest
from sentienguard.simulation.proving import case, stage

MAX_FILES = 20_000  # of one host, copies included
STATES = ("running", "stopped", "hung", "missing")
SIGNALS = ("SIGTERM", "SIGKILL", "SIGCONT", "SIGCHLD")
TOP = ("parameters", "facts", "symptom", "may_change", "host", "decoys")
HOST = (
    "databases",
    "objects",
    *("name", "tags", "forbidden", "volumes", "files", "services", "processes", "programs"),
    *("levels", "truths", "reactions", "settings"),
)
THEN = (
    *("databases", "objects", "levels", "truths", "states", "answers", "cpu", "exits", "removes"),
    "logs",
)
_HOUR = 3_600.0
_EMPTY = Table(1, {}, {})
_T = TypeVar("_T")


def read(stored: bytes, origin: str) -> case.Case:
    """Read a case. Raises BrokenPlaybook with every problem and its line."""
    reader = _Reader(origin)
    found = reader.whole(document.read(stored, origin))
    if reader.problems:
        raise BrokenPlaybook(origin, reader.problems)
    return found


class _Reader:
    """Reads one document and collects what is wrong with it."""

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self.problems: list[Problem] = []

    def whole(self, root: Node) -> case.Case:
        top = self._table(root, "", TOP)
        for key in ("symptom", "host", "decoys", "may_change"):
            if key not in top.entries:
                self.problems.append(Problem(top.line, key, "it to be there", "nothing"))
        host = top.entries.get("host", _EMPTY)
        base = self._table(host, "host", HOST)
        decoys = self._items(top, "decoys", "", lambda node, path: self._decoy(node, path, base))
        if "decoys" in top.entries and not decoys:
            line = top.key_lines["decoys"]
            self.problems.append(Problem(line, "decoys", "at least one decoy", "none"))
        return case.Case(
            parameters=self._words(top, "parameters", ""),
            facts=self._words(top, "facts", ""),
            symptom=self._condition(top, "symptom"),
            may_change=self._texts(top, "may_change", ""),
            scene=self._scene(base, "host"),
            decoys=decoys,
        )

    def _decoy(self, node: Node, path: str, base: Table) -> case.Decoy:
        table = self._table(node, path, ("name", "why", "host"))
        own = self._table(table.entries.get("host", _EMPTY), f"{path}.host", HOST)
        both = Table(own.line, {**base.entries, **own.entries}, {**base.key_lines, **own.key_lines})
        name, why = self._text(table, "name", path), self._text(table, "why", path)
        if not own.entries:
            found = "the same host"
            self.problems.append(Problem(table.line, path, "a host that differs", found))
        return case.Decoy(name, why, self._scene(both, f"{path}.host"))

    def _scene(self, host: Table, path: str) -> case.Scene:
        files = self._named(host, "files", path, self._files)
        everything = tuple(one for group in files.values() for one in group)
        if len(everything) > MAX_FILES:
            found = str(len(everything))
            self.problems.append(Problem(host.line, path, f"at most {MAX_FILES} files", found))
        return case.Scene(
            name=self._text(host, "name", path, "simulated-1"),
            tags=self._words(host, "tags", path),
            forbidden=self._text(host, "forbidden", path, ""),
            volumes=self._named(host, "volumes", path, self._volume),
            files=everything[:MAX_FILES],
            services=tuple(self._named(host, "services", path, self._service).values()),
            processes=self._items(host, "processes", path, self._process),
            programs=self._items(host, "programs", path, self._program),
            levels=self._levels(host, path),
            truths=self._truths(host, path),
            reactions=self._items(host, "reactions", path, self._reaction),
            settings=self._words(host, "settings", path),
            databases=tuple(self._named(host, "databases", path, self._database).values()),
            objects=tuple(self._named(host, "objects", path, self._object).values()),
        )

    def _volume(self, _: str, node: Node, path: str) -> case.Volume:
        table = self._table(node, path, ("size", "inodes"))
        size = self._measure(table, "size", path, units.bytes_of, 10**9)
        return case.Volume(size, self._integer(table, "inodes", path, 1_000_000, least=1))

    def _files(self, name: str, node: Node, path: str) -> tuple[case.File, ...]:
        table = self._table(node, path, ("size", "age", "text", "count"))
        text = self._text(table, "text", path, "").encode() if "text" in table.entries else None
        size = self._measure(table, "size", path, units.bytes_of, len(text or b""))
        age = self._measure(table, "age", path, units.seconds, _HOUR)
        count = self._integer(table, "count", path, 1, least=1)
        if not name.startswith("/"):
            self.problems.append(Problem(node.line, path, "an absolute path", repr(name)))
        if (count > 1) != ("{n}" in name):
            expected = "{n} in the path of files with a count, and nowhere else"
            self.problems.append(Problem(node.line, path, expected, repr(name)))
        return tuple(
            case.File(name.replace("{n}", str(number)), size, age, text)
            for number in range(min(count, MAX_FILES + 1))
        )

    def _service(self, name: str, node: Node, path: str) -> case.Service:
        known = ("state", "answers", "health_url", "config_file", "log_file", "starts")
        table = self._table(node, path, known)
        url = self._text(table, "health_url", path, f"http://127.0.0.1/{name}")
        return case.Service(
            name=name,
            state=self._choice(table, "state", path, STATES, "running"),
            answers=self._integer(table, "answers", path, 200),
            health_url=None if url == "none" else url,
            config_file=self._text(table, "config_file", path, "") or None,
            log_file=self._text(table, "log_file", path, "") or None,
            starts=self._flag(table, "starts", path),
        )

    def _process(self, node: Node, path: str) -> case.Process:
        known = ("pid", "name", "cpu", "memory", "nice", "uptime", "ignores")
        table = self._table(node, path, known)
        ignores = self._texts(table, "ignores", path)
        for one in sorted(set(ignores) - set(SIGNALS)):
            self.problems.append(Problem(table.line, f"{path}.ignores", str(SIGNALS), one))
        return case.Process(
            pid=self._integer(table, "pid", path, None, least=2),
            name=self._text(table, "name", path),
            cpu=self._measure(table, "cpu", path, units.percent, 0.0),
            memory=self._measure(table, "memory", path, units.bytes_of, 10**7),
            nice=self._integer(table, "nice", path, 0),
            uptime=self._measure(table, "uptime", path, units.seconds, _HOUR),
            ignores=ignores,
        )

    def _program(self, node: Node, path: str) -> case.Program:
        table = self._table(node, path, ("run", "exit", "takes"))
        takes = self._measure(table, "takes", path, units.seconds, 1.0)
        return case.Program(
            self._text(table, "run", path), self._integer(table, "exit", path, 0), takes
        )

    def _reaction(self, node: Node, path: str) -> case.Reaction:
        table = self._table(node, path, ("after", "if", "then"))
        only = self._table(table.entries.get("if", _EMPTY), f"{path}.if", ("holds", "no_file"))
        then = self._table(table.entries.get("then", _EMPTY), f"{path}.then", THEN)
        inner = f"{path}.then"
        answers = self._named(then, "answers", inner, lambda _, n, p: self._number(n, p, 0))
        cpu = self._named(then, "cpu", inner, lambda _, n, p: self._quantity(n, p))
        exits = self._named(then, "exits", inner, lambda _, n, p: self._number(n, p, 0))
        return case.Reaction(
            after=self._text(table, "after", path),
            change=case.Change(
                levels=self._levels(then, inner),
                truths=self._truths(then, inner),
                states=self._words(then, "states", inner),
                answers=answers,
                cpu={int(pid): value for pid, value in cpu.items() if pid.isdecimal()},
                exits=exits,
                removes=self._texts(then, "removes", inner),
                logs=self._words(then, "logs", inner),
                databases=self._named(then, "databases", inner, self._database),
                objects=self._named(then, "objects", inner, self._object_facts),
            ),
            holds=self._words(only, "holds", f"{path}.if"),
            no_file=self._text(only, "no_file", f"{path}.if", ""),
        )

    def _database(self, name: str, node: Node, path: str) -> case.Database:
        table = self._table(node, path, ("kind", "facts", "answers"))
        kind = self._choice(table, "kind", path, ("postgresql", "mysql"), "postgresql")
        held = self._named(table, "facts", path, self._database_fact)
        answers = self._named(table, "answers", path, lambda _, inner, at: self._rows(inner, at))
        return case.Database(name, kind, held, answers)

    def _database_fact(self, name: str, node: Node, path: str) -> float:
        if name not in facts.OF_DATABASES:
            expected = "one of " + ", ".join(sorted(facts.OF_DATABASES))
            self.problems.append(Problem(node.line, path, expected, repr(name)))
        return self._quantity(node, path)

    def _rows(self, node: Node, path: str) -> tuple[str, ...]:
        items = node.items if isinstance(node, Sequence) else (node,)
        return tuple(self._word(item, f"{path}[{at}]") for at, item in enumerate(items))

    def _object(self, name: str, node: Node, path: str) -> case.Object:
        try:
            objects.read(name)
        except objects.NotAnObject as error:
            self.problems.append(Problem(node.line, path, "the name of an object", str(error)))
        table = self._table(node, path, ("facts", "settings"))
        held = self._object_facts(name, table.entries.get("facts", _EMPTY), f"{path}.facts")
        settings = self._texts(table, "settings", path)
        for one in sorted(set(settings) - set(held)):
            self.problems.append(Problem(table.line, f"{path}.settings", "one of its facts", one))
        return case.Object(name, held, settings)

    def _object_facts(self, _: str, node: Node, path: str) -> Mapping[str, str | float | bool]:
        table = self._table(node, path, tuple(sorted(facts.OF_OBJECTS)))
        held: dict[str, str | float | bool] = {}
        for name, inner in table.entries.items():
            value = inner.value if isinstance(inner, Scalar) else None
            known = facts.lookup(name)
            if known is None or value is None:
                self.problems.append(Problem(inner.line, path, "a value", document.describe(inner)))
            elif known.type is facts.FactType.NUMBER:
                held[name] = self._quantity(inner, f"{path}.{name}")
            else:
                held[name] = value
        return held

    def _levels(self, host: Table, path: str) -> Mapping[str, float]:
        return self._named(host, "levels", path, self._level)

    def _truths(self, table: Table, path: str) -> Mapping[str, float]:
        return self._named(table, "truths", path, self._truth)

    def _truth(self, name: str, node: Node, path: str) -> float:
        if facts.lookup(name) is not None or name in stage.HEALTHY:
            expected = "what no host measures; facts are levels"
            self.problems.append(Problem(node.line, path, expected, repr(name)))
        return self._quantity(node, path)

    def _level(self, name: str, node: Node, path: str) -> float:
        if name not in stage.HEALTHY:
            expected = "one of " + ", ".join(stage.HEALTHY)
            found = f"{name!r}{nearest(name, stage.HEALTHY)}"
            self.problems.append(Problem(node.line, path, expected, found))
        return self._quantity(node, path)

    def _quantity(self, node: Node, path: str) -> float:
        value = node.value if isinstance(node, Scalar) else None
        try:
            return units.quantity(str(value)).value
        except units.NotAQuantity:
            self.problems.append(Problem(node.line, path, "a number", document.describe(node)))
            return 0.0

    def _condition(self, table: Table, key: str) -> str:
        text = self._text(table, key, "", "disk_usage > 0%")
        try:
            conditions.parse(text)
        except errors.Rejected as error:
            self.problems.append(Problem(table.line, key, "a condition", str(error)))
            return "disk_usage > 0%"
        return text

    def _table(self, node: Node, path: str, known: tuple[str, ...]) -> Table:
        if not isinstance(node, Table):
            found = document.describe(node)
            self.problems.append(Problem(node.line, path, "a mapping", found))
            return Table(node.line, {}, {})
        for key in node.entries:
            if known and key not in known:
                expected = "one of " + ", ".join(known)
                found = f"{key!r}{nearest(key, known)}"
                self.problems.append(Problem(node.key_lines[key], path, expected, found))
        return node

    def _named(
        self, table: Table, key: str, path: str, read_one: Callable[[str, Node, str], _T]
    ) -> dict[str, _T]:
        if key not in table.entries:
            return {}
        inner = self._table(table.entries[key], f"{path}.{key}", ())
        return {
            name: read_one(name, node, f"{path}.{key}.{name}")
            for name, node in inner.entries.items()
        }

    def _items(
        self, table: Table, key: str, path: str, read_one: Callable[[Node, str], _T]
    ) -> tuple[_T, ...]:
        node = table.entries.get(key)
        if node is None:
            return ()
        place = f"{path}.{key}" if path else key
        if not isinstance(node, Sequence):
            found = document.describe(node)
            self.problems.append(Problem(node.line, place, "a list", found))
            return ()
        return tuple(read_one(item, f"{place}[{at}]") for at, item in enumerate(node.items))

    def _words(self, table: Table, key: str, path: str) -> dict[str, str]:
        return self._named(table, key, path, lambda _, node, inner: self._word(node, inner))

    def _texts(self, table: Table, key: str, path: str) -> tuple[str, ...]:
        return self._items(table, key, path, self._word)

    def _word(self, node: Node, path: str) -> str:
        value = node.value if isinstance(node, Scalar) else None
        if value is None or isinstance(value, bool):
            self.problems.append(Problem(node.line, path, "text", document.describe(node)))
            return ""
        return str(value)

    def _text(self, table: Table, key: str, path: str, default: str | None = None) -> str:
        node = table.entries.get(key)
        if node is not None:
            return self._word(node, f"{path}.{key}" if path else key)
        if default is None:
            self.problems.append(Problem(table.line, path, f"{key}: some text", "none"))
        return default or ""

    def _choice(
        self, table: Table, key: str, path: str, choices: tuple[str, ...], default: str
    ) -> str:
        found = self._text(table, key, path, default)
        if found not in choices:
            expected = "one of " + ", ".join(choices)
            self.problems.append(Problem(table.line, f"{path}.{key}", expected, repr(found)))
        return found

    def _flag(self, table: Table, key: str, path: str) -> bool:
        node = table.entries.get(key)
        if node is None:
            return True
        value = node.value if isinstance(node, Scalar) else None
        if not isinstance(value, bool):
            found = document.describe(node)
            self.problems.append(Problem(node.line, f"{path}.{key}", "true or false", found))
        return value is not False

    def _integer(
        self, table: Table, key: str, path: str, default: int | None, *, least: int = -20
    ) -> int:
        node = table.entries.get(key)
        if node is not None:
            return self._number(node, f"{path}.{key}", least)
        if default is None:
            self.problems.append(Problem(table.line, path, f"{key}: a number", "none"))
        return least if default is None else default

    def _number(self, node: Node, path: str, least: int) -> int:
        value = node.value if isinstance(node, Scalar) else None
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            expected = f"a whole number from {least} on"
            self.problems.append(Problem(node.line, path, expected, document.describe(node)))
            return least
        return value

    def _measure(
        self,
        table: Table,
        key: str,
        path: str,
        measure: Callable[[str], _T],
        default: _T,
    ) -> _T:
        node = table.entries.get(key)
        if node is None:
            return default
        try:
            return measure(self._word(node, f"{path}.{key}"))
        except units.NotAQuantity as error:
            self.problems.append(Problem(node.line, f"{path}.{key}", "a measure", str(error)))
            return default
