"""Where an entry names people, and how names become pseudonyms and names again.

Called by flow.people_log, for what is written and what is read. Rules:

1. A person is named by `actor`, by `key`, and by the members of `data` in NAMED and TEXTS; nowhere
   else. What the control plane says of hosts and playbooks stands in members of other names.
2. A text holds a name where it holds it as a word of its own. Names of one or two letters are not
   looked for in texts: they are in every one.
3. Entries that hosts sign are left as they are: who changes them breaks their signature.
4. Reading puts a name for each pseudonym that is somebody's. One that is nobody's any more stays.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from sentienguard.ports import audit_log
from sentienguard.trust import pseudonym

# A name and no more.
NAMED: Final = frozenset({"user", "to", "account", "agreed_by", "person", "via"})
# Words of people, and of ours about people.
TEXTS: Final = frozenset({
    "approvers", "detail", "label", "lapsed", "note", "question", "reason", "summary", "text",
    "what",
})  # fmt: skip
SHORTEST: Final = 3  # characters of a name that is looked for in texts
_BEFORE: Final = r"(?<![\w@+-])"
_AFTER: Final = r"(?![\w@+-]|\.\w)"


def names_people(entry: audit_log.NewEntry, nobody: frozenset[str]) -> bool:
    """Tell whether an entry could name somebody; `nobody` are actors that are no people."""
    return entry.actor not in nobody or not (NAMED | TEXTS).isdisjoint(entry.data)


class Hider:
    """Puts the pseudonym of each known name in its place."""

    def __init__(self, known: Mapping[str, str]) -> None:
        """Take the pseudonym of each name."""
        self._known = known
        long = sorted((one for one in known if len(one) >= SHORTEST), key=len, reverse=True)
        words = "|".join(map(re.escape, long))
        self._words = re.compile(f"{_BEFORE}(?:{words}){_AFTER}") if long else None

    def hidden(self, entry: audit_log.NewEntry) -> audit_log.NewEntry:
        """Return the entry without a known name (rules 1 and 2)."""
        if not self._known:
            return entry
        return replace(
            entry,
            actor=self._whole(entry.actor),
            key="/".join(map(self._whole, entry.key.split("/"))),
            data={name: self._member(name, value) for name, value in entry.data.items()},
        )

    def _member(self, name: str, value: Any) -> Any:
        if isinstance(value, str) and name in NAMED:
            return self._whole(value)
        if isinstance(value, str) and name in TEXTS:
            return self._text(value)
        return value

    def _whole(self, text: str) -> str:
        return self._known.get(text, text)

    def _text(self, text: str) -> str:
        if text in self._known or self._words is None:
            return self._whole(text)
        return self._words.sub(lambda found: self._known[found[0]], text)


def shown(fields: dict[str, Any], names: Callable[[], Mapping[str, str]]) -> dict[str, Any]:
    """Return the members of an entry with names in place of pseudonyms (rules 3 and 4).

    `names` is asked only where there is a pseudonym.
    """

    def named(value: Any) -> Any:
        match value:
            case str():
                return pseudonym.PATTERN.sub(lambda one: names().get(one[0], one[0]), value)
            case dict():
                return {name: named(one) for name, one in value.items()}
            case list():
                return [named(one) for one in value]
            case _:
                return value

    if fields["src"].startswith("agent:"):
        return fields
    return {**fields, "actor": named(fields["actor"]), "data": named(fields["data"])}
