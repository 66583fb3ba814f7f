"""Kinds of steps, one file each: what it does, what it records first, how it is undone.

Called by `engine` and `undo` through `KINDS`. What belongs here turns one action of a playbook into
calls of ports. What does not: deciding whether or when to run it.

Add a kind: one file with a class that has the members of `work.StepKind`, one line below, its
entry in `playbook.kinds.STEPS`, and a test in tests/unit/execute that runs it twice and undoes it
twice.
"""

from collections.abc import Mapping

from sentienguard.stages.execute import work
from sentienguard.stages.execute.steps import fs, http, process, service, ssh_command

KINDS: Mapping[str, work.StepKind] = {
    "fs": fs.Fs(),
    "http": http.Http(),
    "process": process.ProcessStep(),
    "service": service.ServiceStep(),
    "ssh_command": ssh_command.SshCommand(),
}
