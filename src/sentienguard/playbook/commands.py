"""What is known of programs: which ones interpret, which repeat badly, what to use instead.

Called by `lint`. Looks at argv, and in drafts at command text that only a shell could run.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from sentienguard.model.playbook import Action, Param
from sentienguard.playbook.parts import SHELL_FIELD

# Programs that run code, write files or start others because of an argument. An element of argv
# that came from a parameter has done so in tests with those of the first lines, without a shell.
INTERPRETERS = frozenset(
    {
        *("sh", "bash", "dash", "zsh", "ksh", "busybox", "env", "xargs", "eval", "exec"),
        *("awk", "gawk", "mawk", "sed", "perl", "python", "python3", "ruby", "node", "lua", "php"),
        *("find", "sort", "tar", "dd", "ssh", "scp", "rsync", "su", "sudo", "runuser", "nsenter"),
        *("git", "vi", "vim", "ed", "less", "man", "gdb", "strace", "make", "crontab", "at"),
        *("docker", "podman", "kubectl", "psql", "mysql", "redis-cli", "openssl", "curl", "wget"),
        # Further shells; what starts another program; what writes where it is told.
        *("csh", "tcsh", "mksh", "fish", "expect", "tclsh", "m4", "sqlite3", "java", "script"),
        *("nohup", "setsid", "nice", "ionice", "chrt", "taskset", "numactl", "prlimit", "choom"),
        *("timeout", "time", "stdbuf", "flock", "watch", "parallel", "batch", "run-parts"),
        *("chroot", "unshare", "setpriv", "capsh", "doas", "pkexec", "gosu", "bwrap", "setarch"),
        *("systemd-run", "start-stop-daemon", "busctl", "dbus-send", "gdbus", "machinectl"),
        *("tee", "split", "zip", "cpio", "mount", "nc", "socat", "ltrace", "valgrind", "perf"),
        *("screen", "tmux"),
    }
)


@dataclass(frozen=True, slots=True)
class Remark:
    """Something known about a command, and what to do instead."""

    rule: str
    message: str
    way_out: str


_KNOWN = (
    (
        "not-idempotent",
        r">>|\btee\s+(?:-a|--append)\b|\boflag=append\b|(?i:\b(?:[lr]push|xadd)\b)",
        "appends to a file, so each run leaves one more line",
        "fs set_setting gives one line a value, however often it runs",
    ),
    (
        "not-idempotent",
        r"\$\(\(|\blet\s|(?i:\b(?:incr|decr)(?:by|byfloat)?\b)",
        "counts up, so a second run gives another result",
        "set a value instead of adding to it",
    ),
    (
        "not-idempotent",
        r"(?i)\bset\s+(\w+)\s*=\s*\1\s*[-+*]",
        "computes a value from itself, so a second run gives another result",
        "set a value instead of adding to it",
    ),
    (
        "not-idempotent",
        r"\b(sendmail|mail|mailx|mutt|slack|wall|logger)\b",
        "notifies somebody again on each run, and cannot be unsent",
        "leave it out: the incident record and its notifications already say what happened",
    ),
    (
        "not-idempotent",
        r"(?is)\binsert\s+into\b(?!.*\bon\s+(?:conflict|duplicate\s+key)\b)",
        "inserts another row on each run",
        "add ON CONFLICT ... DO UPDATE, or DO NOTHING",
    ),
    (
        "not-idempotent",
        r"\b(create-snapshot|run-instances|lvextend)\b|logrotate\s+(-f|--force)|--size\s+\+",
        "makes or takes something more on each run",
        "guard it with only_if on what it makes, and set idempotent: false",
    ),
    (
        "unbounded-delete",
        r"\brm\b|\bunlink\b|\bfind\b.*-delete\b|\bshred\b|\btruncate\b",
        "deletes whatever the text matches on the day it runs",
        "fs clean deletes by name and age below one directory; fs quarantine can be undone",
    ),
    (
        "unbounded-delete",
        r"(?is)\bdelete\s+from\b(?!.*\bwhere\b)",
        "deletes every row",
        "delete by a condition that bounds it, such as WHERE at < now() - interval '7 days'",
    ),
    (
        "unbounded-delete",
        r"(?i)\btruncate\s+table\b|\bdrop\s+(?:table|database|schema|index)\b",
        "deletes every row, and perhaps what held them",
        "delete by a condition that bounds it, such as WHERE at < now() - interval '7 days'",
    ),
    (
        "built-in-fact",
        r"\b(df|du)\b",
        "measures a disk by way of text",
        "the facts disk_usage, disk_free and inode_usage, as a condition or metric check",
    ),
    (
        "built-in-fact",
        r"\b(free|vmstat|uptime|top|ps|pgrep)\b",
        "measures the host by way of text",
        "the facts cpu_percent, memory_percent, swap_percent, load_1m, zombies or process_alive",
    ),
    (
        "typed-action",
        r"\b(systemctl|service)\s+(start|stop|restart|reload|kill)\b",
        "controls a service without recording the state it leaves",
        "the action service with its operation; its undo can restore what it found",
    ),
    (
        "typed-action",
        r"\b(kill|pkill|killall|renice)\b",
        "signals by a number or name that may belong to another process by now",
        "the action process on a pid parameter, which the host checks before it signals",
    ),
    (
        "typed-action",
        r"\b(curl|wget)\b",
        "asks an address with a program that can also write files",
        "an http check, or the action http",
    ),
    (
        "test-only",
        r"\bdd\s+if=/dev/zero\b|\bfallocate\b|\bstress(-ng)?\b",
        "makes a fault instead of removing one",
        "a drill: `sentienguard drill list`",
    ),
    (
        "harmful",
        r"\b(reboot|poweroff|halt|mkfs\S*|wipefs|fsck)\b|drop_caches|swapoff|pg_wal|postmaster\.pid",
        "was measured or is known to destroy data or availability while a metric looks healthy",
        "hand this to people: approval does not make it undoable",
    ),
)
_OF_STATEMENTS = frozenset({"not-idempotent"})
_PATTERNS = tuple((rule, re.compile(text), message, out) for rule, text, message, out in _KNOWN)


# Programs that write where an argument says: the last one, or every one.
WRITES_LAST = frozenset({"cp", "mv", "install", "ln"})
WRITES_EACH = frozenset({"chmod", "chown", "chgrp", "touch", "mkdir", "rmdir", "setfacl"})
_TELLS = re.compile(r"(?i)webhook|hooks?[./]|notif|slack|pagerduty|/(?:alerts?|mails?|sms|page)\b")


def written(action: Action) -> tuple[str, ...]:
    """Return the absolute paths that a program writes, as far as its arguments say."""
    argv = action.fields.get("argv")
    name = PurePosixPath(program(action)).name
    if not isinstance(argv, tuple) or name not in WRITES_LAST | WRITES_EACH:
        return ()
    paths = [str(one) for one in argv[1:] if isinstance(one, str) and one.startswith("/")]
    return tuple(paths[-1:] if name in WRITES_LAST else paths)


def tells_somebody(action: Action) -> bool:
    """Tell whether a request looks like a message to people, which comes again with each run."""
    asks = action.kind == "http" and action.fields.get("method") == "POST"
    return asks and bool(_TELLS.search(str(action.fields.get("url", ""))))


def text_of(action: Action) -> str:
    """Show the command of an action as text, for matching and messages; empty: it has none."""
    argv = action.fields.get("argv")
    if isinstance(argv, tuple):
        return " ".join(f"{{{e.name}}}" if isinstance(e, Param) else str(e) for e in argv)
    for name in (SHELL_FIELD, "query"):
        if isinstance(action.fields.get(name), str):
            return str(action.fields[name])
    return ""


def program(action: Action) -> str:
    """Return argv[0] of an action, or nothing."""
    argv = action.fields.get("argv")
    return str(argv[0]) if isinstance(argv, tuple) and argv else ""


def has_parameter(action: Action) -> bool:
    """Tell whether an element of argv stands for a parameter."""
    argv = action.fields.get("argv")
    return isinstance(argv, tuple) and any(isinstance(element, Param) for element in argv)


def interprets(name: str) -> bool:
    """Tell whether a program may run code or write files because of an argument."""
    base = PurePosixPath(name).name
    return base in INTERPRETERS or base.rstrip("0123456789.") in INTERPRETERS


def remarks(action: Action) -> Iterator[Remark]:
    """Yield what is known of an action's command."""
    text = text_of(action)
    for rule, pattern, message, way_out in _PATTERNS:
        if "query" in action.fields and rule not in _OF_STATEMENTS:
            continue  # `statements` knows better than words of a shell
        if text and pattern.search(text):
            yield Remark(rule, f"{text[:80]!r} {message}", way_out)
