"""`audit`: check the evidence, here or in a copy, and prove one entry."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from sentienguard.adapters.audit_files import reader
from sentienguard.cli import (
    audit_export,
    audit_exposure,
    audit_forward,
    client,
    frame,
    given_files,
)
from sentienguard.cli.installation.places import Places
from sentienguard.model import errors
from sentienguard.stages.audit import verify as judging

app = typer.Typer(no_args_is_help=True, help="Check the evidence.")
app.command("export")(audit_export.export)
app.command("forward")(audit_forward.forward)
app.command("exposure")(audit_exposure.exposure)
app.command("check-anchors")(audit_exposure.check_anchors)


@app.command("verify")
def verify(
    path: Annotated[
        Path | None,
        typer.Argument(
            metavar="[PATH]",
            help="The log's directory or a copy; else ask the server.",
            show_default=False,
        ),
    ] = None,
    data: frame.Data = None,
    as_json: frame.Json = False,
    against: Annotated[
        list[Path] | None,
        typer.Option("--against", help="A checkpoint that you kept; may be given again."),
    ] = None,
) -> None:
    """Verify the whole audit log; status 1 if anything is wrong.

    With PATH nothing is asked of the control plane. Without PATH the control plane verifies what
    lies on its disk; where none runs, the log in the data directory is read.
    """
    shown = frame.open_frame(data, as_json)
    if path is None and against:
        raise errors.Rejected("--against needs PATH, the log's directory that is to be checked")
    found = verify_stored(path, against or []) if path else _asked_or_local(shown)
    rows = [
        (
            one["check"],
            Text("passed", style="green") if one["passed"] else Text("FAILED", style="bold red"),
            one["detail"],
        )
        for one in found["findings"]
    ]
    shown.answer(found, frame.table("check", "", "", rows=rows, empty=""))
    verdict = "verified" if found["passed"] else "NOT verified"
    shown.say(f"{verdict}: {found['entries']} entries in {found['seconds'] * 1000:.0f} ms")
    raise typer.Exit(0 if found["passed"] else 1)


@app.command("prove")
def prove(
    index: Annotated[int, typer.Argument(metavar="INDEX", min=0, help="Number of the entry.")],
    data: frame.Data = None,
    as_json: frame.Json = False,
) -> None:
    """Print what convinces anybody who trusts the checkpoint that an entry is in the log."""
    shown = frame.open_frame(data, as_json)
    with client.connect(shown.data) as asked:
        proof = asked.get(f"/audit/proof/{index}")
    shown.answer(proof, frame.unbroken([
        ("entry", str(proof["index"])),
        ("leaf", proof["leaf"]),
        ("leaf hash", proof["leaf_hash"]),
        ("tree size", str(proof["tree_size"])),
        *(("path" if at == 0 else "", node) for at, node in enumerate(proof["path"])),
        ("checkpoint", proof["checkpoint"].strip()),
    ]))  # fmt: skip


@app.command("erase")
def erase(
    index: Annotated[int, typer.Argument(metavar="INDEX", min=0, help="Number of the entry.")],
    sha256: Annotated[str, typer.Argument(metavar="SHA256", help="Of a content it names.")],
    reason: Annotated[str, typer.Option("--reason", help="For example the number of a request.")],
    data: frame.Data = None,
    as_json: frame.Json = False,
) -> None:
    """Destroy for good what an entry keeps beside the log, such as a step's output.

    Entries and proofs stay; digest and length stay proven. Another entry with the same content
    loses it too.
    """
    shown = frame.open_frame(data, as_json)
    with client.connect(shown.data) as asked:
        done = asked.post(f"/audit/entries/{index}/blobs/{sha256}/erase", {"reason": reason})
    shown.answer(done, Text(f"{done['sha256']} is erased"))


def _asked_or_local(shown: frame.Frame) -> dict[str, Any]:
    local = Places(shown.data).centre / "audit"
    try:
        with shown.working("verifying the audit log"), client.connect(shown.data) as asked:
            found: dict[str, Any] = asked.post("/audit/verify")
            return found
    except client.Away:
        if not local.is_dir():
            raise
        return verify_stored(local)


def verify_stored(path: Path, against: Sequence[Path] = ()) -> dict[str, Any]:
    """Verify a log's directory or a copy of it, also against checkpoints that somebody kept.

    Raises errors.Rejected where there is none.
    """
    given_files.require_log(path)
    older = tuple(_checkpoint(one) for one in against)
    began = time.monotonic()
    report = judging.verify(
        reader.read_stored(path), judging.Trust(older=older), deep=True, live=True
    )
    return {
        "passed": report.passed,
        "entries": report.size,
        "seconds": time.monotonic() - began,
        "findings": [
            {"check": one.name, "passed": one.passed, "detail": one.detail} for one in report.checks
        ],
    }


def _checkpoint(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as cause:
        raise errors.Rejected(f"{file}: expected a checkpoint that you kept: {cause}") from cause
