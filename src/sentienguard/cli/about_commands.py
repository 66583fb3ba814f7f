"""`settings` and `version`."""

import os
import sys

from sentienguard import __version__
from sentienguard.cli import frame
from sentienguard.cli.installation import ports
from sentienguard.cli.installation.places import Places
from sentienguard.controlplane import settings as centre_settings


def settings(data: frame.Data = None, as_json: frame.Json = False) -> None:
    """Show every setting of the control plane, its value here, and where that comes from."""
    shown = frame.open_frame(data, as_json)
    centre = Places(shown.data).centre
    loaded = centre_settings.load(centre)
    in_file = ports.read_settings(centre)
    items = []
    for name, (sentence, default) in centre_settings.sentences().items():
        variable = centre_settings.PREFIX + name.upper()
        origin = "environment" if variable in os.environ else "file" if name in in_file else ""
        items.append(
            {
                "name": name,
                "value": getattr(loaded, name),
                "default": default,
                "from": origin or "default",
                "sentence": sentence,
            }
        )
    rows = [
        (str(one["name"]), str(one["value"]), str(one["from"]), str(one["sentence"]))
        for one in items
    ]
    file = centre / centre_settings.FILE_NAME
    shown.answer(
        {"file": str(file), "items": items},
        frame.table("setting!", "value", "from", "what it does", rows=rows, empty=""),
    )
    shown.say()
    shown.say(
        f"file: {file}; environment: {centre_settings.PREFIX}NAME; they count from the next start"
    )


def version(as_json: frame.Json = False) -> None:
    """Show the version."""
    shown = frame.open_frame(None, as_json)
    python = ".".join(str(part) for part in sys.version_info[:3])
    shown.answer({"version": __version__, "python": python})
    shown.say(f"sentienguard {__version__} (Python {python})")
