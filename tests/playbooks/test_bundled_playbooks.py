"""Every remedy in playbooks/ gets these tests by lying there."""

import fnmatch
import re
from pathlib import Path

import pytest

from sentienguard.model.playbook import ParamType
from sentienguard.playbook import conditions, facts, kinds, lint, parse, readme
from sentienguard.playbook.places import actions, checks, condition_texts

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "playbooks").glob("*/playbook.yaml"))
everyone = pytest.mark.parametrize("file", FILES, ids=lambda file: file.parent.name)


def load(file: Path):
    return parse.load(file.read_bytes(), origin=str(file.relative_to(ROOT)))


def reason(file: Path) -> str:
    said = load(file).risk_reason
    return said or readme.risk_reason((file.parent / readme.NAME).read_text(), load(file).risk)


def test_there_are_at_least_sixty():
    assert len(FILES) >= 60
    assert {file.parent.name for file in FILES} == {
        entry.name for entry in (ROOT / "playbooks").iterdir() if entry.is_dir()
    }


@everyone
def test_it_loads_under_the_name_of_its_directory(file):
    assert load(file).name == file.parent.name


@everyone
def test_it_has_no_finding_at_all(file):
    draft = parse.load_draft(file.read_bytes(), origin=file.parent.name)
    assert lint.lint(draft, reason_beside=reason(file)) == ()


@everyone
def test_every_step_has_an_undo_or_says_why_not(file):
    for step in load(file).steps:
        assert step.undo.action is not None or len(step.undo.reason) > 15


@everyone
def test_it_uses_only_what_this_release_can_run(file):
    playbook = load(file)
    assert all(kinds.STEPS[action.kind].available for _, action in actions(playbook))
    assert all(kinds.CHECKS[check.kind].available for _, check in checks(playbook))


@everyone
def test_people_who_work_on_the_host_and_other_playbooks_come_first(file):
    assert {"maintenance", "concurrency_check"} <= {check.kind for check in load(file).pre_checks}


@everyone
def test_its_verification_looks_at_the_symptom_and_at_something_else(file):
    assert len(load(file).verification) >= 2


@everyone
def test_its_guard_is_measured_and_never_true_together_with_a_healthy_host(file):
    playbook = load(file)
    healthy = {
        **{name: 0.0 for name, fact in facts.KNOWN.items() if fact.type == "number"},
        "disk_usage": 40.0,
        "disk_free": 1e12,
        "service_status": "running",
        "http_status": 200,
        "process_alive": True,
        "workload_earlier_revision": True,
        "node_schedulable": True,
        "workload_status": "ok",
        "workload_shared_cause": False,
        "node_status": "ready",
        "autoscaler_at_max": False,
        "object_status": "ok",
        "database_kind": playbook.slots.system,  # that it is the right kind is no symptom
    }
    condition = conditions.parse(playbook.guard)
    assert not conditions.names(condition) & facts.FROM_ORDER
    if file.parent.name == "clock_resync":  # no fact sees the clock: a person approves it instead
        assert playbook.approval_required
    else:
        assert not conditions.evaluate(condition, healthy)


@everyone
def test_what_is_lost_for_good_by_design_is_approved_by_a_person(file):
    playbook = load(file)
    losing = {"truncate", "terminate", "kill"}
    if any(action.fields.get("operation") in losing for _, action in actions(playbook)):
        assert playbook.approval_required


@everyone
def test_an_order_gives_only_what_the_host_can_check_itself(file):
    types = {parameter.type for parameter in load(file).parameters}
    assert types <= {ParamType.MOUNTPOINT, ParamType.SERVICE, ParamType.PID, ParamType.OBJECT}


@everyone
def test_its_description_is_in_the_words_of_symptoms(file):
    playbook = load(file)
    words = set(re.findall(r"[a-z0-9]+", playbook.description.lower()))
    assert 150 <= len(playbook.description) <= 500
    assert len(words) >= 30
    said = playbook.slots.symptom, playbook.slots.resource
    stems = {word[:4] for word in words}
    assert any(slot[:4] in stems for slot in said)


@everyone
def test_its_readme_says_what_it_does_what_it_can_break_and_its_undo(file):
    readme = (file.parent / "README.md").read_text()
    assert readme.startswith("# ")
    for heading in (
        "What it does",
        "What it leaves alone",
        "What it can break",
        "Undo",
        "Parameters",
    ):
        assert f"**{heading}.**" in readme
    for parameter in load(file).parameters:
        assert f"`{parameter.name}`" in readme
    assert load(file).approval_required is ("A person approves first" in readme)


@everyone
def test_why_it_has_its_risk_is_one_sentence_with_the_numbers_of_the_rest(file):
    why = reason(file)
    assert 80 <= len(why) <= parse.MAX_RISK_REASON
    assert why.endswith(".")
    assert ". " not in why
    rest = (file.parent / "README.md").read_text().replace(why, "") + file.read_text()
    told = set(re.findall(r"\d+", rest.replace(",", "")))
    assert set(re.findall(r"\d+", why.replace(",", ""))) <= told


@everyone
def test_a_reason_that_speaks_of_a_person_or_of_a_way_back_is_true(file):
    playbook, why = load(file), reason(file)
    assert ("approves first" not in why) or playbook.approval_required
    undoable = any(step.undo.action is not None for step in playbook.steps)
    back = r"(?<!cannot be )((set|put|taken|written|drained) (again|back|off)|stopped again)"
    assert not re.search(back, why) or undoable


def test_no_two_playbooks_have_the_same_reason_for_their_risk():
    reasons = [reason(file) for file in FILES]
    assert len(set(reasons)) == len(reasons)


@everyone
def test_percentages_in_its_readme_are_those_it_checks(file):
    said = set(re.findall(r"(\d+) %", (file.parent / "README.md").read_text()))
    playbook = load(file)
    meant = set(re.findall(r"(\d+)%", " ".join(text for _, text in condition_texts(playbook))))
    assert said <= meant


@pytest.mark.parametrize(
    ("wanted", "asked"),
    [
        ("disk_cleanup_rotated_logs", "disk full rotated logs no space left on device"),
        ("disk_cleanup_temp_files", "/tmp temporary files fill the disk"),
        ("disk_cleanup_package_cache", "apt package cache archives fill the root filesystem"),
        ("inode_cleanup_sessions", "inodes exhausted df -i 100 percent session files"),
        ("journal_vacuum", "systemd journal takes gigabytes journalctl"),
        ("log_flood_truncate", "log flood thousands of lines per second current log file huge"),
        ("service_restart_hung", "service hung frozen no answer requests time out deadlock"),
        ("service_start_stopped", "service down connection refused not running crashed"),
        ("service_safe_mode", "health endpoint HTTP 500 internal server error degraded"),
        ("memory_leak_service_restart", "memory leak resident memory growing OOM killer"),
        ("swap_pressure_service_restart", "swap nearly exhausted thrashing paging"),
        ("zombie_parent_reap", "defunct zombie processes pile up under one parent"),
        ("runaway_process_renice", "backup compression batch job slows everything high CPU"),
        ("runaway_process_terminate", "endless busy loop stuck script burns CPU"),
        ("nginx_config_reload", "nginx 502 bad gateway upstream address changed"),
        ("nginx_cache_reset", "nginx corrupt cache md5 collision"),
        ("postgres_connection_pool_reset", "postgresql too many clients already idle sessions"),
        ("postgres_idle_in_transaction_kill", "postgres session idle in transaction holds xmin"),
        ("postgres_blocking_query_cancel", "postgresql lock wait chain pg_blocking_pids blocked"),
        ("postgres_long_query_cancel", "postgres runaway query cartesian SELECT without end"),
        ("postgres_wal_archival_recovery", "archive_command failed WAL archiving pg_stat_archiver"),
        ("postgres_vacuum_bloated_table", "table bloat n_dead_tup dead rows autovacuum"),
        ("postgres_inactive_slot_drop", "inactive replication slot retains WAL restart_lsn"),
        ("postgres_service_restart", "PostgreSQL crashed postmaster killed pg_isready"),
        ("mysql_sleeping_connections_kill", "ERROR 1040 Too many connections Threads_connected"),
        ("mysql_idle_transaction_kill", "InnoDB history list grows MySQL transaction left open"),
        ("mysql_blocking_transaction_kill", "Lock wait timeout exceeded try restarting InnoDB"),
        ("mysql_long_query_kill", "MySQL runaway SELECT slow queries KILL QUERY missing index"),
        ("mysql_binlog_purge", "mysql-bin binary logs fill the disk expire_logs_days"),
        ("mysql_service_restart", "ERROR 2002 can't connect mysqld MariaDB down"),
        ("clock_resync", "clock skew NTP offset chrony unsynchronised"),
        ("redis_cache_policy", "redis OOM command not allowed used memory maxmemory noeviction"),
        ("flush_redis_cache", "poisoned stale cache entries after faulty deployment"),
        ("redis_drop_slow_clients", "client output buffer omem subscribers stopped reading"),
        ("redis_snapshot_again", "MISCONF bgsave failed rdb_last_bgsave_status err"),
        ("redis_replica_reconnect", "replica master_last_io_seconds_ago link half open"),
        ("service_file_leak_restart", "too many open files EMFILE descriptor leak"),
        ("deleted_log_truncate", "lsof +L1 deleted but open df du differ"),
        ("nginx_reopen_logs", "access.log empty after logrotate postrotate"),
        ("nginx_config_restore", "nginx -t syntax error unknown directive"),
        ("nginx_orphans_replace", "nginx bind() address already in use orphaned worker"),
        ("nginx_upstream_start", "connect() failed 111 while connecting to upstream"),
        ("haproxy_ready_drained", "haproxy servers still drain after maintenance"),
        ("haproxy_drain_flapping", "haproxy health checks fail and pass flaps"),
        ("rabbitmq_close_stuck_consumers", "rabbitmq messages unacknowledged prefetch hung worker"),
        ("rabbitmq_consumer_restart", "rabbitmq queue no consumer subscription gone"),
        ("stale_lock_release", "another instance is already running stale lock file"),
        ("conntrack_table_raise", "nf_conntrack table full dropping packet"),
        ("core_dump_cleanup", "core dumps coredump fill disk"),
        ("certificate_reload_stale", "old certificate served although renewed one on disk"),
        ("certificate_renew", "certificate about to expire x509 days left certbot"),
        ("resolver_restart", "temporary failure in name resolution lookups time out dnsmasq"),
        ("prometheus_config_restore", "prometheus_config_last_reload_successful 0 promtool"),
    ],
)
def test_plain_word_overlap_finds_it_first(wanted, asked):
    books = {file.parent.name: load(file).description.lower() for file in FILES}
    words = {
        name: set(re.findall(r"[a-z0-9/]+", f"{name.replace('_', ' ')} {text}"))
        for name, text in books.items()
    }
    query = set(re.findall(r"[a-z0-9/]+", asked.lower()))
    spread = {word: sum(word in found for found in words.values()) for word in query}
    scores = {
        name: sum(1 / spread[word] for word in query & found) for name, found in words.items()
    }
    assert max(scores, key=scores.__getitem__) == wanted


def old_logs(patterns, names):
    return {name for name in names if any(fnmatch.fnmatchcase(name, p) for p in patterns)}


def test_the_log_cleanup_takes_rotated_logs_and_nothing_else():
    playbook = load(ROOT / "playbooks/disk_cleanup_rotated_logs/playbook.yaml")
    patterns = [str(step.action.fields["pattern"]) for step in playbook.steps]
    rotated = {
        *("app.log.1", "app.log.12", "web.log.2.gz", "web.log-20260101", "api.log-20260101.gz"),
        *("nginx.log.3", "acme.log.1"),
    }
    kept = {
        *("app.log", "audit.log.1", "audit.log-20260101", "auth.log.1", "data.1", "base.gz"),
        *("app.log.old", "dump.sql.gz", "journal.1", "report.log.txt"),
    }
    assert old_logs(patterns, rotated | kept) == rotated
