"""Polls of many agents, answered together.

Called by the agents' API. Every host has a poll open all the time, and after a restart all of them
ask in one moment and then again in one moment. Nearly always there is nothing for them, which one
look at the database tells of all that came together. Rules:

1. What an agent is answered is what `Dispatch.answer` would answer it alone.
2. For whom there is something, it is got in other threads, a few at a time: those for whom there
   is nothing never wait for it, nor people's requests for either. A few share a look at what holds
   for all hosts, so few that it is of the same moment: what a freeze overtakes there is stopped by
   the host's next poll (`dispatch`, rule 4).
3. What goes wrong for several that are answered together is tried for each alone, so that what is
   damaged of one host takes no other with it. While the database or the log is away, all are told.
4. That an agent spoke is kept where it says anything new (`SEEN_AGAIN`): samples say it too.
"""

import asyncio
import contextlib
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sentienguard.controlplane.centre import Centre
from sentienguard.controlplane.group_commit import GroupCommit
from sentienguard.flow.dispatch import Answer, Dispatch, Poll
from sentienguard.model import errors
from sentienguard.model.ids import AgentId
from sentienguard.ports.agent_store import Agent, NoSuchAgent, Sighting

MOST_TOGETHER = 256  # polls that share a look
REST_S = 0.05  # after a look: of sixteen polls in one, each costs half of one alone
MOST_VERSION = 2**31 - 1  # of a root document: what the store's column holds
SEEN_AGAIN = timedelta(seconds=15)  # after which it is kept that an agent still speaks
COURIERS = 4  # threads that seal orders; more would only take turns at the processor
A_ROUND = 32  # polls that a courier answers with one look: some 30 ms


@dataclass(eq=False, slots=True)
class _Asked:
    """One poll, and its answer once there is one."""

    pin: str  # of the client certificate; empty: it has been looked up
    poll: Poll
    agent: Agent | None = None  # None with an empty pin: nobody looks what there is for it
    answer: "Future[Answer]" = field(default_factory=Future)


@contextlib.contextmanager
def opened(centre: Centre) -> Iterator["PollDesk"]:
    """Answer polls while the block lasts."""
    desk = PollDesk(centre)
    desk.start()
    try:
        yield desk
    finally:
        desk.stop()


class PollDesk:
    """Answers polls, from `start` to `stop`."""

    def __init__(self, centre: Centre) -> None:
        """Prepare; nothing runs yet."""
        self._centre = centre
        self._dispatch = Dispatch(centre)
        self._keeper = GroupCommit(self._put, most=MOST_TOGETHER, rest_s=REST_S)
        self._couriers = ThreadPoolExecutor(COURIERS, "poll-couriers")

    def start(self) -> None:
        """Begin to answer."""
        self._keeper.start()

    def stop(self) -> None:
        """Answer who asked, and nobody more."""
        self._keeper.stop()
        self._couriers.shutdown()

    async def first(self, pin: str, poll: Poll) -> tuple[Agent, Answer]:
        """Return who asks, and what there is for it; the agent was seen then.

        Raises NoSuchAgent where no agent has this key, and what the stores and the log raise.
        """
        asked = _Asked(pin, poll)
        answer = await self._answered(asked)
        if asked.agent is None:  # it has no answer without
            raise NoSuchAgent(_unknown(pin))
        return asked.agent, answer

    async def again(self, agent: Agent, poll: Poll) -> Answer:
        """Return what there is for an agent that has waited."""
        return await self._answered(_Asked("", poll, agent))

    async def nothing(self, poll: Poll) -> Answer:
        """Return what an agent is answered that has waited and whose bell did not ring."""
        return await self._answered(_Asked("", poll))

    async def _answered(self, asked: _Asked) -> Answer:
        await self._keeper.keep([asked])
        if asked.answer.done():
            return asked.answer.result()
        return await asyncio.shield(asyncio.wrap_future(asked.answer))

    def _put(self, asked: Sequence[_Asked]) -> None:
        self._recognise([one for one in asked if one.pin])
        agents = {one.agent.id for one in asked if one.agent is not None}
        expecting = self._centre.orders.expecting(agents) if agents else frozenset()
        expected: list[tuple[_Asked, Agent]] = []
        for one in asked:
            if one.agent is not None or not one.pin:
                self._answer(one, one.agent, expecting, expected)
        for first in range(0, len(expected), A_ROUND):
            self._couriers.submit(self._bring, expected[first : first + A_ROUND])

    def _recognise(self, asked: Sequence[_Asked]) -> None:
        """Look up who asks, and remember that they did."""
        if not asked:
            return
        known = self._centre.agents.by_pins({one.pin for one in asked})
        now = self._centre.clock.now()
        said = {one.pin: _version(one.poll.root_version) for one in asked}
        news = [
            Sighting(agent.id, now, root=said[pin])
            for pin, agent in known.items()
            if _is_news(agent, now, said[pin])
        ]
        if news:  # rule 4
            self._centre.agents.seen_all(news)
        for one in asked:
            one.agent = known.get(one.pin)
            if one.agent is None:
                one.answer.set_exception(NoSuchAgent(_unknown(one.pin)))

    def _answer(
        self,
        one: _Asked,
        agent: Agent | None,
        expecting: frozenset[AgentId],
        expected: list[tuple[_Asked, Agent]],
    ) -> None:
        """Answer a poll, or put it to those for whom there may be something."""
        try:
            if agent is not None and one.pin:
                self._witnessed(agent, one.poll)
            if agent is not None and agent.id in expecting:
                expected.append((one, agent))
            else:
                one.answer.set_result(self._dispatch.nothing(one.poll))
        except errors.SentienGuardError as problem:
            one.answer.set_exception(problem)

    def _bring(self, expected: Sequence[tuple[_Asked, Agent]]) -> None:
        """Answer a few for whom there may be something; each is told its own."""
        try:
            polls = [(agent, one.poll) for one, agent in expected]
            found = self._dispatch.answer_all(polls, self._dispatch.look())
        except Exception as problem:  # noqa: BLE001  each agent gets it as its answer
            if len(expected) > 1 and not isinstance(problem, errors.Unavailable):  # rule 3
                for single in expected:
                    self._bring([single])
                return
            found = [problem] * len(expected)
        for (one, _), answer in zip(expected, found, strict=True):
            if isinstance(answer, Exception):
                one.answer.set_exception(answer)
            else:
                one.answer.set_result(answer)

    def _witnessed(self, agent: Agent, poll: Poll) -> None:
        self._dispatch.witnessed(poll)
        if poll.cosigned and self._centre.anchoring is not None:
            self._centre.anchoring.watchers.heard(agent, poll.cosigned)


def _is_news(agent: Agent, now: datetime, root: int) -> bool:
    seen = agent.last_seen
    return seen is None or now - seen >= SEEN_AGAIN or root not in {0, agent.root_version}


def _version(said: int) -> int:
    """Return what a host says of its root, as far as it can be one."""
    return said if 0 < said <= MOST_VERSION else 0


def _unknown(pin: str) -> str:
    return f"no agent has certificate key {pin!r}; enrol it"
