"""How far a signer's key reaches: in which environments, for which names of playbooks.

Called by `root`, which carries the limits, by `catalogue` and by the executor's admission, which
ask. A root document without limits looks as it did before there were any.

Rules:
1. A key that the root does not limit reaches everything; each limit only takes away. Both limits
   of a key hold at once, and each key that counts towards a threshold has to reach by itself: what
   the narrowest needed key may not do, is not done.
2. A limit names at least one environment or prefix. An empty list would be a key that is listed
   and useless, which is what striking it off is for.
3. Limits are for keys of the signer role; another's would be read and never asked.
4. Asked without an environment, the prefixes alone decide: a catalogue is one for all environments.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sentienguard.trust import dsse, fields

MAX_ENTRIES: Final = 64  # environments or prefixes of one key
PREFIX: Final = re.compile(r"[a-z][a-z0-9_]{0,63}\Z")  # the start of a playbook's name
_MEMBERS: Final = {"environments", "prefixes"}


@dataclass(frozen=True, slots=True)
class Delegation:
    """What one signer's key is limited to; None limits nothing in that respect."""

    environments: tuple[str, ...] | None = None
    prefixes: tuple[str, ...] | None = None  # of playbooks' names

    def reaches(self, playbook: str, environment: str | None) -> bool:
        """Tell whether the key may speak for this playbook, there or (None) anywhere at all."""
        named = self.prefixes is None or playbook.startswith(self.prefixes)
        if environment is None or self.environments is None:
            return named  # rule 4
        return named and environment in self.environments


def record(limits: Mapping[str, Delegation]) -> dict[str, dict[str, list[str]]]:
    """Return limits by key id as they travel."""
    return {
        keyid: {
            name: list(value)
            for name, value in (
                ("environments", limit.environments),
                ("prefixes", limit.prefixes),
            )
            if value is not None
        }
        for keyid, limit in limits.items()
    }


def read(found: Any, signers: Collection[str]) -> dict[str, Delegation]:
    """Read limits by key id. Raises dsse.NotTrusted."""
    if not isinstance(found, dict) or not found:
        raise dsse.NotTrusted("root: delegations is not an object with a member; leave it out")
    strangers = sorted(set(found) - set(signers))
    if strangers:
        raise dsse.NotTrusted(f"rule 7: delegations limits {strangers}, which are no signers")
    return {keyid: _limit(keyid, one) for keyid, one in found.items()}


def _limit(keyid: str, found: Any) -> Delegation:
    what = f"root: delegation of {keyid}"
    if not isinstance(found, dict) or not found or set(found) - _MEMBERS:
        raise dsse.NotTrusted(f"rule 7: {what}: expected environments, prefixes, or both")
    return Delegation(
        environments=_entries(found, "environments", what, fields.TOKEN),
        prefixes=_entries(found, "prefixes", what, PREFIX),
    )


def _entries(
    found: Mapping[str, Any], name: str, what: str, pattern: re.Pattern[str]
) -> tuple[str, ...] | None:
    if name not in found:
        return None
    entries = fields.array(found, name, what, MAX_ENTRIES)
    good = all(isinstance(one, str) and pattern.match(one) for one in entries)
    if not entries or not good or len(set(entries)) != len(entries):
        raise dsse.NotTrusted(
            f"rule 7: {what}: {name} is {str(entries)[:60]}, expected one or more of "
            f"{pattern.pattern}, none twice"
        )
    return tuple(entries)
