"""The playbooks and proving records that come with the program.

They lie in `sentienguard/bundled_playbooks` of an installed wheel and in `playbooks` of a checkout.
A proving record counts only for the bytes that it was measured with.
"""

import json
from pathlib import Path

from sentienguard.controlplane import shipped
from sentienguard.model import errors, ids
from sentienguard.trust import catalogue

PLAYBOOK, PROVING = shipped.PLAYBOOK, "proving.json"


class NotBundled(errors.Broken):
    """The installation of the program is not complete."""


def directory() -> Path:
    """Return where they lie. Raises NotBundled."""
    place = shipped.directory()
    if place is None:
        raise NotBundled("no playbooks lie beside the program; install sentienguard again")
    return place


def names() -> tuple[str, ...]:
    """Return the names of the playbooks, without reading any."""
    return tuple(sorted(file.parent.name for file in directory().glob(f"*/{PLAYBOOK}")))


def playbooks() -> dict[str, bytes]:
    """Return the stored bytes by a name for messages."""
    return {
        f"playbooks/{file.parent.name}/{PLAYBOOK}": file.read_bytes()
        for file in sorted(directory().glob(f"*/{PLAYBOOK}"))
    }


def proving() -> list[catalogue.ProvingRecord]:
    """Return the measured records of the playbooks as they are bundled now."""
    found = []
    for file in sorted(directory().glob(f"*/{PROVING}")):
        stored = ids.digest((file.parent / PLAYBOOK).read_bytes())
        record = _record(file)
        if record.digest == stored:
            found.append(record)
    return found


def _record(file: Path) -> catalogue.ProvingRecord:
    try:
        found = json.loads(file.read_bytes())
        return catalogue.ProvingRecord(
            playbook=ids.PlaybookName(found["playbook"]),
            version=str(found["version"]),
            digest=ids.Digest(found["digest"]),
            proven=tuple(
                catalogue.Proven(str(one["drill"]), int(one["runs"]), int(one["verified"]))
                for one in found["proven"]
            ),
        )
    except (ValueError, KeyError, TypeError) as cause:
        raise NotBundled(
            f"{file}: expected playbook, version, digest and proven, found {cause!r}"
        ) from cause
