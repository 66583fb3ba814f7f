"""What programs write down: log files, the journal of systemd, the kernel's own messages.

Called by `telling`, which the sampler runs like every other collector. A *source* is one file here
that gives new lines, whole and in their order. What does not belong: which of them are sent.

Rules:

1. Positions move on when the sample is kept (`commit`), so a crash repeats lines and loses none.
2. What is read for one sample is bounded; of more, the newest, and what was left out is counted.
3. A line is untrusted for good: it decides what is shown, never what is done.

Add a source: a file with a class that offers `Source`, one line in `collector.compose`, a test that
floods it.
"""

from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Line:
    """One line as it was written."""

    source: str  # path of the file, `journal:UNIT` or `kernel`
    text: bytes
    level: str = ""  # debug, info, warning, error or fatal, where the source itself says so


@dataclass(slots=True)
class News:
    """What one source has to say since it was last asked."""

    lines: list[Line] = field(default_factory=list)  # in their order
    skipped_bytes: int = 0  # more than were read
    skipped_lines: int = 0  # that the source lost, or of which only the number is known
    failed: list[OSError] = field(default_factory=list)  # of some files; the others were read


class Source(Protocol):
    """Somewhere that lines come from."""

    def read(self) -> News:
        """Return what is new. Raises OSError where nothing can be read at all."""

    def commit(self) -> bool:
        """Keep how far the last `read` came; tell whether that has to be written down."""
