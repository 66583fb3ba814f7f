"""Vectors of a library in a file of the data directory, under the digest of what they are of.

Called by `meanings`.
"""

import json
from pathlib import Path

import numpy as np

from sentienguard.stages.decide.retrieval.shelf import Vectors


def keep(directory: Path, key: str, vectors: Vectors) -> None:
    """Write them. Raises OSError."""
    path = _path(directory, key)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".new")
    kept = {
        "model": vectors.model,
        "titles": np.asarray(vectors.titles).tolist(),
        "texts": np.asarray(vectors.texts).tolist(),
    }
    draft.write_text(json.dumps(kept), encoding="utf-8")
    draft.replace(path)


def read(directory: Path, key: str) -> Vectors | None:
    """Read what an earlier start kept; None: nothing, or a file that is damaged."""
    try:
        kept = json.loads(_path(directory, key).read_text(encoding="utf-8"))
        titles, texts = (np.asarray(kept[name], dtype=np.float64) for name in ("titles", "texts"))
        vectors = Vectors(str(kept["model"]), titles, texts)
        rows = titles.ndim == 2 and titles.shape == texts.shape  # noqa: PLR2004 - rows of numbers
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return vectors if rows else None


def _path(directory: Path, key: str) -> Path:
    return directory / f"{key}.json"
