"""The collector's process loads the standard library alone, and of that what is cheap."""

import json
import subprocess
import sys
from pathlib import Path

from sentienguard.agent import lean

LOOK = (
    "import sys, json; sys.path.insert(0, sys.argv[1]);"
    " from sentienguard.agent import {module};"
    " print(json.dumps(sorted(sys.modules)))"
)
ROOT = Path(lean.__file__).resolve().parents[2]
DEAR = {"asyncio", "argparse", "subprocess", "cryptography", "yaml", "urllib.request", "logging"}


def modules(module):
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", LOOK.format(module=module), str(ROOT)],
        capture_output=True,
        check=True,
    )
    return set(json.loads(done.stdout))


def test_the_collector_runs_without_site_packages_and_loads_nothing_dear():
    loaded = modules("collector")
    assert not loaded & DEAR
    adapters = {name for name in loaded if name.startswith("sentienguard.adapters.")}
    protocols = {"login", "mysql", "postgresql", "scram", "wire"}  # of databases that it reads
    package = "sentienguard.adapters.databases"
    assert adapters <= {package, *(f"{package}.{name}" for name in protocols)}


def test_the_supervisor_loads_less_than_the_collector():
    assert not modules("supervisor") & (DEAR | {"ssl", "http.client"})
