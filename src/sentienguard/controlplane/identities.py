"""Notice that two hosts speak as one: a copied disk, a restored snapshot, a stolen key.

Called by controlplane.intake for samples that do not go on from those before. Rules:

1. What one agent sends goes on: a number is never used twice, and what is measured later has a
   higher one (agent.spool). A sample with the number of another and other contents, or with a lower
   number than the highest and a later time than all, is a doubt. One that was sent again, or comes
   late, is none, also after the host's clock was put back.
2. `DOUBTS` of them put the agent in quarantine: no order goes there (flow.dispatch, rule 6), none
   is decided on (policy rule `identity`), people are told. Its samples are taken as before.
3. Only a person ends that: `sentienguard hosts release`, or `hosts strike-off` and a new enrolment.
"""

from typing import Final

from sentienguard.controlplane import desks
from sentienguard.controlplane.centre import Centre
from sentienguard.model.telemetry import Sample
from sentienguard.ports.agent_store import Agent

DOUBTS: Final = 3  # a host whose clock was put back may cause one
QUARANTINED: Final = "agent.quarantined"


def is_doubtful(desk: desks.Desk, sample: Sample, text: bytes) -> bool:
    """Tell whether a sample does not go on from what its agent sent before (rule 1)."""
    same = desk.texts.get(sample.seq)
    if same is not None:
        return same != text
    if desk.newest is None:
        return False
    number, at = desk.newest
    return sample.seq <= number and sample.at > at


def doubted(centre: Centre, desk: desks.Desk, agent: Agent, sample: Sample) -> None:
    """Count a doubt; put the agent in quarantine with the last of them (rule 2)."""
    if agent.quarantined:
        return
    desk.doubts += 1
    if desk.doubts < DOUBTS:
        return
    number = sample.seq if desk.newest is None else desk.newest[0]
    why = (
        f"{DOUBTS} samples do not go on from the others, at last number {sample.seq} of "
        f"{sample.at:%Y-%m-%d %H:%M:%S}Z while {number} was taken before: two hosts use this "
        "identity, or its files were put back to an older state"
    )
    # Recorded first: people hear of it by the log, and what failed here is done by the next doubt.
    centre.audit.append(
        kind=QUARANTINED,
        env=agent.environment,
        key=f"{QUARANTINED}/{agent.id}/{sample.seq}/{sample.at:%Y%m%d%H%M%S}",
        data={"what": "two_histories", "agent": agent.id, "host": agent.host, "reason": why},
    )
    if centre.agents.quarantine(agent.id, why=why):
        centre.counters.add("agents_quarantined_total")
        centre.live.changed("host", agent.id, centre.clock.now())
    desk.doubts = 0  # a person who releases it is believed until there are as many again
