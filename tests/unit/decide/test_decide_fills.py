"""Which playbook is for what fills a volume, by the names and sizes that were seen there."""

import dataclasses
from pathlib import Path

import pytest

from sentienguard.model.telemetry import PathUse
from sentienguard.playbook import parse
from sentienguard.stages.decide import fills, matching, meaning
from tests.support import decide_cases as cases

MIB = 1 << 20
BUNDLED = Path(__file__).resolve().parents[3] / "playbooks"


@pytest.fixture(scope="module")
def library():
    files = sorted(BUNDLED.glob("*/playbook.yaml"))
    return matching.Library([parse.load(one.read_bytes(), origin=str(one)) for one in files])


def _ranked(library, root, *paths):
    known = cases.evidence("system.disk_usage_percent", root)
    used = tuple(PathUse(path, size * MIB, 0.0) for path, size in paths)
    return library.rank(meaning.of_evidence(dataclasses.replace(known, top_paths=used)))


@pytest.mark.parametrize(
    ("root", "paths", "expected"),
    [
        ("/", [("/var/cache/apt/archives/a_1.deb", 900)], "disk_cleanup_package_cache"),
        ("/", [("/var/cache/apt/archives/", 900)], "disk_cleanup_package_cache"),
        ("/data", [("/data/shop.log", 2000)], "log_flood_truncate"),
        ("/data", [("/data/tmp/tmpa1", 90), ("/data/x.log.1", 5)], "disk_cleanup_temp_files"),
        ("/data", [("/data/x.log.1", 90), ("/data/tmp/tmpa1", 5)], "disk_cleanup_rotated_logs"),
        ("/", [("/var/lib/systemd/coredump/core.web", 500)], "core_dump_cleanup"),
        # nothing told: as before, what is the likeliest
        ("/data", [], "disk_cleanup_rotated_logs"),
        ("/data", [("/data/orders.db", 900)], "disk_cleanup_rotated_logs"),
    ],
)
def test_what_fills_a_volume_says_which_remedy_is_for_it(library, root, paths, expected):
    assert _ranked(library, root, *paths)[0].playbook == expected


LARGE_AND_ALWAYS_THERE = (
    ("/usr/lib/x86_64-linux-gnu/libLLVM-14.so.1", 110),
    ("/var/lib/apt/lists/deb.debian.org_debian_dists_bookworm_main_binary-amd64_Packages", 50),
    ("/usr/bin/", 44),
    ("/usr/lib/x86_64-linux-gnu/gconv/", 8),
    ("/var/lib/app/core/temp/dumps.db", 4),
)


@pytest.mark.parametrize("count", range(1, len(LARGE_AND_ALWAYS_THERE) + 1))
def test_the_name_of_a_file_that_a_remedy_leaves_alone_does_not_choose_it(library, count):
    """A walk from before the fault lists what is always there: `Packages` is no cached package."""
    first = _ranked(library, "/", *LARGE_AND_ALWAYS_THERE[:count])[0]
    assert first.playbook == _ranked(library, "/")[0].playbook == "disk_cleanup_rotated_logs"


@pytest.mark.parametrize(
    ("name", "path", "may"),
    [
        ("journal_vacuum", "/var/log/journal/0a1b/system.journal", True),  # says not which files
        ("disk_cleanup_package_cache", "/var/cache/apt/archives/a_1.deb", True),
        ("disk_cleanup_package_cache", "/var/cache/apt/archives/", True),
        ("disk_cleanup_package_cache", "/var/lib/apt/lists/debian_Packages", False),
        ("disk_cleanup_rotated_logs", "/srv/app.log.1", True),
        ("disk_cleanup_rotated_logs", "/srv/", False),  # the names in it are not known
    ],
)
def test_a_name_speaks_for_a_remedy_that_would_take_the_file_or_says_not_which(
    library, name, path, may
):
    playbook = next(one for one in library.playbooks if one.name == name)
    assert fills.may_take(playbook, "/", path) is may


def test_names_of_files_bring_nothing_in_that_facts_do_not_match(library):
    plain = {one.playbook for one in _ranked(library, "/var") if one.score >= matching.MATCH_FROM}
    with_names = _ranked(library, "/var", ("/var/spool/app/data.tmp", 50), ("/var/mysql-bin.01", 9))
    matched = {one.playbook for one in with_names if one.score >= matching.MATCH_FROM}
    declares = {one.name for one in _declared(library)}
    assert matched <= plain | declares
    assert "mysql_binlog_purge" not in matched


def _declared(library):
    return [one for one in library.playbooks if "system.disk_usage_percent" in one.metrics]


def test_the_choice_is_explained_and_marked_as_one_by_names_that_anybody_can_write(library):
    first = _ranked(library, "/data", ("/data/shop.log", 2000))[0]
    [hint] = [item for item in first.items if item.name == "hint"]
    assert hint.value == 0
    assert "100%" in hint.because
    assert "anybody can write" in hint.because


def test_a_share_is_of_the_bytes_and_never_more_than_all(library):
    playbook = next(one for one in _declared(library) if one.name == "disk_cleanup_rotated_logs")
    seen = [("/d/x.log.1", 30), ("/d/y.log-20260101", 20), ("/d/orders.db", 50)]
    assert fills.share(playbook, "/d", seen) == pytest.approx(0.5)
    assert fills.share(playbook, "/d", []) == 0


@pytest.mark.parametrize(
    "path",
    ["/var/cache/apt/archives.old/a.deb", "/srv/var/cache/apt/archives/a.deb", "/var/cache/apt/"],
)
def test_what_only_looks_like_the_directory_of_a_step_is_not_in_it(library, path):
    cache = next(one for one in _declared(library) if one.name == "disk_cleanup_package_cache")
    assert fills.share(cache, "/", [(path, 900)]) == 0


@pytest.mark.parametrize(
    ("metric", "subject", "expected"),
    [
        ("redis.last_save_ok", "redis", "redis_snapshot_again"),
        ("database.archive_failing", "postgresql", "postgres_wal_archival_recovery"),
    ],
)
def test_a_metric_that_only_its_author_knows_finds_the_remedy_that_declares_it(
    library, metric, subject, expected
):
    ranked = library.rank(meaning.of_evidence(cases.evidence(metric, subject)))
    assert matching.matches(ranked)
    assert ranked[0].playbook == expected
