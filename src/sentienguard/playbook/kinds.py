"""Which kinds of steps and checks exist, with their closed fields and their static risk.

Called by `parse` (what may be written), `lint` (risk, availability), `schema` (editors) and the
executor, which obeys the kinds that are `available`. One entry here is the whole declaration of a
kind; what it does is in `stages/execute/steps` and `stages/execute/checks`.
"""

from collections.abc import Mapping

from sentienguard.model.playbook import Action, Risk
from sentienguard.playbook import object_kinds, server_kinds, sql_kinds
from sentienguard.playbook.kind import FieldSpec, Kind, Operation, Shape

__all__ = ["CHECKS", "STEPS", "FieldSpec", "Kind", "Operation", "Shape", "step_risk", "unrunnable"]


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
_REST = FieldSpec(
    "rest", Shape.CHOICE, "where more match than may be moved", choices=("stays", "refuse")
)
_KEEP = FieldSpec("keep_newest", Shape.INTEGER, "leave so many of the newest matches alone")
_URL = _field("url", Shape.URL, "address on this host", required=False)
_URL_OF = _field("url_of", Shape.SERVICE, "service whose health_url is asked", required=False)
_STATUS = FieldSpec(
    "expected_status", Shape.INTEGER, "status that is right", minimum=100, maximum=599, default=200
)
_LATER = "hand it to people for now: a step kind that this release can run, or an escalation"


def _min_age(*, required: bool) -> FieldSpec:
    return FieldSpec(
        "min_age", Shape.DURATION, "only files not modified for so long", required=required
    )


def _service(name: str, meaning: str, risk: Risk, *, undo_only: bool = False) -> Operation:
    return Operation(name, meaning, (_SERVICE,), risk, undo_only=undo_only, privilege="service")


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
            _REST,
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
    Operation(
        "use_backup",
        "put the copy that is kept beside a file into its place",
        (
            _field("file_of", Shape.SERVICE, "service whose config_file it is", required=False),
            _field("path", Shape.FILE, "the file", required=False),
            _field("suffix", Shape.SUFFIX, "what the copy's name has behind that of the file"),
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
                    (
                        FieldSpec("argv", Shape.ARGV, _ARGV.meaning),
                        FieldSpec("user", Shape.WORD, "run as this user"),
                        object_kinds.OBJECT,
                        object_kinds.UNIT_CALL,
                    ),
                    Risk.WARNING,
                    one_of=(("argv", "command", "object"),),
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
                    "end_leftovers", "end what its dead main process left running", Risk.WARNING
                ),
                _service(
                    "restore", "running or stopped, as the step found it", Risk.SAFE, undo_only=True
                ),
            ),
        ),
        Kind("fs", "work on files", _FS),
        Kind("process", "signal or slow down one process", _PROCESS),
        *server_kinds.STEPS,
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
        *sql_kinds.STEPS,
        *object_kinds.STEPS,
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
            "setting_check",
            "a configuration file gives a setting a value",
            _field("file_of", Shape.SERVICE, "service whose config_file it is", required=False),
            _field("path", Shape.FILE, "the file", required=False),
            _field("key", Shape.WORD, "name of the setting"),
            one_of=("file_of", "path"),
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
        *sql_kinds.CHECKS,
    )
}


def unrunnable(action: Action) -> str | None:
    """Say why a step of a known kind can be read and not run here; None: it can be run."""
    known = STEPS.get(action.kind)
    if known is None or not known.available:
        return f"this release cannot run {action.kind}"
    return object_kinds.unrunnable(action, known)


def step_risk(kind: str, operation: str) -> Risk:
    """Return the static risk of an action; what is not known is CRITICAL."""
    known = STEPS.get(kind)
    found = known.operation(operation) if known is not None else None
    return found.risk if found is not None else Risk.CRITICAL
