"""`evidence`: packages for an auditor, of the control plane's log or of a copy.

With --log nothing is asked of any control plane: the package is made here. Without, the control
plane makes it and records who asked; where none runs, the log in the data directory is read.
"""

import csv
import hashlib
import io
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from sentienguard.adapters.audit_files import reader
from sentienguard.adapters.evidence_files import store
from sentienguard.adapters.evidence_pdf.printer import PdfPrinter
from sentienguard.cli import client, frame, given_files, private_files
from sentienguard.cli.installation.places import Places
from sentienguard.model import errors
from sentienguard.stages.audit.evidence import frameworks, package, population
from sentienguard.stages.audit.evidence.control import Framework
from sentienguard.stages.audit.evidence.population import Period

app = typer.Typer(no_args_is_help=True, help="Packages of evidence for an auditor.")
ASK_EVERY_S = 0.25  # how far the control plane is
NAMES = "|".join(frameworks.BY_NAME)

First = Annotated[str, typer.Option("--from", metavar="DATE", help="First day, UTC, included.")]
Last = Annotated[str, typer.Option("--to", metavar="DATE", help="Last day, UTC, included.")]


@app.command("build")
def build(  # noqa: PLR0917  the options of a command
    framework: Annotated[str, typer.Option("--framework", metavar=NAMES, help="What to show.")],
    first: First,
    last: Last,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Made; DIR.zip beside it.")],
    log: Annotated[
        Path | None,
        typer.Option("--log", metavar="PATH", help="A log's directory or a copy of it; offline."),
    ] = None,
    data: frame.Data = None,
    as_json: frame.Json = False,
) -> None:
    """Make evidence for the controls of a framework: report, rows, proofs, gaps and a verifier.

    The package can be checked without anything of SentienGuard: python3 DIR/verify_evidence.py DIR
    """
    shown = frame.open_frame(data, as_json)
    wanted, period = frameworks.named(framework), Period.read(first, last)
    target = out.expanduser().absolute()
    store.require_free(target)
    with shown.working("building the package") as say:
        files, archive = _made(shown, wanted, period, log, say)
        beside = store.write(target, files, archive)
    found = _summary(files, archive, target, beside)
    gaps = ", ".join(found["controls_without_an_entry"]) or "none"
    shown.answer(found, frame.pairs([
        ("evidence for", f"{wanted.title}, {period.first} to {period.last}"),
        ("entries", f"{found['entries']:,} of the period, {found['rows']:,} rows"),
        ("controls", f"{found['controls']}; without an entry: {gaps}"),
        ("checkpoint", f"{found['tree_size']:,} entries, root {found['root']}"),
        ("manifest", found["manifest_sha256"]),
        ("package", found["directory"]),
        ("archive", found["archive"]),
    ]))  # fmt: skip
    shown.say(f"check it with: python3 {target / package.VERIFIER} {target}")


@app.command("people")
def people(
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="Made; only you can read it.")],
    data: frame.Data = None,
    as_json: frame.Json = False,
) -> None:
    """Write whose each pseudonym of the log is, with the keys that show it.

    For an auditor, by another way than the package: verify_evidence.py DIR --people FILE.
    """
    shown = frame.open_frame(data, as_json)
    target = out.expanduser().absolute()
    if target.exists():
        raise errors.Rejected(f"{target} exists; name a file that does not")
    with client.connect(shown.data) as asked:
        items = asked.get("/people")["items"]
    table = io.StringIO()
    writer = csv.DictWriter(table, ("pseudonym", "name", "key"), lineterminator="\n")
    writer.writeheader()
    writer.writerows(items)
    private_files.write(target, table.getvalue().encode())
    found = {"people": len(items), "file": str(target)}
    shown.answer(found, frame.pairs([("people", str(len(items))), ("table", str(target))]))


def local(
    log: Path, framework: Framework, period: Period, say: Callable[[str], None]
) -> package.Package:
    """Make a package of a log's directory. Raises errors.Rejected."""
    given_files.require_log(log)
    return package.build(
        framework, reader.read_stored(log), period, PdfPrinter(), store.verifier(),
        told=_told(say),
    )  # fmt: skip


def _made(
    shown: frame.Frame,
    framework: Framework,
    period: Period,
    log: Path | None,
    say: Callable[[str], None],
) -> tuple[Mapping[str, bytes], bytes]:
    """Return the files of a package and its archive, made here or by the control plane."""
    own = Places(shown.data).centre / "audit"
    if log is None:
        try:
            with client.connect(shown.data) as asked:
                return _asked(asked, framework, period, say)
        except client.Away:
            if not own.is_dir():
                raise
            say("no control plane runs: reading the log in the data directory")
    made = local(log or own, framework, period, say)
    say("packing")
    return made.files, store.archived(made.files)


def _asked(
    asked: client.Client, framework: Framework, period: Period, say: Callable[[str], None]
) -> tuple[Mapping[str, bytes], bytes]:
    """Let the control plane make it; fetch it when it is done."""
    body = {"framework": framework.name, "from": f"{period.first}", "to": f"{period.last}"}
    job = asked.post("/evidence", body)
    told = _told(say)
    while job["state"] in {"waiting", "working"}:
        told(job["doing"] or job["state"], job["done"], job["of"])
        time.sleep(ASK_EVERY_S)
        job = asked.get(f"/evidence/{job['id']}")
    if job["state"] != "done":
        raise errors.Rejected(f"the control plane could not make the package: {job['detail']}")
    say("fetching")
    archive = asked.download(f"/evidence/{job['id']}/download")
    if hashlib.sha256(archive).hexdigest() != job["archive_sha256"]:
        raise errors.Rejected("the package changed on its way; ask for it again")
    return store.unpacked(archive), archive


def _told(say: Callable[[str], None]) -> population.Told:
    """Say how far it is, each time that it is a tenth further or at something else."""
    before: list[tuple[str, int]] = []

    def told(what: str, done: int, of: int) -> None:
        now = (what, 10 * done // of if of else 0)
        if before != [now]:
            before[:] = [now]
            say(f"{what}: {done:,} of {of:,}" if of else what)

    return told


def _summary(
    files: Mapping[str, bytes], archive: bytes, target: Path, beside: Path
) -> dict[str, Any]:
    manifest = store.document(files, "manifest.json")
    gaps = store.document(files, "gaps.json")
    return {
        "framework": manifest["evidence_for"]["framework"],
        "from": manifest["period"]["from"],
        "to": manifest["period"]["to"],
        "entries": manifest["rows"]["in_period"],
        "rows": manifest["rows"]["count"],
        "controls": len(manifest["controls"]),
        "controls_without_an_entry": gaps["controls_without_an_entry"],
        "tree_size": manifest["log"]["tree_size"],
        "root": manifest["log"]["root"],
        "manifest_sha256": hashlib.sha256(files["manifest.json"]).hexdigest(),
        "archive_sha256": hashlib.sha256(archive).hexdigest(),
        "directory": str(target),
        "archive": str(beside),
    }
