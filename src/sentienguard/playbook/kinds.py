"""Which kinds of steps and checks exist, with their closed fields and their static risk.

Called by `parse` (what may be written), `lint` (risk, availability), `schema` (editors) and the
executor, which obeys the kinds that are `available`. One entry here is the whole declaration of a
kind; what it does is in `stages/execute/steps` and `stages/execute/checks`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from sentienguard.model.playbook import Risk


class Shape(StrEnum):
    """What a field holds. Each shape says by itself which type of parameter may stand for it."""

    TEXT = "text"  # a literal line of text
    WORD = "word"  # a literal name: letters, digits and _ . - @
    CHOICE = "choice"  # one of the field's `choices`
    INTEGER = "integer"  # literal or integer/percent parameter
    SCALAR = "scalar"  # literal text, number, true or false
    DURATION = "duration"  # seconds; literal or duration parameter
    SIZE = "size"  # bytes; literal
    ARGV = "argv"  # a program and its arguments; arguments may be parameters
    WORDS = "words"  # literal names or absolute paths
    DIRECTORY = "directory"  # absolute literal, or mountpoint parameter
    FILE = "file"  # absolute literal
    BELOW = "below"  # relative literal directory without ..
    GLOB = "glob"  # literal pattern for file names, without /
    URL = "url"  # literal http(s) address
    SERVICE = "service"  # literal or service parameter
    SERVICES = "services"  # a list of those
    PID = "pid"  # pid parameter only
    CONDITION = "condition"  # for conditions.parse
    FACT = "fact"  # name of a fact
    THRESHOLD = "threshold"  # operator and number, for conditions.of_metric
    PATTERN = "pattern"  # regular expression


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """One field of a kind."""

    name: str
    shape: Shape
    meaning: str  # for people
    required: bool = False
    choices: tuple[str, ...] = ()  # CHOICE only
    minimum: int = 0  # INTEGER only
    maximum: int = 2**31 - 1  # INTEGER only
    default: str | int | None = None  # what parse puts where the field is absent
    written: str = ""  # how a step spells it where `name` would be the step's own name

    @property
    def key(self) -> str:
        """The key of the document that holds it."""
        return self.written or self.name


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing that a kind can do; kinds that do one thing have one, with an empty name."""

    name: str
    meaning: str
    fields: tuple[FieldSpec, ...]
    risk: Risk = Risk.SAFE  # static; nothing may lower it
    one_of: tuple[tuple[str, ...], ...] = ()  # of each group exactly one field is given
    undo_only: bool = False  # makes sense only as the undo of a step of the same kind
    privilege: str = ""  # what `needs` has to declare: write, config, service, kill, nice, ...

    def spec(self, name: str) -> FieldSpec | None:
        """Find a field by its name."""
        return next((known for known in self.fields if known.name == name), None)


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of step or check."""

    name: str
    meaning: str
    operations: tuple[Operation, ...]
    available: bool = True  # false: is read, and cannot be signed in this release
    shorthand: str = ""  # field that `command:` text is split into
    instead: str = field(default="")  # the way out where it is not available

    @property
    def single(self) -> Operation | None:
        """The only operation of a kind that has no choice of operations."""
        return self.operations[0] if not self.operations[0].name else None

    def operation(self, name: str) -> Operation | None:
        """Find an operation by its name."""
        return next((known for known in self.operations if known.name == name), None)


def _field(
    name: str, shape: Shape, meaning: str, *, required: bool = True, default: int | None = None
) -> FieldSpec:
    return FieldSpec(name, shape, meaning, required=required, default=default)


def _choice(name: str, meaning: str, *choices: str) -> FieldSpec:
    return FieldSpec(name, Shape.CHOICE, meaning, choices=choices, default=choices[0])


_ARGV = _field("argv", Shape.ARGV, "absolute path of a program, then its arguments")
_SERVICE = _field("service", Shape.SERVICE, "one of the host's services")
_PID = _field("pid", Shape.PID, "a live process of the host")
_PID_NAME = FieldSpec(
    "name", Shape.WORD, "command name that the process must have", written="process_name"
)
_DIRECTORY = _field("path", Shape.DIRECTORY, "volume or directory to work in")
_BELOW = FieldSpec("below", Shape.BELOW, "directory under `path`; absent: `path` itself")
_PATTERN = _field("pattern", Shape.GLOB, "glob that a file's own name has to match")
_MIN_SIZE = FieldSpec("min_size", Shape.SIZE, "only files at least this big")
_MAX_FILES = FieldSpec("max_files", Shape.INTEGER, "at most so many files in one run", minimum=1)
_KEEP = FieldSpec("keep_newest", Shape.INTEGER, "leave so many of the newest matches alone")
_URL = _field("url", Shape.URL, "address on this host", required=False)
_URL_OF = _field("url_of", Shape.SERVICE, "service whose health_url is asked", required=False)
_STATUS = FieldSpec(
    "expected_status", Shape.INTEGER, "status that is right", minimum=100, maximum=599, default=200
)
_QUERY = _field("query", Shape.TEXT, "one SQL statement")
_LATER = "hand it to people for now: a step kind that this release can run, or an escalation"


def _min_age(*, required: bool) -> FieldSpec:
    return FieldSpec(
        "min_age", Shape.DURATION, "only files not modified for so long", required=required
    )


def _service(name: str, meaning: str, risk: Risk, *, undo_only: bool = False) -> Operation:
    return Operation(name, meaning, (_SERVICE,), risk, undo_only=undo_only, privilege="service")


def _kubectl(verb: str, meaning: str, *extra: FieldSpec) -> Kind:
    fields = (
        _field("resource", Shape.WORD, "kind of object, for example pod"),
        FieldSpec("name", Shape.WORD, "name of the object", written="object_name"),
        FieldSpec("selector", Shape.TEXT, "label or status selector"),
        FieldSpec("namespace", Shape.WORD, "namespace; absent: that of the service account"),
        *extra,
    )
    operation = Operation("", meaning, fields, Risk.WARNING, privilege="kubernetes")
    return Kind(f"kubectl_{verb}", meaning, (operation,), available=False, instead=_LATER)


def _cloud(name: str, vendor: str) -> Kind:
    operation = Operation("", f"call {vendor}", (_ARGV,), Risk.CRITICAL, privilege="cloud")
    meaning = f"one call of {vendor}'s command line"
    return Kind(name, meaning, (operation,), available=False, shorthand="argv", instead=_LATER)


_FS = (
    Operation(
        "clean",
        "delete matching files",
        (_DIRECTORY, _BELOW, _PATTERN, _min_age(required=True), _MAX_FILES, _KEEP),
        privilege="write",
    ),
    Operation(
        "quarantine",
        "move matching files aside on the same volume",
        (
            _DIRECTORY,
            _BELOW,
            _PATTERN,
            _min_age(required=False),
            _MIN_SIZE,
            _MAX_FILES,
            _KEEP,
        ),
        privilege="write",
    ),
    Operation(
        "truncate",
        "empty matching files and keep them open for their writers",
        (_DIRECTORY, _BELOW, _PATTERN, _MIN_SIZE, _MAX_FILES),
        Risk.WARNING,
        privilege="write",
    ),
    Operation(
        "set_setting",
        "give one `key = value` line of a file a value",
        (
            _field("file_of", Shape.SERVICE, "service whose config_file it is", required=False),
            _field("path", Shape.FILE, "the file", required=False),
            _field("key", Shape.WORD, "name of the setting"),
            _field("value", Shape.TEXT, "value of the setting"),
        ),
        Risk.WARNING,
        one_of=(("file_of", "path"),),
        privilege="config",
    ),
    Operation("restore", "put files back as the step found them", (), undo_only=True),
)

_PROCESS = (
    Operation("reap", "SIGCHLD: collect ended children", (_PID, _PID_NAME), privilege="kill"),
    Operation(
        "renice",
        "lower its priority",
        (
            _PID,
            _PID_NAME,
            FieldSpec("nice", Shape.INTEGER, "1 to 19", minimum=1, maximum=19, default=10),
        ),
        privilege="nice",
    ),
    Operation("continue", "SIGCONT: let it go on", (_PID, _PID_NAME), privilege="kill"),
    Operation(
        "terminate",
        "SIGTERM: ask it to end",
        (_PID, _PID_NAME, FieldSpec("grace", Shape.DURATION, "how long it may take to end")),
        Risk.WARNING,
        privilege="kill",
    ),
    Operation("kill", "SIGKILL: end it", (_PID, _PID_NAME), Risk.CRITICAL, privilege="kill"),
    Operation("restore", "give it back the priority the step found", (), undo_only=True),
)

STEPS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind(
            "ssh_command",
            "run one program, locally by default, never through a shell",
            (
                Operation(
                    "",
                    "run the program",
                    (_ARGV, FieldSpec("user", Shape.WORD, "run as this user")),
                    Risk.WARNING,
                    privilege="run",
                ),
            ),
            shorthand="argv",
        ),
        Kind(
            "service",
            "control one of the host's services",
            (
                _service("start", "start it; nothing if it runs", Risk.SAFE),
                _service("reload", "have it read its settings again", Risk.SAFE),
                _service("stop", "stop it; nothing if it is stopped", Risk.WARNING),
                _service("restart", "stop it in order, then start it", Risk.WARNING),
                _service("kill_and_start", "end a hung process, then start it", Risk.WARNING),
                _service(
                    "restore", "running or stopped, as the step found it", Risk.SAFE, undo_only=True
                ),
            ),
        ),
        Kind("fs", "work on files", _FS),
        Kind("process", "signal or slow down one process", _PROCESS),
        Kind(
            "http",
            "ask an address on this host to do something",
            (
                Operation(
                    "",
                    "send one request",
                    (
                        _choice("method", "request method", "GET", "HEAD", "POST"),
                        _URL,
                        _URL_OF,
                        _STATUS,
                    ),
                    Risk.WARNING,
                    one_of=(("url", "url_of"),),
                    privilege="loopback",
                ),
            ),
        ),
        Kind(
            "sql_query",
            "run one SQL statement",
            (
                Operation(
                    "",
                    "run the statement",
                    (_QUERY, FieldSpec("database", Shape.WORD, "name of the connection")),
                    Risk.WARNING,
                    privilege="sql",
                ),
            ),
            available=False,
            instead=_LATER,
        ),
        _kubectl("delete", "delete objects"),
        _kubectl("rollout_restart", "restart the pods of a workload"),
        _kubectl("rollout_undo", "go back to the revision before"),
        _kubectl(
            "scale",
            "set the number of replicas",
            FieldSpec("replicas", Shape.INTEGER, "how many", required=True, maximum=1_000),
        ),
        _cloud("aws_cli", "AWS"),
        _cloud("gcloud", "Google Cloud"),
        _cloud("az_cli", "Azure"),
    )
}


def _check(
    name: str,
    meaning: str,
    *fields: FieldSpec,
    one_of: tuple[str, ...] = (),
    available: bool = True,
    shorthand: str = "",
) -> Kind:
    operation = Operation("", meaning, fields, one_of=(one_of,) if one_of else ())
    instead = "" if available else "ask for the same as a condition, http or command check"
    return Kind(name, meaning, (operation,), available, shorthand, instead)


_ROWS = FieldSpec("expect_rows", Shape.INTEGER, "number of rows")
_EXPECT = FieldSpec("expect_value", Shape.SCALAR, "the only value of the only row")
_STATE = _choice("state", "how it has to be", "running", "stopped")

CHECKS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        _check(
            "condition",
            "facts measured now",
            _field("condition", Shape.CONDITION, "condition over facts"),
        ),
        _check(
            "metric",
            "one fact and its threshold",
            _field("metric", Shape.FACT, "name of a fact"),
            _field("threshold", Shape.THRESHOLD, "for example < 80%"),
        ),
        _check(
            "http",
            "an address on this host answers",
            _URL,
            _URL_OF,
            _STATUS,
            one_of=("url", "url_of"),
        ),
        _check(
            "process",
            "a process or service runs",
            FieldSpec("name", Shape.WORD, "command name of the process"),
            _field("service", Shape.SERVICE, "one of the host's services", required=False),
            _STATE,
            FieldSpec("min_uptime", Shape.DURATION, "running for at least so long"),
            one_of=("name", "service"),
        ),
        _check(
            "command",
            "a program that only looks ends with a status",
            _ARGV,
            FieldSpec("expected_exit_code", Shape.INTEGER, "0 to 255", maximum=255, default=0),
            shorthand="argv",
        ),
        _check(
            "log_check",
            "lines of a log match a pattern no more than so often",
            FieldSpec("file", Shape.FILE, "the log file"),
            _field("log_of", Shape.SERVICE, "service whose log_file it is", required=False),
            _field("pattern", Shape.PATTERN, "regular expression"),
            FieldSpec("max_matches", Shape.INTEGER, "how many may match", default=0),
            FieldSpec("lookback", Shape.DURATION, "how far back", default=60),
            one_of=("file", "log_of"),
        ),
        _check(
            "tag_check",
            "a tag of the host has a value; an absent tag counts as false",
            _field("tag", Shape.WORD, "name of the tag"),
            _field("expect_value", Shape.SCALAR, "value it has to have"),
        ),
        _check(
            "concurrency_check",
            "no other playbook runs",
            _choice("scope", "where no other may run", "host"),
        ),
        _check(
            "resources",
            "room for what this playbook itself needs",
            FieldSpec("disk_free", Shape.SIZE, "free on the volume of `mount`, else on /"),
            FieldSpec("memory_free", Shape.SIZE, "free memory"),
        ),
        _check(
            "dependencies",
            "what the steps use is there",
            FieldSpec("binaries", Shape.WORDS, "programs"),
            FieldSpec("services", Shape.SERVICES, "services"),
        ),
        _check("maintenance", "no maintenance window, and not marked do-not-remediate"),
        _check("sql_query", "a query's answer", _QUERY, _ROWS, _EXPECT, available=False),
        _check("sql", "a query's answer", _QUERY, _ROWS, _EXPECT, available=False),
    )
}


def step_risk(kind: str, operation: str) -> Risk:
    """Return the static risk of an action; what is not known is CRITICAL."""
    known = STEPS.get(kind)
    found = known.operation(operation) if known is not None else None
    return found.risk if found is not None else Risk.CRITICAL
