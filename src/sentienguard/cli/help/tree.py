"""The command line as plain data: commands, their options, and what an option can be given."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sentienguard.model import incident

ENVIRONMENTS: Final = ("drill", "dev", "staging", "production")  # as settings come
_CHOICES: Final = re.compile(r"[a-z0-9-]+(?:\|[a-z0-9-]+)+\Z")  # json|csv|pdf, and not NAME|PATH

# What else is known of values; whatever is missing here completes to names of files.
VALUES: Final[Mapping[str, tuple[str, ...]]] = {
    "--environment": ENVIRONMENTS,
    "--status": tuple(incident.Status),
    "--outcome": tuple(incident.Outcome),
    "--sensitivity": ("low", "medium", "high"),
    "--bed": ("node", "sandbox"),
}


# What the running system is asked for, as `live` names it: of options with any value, and of the
# first argument of commands, by the first word of the command and what its help calls the argument.
LIVE: Final[Mapping[str, str]] = {
    "--environment": "environments",
    "--host": "hosts",
    "--incident": "incidents",
}
LIVE_ARGUMENTS: Final[Mapping[tuple[str, str], str]] = {
    ("approvals", "ID"): "approvals",
    ("break-glass", "ENVIRONMENT"): "environments",
    ("hosts", "HOST"): "hosts",
    ("incidents", "ID"): "incidents",
    ("maintenance", "ID"): "maintenance",
    ("maintenance", "[HOST]"): "hosts",
    ("playbook", "NAME"): "playbooks",
    ("silence", "ID"): "silences",
    ("silence", "[HOST]"): "hosts",
    ("tokens", "ENVIRONMENT"): "environments",
}


@dataclass(frozen=True, slots=True)
class Option:
    """One option of a command."""

    name: str  # with its dashes
    what: str  # it does
    takes: bool  # a value follows
    values: tuple[str, ...]  # that it can be given, as far as they are known
    live: str = ""  # kind of `live` that it can be given; empty: none


@dataclass(frozen=True, slots=True)
class Node:
    """A command, or a group of them."""

    words: str  # without the program's name; "" is the program
    sentence: str  # the first of its help
    below: tuple[str, ...]  # commands of a group; none: it is a command
    options: tuple[Option, ...]
    asks: bool  # for something that is no option
    arguments: tuple[str, ...]  # that are known; none: completes to names of files
    live: str = ""  # kind of `live` that its argument is; empty: none


def walk(command: Any, words: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every group and command below, and itself, with its words."""
    yield words, command
    for name, inner in getattr(command, "commands", {}).items():
        yield from walk(inner, f"{words} {name}".strip())


def read(whole: Any, known: Mapping[str, tuple[str, ...]]) -> tuple[Node, ...]:
    """Return the command line as data, groups before what is in them.

    `known` are values: of an option, of an option of one command, or of a command's argument.
    """
    values = {**VALUES, **known}
    return tuple(
        Node(
            words=words,
            sentence=(command.help or "").split("\n\n")[0].replace("\n", " "),
            below=tuple(getattr(command, "commands", {})),
            options=tuple(_options(words, command, values)),
            asks=any(one.param_type_name == "argument" for one in command.params),
            arguments=values.get(words, ()),
            live=_live(words, command),
        )
        for words, command in walk(whole)
    )


def _options(words: str, command: Any, known: Mapping[str, tuple[str, ...]]) -> Iterator[Option]:
    for one in command.params:
        if one.param_type_name != "option":
            continue
        plain = "=" not in (one.metavar or "")  # VALUE=HOST is no host
        for name in one.opts:
            values = known.get(f"{words} {name}", known.get(name, ()))
            if _CHOICES.match(one.metavar or ""):
                values = tuple(one.metavar.split("|"))
            live = LIVE.get(name, "") if plain and not one.is_flag else ""
            yield Option(name, one.help or "", not one.is_flag, values, live)
    yield Option("--help", "Show this message and exit.", takes=False, values=())


def _live(words: str, command: Any) -> str:
    named = [one.metavar for one in command.params if one.param_type_name == "argument"]
    return LIVE_ARGUMENTS.get((words.partition(" ")[0], named[0]), "") if named else ""
