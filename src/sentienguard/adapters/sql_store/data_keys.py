"""Seal secrets, personal values and texts of the tables, under data keys that a keeper wraps.

Called by the stores of this package through ports.sealing, and by the composition roots to rotate.
Rules:

1. A kept value says which data key sealed it; older keys still open, so rotating needs no pause.
2. The newest key seals. Each seal asks the table which that is: another control plane may have
   rotated a moment ago.
3. A new key is made only where the one before opens, or where there is none: whoever lost the
   keeper's key hears of it and does not begin anew beside what they can no longer read.
4. A number is given once: of two processes that rotate at the same moment one makes the key.
5. What an earlier release kept in the clear is sealed at the next start with a keeper, and is
   overwritten in SQLite's file. PostgreSQL keeps replaced rows until it vacuums.
6. A value opens in its own row only: it is bound to the row's key, or where the database gives
   that, to what the row says (docs/adr/0023-texts-sealed-in-their-columns.md).
7. What is sealed outside of these tables, such as the workflows' records, is put under a new key
   with them (`Beside`).
"""

import base64
import binascii
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Protocol

from sqlalchemy import TextClause, text

from sentienguard.adapters.sql_store import codec
from sentienguard.adapters.sql_store.connections import Connections
from sentienguard.adapters.sql_store.sealed_columns import SEALED, Column
from sentienguard.model import errors
from sentienguard.ports.data_keys import DataKey, Rotation
from sentienguard.ports.key_keeper import KeyKeeper
from sentienguard.ports.sealing import InTheClear
from sentienguard.trust import sealed

PREFIX: Final = b"sg1."  # then the data key's number, a point, base64 of nonce and content
_TEXT_PREFIX: Final = PREFIX.decode()
_BATCH: Final = 1_000  # rows of a transaction while resealing

# All data keys, oldest first; one; the newest one's number.
LIST = text("SELECT * FROM data_keys ORDER BY number")
GET = text("SELECT * FROM data_keys WHERE number = :number")
NEWEST = text("SELECT max(number) AS number FROM data_keys")

# Keep a new data key, unless somebody was quicker.
ADD = text("""
    INSERT INTO data_keys (number, keeper, wrapped, made_us)
    VALUES (:number, :keeper, :wrapped, :at_us) ON CONFLICT DO NOTHING
""")

# Wrap a data key anew.
REWRAP = text("""
    UPDATE data_keys SET keeper = :keeper, wrapped = :wrapped
    WHERE number = :number AND wrapped = :was
""")

# Every row is under this key or a later one.
WHOLE = text("UPDATE data_keys SET whole_us = :at_us WHERE number = :number")


@dataclass(frozen=True, slots=True)
class _Kept:
    """One value as it is kept."""

    id: tuple[str | int, ...]  # of its row
    was: str | bytes
    place: str  # what it is bound to


class Beside(Protocol):
    """Sealed values that are kept outside of the tables here."""

    def reseal(self, ours: str, renewed: Callable[[bytes, str], bytes]) -> int:
        """Put every value under the newest key, whose values begin with `ours`; return how many.

        `renewed` takes what is kept, sealed or not, and its place.
        """


class DataKeys:
    """A sealing.Sealer over one database; safe to use from many threads."""

    def __init__(
        self,
        connections: Connections,
        keeper: KeyKeeper | None,
        entropy: Callable[[int], bytes] = os.urandom,
        *,
        beside: Sequence[Beside] = (),
    ) -> None:
        """Take the keeper; None seals nothing, and opens nothing that is sealed."""
        self._beside = beside
        self._connections = connections
        self._keeper = keeper
        self._entropy = entropy
        self._lock = threading.Lock()  # one question to the keeper at a time
        self._opened: dict[int, bytes] = {}

    def begin(self) -> None:
        """Make the first data key where there is none; finish a resealing that was cut off."""
        if self._keeper is None:
            return
        if self._newest() is None:
            self._add(1, self._keeper)
        newest = self._newest() or 1
        self._key(newest)  # who cannot open it hears of it now
        with self._connections.read() as transaction:
            row = transaction.row(GET, number=newest)
        if row is None or row.whole_us is None:
            self._reseal(newest)

    def seal(self, plain: bytes, place: str) -> bytes:
        """Return the sealed form; see ports.sealing."""
        return self.batch()(plain, place)

    def batch(self) -> Callable[[bytes, str], bytes]:
        """Return what seals many values as `seal` does, under the key that is the newest now.

        It asks the database and the keeper once, so it may be used inside of a transaction.
        """
        if self._keeper is None:
            return InTheClear().seal
        number = self._newest()
        if number is None:
            raise errors.Broken(f"database {self._connections.place} has lost its data keys")
        key, head = self._key(number), PREFIX + str(number).encode() + b"."

        def seal(plain: bytes, place: str) -> bytes:
            nonce = self._entropy(sealed.NONCE_BYTES)
            return head + base64.b64encode(sealed.seal_value(key, plain, place, nonce))

        return seal

    def unseal(self, kept: bytes, place: str) -> bytes:
        """Return the plain form; see ports.sealing."""
        if not kept.startswith(PREFIX):
            return kept
        number, _, content = kept.removeprefix(PREFIX).partition(b".")
        try:
            return sealed.open_value(
                self._key(int(number)), base64.b64decode(content, validate=True), place
            )
        except (ValueError, binascii.Error) as error:
            raise sealed.NotSealedByThis(f"{place} is damaged; restore it") from error
        except sealed.NotSealedByThis as error:
            way_out = "restore its row, or the table data_keys, from the backup of the same time"
            raise sealed.NotSealedByThis(f"{error}; {way_out}") from error

    def seal_text(self, plain: str, column: Column, key: str, *more: str | int) -> str:
        """Return what a text column keeps. Raises Rejected (half a surrogate pair), and as seal."""
        return self.seal(encoded(plain), column.place(key, *more)).decode()

    def seal_row(self, key: str, texts: Mapping[Column, str]) -> dict[str, str]:
        """Return what the text columns of one row keep, by their names; the key is asked once."""
        seal = self.batch()
        return {
            column.name: seal(encoded(plain), column.place(key)).decode()
            for column, plain in texts.items()
        }

    def unseal_text(self, kept: str, column: Column, key: str, *more: str | int) -> str:
        """Return what a text column means."""
        if not kept.startswith(_TEXT_PREFIX):
            return kept  # of an earlier release, in whatever characters
        return self.unseal(kept.encode(), column.place(key, *more)).decode()

    def readable_text(self, kept: str, column: Column, key: str, *more: str | int) -> str:
        """Return what a text column means, or why that cannot be told: one row holds up no other.

        For texts that whoever reads them takes for no more than a text.
        """
        try:
            return self.unseal_text(kept, column, key, *more)
        except errors.Broken as error:
            return f"(this cannot be read: {error})"

    def all(self) -> tuple[DataKey, ...]:
        """Return all data keys, oldest first."""
        with self._connections.read() as transaction:
            return tuple(
                DataKey(
                    row.number,
                    row.keeper,
                    codec.instant(row.made_us),
                    codec.instant_or_none(row.whole_us),
                )
                for row in transaction.rows(LIST)
            )

    def rotate(self) -> Rotation:
        """Make a new data key, wrap the old ones anew, and put every row under the new one.

        Control planes that run beside it go on. Raises Rejected without a keeper, KeeperAway,
        KeyRefused.
        """
        while True:
            if (done := self.rotate_after(self._newest() or 0)) is not None:
                return done

    def rotate_after(self, newest: int) -> Rotation | None:
        """Make the data key that follows `newest`; None: somebody did. See ports.data_keys."""
        if self._keeper is None:
            raise errors.Rejected("this database was opened without a keeper of keys")
        if (self._newest() or 0) != newest:
            return None
        if newest:
            self._key(newest)  # rule 3
        rewrapped = self._rewrap(self._keeper)
        number = newest + 1
        if not self._add(number, self._keeper):
            return None  # rule 4
        return Rotation(number, rewrapped, self._reseal(number))

    def finish(self) -> int:
        """Finish a resealing that was cut off; return how many values it took."""
        keys = self.all()
        if self._keeper is None or not keys or keys[-1].whole_at is not None:
            return 0
        return self._reseal(keys[-1].number)

    def _newest(self) -> int | None:
        with self._connections.read() as transaction:
            row = transaction.row(NEWEST)
        return None if row is None else row.number

    def _add(self, number: int, keeper: KeyKeeper) -> bool:
        """Keep a new data key; False where its number is taken (rule 4)."""
        name, wrapped = keeper.wrap(self._entropy(sealed.KEY_BYTES), _about(number))
        with self._connections.write() as transaction:
            added = transaction.change(
                ADD,
                number=number,
                keeper=name,
                wrapped=base64.b64encode(wrapped).decode(),
                at_us=codec.micros(datetime.now(UTC)),
            )
        return added == 1

    def _key(self, number: int) -> bytes:
        with self._lock:
            if number not in self._opened:
                self._opened[number] = self._open(number)
            return self._opened[number]

    def _open(self, number: int) -> bytes:
        if self._keeper is None:
            raise errors.Broken(
                f"database {self._connections.place} is sealed; open it as its control plane does, "
                "with the keeper of its keys"
            )
        with self._connections.read() as transaction:
            row = transaction.row(GET, number=number)
        if row is None:
            raise errors.Broken(
                f"database {self._connections.place} has no data key {number}; restore the table "
                "data_keys from the backup of the same time"
            )
        return self._keeper.unwrap(row.keeper, base64.b64decode(row.wrapped), _about(number))

    def _rewrap(self, keeper: KeyKeeper) -> int:
        """Wrap anew what another key wrapped; return how many."""
        count = 0
        with self._connections.read() as transaction:
            rows = transaction.rows(LIST)
        for row in rows:
            if row.keeper == keeper.name:
                continue
            name, wrapped = keeper.wrap(self._key(row.number), _about(row.number))
            with self._connections.write() as transaction:
                count += transaction.change(
                    REWRAP,
                    number=row.number,
                    keeper=name,
                    wrapped=base64.b64encode(wrapped).decode(),
                    was=row.wrapped,
                )
        return count

    def _reseal(self, number: int) -> int:
        """Put every value under the newest key; return how many were not."""
        count = sum(self._reseal_batch(*batch) for batch in self._batches(number))
        ours = f"{_TEXT_PREFIX}{number}."
        count += sum(one.reseal(ours, self._renewed) for one in self._beside)
        with self._connections.write() as transaction:
            transaction.change(WHOLE, number=number, at_us=codec.micros(datetime.now(UTC)))
        self._connections.forget_replaced()
        return count

    def _renewed(self, was: bytes, place: str) -> bytes:
        return self.seal(self.unseal(was, place), place)

    def _batches(self, number: int) -> Iterator[tuple[Column, list[_Kept]]]:
        """Yield the values that are not under this key, some at a time."""
        ours = PREFIX + str(number).encode() + b"."
        for column in SEALED:
            after: dict[str, str | int] = {"after": 0 if column.numbered else ""}
            if column.also:
                after["beyond"] = ""
            wanted = _page(column)
            while True:
                with self._connections.read() as transaction:
                    rows = transaction.rows(wanted, **after)
                if not rows:
                    break
                after = dict(zip(after, rows[-1], strict=False))  # the key is what comes first
                kept = [_kept(column, list(row)) for row in rows]
                if stale := [one for one in kept if not _raw(one.was).startswith(ours)]:
                    yield column, stale

    def _reseal_batch(self, column: Column, stale: list[_Kept]) -> int:
        replace = text(
            f"UPDATE {column.table} SET {column.name} = :kept "  # noqa: S608 - our names
            f"WHERE {' AND '.join(f'{one} = :{one}' for one in column.keys)} "
            f"AND {column.name} = :was"
        )
        seal = self.batch()
        changes: list[dict[str, Any]] = []
        for one in stale:
            kept = seal(self.unseal(_raw(one.was), one.place), one.place)
            new = kept if _is_raw(one.was) else kept.decode()
            changes.append(
                {"was": one.was, "kept": new} | dict(zip(column.keys, one.id, strict=True))
            )
        with self._connections.write() as transaction:
            self._connections.erasing(transaction)
            return transaction.change_all(replace, changes)


def encoded(plain: str) -> bytes:
    """Return a text as it is sealed. Raises Rejected on half a surrogate pair."""
    try:
        return plain.encode()
    except UnicodeEncodeError as error:
        raise errors.Rejected(
            f"a text holds half a surrogate pair, which cannot be kept: {plain[:80]!a}; remove it"
        ) from error


def _kept(column: Column, values: list[Any]) -> _Kept:
    """Read a row of key, value and what it is bound to."""
    many = len(column.keys)
    key, value, bound = values[:many], values[many], values[many + 1 :]
    return _Kept(tuple(key), value, column.place(*(bound or key)))


def _page(column: Column) -> TextClause:
    """Return the statement for the next values of a column, by their key."""
    names = ", ".join((*column.keys, column.name, *column.bound))
    behind = f"{column.key} > :after"
    if column.also:
        behind = f"({behind} OR ({column.key} = :after AND {column.also} > :beyond))"
    return text(
        f"SELECT {names} FROM {column.table} "  # noqa: S608 - our names
        f"WHERE {behind} AND {column.name} IS NOT NULL "
        f"ORDER BY {', '.join(column.keys)} LIMIT {_BATCH}"
    )


def _about(number: int) -> str:
    return f"data key {number}"


def _is_raw(kept: str | bytes | memoryview) -> bool:
    return not isinstance(kept, str)


def _raw(kept: str | bytes | memoryview) -> bytes:
    return kept.encode() if isinstance(kept, str) else bytes(kept)
