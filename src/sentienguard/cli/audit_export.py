"""`audit export`: entries of the log in a format that other systems read."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from sentienguard import __version__
from sentienguard.adapters.evidence_files import store
from sentienguard.adapters.evidence_pdf.printer import PdfPrinter
from sentienguard.cli import audit_sources, frame
from sentienguard.model import errors
from sentienguard.stages.audit.evidence.population import Period
from sentienguard.stages.audit.export import formats

FORMATS = (*formats.WRITERS, "pdf")


def export(  # noqa: PLR0917  the options of a command
    wanted: Annotated[str, typer.Option("--format", metavar="|".join(FORMATS), help="How.")],
    first: Annotated[
        str | None, typer.Option("--from", metavar="DATE", help="First day, UTC, included.")
    ] = None,
    last: Annotated[
        str | None, typer.Option("--to", metavar="DATE", help="Last day, UTC, included.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Else standard output.")
    ] = None,
    log: Annotated[
        Path | None,
        typer.Option("--log", metavar="PATH", help="A log's directory or a copy of it; offline."),
    ] = None,
    names: Annotated[
        bool, typer.Option("--names", help="Call people by their names; else by pseudonyms.")
    ] = False,
    data: frame.Data = None,
    as_json: frame.Json = False,
) -> None:
    """Write the entries of a period as JSON, CSV, OCSF 1.8.0, CEF or PDF.

    The same log and period give the same bytes. A directory is verified before it is exported.
    """
    shown = frame.open_frame(data, as_json)
    if wanted not in FORMATS:
        raise errors.Rejected(f"format {wanted[:20]!r}: expected one of {', '.join(FORMATS)}")
    if out is None and (as_json or wanted == "pdf"):
        raise errors.Rejected("name a file with --out: standard output is taken or no place for it")
    if out is not None and out.exists():
        raise store.InTheWay(f"{out} is there already; name another file with --out")
    if names and wanted == "json":
        raise errors.Rejected("--names: json has entries as they are proven; choose another format")
    period = Period.between(first, last)
    with shown.working("reading the log") as say:
        origin, rows = audit_sources.of_period(shown.data, log, period, say, names=names)
        say(f"writing {len(rows):,} entries")
        if wanted == "pdf":
            text = f"{first or 'the beginning'} to {last or 'the end'}"
            report = formats.listing(rows, origin, text)
            content = PdfPrinter().printed(report, lambda _done, _of: None)
        else:
            content = formats.WRITERS[wanted](rows, __version__)
    if out is None:
        sys.stdout.buffer.write(content)
        sys.stdout.flush()
        return
    store.write_whole(out, content)
    found = {"entries": len(rows), "format": wanted, "file": str(out), "bytes": len(content)}
    shown.answer(found)
    shown.say(f"{len(rows):,} entries in {out}")
