"""A host's word that it still has its agent, for a certificate whose end is past.

Called by the executor, which seals it, and by the control plane, which opens it. A certificate that
has not ended is proof enough to get the next one; one that has ended proves nothing, so the other
key of the host has to speak. Whoever found an old copy of the collector's key alone gets nothing.

It names the moment: what was copied years ago is no word of today.
"""

from datetime import datetime, timedelta
from typing import Any, Final

from sentienguard.model import ids
from sentienguard.trust import canonical, dsse, fields, keys

PAYLOAD_TYPE: Final = "application/vnd.sentienguard.renewal+json"
FRESH: Final = timedelta(minutes=10)  # either way: a host's clock may be a little off
_MEMBERS: Final = {"agent_id", "at_ms"}


def seal(agent: ids.AgentId, at: datetime, executor: keys.SigningKey) -> dict[str, Any]:
    """Return the envelope by which a host asks for a certificate, now."""
    fields_ = {"v": 1, "agent_id": agent, "at_ms": fields.milliseconds(at)}
    return dsse.seal(PAYLOAD_TYPE, canonical.encode(fields_), [executor])


def require(envelope: Any, agent: ids.AgentId, executor: keys.VerifyKey, now: datetime) -> None:
    """Check that this agent's executor asked, within `FRESH` of now. Raises dsse.NotTrusted."""
    payload = dsse.open_envelope(envelope, PAYLOAD_TYPE, {executor.id: executor}, 1)
    found = fields.document(payload, "renewal", _MEMBERS)
    named = fields.text(found, "agent_id", "renewal", fields.TOKEN)
    if named != agent:
        raise dsse.NotTrusted(f"renewal: it is for agent {named}, the certificate for {agent}")
    at = fields.moment(found, "at_ms", "renewal")
    if abs(now - at) > FRESH:
        raise dsse.NotTrusted(
            f"renewal: the host's clock says {at:%Y-%m-%d %H:%M:%S}Z, ours {now:%H:%M:%S}Z, more "
            f"than {FRESH} apart; set the host's clock, it asks again by itself"
        )
