"""What can be wrong with the text of a playbook, with the line it is on.

Called by `document`, `fields` and `parse`, which collect every problem before they give up.
"""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

from sentienguard.model import errors


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing that is not as the language wants it."""

    line: int  # counts from 1
    path: str  # where in the document, for example steps[0].rollback
    expected: str
    found: str

    def __str__(self) -> str:
        """Show as one line for people."""
        where = f"{self.path}: " if self.path else ""
        return f"line {self.line}: {where}expected {self.expected}, found {self.found}"


class BrokenPlaybook(errors.Rejected):
    """The bytes are not a playbook; `problems` says everything that is wrong with them."""

    def __init__(self, origin: str, problems: Iterable[Problem]) -> None:
        self.origin = origin
        self.problems = tuple(sorted(problems))
        super().__init__("\n".join(f"{origin}: {problem}" for problem in self.problems))


def nearest(name: str, known: Iterable[str]) -> str:
    """Return ` (did you mean ...?)` for a name that is nearly a known one, else nothing."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return f" (did you mean {close[0]}?)" if close else ""
