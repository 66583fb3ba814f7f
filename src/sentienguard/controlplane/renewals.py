"""The next certificate of an agent that has one.

Called by the agents' API. A certificate lasts for `agent_certificate_hours`, and its agent asks for
the next one at half of that. Rules:

1. The key stays and so does the pin; only the dates are new. The key was made on its host and is
   sent nowhere.
2. Before its end, a certificate is proof enough: TLS asked for its key. The host's executor may be
   away meanwhile; observation goes on.
3. After its end, for RENEWED_LATE, the executor's key has to ask too (`trust.renewal`): a host that
   was off for a week comes back by itself, who holds an old copy of the collector's files does not.
   Such a renewal is in the audit log. Those in time are counted.
4. Who was struck off gets none.
"""

import logging
from datetime import timedelta
from http import HTTPStatus
from typing import Any

import msgspec

from sentienguard.controlplane.centre import Centre
from sentienguard.controlplane.refusals import DoorRefusal
from sentienguard.ports.agent_store import Agent, NoSuchAgent
from sentienguard.trust import certificates, dsse, keys, pins, renewal

log = logging.getLogger(__name__)
RENEWED = "agent.renewed"


class Renewal(msgspec.Struct, forbid_unknown_fields=True):
    """What a host sends for its next certificate; in time, nothing."""

    certificate_pem: str = ""  # the one that ended
    statement: dict[str, Any] = {}  # by its executor, that it asks


def in_time(centre: Centre, agent: Agent, peer: bytes) -> dict[str, str]:
    """Answer who showed its certificate (DER), which has not ended. Raises DoorRefusal."""
    try:
        return _renewed(centre, agent, peer)
    except dsse.NotTrusted as cause:
        raise _refused(str(cause), agent) from cause


def late(centre: Centre, wanted: Renewal) -> dict[str, str]:
    """Answer whose certificate ended, if its executor asks. Raises DoorRefusal."""
    now = centre.clock.now()
    try:
        der = certificates.to_der(wanted.certificate_pem.encode())
        agent = centre.agents.by_pin(pins.spki_sha256(der))
        asks = keys.VerifyKey.from_text(agent.executor_key)
        renewal.require(wanted.statement, agent.id, asks, now)  # rule 3
        answer = _renewed(centre, agent, der)
    except (dsse.NotTrusted, pins.BadCertificate, NoSuchAgent) as cause:
        raise _refused(str(cause)) from cause
    centre.audit.append(
        kind=RENEWED,
        env=agent.environment,
        actor=agent.id,
        data={
            "agent": agent.id,
            "host": agent.host,
            "ended": f"{certificates.life_of(der)[1]:%Y-%m-%d %H:%M} UTC",
        },
    )
    log.info("%s renewed its certificate after its end", agent.host)
    return answer


def lifetime(centre: Centre) -> timedelta:
    """Return how long agents' certificates last."""
    return timedelta(hours=centre.settings.agent_certificate_hours)


def _renewed(centre: Centre, agent: Agent, der: bytes) -> dict[str, str]:
    """Sign the next certificate and remember its end. Raises dsse.NotTrusted."""
    if certificates.agent_of(der) != agent.id:
        raise dsse.NotTrusted(
            f"the certificate names another agent than {agent.id}, whose key it has"
        )
    made = centre.trust.renew_agent(der, centre.clock.now(), lifetime(centre))
    ends = certificates.life_of(certificates.to_der(made))[1]
    centre.agents.renewed(agent.id, ends=ends)
    centre.counters.add("certificates_renewed_total")
    trusted = centre.trust.authorities.read().trusted_pem
    return {"certificate_pem": made.decode(), "ca_pem": trusted.decode()}


def _refused(why: str, agent: Agent | None = None) -> DoorRefusal:
    return DoorRefusal(
        HTTPStatus.FORBIDDEN,
        "renewal-refused",
        f"no new certificate: {why}",
        label="renewal",
        actor=agent.id if agent is not None else "",
        environment=agent.environment if agent is not None else "",
    )
