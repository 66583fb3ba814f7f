"""The entry of `sentienguard`: every command by its name; errors become an exit status.

    0 done    1 refused or failed    2 wrong usage    3 not available now

Options that every command takes (`--data`, `--json`) may stand anywhere on the line.
"""

import errno
import inspect
import sys
from collections.abc import Sequence
from typing import Any

import typer
import typer.core
import typer.main
from rich import markup

from sentienguard.cli import (
    about_commands,
    alert_commands,
    approval_commands,
    ask_commands,
    audit_commands,
    backtest_commands,
    break_glass_commands,
    completion_commands,
    detect_commands,
    diagnose_commands,
    doctor,
    drill_commands,
    evidence_commands,
    frame,
    freeze_commands,
    history_commands,
    host_commands,
    incident_commands,
    login_commands,
    maintenance_commands,
    match_commands,
    mcp_commands,
    notice_commands,
    playbook_commands,
    query_commands,
    role_commands,
    silence_commands,
    traffic_commands,
    trust_commands,
    up_commands,
    user_commands,
)
from sentienguard.cli.help import examples, tree
from sentienguard.model import errors

REFUSED, USAGE, AWAY = 1, 2, 3
PROGRAM = "sentienguard"
WAYS_OUT = {  # of what the system refuses, by its number
    errno.ENOENT: "check its name, and in which directory you are",
    errno.EACCES: "run this as the user to whom it belongs, or ask them for it",
    errno.EPERM: "run this as the user to whom it belongs, or ask them for it",
    errno.EISDIR: "name a file in it",
    errno.ENOTDIR: "name a directory",
    errno.EEXIST: "name another one, or move it away",
    errno.ENOSPC: "free space there and run this again",
    errno.EROFS: "it is mounted for reading only; name another place",
}

app = typer.Typer(
    name=PROGRAM,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Notices what is not normal, fixes it within signed limits, proves that it worked, "
    "undoes it where it did not.",
)

app.command()(up_commands.up)
app.command()(up_commands.down)
app.command()(drill_commands.demo)
app.add_typer(drill_commands.app, name="drill")
app.add_typer(incident_commands.app, name="incidents")
app.add_typer(approval_commands.app, name="approvals")
app.add_typer(playbook_commands.app, name="playbook")
app.add_typer(host_commands.app, name="hosts")
app.add_typer(silence_commands.app, name="silence")
app.add_typer(maintenance_commands.app, name="maintenance")
app.add_typer(alert_commands.app, name="alerts")
app.command()(freeze_commands.freeze)
app.command()(freeze_commands.unfreeze)
app.add_typer(audit_commands.app, name="audit")
app.add_typer(evidence_commands.app, name="evidence")
app.add_typer(detect_commands.app, name="detect")
app.command()(query_commands.query)
app.command()(ask_commands.ask)
app.add_typer(notice_commands.notices, name="notices")
app.add_typer(notice_commands.chat, name="chat")
app.command()(mcp_commands.mcp)
app.add_typer(history_commands.app, name="history")
app.command()(backtest_commands.backtest)
app.command()(diagnose_commands.diagnose)
app.add_typer(match_commands.app, name="match")
app.command()(traffic_commands.verify_agent_traffic)
app.add_typer(user_commands.users, name="users")
app.add_typer(role_commands.app, name="roles")
app.add_typer(break_glass_commands.app, name="break-glass")
app.add_typer(user_commands.tokens, name="tokens")
app.add_typer(trust_commands.app, name="trust")
app.command()(login_commands.login)
app.command()(about_commands.settings)
app.command()(doctor.doctor)
app.command()(completion_commands.completion)
app.command()(about_commands.version)


def main(argv: Sequence[str] | None = None) -> int:
    """Do what the arguments say and return the exit status."""
    words = _shared_last(sys.argv[1:] if argv is None else list(argv))
    try:
        program()(words, prog_name=PROGRAM)
    except SystemExit as end:  # Typer ends this way, with 2 for wrong usage
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except errors.Unavailable as error:
        return _fail(error, AWAY)
    except errors.SentienGuardError as error:
        return _fail(error, REFUSED)
    except OSError as error:
        return _fail(_said(error), REFUSED)
    except KeyboardInterrupt:
        return _fail("interrupted", REFUSED)
    return 0


def program() -> Any:
    """Return the whole command line, each command with its examples at the foot of its help."""
    whole = typer.main.get_command(app)
    for words, command in tree.walk(whole):
        command.epilog = markup.escape(examples.shown(PROGRAM, words))
        command.help = _unbroken(command.help or "")
    return whole


def _unbroken(text: str) -> str:
    """Join the lines of each paragraph of a help text: the terminal breaks them, not the source."""
    paragraphs = inspect.cleandoc(text).split("\n\n")
    return "\n\n".join(
        one if "\n " in one or "\n-" in one else one.replace("\n", " ") for one in paragraphs
    )


def _said(error: OSError) -> str:
    """Say what the system refused, and what to do about it."""
    way_out = WAYS_OUT.get(error.errno or 0)
    said = error.strerror or str(error)
    named = f"{error.filename}: {said}" if error.filename else said
    return f"{named}; {way_out}" if way_out else named


def _fail(error: BaseException | str, status: int) -> int:
    sys.stderr.write(f"sentienguard: {frame.plain(str(error))}\n")
    return status


def _shared_last(words: list[str]) -> list[str]:
    """Move shared options that stand before the command behind it."""
    moved: list[str] = []
    rest = list(words)
    while rest and (rest[0] in {"--json", "--data"} or rest[0].startswith("--data=")):
        moved.append(rest.pop(0))
        if moved[-1] == "--data" and rest:
            moved.append(rest.pop(0))
    end = rest.index("--") if "--" in rest else len(rest)
    return [*rest[:end], *moved, *rest[end:]]


if __name__ == "__main__":
    sys.exit(main())
