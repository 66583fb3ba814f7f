"""What decides here: named in each decision, and compared when one is replayed.

Called by app.py and by the API. The digest is of the source that judges, so that an edit shows even
where the release stayed the same.
"""

import functools
import hashlib
import platform
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

import numpy as np

import sentienguard

JUDGING: Final = ("model", "playbook", "stages/decide")  # packages whose source decides


@functools.cache
def deciding() -> Mapping[str, str]:
    """Return the versions of everything that a decision comes out of, by name."""
    return MappingProxyType(
        {
            "release": sentienguard.__version__,
            "code": code(Path(sentienguard.__file__).parent),
            "python": platform.python_version(),
            "numpy": np.__version__,
        }
    )


def code(package: Path) -> str:
    """Return the digest of the source that judges; empty where only compiled files are there."""
    files = sorted(file for name in JUDGING for file in (package / name).rglob("*.py"))
    summed = hashlib.sha256()
    for file in files:
        content = file.read_bytes()
        name = file.relative_to(package).as_posix()
        summed.update(f"{name}\0{len(content)}\0".encode() + content)
    return f"sha256:{summed.hexdigest()}" if files else ""
