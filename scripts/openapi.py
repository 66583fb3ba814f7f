"""Write docs/reference/openapi.json from the routes; the dashboard's types come from it.

    python scripts/openapi.py [--check]

`--check` writes nothing and fails where the file is not current.
"""

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from sentienguard.controlplane.api import people
from sentienguard.controlplane.centre import Centre  # noqa: TC001  # named in a cast

FILE = Path(__file__).resolve().parents[1] / "docs/reference/openapi.json"


def main() -> int:
    """Write or compare; return the exit status."""
    # Routes are declared without looking at the centre, so none has to be opened for this.
    app = people.application(cast("Centre", SimpleNamespace()))
    text = json.dumps(_plain(app.openapi()), indent=1, sort_keys=True) + "\n"
    if "--check" in sys.argv:
        if FILE.read_text() != text:
            print(f"{FILE}: not current; run python scripts/openapi.py", file=sys.stderr)
            return 1
        return 0
    FILE.write_text(text)
    return 0


def _plain(value: Any) -> Any:
    return json.loads(json.dumps(value))


if __name__ == "__main__":
    sys.exit(main())
