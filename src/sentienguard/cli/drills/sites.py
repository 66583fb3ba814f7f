"""Control planes for a benchmark: with the bundled playbooks, and no history.

Called by `campaign`. What a remedy did counts in what is decided next: two failures in a row stop a
playbook in its environment. So a drill after which a remedy's failure stands on record must not be
followed by another on the same control plane, or the order of drills would decide.
"""

import shutil
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from sentienguard.cli import client
from sentienguard.cli.drills import case
from sentienguard.cli.installation import centre, ports, processes
from sentienguard.cli.installation.places import Places
from sentienguard.controlplane import evaluation
from sentienguard.model import errors
from sentienguard.trust import catalogue


def raise_up(directory: Path, proven: Iterable[catalogue.ProvingRecord]) -> case.Site:
    """Start a fresh control plane below a directory, where these records are signed as well.

    Raises processes.DidNotStart.
    """
    take_down(directory)
    places = Places(directory)
    places.make()
    centre.prepare(places, interval_s=1.0, drills=True)
    for record in proven:
        evaluation.sign_proving(places.centre, places.offline, record)
    first = centre.first_login(places)
    centre.start(places, lambda _: None)
    centre.login(places, first)
    return case.Site(places, int(ports.read_settings(places.centre)["agents_port"]))


def take_down(directory: Path) -> None:
    """Stop the control plane of a directory, if one runs, and remove all of it."""
    standing = centre.process_file(Places(directory))
    if standing is not None:
        processes.stop(standing, grace_s=centre.STOP_S)
    shutil.rmtree(directory, ignore_errors=True)


def audit(site: case.Site) -> dict[str, object]:
    """Have the control plane verify its whole audit log."""
    at = datetime.now(UTC).isoformat(timespec="seconds")
    try:
        with client.connect(site.places.data, here=True) as asked:
            found = asked.post("/audit/verify")
    except errors.SentienGuardError as error:
        return {"at": at, "passed": False, "entries": 0, "detail": str(error)}
    failed = [f"{one['check']}: {one['detail']}" for one in found["findings"] if not one["passed"]]
    return {
        "at": at,
        "passed": bool(found["passed"]),
        "entries": int(found["entries"]),
        "detail": "; ".join(failed),
    }
