"""Where a listener finds its key and certificates.

Apart from the listeners: commands that look at these files need no web server, which takes half a
second to import.
"""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Where a listener's key and certificates lie."""

    certificate: Path
    key: Path
    client_ca: bytes | None  # PEM, one or more; None: clients show no certificate
