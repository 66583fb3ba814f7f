"""Completion in fish: a line for each word, made from the tree; `live` alone runs in between."""

import shlex
import sys
from collections.abc import Iterator, Sequence

from sentienguard.cli.help.tree import Node

_HEAD = """\
# Completion of sentienguard in fish, made by `sentienguard completion fish`.
function __sentienguard_live --description 'What lives in the running system'
    PYTHON -m sentienguard.cli.help.live $argv[1] (commandline -opc) 2>/dev/null
end
function __sentienguard_at --description 'Is the command line at this command?'
    set -l place ''
    set -l skip 0
    for one in (commandline -opc)[2..]
        if test $skip = 1
            set skip 0
        else if contains -- "$place $one" $__sentienguard_taking
            set skip 1
        else if contains -- "$place $one" $__sentienguard_places
            set place "$place $one"
        end
    end
    test "$place" = "$argv[1]"
end
"""


def script(nodes: Sequence[Node]) -> str:
    """Return what fish reads: `sentienguard completion fish | source`."""
    places = [_place(node) for node in nodes if node.words]
    taking = [f"{_place(node)} {one.name}" for node in nodes for one in node.options if one.takes]
    return "".join([
        _HEAD.replace("PYTHON", shlex.quote(sys.executable)),
        f"set -g __sentienguard_places {' '.join(map(_quoted, places))}\n",
        f"set -g __sentienguard_taking {' '.join(map(_quoted, taking))}\n",
        *_lines(nodes),
    ])  # fmt: skip


def _lines(nodes: Sequence[Node]) -> Iterator[str]:
    sentences = {node.words: node.sentence for node in nodes}
    for node in nodes:
        at = _quoted(f"__sentienguard_at {_quoted(_place(node))}")
        here = f"complete -c sentienguard -n {at}"
        for name in node.below:
            what = sentences[f"{node.words} {name}".strip()]
            yield f"{here} -f -a {_quoted(name)} -d {_quoted(what)}\n"
        if node.arguments or node.live:
            yield f"{here} -f -a {_offered(node.arguments, node.live)}\n"
        elif not node.below and not node.asks:
            yield f"{here} -f\n"
        for one in node.options:
            offered = one.values or one.live
            values = f" -x -a {_offered(one.values, one.live)}" if offered else " -r"
            takes = values if one.takes else ""
            yield f"{here} -l {one.name.removeprefix('--')}{takes} -d {_quoted(one.what)}\n"


def _place(node: Node) -> str:
    return f" {node.words}" if node.words else ""


def _offered(words: Sequence[str], live: str) -> str:
    return _quoted(" ".join([*words, *([f"(__sentienguard_live {live})"] if live else [])]))


def _quoted(text: str) -> str:
    """Return text between single quotes, inside of which fish knows two escapes."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
