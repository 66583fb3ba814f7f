"""What words say together is one word: compounds, denials, scope, degrees."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentienguard.stages.decide.retrieval import lexicon, phrases, question, ranking
from sentienguard.stages.decide.retrieval.shelf import Document, Shelf


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("The node is not ready", "unready node"),
        ("KubeNodeNotReady", "kube node has not yet been ready, is unready"),
        ("it isn't running", "down"),
        ("rolled out", "rollout"),
        ("request timed out", "request timeout"),
        ("Nodes", "node"),
        ("jobs", "job"),
        ("saturation", "saturated"),
        ("OSDNearFull", "OSDCriticallyFull"),
    ],
)
def test_the_same_thing_said_in_two_ways_is_the_same_words(one, other):
    assert set(lexicon.sequence(one)) == set(lexicon.sequence(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("the node is ready", "the node is not ready"),
        ("not a disk, and ready", "unready disk"),  # a denial ends at the next thing it may deny
        ("the replica lags", "the replica is not found"),
    ],
)
def test_a_denial_is_not_what_it_denies(one, other):
    assert set(lexicon.sequence(one)) != set(lexicon.sequence(other))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("No Ready Virt API", "all"),
        ("All replicas are behind", "all"),
        ("Some replicas are behind", "some"),
        ("Low Virt API Count", "some"),
        ("less than two standby replicas", "some"),
        ("some or all of them", ""),
        ("the disk is full", ""),
        ("a nobody, an anysome", ""),
    ],
)
def test_scope_is_said_or_it_is_not(text, expected):
    assert phrases.scope(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("Some workers are not ready", "low"), ("No worker is ready", "none")],
)
def test_of_some_and_none_the_one_that_is_meant_comes_first(text, expected):
    shelf = Shelf(
        (
            Document("none", "NoReadyWorker", "queue", "Workers are not ready. Look at the pods."),
            Document("low", "LowReadyWorkers", "queue", "Workers are not ready. Look at the pods."),
            Document("disk", "DiskFull", "node", "A filesystem has no space left."),
        )
    )
    found = ranking.ranked(shelf, ranking.ask(shelf, question.read(text, "queue")))
    assert found[0].id == expected
    parts = {part.name: part for part in found[0].parts}
    assert parts["scope"].value > 0
    assert "its title is about" in parts["scope"].because


def test_a_metric_tells_two_documents_apart_that_the_sentence_does_not():
    shelf = Shelf(
        (
            Document("a", "TransferErrors", "node", "Disk writes went wrong."),
            Document("b", "TransferErrors", "node", "Network packets went wrong."),
        )
    )
    text = (
        "Incident on h (service node, environment dev). Anomalous metric node_network_packets = 3, "
        "4.1 sigma above the 7-day baseline. Transfer errors."
    )
    asked = ranking.ask(shelf, question.read(text))
    assert [shelf.entries[at].document.id for at in asked.order] == ["b", "a"]
    assert asked.values["metrics_covered"].tolist()[1] > asked.values["metrics_covered"].tolist()[0]


@given(st.lists(st.sampled_from(["not", "yet", "ready", "roll", "out", "disk", "isn", "t", "up"])))
def test_joining_adds_no_word_of_its_own_and_never_grows(words):
    found = phrases.joined(words)
    assert len(found) <= len(words)
    assert phrases.joined(["disk", *words])[0] == "disk"


@given(st.frozensets(st.sampled_from(["disk", "full", "unheard", "replica"])))
def test_what_is_told_is_a_share(features):
    shelf = Shelf((Document("a", "DiskFull", "node", "disk full"),))
    told = shelf.told(features, 0)
    assert 0 <= told <= 1
    assert told == (1 if features and features <= {"disk", "full"} else told)
