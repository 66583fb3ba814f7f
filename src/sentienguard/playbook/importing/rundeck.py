"""Rundeck jobs in YAML: each job becomes a draft. Called by `sources`.

Written after the documentation of job definitions in YAML. A job is a list of commands; options are
what a person or another job fills in.
"""

import re
from typing import Final

from sentienguard.playbook.document import Node, Sequence, Table
from sentienguard.playbook.importing import choices, lines, reading
from sentienguard.playbook.importing.drafts import Draft, Lost, word

TEMPLATES: Final = re.compile(
    r"(?:\$\{|@)option\.(?P<name>[A-Za-z0-9_.-]+)(?:\}|@)|"
    r"\$\{(?:node|job|data|globals|execution)[.*][^}]*\}"
)
_QUIET: Final = frozenset(
    {
        *("name", "description", "id", "uuid", "group", "loglevel", "project", "tags", "options"),
        *("executionEnabled", "scheduleEnabled", "nodeFilterEditable", "nodesSelectedByDefault"),
        *("multipleExecutions", "sequence", "defaultTab", "loglimit", "loglimitAction"),
    }
)
_KEYWORDS: Final = {
    "nodefilters": (Lost.TARGET, "the nodes it was for"),
    "schedule": (Lost.TIMING, "when it runs by itself"),
    "schedules": (Lost.TIMING, "when it runs by itself"),
    "timeZone": (Lost.TIMING, "when it runs by itself"),
    "notification": (Lost.NOTICE, "who hears of it"),
    "notifyAvgDurationThreshold": (Lost.NOTICE, "who hears that it takes long"),
    "retry": (Lost.FLOW, "how often it is tried"),
    "timeout": (Lost.OTHER, "its limit as a whole"),
    "orchestrator": (Lost.FLOW, "in which order nodes are worked on"),
    "plugins": (Lost.OTHER, "what plugins add"),
}


def read(found: Node) -> tuple[Draft, ...]:
    """Read a list of jobs, or one."""
    jobs = reading.items(found) if isinstance(found, Sequence) else (found,)
    return tuple(_job(reading.table(one), number) for number, one in enumerate(jobs, start=1))


def recognises(found: Node) -> bool:
    """Tell whether a document is surely one of these."""
    jobs = reading.items(found) if isinstance(found, Sequence) else (found,)
    return any(
        "commands" in reading.table(reading.table(one).entries.get("sequence")).entries
        for one in jobs
    )


def _job(job: Table, number: int) -> Draft:
    title = reading.text_of(job.entries.get("name"))
    about = reading.text_of(job.entries.get("description"))
    draft = Draft(word(title) or f"rundeck_job_{number}", about or title, job.line)
    for key in job.entries:
        if key not in _QUIET:
            kind, what = _KEYWORDS.get(key, (Lost.OTHER, key))
            draft.lose(job.key_lines[key], "the job", kind, f"{key}: {what}")
    _options(draft, job.entries.get("options"))
    sequence = reading.table(job.entries.get("sequence"))
    if reading.true(sequence.entries.get("keepgoing")):
        what = "keepgoing: that a failure does not end it"
        draft.lose(sequence.line, "the job", Lost.FLOW, what)
    if (strategy := reading.text_of(sequence.entries.get("strategy"))) not in {"", "node-first"}:
        draft.lose(sequence.line, "the job", Lost.FLOW, f"strategy: {strategy}")
    for at, node in enumerate(reading.items(sequence.entries.get("commands")), start=1):
        _command(draft, reading.table(node), at)
    return draft.whole()


def _options(draft: Draft, found: Node | None) -> None:
    """Read options: a list, or the mapping of older versions."""
    named = found.entries if isinstance(found, Table) else {}
    listed = [(reading.text_of(reading.table(one).entries.get("name")), one)
              for one in reading.items(found)]  # fmt: skip
    for name, node in [*named.items(), *listed]:
        option = reading.table(node)
        place = lines.Place(option.line, f"option {name}")
        if "storagePath" in option.entries or reading.true(option.entries.get("secure")):
            what = "it is a secret that somebody enters or a store holds"
            draft.lose(place.line, place.name, Lost.SECRET, what)
            continue
        closed = reading.true(option.entries.get("enforced"))
        values = [reading.text_of(one) for one in reading.items(option.entries.get("values"))]
        choices.add(
            draft,
            place,
            choices.Wish(
                name.lower(),
                reading.text_of(option.entries.get("description")),
                tuple(values) if closed else (),
                reading.text_of(option.entries.get("value")),
            ),
        )


def _command(draft: Draft, command: Table, at: int) -> None:
    entries = command.entries
    title = reading.text_of(entries.get("description")) or f"command {at}"
    place = lines.Place(command.line, title)
    if "errorhandler" in entries:
        what = "errorhandler: what is done when it fails; it may be the undo you need"
        draft.lose(command.key_lines["errorhandler"], title, Lost.FLOW, what)
    if reading.true(entries.get("keepgoingOnSuccess")):
        draft.lose(command.line, title, Lost.FLOW, "keepgoingOnSuccess")
    for key in ("scriptargs", "args", "scriptInterpreter", "fileExtension", "plugins"):
        if key in entries:
            draft.lose(command.key_lines[key], title, Lost.SCRIPT, f"{key} of a script")
    if "exec" in entries:
        lines.add(draft, place, reading.text_of(entries["exec"]), TEMPLATES)
    elif "script" in entries:
        lines.add(draft, place, reading.text_of(entries["script"]), TEMPLATES)
    elif "scriptfile" in entries or "scripturl" in entries:
        key = "scriptfile" if "scriptfile" in entries else "scripturl"
        shown = f"{key} {reading.text_of(entries[key])}"
        lines.placeholder(draft, place, Lost.SCRIPT, "its script lies elsewhere", shown)
    elif "jobref" in entries:
        name = reading.text_of(reading.table(entries["jobref"]).entries.get("name"))
        lines.placeholder(draft, place, Lost.FLOW, "it runs another job", f"jobref {name}")
    else:
        kind = reading.text_of(entries.get("type")) or "a step of an unknown kind"
        what = f"there is no counterpart of {kind}"
        lines.placeholder(draft, place, Lost.MODULE, what, kind)
