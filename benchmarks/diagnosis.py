"""Root cause without a model on public data: rankings, paths, pages, and what forged logs cost.

Option `data` is a directory with one folder for each set (`benchmarks/diagnosis_sets`); what is
not there is left out. Option `out` is where the predictions go, one JSON line a case. With `truth/`
and `score.py` in the directory, the data's own scorer is run on them, and on a plain baseline's
beside them. Options:

    sets=petshop,nezha_tt   these only
    forged=3                again with forged error logs in as many healthy services of each case
    shuffled=1              again with the parts of each snapshot in another order

Limits of the figures: cases that were looked at while the engine was written; see the README.
"""

import importlib
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks import diagnosis_baseline, diagnosis_forgery
from benchmarks.diagnosis_sets import case
from sentienguard.model import diagnosis
from sentienguard.stages.decide.diagnosis import engine, snapshot

WRITES_OUT = True  # `--out` is for the predictions

SETS = (
    "blastradiusbench",
    "cloudopsbench",
    "nezha_tt",
    "noisebench",
    "opensre",
    "petshop",
    "rootcausebench",
    "sockshop1",
)


def run(options: Mapping[str, Any]) -> dict[str, Any]:
    """Diagnose every case and score it."""
    data = Path(options["data"])
    names = str(options.get("sets") or ",".join(SETS)).split(",")
    forged, shuffled = int(options.get("forged") or 0), bool(int(options.get("shuffled") or 0))
    truth = _truth(data / "truth")
    ours: list[dict[str, Any]] = []
    plain: list[dict[str, Any]] = []
    figures: dict[str, Any] = {}
    began, burnt = time.perf_counter(), time.process_time()
    for name in names:
        converter = _converter(name)
        if converter is None or not (data / name).is_dir():
            continue
        spent: list[float] = []
        unread = different = 0
        forgery = diagnosis_forgery.Tally()
        for one in _cases(converter, data / name):
            read = _read(one)
            unread += read is None
            if read is None:
                ours.append({"id": one.id, "ranked": []})
                continue
            at = time.perf_counter()
            verdict = engine.diagnose(read)
            spent.append(time.perf_counter() - at)
            ours.append({"id": one.id} | converter.predict(one, verdict))
            if (baseline := diagnosis_baseline.predict(name, read)) is not None:
                plain.append({"id": one.id} | baseline)
            if shuffled:
                different += engine.diagnose(_shuffled(read)) != verdict
            if forged and one.id in truth:
                told = truth[one.id]
                _forge(one, converter.predict, verdict, told, count=forged, tally=forgery)
        if spent:
            figures[name] = _speed(spent, unread) | forgery.figures()
            if shuffled:
                figures[name]["verdicts_that_differ_when_shuffled"] = different
    figures["cases"] = len(ours)
    figures["seconds_with_reading"] = time.perf_counter() - began
    figures["processor_seconds_with_reading"] = time.process_time() - burnt
    return figures | _scored(data, ours, plain, options.get("out"))


def _converter(name: str) -> Any:
    try:
        return importlib.import_module(f"benchmarks.diagnosis_sets.{name}")
    except ModuleNotFoundError as error:
        print(f"diagnosis: no set {name!r} ({error}); there are {', '.join(SETS)}", file=sys.stderr)
        return None


def _cases(converter: Any, folder: Path) -> Iterator[case.Case]:
    """Give a set's cases; a set that cannot be read is told of and does not end the others."""
    try:
        yield from converter.cases(folder)
    except (ValueError, TypeError, LookupError, OSError) as error:
        print(f"diagnosis: {folder}: {type(error).__name__}: {error}; left out", file=sys.stderr)


def _read(one: case.Case) -> diagnosis.Snapshot | None:
    """Parse a case; one that is not as its set's others is told of and left open."""
    try:
        return snapshot.parse(dict(one.snapshot))
    except snapshot.NotASnapshot as error:
        reason = one.extra.get("unreadable", error)
        print(f"diagnosis: {one.id}: {reason}; answered with an abstention", file=sys.stderr)
        return None


def _shuffled(read: diagnosis.Snapshot) -> diagnosis.Snapshot:
    chance = random.Random(read.id)
    return diagnosis_forgery.reordered(read, lambda parts: chance.sample(parts, len(parts)))


def _forge(
    one: case.Case,
    predict: Callable[[case.Case, diagnosis.Verdict], Mapping[str, Any]],
    verdict: diagnosis.Verdict,
    truth: Mapping[str, Any],
    *,
    count: int,
    tally: diagnosis_forgery.Tally,
) -> None:
    """Diagnose the case again with error logs that healthy objects are made to write."""
    if truth["task"] not in {"object", "object+cause", "object+path"}:
        return
    accepted = {str(name).lower() for name in truth["objects"]}
    framed = diagnosis_forgery.frame(one, accepted, count)
    again = engine.diagnose(snapshot.parse(framed.document))
    lines = [predict(one, told).get("ranked", []) for told in (verdict, again)]
    firsts = [str(line[0]["object"]).lower() if line else "" for line in lines]
    tally.add(
        clean=firsts[0] in accepted,
        forged=firsts[1] in accepted,
        framed=bool(again.ranked) and again.ranked[0].object in framed.names,
    )


def _speed(spent: list[float], unread: int) -> dict[str, Any]:
    figures = {
        "cases": len(spent) + unread,
        "ms_median": statistics.median(spent) * 1e3,
        "ms_most": max(spent) * 1e3,
    }
    return figures | ({"unreadable": unread} if unread else {})


def _truth(folder: Path) -> dict[str, Mapping[str, Any]]:
    lines = (
        json.loads(line)
        for path in sorted(folder.glob("*.jsonl"))
        for line in path.read_text(encoding="utf-8").splitlines()
        if line.strip()
    )
    return {line["id"]: line for line in lines}


def _scored(
    data: Path, ours: list[dict[str, Any]], plain: list[dict[str, Any]], out: str | None
) -> dict[str, Any]:
    """Write the predictions, and score them where that can be done."""
    with tempfile.TemporaryDirectory() as folder:
        kept = Path(out) if out else Path(folder) / "predictions.jsonl"
        _write(kept, ours)
        if not (data / "score.py").exists() or not (data / "truth").is_dir():
            return {}
        beside = Path(folder) / "baseline.jsonl"
        _write(beside, plain)
        return {
            "scores": dict(_score(data, kept)),
            "plain_baseline": dict(_score(data, beside)) if plain else {},
        }


def _write(path: Path, lines: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


def _score(data: Path, predictions: Path) -> Iterator[tuple[str, Any]]:
    """Run the data's own scorer."""
    done = subprocess.run(
        [sys.executable, str(data / "score.py"), str(data / "truth"), str(predictions), "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        yield "failed", done.stderr.strip()[-200:]
        return
    yield from json.loads(done.stdout).items()
