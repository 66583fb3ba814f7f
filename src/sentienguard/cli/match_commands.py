"""`match eval`: rank a library for a file of alerts, with no server and nothing learned from it.

Corpus rows are JSON objects `id, title, service, text`; query rows `id, text, service`. Whatever
else a row holds, such as the right answers, is not looked at.
"""

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from sentienguard.adapters.minilm import embedder as minilm
from sentienguard.cli import frame
from sentienguard.model import errors
from sentienguard.ports.embedder import Embedder, Vector
from sentienguard.stages.decide.retrieval import answer, question
from sentienguard.stages.decide.retrieval.answer import Answer
from sentienguard.stages.decide.retrieval.shelf import Document, Shelf, Vectors
from sentienguard.stages.decide.settings import DecideSettings

app = typer.Typer(no_args_is_help=True, help="Match alerts with a library of remedies.")

_KEPT = 20  # ids of a ranking
_TELL_EACH = 5  # texts


class RowWrong(errors.Rejected):
    """A row is not what `match eval` reads."""


@app.callback()
def group() -> None:
    """Keep `eval` a command of its own beside those to come."""


@app.command("eval")
def evaluate(  # noqa: PLR0917 - Typer passes options by name
    corpus: Annotated[Path, typer.Option(metavar="C.jsonl", help="The library, a row for each.")],
    queries: Annotated[Path, typer.Option(metavar="Q.jsonl", help="The alerts, a row for each.")],
    out: Annotated[Path, typer.Option(metavar="R.jsonl", help="Where the answers go.")],
    words_only: Annotated[
        bool, typer.Option("--words-only", help="Leave the embeddings out.")
    ] = False,
    explain: Annotated[
        bool,
        typer.Option("--explain", help="Add the parts of the first five scores to each answer."),
    ] = False,
    as_json: frame.Json = False,
) -> None:
    """Answer each alert with a ranking, a confidence and the route it would allow."""
    shown = frame.open_frame(None, as_json)
    documents = read_documents(corpus)
    rows = _rows(queries)
    model = None if words_only else minilm.installed()
    if model is None:
        shown.note("no embeddings: by words alone, nothing is autonomous")
    draft = out.with_name(f".{out.name}.new")
    routes: Counter[str] = Counter()
    with shown.working("reading the library") as tell, draft.open("w", encoding="utf-8") as sink:
        shelf = prepare(documents, model, tell)
        for at, row in enumerate(rows, start=1):
            found = ask(shelf, model, _text(queries, at, row), str(row.get("service") or ""))
            routes[found.route.name.lower()] += 1
            line = _line(_id(queries, at, row), found, explain=explain)
            sink.write(json.dumps(line, ensure_ascii=False) + "\n")
            if at % _TELL_EACH == 0:
                tell(f"alert {at} of {len(rows)}")
    draft.replace(out)
    summary = {
        "queries": len(rows),
        "corpus": len(documents),
        "model": shelf.model or "words alone",
        "index": shelf.index,
        "routes": dict(sorted(routes.items())),
        "out": str(out),
    }
    shown.answer(summary)
    shown.say(
        f"{len(rows)} alerts on {len(documents)} texts with {summary['model']}: "
        + ", ".join(f"{count} {route}" for route, count in sorted(routes.items()))
        + f": {out}"
    )


def read_documents(path: Path) -> list[Document]:
    """Read a library; raises RowWrong naming file and row."""
    found = [
        Document(
            _id(path, at, row),
            str(row.get("title") or ""),
            str(row.get("service") or ""),
            _text(path, at, row),
        )
        for at, row in enumerate(_rows(path), start=1)
    ]
    twice = [name for name, count in Counter(one.id for one in found).items() if count > 1]
    if twice:
        message = f"{path}: the id {twice[0]!r} stands there twice"
        raise RowWrong(message)
    return found


def prepare(
    documents: Sequence[Document], model: Embedder | None, tell: Callable[[str], None]
) -> Shelf:
    """Prepare a library; `tell` hears how far it is."""
    if model is None:
        return Shelf(documents)
    titles: list[Vector] = []
    texts: list[Vector] = []
    for at, document in enumerate(documents, start=1):
        title, text = model.embed(document.spoken)
        titles.append(title)
        texts.append(text)
        if at % _TELL_EACH == 0:
            tell(f"embedding text {at} of {len(documents)}")
    return Shelf(documents, Vectors(model.model, titles, texts))


def ask(shelf: Shelf, model: Embedder | None, text: str, service: str) -> Answer:
    """Answer one alert."""
    asked = question.read(text, service)
    vector = model.embed([asked.spoken])[0] if model else None
    return answer.find(shelf, asked, vector, DecideSettings())


def _line(name: str, found: Answer, *, explain: bool) -> dict[str, Any]:
    line: dict[str, Any] = {
        "id": name,
        "ranking": [one.id for one in found.ranked[:_KEPT]],
        "confidence": found.sure.value,
        "route": found.route.name.lower(),
    }
    if explain:
        line["caps"] = list(found.sure.caps)
        line["uncapped"] = found.sure.plain
        line["no_sibling"] = found.sure.own
        line["features"] = {name: round(value, 4) for name, value in found.sure.features.items()}
        line["explained"] = [
            {
                "id": one.id,
                "score": one.score,
                "parts": [
                    {"name": part.name, "value": part.value, "because": part.because}
                    for part in one.parts
                ],
            }
            for one in found.ranked
            if one.parts
        ]
    return line


def _rows(path: Path) -> list[Mapping[str, Any]]:
    rows: list[Mapping[str, Any]] = []
    for at, text in enumerate(path.read_text("utf-8").splitlines(), start=1):
        if not text.strip():
            continue
        try:
            row = json.loads(text)
        except ValueError as cause:
            message = f"{path}, line {at}: expected a JSON object, found {cause}"
            raise RowWrong(message) from cause
        if not isinstance(row, dict):
            message = f"{path}, line {at}: expected a JSON object, found {type(row).__name__}"
            raise RowWrong(message)
        rows.append(row)
    return rows


def _id(path: Path, at: int, row: Mapping[str, Any]) -> str:
    return _field(path, at, row, "id")


def _text(path: Path, at: int, row: Mapping[str, Any]) -> str:
    return _field(path, at, row, "text")


def _field(path: Path, at: int, row: Mapping[str, Any], name: str) -> str:
    value = row.get(name)
    if not isinstance(value, str) or not value.strip():
        message = f"{path}, row {at}: expected a text in {name!r}, found {value!r}"
        raise RowWrong(message)
    return value
