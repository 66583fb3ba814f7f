"""Several control planes over one PostgreSQL, each a process with a directory of its own.

    with replica_set.running(tmp_path, server.new_database(), 2) as replicas:
        host = replicas[0].enrol("web-1")
        replicas[0].kill()
        replica_set.at(host, replicas[1]).push(...)

The first directory gets the keys and signed documents, the others copies of them: what people do
who set up a second control plane.
"""

import contextlib
import dataclasses
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from sentienguard.controlplane import evaluation
from sentienguard.model.ids import PlaybookName, digest
from sentienguard.trust.catalogue import Proven, ProvingRecord
from tests.support import centre_process

REMEDY = PlaybookName("disk_cleanup_rotated_logs")  # proven, so that people may be asked for it
ADMINISTRATOR = "admin@local"
COPIED = ("keys", "tls", "trust")  # what control planes of one database have in common


def prepare(data: Path, url: str, like: Path | None = None, **settings: str) -> None:
    """Make the directory of one control plane: new keys, or those of another."""
    directory = data / "controlplane"
    if like is None:
        bundled = {
            path.parent.name: path.read_bytes()
            for path in centre_process.PLAYBOOKS.glob("*/playbook.yaml")
        }
        evaluation.prepare(directory, data / "offline-keys", bundled, now=datetime.now(UTC))
        record = ProvingRecord(
            REMEDY, "1.0.0", digest(bundled[REMEDY]), (Proven("disk-full", 20, 20),)
        )
        evaluation.sign_proving(directory, data / "offline-keys", record)
    else:
        for name in COPIED:
            shutil.copytree(like / "controlplane" / name, directory / name)
    usual = {
        "database_url": url,
        "audit_log": "database",
        "embeddings": '"off"',  # each would make the vectors of the library for itself
        "takeover_s": "2",
        "service_budget_per_hour": "1000",
        "fleet_budget_per_hour": "1000",
    }
    chosen = {**usual, **settings}
    lines = "".join(f"{name}: {value}\n" for name, value in chosen.items())
    (directory / "sentienguard.yaml").write_text(lines)


def add_administrator(data: Path) -> None:
    """Add the first administrator to the database."""
    subprocess.run(
        [sys.executable, "-m", "sentienguard.controlplane", "--data", str(data),
         "--add-administrator", ADMINISTRATOR],
        input=centre_process.PASSWORD.encode() + b"\n", check=True, capture_output=True, timeout=60,
    )  # fmt: skip


@contextlib.contextmanager
def running(
    directory: Path, url: str, count: int, *, first_url: str = "", **settings: str
) -> Iterator[list[centre_process.Centre]]:
    """Start `count` control planes over the database of this URL, and stop them at the end.

    `first_url` is how the first of them reaches it, where that differs.
    """
    places = [directory / f"replica-{number}" for number in range(1, count + 1)]
    prepare(places[0], first_url or url, **settings)
    for place in places[1:]:
        prepare(place, url, places[0], **settings)
    add_administrator(places[0])
    with contextlib.ExitStack() as opened:
        yield [opened.enter_context(centre_process.started(place)) for place in places]


def at(host: centre_process.Host, centre: centre_process.Centre) -> centre_process.Host:
    """Return the host as it speaks to another control plane; numbers go on from where they are."""
    return dataclasses.replace(host, centre=centre, client=centre.agent_client(host.chain))


def freeze(centre: centre_process.Centre) -> None:
    """Stop a control plane in the middle of whatever it does."""
    centre.process.send_signal(signal.SIGSTOP)
    state = Path(f"/proc/{centre.process.pid}/stat")
    while state.read_text().rpartition(")")[2].split()[0] != "T":
        time.sleep(0.001)


def thaw(centre: centre_process.Centre) -> None:
    """Let a frozen one go on."""
    centre.process.send_signal(signal.SIGCONT)
