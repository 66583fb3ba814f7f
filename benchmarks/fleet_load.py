"""The load generator, a process of its own: many pretended hosts on one event loop.

Started by benchmarks.fleet with a plan (a JSON file). It says `done` and waits for a line after
each part, so that whoever started it can look at the centre in between; the last part's figures go
into the file that the plan names.
"""

import asyncio
import base64
import json
import random
import sys
import time
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import uvloop

from benchmarks.fleet_host import OK, Host, Line, Refused, context
from sentienguard.model.ids import AgentId
from sentienguard.trust.keys import SigningKey

AT_ONCE = 24  # first contacts under way at once, as many as a centre's threads are
POLL_S = 25.0  # how long the centre may hold a poll, as agents ask by default
AGAIN_S = 1.0  # after a poll that failed
PLANTED_FROM = 0.3  # of the run: before, the centre only learns
PLANTED_TO = 0.9
PLANTED_ROUNDS = 3  # samples in a row that show the fault


@dataclass
class Told:
    """What happened, for the figures."""

    sent: int = 0  # samples that were acknowledged
    failed: int = 0  # samples that were given up
    late: int = 0  # samples that left a whole interval after their time
    again: int = 0  # connections that had to be opened again
    problems: list[str] = field(default_factory=list)
    answers_ms: list[float] = field(default_factory=list)
    planted: dict[str, dict[str, float]] = field(default_factory=dict)  # by host
    polls: int = 0
    polls_failed: int = 0
    orders: dict[str, list[tuple[float, str]]] = field(default_factory=dict)  # by host

    def wrong(self, problem: BaseException) -> None:
        """Keep the first few reasons."""
        if len(self.problems) < 5:  # noqa: PLR2004  enough to see what it is
            self.problems.append(repr(problem))


class Load:
    """All hosts of a plan."""

    def __init__(self, plan: dict[str, Any]) -> None:
        self.plan = plan
        self.told = Told()
        authority = Path(plan["authority"])
        address = (plan["address"][0], int(plan["address"][1]))
        self.hosts = []
        for number, one in enumerate(plan["hosts"]):
            tls = context(authority, Path(one["chain"]))
            self.hosts.append(
                Host(
                    agent=AgentId(one["agent"]),
                    name=one["name"],
                    environment=plan["environment"],
                    samples=Line(address, tls),
                    orders=Line(address, tls),
                    seq=int(plan["seq"]),
                    chance=random.Random(number),
                    witness=SigningKey.from_seed(bytes.fromhex(one["seed"])),
                )
            )

    # --- parts

    async def first_contact(self) -> None:
        """Every host shakes hands and sends its first sample, some at a time."""
        at = datetime.fromtimestamp(self.plan["first_at"], UTC)

        async def one(host: Host) -> None:
            await host.push(host.text(at, full=False))
            self.told.sent += 1

        await _some_at_a_time(one, self.hosts)

    async def open_polls(self) -> list[asyncio.Task[None]]:
        """Every host asks for orders from now on, each on a second connection."""
        await _some_at_a_time(lambda host: host.orders.open(), self.hosts)
        return [asyncio.create_task(self._asks(host)) for host in self.hosts]

    async def steady(self) -> None:
        """Every host sends its samples, each in its own turn within the interval."""
        count = len(self.hosts)
        rounds = int(self.plan["rounds"])
        chosen = self.hosts[:: max(round(1 / self.plan["planted"]), 1)]
        first, last = int(rounds * PLANTED_FROM), max(int(rounds * PLANTED_TO), 1)
        chance = random.Random(1)
        faults = {host.name: chance.randrange(min(first, last - 1), last) for host in chosen}
        began = time.time()
        await asyncio.gather(
            *(
                self._samples(host, began, number / count, faults.get(host.name))
                for number, host in enumerate(self.hosts)
            )
        )

    async def all_fail(self) -> None:
        """Every host shows a fault, in a second sample."""
        at = datetime.fromtimestamp(self.plan["first_at"] + 1, UTC)

        async def one(host: Host) -> None:
            self.told.planted[host.name] = {"at": time.time()}
            await self._sent(host, host.text(at, full=True))  # whoever waited long is hung up on
            self.told.sent += 1

        await _some_at_a_time(one, self.hosts)

    async def connect(self) -> None:
        """Every host opens its connection for orders and asks nothing yet."""
        await _some_at_a_time(lambda host: host.orders.open(), self.hosts)

    async def connect_again(self) -> None:
        """Open the connections for orders anew, as a host's is that never ceases to ask.

        To wait for the last incident may take longer than the centre keeps one that is idle.
        """

        async def one(host: Host) -> None:
            host.orders.close()
            await host.orders.open()

        await _some_at_a_time(one, self.hosts)

    async def fetch(self) -> None:
        """Every host asks for its order, all in one moment; then asks twice more."""
        await asyncio.gather(*(self._fetches(host) for host in self.hosts))

    # --- hosts

    async def _samples(self, host: Host, began: float, phase: float, fault: int | None) -> None:
        interval, step = float(self.plan["interval_s"]), float(self.plan["step_s"])
        for number in range(int(self.plan["rounds"])):
            due = began + (number + phase) * interval
            await asyncio.sleep(max(due - time.time(), 0))
            full = fault is not None and 0 <= number - fault < PLANTED_ROUNDS
            simulated = self.plan["first_at"] + (number + 1 + phase) * step
            now = time.time()
            self.told.late += now - due > interval
            at = now if self.plan["live"] else simulated
            text = host.text(datetime.fromtimestamp(at, UTC), full=full)
            left = time.time()
            try:
                await self._sent(host, text)
            except (Refused, OSError, EOFError, TimeoutError) as problem:
                self.told.failed += 1
                self.told.wrong(problem)
                continue
            took = time.time() - left
            self.told.sent += 1
            self.told.answers_ms.append(took * 1000)
            if number == fault:
                self.told.planted[host.name] = {"at": left, "answered_ms": took * 1000}

    async def _sent(self, host: Host, text: bytes) -> None:
        """Send once more where the connection broke, as an agent does."""
        try:
            await host.push(text)
        except (OSError, EOFError, TimeoutError) as problem:
            self.told.again += 1
            self.told.wrong(problem)
            await host.push(text)

    async def _asks(self, host: Host) -> None:
        await asyncio.sleep(host.chance.uniform(0, AGAIN_S))
        while True:
            try:
                await self._ask(host, wait_s=POLL_S)
            except (Refused, OSError, EOFError, TimeoutError) as problem:
                self.told.polls_failed += 1
                self.told.wrong(problem)
                await asyncio.sleep(AGAIN_S)

    async def _ask(self, host: Host, *, wait_s: float, busy: str | None = None) -> str | None:
        """Ask for work; return the order's id, where one came."""
        body = {
            "ticket": {"nonce": f"{host.chance.getrandbits(128):032x}"},
            "witness": {"checkpoint": host.cosigned},
            "status": {"busy": busy, "frozen": False, "events_through": 0},
            "tree_size": host.tree_size,
            "wait_s": wait_s,
        }
        status, said = await host.orders.post(
            "/api/v1/orders", json.dumps(body).encode(), "application/json"
        )
        if status != OK:
            message = f"{host.name}: a poll was answered {status} {said[:600]!r}"
            raise Refused(message)
        self.told.polls += 1
        answer = json.loads(said)
        if answer["checkpoint"] is not None:
            host.saw(answer["checkpoint"])
        order = answer["order"]
        if order is None:
            return None
        name = str(json.loads(_payload(order))["order_id"])
        self.told.orders.setdefault(host.name, []).append((time.time(), name))
        return name

    async def _fetches(self, host: Host) -> None:
        given = await self._ask(host, wait_s=POLL_S)
        await self._ask(host, wait_s=0, busy=given)  # it says so: there must be nothing
        await self._ask(host, wait_s=0)  # it forgot: there must be no other one


def _payload(envelope: dict[str, Any]) -> bytes:
    return base64.b64decode(envelope["payload"])


async def _some_at_a_time(
    act: Callable[[Host], Coroutine[Any, Any, None]], hosts: Iterable[Host]
) -> None:
    waiting = iter(hosts)

    async def worker() -> None:
        for host in waiting:
            await act(host)

    await asyncio.gather(*(worker() for _ in range(AT_ONCE)))


async def _barrier(told: Told, **more: Any) -> None:
    """Say what this part took and wait for a line."""
    print(json.dumps({"sent": told.sent, "cpu_s": time.process_time(), **more}), flush=True)
    await asyncio.to_thread(sys.stdin.readline)


async def _run(plan: dict[str, Any]) -> Told:
    load = Load(plan)
    told = load.told
    await _barrier(told, part="loaded")
    if plan["kind"] == "dispatch":
        await _dispatched(load)
        return told
    began = time.perf_counter()
    await load.first_contact()
    await _barrier(told, part="first_contact", took_s=time.perf_counter() - began)
    if plan["kind"] == "orders":
        await load.connect()
        await _barrier(told, part="connected")
        await load.all_fail()
        await _barrier(told, part="failed")
        await load.connect_again()
        await _barrier(told, part="connected_again")
        began_at = time.time()
        await load.fetch()
        await _barrier(told, part="fetched", began_at=began_at)
        return told
    began = time.perf_counter()
    polls = await load.open_polls() if plan["polls"] else []
    await _barrier(told, part="polls", took_s=time.perf_counter() - began)
    await load.steady()
    await _barrier(told, part="steady")
    for task in polls:
        task.cancel()
    await asyncio.gather(*polls, return_exceptions=True)
    return told


async def _dispatched(load: Load) -> None:
    """Fetch orders that wait already, round by round."""
    await load.connect()
    for _ in range(int(load.plan["rounds"])):
        await _barrier(load.told, part="connected")
        began_at = time.time()
        await load.fetch()
        await _barrier(load.told, part="fetched", began_at=began_at)


def main() -> int:
    """Follow the plan that the first argument names; write what happened beside it."""
    place = Path(sys.argv[1])
    plan = json.loads(place.read_text())
    told = uvloop.run(_run(plan))
    figures = {
        "sent": told.sent,
        "failed": told.failed,
        "late": told.late,
        "again": told.again,
        "problems": told.problems,
        "answers_ms": told.answers_ms,
        "planted": told.planted,
        "polls": told.polls,
        "polls_failed": told.polls_failed,
        "orders": told.orders,
    }
    place.with_suffix(".out").write_text(json.dumps(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
