"""Each source numbers and chains what it says, so that an omission shows.

Called by ledger (refuses) and by verify (reports). A Merkle tree proves that nothing was changed;
it cannot see what was never put in. The numbers and the chain of each source can: who drops an
agent's entry leaves a gap, and who invents one in its place breaks the chain that the agent signs.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto

from sentienguard.stages.audit import entry


class Fit(Enum):
    """How an entry continues its source."""

    NEXT = auto()
    GAP = auto()  # numbers are missing before it
    REPEATED = auto()  # its number was used
    UNCHAINED = auto()  # the right number after another entry than the one before


@dataclass(frozen=True, slots=True)
class Judgement:
    """How an entry continues its source, in words for people."""

    fit: Fit
    detail: str


class Sources:
    """Where every source stands."""

    def __init__(self) -> None:
        self._states: dict[str, entry.Source] = {}

    def state(self, name: str) -> entry.Source:
        """Return where a source stands; a new one has said nothing."""
        return self._states.get(name) or entry.Source(name)

    def states(self) -> Mapping[str, entry.Source]:
        """Return where every source stands, by name."""
        return dict(self._states)

    def judge(self, name: str, seq: int, prev: str) -> Judgement:
        """Tell how an entry continues its source, taking nothing in."""
        state = self.state(name)
        expected = state.seq + 1
        if seq > expected:
            return Judgement(Fit.GAP, f"{name}: numbers {expected} to {seq - 1} are missing")
        if seq < expected:
            return Judgement(Fit.REPEATED, f"{name}: number {seq} came before")
        if prev != state.prev:
            return Judgement(
                Fit.UNCHAINED,
                f"{name}: number {seq} follows {prev[:16] or 'nothing'}, but its entry before is "
                f"{state.prev[:16] or 'none'}",
            )
        return Judgement(Fit.NEXT, "")

    def take(self, state: entry.Source) -> None:
        """Remember where a source stands now."""
        self._states[state.name] = state
