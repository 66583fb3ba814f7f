"""What is found, why, and that it is the same everywhere."""

import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentienguard.model.decision import Route
from sentienguard.stages.decide.retrieval import answer, calibration, fitted, question, ranking
from sentienguard.stages.decide.retrieval.shelf import Document, Shelf, Vectors
from sentienguard.stages.decide.settings import DecideSettings
from tests.support import match_library as library

MINILM = next(name for name in fitted.TABLES if name)
FIRING = '[FIRING:1] RedisDown | labels: instance="db-3", service="redis" | summary: gone'
INCIDENT = (
    "Incident on web-1 (service node, environment production). Anomalous metric "
    "node_filesystem_files_free = 3, 4.1 sigma above the 7-day baseline. Few inodes are left on "
    "a filesystem."
)
CASES = [
    ("Pool of PostgreSQL exhausted, connections all in use", "postgresql", "pg-pool"),
    ("postgresql: the replica lags behind its primary", "", "pg-replica"),
    (FIRING, "", "redis-down"),
    (INCIDENT, "node", "inode-full"),
    ("etcd: the cluster has no leader", "etcd", "etcd"),
    ("TLS certificate is going to expire", "nginx", "cert"),
]  # fmt: skip


def find(text, service="", shelf=None, **more):
    shelf = shelf or library.shelf(**more)
    asked = question.read(text, service)
    vector = library.HashedWords().embed([asked.spoken])[0] if shelf.model else None
    return answer.find(shelf, asked, vector, DecideSettings())


@pytest.mark.parametrize("vectors", [True, False])
@pytest.mark.parametrize(("text", "service", "expected"), CASES)
def test_the_right_one_is_first_with_and_without_vectors(text, service, expected, vectors):
    assert find(text, service, vectors=vectors).ranked[0].id == expected


@pytest.mark.parametrize(("text", "service", "expected"), CASES)
def test_five_are_explained_and_the_parts_are_the_score(text, service, expected):
    found = find(text, service).ranked
    assert len(found) == len(library.DOCUMENTS)
    assert [bool(one.parts) for one in found] == [place < 5 for place in range(len(found))]
    for one in found[:5]:
        assert sum(part.value for part in one.parts) == pytest.approx(one.score, abs=1e-3)
        assert all(part.because for part in one.parts)
    assert expected == found[0].id


def test_an_explanation_names_words_and_slots():
    parts = {part.name: part.because for part in find(*CASES[0][:2]).ranked[0].parts}
    assert "pool" in parts["bm25"]
    assert parts["symptom"] == "symptom full"
    assert parts["resource"] == "resource connections"
    assert parts["system"] == "for postgresql"
    assert "cosine" in parts["text"]


SHELF = library.shelf()
WORDS = sorted({word for one in SHELF.entries for word in one.words} | {"unheard"})


@given(st.frozensets(st.sampled_from(WORDS), max_size=12))
def test_all_documents_at_once_have_the_shares_that_each_has_alone(words):
    assert SHELF.titles_said(words).tolist() == [
        ranking.share(one.title, words, SHELF.title_rarity) for one in SHELF.entries
    ]
    assert SHELF.said_in(words).tolist() == [
        ranking.share(words, one.words, SHELF.word_rarity, SHELF.unseen_rarity)
        for one in SHELF.entries
    ]


def test_a_new_document_is_found_by_its_description_alone():
    more = Document("new", "GpuThrottled", "gpu", "A graphics card is too hot and slows down.")
    shelf = Shelf((*library.DOCUMENTS, more))
    assert find("the graphics card got hot", "gpu", shelf).ranked[0].id == "new"


def test_a_relative_is_found_and_another_system_comes_after_it():
    found = find("CockroachDB connection pool is exhausted", "cockroachdb")
    assert found.ranked[0].id == "pg-pool"
    assert any("a relative: postgresql, not cockroachdb" in cap for cap in found.sure.caps)


@pytest.mark.parametrize(
    ("text", "service", "reason"),
    [
        ("CockroachDB connection pool is exhausted", "cockroachdb", "a relative"),
        ("Redis memory is high", "redis enterprise", "another edition"),
        ("Redis memory is high", "elasticache redis", "another edition"),
        ("MongoDB memory is high", "mongodb", "another system"),
        ("Redis memory is high", "", "the service is not known"),
        ("Redis memory is high", "billing", "not known to be for"),
        ("filesystem out", "node", "the first two are alike"),
    ],
)
def test_whatever_the_calibration_says_these_stay_below_autonomy(
    monkeypatch, text, service, reason
):
    library.calibrate(monkeypatch, library.HashedWords.model, "")
    found = find(text, service)
    assert found.sure.plain > 0.99
    assert found.sure.value == calibration.CAP
    assert found.route is Route.ASK
    assert any(reason in cap for cap in found.sure.caps), found.sure.caps


def test_with_nothing_against_it_a_sure_match_may_run(monkeypatch):
    library.calibrate(monkeypatch, library.HashedWords.model, "")
    found = find("RedisMemoryHigh: Redis uses nearly all of its memory", "redis")
    assert (found.sure.caps, found.route) == ((), Route.RUN)


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"vectors": False}, "compared by words alone"),
        ({"model": "another-model"}, "no calibration for another-model"),
    ],
)
def test_without_a_calibration_of_its_own_nothing_is_autonomous(monkeypatch, more, reason):
    library.calibrate(monkeypatch, "", MINILM)
    found = find("RedisMemoryHigh: Redis uses nearly all of its memory", "redis", **more)
    assert found.sure.value <= calibration.CAP
    assert reason in found.sure.caps


def test_another_index_than_the_calibrated_one_is_not_autonomous(monkeypatch):
    library.calibrate(monkeypatch, library.HashedWords.model, "")
    monkeypatch.setattr(fitted, "FITTED_FOR", "0")
    found = find("RedisMemoryHigh: Redis uses nearly all of its memory", "redis")
    assert "the index changed since the calibration" in found.sure.caps


def test_what_nothing_is_for_goes_to_people():
    found = find("npm cannot resolve a tree of packages; the pipeline broke", "ci", model=MINILM)
    assert found.route is Route.ESCALATE
    assert found.sure.value < 0.3


def test_an_empty_library_is_no_answer():
    found = find("disk full", "node", Shelf(()))
    assert (found.ranked, found.sure.value, found.route) == ((), 0.0, Route.ESCALATE)


@given(st.text(max_size=300), st.text(max_size=30))
def test_any_text_gets_an_order_of_all_and_a_probability(text, service):
    found = find(text, service, vectors=False)
    assert sorted(one.id for one in found.ranked) == sorted(one.id for one in library.DOCUMENTS)
    assert 0 <= found.sure.value <= calibration.CAP


@given(st.permutations(library.DOCUMENTS))
def test_the_order_of_the_library_does_not_count(documents):
    text = '[FIRING:1] X | labels: service="node" | summary: filesystem of the node has no space'
    assert [one.id for one in find(text, shelf=Shelf(documents)).ranked] == [
        one.id for one in find(text, vectors=False).ranked
    ]


def test_ranking_and_words_are_the_same_under_any_hash_seed():
    code = (
        "from tests.support import match_library as m\n"
        "from sentienguard.stages.decide.retrieval import answer, question\n"
        "from sentienguard.stages.decide.settings import DecideSettings\n"
        "q = question.read('pool of connections full on redis and node, filesystem slow', 'node')\n"
        "print(answer.find(m.shelf(), q, m.HashedWords().embed([q.spoken])[0], DecideSettings()))\n"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": "."},
            capture_output=True, text=True, check=True,
        ).stdout
        for seed in ("1", "2", "3")
    }  # fmt: skip
    assert len(said) == 1


def test_noise_below_the_steps_of_a_vector_changes_no_score():
    spoken = library.HashedWords().embed([text for one in library.DOCUMENTS for text in one.spoken])
    near = [tuple(number + 1e-7 for number in one) for one in spoken]
    exact, noisy = (
        Shelf(library.DOCUMENTS, Vectors("m", rows[0::2], rows[1::2])) for rows in (spoken, near)
    )
    asked = question.read("redis memory", "redis")
    vector = library.HashedWords().embed([asked.spoken])[0]
    found = [one.cosines(vector)[1].tolist() for one in (exact, noisy)]
    assert found[0] == found[1]  # to the last bit
    scores = [ranking.ask(one, asked, vector).scores.tolist() for one in (exact, noisy)]
    assert scores[0] == scores[1]


def test_the_index_names_texts_model_and_nothing_else():
    assert library.shelf().index == library.shelf().index
    assert library.shelf().index != library.shelf(vectors=False).index
    assert Shelf(library.DOCUMENTS).index != Shelf(library.DOCUMENTS[1:]).index


LOST = (
    '[FIRING:2] PodDown | labels: instance="n1", service="k8s" | summary: n1 lost a pod | '
    "description: why"
)
SLOW = (
    "Incident on h-1 (service db, environment dev). Anomalous metric db_x = 1.5, 3.1 sigma above "
    "the 7-day baseline. Related metric: db_y. Slow on h-1."
)


@pytest.mark.parametrize(
    ("text", "service", "expected"),
    [
        ("disk full", "", ("", "", (), "disk full")),
        ("redis: memory is at 97 percent", "", ("redis", "", (), "memory is at percent")),
        ("error: cannot connect", "", ("", "", (), "error: cannot connect")),
        ("kernel log: oom", "", ("kernel", "", (), "oom")),
        ("redis: gone", "cache", ("cache", "", (), "redis: gone")),
        (LOST, "", ("k8s", "PodDown", (), "lost a pod why")),
        (SLOW, "", ("db", "", ("db_x", "db_y"), "Slow on .")),
    ],
)
def test_an_alert_is_taken_apart(text, service, expected):
    found = question.read(text, service)
    assert (found.service, found.name, found.metrics, found.text) == expected
