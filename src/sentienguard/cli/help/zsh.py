"""Completion in zsh: one function, made from the tree; `live` alone runs when somebody types."""

import shlex
import sys
from collections.abc import Iterator, Sequence

from sentienguard.cli.help.tree import Node

_HEAD = """\
#compdef sentienguard
# Completion of sentienguard in zsh, made by `sentienguard completion zsh`.
_sentienguard_live() {
  PYTHON -m sentienguard.cli.help.live $1 $words 2>/dev/null
}
_sentienguard() {
  local word=$words[CURRENT] last=$words[CURRENT-1] place= at=2
  local -a offered
  while ((at < CURRENT)); do
    case "$place $words[at]" in
"""
_WALKED = """\
    esac
    ((at++))
  done
  if [[ $word == --*=* ]]; then
    last=${word%%=*}
    compset -P '*='
  fi
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
  if (($#offered)); then
    _describe -t words sentienguard offered
  else
    _files
  fi
}
if [[ $funcstack[1] == _sentienguard ]]; then
  _sentienguard "$@"
else
  compdef _sentienguard sentienguard
fi
"""


def script(nodes: Sequence[Node]) -> str:
    """Return what zsh reads: a file _sentienguard in fpath, or sourced after compinit."""
    sentences = {node.words: node.sentence for node in nodes}
    return "".join([
        _HEAD.replace("PYTHON", shlex.quote(sys.executable)), *_walk(nodes), _WALKED,
        *_values(nodes), _OFFERED, *_options(nodes), _PLACES, *_words(nodes, sentences), _FOOT,
    ])  # fmt: skip


def _walk(nodes: Sequence[Node]) -> Iterator[str]:
    for node in nodes:
        for name in node.below:
            there = shlex.quote(f"{_place(node)} {name}")
            yield f"      {there}) place={there} ;;\n"
        for one in node.options:
            if one.takes:
                yield f"      {shlex.quote(f'{_place(node)} {one.name}')}) ((at++)) ;;\n"


def _values(nodes: Sequence[Node]) -> Iterator[str]:
    for node in nodes:
        for one in node.options:
            if not one.takes:
                continue
            place = shlex.quote(f"{_place(node)} {one.name}")
            known = " ".join([*map(shlex.quote, one.values), *_asked(one.live)])
            offer = f"compadd -- {known}" if known else "_files"
            yield f"    {place}) {offer}; return ;;\n"


def _options(nodes: Sequence[Node]) -> Iterator[str]:
    for node in nodes:
        told = [f"{one.name}:{one.what}" for one in node.options]
        yield f"      {shlex.quote(_place(node))}) offered=({shlex.join(told)}) ;;\n"


def _words(nodes: Sequence[Node], sentences: dict[str, str]) -> Iterator[str]:
    for node in nodes:
        below = [f"{name}:{sentences[f'{node.words} {name}'.strip()]}" for name in node.below]
        if not below and not node.asks:
            below = [f"{one.name}:{one.what}" for one in node.options]
        told = [*map(shlex.quote, below or node.arguments), *_asked(node.live)]
        if told:
            yield f"      {shlex.quote(_place(node))}) offered=({' '.join(told)}) ;;\n"


def _asked(live: str) -> list[str]:
    return [f'${{(f)"$(_sentienguard_live {live})"}}'] if live else []


def _place(node: Node) -> str:
    return f" {node.words}" if node.words else ""
