"""Kinds of steps, one file each: what it does, what it records first, how it is undone.

Called by `engine` and `undo` through `KINDS`. What belongs here turns one action of a playbook into
calls of ports. What does not: deciding whether or when to run it.

Add a kind: one file with a class that has the members of `work.StepKind`, one line below, its
entry in `playbook.kinds.STEPS`, a test in tests/unit/execute that runs it twice and undoes it
twice, and one that has a real executor run it, marked with `tests.support.real_kinds.runs`.
"""

from collections.abc import Mapping

from sentienguard.playbook import objects
from sentienguard.stages.execute import work
from sentienguard.stages.execute.steps import (
    certificate,
    fs,
    haproxy,
    http,
    kernel,
    locks,
    on_objects,
    open_files,
    process,
    rabbitmq,
    redis,
    service,
    sql_query,
    ssh_command,
)

KINDS: Mapping[str, work.StepKind] = {
    **dict.fromkeys(("object", *objects.steps()), on_objects.OnObject()),
    "certificate": certificate.Certificate(),
    "fs": fs.Fs(),
    "haproxy": haproxy.Haproxy(),
    "http": http.Http(),
    "kernel": kernel.Kernel(),
    "locks": locks.Locks(),
    "open_files": open_files.OpenFiles(),
    "process": process.ProcessStep(),
    "rabbitmq": rabbitmq.Rabbitmq(),
    "redis": redis.Redis(),
    "service": service.ServiceStep(),
    "sql_query": sql_query.SqlQuery(),
    "ssh_command": ssh_command.SshCommand(),
}

# Those of which a playbook may be made that removes files and does nothing else.
REMOVING: Mapping[str, work.Removing] = {"fs": fs.Fs()}
