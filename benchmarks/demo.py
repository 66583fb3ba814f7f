"""The first minutes: `make demo` on a fresh clone with nothing cached, and once more.

Cold means: a clone of this checkout's last commit in a new directory, a new home directory, so that
nothing was downloaded or built before. Warm is the same again after `make down`. The network to the
package index is part of the cold figure; the system's programs (Python, git, make, Node) are there.

Limits of the figures: one run of each, and the index is as fast as it is that minute.
"""

import os
import re
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
AIM_COLD_S, AIM_WARM_S = 90, 30
_CACHES = ("XDG_CACHE_HOME", "PIP_CACHE_DIR", "UV_CACHE_DIR", "npm_config_cache")
_RESOLVED = re.compile(r"resolved by (\w+) in ([0-9.]+) s")


def run(options: Mapping[str, Any]) -> dict[str, Any]:
    """Measure; there are no options."""
    del options
    with tempfile.TemporaryDirectory(prefix="sg-demo-") as made:
        place, home = Path(made, "clone"), Path(made, "home")
        home.mkdir()
        subprocess.run(["git", "clone", "-q", str(ROOT), str(place)], check=True)
        environment = {name: value for name, value in os.environ.items() if name not in _CACHES}
        environment["HOME"] = str(home)
        try:
            cold = _demo(place, environment)
            _make(place, environment, "down")
            warm = _demo(place, environment)
        finally:
            _make(place, environment, "down")
    return {
        "cold_s": cold["took_s"],
        "aim_cold_s": AIM_COLD_S,
        "warm_s": warm["took_s"],
        "aim_warm_s": AIM_WARM_S,
        "fault_to_verified_fix_s": {"cold": cold["resolved_s"], "warm": warm["resolved_s"]},
    }


def _demo(place: Path, environment: Mapping[str, str]) -> dict[str, float]:
    began = time.monotonic()
    said = _make(place, environment, "demo")
    took = time.monotonic() - began
    found = _RESOLVED.search(" ".join(said.split()))
    if found is None:
        raise RuntimeError(f"the demo did not resolve its fault:\n{said[-4000:]}")
    return {"took_s": round(took, 1), "resolved_s": float(found[2])}


def _make(place: Path, environment: Mapping[str, str], target: str) -> str:
    ran = subprocess.run(
        ["make", target], cwd=place, env=environment, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
    )  # fmt: skip
    if ran.returncode:
        raise RuntimeError(f"make {target} ended with {ran.returncode}:\n{ran.stdout[-4000:]}")
    return ran.stdout
