"""The bundled library: each anomaly finds its remedy, and what is unrelated finds none."""

import dataclasses
from pathlib import Path

import pytest

from sentienguard.model.decision import Route
from sentienguard.playbook import parse
from sentienguard.stages.decide import matching, meaning, parameters
from sentienguard.stages.decide.decide import decide
from sentienguard.stages.decide.facts import TrackRecord
from sentienguard.stages.decide.settings import DecideSettings
from tests.support import decide_cases as cases

BUNDLED = Path(__file__).resolve().parents[3] / "playbooks"


@pytest.fixture(scope="module")
def library():
    files = sorted(BUNDLED.glob("*/playbook.yaml"))
    return matching.Library([parse.load(one.read_bytes(), origin=str(one)) for one in files])


@pytest.mark.parametrize(
    ("metric", "subject", "texts", "expected"),
    [
        ("system.disk_usage_percent", "/var", (), "disk_cleanup_rotated_logs"),
        ("system.disk_usage_percent", "/var", ("/var/log/app.log.1",), "disk_cleanup_rotated_logs"),
        ("system.disk_usage_percent", "/", ("/tmp/upload.tmp",), "disk_cleanup_temp_files"),
        ("system.inode_usage_percent", "/srv", (), "inode_cleanup_sessions"),
        ("service.healthy", "web", (), "service_restart_hung"),
        ("service.up", "web", (), "service_start_stopped"),
        ("system.zombies", "", (), "zombie_parent_"),
        ("system.cpu_percent", "", (), "runaway_process_"),
    ],
)
def test_each_anomaly_finds_its_remedy(library, metric, subject, texts, expected):
    ranked = library.rank(meaning.of_evidence(cases.evidence(metric, subject, texts=texts)))
    assert matching.matches(ranked)
    assert ranked[0].playbook.startswith(expected)


@pytest.mark.parametrize(
    ("metric", "subject", "expected"),
    [
        ("service.up", "web", "service_start_stopped"),
        ("database.longest_lock_wait_s", "postgresql", "postgres_blocking_query_cancel"),
        (
            "database.longest_idle_in_transaction_s",
            "postgresql",
            "postgres_idle_in_transaction_kill",
        ),
        ("database.archive_failing", "postgresql", "postgres_wal_archival_recovery"),
        ("redis.last_save_ok", "redis", "redis_snapshot_again"),
        ("certificate.days_left", "web", "certificate_renew"),
    ],
)
def test_a_remedy_of_a_service_is_told_which_one(library, metric, subject, expected):
    found = cases.evidence(metric, subject)
    [first, *_] = library.rank(meaning.of_evidence(found))
    assert first.playbook == expected
    filled = parameters.fill(library.get(first), found)
    assert (filled.parameters, filled.missing) == ({"service": subject}, ())


def test_a_certificate_of_no_service_is_left_to_people(library):
    found = cases.evidence("certificate.days_left", "/etc/ssl/mail.pem")
    [first, *_] = library.rank(meaning.of_evidence(found))
    assert parameters.fill(library.get(first), found).missing == ("service",)


def test_a_proven_remedy_runs_in_a_drill_and_asks_in_production(library):
    proven = TrackRecord(proven_runs=12, proven_verified=12)
    routes = {
        environment: decide(
            cases.evidence("service.up", "web", environment=environment),
            library,
            lambda _: proven,
            cases.CLEAR,
            DecideSettings(),
        ).route
        for environment in ("drill", "production")
    }
    assert routes["drill"] >= Route.RUN_AND_VERIFY
    assert routes["production"] is Route.ASK


@pytest.mark.parametrize(
    "text",
    [
        "The quarterly newsletter went to the wrong list",
        "User cannot sign in with the new password",
        "Printer on the third floor is out of toner",
        "",
    ],
)
def test_unrelated_text_finds_nothing(library, text):
    assert not matching.matches(library.rank(meaning.of_text(text)))


@pytest.mark.parametrize(
    ("status", "expected"),
    [(0.0, "service_restart_hung"), (503.0, "service_safe_mode"), (404.0, "service_safe_mode")],
)
def test_a_service_that_answers_wrongly_gets_another_remedy_than_a_silent_one(
    library, status, expected
):
    known = cases.evidence("service.healthy", "web")
    related = {**known.related, "service.http_status[web]": status}
    ranked = library.rank(meaning.of_evidence(dataclasses.replace(known, related=related)))
    assert matching.matches(ranked)
    assert ranked[0].playbook == expected
