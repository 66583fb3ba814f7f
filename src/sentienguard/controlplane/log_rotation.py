"""Follow one key of the audit log by the next, at the size that the root says.

Called by controlplane.key_care each hour. The ledger signs each size with the key that the root
gives it, so nothing has to happen at a certain moment. Rules:

1. Which key follows which, and from what size, is an entry of the log itself (`key.rotated`), as
   soon as the root says so: the old key's checkpoints cover it.
2. The old key is destroyed here when the log has grown past its end. Its public half stays in the
   root, with the end, so that what it signed can be checked for ever.
"""

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from sentienguard.controlplane import trust_store
from sentienguard.stages.audit import checkpoint

if TYPE_CHECKING:
    from sentienguard.controlplane.centre import Centre

log = logging.getLogger(__name__)
ROTATED = "key.rotated"


def look(centre: "Centre", directory: Path) -> None:
    """Record who follows; destroy a key that has come to its end. Raises Unavailable, Broken."""
    signers = centre.trust.log
    if not signers.ending:
        return
    old, until = signers.ending[-1]
    origin, following = centre.trust.root.log_origin, signers.last.public
    centre.audit.append(
        kind=ROTATED,
        env="",
        key=f"{ROTATED}/log-key/{following.id}",  # again is a no-op
        data={
            "name": "log key",
            "key_id": following.id,
            "vkey": checkpoint.verifier_key(origin, following),
            "follows": old.id,
            "until_size": until,
        },
    )
    waiting = directory / trust_store.NEXT_LOG_KEY
    if centre.log.size() > until and waiting.exists():
        waiting.replace(directory / trust_store.LOG_KEY)
        log.info("log key %s ended at size %d; %s signs alone", old.id, until, following.id)
