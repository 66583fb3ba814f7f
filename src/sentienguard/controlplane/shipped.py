"""What comes with this release: playbooks, the hosts that its tests prove them on, the dashboard.

Called by draft_desk, by the API and by `sentienguard doctor`; `sentienguard up` lists the same
files. Playbooks lie in `sentienguard/bundled_playbooks` of an installed wheel and in `playbooks` of
a checkout. Nothing here is signed, and nothing here lets anything run.
"""

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import sentienguard
from sentienguard.model import ids
from sentienguard.model.ids import Digest
from sentienguard.playbook import parse, readme

PLAYBOOK: Final = "playbook.yaml"
CASE: Final = "simulation.yaml"
DASHBOARD: Final = Path(__file__).parent / "ui_dist"  # where `make` builds it


def directory() -> Path | None:
    """Return where they lie; None: this installation has none."""
    package = Path(sentienguard.__file__).resolve().parent
    places = (package / "bundled_playbooks", package.parents[1] / "playbooks")
    return next((place for place in places if place.is_dir()), None)


@functools.cache
def cases() -> Mapping[Digest, bytes]:
    """Return the pretended host of each shipped playbook, by the digest of the playbook's bytes.

    The release's own tests prove each pair: `tests/playbooks` does so for whatever lies there.
    """
    place = directory()
    if place is None:
        return {}
    found = {}
    for case in sorted(place.glob(f"*/{CASE}")):
        playbook = case.with_name(PLAYBOOK)
        if playbook.is_file():
            found[ids.digest(playbook.read_bytes())] = case.read_bytes()
    return found


@functools.cache
def risk_reasons() -> Mapping[Digest, str]:
    """Return why each shipped playbook has its risk, by the digest of the playbook's bytes.

    It stands in the README beside, so that saying it costs no measured record (ADR 0025). The
    release's own tests hold each one to its playbook.
    """
    place = directory()
    found = {}
    for text in sorted(place.glob(f"*/{readme.NAME}")) if place is not None else ():
        file = text.with_name(PLAYBOOK)
        if file.is_file():
            stored = file.read_bytes()
            playbook = parse.load_draft(stored, origin=str(file)).playbook
            found[playbook.digest] = readme.risk_reason(text.read_text("utf-8"), playbook.risk)
    return found


def case_of(name: str, digest: str) -> bytes:
    """Return the pretended host for a version, else the one of that name; empty: there is none."""
    exact = cases().get(Digest(digest))
    place = directory()
    if exact is not None or place is None or not name.isidentifier():
        return exact or b""
    file = place / name / CASE
    return file.read_bytes() if file.is_file() else b""
