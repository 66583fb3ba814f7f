"""The entry of `sentienguard`: every command by its name; errors become an exit status.

    0 done    1 refused or failed    2 wrong usage    3 not available now

Options that every command takes (`--data`, `--json`) may stand anywhere on the line.
"""

import errno
import inspect
import sys
from collections.abc import Callable, Sequence
from typing import Any

import typer
import typer.core
import typer.main
from rich import markup

from sentienguard.cli import commands, frame
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
ASKS_FOR_ALL = "completion"  # the one command that is about all others


def main(argv: Sequence[str] | None = None) -> int:
    """Do what the arguments say and return the exit status."""
    words = _shared_last(sys.argv[1:] if argv is None else list(argv))
    try:
        program(_wanted(words))(words, prog_name=PROGRAM)
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


def program(only: str | None = None) -> Any:
    """Return the whole command line, each command with its examples at the foot of its help.

    Given the name of a command, that one alone is loaded; the others are names with a sentence.
    """
    app = typer.Typer(
        name=PROGRAM,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        help="Notices what is not normal, fixes it within signed limits, proves that it worked, "
        "undoes it where it did not.",
    )
    for name, place in commands.COMMANDS.items():
        app.command(name)(place.load() if only in {None, name} else _named(place.sentence))
    for name, place in commands.GROUPS.items():
        group = place.load() if only in {None, name} else typer.Typer(help=place.sentence)
        app.add_typer(group, name=name)
    whole = typer.main.get_command(app)
    for words, command in tree.walk(whole):
        command.epilog = markup.escape(examples.shown(PROGRAM, words))
        command.help = _unbroken(command.help or "")
    return whole


def _named(sentence: str) -> Callable[[], None]:
    """Return a command that is listed and not run."""

    def stand_in() -> None:
        raise AssertionError(f"a command was run that was not loaded: {sentence}")

    stand_in.__doc__ = sentence
    return stand_in


def _wanted(words: Sequence[str]) -> str | None:
    """Return the name of the command that these words run; "" for none, None where it needs all."""
    first = words[0] if words else ""
    if first == "--help":
        return ""
    unclear = first.startswith("-")  # a command may stand behind it
    return None if unclear or first == ASKS_FOR_ALL else first


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
