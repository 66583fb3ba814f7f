"""The right playbook first, near misses under the line, unrelated text unanswered."""

import pytest

from sentienguard.stages.decide import matching, meaning, words
from tests.support import decide_cases as cases


@pytest.mark.parametrize(
    ("metric", "subject", "expected"),
    [
        ("system.disk_usage_percent", "/var", "disk_cleanup_rotated_logs"),
        ("system.inode_usage_percent", "/var", "inode_cleanup_sessions"),
        ("service.healthy", "web", "service_restart_hung"),
        ("service.up", "web", "service_start_stopped"),
        ("system.zombies", "", "zombie_parent_notify"),
        ("system.cpu_percent", "", "runaway_process_renice"),
        ("postgres.connection_pool.utilization", "", "postgres_connection_pool_reset"),
    ],
)
def test_each_anomaly_ranks_its_playbook_first(metric, subject, expected):
    ranked = cases.LIBRARY.rank(meaning.of_evidence(cases.evidence(metric, subject)))
    assert matching.matches(ranked)
    assert ranked[0].playbook == expected
    assert all(one.score < matching.MATCH_FROM for one in ranked[1:])


def test_another_family_of_systems_is_a_near_miss_and_says_so():
    query = meaning.of_evidence(cases.evidence("postgres.connection_pool.utilization"))
    ranked = {one.playbook: one for one in cases.LIBRARY.rank(query)}
    mysql = ranked["mysql_connection_pool_reset"]
    assert mysql.score < matching.MATCH_FROM
    assert "mysql, not linux or postgresql" in mysql.items[-1].because


@pytest.mark.parametrize(
    "text",
    [
        "The quarterly marketing newsletter was sent to the wrong list",
        "bananas",
        "",
        "User cannot log in with the new password",
        "certificate of the mail gateway expired",
    ],
)
def test_unrelated_text_gives_no_match(text):
    assert not matching.matches(cases.LIBRARY.rank(meaning.of_text(text)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("No space left on device on the log volume", "disk_cleanup_rotated_logs"),
        ("web service is stuck and does not answer its health check", "service_restart_hung"),
        ("postgres: remaining connection slots exhausted", "postgres_connection_pool_reset"),
    ],
)
def test_text_alone_finds_what_it_describes(text, expected):
    assert cases.LIBRARY.rank(meaning.of_text(text))[0].playbook == expected


def test_every_score_is_the_sum_of_its_items():
    query = meaning.of_evidence(cases.evidence("system.disk_usage_percent", "/var"))
    for one in cases.LIBRARY.rank(query):
        assert one.score == pytest.approx(sum(item.value for item in one.items), abs=1e-5)
        assert all(item.because for item in one.items)


def test_at_most_five_are_shown_and_an_empty_library_answers_nothing():
    query = meaning.of_evidence(cases.evidence("system.disk_usage_percent", "/var"))
    assert len(cases.LIBRARY.rank(query)) == matching.SHOWN
    assert matching.Library([]).rank(query) == ()


@pytest.mark.parametrize(
    ("said", "same"),
    [
        ("No space left on device", ("disk", "full")),
        ("filesystem exhausted", ("disk", "full")),
        ("Postgres processes", ("postgresql", "process")),
        ("the unit was unresponsive", ("service", "hung")),
    ],
)
def test_different_spellings_become_one(said, same):
    assert words.terms(said) == same
