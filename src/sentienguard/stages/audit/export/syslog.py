r"""Entries as RFC 5424 messages in the frames of RFC 5425.

Called by the CLI. Facility 13 (log audit). The structured data names index, leaf hash, source and
people; `"`, `\` and `]` in it get a backslash (RFC 5424, section 6.3.3). The message itself is what
the caller chose, and begins with a byte order mark where it is not ASCII (section 6.4).

An enterprise number of our own is not registered. 32473 is the one that RFC 5612 sets aside for
examples; who has one of their own names it.
"""

import re
from typing import Final

from sentienguard.stages.audit.evidence.population import moment
from sentienguard.stages.audit.export.meaning import Meaning

EXAMPLE_ENTERPRISE: Final = 32473  # RFC 5612
APP_NAME: Final = "sentienguard"
_FACILITY: Final = 13  # log audit
_ESCAPED: Final = str.maketrans({'"': '\\"', "\\": "\\\\", "]": "\\]"})
_NOT_PRINTABLE: Final = re.compile(r"[^\x21-\x7e]")
_MOST_HOSTNAME, _MOST_MSGID = 255, 32
_BOM: Final = "\N{ZERO WIDTH NO-BREAK SPACE}"


def message(said: Meaning, origin: str, text: str, enterprise: int = EXAMPLE_ENTERPRISE) -> bytes:
    """Return the message of an entry; `origin` is the log's name, `text` what it says."""
    data = " ".join(
        f'{name}="{value.translate(_ESCAPED)}"'
        for name, value in (
            ("log", origin),
            ("index", str(said.index)),
            ("leaf", said.leaf_hash),
            ("source", said.source),
            ("seq", str(said.source_seq)),
            ("actor", said.actor),
            ("env", said.environment),
            ("incident", said.incident),
            ("outcome", said.outcome.name.lower()),
        )
        if value
    )
    header = " ".join((
        f"<{_FACILITY * 8 + said.severity.syslog}>1",
        moment(said.at_ms),
        _name(origin.partition("/")[0], _MOST_HOSTNAME),
        APP_NAME,
        "-",
        _name(said.kind, _MOST_MSGID),
    ))  # fmt: skip
    body = text if text.isascii() else _BOM + text
    return f"{header} [{APP_NAME}@{enterprise} {data}] {body}".encode()


def frame(content: bytes) -> bytes:
    """Return a message behind its length in octets (RFC 5425, section 4.3)."""
    return str(len(content)).encode() + b" " + content


def _name(text: str, most: int) -> str:
    """Return text as a name in a header: printable ASCII without blanks, `-` for none."""
    return _NOT_PRINTABLE.sub("_", text)[:most] or "-"
