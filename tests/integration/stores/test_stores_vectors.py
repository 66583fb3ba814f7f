"""Vectors in PostgreSQL's pgvector: the same ranking as in memory, and a refusal where it is not.

The server needs the extension for all but the refusals: its package (postgresql-NN-pgvector in the
archives that have it), or a server that SENTIENGUARD_TEST_POSTGRESQL names.
"""

import dataclasses
import random

import psycopg
import pytest

from sentienguard.adapters.sql_store import open_database
from sentienguard.adapters.sql_store.connections import Connections
from sentienguard.adapters.sql_store.vectors import SqlVectorStore
from sentienguard.controlplane.meanings import Meanings
from sentienguard.model import ids
from sentienguard.ports.vector_store import NoVectors
from sentienguard.stages.decide.retrieval import question, ranking
from sentienguard.stages.decide.retrieval.shelf import Shelf
from tests.contract import stores_nouns as nouns
from tests.support import match_library as library

pytestmark = pytest.mark.integration
WORDS = ("disk", "inode", "redis", "pool", "replica", "slow", "memory", "leader", "node", "full")


def offers(url):
    with psycopg.connect(url) as asked:
        found = asked.execute("SELECT 1 FROM pg_available_extensions WHERE name = 'vector'")
        return found.fetchone() is not None


@pytest.fixture
def opened(url):
    """Open the database without our tables, which vectors do without."""
    found = Connections(url)
    yield found
    found.close()


@pytest.fixture
def vectors(url, opened):
    if not offers(url):
        pytest.skip("this PostgreSQL has no extension `vector` (pgvector)")
    return SqlVectorStore(opened)


def test_it_is_refused_in_words_where_there_is_no_postgresql(tmp_path):
    opened = open_database(f"sqlite:///{tmp_path / 'db'}")
    with pytest.raises(NoVectors, match=r"needs PostgreSQL.*embedding_store to `files`"):
        opened.vectors()
    opened.close()


def test_it_is_refused_in_words_where_the_extension_is_missing(url, opened):
    if offers(url):
        pytest.skip("this PostgreSQL has the extension")
    with pytest.raises(NoVectors, match=r"no extension `vector`; install pgvector there, or set"):
        SqlVectorStore(opened)


def test_it_is_refused_in_words_where_we_may_not_make_the_extension(server, url):
    if not offers(url):
        pytest.skip("this PostgreSQL has no extension `vector` (pgvector)")
    name = url.rpartition("/")[2]
    server.execute("DROP ROLE IF EXISTS plain")
    server.execute("CREATE ROLE plain LOGIN PASSWORD 'plain'")
    with psycopg.connect(url, autocommit=True) as asked:
        asked.execute("GRANT ALL ON SCHEMA public TO plain")
    plain = Connections(f"postgresql://plain:plain@{server.address}/{name}")
    with pytest.raises(NoVectors, match="run CREATE EXTENSION vector"):
        SqlVectorStore(plain)
    with psycopg.connect(url, autocommit=True) as asked:
        asked.execute("CREATE EXTENSION vector")
    assert SqlVectorStore(plain).texts("none") is None
    plain.close()


def test_a_library_ranks_as_it_does_in_memory_to_the_last_digit(vectors, tmp_path):
    model = library.HashedWords()
    plain = Meanings(model, tmp_path).library(library.DOCUMENTS)
    Meanings(model, vectors).library(library.DOCUMENTS)
    asked = model.asked
    kept = Meanings(model, vectors).library(library.DOCUMENTS)  # as the next start reads it
    assert model.asked == asked
    shelves = [Shelf(library.DOCUMENTS, one) for one in (plain, kept)]
    chance = random.Random(5)
    for _ in range(50):
        said = question.read(" ".join(chance.choices(WORDS, k=4)), chance.choice(WORDS))
        vector = model.embed([said.spoken])[0]
        here, there = (ranking.ask(one, said, vector) for one in shelves)
        assert here.order == there.order
        assert here.scores.tolist() == there.scores.tolist()


def test_another_library_and_another_model_have_vectors_of_their_own(vectors):
    Meanings(library.HashedWords(), vectors).library(library.DOCUMENTS)
    other = library.HashedWords()
    other.model = "another"
    assert len(Meanings(other, vectors).library(library.DOCUMENTS[1:]).texts) == 11
    assert Meanings(other, vectors).library(library.DOCUMENTS).model == "another"
    assert other.asked == 2 * (11 + 12)


def happened(number, *, environment="production"):
    name = ids.IncidentId(f"inc_{number:04}")
    at = nouns.later(60 * number)
    return dataclasses.replace(nouns.incident(), id=name, environment=environment, opened_at=at)


def test_what_is_alike_is_what_an_exact_comparison_finds(vectors):
    model = library.HashedWords()
    meanings = Meanings(model, vectors)
    chance = random.Random(7)
    known = []
    for number in range(150):
        one = happened(number, environment=chance.choice(["production", "drill"]))
        vector = model.embed([" ".join(chance.choices(WORDS, k=5))])[0]
        meanings.remember(one, vector)
        known.append((one, [round(part * 10_000) for part in vector]))
    for asked, whole in known[100:]:
        exact = [
            (round(sum(a * b for a, b in zip(whole, other, strict=True)) / 1e8, 4), one)
            for one, other in known
            if one.environment == asked.environment and one.opened_at < asked.opened_at
        ]
        exact.sort(key=lambda found: (found[0], found[1].opened_at), reverse=True)
        wanted = [(one.id, cosine) for cosine, one in exact[:5]]
        assert [(one.incident, one.cosine) for one in meanings.alike(asked.id, 5)] == wanted


def test_what_is_decided_again_is_kept_once_and_another_model_is_not_compared(vectors):
    model, other = library.HashedWords(), library.HashedWords(64)
    other.model = "another"
    first, second, third = (happened(number) for number in range(3))
    for one in (first, second, second):
        Meanings(model, vectors).remember(one, model.embed(["disk full"])[0])
    Meanings(other, vectors).remember(third, other.embed(["disk full"])[0])
    found = Meanings(model, vectors).alike(second.id, 5)
    assert [(one.incident, one.cosine) for one in found] == [(first.id, pytest.approx(1, abs=1e-3))]
    assert Meanings(other, vectors).alike(third.id, 5) == []
    assert Meanings(model, vectors).alike(ids.IncidentId("inc_none"), 5) == []
