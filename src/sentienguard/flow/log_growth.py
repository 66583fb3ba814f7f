"""The proofs that the audit log grew, for hosts that witness it; hosts nearly all saw the same.

Called by `dispatch`. Nothing here has to be believed: a host judges each proof by what it saw
(`stages.audit.witness`). Rules:

 1. A proof holds for good, as entries are never taken back: what was proved once is told again.
 2. What is remembered is bounded; forgetting a proof only costs making it once more.
"""

import base64
import functools

from sentienguard.flow.centre import Centre
from sentienguard.stages.audit import checkpoint

_PROOFS = 256  # that are remembered: a kilobyte each
_NOTES = 8  # checkpoints whose size is remembered; there is a newer one four times a second


class Growth:
    """The log's proofs, each made once."""

    def __init__(self, centre: Centre) -> None:
        """Prove by this centre's log."""
        self._centre = centre
        self._proofs: dict[tuple[int, int], tuple[str, ...]] = {}  # by sizes of the log

    def proof(self, old: int, new: int) -> tuple[str, ...]:
        """Return the nodes that prove how `old` entries grew to `new`, each in base64."""
        known = self._proofs.get((old, new))
        if known is None:
            nodes = self._centre.log.consistency(old, new)
            known = tuple(base64.b64encode(node).decode() for node in nodes)
            if len(self._proofs) >= _PROOFS:  # rule 2
                self._proofs.clear()
            self._proofs[old, new] = known
        return known


@functools.lru_cache(_NOTES)
def size(note: str) -> int:
    """Return how many entries a checkpoint of ours covers."""
    return checkpoint.read_text(checkpoint.read_note(note).text).size
