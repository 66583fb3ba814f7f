"""Keep vectors in PostgreSQL's extension `vector` (pgvector), where the operator has it.

Called through ports.vector_store. The tables are made here and not by the migrations: their type
comes with the extension, and a database without it is as good for all else. Nothing is indexed:
an exact search over tens of thousands of incidents takes milliseconds, and an approximate one
would not give the same answer twice.
"""

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, text

from sentienguard.adapters.sql_store import codec
from sentienguard.adapters.sql_store.connections import Connections
from sentienguard.model import errors
from sentienguard.model.ids import IncidentId
from sentienguard.ports.vector_store import KeptIncident, KeptTexts, NoVectors, Whole

_WAY_OUT = "or set embedding_store to `files`"

# Whether the server has the extension, and whether this database does.
OFFERED = text("SELECT installed_version FROM pg_available_extensions WHERE name = 'vector'")

# Control planes that start at once make the extension and its tables in turn; the number is ours.
IN_TURN = text("SELECT pg_advisory_xact_lock(7311806257201922)")

EXTENSION = text("CREATE EXTENSION IF NOT EXISTS vector")

# The texts of libraries: a row for each document, in its place.
TEXTS = text("""
    CREATE TABLE IF NOT EXISTS embedded_texts (
        library TEXT NOT NULL,
        place INTEGER NOT NULL,
        model TEXT NOT NULL,
        title vector NOT NULL,
        whole vector NOT NULL,
        PRIMARY KEY (library, place)
    )
""")

# The measured facts of incidents.
INCIDENTS = text("""
    CREATE TABLE IF NOT EXISTS embedded_incidents (
        incident TEXT PRIMARY KEY,
        environment TEXT NOT NULL,
        opened_us BIGINT NOT NULL,
        model TEXT NOT NULL,
        asked vector NOT NULL
    )
""")

# The documents of a library in their order.
GET_TEXTS = text("""
    SELECT model, CAST(title AS TEXT) AS title, CAST(whole AS TEXT) AS whole
    FROM embedded_texts WHERE library = :library ORDER BY place
""")

# One document; another control plane may have kept the same one.
PUT_TEXT = text("""
    INSERT INTO embedded_texts (library, place, model, title, whole)
    VALUES (:library, :place, :model, CAST(:title AS vector), CAST(:whole AS vector))
    ON CONFLICT (library, place) DO NOTHING
""")

# What an incident is about, as it was last decided.
PUT_INCIDENT = text("""
    INSERT INTO embedded_incidents (incident, environment, opened_us, model, asked)
    VALUES (:incident, :environment, :opened_us, :model, CAST(:asked AS vector))
    ON CONFLICT (incident) DO UPDATE SET model = excluded.model, asked = excluded.asked
""")

# What an incident was about.
GET_INCIDENT = text("""
    SELECT incident, environment, opened_us, model, CAST(asked AS TEXT) AS asked
    FROM embedded_incidents WHERE incident = :incident
""")

# The nearest other incidents of a place; lengths are 1, so the inner product is the cosine.
NEAR = text("""
    SELECT incident, environment, opened_us, model, CAST(asked AS TEXT) AS asked
    FROM embedded_incidents
    WHERE environment = :environment AND model = :model AND incident <> :incident
        AND opened_us <= :opened_us AND vector_dims(asked) = :numbers
    ORDER BY asked <#> CAST(:asked AS vector), opened_us DESC, incident
    LIMIT :most
""")


class SqlVectorStore:
    """Vectors in PostgreSQL; see ports.vector_store for what each method promises."""

    def __init__(self, connections: Connections) -> None:
        """Make the extension and the tables where they are missing. Raises NoVectors."""
        self._connections = connections
        if connections.dialect != "postgresql":
            message = (
                "embedding_store is `pgvector`, which needs PostgreSQL; set database_url to one, "
                f"{_WAY_OUT}"
            )
            raise NoVectors(message)
        with connections.write() as transaction:
            transaction.row(IN_TURN)
            offered = transaction.row(OFFERED)
            if offered is None:
                message = (
                    f"embedding_store is `pgvector`, but the server of database "
                    f"{connections.place} has no extension `vector`; install pgvector there, "
                    f"{_WAY_OUT}"
                )
                raise NoVectors(message)
        if offered.installed_version is None:
            self._extend()
        with connections.write() as transaction:
            transaction.row(IN_TURN)
            transaction.change(TEXTS)
            transaction.change(INCIDENTS)

    def texts(self, library: str) -> KeptTexts | None:
        """Return those of a library."""
        with self._connections.read() as transaction:
            rows = transaction.rows(GET_TEXTS, library=library)
        if not rows:
            return None
        titles, wholes = [_read(row.title) for row in rows], [_read(row.whole) for row in rows]
        return KeptTexts(rows[0].model, titles, wholes)

    def keep_texts(self, library: str, kept: KeptTexts) -> None:
        """Keep those of a library, all of them or none."""
        with self._connections.write() as transaction:
            transaction.change_all(
                PUT_TEXT,
                [
                    {
                        "library": library,
                        "place": place,
                        "model": kept.model,
                        "title": _written(title),
                        "whole": _written(whole),
                    }
                    for place, (title, whole) in enumerate(
                        zip(kept.titles, kept.texts, strict=True)
                    )
                ],
            )

    def keep_incident(self, kept: KeptIncident) -> None:
        """Keep that of an incident."""
        with self._connections.write() as transaction:
            transaction.change(
                PUT_INCIDENT,
                incident=kept.incident,
                environment=kept.environment,
                opened_us=codec.micros(kept.opened_at),
                model=kept.model,
                asked=_written(kept.vector),
            )

    def incident(self, incident: IncidentId) -> KeptIncident | None:
        """Return that of an incident."""
        with self._connections.read() as transaction:
            row = transaction.row(GET_INCIDENT, incident=incident)
        return None if row is None else _incident(row)

    def near(self, kept: KeptIncident, most: int) -> list[KeptIncident]:
        """Return the most alike other incidents."""
        with self._connections.read() as transaction:
            rows = transaction.rows(
                NEAR,
                incident=kept.incident,
                environment=kept.environment,
                model=kept.model,
                opened_us=codec.micros(kept.opened_at),
                asked=_written(kept.vector),
                numbers=len(kept.vector),
                most=most,
            )
        return [_incident(row) for row in rows]

    def _extend(self) -> None:
        try:
            with self._connections.write() as transaction:
                transaction.row(IN_TURN)
                transaction.change(EXTENSION)
        except errors.Broken as cause:
            message = (
                f"embedding_store is `pgvector`, but we may not make the extension `vector` in "
                f"database {self._connections.place}: have its owner run CREATE EXTENSION vector, "
                f"{_WAY_OUT}"
            )
            raise NoVectors(message) from cause


def _incident(row: Row[Any]) -> KeptIncident:
    return KeptIncident(
        incident=IncidentId(row.incident),
        environment=row.environment,
        opened_at=codec.instant(row.opened_us),
        model=row.model,
        vector=_read(row.asked),
    )


def _written(vector: Sequence[int]) -> str:
    return json.dumps([int(one) for one in vector])


def _read(written: str) -> Whole:
    return tuple(int(one) for one in json.loads(written))
