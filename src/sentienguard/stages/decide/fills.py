"""How much of what fills a volume a playbook's steps are for, by names and sizes that were seen.

Called by `matching`, to choose among playbooks that measured facts find equally good. Anybody on a
host can write names of files, so this orders and explains; it makes no match, and what is chosen
by it may do no more than what would have been chosen without it.
"""

import fnmatch
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import TypeAlias

from sentienguard.model.playbook import Action, Param, Playbook

Fill: TypeAlias = tuple[str, int]  # path, bytes; a directory's own small files end in a slash

_REMOVING = frozenset({"clean", "quarantine", "truncate"})  # operations of `fs` that free space


def share(playbook: Playbook, root: str, fills: Sequence[Fill]) -> float:
    """Return which share of the bytes the playbook's steps select, 0 to 1.

    Ages and least sizes are not known here: the host looks at them before it does anything.
    """
    whole = sum(size for _, size in fills)
    if not whole:
        return 0.0
    actions = [step.action for step in playbook.steps if _removes(step.action)]
    taken = sum(size for path, size in fills if any(_takes(one, root, path) for one in actions))
    return taken / whole


def may_take(playbook: Playbook, root: str, path: str) -> bool:
    """Tell whether a path that was seen may be something that the playbook is for.

    One without steps that remove files says nothing of which it is for, so it may be for any.
    """
    actions = [step.action for step in playbook.steps if _removes(step.action)]
    return not actions or any(_takes(one, root, path) for one in actions)


def _removes(action: Action) -> bool:
    return action.kind == "fs" and action.fields.get("operation") in _REMOVING


def _takes(action: Action, root: str, path: str) -> bool:
    stated = action.fields.get("path")
    below = str(action.fields.get("below", ""))
    base = PurePosixPath(root if isinstance(stated, Param) else str(stated)) / below
    if path.endswith("/"):  # the names in it are not known: a directory that is named is enough
        named = bool(below) or not isinstance(stated, Param)
        return named and PurePosixPath(path).is_relative_to(base)
    file = PurePosixPath(path)
    pattern = str(action.fields.get("pattern", "*"))
    return file.is_relative_to(base) and fnmatch.fnmatchcase(file.name, pattern)
