"""Functions that change labels."""

import functools
import re
from collections.abc import Callable, Sequence

from sentienguard.stages.observe.promql import regex
from sentienguard.stages.observe.promql.faults import QueryFailed
from sentienguard.stages.observe.promql.tree import Compare, Matcher
from sentienguard.stages.observe.promql.values import NAME, Labels, changed, get

_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_REFERENCE = re.compile(r"\$(?:(\$)|\{(\w+)\}|(\w+))", re.ASCII)


def replacing(
    target: str, replacement: str, source: str, expression: str
) -> Callable[[Labels], Labels]:
    """Return what `label_replace` does to labels. Raises QueryFailed, QueryWrong."""
    pattern = regex.compiled(expression)
    _require_name(target, "label_replace")

    @functools.lru_cache(maxsize=1024)
    def made(value: str) -> str | None:
        found = pattern.fullmatch(value)
        return None if found is None else _expanded(replacement, found)

    def change(labels: Labels) -> Labels:
        value = made(get(labels, source))
        return labels if value is None else changed(labels, {target: value})

    return change


def joining(target: str, between: str, sources: Sequence[str]) -> Callable[[Labels], Labels]:
    """Return what `label_join` does to labels. Raises QueryFailed."""
    _require_name(target, "label_join")
    for one in sources:
        _require_name(one, "label_join")
    return lambda labels: changed(
        labels, {target: between.join(get(labels, one) for one in sources)}
    )


def of_absent(matchers: Sequence[Matcher]) -> Labels:
    """Return the labels of what is absent: those that a selector asks to be equal to one value."""
    found: dict[str, str] = {}
    seen: set[str] = set()
    for one in matchers:
        if one.name == NAME:
            continue
        if one.how is Compare.EQUAL and one.name not in seen:
            found[one.name] = one.value
            seen.add(one.name)
        else:
            found.pop(one.name, None)
    return changed((), found)


def require_label(name: str) -> None:
    """Raise QueryFailed where this cannot be the name of a label."""
    if _LABEL.fullmatch(name) is None:
        raise QueryFailed(f"invalid label name {name!r}")


def _require_name(name: str, function: str) -> None:
    if _LABEL.fullmatch(name) is None:
        raise QueryFailed(f"invalid label name {name!r} in {function}()")


def _expanded(template: str, found: "re.Match[str]") -> str:
    """Fill in $1, ${1} and ${name} as Go does: longest name, unknown ones are empty, $$ is $."""

    def filled(reference: "re.Match[str]") -> str:
        dollar, *names = reference.groups()
        if dollar:
            return "$"
        name = next(one for one in names if one)
        group: int | str = int(name) if name.isdigit() else name
        try:
            return found.group(group) or ""
        except IndexError:
            return ""

    return _REFERENCE.sub(filled, template)
