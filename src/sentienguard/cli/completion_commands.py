"""`completion`: what a shell reads to complete our commands."""

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Final

import typer

from sentienguard.cli import frame
from sentienguard.cli.drills import library, shelf
from sentienguard.cli.help import bash, fish, tree, zsh
from sentienguard.cli.installation import bundled
from sentienguard.model import access, errors
from sentienguard.playbook.importing import sources

SHELLS: Final[Mapping[str, Callable[[Sequence[tree.Node]], str]]] = {
    "bash": bash.script,
    "zsh": zsh.script,
    "fish": fish.script,
}


class NoSuchShell(errors.Rejected):
    """We know no completion for this shell."""


def completion(
    context: typer.Context,
    shell: Annotated[str, typer.Argument(metavar="SHELL", help="bash, zsh or fish.")],
    as_json: frame.Json = False,
) -> None:
    """Print what a shell reads to complete commands, options and known values."""
    if shell not in SHELLS:
        raise NoSuchShell(f"no completion for {shell!r}; there is one for {', '.join(SHELLS)}")
    whole = context.find_root().command
    written = SHELLS[shell](tree.read(whole, known()))
    shown = frame.open_frame(None, as_json)
    shown.answer({"shell": shell, "script": written})
    if not as_json:
        shown.out.file.write(written)


def known() -> dict[str, tuple[str, ...]]:
    """Return values that lie beside the program: drills, playbooks, roles."""
    drills = tuple(sorted({*library.DRILLS, *shelf.names()}))
    playbooks = bundled.names()
    return {
        "completion": tuple(SHELLS),
        "drill run": drills,
        "drill run-all --only": drills,
        "playbook import --from": tuple(sources.SOURCES),
        "playbook show": playbooks,
        "playbook test": playbooks,
        "playbook run": playbooks,
        "roles show": tuple(access.Role),
        "tokens add": tree.ENVIRONMENTS,
    }
