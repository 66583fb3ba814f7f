"""Every drill as one document: what `drill list` shows, and what the control plane asks for.

Also a program of its own, `python -m sentienguard.cli.drills.listing`, which prints that document:
the whole command line takes seconds to load, and somebody waits for this page. So this file imports
no more than the definitions need.
"""

import json
import sys
from typing import Any

from sentienguard.cli.drills import library, shelf
from sentienguard.cli.drills.beds import node_image
from sentienguard.model import errors


def document() -> dict[str, Any]:
    """Return `items`, one for each drill. Raises definition.BadDrill, shelf.NoSuchDrill."""
    ours = [
        {
            "name": name,
            "kind": "fault",
            "beds": ["sandbox"],
            "description": made.description,
            "expected": made.expected.sentence,
            "parameters": list(library.parameters_of(made)),
        }
        for name, made in library.DRILLS.items()
    ]
    return {
        "items": ours
        + [
            {
                "name": one.name,
                "kind": one.kind,
                "beds": list(node_image.usable(one.beds)),
                "description": one.about,
                "expected": one.expected.sentence,
                "parameters": [],
            }
            for one in shelf.chosen(())
        ]
    }


def main() -> int:
    """Print the document; status 1 and a message where a drill is wrong."""
    try:
        found = document()
    except errors.Rejected as refused:
        sys.stderr.write(f"sentienguard: {refused}\n")
        return 1
    sys.stdout.write(json.dumps(found) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
