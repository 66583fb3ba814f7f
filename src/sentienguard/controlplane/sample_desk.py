"""Samples of many agents, taken together.

Called by the agents' API. What a sample costs is mostly what it asks of two databases, and a commit
costs about the same for one sample as for a hundred. So one thread takes whatever came while it was
busy with what came before: the more hosts there are, the less each costs. Rules:

1. `take` returns after everything is durable, and raises why it could not be (`intake`, rule 1).
2. A sample from which something follows is finished in other threads, a few at a time: calm ones
   never wait for incidents, nor people's requests for either.
"""

import asyncio
import contextlib
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

from sentienguard.controlplane.centre import Centre
from sentienguard.controlplane.desks import Arrival
from sentienguard.controlplane.group_commit import GroupCommit
from sentienguard.controlplane.intake import Intake
from sentienguard.ports.agent_store import NoSuchAgent

MOST_TOGETHER = 128  # samples that share their commits
REST_S = 0.05  # after a commit: of eight samples in one, each costs a little over half of one alone
FOLLOWERS = 4  # threads that open incidents; more would only take turns at the processor


@dataclass(eq=False, slots=True)
class _Sent:
    """One frame, and its answer once there is one."""

    pin: str  # of the client certificate that it came with
    frame: bytes
    answer: "Future[bool]" = field(default_factory=Future)


@contextlib.contextmanager
def opened(centre: Centre, intake: Intake) -> Iterator["SampleDesk"]:
    """Take samples while the block lasts."""
    desk = SampleDesk(centre, intake)
    desk.start()
    try:
        yield desk
    finally:
        desk.stop()


class SampleDesk:
    """Takes samples, from `start` to `stop`."""

    def __init__(self, centre: Centre, intake: Intake) -> None:
        """Prepare; nothing runs yet."""
        self._centre = centre
        self._intake = intake
        self._keeper = GroupCommit(self._put, most=MOST_TOGETHER, rest_s=REST_S)
        self._followers = ThreadPoolExecutor(FOLLOWERS, "sample-followers")

    def start(self) -> None:
        """Begin to take."""
        self._keeper.start()

    def stop(self) -> None:
        """Finish what was taken, and take nothing more."""
        self._keeper.stop()
        self._followers.shutdown()

    async def take(self, pin: str, frame: bytes) -> bool:
        """Take one frame; False where it was taken before.

        Raises NoSuchAgent where no agent has this key, and what `Intake.accept` raises.
        """
        sent = _Sent(pin, frame)
        await self._keeper.keep([sent])
        if sent.answer.done():
            return sent.answer.result()
        # Who hangs up must not take back what others wait for: the agent's desk is taken.
        return await asyncio.shield(asyncio.wrap_future(sent.answer))

    def _put(self, sent: Sequence[_Sent]) -> None:
        known = self._centre.agents.by_pins({one.pin for one in sent})
        arrived: list[tuple[_Sent, Arrival]] = []
        for one in sent:
            agent = known.get(one.pin)
            if agent is None:
                message = f"no agent has certificate key {one.pin!r}; enrol it"
                one.answer.set_exception(NoSuchAgent(message))
            else:
                arrived.append((one, Arrival(agent, one.frame)))
        self._intake.accept_all([arrival for _, arrival in arrived])
        for one, arrival in arrived:
            if arrival.rest is not None:
                one.answer = self._followers.submit(arrival.rest)
            elif arrival.problem is not None:
                one.answer.set_exception(arrival.problem)
            else:
                one.answer.set_result(arrival.taken)
