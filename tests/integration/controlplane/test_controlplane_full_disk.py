"""A full disk under the data directory: refused in clear words, nothing lost, nothing crashed."""

import contextlib
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import centre_process

pytestmark = pytest.mark.integration
CALM = {("system.cpu_percent", ""): 3.0, ("system.disk_usage_percent", "/srv"): 40.0}


@contextlib.contextmanager
def small_disk(place: Path) -> Iterator[Path]:
    """Mount a small file system; yields a directory on it."""
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=96m", "sentienguard-test", str(place)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode != 0:
        pytest.skip("mounting a small file system needs root and is not allowed here")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_full_disk_is_said_and_samples_are_taken_again_when_there_is_room(tmp_path: Path) -> None:
    place = tmp_path / "disk"
    place.mkdir()
    with small_disk(place), centre_process.running(place) as centre:
        host = centre.enrol("tight")
        assert host.push(CALM).status_code == 204
        ballast = place / "ballast"
        free = os.statvfs(place)
        with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            for _ in range(free.f_bavail + 16):
                file.write(b"x" * free.f_frsize)
        refused = None
        for _ in range(200):
            answer = host.push(CALM)
            if answer.status_code != 204:
                refused = answer
                break
        assert refused is not None, "a full disk was never noticed"
        assert refused.status_code == 503
        assert refused.headers["content-type"] == "application/problem+json"
        assert centre.anonymous().get("/healthz").status_code == 200
        assert centre.process.poll() is None
        ballast.unlink()
        deadline = time.monotonic() + 10
        while (status := host.push(CALM).status_code) != 204 and time.monotonic() < deadline:
            time.sleep(0.2)
        assert status == 204
        centre.kill()
        centre.restart()
        assert centre.login("admin@local").post("/api/v1/audit/verify").json()["passed"]
