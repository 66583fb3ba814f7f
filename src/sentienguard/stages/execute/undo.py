"""Undo: in reverse of the steps that began, each within its own limit, each looked at afterwards.

Called by `engine` after a failure, a timeout or a stop, and by `resume` after a crash. Nothing
interrupts it: whoever stopped the order wants its effects gone. One undo that fails does not keep
the others from being tried. What cannot be undone, or was not, is named.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from sentienguard.model import errors, order, playbook
from sentienguard.ports import execution_journal
from sentienguard.stages.execute import host as hosts
from sentienguard.stages.execute import memory, session, steps, work

RESTORE = "restore"  # the operation that uses what the step recorded


@dataclass(frozen=True, slots=True)
class Undone:
    """How undoing ended."""

    left_behind: tuple[str, ...]  # names of steps whose effect remains, in the order they ran

    @property
    def outcome(self) -> order.ExecutionOutcome:
        """Return the outcome of an order that failed."""
        if self.left_behind:
            return order.ExecutionOutcome.PARTIALLY_ROLLED_BACK
        return order.ExecutionOutcome.ROLLED_BACK


def everything(running: session.Session, began: Mapping[int, memory.Piece]) -> Undone:
    """Undo the steps that began, last first. `began`: index of the step -> what it wrote down."""
    left: list[str] = []
    for index in sorted(began, reverse=True):
        step = running.playbook.steps[index]
        if not _one(running, index, step, began[index]):
            left.append(step.name)
    return Undone(tuple(reversed(left)))


def _one(running: session.Session, index: int, step: playbook.Step, piece: memory.Piece) -> bool:
    """Undo one step; tell whether nothing of it remains."""
    began = running.clock_in()
    name = step.name
    if piece.changed is False:
        done = work.Done(order.StepStatus.SUCCESS, "the step changed nothing", changed=False)
        running.tell(order.Phase.UNDO, index, name, done, began)
        return True
    action = step.undo.action
    if action is None:
        reason = step.undo.reason or "the playbook has no undo for this step"
        done = work.Done(order.StepStatus.NOT_UNDOABLE, reason)
        running.tell(order.Phase.UNDO, index, name, done, began)
        return False
    mark = f"undo{index}"
    context = running.context(
        step.undo.timeout.total_seconds(), mark, hosts.Uninterrupted(running.host.clock)
    )
    running.ledger.begin(order.Phase.UNDO, index, {}, context.mark)
    done = _attempted(step, action, context, piece.recorded)
    running.tell(order.Phase.UNDO, index, name, done, began, acted=True)
    return done.status is order.StepStatus.SUCCESS


def _attempted(
    step: playbook.Step,
    action: playbook.Action,
    context: work.Context,
    recorded: Mapping[str, object],
) -> work.Done:
    kind = steps.KINDS.get(action.kind)
    if kind is None:
        return work.Done(order.StepStatus.FAILED, f"this executor has no step {action.kind!r}")
    try:
        if action.fields.get("operation") == RESTORE:
            return kind.restore(step.action, context, recorded)
        return kind.run(action, context, kind.prepare(action, context))
    except execution_journal.JournalBroken:
        raise
    except errors.SentienGuardError as error:
        return work.Done(order.StepStatus.FAILED, str(error))
    except Exception as error:  # noqa: BLE001 - a surprise in one undo must not keep the others
        return work.Done(order.StepStatus.FAILED, f"{type(error).__name__}: {error}")
