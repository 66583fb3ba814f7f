"""`diagnose`: who is to blame for a symptom, from one file and with no server and no model."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final

import typer

from sentienguard.cli import frame
from sentienguard.model import diagnosis, errors
from sentienguard.stages.decide.diagnosis import engine, report, snapshot

_MOST_BYTES: Final = 512 * 2**20  # of a snapshot: ten times what the limits of its parts let in
_CHANGES: Final = 3  # that people are shown


class NotReadable(errors.Rejected):
    """The file is not JSON, or too large to be a snapshot."""


def diagnose(
    file: Annotated[Path, typer.Argument(metavar="SNAPSHOT.json", help="What was observed.")],
    out: Annotated[
        Path | None, typer.Option("--out", metavar="R.json", help="Write the verdict there.")
    ] = None,
    as_json: frame.Json = False,
) -> None:
    """Say what a symptom comes from, how it travelled, and what speaks against that.

    Nothing is acted on. The format of a snapshot is in docs/reference/snapshot.md.
    """
    shown = frame.open_frame(None, as_json)
    verdict = engine.diagnose(snapshot.parse(_load(file)))
    document = report.document(verdict)
    if out is not None:
        draft = out.with_name(f".{out.name}.new")
        draft.write_text(
            json.dumps(document, ensure_ascii=False, indent=1) + "\n", encoding="utf-8"
        )
        draft.replace(out)
    shown.answer(document)
    for line in _lines(verdict):
        shown.say(line)


def _load(file: Path) -> object:
    size = file.stat().st_size
    if size > _MOST_BYTES:
        message = f"{file}: {size} bytes, at most {_MOST_BYTES}; leave out what is old"
        raise NotReadable(message)
    try:
        return json.loads(file.read_bytes())
    except (ValueError, RecursionError) as error:
        message = f"{file}: expected JSON ({type(error).__name__}: {error})"
        raise NotReadable(message) from error


def _lines(verdict: diagnosis.Verdict) -> Iterator[str]:
    """Tell a verdict to a person."""
    if verdict.ranked:
        first = verdict.ranked[0]
        yield f"{first.object}: {first.cause or 'cause unknown'}"
        yield f"  confidence {verdict.confidence:.0%}, explains {first.share:.0%} of the symptom"
        if len(first.path) > 1:
            yield "  path       " + " -> ".join(first.path)
        yield from (f"  for        {text}" for text in first.evidence)
        yield from (f"  against    {text}" for text in first.against)
        second = verdict.runner_up
        if second is not None:
            yield (
                f"runner-up: {second.object}: {second.cause or 'cause unknown'}"
                f" ({second.score:.2f} against {first.score:.2f})"
            )
            yield from (f"  for        {text}" for text in second.evidence[:2])
            yield from (f"  against    {text}" for text in second.against[:2])
    else:
        yield f"nobody is blamed: {verdict.abstained}"
    if verdict.changes:
        yield "changes to look at first:"
        for one in verdict.changes[:_CHANGES]:
            name = "no change at all" if one.object == diagnosis.NO_CHANGE else one.object[:12]
            why = "; ".join(text for text in one.evidence if text)
            yield f"  {one.score:.2f}  {name:<16} {why}"
    if verdict.triage:
        paging = [one for one in verdict.triage if one.page]
        yield f"alerts: {len(paging)} of {len(verdict.triage)} are worth a page"
        yield from (f"  {one.alert:<10} {one.reason}" for one in paging)
