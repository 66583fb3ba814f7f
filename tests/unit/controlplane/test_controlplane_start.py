"""What a start does not load: recovery after a crash waits for it, and hundreds of tests do."""

import subprocess
import sys

# Package: who needs it.
RARELY = {
    "alembic": "a database of an earlier release",
    "joserfc": "a login through an identity provider",
    "reportlab": "a PDF of evidence",
}


def test_a_start_loads_nothing_that_few_runs_need():
    code = "import sys; import sentienguard.controlplane.app; print(*sys.modules, sep='\\n')"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(ran.stdout.splitlines())
    assert "sentienguard.controlplane.app" in loaded
    assert {name: why for name, why in RARELY.items() if name in loaded} == {}
