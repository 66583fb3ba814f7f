"""Vectors are made once for a catalogue and a model, kept, and never those of another."""

import json
import threading

import numpy as np

from sentienguard.controlplane.meanings import Meanings
from sentienguard.model import errors
from sentienguard.ports import embedder
from tests.contract import stores_nouns as nouns
from tests.support import match_library as library

DOCUMENTS = library.DOCUMENTS


def same(one, other):
    return one.model == other.model and all(
        np.array_equal(getattr(one, name), getattr(other, name)) for name in ("titles", "texts")
    )


class Away(library.HashedWords):
    def embed(self, texts):
        raise embedder.EmbedderAway(f"no answer for {len(texts)} texts")


def test_the_library_is_embedded_once_and_read_after_a_restart(tmp_path):
    model = library.HashedWords()
    first = Meanings(model, tmp_path).library(DOCUMENTS)
    again = Meanings(model, tmp_path)
    assert model.asked == 2 * len(DOCUMENTS)
    second = again.library(DOCUMENTS)
    assert again.library(DOCUMENTS) is second
    assert model.asked == 2 * len(DOCUMENTS)
    assert same(first, second)  # to the last digit: a restart ranks as before
    assert second.model == "hashed-words"


def test_another_catalogue_or_another_model_has_vectors_of_its_own(tmp_path):
    model = library.HashedWords()
    meanings = Meanings(model, tmp_path)
    meanings.library(DOCUMENTS)
    assert len(meanings.library(DOCUMENTS[1:]).texts) == len(DOCUMENTS) - 1
    other = library.HashedWords()
    other.model = "another"
    assert Meanings(other, tmp_path).library(DOCUMENTS).model == "another"
    assert other.asked == 2 * len(DOCUMENTS)
    assert len(list(tmp_path.glob("*.json"))) == 3


def test_a_damaged_file_is_made_again(tmp_path):
    model = library.HashedWords()
    whole = Meanings(model, tmp_path).library(DOCUMENTS)
    [path] = tmp_path.glob("*.json")
    kept = json.loads(path.read_text())
    for damaged in ("{", "[]", "{}", json.dumps({**kept, "texts": kept["texts"][1:]}),
                    json.dumps({**kept, "model": "another"})):  # fmt: skip
        path.write_text(damaged)
        assert same(Meanings(model, tmp_path).library(DOCUMENTS), whole)


def test_a_place_that_cannot_be_written_keeps_nobody_from_deciding(tmp_path):
    (tmp_path / "file").write_text("in the way")
    assert Meanings(library.HashedWords(), tmp_path / "file").library(DOCUMENTS) is not None


def test_a_question_that_comes_again_is_not_embedded_again(tmp_path):
    model = library.HashedWords()
    meanings = Meanings(model, tmp_path)
    assert meanings.question("disk full") == meanings.question("disk full")
    assert model.asked == 1


def test_where_no_vector_comes_matching_goes_by_words(tmp_path):
    meanings = Meanings(Away(), tmp_path)
    assert meanings.library(DOCUMENTS) is None
    assert meanings.question("disk full") is None
    assert not list(tmp_path.glob("*"))


class Slow(library.HashedWords):
    def __init__(self):
        super().__init__()
        self.begun, self.go_on = threading.Event(), threading.Event()

    def embed(self, texts):
        self.begun.set()
        assert self.go_on.wait(10)
        return super().embed(texts)


def test_while_the_library_is_embedded_nobody_waits_for_it(tmp_path):
    model = Slow()
    meanings = Meanings(model, tmp_path)
    making = threading.Thread(target=meanings.library, args=(DOCUMENTS,))
    making.start()
    try:
        assert model.begun.wait(10)
        assert meanings.library(DOCUMENTS) is None
    finally:
        model.go_on.set()
        making.join()
    assert meanings.library(DOCUMENTS) is not None


def test_in_files_no_incident_is_kept_and_none_is_alike(tmp_path):
    meanings = Meanings(library.HashedWords(), tmp_path)
    meanings.remember(nouns.incident(), meanings.question("disk full"))
    assert meanings.alike(nouns.incident().id, 5) == []
    assert not list(tmp_path.glob("*"))


class Failing:
    """A database whose every answer is an error."""

    def __getattr__(self, name):
        def fail(*_):
            raise errors.Broken(f"{name}: no such table")

        return fail


def test_a_database_that_fails_keeps_nobody_from_deciding():
    meanings = Meanings(library.HashedWords(), Failing())
    assert meanings.library(DOCUMENTS) is not None
    meanings.remember(nouns.incident(), meanings.question("disk full"))
