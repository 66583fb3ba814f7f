"""Know which pseudonym of the log is whose, until somebody is to be forgotten.

Called by adapters.audit_people (what is written and read), by controlplane (whom a door does not
know, erasure) and by evidence packages. Offered by adapters.sql_store.people.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Opening:
    """What shows whose a pseudonym is: `trust.pseudonym.of(key, name)` gives it again."""

    pseudonym: str
    name: str
    key: bytes  # 32 bytes, a secret


class People(Protocol):
    """Names and pseudonyms; safe to use from many threads."""

    def known(self) -> Mapping[str, str]:
        """Return the pseudonym of each name: of accounts, and of whom a chat or a provider names.

        Raises Unavailable, Broken.
        """

    def names(self) -> Mapping[str, str]:
        """Return the name of each pseudonym. Raises as `known`."""

    def meet(self, name: str) -> str:
        """Return the pseudonym of somebody without an account, whom others vouch for; remember it.

        Raises Rejected for what is no name.
        """

    def stranger(self, name: str) -> str:
        """Return what stands for a name that somebody only claims. It is not remembered.

        The same name gives the same; who has the name can ask whether it is the one.
        """

    def opening(self, pseudonym: str) -> Opening | None:
        """Return what shows whose this is; None: nobody's, or of somebody who was forgotten."""

    def forget(self, name: str) -> int:
        """Destroy the key of a name, and put its pseudonym for it wherever the database has it.

        Account, logins, factors and links go with it. Returns how many rows changed. Raises
        user_store.NoSuchUser where nobody is known by this name.
        """
