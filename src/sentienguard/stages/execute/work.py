"""One piece of work: what a step or check is given, and what it says afterwards.

Called by `engine`, `undo`, `preconditions` and every file in `steps/` and `checks/`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, TypeAlias, runtime_checkable

from sentienguard.model import errors, ids, order, playbook
from sentienguard.ports import command_runner, interrupt, log_reader
from sentienguard.stages.execute import host as hosts
from sentienguard.stages.execute import parameters

Recorded: TypeAlias = Mapping[str, Any]  # JSON: what an undo needs, durable before the effect


class NotPossible(errors.Rejected):
    """This piece of work cannot be done on this host; nothing was changed."""


@dataclass(frozen=True, slots=True)
class Context:
    """Everything one step or check may use."""

    order: ids.OrderId
    host: hosts.Host
    bound: parameters.Bound
    brought: Mapping[str, str]  # facts that came with the order
    limit_s: float  # how long it may take, by the monotonic clock
    mark: str  # carried by every process it starts
    interrupt: interrupt.Interrupt
    started: Callable[[command_runner.ProcessGroup], None]  # hears each process group
    since: datetime | None = None  # when the steps began; None: before them
    log_marks: Mapping[str, log_reader.Mark | None] | None = None  # ends of logs at that time


@dataclass(frozen=True, slots=True)
class Done:
    """How a step or its undo ended."""

    status: order.StepStatus
    detail: str  # one sentence
    changed: bool | None = None  # None: cannot be told; False: there is nothing to undo
    exit_code: int | None = None
    stdout: str = ""
    stderr: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found."""

    passed: bool
    detail: str  # one sentence: what was expected and what was found
    exit_code: int | None = None
    stdout: str = ""
    stderr: str = ""


class StepKind(Protocol):
    """A kind of step. Its undo is written beside what it does."""

    def plan(self, action: playbook.Action, bound: parameters.Bound) -> tuple[str, ...]:
        """Say exactly what would be done: argv of a command, else operation and operands."""

    def prepare(self, action: playbook.Action, context: Context) -> Recorded:
        """Look, change nothing, and return what `restore` will need.

        Raises NotPossible or another Rejected: the step then fails without effect.
        """

    def run(self, action: playbook.Action, context: Context, recorded: Recorded) -> Done:
        """Do it. Doing it again where it is done already changes nothing, if the kind allows."""

    def restore(self, action: playbook.Action, context: Context, recorded: Recorded) -> Done:
        """Put back what this step's `prepare` recorded, and look whether it is back.

        Idempotent, and right however far `run` came. NOT_UNDOABLE where the kind has no such thing.
        """


class Removing(Protocol):
    """A kind of step that may only remove files, and can say beforehand whether it would."""

    def would_remove(self, action: playbook.Action, context: Context) -> bool | None:
        """Tell whether anything would go; None: this is no operation that removes.

        Looks and changes nothing. Raises the errors of the port.
        """


@runtime_checkable
class Rehearsing(Protocol):
    """A kind of step that can ask what would come of it; a dry run does."""

    def rehearse(self, action: playbook.Action, context: Context) -> str:
        """Change nothing and say what would happen. Raises errors.SentienGuardError."""


class CheckKind(Protocol):
    """A kind of check; it changes nothing."""

    only_looks: bool  # False: runs a program of the playbook, so a dry run leaves it out

    def judge(self, check: playbook.Check, context: Context) -> Finding:
        """Look once. Raises errors.Rejected or Unavailable, which count as not passed."""
