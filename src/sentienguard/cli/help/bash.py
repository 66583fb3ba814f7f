"""Completion in bash: one function, made from the tree; `live` alone runs when somebody types."""

import shlex
import sys
from collections.abc import Sequence

from sentienguard.cli.help.tree import Node

_HEAD = """\
# Completion of sentienguard in bash, made by `sentienguard completion bash`.
_sentienguard_live() {
  PYTHON -m sentienguard.cli.help.live "$1" "${COMP_WORDS[@]}" 2>/dev/null
}
_sentienguard() {
  local word=${COMP_WORDS[COMP_CWORD]} last=${COMP_WORDS[COMP_CWORD-1]} at=1 place= offered=
  [[ $word == = ]] && word=
  [[ $last == = ]] && last=${COMP_WORDS[COMP_CWORD-2]}
  COMPREPLY=()
  while ((at < COMP_CWORD)); do
    case "$place ${COMP_WORDS[at]}" in
"""
_WALKED = """\
    esac
    ((at++))
  done
  case "$place $last" in
"""
_OFFERED = """\
  esac
  if [[ $word == -* ]]; then
    case "$place" in
"""
_PLACES = """\
    esac
  else
    case "$place" in
"""
_FOOT = """\
    esac
  fi
  [[ -n $offered ]] && COMPREPLY=($(compgen -W "$offered" -- "$word"))
  return 0
}
# Where nothing is offered, names of files are.
complete -o default -F _sentienguard sentienguard
"""


def script(nodes: Sequence[Node]) -> str:
    """Return what bash reads: `source <(sentienguard completion bash)`."""
    made = [_HEAD.replace("PYTHON", shlex.quote(sys.executable))]
    for node in nodes:
        for name in node.below:
            there = f"{_place(node)} {name}"
            made.append(f"      {shlex.quote(there)}) place={shlex.quote(there)} ;;\n")
        for option in _taking(node):
            skip = "[[ ${COMP_WORDS[at+1]} == = ]] && ((at++)); ((at++))"
            made.append(f"      {shlex.quote(f'{_place(node)} {option}')}) {skip} ;;\n")
    made.append(_WALKED)
    for node in nodes:
        for one in node.options:
            if one.takes:
                offer = _offer(one.values, one.live)
                call = f'{offer}; COMPREPLY=($(compgen -W "$offered" -- "$word"));' if offer else ""
                made.append(
                    f"    {shlex.quote(f'{_place(node)} {one.name}')}) {call} return 0 ;;\n"
                )
    made.append(_OFFERED)
    made += [_line(node, [one.name for one in node.options]) for node in nodes]
    made.append(_PLACES)
    for node in nodes:
        plain = node.below or node.arguments
        if not plain and not node.asks:
            plain = tuple(one.name for one in node.options)
        made.append(_line(node, plain, node.live))
    return "".join([*made, _FOOT])


def _place(node: Node) -> str:
    return f" {node.words}" if node.words else ""


def _taking(node: Node) -> list[str]:
    return [one.name for one in node.options if one.takes]


def _line(node: Node, words: Sequence[str], live: str = "") -> str:
    offer = _offer(words, live)
    return f"      {shlex.quote(_place(node))}) {offer} ;;\n" if offer else ""


def _offer(words: Sequence[str], live: str) -> str:
    """Return what sets `offered`; empty where nothing is."""
    known = shlex.quote(" ".join(words)) if words else ""
    asked = f'" $(_sentienguard_live {live})"' if live else ""
    return f"offered={known}{asked}" if known or asked else ""
