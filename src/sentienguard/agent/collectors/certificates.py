"""How long certificates remain valid, from files that the owner declares and the agent's own.

Gives certificate.days_left by path, or by service where `controls` say whose it is, so that a
remedy knows what to renew: days until the first of the file's certificates ends, negative once it
has ended. A file is read again when it was written anew, and judged by the clock each time.
Only the validity is looked at: a PEM file of any program can be declared, keys in it are skipped.
"""

import base64
import os
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from sentienguard.agent import collectors, controls
from sentienguard.stages.observe import redact

_MOST_BYTES = 1 << 20  # a bundle of all public authorities has 220 kB
_DAY_MS = 86_400_000
_BLOCK = re.compile(rb"-----BEGIN CERTIFICATE-----\s(.*?)-----END CERTIFICATE-----", re.DOTALL)
_EXPLICIT_0, _UTC_TIME, _GENERALIZED_TIME = 0xA0, 0x17, 0x18
_VALIDITY = 3  # fields before it in a certificate: serial number, signature, issuer
_TIME = re.compile(rb"(\d{2}|\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z")
_PIVOT = 50  # a year of two digits below it is of this century, RFC 5280, 4.1.2.5.1


class Certificates(collectors.Unprepared):
    """Keeps when each file ends, and how it looked when it was read."""

    name = "certificates"

    def __init__(self, paths: tuple[str, ...], declared: controls.Controls | None = None) -> None:
        """Take files, and what remedies may speak to, which names the files of services."""
        of_services = {
            each["certificate"].file: service
            for service, each in sorted((declared or {}).items())
            if "certificate" in each
        }
        self._subjects: Mapping[str, str] = {
            **{path: redact.printable(path) for path in paths},
            **of_services,
        }
        self._known: dict[str, tuple[tuple[int, int, int], float]] = {}  # path -> look, end in ms

    def read(self, into: collectors.Reading) -> None:
        """Add one reading for each file; one that cannot be read or understood is told."""
        failed: Exception | None = None
        for path, subject in self._subjects.items():
            try:
                ends_ms = self._ends(path)
            except (OSError, ValueError) as error:
                failed = error
                continue
            days = round((ends_ms - into.at_ms) / _DAY_MS, 2)
            into.values["certificate.days_left", subject] = days
        if failed is not None:
            raise failed

    def _ends(self, path: str) -> float:
        state = os.stat(path)  # noqa: PTH116 - as in the other collectors
        look = (state.st_mtime_ns, state.st_ino, state.st_size)
        known = self._known.get(path)
        if known is None or known[0] != look:
            with open(path, "rb") as file:  # noqa: PTH123 - as in the other collectors
                known = self._known[path] = (look, first_end_ms(file.read(_MOST_BYTES), path))
        return known[1]


def first_end_ms(text: bytes, path: str) -> float:
    """Return when the first certificate of a PEM text ends, in ms since 1970.

    Raises ValueError where it holds none, or one that is not X.509.
    """
    ends = [life_ms(der)[1] for der in ders(text)]
    if not ends:
        raise ValueError(f"{path}: expected a PEM certificate, found none")
    return min(ends)


def ders(text: bytes) -> Iterator[bytes]:
    """Yield the certificates of a PEM text. Raises ValueError for one that is not base64."""
    return (base64.b64decode(match[1]) for match in _BLOCK.finditer(text))


def life_ms(der: bytes) -> tuple[float, float]:
    """Return when a certificate begins and ends, in ms since 1970. Raises ValueError.

    RFC 5280, 4.1: Certificate, TBSCertificate.
    """
    try:
        certificate = next(_elements(der))[1]
        fields = _elements(next(_elements(certificate))[1])
        first = next(fields)
        skipped = _VALIDITY if first[0] == _EXPLICIT_0 else _VALIDITY - 1  # version 1 has no [0]
        for _ in range(skipped):
            next(fields)
        begins, ends = _elements(next(fields)[1])
    except (StopIteration, IndexError, ValueError) as error:
        raise ValueError("not an X.509 certificate") from error
    return _time_ms(*begins), _time_ms(*ends)


def _time_ms(tag: int, text: bytes) -> float:
    match = _TIME.fullmatch(text)
    if match is None or len(match[1]) != {_UTC_TIME: 2, _GENERALIZED_TIME: 4}.get(tag):
        raise ValueError("a certificate whose end is not a time")
    year, month, day, hour, minute, second = (int(part) for part in match.groups())
    if tag == _UTC_TIME:
        year += 2000 if year < _PIVOT else 1900
    at = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    return at.timestamp() * 1000


def _elements(der: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield (tag, content) of each DER element in a row."""
    at = 0
    while at < len(der):
        tag, length = der[at], der[at + 1]
        at += 2
        if length & 0x80:
            size = length & 0x7F
            length = int.from_bytes(der[at : at + size])
            at += size
        if at + length > len(der):
            raise IndexError(at)
        yield tag, der[at : at + length]
        at += length
