"""A host says that the first remedy is not for what it sees; the second one runs and heals.

Two thirds of a full volume are uploads that are still under way, one third is old rotated logs. The
centre sees names and sizes, so the remedy for temporary files comes first. The host sees ages too,
has nothing to remove for it, and touches nothing.
"""

import os
import time

import pytest
import yaml

from sentienguard.cli.installation import bundled
from sentienguard.cli.installation import sandbox as sandboxes
from sentienguard.model import ids
from sentienguard.trust import catalogue
from tests.support import installation

pytestmark = [pytest.mark.stories, pytest.mark.timeout(300)]

PROVEN = catalogue.Proven("disk-full", 20, 20)
METRIC = "system.disk_usage_percent"
FIRST, SECOND = "disk_cleanup_temp_files", "disk_cleanup_rotated_logs"
UPLOADS, LOGS = 10, 5  # files of 4 MiB and a little: together 97 % of the volume
OLD_S = 10 * 86_400


@pytest.fixture
def whole(tmp_path):
    with installation.running(tmp_path, proven=[proving(FIRST), proving(SECOND)]) as found:
        yield found


def test_the_second_remedy_heals_what_the_first_was_not_for(whole):
    volume = whole.sandbox.volume
    uploads, logs = fill(volume)
    before = looked_at(uploads)
    incident = whole.incident_about(METRIC, str(volume))["incident"]["id"]
    with whole.client() as asked:
        told = installation.wait_for(
            lambda: closed(asked, incident), "the end of the incident", within_s=120
        )
        again = asked.get(f"/incidents/{incident}/replay")
    kinds = [fact["kind"] for fact in told["timeline"]]
    playbooks = [fact["data"]["playbook"] for fact in of_kind(told, "decision.made")]
    ended = [fact["data"]["outcome"] for fact in of_kind(told, "order.finished")]
    assert playbooks == [FIRST, SECOND], whole.logs()
    assert ended == ["ABORTED", "SUCCESS"], whole.logs()
    assert told["incident"]["outcome"] == "resolved", whole.logs()
    assert kinds.count("order.intent") == 2  # each has its own
    assert told["decision"]["route"] in {"RUN_AND_VERIFY", "ASK"}
    assert any(one["rule"] == "further" for one in told["decision"]["verdicts"])
    assert looked_at(uploads) == before, "the first remedy touched nothing"
    assert not [one for one in logs if one.exists()]
    assert again["identical"], again["differences"]


def proving(name):
    """Return a record by which a playbook does not begin in shadow."""
    stored = bundled.playbooks()[f"playbooks/{name}/playbook.yaml"]
    version = yaml.safe_load(stored)["version"]
    return catalogue.ProvingRecord(name, version, ids.digest(stored), (PROVEN,))


def fill(volume):
    """Write the uploads and the logs; return both."""
    size = int(0.97 * sandboxes.VOLUME_BYTES / (UPLOADS + LOGS))
    (volume / "tmp").mkdir()
    (volume / "logs").mkdir()
    uploads = [volume / "tmp" / f"upload-{at}.part" for at in range(UPLOADS)]
    logs = [volume / "logs" / f"app.log.{at}" for at in range(1, LOGS + 1)]
    for one in (*uploads, *logs):
        one.write_bytes(b"x" * size)
    then = time.time() - OLD_S
    for one in logs:
        os.utime(one, (then, then))
    return uploads, logs


def looked_at(files):
    return [(one.stat().st_ino, one.stat().st_size, one.stat().st_mtime_ns) for one in files]


def of_kind(told, kind):
    return [fact for fact in told["timeline"] if fact["kind"] == kind]


def closed(asked, incident):
    story = asked.get(f"/incidents/{incident}")
    return story if story["incident"]["status"] == "CLOSED" else None
