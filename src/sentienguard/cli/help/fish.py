"""Completion in fish: a line for each word, made from the tree; no program runs in between."""

from collections.abc import Iterator, Sequence

from sentienguard.cli.help.tree import Node

_HEAD = """\
# Completion of sentienguard in fish, made by `sentienguard completion fish`.
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
        _HEAD,
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
        if node.arguments:
            yield f"{here} -f -a {_quoted(' '.join(node.arguments))}\n"
        elif not node.below and not node.asks:
            yield f"{here} -f\n"
        for one in node.options:
            values = f" -x -a {_quoted(' '.join(one.values))}" if one.values else " -r"
            takes = values if one.takes else ""
            yield f"{here} -l {one.name.removeprefix('--')}{takes} -d {_quoted(one.what)}\n"


def _place(node: Node) -> str:
    return f" {node.words}" if node.words else ""


def _quoted(text: str) -> str:
    """Return text between single quotes, inside of which fish knows two escapes."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
