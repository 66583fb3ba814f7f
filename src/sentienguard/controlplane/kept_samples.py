"""The last samples of each host in little memory.

Called by the intake. Decisions read the log lines of the last samples of many hosts, and hardly
ever their values, which are most of a sample's weight: those stay as the deflated text that came,
and are parsed again when somebody looks.
"""

import zlib
from collections.abc import Iterator, Mapping
from dataclasses import replace

from sentienguard.model.telemetry import Sample
from sentienguard.stages.observe import payload

_LEVEL = 1  # of deflate: higher ones gain little on texts of this size


class _Deflated(Mapping[tuple[str, str], float]):
    """The values of a sample, parsed each time that they are asked for."""

    __slots__ = ("_text",)

    def __init__(self, text: bytes) -> None:
        self._text = text

    def __getitem__(self, key: tuple[str, str]) -> float:
        return self._parsed()[key]

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._parsed())

    def __len__(self) -> int:
        return len(self._parsed())

    def _parsed(self) -> dict[tuple[str, str], float]:
        return dict(payload.parse(zlib.decompress(self._text)).values)


def kept(sample: Sample, text: bytes) -> Sample:
    """Return the sample whose text this is, as it is to be kept."""
    return replace(sample, values=_Deflated(zlib.compress(text, _LEVEL)))
