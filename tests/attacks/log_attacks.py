"""The attacks on the log, one line of the table each.

Used by test_log_attacks and log_page. An attack is written once and done to every design by the
same steps; what the attacker holds says which keys `relink` may use. Those of the control plane are
lies it tells while it writes, so nothing is changed afterwards and everybody signs.
"""

import dataclasses
from collections.abc import Callable, Sequence
from datetime import timedelta

from tests.attacks import log_history
from tests.attacks.log_designs import Design
from tests.attacks.log_history import HOSTS, STRANGER, Event

DISK = "every file"
LOG_KEY = "every file, the log's key"
HOST_KEY = "every file, one host's key"
BOTH_KEYS = "every file, the log's key, one host's key"
CENTRE = "the control plane"
CENTRE_AND_HOST = "the control plane, one host of three"
DAY = timedelta(days=1)


@dataclasses.dataclass(frozen=True)
class Attack:
    """Something done to a log, and with what in hand."""

    name: str
    power: str
    strike: Callable[[Design], None]
    shown_by: str  # the check of ours that names it; others may find it too


def _own(log: Design, around: int) -> int:
    """Return the first entry from here on that the control plane said."""
    return next(n for n in range(around, len(log)) if log.source(n) == "cp")


def _of_host(log: Design, around: int) -> int:
    """Return an entry of the first host that is neither its first nor its last."""
    found = [n for n in range(len(log)) if log.source(n) == "agent:host0"]
    return next((n for n in found[1:-1] if n >= around), found[-2])


def _middle(log: Design) -> int:
    return len(log) // 2


def edit(log: Design) -> None:
    """Change a decision and nothing else."""
    log.edit(_own(log, _middle(log)), text="as I wish")


def edit_and_recompute(log: Design) -> None:
    """Change a decision and write anew all that needs no key."""
    edit(log)
    log.relink()


def delete_and_renumber(log: Design) -> None:
    """Take a decision out, number and chain the rest anew."""
    log.delete(_own(log, _middle(log)))
    log.relink()


def reorder(log: Design) -> None:
    """Exchange two neighbours, number and chain the rest anew."""
    log.swap(_middle(log))
    log.relink()


def insert_foreign(log: Design) -> None:
    """Put an entry of another log in, as it stands there."""
    other = log_history.event(_own(log, _middle(log)))
    log.insert(_middle(log), dataclasses.replace(other, key="other/1", text="elsewhere"))


def truncate_after_anchor(log: Design) -> None:
    """Cut off the newest entries; an old checkpoint of that size fits."""
    log.cut(max(log_history.marks(len(log))[1], len(log) - len(log) // 20 - 1))


def truncate_before_anchor(log: Design) -> None:
    """Cut off more than a kept checkpoint covers."""
    log.cut(log_history.marks(len(log))[1] - 1)


def roll_back(log: Design) -> None:
    """Put a whole old copy in place."""
    log.roll_back(_middle(log))


def edit_with_host_key(log: Design) -> None:
    """Change what a host said, and sign it for the host."""
    log.edit(_of_host(log, _middle(log)), text="as I wish")
    log.relink(host="agent:host0")


def rewrite_with_log_key(log: Design) -> None:
    """Change an early decision, write anew and sign everything after it."""
    log.edit(_own(log, len(log) // 3), text="as I wish")
    log.relink(log_key=True)


def rewrite_tail_with_log_key(log: Design) -> None:
    """Change the newest entries only, after the anchor."""
    log.edit(max(n for n in range(len(log)) if log.source(n) == "cp"), text="as I wish")
    log.relink(log_key=True)


def cut_tail_with_log_key(log: Design) -> None:
    """Cut off the newest entries and sign what is left."""
    truncate_after_anchor(log)
    log.relink(log_key=True)


def rewrite_with_both_keys(log: Design) -> None:
    """Change what a host said long ago, sign it for the host and for the log."""
    log.edit(_of_host(log, 0), text="as I wish")
    log.relink(log_key=True, host="agent:host0")


def start_over(log: Design) -> None:
    """Write another history under another key, and put that key beside it."""
    log.edit(_own(log, len(HOSTS)), text="as I wish")
    log.start_over()


def split_view(log: Design) -> None:
    """Show one client another history, signed by the log and by the host that was taken over."""
    log.edit(_own(log, len(log) // 3), text="as I wish")
    log.show_apart()


def leave_out(log: Design) -> None:
    """Never log one thing that a host reported."""
    log.delete(_of_host(log, 0))
    log.publish()


def leave_out_newest(log: Design) -> None:
    """Never log the last thing that a host reported."""
    log.delete(max(n for n in range(len(log)) if log.source(n) == "agent:host0"))
    log.publish()


def change_report(log: Design) -> None:
    """Log another result than the host reported."""
    log.edit(_of_host(log, 0), text="as I wish")
    log.publish()


def clock_back(log: Design) -> None:
    """Set the clock back by a day before the newest entries are written."""
    _dated(log, -DAY)


def clock_ahead(log: Design) -> None:
    """Set the clock ahead by a day before the newest entries are written."""
    _dated(log, DAY)


def _dated(log: Design, by: timedelta) -> None:
    for index in range(len(log) - max(len(log) // 20, 2), len(log)):
        if log.source(index) == "cp":
            log.edit(index, at=log_history.event(index).at + by)
    log.publish()


def duplicate(log: Design) -> None:
    """Record one decision twice."""
    log.repeat(_own(log, _middle(log)))
    log.publish()


def replay_report(log: Design) -> None:
    """Record one report of a host twice."""
    log.repeat(_of_host(log, 0))
    log.publish()


def foreign_host(log: Design) -> None:
    """Record a report, truly signed, by a host of another installation."""
    at = log_history.event(len(log)).at
    log.insert(len(log), Event("agent:other", "step/other", at, "step.done"), STRANGER)
    log.publish()


def made_up_host(log: Design) -> None:
    """Enrol a host that does not exist, and speak for it."""
    at = log_history.event(len(log)).at
    log.insert(len(log), Event("cp", "enrolled/9", at, "agent.enrolled", host="agent:made-up"))
    log.insert(len(log), Event("agent:made-up", "step/9", at, "step.done"), STRANGER)
    log.publish()


ATTACKS: Sequence[Attack] = (
    Attack("an entry edited", DISK, edit, "sources"),
    Attack("an entry edited, everything recomputed", DISK, edit_and_recompute, "root"),
    Attack("an entry deleted, the rest renumbered", DISK, delete_and_renumber, "root"),
    Attack("two entries exchanged", DISK, reorder, "root"),
    Attack("an entry of another log put in", DISK, insert_foreign, "sources"),
    Attack("the end cut off, after the anchor", DISK, truncate_after_anchor, "growth"),
    Attack("the end cut off, before the anchor", DISK, truncate_before_anchor, "growth"),
    Attack("put back to an older copy", DISK, roll_back, "growth"),
    Attack("begun again with a key of one's own", DISK, start_over, "checkpoint"),
    Attack("a host's report changed, with its key", HOST_KEY, edit_with_host_key, "root"),
    Attack("an early entry changed, all signed anew", LOG_KEY, rewrite_with_log_key, "growth"),
    Attack("the newest entries changed, signed anew", LOG_KEY, rewrite_tail_with_log_key, "growth"),
    Attack("the newest entries cut off, signed anew", LOG_KEY, cut_tail_with_log_key, "growth"),
    Attack("a host's report changed, all signed anew", BOTH_KEYS, rewrite_with_both_keys, "growth"),
    Attack("another history shown to one client", CENTRE_AND_HOST, split_view, "witnesses"),
    Attack("a host's report left out", CENTRE, leave_out, "sources"),
    Attack("a host's newest report left out", CENTRE, leave_out_newest, "sources"),
    Attack("a host's report changed before it is logged", CENTRE, change_report, "signatures"),
    Attack("the clock set back", CENTRE, clock_back, "clock"),
    Attack("the clock set ahead", CENTRE, clock_ahead, "clock"),
    Attack("a decision recorded twice", CENTRE, duplicate, "sources"),
    Attack("a host's report recorded twice", CENTRE, replay_report, "sources"),
    Attack("a report of another installation's host", CENTRE, foreign_host, "signatures"),
    Attack("a host made up", CENTRE, made_up_host, "signatures"),
)
