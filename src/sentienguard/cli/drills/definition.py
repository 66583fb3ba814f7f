"""A drill that lies in a directory: `drill.yaml` and the files beside it.

Called by `shelf`, which finds them. Reads and checks; runs nothing. What each key means stands in
docs/reference/drills.md, which names every field of the classes below.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import yaml

from sentienguard.model import errors

FILE = "drill.yaml"
BEDS = ("node", "sandbox")
KINDS = ("fault", "decoy")
# What may come of it: outcomes of an incident, or that nothing was done.
OUTCOMES = ("resolved", "rolled_back", "escalated", "self_recovered", "left_alone")
PERSONS = ("nobody", "approves", "refuses")
MOST_BYTES = 64 << 10  # of a drill.yaml
DEEPEST = 50  # mappings within lists within mappings that the quick loader is given
MOST_VOLUME = 2048 << 20
LONGEST_S = 600.0

T = TypeVar("T")
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_WORD = re.compile(r"[a-z][a-z0-9]{0,15}")
_SIZE = re.compile(r"([0-9]{1,6})(KB|MB)")
_UNITS = {"KB": 1 << 10, "MB": 1 << 20}
_SETTINGS = ("prepare", "inject", "present", "gone")


class BadDrill(errors.Rejected):
    """This directory is no drill; the message names the file, the key and what it should hold."""


@dataclass(frozen=True, slots=True)
class Volume:
    """A small file system of the bed, at $HERE/NAME."""

    size: int  # bytes
    inodes: int | None = None  # None: as many as the size gives; a number needs a mount


@dataclass(frozen=True, slots=True)
class Service:
    """A process that the bed starts and the agent watches."""

    start: tuple[str, ...]  # argv; $HERE, $DRILL, $LIB, $PYTHON and $PORT_NAME are replaced
    pid_file: str  # empty: the bed keeps one
    health: str  # address that answers 2xx while it is well; empty: none
    log: str  # file that is tailed; empty: none
    config: str  # file that playbooks may edit; empty: none
    forks: bool = False  # true: its start ends at once and it writes the pid file by itself


@dataclass(frozen=True, slots=True)
class Expected:
    """What has to come of it."""

    outcomes: tuple[str, ...]  # any of these, as in OUTCOMES
    playbook: str = ""  # the remedy that is for it; empty: none, or any
    person: str = "nobody"  # what a person answers if one is asked, as in PERSONS
    acts: bool = False  # of a decoy: true where a remedy may try, as long as nothing is harmed

    @property
    def sentence(self) -> str:
        """Say it for people."""
        what = " or ".join(one.replace("_", " ") for one in self.outcomes)
        by = f" by {self.playbook}" if self.playbook else ""
        asked = f", a person {self.person}" if self.person != "nobody" else ""
        return f"{what}{by}{asked}"


@dataclass(frozen=True, slots=True)
class Definition:
    """One drill."""

    directory: Path  # read only; $DRILL on the bed
    name: str
    kind: str  # as in KINDS
    about: str  # a sentence for people
    beds: tuple[str, ...]  # on which it can run, the best first
    needs: tuple[str, ...]  # programs that the bed has to have, absolute paths
    volumes: Mapping[str, Volume]
    ports: tuple[str, ...]  # names; each is a free port, $PORT_NAME
    services: Mapping[str, Service]
    software: tuple[Mapping[str, str], ...]  # as in agent.json
    databases: Mapping[str, Mapping[str, str]]  # by service, as in agent.json
    tags: Mapping[str, str]  # of the host
    maintenance: bool  # true: a maintenance window covers the host
    prepare: str  # shell, before anything is watched
    inject: str  # shell: break it
    present: str  # shell: status 0 while the fault is there
    gone: str  # shell: status 0 once what was broken works; empty: not asked
    metric: str  # where it shows
    subject: str  # of the metric; $HERE is replaced
    process: str  # shell that prints the process that a remedy is about; empty: none
    expected: Expected
    invariants: Mapping[str, str] = field(default_factory=dict)  # by name, shell whose output stays
    watch_s: float = 12.0  # how long a decoy is watched at least
    limit_s: float = 120.0  # from the fault to the end
    calm_s: float = 2.5  # of calm before the fault
    controls: str = "{}"  # what remedies may speak to, as in agent.json, written as JSON

    @property
    def is_decoy(self) -> bool:
        """Tell whether the obvious remedy would be wrong, or nothing is."""
        return self.kind == "decoy"


def read(directory: Path) -> Definition:
    """Read DIR/drill.yaml. Raises BadDrill."""
    file = directory / FILE
    try:
        text = file.read_bytes()
        if len(text) > MOST_BYTES:
            raise BadDrill(f"{file}: expected at most {MOST_BYTES} bytes, found {len(text)}")
        found: Any = yaml.load(text, _loader(text))  # noqa: S506  # both are safe ones
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as cause:
        raise BadDrill(f"{file}: cannot be read as YAML: {cause}") from cause
    return _Reader(str(file)).drill(found, directory.resolve())


def _loader(text: bytes) -> Any:
    """Return the quick loader where it may be used, else the one in Python.

    The quick one recurses in C: it ends the process where a file nests thousands deep, and knows no
    RecursionError. Reading the events does not recurse.
    """
    quick = getattr(yaml, "CSafeLoader", None)
    if quick is None:
        return yaml.SafeLoader
    depth = 0
    for event in yaml.parse(text, Loader=quick):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            return yaml.SafeLoader
    return quick


@dataclass(frozen=True, slots=True)
class _Reader:
    """Checks one file; each method takes the value and the key it stood at."""

    file: str

    def drill(self, value: Any, directory: Path) -> Definition:
        keys = {"name", "kind", "about", "beds", "inject", "expect"}
        optional = {
            *(
                "needs",
                "volumes",
                "ports",
                "services",
                "software",
                "databases",
                "controls",
                "tags",
                "maintenance",
            ),
            *(
                "prepare",
                "present",
                "gone",
                "symptom",
                "invariants",
                "watch_s",
                "limit_s",
                "calm_s",
            ),
        }
        found = self.mapping(value, "the file", keys, optional)
        name = self.matching(found["name"], _NAME, "name")
        if name != directory.name:
            raise self.wrong("name", f"{directory.name}, as its directory is called", name)
        kind = self.one_of(found["kind"], KINDS, "kind")
        texts = {key: self.text(found.get(key, ""), key) for key in _SETTINGS}
        for needed in ("inject", *(("present", "gone") if kind == "fault" else ())):
            if not texts[needed].strip():
                raise self.wrong(needed, f"a shell script: a {kind} needs one", texts[needed])
        symptom = self.mapping(
            found.get("symptom", {}), "symptom", set(), {"metric", "subject", "process"}
        )
        if kind == "fault" and not symptom.get("metric"):
            raise self.wrong("symptom.metric", "the metric in which the fault shows", None)
        ports = self.list(found.get("ports", []), "ports", self.word)
        return Definition(
            directory=directory,
            name=name,
            kind=kind,
            about=" ".join(self.text(found["about"], "about").split()),
            beds=self.list(found["beds"], "beds", lambda one, key: self.one_of(one, BEDS, key)),
            needs=self.list(found.get("needs", []), "needs", self.absolute),
            volumes=self.named(found.get("volumes", {}), "volumes", self.volume),
            ports=ports,
            services=self.named(found.get("services", {}), "services", self.service),
            software=self.list(found.get("software", []), "software", self.texts),
            databases=self.named(found.get("databases", {}), "databases", self.texts),
            tags=self.texts(found.get("tags", {}), "tags"),
            maintenance=self.truth(found.get("maintenance", False), "maintenance"),
            **texts,
            metric=self.text(symptom.get("metric", ""), "symptom.metric"),
            subject=self.text(symptom.get("subject", ""), "symptom.subject"),
            process=self.text(symptom.get("process", ""), "symptom.process"),
            expected=self.expected(found["expect"]),
            invariants=self.texts(found.get("invariants", {}), "invariants"),
            watch_s=self.number(found.get("watch_s", 12), "watch_s"),
            limit_s=self.number(found.get("limit_s", 120), "limit_s"),
            calm_s=self.number(found.get("calm_s", 2.5), "calm_s"),
            controls=self.controls(found.get("controls", {})),
        )

    def wrong(self, key: str, expected: str, value: object) -> BadDrill:
        """Say which file, which key, what it should hold and what it holds."""
        return BadDrill(f"{self.file}: {key}: expected {expected}, found {value!r:.80}")

    def mapping(self, value: Any, key: str, needed: set[str], optional: set[str]) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise self.wrong(key, "a mapping", value)
        if missing := sorted(needed - value.keys()):
            raise self.wrong(missing[0], "a value", None)
        if unknown := sorted(map(str, value.keys() - needed - optional)):
            known = ", ".join(sorted(needed | optional))
            raise BadDrill(f"{self.file}: {key}: {unknown[0]!r} is no key; known: {known}")
        return value

    def named(self, value: Any, key: str, read: Callable[[Any, str], T]) -> dict[str, T]:
        if not isinstance(value, dict):
            raise self.wrong(key, "a mapping by name", value)
        return {self.word(name, key): read(one, f"{key}.{name}") for name, one in value.items()}

    def list(self, value: Any, key: str, read: Callable[[Any, str], T]) -> tuple[T, ...]:
        if not isinstance(value, list):
            raise self.wrong(key, "a list", value)
        return tuple(read(one, f"{key}[{at}]") for at, one in enumerate(value))

    def text(self, value: Any, key: str) -> str:
        if not isinstance(value, str) or "\0" in value:
            raise self.wrong(key, "a text", value)
        return value

    def texts(self, value: Any, key: str) -> dict[str, str]:
        if not isinstance(value, dict):
            raise self.wrong(key, "a mapping of texts", value)
        return {
            self.text(name, key): self.text(one, f"{key}.{name}") for name, one in value.items()
        }

    def controls(self, value: Any) -> str:
        """Keep them as JSON: their values are paths and addresses of a bed that is not made yet."""
        if not isinstance(value, dict):
            raise self.wrong("controls", "a mapping by service", value)
        try:
            return json.dumps(value)
        except (TypeError, ValueError) as cause:
            raise self.wrong("controls", "texts, numbers, lists and mappings", value) from cause

    def word(self, value: Any, key: str) -> str:
        return self.matching(value, _WORD, key)

    def matching(self, value: Any, pattern: re.Pattern[str], key: str) -> str:
        if not isinstance(value, str) or pattern.fullmatch(value) is None:
            raise self.wrong(key, f"a name like {pattern.pattern}", value)
        return value

    def one_of(self, value: Any, known: tuple[str, ...], key: str) -> str:
        if value not in known:
            raise self.wrong(key, f"one of {', '.join(known)}", value)
        return str(value)

    def absolute(self, value: Any, key: str) -> str:
        if not isinstance(value, str) or not value.startswith("/"):
            raise self.wrong(key, "an absolute path", value)
        return value

    def truth(self, value: Any, key: str) -> bool:
        if not isinstance(value, bool):
            raise self.wrong(key, "true or false", value)
        return value

    def number(self, value: Any, key: str) -> float:
        if type(value) not in {int, float} or not 1 <= value <= LONGEST_S:
            raise self.wrong(key, f"seconds from 1 to {LONGEST_S:.0f}", value)
        return float(value)

    def volume(self, value: Any, key: str) -> Volume:
        found = self.mapping(value, key, {"size"}, {"inodes"})
        size = _SIZE.fullmatch(str(found["size"]))
        bytes_ = int(size[1]) * _UNITS[size[2]] if size else 0
        if not 0 < bytes_ <= MOST_VOLUME:
            raise self.wrong(f"{key}.size", "a size such as 48MB, at most 2048MB", found["size"])
        inodes = found.get("inodes")
        if inodes is not None and (type(inodes) is not int or inodes < 1):
            raise self.wrong(f"{key}.inodes", "a number of files", inodes)
        return Volume(bytes_, inodes)

    def service(self, value: Any, key: str) -> Service:
        optional = {"pid_file", "health", "log", "config", "forks"}
        found = self.mapping(value, key, {"start"}, optional)
        start = self.list(found["start"], f"{key}.start", self.text)
        if not start or start[0][:1] not in {"/", "$"}:
            raise self.wrong(f"{key}.start", "argv that begins with an absolute path", start)
        rest = ("pid_file", "health", "log", "config")
        texts = {name: self.text(found.get(name, ""), f"{key}.{name}") for name in rest}
        return Service(start, **texts, forks=self.truth(found.get("forks", False), f"{key}.forks"))

    def expected(self, value: Any) -> Expected:
        found = self.mapping(value, "expect", {"outcome"}, {"playbook", "person", "acts"})
        given = found["outcome"]
        outcomes = self.list(
            given if isinstance(given, list) else [given],
            "expect.outcome",
            lambda one, key: self.one_of(one, OUTCOMES, key),
        )
        if not outcomes:
            raise self.wrong("expect.outcome", f"one of {', '.join(OUTCOMES)}", given)
        return Expected(
            outcomes,
            self.text(found.get("playbook", ""), "expect.playbook"),
            self.one_of(found.get("person", "nobody"), PERSONS, "expect.person"),
            self.truth(found.get("acts", False), "expect.acts"),
        )
