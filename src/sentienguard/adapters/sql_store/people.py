"""Keep whose a pseudonym of the log is, and forget it.

Called through ports.people. Rules:

1. Everybody with an account is known: who was added since the last look is met now, whichever
   control plane added them.
2. Each name has a key of its own, so that destroying one tells nothing of the others.
3. The key for strangers belongs to the installation and stays: what it makes names nobody who was
   ever here, and only whoever has the name and the key can ask.
4. Forgetting someone puts the pseudonym for the name in every column of ACTORS and in the texts of
   WORDS, and deletes the rows of THEIRS, in one transaction; SQLite overwrites what was there.
   PostgreSQL keeps replaced rows until it vacuums.
"""

import json
import os
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import text

from sentienguard.adapters.sql_store import codec
from sentienguard.adapters.sql_store.connections import Connections, Transaction
from sentienguard.adapters.sql_store.data_keys import DataKeys
from sentienguard.adapters.sql_store.sealed_columns import PERSON_KEY, SEALED_BY_NAME
from sentienguard.model import errors
from sentienguard.ports.people import Opening
from sentienguard.ports.user_store import NoSuchUser
from sentienguard.trust import pseudonym

MAX_NAME: Final = 254  # characters, as of an account
STRANGERS: Final = ""  # a name that nobody has: the row of rule 3

# Tells whether anything changed: how many there are, the newest, and accounts not met yet.
STAMP = text("""
    SELECT (SELECT count(*) FROM people) AS met, (SELECT max(made_us) FROM people) AS newest,
           (SELECT count(*) FROM users
            WHERE NOT EXISTS (SELECT 1 FROM people WHERE people.name = users.name)) AS unmet
""")

# Accounts not met yet; everybody; one by name, one by pseudonym.
UNMET = text("""
    SELECT name FROM users
    WHERE NOT EXISTS (SELECT 1 FROM people WHERE people.name = users.name)
""")
LIST = text("SELECT name, pseudonym FROM people")
GET = text("SELECT * FROM people WHERE name = :name")
WHOSE = text("SELECT * FROM people WHERE pseudonym = :pseudonym")

# Meet somebody, unless another control plane was quicker; forget somebody.
MEET = text("""
    INSERT INTO people (name, pseudonym, secret, made_us)
    VALUES (:name, :pseudonym, :secret, :at_us) ON CONFLICT DO NOTHING
""")
FORGET = text("DELETE FROM people WHERE name = :name")

ACTORS: Final = (  # table, column: a name and no more
    ("approval_agreements", "person"),
    ("approvals", "decided_by"),
    ("changes", "made_by"),
    ("chat_identities", "made_by"),
    ("emergencies", "user_name"),
    ("emergencies", "agreed_by"),
    ("emergencies", "ended_by"),
    ("incident_care", "acknowledged_by"),
    ("incident_care", "assigned_to"),
    ("incident_care", "assigned_by"),
    ("incident_care", "settled_by"),
    ("kill_switch", "set_by"),
    ("orders", "stop_requested_by"),
    ("playbook_drafts", "made_by"),
    ("playbook_drafts", "changed_by"),
    ("playbook_drafts", "ended_by"),
    ("playbook_proofs", "asked_by"),
    ("read_tokens", "made_by"),
    ("silences", "made_by"),
    ("webhook_tokens", "made_by"),
)
WORDS: Final = (  # table, its key, column: a text, or JSON that holds names
    ("approval_agreements", ("approval", "person"), "note"),
    ("approvals", ("id",), "question"),
    ("approvals", ("id",), "reason"),
    ("approvals", ("id",), "note"),
    ("changes", ("environment", "id"), "summary"),
    ("decisions", ("incident",), "decision"),
    ("emergencies", ("id",), "reason"),
    ("incident_care", ("incident",), "settled_because"),
    ("incidents", ("id",), "anomaly"),
    ("incidents", ("id",), "summary"),
    ("incidents", ("id",), "search"),
    ("kill_switch", ("one",), "reason"),
    ("orders", ("id",), "order_json"),
    ("orders", ("id",), "refused_because"),
    ("orders", ("id",), "report"),
    ("outbox", ("id",), "notice"),
    ("silences", ("id",), "reason"),
)
THEIRS: Final = (  # table, column: rows that are about nobody else
    ("chat_identities", "account"),
    ("factors", "user_name"),
    ("login_networks", "user_name"),
    ("logins", "user_name"),
    ("outside_people", "user_name"),
    ("recovery_codes", "user_name"),
    ("second_failures", "user_name"),
    ("sessions", "user_name"),
    ("tickets", "user_name"),
    ("users", "name"),
)
# Tokens of their logins, and the signatures that name them.
TOKENS = text("""
    DELETE FROM login_tokens WHERE login IN (SELECT id FROM logins WHERE user_name = :name)
""")
SIGNATURES = text("UPDATE approval_agreements SET signature = NULL WHERE person = :name")


class SqlPeople:
    """Names and pseudonyms in the relational store; see ports.people for each method."""

    def __init__(
        self,
        connections: Connections,
        keys: DataKeys,
        entropy: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._connections = connections
        self._keys = keys
        self._entropy = entropy
        self._lock = threading.Lock()
        self._seen: tuple[object, Mapping[str, str], Mapping[str, str]] = (None, {}, {})

    def known(self) -> Mapping[str, str]:
        """Return the pseudonym of each name; the same mapping until something changes."""
        return self._read()[0]

    def names(self) -> Mapping[str, str]:
        """Return the name of each pseudonym; the same mapping until something changes."""
        return self._read()[1]

    def meet(self, name: str) -> str:
        """Return the pseudonym of somebody without an account, and remember it."""
        if not name or not name.isprintable() or len(name) > MAX_NAME:
            raise errors.Rejected(
                f"name {name[:80]!a}: expected 1 to {MAX_NAME} printable characters"
            )
        return self._opening(name).pseudonym

    def stranger(self, name: str) -> str:
        """Return what stands for a name that somebody only claims (rule 3)."""
        return pseudonym.of_stranger(self._opening(STRANGERS).key, name)

    def opening(self, pseudonym: str) -> Opening | None:
        """Return what shows whose this is; None: nobody's any more."""
        with self._connections.read() as transaction:
            row = transaction.row(WHOSE, pseudonym=pseudonym)
        if row is None or row.name == STRANGERS:
            return None
        return Opening(row.pseudonym, row.name, self._key(row.name, row.secret))

    def forget(self, name: str) -> int:
        """Destroy the key of a name, and put its pseudonym in its place (rule 4)."""
        stands_for = self.known().get(name)
        if stands_for is None:
            raise NoSuchUser(f"nobody is known by the name {name!r}; list users to find it")
        with self._connections.write() as transaction:
            self._connections.erasing(transaction)
            transaction.change(SIGNATURES, name=name)
            transaction.change(TOKENS, name=name)
            changed = sum(_delete(transaction, table, column, name) for table, column in THEIRS)
            changed += _rewritten(transaction, self._keys, name, stands_for)
            for table, column in ACTORS:
                changed += _renamed(transaction, table, column, name, stands_for)
            transaction.change(FORGET, name=name)
        self._connections.forget_replaced()
        return changed

    def _read(self) -> tuple[Mapping[str, str], Mapping[str, str]]:
        with self._connections.read() as transaction:
            row = transaction.row(STAMP)
        stamp = None if row is None else (row.met, row.newest)
        with self._lock:
            seen, known, names = self._seen
        if row is not None and not row.unmet and stamp == seen:
            return known, names
        with self._connections.read() as transaction:
            unmet = [str(one.name) for one in transaction.rows(UNMET)]
        for name in unmet:  # rule 1
            self._opening(name)
        with self._connections.read() as transaction:
            after = transaction.row(STAMP)
            rows = [one for one in transaction.rows(LIST) if one.name != STRANGERS]
        known = {one.name: one.pseudonym for one in rows}
        names = {one.pseudonym: one.name for one in rows}
        if after is not None:
            with self._lock:
                self._seen = ((after.met, after.newest), known, names)
        return known, names

    def _opening(self, name: str) -> Opening:
        """Return the pseudonym and key of a name, made where there are none."""
        with self._connections.read() as transaction:
            row = transaction.row(GET, name=name)
        if row is None:
            key = self._entropy(pseudonym.KEY_BYTES)
            stands_for = pseudonym.of(key, name) if name != STRANGERS else STRANGERS
            secret = self._keys.seal_text(key.hex(), PERSON_KEY, name)
            at_us = codec.micros(datetime.now(UTC))
            with self._connections.write() as transaction:
                transaction.change(
                    MEET, name=name, pseudonym=stands_for, secret=secret, at_us=at_us
                )
                row = transaction.row(GET, name=name)
        if row is None:
            raise errors.Unavailable(f"{name!r} was forgotten at this moment; try again")
        return Opening(row.pseudonym, row.name, self._key(row.name, row.secret))

    def _key(self, name: str, secret: str) -> bytes:
        return bytes.fromhex(self._keys.unseal_text(secret, PERSON_KEY, name))


def _delete(transaction: Transaction, table: str, column: str, name: str) -> int:
    return transaction.change(text(f"DELETE FROM {table} WHERE {column} = :name"), name=name)  # noqa: S608  our names


def _renamed(transaction: Transaction, table: str, column: str, name: str, new: str) -> int:
    statement = text(f"UPDATE {table} SET {column} = :new WHERE {column} = :name")  # noqa: S608  our names
    return transaction.change(statement, name=name, new=new)


def _rewritten(transaction: Transaction, keys: DataKeys, name: str, new: str) -> int:
    """Put `new` for the name as a word of its own in texts; return how many changed."""
    found = re.compile(rf"(?<![\w@+-]){_forms(name)}(?![\w@+-]|\.\w)")
    changed = 0
    for table, key, column in WORDS:
        where = " AND ".join(f"{part} = :{part}" for part in key)
        change = text(f"UPDATE {table} SET {column} = :new WHERE {where}")  # noqa: S608  our names
        sealed = SEALED_BY_NAME.get((table, column))
        for row in _holding(transaction, keys, table, key, column, name=name):
            place, bound, was = row
            after = found.sub(new, was)
            if after != was:
                values = dict(zip(key, place, strict=True))
                if sealed is not None:
                    after = keys.seal(after.encode(), bound).decode()
                changed += transaction.change(change, new=after, **values)
    return changed


def _forms(name: str) -> str:
    """Return a pattern for the name as it is, as JSON writes it, and folded for searching."""
    forms = {name, json.dumps(name)[1:-1], json.dumps(name, ensure_ascii=False)[1:-1]}
    forms |= {one.casefold() for one in forms}
    return "(?:" + "|".join(re.escape(one) for one in sorted(forms, key=len, reverse=True)) + ")"


def _holding(
    transaction: Transaction,
    keys: DataKeys,
    table: str,
    key: tuple[str, ...],
    column: str,
    *,
    name: str,
) -> Iterator[tuple[list[Any], str, str]]:
    """Yield key, place and text of the rows whose text may hold the name; a sealed one is opened.

    The place is what a sealed text is bound to.
    """
    sealed = SEALED_BY_NAME.get((table, column))
    bound = () if sealed is None else sealed.bound or (sealed.key,)
    names = ", ".join(dict.fromkeys((*key, *bound)))
    statement = text(f"SELECT {names}, {column} AS said FROM {table}")  # noqa: S608  our names
    wanted = re.compile(_forms(name))
    for row in transaction.rows(statement):
        place, said = "", row.said
        if sealed is not None and said:
            place = sealed.place(*(getattr(row, part) for part in bound))
            said = keys.unseal(said.encode(), place).decode()
        if said and wanted.search(said):
            yield [getattr(row, part) for part in key], place, said
