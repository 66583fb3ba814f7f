"""Our lanes and their rivals on labelled series that lie outside this repository.

`--data DIR` holds `score.py` (the scorer, loaded from there) and the folders nab, cloud, smd and
asd with their labels; where one is missing, its figures are. Every detector sees the same rows, in
order. Ours has one configuration and the thresholds that stand in its modules; each rival gets the
threshold that suits it best on these very rows, and on NAB 150 silent rows after an alarm.
"""

import importlib.util
import json
import multiprocessing
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from benchmarks import detection_rivals
from sentienguard.stages.detect.lanes import deviation, host, novelty

Floats: TypeAlias = NDArray[np.float64]
Scores: TypeAlias = Mapping[str, Floats]  # one array for each file

_SINGLE, _HOSTS = ("nab", "cloud"), ("smd", "asd")
_SILENT = 150  # rows after an alarm of a rival on NAB
_MERGE = 30  # rows within which alarms are one page
_WEEK_S = 604_800.0
_THRESHOLDS = np.arange(0.75, 1.36, 0.05)  # of novelty, among which a category's is chosen
_LANE_THRESHOLD = 0.5


def run(data: Path, only: Sequence[str] = (), each: int = 1) -> dict[str, Any]:
    """Score every folder that is there; `only` names some of them; of files one in `each`."""
    scorer = _load_scorer(data / "score.py")
    found: dict[str, Any] = {}
    for name in (*_SINGLE, *_HOSTS):
        folder = data / name
        if (only and name not in only) or not (folder / "windows.json").exists():
            continue
        streams = scorer.load(str(folder), str(folder / "windows.json"))
        streams = dict(list(streams.items())[::each])
        ours = _single if name in _SINGLE else _whole
        raw = {
            detector: {str(path.relative_to(folder)): row for path, row in scores.items()}
            for detector, scores in _all_scores([folder / one for one in streams], ours).items()
        }
        if name == "nab":
            found[name] = _nab(scorer, streams, raw)
        else:
            weeks = sum(_weeks(folder / one) for one in streams)
            found[name] = _events(scorer, streams, raw, weeks)
    return found


def _load_scorer(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("detection_scorer", path)
    if spec is None or spec.loader is None:
        message = f"{path}: expected a Python file with the scorer"
        raise FileNotFoundError(message)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def read(path: Path) -> tuple[Floats, Floats]:
    """Return times in seconds and readings [row, column] of one file."""
    with path.open() as file:
        header = file.readline().strip().split(",")
    columns = [at for at, name in enumerate(header) if name not in {"timestamp", "label"}]
    text = np.genfromtxt(path, delimiter=",", skip_header=1, usecols=[0], dtype="U32")
    times = text.astype("datetime64[ms]").astype(np.int64) / 1000.0
    values = np.genfromtxt(path, delimiter=",", skip_header=1, usecols=columns, ndmin=2)
    return times, values.reshape(len(times), -1)


def _weeks(path: Path) -> float:
    times, _ = read(path)
    return float(times[-1] - times[0]) / _WEEK_S


def _all_scores(
    paths: Sequence[Path], ours: Callable[[Floats, Floats], dict[str, Floats]]
) -> dict[str, dict[Path, Floats]]:
    """Return detector -> file -> scores, computed on all processors."""
    with multiprocessing.get_context("spawn").Pool(os.cpu_count()) as pool:
        rows = pool.starmap(_scores, [(path, ours) for path in paths], chunksize=1)
    return {detector: {name: row[detector] for name, row in rows} for detector in rows[0][1]}


def _scores(
    path: Path, ours: Callable[[Floats, Floats], dict[str, Floats]]
) -> tuple[Path, dict[str, Floats]]:
    times, readings = read(path)
    found = ours(times, readings)
    filled = _filled(readings)
    for name, rival in detection_rivals.RIVALS.items():
        with np.errstate(all="ignore"):
            found[name] = rival(times, filled[:, :1] if ours is _single else filled)
    return path, found


def _single(times: Floats, readings: Floats) -> dict[str, Floats]:
    new, off = novelty.Novelty(), deviation.Deviation()
    return {
        "novelty": _row_by_row(
            lambda at, row: float(new.standing(at, row)[0]), times, readings[:, :1]
        ),
        "deviation": _row_by_row(
            lambda at, row: deviation.score(float(off.judge(at, row)[0])), times, readings[:, :1]
        ),
    }


def _whole(times: Floats, readings: Floats) -> dict[str, Floats]:
    lane = host.Host(readings.shape[1])
    return {
        "host": _row_by_row(lambda at, row: host.score(lane.judge(at, row)), times, readings),
    }


def _row_by_row(judge: Callable[[float, Floats], float], times: Floats, readings: Floats) -> Floats:
    return np.array(
        [judge(float(at), row) for at, row in zip(times, readings, strict=True)], dtype=np.float64
    )


def _filled(readings: Floats) -> Floats:
    """Give rivals the last reading where one is missing."""
    filled = readings.copy()
    filled[0] = np.nan_to_num(filled[0])
    for row in range(1, len(filled)):
        missing = ~np.isfinite(filled[row])
        filled[row, missing] = filled[row - 1, missing]
    return filled


def _nab(scorer: ModuleType, streams: Any, raw: Mapping[str, Scores]) -> dict[str, Any]:
    found = {}
    for name, scores in raw.items():
        ours = name == "novelty"
        if ours:
            grid: Sequence[float] = [float(one) for one in _THRESHOLDS]
            gated = {one: {file: _told(row, one) for file, row in scores.items()} for one in grid}
            gated[novelty.THRESHOLD] = {
                file: _told(row, novelty.THRESHOLD) for file, row in scores.items()
            }
        else:
            grid = _grid(scores)
            gated = {
                one: {file: _silenced(row, one) for file, row in scores.items()} for one in grid
            }
        by_file = {one: scorer.per_stream(streams, gated[one], one) for one in gated}
        best = max(grid, key=lambda one: sum(by_file[one].values()))
        chosen = novelty.THRESHOLD if ours else best
        found[name] = {
            profile: round(scorer.score_at(streams, gated[chosen], chosen, profile), 1)
            for profile in scorer.PROFILES
        }
        found[name]["leave_one_category_out"] = round(_left_out(scorer, streams, by_file, grid), 1)
        false = scorer.counts(streams, gated[chosen], chosen, _MERGE)["false_alarms"]
        found[name]["false_pages"] = false
        found[name]["threshold"] = round(float(chosen), 3)
        if name in detection_rivals.PUBLISHED:
            limit = detection_rivals.PUBLISHED[name]
            quiet = {file: _silenced(row, limit) for file, row in scores.items()}
            found[name]["at_its_published_limit"] = round(scorer.score_at(streams, quiet, limit), 1)
    return found


def _told(standing: Floats, threshold: float) -> Floats:
    habit = novelty.Habit(1, threshold)
    return np.array(
        [habit.judge(np.array([one], dtype=np.float32))[0] for one in standing], dtype=np.float64
    )


def _silenced(scores: Floats, threshold: float) -> Floats:
    """Take away what a rival says within so many rows of its last alarm."""
    left = scores.copy()
    until: int = -1
    for row in np.flatnonzero(scores >= threshold):
        if row <= until:
            left[row] = -np.inf
        else:
            until = int(row) + _SILENT
    return left


def _grid(scores: Scores) -> list[float]:
    pool = np.concatenate(list(scores.values()))
    shares = np.geomspace(2e-5, 0.05, 24)
    return [float(one) for one in np.unique(np.quantile(pool, 1 - shares))]


def _left_out(
    scorer: ModuleType,
    streams: Any,
    by_file: Mapping[float, Mapping[str, float]],
    grid: Sequence[float],
) -> float:
    """Return the score where each category is judged at the threshold that suits the others."""
    raw = 0.0
    for category in {name.partition("/")[0] for name in streams}:
        inside = [name for name in streams if name.startswith(f"{category}/")]
        others = [name for name in streams if name not in inside]
        best = max(grid, key=lambda one: sum(by_file[one][name] for name in others))
        raw += sum(by_file[best][name] for name in inside)
    windows = sum(len(stream.windows) for stream in streams.values())
    return float(scorer.normalise(raw, windows, "standard"))


def _events(
    scorer: ModuleType, streams: Any, raw: Mapping[str, Scores], weeks: float
) -> dict[str, Any]:
    found = {}
    for name, scores in raw.items():
        best = scorer.event_summary(streams, scores, _MERGE)
        row = {
            "f1": round(best["f1"], 3),
            "average_precision": round(best["ap"], 3),
            "false_pages_per_week": round(best["false"] / weeks, 2),
            "threshold": round(best["threshold"], 3),
        }
        if name in {"deviation", "host"}:
            fixed = scorer.event_counts(streams, scores, _LANE_THRESHOLD, _MERGE)
            row["f1_at_own_threshold"] = round(fixed["f1"], 3)
            row["false_pages_per_week_at_own_threshold"] = round(fixed["false"] / weeks, 2)
        found[name] = row
    return found


def named_metrics(data: Path) -> dict[str, float]:
    """Return how often a host's first named metric is one that took part, by the labels."""
    found = {}
    for name in _HOSTS:
        labels = data / name / "metrics.json"
        if not labels.exists():
            continue
        right = told = 0
        for file, incidents in json.loads(labels.read_text()).items():
            one, all_of = _named_in(data / name / file, incidents)
            right, told = right + one, told + all_of
        found[name] = round(right / max(told, 1), 3)
    return found


def _named_in(path: Path, incidents: Sequence[Mapping[str, Any]]) -> tuple[int, int]:
    times, readings = read(path)
    with path.open() as file:
        metrics = [one for one in file.readline().strip().split(",") if one != "timestamp"]
    lane, right, told = host.Host(len(metrics)), 0, 0
    spans = [
        (_seconds(one["start"]), _seconds(one["end"]), frozenset(one["metrics"]))
        for one in incidents
    ]
    for at, row in zip(times, readings, strict=True):
        if lane.judge(float(at), row) < 1:
            continue
        for start, end, involved in spans:
            if start <= at <= end:
                told += 1
                right += metrics[lane.leading()[0]] in involved
    return right, told


def _seconds(text: str) -> float:
    return float(np.datetime64(text, "ms").astype(np.int64)) / 1000.0
