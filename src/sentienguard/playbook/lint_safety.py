"""The rules of lint about harm: what is deleted, run, reached and repeated, and at which risk.

Called by `lint`. `needs` is compared with what the steps do, so that a reviewer can read the
privileges of a playbook in one line and the executor can hold it to them.
"""

import fnmatch
import re
from collections.abc import Callable, Iterator

from sentienguard.model.playbook import Action, Field, Param, Playbook
from sentienguard.playbook import commands, kinds
from sentienguard.playbook.findings import Finding, error, warning
from sentienguard.playbook.parts import SHELL_FIELD
from sentienguard.playbook.places import actions, checks, step_path

LEAST_AGE_S = 3_600.0  # younger files may still be written to
_TOO_WIDE = frozenset({"*", "**", "*.*", "?*", "*?"})
_SYSTEM = ("/bin", "/boot", "/dev", "/etc", "/lib", "/lib64", "/proc", "/run", "/sbin", "/sys",
           "/usr", "/root", "/home")  # fmt: skip
_PRECIOUS = re.compile(
    r"(^|/)(pg_wal|pg_xlog|pgsql_tmp|base|audit|journal|\.ssh|postmaster\.pid)(/|$)|"
    r"\.(pid|lock|sock|db|sqlite|wal|key|pem)$"
)
_LOOPBACK = re.compile(r"https?://(localhost|127\.0\.0\.1|\[::1\])(:[0-9]{1,5})?(/.*)?")
_AUDIT_FILES = ("audit.log", "audit.log.1", "audit.log-20260101", "auth.log.1")
_DELETING = frozenset({"clean", "quarantine", "truncate"})


def _risk(playbook: Playbook) -> Iterator[Finding]:
    for path, action in actions(playbook):
        least = kinds.step_risk(action.kind, str(action.fields.get("operation", "")))
        if path.endswith(".rollback") or action.kind not in kinds.STEPS:
            continue  # an undo goes back to what was; its risk is that of the step it undoes
        if playbook.risk.rank < least.rank:
            operation = action.fields.get("operation", "")
            yield error(
                "risk-too-low",
                path,
                f"{action.kind} {operation} is {least}, the playbook says {playbook.risk}",
                f"write risk: {least}",
            )


def _files(playbook: Playbook) -> Iterator[Finding]:
    for path, action in actions(playbook):
        if action.kind == "fs" and action.fields.get("operation") in _DELETING:
            yield from _deletion(path, action)


def _deletion(path: str, action: Action) -> Iterator[Finding]:
    fields = action.fields
    root, below = fields.get("path"), str(fields.get("below", ""))
    pattern = str(fields.get("pattern", ""))
    where = f"{root}/{below}" if below else str(root)
    if pattern in _TOO_WIDE and not below and not _narrow(root):
        yield error(
            "unbounded-delete",
            path,
            f"pattern {pattern} matches every file of a whole volume",
            "name the files (*.log.[0-9]*), or a directory with below:",
        )
    if isinstance(root, str) and not _narrow(root):
        yield error(
            "unbounded-delete",
            path,
            f"{root} is or holds what the system itself needs",
            "name the narrowest directory, such as /var/cache/nginx",
        )
    if _PRECIOUS.search(where) or _PRECIOUS.search(pattern.replace("*", "x")):
        yield error(
            "precious-files",
            path,
            f"{where}/{pattern} may be what a database or a running process cannot lose",
            "leave such files to the program that owns them",
        )
    holds_logs = below.partition("/")[0] in {"", "log", "var"}
    if (
        holds_logs
        and (not _narrow(root) or root == "/var/log")
        and any(fnmatch.fnmatchcase(name, pattern) for name in _AUDIT_FILES)
    ):
        yield error(
            "precious-files",
            path,
            f"pattern {pattern} also matches the audit trail below the volume",
            "leave out names that begin with au: one step for [!a]*..., one for a[!u]*...",
        )
    age = fields.get("min_age")
    if isinstance(age, float) and age < LEAST_AGE_S:
        yield warning(
            "young-files",
            path,
            f"files of {age:.0f} s may still be in use",
            "raise min_age to an hour or more",
        )
    if "max_files" not in fields:
        yield warning("no-limit", path, "one run may touch any number of files", "add max_files")


def _narrow(root: Field | None) -> bool:
    if not isinstance(root, str):
        return False  # a mountpoint parameter: a whole volume
    if root in {"/tmp", "/var/tmp", "/var/log"}:  # noqa: S108 - judged here, not used
        return True
    inside_system = any(root == top or root.startswith(f"{top}/") for top in _SYSTEM)
    return not inside_system and root.count("/") > 2  # noqa: PLR2004 - /var/cache/nginx or deeper


def _programs(playbook: Playbook) -> Iterator[Finding]:
    for path, action in actions(playbook):
        yield from _program(path, action)
    for path, check in checks(playbook):
        yield from _program(path, Action("command", check.fields))


def _program(path: str, action: Action) -> Iterator[Finding]:
    name = commands.program(action)
    text = commands.text_of(action)
    if SHELL_FIELD in action.fields:
        yield error(
            "shell",
            path,
            f"{text[:80]!r} needs a shell, and there is none",
            "use a fact, a typed action, or argv: with one program",
        )
    elif name and not name.startswith("/") and action.kind in {"ssh_command", "command"}:
        yield error(
            "program-not-absolute",
            path,
            f"{name!r} is looked for on a path",
            "write the absolute path, such as /usr/sbin/nginx",
        )
    if name and commands.interprets(name):
        given = ", and an order gives one here" if commands.has_parameter(action) else ""
        yield error(
            "interpreter",
            path,
            f"{name} can run code or write files because of an argument{given}",
            "use a typed action (fs, service, process), a fact, or a program that only does this",
        )


def _commands(playbook: Playbook) -> Iterator[Finding]:
    for path, action in actions(playbook):
        if commands.tells_somebody(action):
            level = error if playbook.idempotent else warning
            yield level(
                "not-idempotent",
                path,
                f"{str(action.fields.get('url'))[:80]} notifies somebody again on each run",
                "leave it out: the incident record and its notifications already say what happened",
            )
        if action.kind == "kubectl_delete" and not {"name", "selector", "object"} & set(
            action.fields
        ):
            yield error(
                "unbounded-delete",
                path,
                f"deletes every {action.fields.get('resource')} of the namespace",
                "name the object with object_name, or bound it with selector",
            )
        for remark in commands.remarks(action):
            if remark.rule == "not-idempotent" and not playbook.idempotent:
                yield warning(remark.rule, path, remark.message, remark.way_out)
            else:
                yield error(remark.rule, path, remark.message, remark.way_out)


def _idempotence(playbook: Playbook) -> Iterator[Finding]:
    if not playbook.idempotent:
        yield warning(
            "not-idempotent",
            "idempotent",
            "a playbook that is not idempotent never runs without a person",
            "write idempotent: true once a second run changes nothing",
        )


def _needs(playbook: Playbook) -> Iterator[Finding]:
    wanted: dict[str, str] = {}
    for path, action in actions(playbook):
        for need in (_need(action), *(f"write:{one}" for one in commands.written(action))):
            if need:
                wanted.setdefault(need, path)
    for need, path in wanted.items():
        if not any(_covers(declared, need) for declared in playbook.needs):
            yield error("undeclared-need", path, f"{need} is not in needs", f"add {need} to needs")
    for declared in playbook.needs:
        if not any(_covers(declared, need) for need in wanted):
            yield warning("unused-need", "needs", f"nothing uses {declared}", "leave it out")


def _need(action: Action) -> str:
    """Return the privilege an action needs; `restore` needs what its step already declared."""
    fields = action.fields
    operation = str(fields.get("operation", ""))
    kind = kinds.STEPS.get(action.kind)
    known = kind.operation(operation) if kind is not None else None
    match known.privilege if known is not None else "":
        case "write":
            below = f"/{fields['below']}" if "below" in fields else ""
            return f"write:{_shown(fields.get('path'))}{below}"
        case "config":
            return f"config:{_shown(fields.get('file_of', fields.get('path')))}"
        case "service" | "server" | "open-files" as over:
            return f"{over}:{_shown(fields.get('service'))}"
        case "kernel":
            return f"kernel:{fields.get('setting')}"
        case "run":
            program = commands.program(action)
            return "ssh" if "object" in fields else f"run:{program}" if program else ""
        case other:
            return other


def _shown(value: Field | None) -> str:
    return f"@{value.name}" if isinstance(value, Param) else str(value)


def _covers(declared: str, need: str) -> bool:
    return need == declared or (
        declared.startswith("write:") and need.startswith(f"{declared.rstrip('/')}/")
    )


def _addresses(playbook: Playbook) -> Iterator[Finding]:
    everything = (
        *((path, action.fields) for path, action in actions(playbook)),
        *((path, check.fields) for path, check in checks(playbook)),
    )
    for path, fields in everything:
        url = fields.get("url")
        if isinstance(url, str) and not _LOOPBACK.fullmatch(url):
            yield error(
                "not-loopback",
                path,
                f"{url} is not on this host; the executor has no other network",
                "use http://localhost:PORT/..., or url_of: {param: service}",
            )


def _looking(playbook: Playbook) -> Iterator[Finding]:
    """A check only looks; a command that changes something belongs into a step."""
    for path, check in checks(playbook):
        for remark in commands.remarks(Action("command", check.fields)):
            if remark.rule in {"unbounded-delete", "harmful", "not-idempotent"}:
                yield error(
                    "check-changes-something", path, remark.message, "make it a step with an undo"
                )


def _restarts(playbook: Playbook) -> Iterator[Finding]:
    for at, step in enumerate(playbook.steps):
        operation = step.action.fields.get("operation")
        if step.action.kind != "service" or operation not in {"restart", "kill_and_start"}:
            continue
        if playbook.guard is None and step.only_if is None:
            yield error(
                "unconditional-restart",
                step_path(at),
                f"{step.name} restarts whatever the state is",
                "add only_if: service_status != running, or a guard",
            )


RULES: tuple[Callable[[Playbook], Iterator[Finding]], ...] = (
    _risk,
    _files,
    _programs,
    _commands,
    _idempotence,
    _needs,
    _addresses,
    _looking,
    _restarts,
)
