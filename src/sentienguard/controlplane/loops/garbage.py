"""Keep Python's search for garbage short, however many hosts there are.

Called by controlplane.app. Every so often Python goes through all objects there are, to find those
that only hold each other, and nobody computes meanwhile: half a second with 3,000 hosts, so that
samples, people and orders wait. Nearly everything that a control plane keeps, it keeps for good.
Rules:

1. What such a search found in use is put aside (`gc.freeze`): the next one goes through what came
   since, a few milliseconds.
2. Each `WHOLE_S` all is searched once, so that what was put aside and is of no more use goes too.
   That is the only long search.
"""

import asyncio
import gc
import logging

log = logging.getLogger(__name__)
EACH_S = 5.0  # between two looks whether Python has searched; a look costs microseconds
WHOLE_S = 3600.0


class Aside:
    """What was searched and is in use; one thread at a time."""

    def __init__(self) -> None:
        """Begin with what was searched so far."""
        self._searches = _searches()

    def look(self) -> bool:
        """Put aside what a search found in use since the last look; tell whether there was one."""
        found = _searches()
        if found == self._searches:
            return False
        self._searches = found
        gc.freeze()  # rule 1
        return True

    def whole(self) -> int:
        """Search everything; return how many objects went (rule 2)."""
        gc.unfreeze()
        gone = gc.collect()
        self.look()
        return gone


async def run() -> None:
    """Look until cancelled."""
    aside = Aside()
    while True:
        for _ in range(round(WHOLE_S / EACH_S)):
            await asyncio.sleep(EACH_S)
            aside.look()
        log.debug("of what was put aside, %d objects were garbage", aside.whole())


def _searches() -> int:
    """Return how often Python went through all that is not put aside."""
    return int(gc.get_stats()[2]["collections"])
