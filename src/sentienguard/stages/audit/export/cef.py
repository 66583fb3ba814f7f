r"""Entries as lines of ArcSight's Common Event Format, version 0.

Called by the CLI. CEF:0|vendor|product|version|class|name|severity|key=value key=value, after the
"Common Event Format Implementation Standard" (Micro Focus, revision 25 and later):

    header      \ and | get a backslash; a line break becomes a space
    extension   \ and = get a backslash; a line break is written \n (carriage return \r)

Everything that any reader takes for the end of a line counts as one, U+2028 and form feed too. The
entry's data is JSON in ASCII, so no letter of it can be one.
"""

import json
import re
from collections.abc import Iterator
from typing import Final

from sentienguard.stages.audit.export.meaning import Meaning

VENDOR = PRODUCT = "SentienGuard"
LINE_BREAKS: Final = "\n\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"
_BREAK: Final = re.compile(f"\r\n|[\r{LINE_BREAKS}]")
_HEADER: Final = str.maketrans({"\\": "\\\\", "|": "\\|"})
_EXTENSION: Final = str.maketrans(
    {"\\": "\\\\", "=": "\\=", "\r": "\\r", **dict.fromkeys(LINE_BREAKS, "\\n")}
)


def line(said: Meaning, product_version: str) -> str:
    """Return the line of an entry, without an end of line."""
    header = "|".join(
        _header(part)
        for part in (
            VENDOR, PRODUCT, product_version, said.kind, said.title, str(said.severity.cef),
        )
    )  # fmt: skip
    extension = " ".join(f"{key}={value.translate(_EXTENSION)}" for key, value in _pairs(said))
    return f"CEF:0|{header}|{extension}"


def _header(text: str) -> str:
    return _BREAK.sub(" ", text).translate(_HEADER)


def _pairs(said: Meaning) -> Iterator[tuple[str, str]]:
    """Yield keys of CEF's dictionary with their values; empty ones are left out."""
    yield "rt", str(said.at_ms)
    yield "externalId", said.leaf_hash
    yield "outcome", said.outcome.name.lower()
    yield "suser", said.actor
    if said.address:
        yield "c6a2" if ":" in said.address else "src", said.address
        if ":" in said.address:
            yield "c6a2Label", "Source IPv6 Address"
    for number, (label, value) in enumerate(
        (
            ("incident", said.incident),
            ("environment", said.environment),
            ("source", said.source),
            ("controls", " ".join(said.controls)),
            ("data", json.dumps(said.data, ensure_ascii=True, sort_keys=True)),
        ),
        1,
    ):
        if value:
            yield f"cs{number}Label", label
            yield f"cs{number}", value
    yield "cn1Label", "index"
    yield "cn1", str(said.index)
    yield "cn2Label", "sourceSequence"
    yield "cn2", str(said.source_seq)
