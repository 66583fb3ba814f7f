"""Ansible playbooks: each play becomes a draft. Called by `sources`.

Written after the documentation of ansible-core: playbook keywords, and the modules named below. A
task whose module has no counterpart keeps its place as a step that no executor runs.
"""

import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from sentienguard.playbook.document import Node, Scalar, Table
from sentienguard.playbook.importing import lines, reading
from sentienguard.playbook.importing.drafts import Draft, Lost, word

TEMPLATES: Final = re.compile(
    r"\{\{\s*(?P<name>[A-Za-z_][A-Za-z0-9_]*)?.*?\}\}|\{%.*?%\}", re.DOTALL
)
_TASK_LISTS: Final = ("pre_tasks", "tasks", "post_tasks")
_QUIET: Final = frozenset(
    {"name", "tags", "gather_facts", "gather_subset", "collections", "no_log", "debugger", "args"}
)
_KEYWORDS: Final[Mapping[str, tuple[Lost, str]]] = {
    "hosts": (Lost.TARGET, "the hosts it was for"),
    "connection": (Lost.TARGET, "how hosts are reached"),
    "delegate_to": (Lost.TARGET, "that another host does it"),
    "delegate_facts": (Lost.TARGET, "that facts belong to another host"),
    "local_action": (Lost.TARGET, "that the controller does it"),
    "run_once": (Lost.TARGET, "that one host of many does it"),
    "port": (Lost.TARGET, "how hosts are reached"),
    "become": (Lost.PRIVILEGE, "that it runs with other rights"),
    "become_user": (Lost.PRIVILEGE, "as which user it runs"),
    "become_method": (Lost.PRIVILEGE, "how it gets other rights"),
    "become_flags": (Lost.PRIVILEGE, "how it gets other rights"),
    "remote_user": (Lost.PRIVILEGE, "as which user it runs"),
    "vars": (Lost.TEMPLATE, "variables"),
    "vars_files": (Lost.TEMPLATE, "variables of other files"),
    "vars_prompt": (Lost.PARAMETER, "variables that a person is asked for"),
    "environment": (Lost.OTHER, "environment variables"),
    "when": (Lost.CONDITION, "the condition under which it runs"),
    "changed_when": (Lost.CONDITION, "when it counts as a change"),
    "failed_when": (Lost.CONDITION, "when it counts as failed"),
    "creates": (Lost.CONDITION, "that it runs only while a file is missing"),
    "removes": (Lost.CONDITION, "that it runs only while a file is there"),
    "chdir": (Lost.OTHER, "the directory it runs in"),
    "loop": (Lost.LOOP, "the loop"),
    "loop_control": (Lost.LOOP, "how it loops"),
    "until": (Lost.FLOW, "that it is tried until something holds"),
    "retries": (Lost.FLOW, "how often it is tried"),
    "delay": (Lost.FLOW, "how long it waits between attempts"),
    "register": (Lost.FLOW, "that its result is used later"),
    "ignore_errors": (Lost.FLOW, "that its failure is ignored"),
    "ignore_unreachable": (Lost.FLOW, "that an unreachable host is ignored"),
    "notify": (Lost.FLOW, "that a handler runs after a change"),
    "listen": (Lost.FLOW, "that it runs when it is notified"),
    "handlers": (Lost.FLOW, "handlers"),
    "async": (Lost.FLOW, "that it runs in the background"),
    "poll": (Lost.FLOW, "that it runs in the background"),
    "serial": (Lost.FLOW, "how many hosts at a time"),
    "strategy": (Lost.FLOW, "in which order hosts are worked on"),
    "any_errors_fatal": (Lost.FLOW, "what a failure on one host means for others"),
    "max_fail_percentage": (Lost.FLOW, "what a failure on one host means for others"),
    "roles": (Lost.MODULE, "roles, whose tasks are in other files"),
    "check_mode": (Lost.OTHER, "whether it only looks"),
    "diff": (Lost.OTHER, "whether it shows differences"),
    "throttle": (Lost.FLOW, "how many hosts at a time"),
    "timeout": (Lost.OTHER, "its limit"),
}
_NO_STEP: Final[Mapping[str, tuple[Lost, str]]] = {
    "debug": (Lost.NOTICE, "it shows a text"),
    "assert": (Lost.CONDITION, "it checks something before it goes on"),
    "fail": (Lost.CONDITION, "it gives up under a condition"),
    "meta": (Lost.FLOW, "it steers Ansible itself"),
    "set_fact": (Lost.TEMPLATE, "it computes a variable"),
    "setup": (Lost.OTHER, "it gathers facts"),
    "stat": (Lost.CONDITION, "it looks at a file for a later condition"),
    "wait_for": (Lost.CONDITION, "it waits for a port, a file or a time"),
    "pause": (Lost.FLOW, "it waits for a time or a person"),
    "mail": (Lost.NOTICE, "it sends a mail"),
    "slack": (Lost.NOTICE, "it sends a message"),
    "telegram": (Lost.NOTICE, "it sends a message"),
}
_ELSEWHERE: Final = frozenset(
    {"include_tasks", "import_tasks", "include_role", "import_role", "include", "import_playbook"}
)
_SERVICES: Final = frozenset({"service", "systemd", "systemd_service", "sysvinit"})
_COMMANDS: Final = frozenset({"command", "shell", "raw"})
_LINE: Final = re.compile(r"\s*([A-Za-z0-9_][A-Za-z0-9_.@-]{0,127})\s*=\s*(\S(?:.*\S)?)\s*")
_LOOPBACK: Final = re.compile(r"http://(?:localhost|127\.0\.0\.1)(?::[0-9]{1,5})?(?:/[^\s]*)?")


def read(found: Node) -> tuple[Draft, ...]:
    """Read a playbook, or a file of tasks."""
    entries = [reading.table(one) for one in reading.items(found)]
    plays = [one for one in entries if "hosts" in one.entries]
    if plays:
        return tuple(_play(one, number) for number, one in enumerate(plays, start=1))
    draft = Draft("ansible_tasks", "", found.line)
    _tasks(draft, found)
    return (draft.whole(),)


def recognises(found: Node) -> bool:
    """Tell whether a document is surely one of these."""
    entries = [reading.table(one).entries for one in reading.items(found)]
    return bool(entries) and any(
        "hosts" in one or any(key.startswith("ansible.builtin.") for key in one) for one in entries
    )


def _play(play: Table, number: int) -> Draft:
    title = reading.text_of(play.entries.get("name"))
    draft = Draft(word(title) or f"ansible_play_{number}", title, play.line)
    _keywords(draft, play, "the play", (*_TASK_LISTS, "handlers"))
    for key in _TASK_LISTS:
        _tasks(draft, play.entries.get(key))
    for task in reading.items(play.entries.get("handlers")):
        title = reading.text_of(reading.table(task).entries.get("name")) or "a handler"
        what = "it runs only after a change, and once"
        draft.lose(task.line, f"handler {title}", Lost.FLOW, what)
    return draft.whole()


def _tasks(draft: Draft, found: Node | None) -> None:
    for node in reading.items(found):
        task = reading.table(node)
        if "block" in task.entries:
            _block(draft, task)
        else:
            _task(draft, task)


def _block(draft: Draft, task: Table) -> None:
    _keywords(draft, task, "a block", ("block", "rescue", "always"))
    _tasks(draft, task.entries["block"])
    for key, what in (
        ("rescue", "what is done when the block fails; it may be the undo you need"),
        ("always", "what is done whether or not the block fails"),
    ):
        if key in task.entries:
            draft.lose(task.key_lines[key], key, Lost.FLOW, what)


def _task(draft: Draft, task: Table) -> None:
    keys = [
        key
        for key in task.entries
        if key not in _KEYWORDS and key not in _QUIET and not key.startswith("with_")
    ]
    module = keys[0] if keys else ""
    short = module.rpartition(".")[2]
    title = reading.text_of(task.entries.get("name")) or short or "task"
    place = lines.Place(task.line, title)
    _keywords(draft, task, title, (module,))
    given = task.entries.get(module, Scalar(task.line, None))
    arguments = {**_arguments(given), **_arguments(task.entries.get("args"))}
    if short in _NO_STEP:
        draft.lose(task.line, title, *_NO_STEP[short])
    elif short in _ELSEWHERE:
        what = f"{short}: what it does is in another file"
        lines.placeholder(draft, place, Lost.MODULE, what, f"{short} {_shown(given)}")
    elif not (handler := _MODULES.get(short)) or not handler(draft, place, short, given, arguments):
        what = f"there is no counterpart of {module or 'an empty task'} with these arguments"
        lines.placeholder(draft, place, Lost.MODULE, what, f"{module} {_shown(given)}")


def _keywords(draft: Draft, table: Table, where: str, known: tuple[str, ...]) -> None:
    for key, node in table.entries.items():
        if key in known or key in _QUIET or (key == "hosts" and reading.text_of(node) == "all"):
            continue
        kind, what = _KEYWORDS.get(key, (Lost.OTHER, f"{key}"))
        if key.startswith("with_"):
            kind, what = Lost.LOOP, "the loop"
        if key.startswith("become") and not reading.text_of(node).replace("false", ""):
            continue
        draft.lose(table.key_lines[key], where, kind, f"{key}: {what}")
    if any(reading.TAGGED in one for one in _values(table)):
        what = "a value under a tag, perhaps an encrypted one, is not read"
        draft.lose(table.line, where, Lost.SECRET, what)


def _values(node: Node) -> Iterator[str]:
    """Yield the single values of a mapping, not those of tasks inside."""
    if isinstance(node, Table):
        for key, inner in node.entries.items():
            if key not in {*_TASK_LISTS, "handlers", "block", "rescue", "always"}:
                yield from _values(inner)
    elif isinstance(node, Scalar):
        yield reading.text_of(node)
    else:
        for item in node.items:
            yield from _values(item)


def _arguments(node: Node | None) -> dict[str, str]:
    """Return a module's arguments, also those written as `name=nginx state=restarted`."""
    if isinstance(node, Table):
        return {key: reading.text_of(value) for key, value in node.entries.items()}
    try:
        words = shlex.split(reading.text_of(node))
    except ValueError:
        return {}
    return dict(one.split("=", 1) for one in words if re.match(r"[a-z_]+=", one))


def _shown(node: Node) -> str:
    if isinstance(node, Table):
        return ", ".join(
            f"{key}: {reading.text_of(one) or '...'}" for key, one in node.entries.items()
        )
    return reading.text_of(node)


def _service(
    draft: Draft, place: lines.Place, module: str, given: Node, arguments: Mapping[str, str]
) -> bool:
    del module, given
    for key in sorted(set(arguments) - {"name", "service", "unit", "state"}):
        draft.lose(place.line, place.name, Lost.OTHER, f"{key}: {arguments[key]}")
    name = arguments.get("name") or arguments.get("service") or arguments.get("unit") or ""
    return lines.service(draft, place, name, arguments.get("state", ""))


def _command(
    draft: Draft, place: lines.Place, module: str, given: Node, arguments: Mapping[str, str]
) -> bool:
    for key in ("chdir", "creates", "removes", "stdin", "executable"):
        if key in arguments and isinstance(given, Table):
            kind, what = _KEYWORDS.get(key, (Lost.OTHER, key))
            draft.lose(place.line, place.name, kind, f"{key}: {what}")
    text = reading.text_of(given)
    if isinstance(given, Table):
        argv = [reading.text_of(one) for one in reading.items(given.entries.get("argv"))]
        text = shlex.join(argv) if argv else arguments.get("cmd", "")
    if module != "command" and text:
        draft.lose(place.line, place.name, Lost.SHELL, f"{module} hands the text to a shell")
    lines.add(draft, place, text, TEMPLATES)
    return True


def _line_in_file(
    draft: Draft, place: lines.Place, module: str, given: Node, arguments: Mapping[str, str]
) -> bool:
    del module, given
    path = arguments.get("path") or arguments.get("dest") or ""
    found = _LINE.fullmatch(arguments.get("line", ""))
    whole = re.fullmatch(r"(?:/[^/{}]+)+", path) and not {".", ".."} & set(path.split("/"))
    if not found or not whole or arguments.get("state", "present") != "present":
        return False
    if TEMPLATES.search(found[2]) or reading.TAGGED in found[2]:
        return False
    if "regexp" in arguments:
        what = "the line is found by its key alone, not by the regular expression"
        draft.lose(place.line, place.name, Lost.OTHER, what)
    action = {
        "action": "fs",
        "operation": "set_setting",
        "path": path,
        "key": found[1],
        "value": found[2],
    }
    draft.add(place.name, action, place.line, {"action": "fs", "operation": "restore"})
    return True


def _uri(
    draft: Draft, place: lines.Place, module: str, given: Node, arguments: Mapping[str, str]
) -> bool:
    del module, given
    url, method = arguments.get("url", ""), arguments.get("method", "GET").upper()
    status = arguments.get("status_code", "200")
    if not _LOOPBACK.fullmatch(url) or not re.fullmatch("[1-5][0-9][0-9]", status):
        return False
    if TEMPLATES.search(url) or method not in {"GET", "HEAD", "POST"}:
        return False
    for key in sorted(set(arguments) - {"url", "method", "status_code"}):
        draft.lose(place.line, place.name, Lost.OTHER, f"{key}: {arguments[key]}")
    if method == "POST":
        action = {"action": "http", "method": method, "url": url, "expected_status": int(status)}
        draft.add(place.name, action, place.line)
    else:
        draft.checks.append({"type": "http", "url": url, "expected_status": int(status)})
    return True


_Handler = Callable[[Draft, lines.Place, str, Node, Mapping[str, str]], bool]
_MODULES: Final[Mapping[str, _Handler]] = {
    **dict.fromkeys(_SERVICES, _service),
    **dict.fromkeys(_COMMANDS, _command),
    "lineinfile": _line_in_file,
    "uri": _uri,
}
