"""Playbooks that give a volume its room back, on file systems of their own size."""

import os
import subprocess
import time

import pytest

from tests.support import real_kinds, real_playbooks

DAY_S = 86_400
VOLUME = "size=24m,nr_inodes=2000,mode=0755"

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(os.geteuid() != 0, reason="a file system of its own size needs root"),
]


@pytest.fixture
def volume(tmp_path):
    place = tmp_path / "volume"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", VOLUME, "test-volume", str(place)], check=True)
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


@pytest.fixture
def bench(tmp_path, volume):
    made = real_playbooks.Bench(tmp_path, volumes=[{"path": str(volume)}])
    yield made
    made.close()


def put(path, megabytes, days):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(os.urandom(1 << 20) * megabytes)
    then = time.time() - days * DAY_S
    os.utime(path, (then, then))
    return path


@real_kinds.runs("step fs.clean")
def test_rotated_logs_go_and_current_ones_evidence_and_data_stay(bench, volume):
    rotated = [put(volume / f"web/app.log.{n}", 3, 2 + n) for n in range(1, 6)]
    dated = put(volume / "api.log-20260101", 2, 9)
    kept = [
        put(volume / "web/app.log", 1, 0),
        put(volume / "audit.log.1", 2, 30),
        put(volume / "young.log.1", 1, 0),
        put(volume / "data.1", 1, 30),
    ]
    bench.heals("disk_cleanup_rotated_logs", mount=str(volume))
    assert not any(one.exists() for one in rotated)
    assert all(one.exists() for one in kept)
    assert dated.exists()  # the first step made room enough: no more goes than has to


def test_rotated_logs_stay_while_there_is_room(bench, volume):
    log = put(volume / "app.log.1", 3, 9)
    bench.leaves_alone("disk_cleanup_rotated_logs", mount=str(volume))
    assert log.exists()


def test_old_temporary_files_go_and_those_in_use_stay(bench, volume):
    gone = [put(volume / "tmp" / name, 8, 30) for name in ("tmp_old", "upload.tmp")]
    kept = [
        put(volume / "tmp/tmp_young", 1, 0),
        put(volume / "tmp/kept.db", 2, 30),
        put(volume / "tmp_outside", 3, 30),
    ]
    bench.heals("disk_cleanup_temp_files", mount=str(volume))
    assert [one.exists() for one in gone] == [False, True]
    assert all(one.exists() for one in kept)


def test_stale_sessions_give_their_inodes_back_and_living_ones_stay(bench, volume):
    stale = [put(volume / f"sessions/{n % 9}/sess_{n:05}", 0, 3) for n in range(1800)]
    living = [put(volume / f"sessions/sess_live{n}", 0, 0) for n in range(100)]
    mail = put(volume / "spool/message", 0, 30)
    bench.heals("inode_cleanup_sessions", mount=str(volume))
    assert not any(one.exists() for one in stale)
    assert all(one.exists() for one in living)
    assert mail.exists()


@real_kinds.runs("step fs.truncate")
def test_a_flooded_log_is_emptied_under_its_writer_and_the_others_stay(bench, volume):
    flooded = put(volume / "app.log", 20, 0)
    evidence, small = put(volume / "audit.log", 2, 0), put(volume / "web.log", 1, 0)
    with flooded.open("ab") as writer:
        while flooded.stat().st_size < 20_900_000:
            writer.write(b"again\n" * 10_000)
        writer.flush()
        bench.heals("log_flood_truncate", mount=str(volume), swap={"1GB": "15MB"})
        writer.write(b"still here\n")
    assert flooded.stat().st_size < 1_000_000
    assert flooded.read_bytes().endswith(b"still here\n")
    assert (evidence.stat().st_size, small.stat().st_size) == (2 << 20, 1 << 20)
