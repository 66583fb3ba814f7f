"""`audit exposure` and `audit check-anchors`: what others hold of the log, and whether it is there.

Called by `audit_commands`. The first asks the control plane. The second asks it nothing: it reads
the receipts and goes to the places themselves, with keys that may read.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from sentienguard.adapters.audit_anchors import receipts
from sentienguard.adapters.local_host.clock import LocalClock
from sentienguard.cli import client, frame
from sentienguard.cli.installation.places import Places
from sentienguard.controlplane import app_anchors
from sentienguard.model import errors
from sentienguard.ports.anchor import Anchor, Receipt


def exposure(data: frame.Data = None, as_json: frame.Json = False) -> None:
    """Show how much of the log nobody else holds yet, and who holds what."""
    shown = frame.open_frame(data, as_json)
    with client.connect(shown.data) as asked:
        found: dict[str, Any] = asked.get("/audit/exposure")
    rows = [
        (one["name"], one["sort"], str(one["size"]), one["at"] or "never", one["problem"])
        for one in found["witnesses"]
    ]
    shown.answer(
        found,
        frame.table("witness", "", "entries", "at", "problem", rows=rows, empty="nobody yet"),
    )
    shown.say(_verdict(found))


def _verdict(found: Mapping[str, Any]) -> str:
    policy, size, exposed = found["policy"], found["size"], found["exposed"]
    if found["lacking"]:
        return f"exposed: all {size} entries; {policy} are asked for, {found['lacking']} lacking"
    if not exposed:
        return f"nothing exposed: {policy} hold all {size} entries"
    seconds = found["window_s"]
    since = "" if seconds is None else f", since {seconds:.0f} s"
    return f"exposed: {exposed} of {size} entries{since} ({policy})"


def check_anchors(
    anchors: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Other anchors.yaml, with keys that may read."),
    ] = None,
    data: frame.Data = None,
    as_json: frame.Json = False,
) -> None:
    """Compare every receipt with what lies at its anchor; status 1 if anything is wrong."""
    shown = frame.open_frame(data, as_json)
    home = Places(shown.data).centre
    kept = receipts.Receipts(home / app_anchors.RECEIPTS).all()
    if not kept:
        raise errors.Rejected(
            f"{home / app_anchors.RECEIPTS}: nothing was anchored yet; name places in "
            f"{home / 'anchors.yaml'}, as docs/how-to/anchor-the-log.md says, and start again"
        )
    places = app_anchors.read_file(anchors or home / "anchors.yaml", LocalClock())
    found = [_checked(one, places) for one in kept]
    rows = [
        (one["anchor"], str(one["size"]), "good" if one["good"] else "WRONG", one["found"])
        for one in found
    ]
    shown.answer(found, frame.table("anchor", "entries", "", "", rows=rows, empty=""))
    raise typer.Exit(0 if all(one["good"] for one in found) else 1)


def _checked(receipt: Receipt, places: Mapping[str, Anchor]) -> dict[str, Any]:
    try:
        place = places.get(receipt.anchor)
        if place is None:
            raise errors.Rejected(f"no anchor is called {receipt.anchor} any more")
        good, found = True, place.check(receipt)
    except errors.SentienGuardError as error:
        good, found = False, str(error)
    return {"anchor": receipt.anchor, "size": receipt.size, "good": good, "found": found}
