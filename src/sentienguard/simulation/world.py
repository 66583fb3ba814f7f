"""One pretend world from one seed: put together, run, and judged.

Called by `search` and `__main__`. A world is a number of hosts and one centre on one line of time;
illnesses, faults, people and an attacker come from the seed. At the horizon the faults stop; what
is still open then has to come to its end within BOUND_S.
"""

import hashlib
import random
import traceback
from collections import Counter, deque
from dataclasses import dataclass
from functools import partial
from typing import Final

from sentienguard.model import errors, ids
from sentienguard.ports.agent_store import Agent
from sentienguard.simulation import attacker, executor, faults, people, peril, permitted, remedies
from sentienguard.simulation import centre as centres
from sentienguard.simulation import site as sites
from sentienguard.simulation import watch as watches
from sentienguard.simulation.scheduler import Crash, Scheduler

MOST_STEPS: Final = 400_000  # a seed takes some thousands; more means that something spins
BOUND_S: Final = 3_600.0  # question 15 min, delivery 3, the order's own 10, report 2, recovery 3
LAST: Final = 40  # events that a report shows
RESTART_S: Final = (1.0, 15.0)


@dataclass(frozen=True, slots=True)
class Size:
    """How large a world is."""

    hosts: int = 3
    hours: float = 1.0
    ills_per_host_hour: float = 1.6


SHORT: Final = Size()
LONG: Final = Size(hosts=20, hours=24.0, ills_per_host_hour=0.035)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one seed."""

    seed: int
    digest: str  # of every event in its order: the same again for the same seed
    steps: int
    violations: tuple[watches.Violation, ...]
    tally: Counter[str]
    last: tuple[str, ...]  # events before the end


class World:
    """One run."""

    def __init__(self, seed: int, size: Size, *, keep: int = LAST) -> None:
        """Prepare everything; `keep`: how many of the last events are kept for the report."""
        self.seed = seed
        self.size = size
        self.scheduler = Scheduler(self._told)
        self.watch = watches.Watch(self.scheduler)
        self.tally = self.watch.tally
        self._digest = hashlib.sha256()
        self._last: deque[str] = deque(maxlen=keep)
        self.centre: centres.Centre | None = None
        self.centre_peril = peril.Peril(self._strike_centre)
        self.centre_site = centres.Site(self.scheduler, self.centre_peril.point, self.watch)
        self.centre_site.disk.watchers.append(self.watch.log_durable)
        self._centre_chance = self.chance("centre")
        self.hosts = [self._host(number) for number in range(size.hosts)]
        self._by_name = {one.name: one for one in self.hosts}
        self._by_agent = {one.agent: one for one in self.hosts}
        store = self.centre_site
        self.watch.truth = permitted.Truth(
            store.incidents,
            store.orders,
            store.switches,
            store.clock,
            lambda name: self._by_name[name].machine,
        )
        self.people = people.People(self)
        self.faults = faults.Faults(self)
        self.attacker = attacker.Attacker(self)
        for one in self.hosts:
            one.intercepted = partial(self.attacker.intercepts, one)
        self.healed = False
        self._starting = False  # somebody has asked for the centre's start already
        self._helpless: centres.Centre | None = None  # its log is read-only, somebody is coming

    def chance(self, what: str) -> random.Random:
        """Return the randomness of one part: another part's use of its own changes nothing."""
        return random.Random(f"{self.seed}/{what}")  # noqa: S311 - a seed has to give the same

    def run(self) -> Outcome:
        """Run to the end or to the first violation."""
        try:
            self.start_centre()
            for one in self.hosts:
                one.start()
            self.faults.plan()
            self.attacker.plan()
            self._loop()
        except Exception:  # noqa: BLE001 - an error that nobody foresaw is a finding like any other
            self.watch.broken("error", traceback.format_exc(limit=-6))
        finally:
            self._end()
        return Outcome(
            self.seed,
            self._digest.hexdigest(),
            self.scheduler.steps,
            tuple(self.watch.violations),
            self.tally,
            tuple(self._last),
        )

    def site_of(self, agent: str) -> sites.Site:
        """Return the host of an agent."""
        return self._by_agent[ids.AgentId(agent)]

    # --- the centre's process ------------------------------------------------------------------

    def start_centre(self) -> None:
        """Start the control plane, now or as soon as it can."""
        self._starting = False
        if self.centre is not None:
            return
        try:
            made = centres.Centre(self.centre_site, self._centre_chance, self._ring)
            self.watch.log_reopened(
                made.log, [made.log.hash_of(index) for index in range(made.log.size())]
            )
            self.centre = made
            made.start()
        except Crash as crash:
            crash.die()
            self._again()
            return
        except (errors.Unavailable, errors.Broken, OSError) as error:
            self.tally["centre did not start"] += 1
            if "does not fit" in str(error):
                self.watch.broken("I2", str(error))
            self.kill_centre()
            self._again()
            return
        for one in self.hosts:
            one.stir()

    def kill_centre(self, *, power: bool = False) -> None:
        """The control plane's process ends, and with `power` its machine."""
        if self.centre is not None:
            self.tally["centre lost power" if power else "centre killed"] += 1
            self.centre.process.die()
            self.centre = None
        if power:
            self.tally["bytes lost"] += self.centre_site.disk.power_cut(self._centre_chance)
        self._again()

    def _again(self) -> None:
        if self._starting:
            return
        self._starting = True
        delay = self._centre_chance.uniform(*RESTART_S)
        self.scheduler.after(delay, "the centre starts", self.start_centre)

    def _strike_centre(self) -> None:
        self.kill_centre(power=self._centre_chance.random() < 0.5)  # noqa: PLR2004 - even odds

    def _ring(self, agent: str) -> None:
        site = self._by_agent[ids.AgentId(agent)]
        self.scheduler.after(0.05, f"{site.name} hears the bell", site.stir)

    # --- the run -------------------------------------------------------------------------------

    def _loop(self) -> None:
        horizon = self.size.hours * 3600.0
        while not self.watch.violations:
            at = self.scheduler.next_at()
            if at is None:
                break
            if at > horizon and not self.healed:
                self.healed = True
                self.faults.stop()
            if self.healed and self._quiet():
                break
            if at > horizon + BOUND_S:
                break
            self.scheduler.step()
            self._look()
            if self.scheduler.steps > MOST_STEPS:
                self.watch.broken("I4", "the world spins: it does more and more and never ends")
        if not self.watch.violations:
            self.watch.settled(
                [one.id for one in self.centre_site.incidents.open_rows.values()],
                [order for host in self.hosts for order in self._running(host)],
            )

    def _look(self) -> None:
        """Judge what has to hold after every event."""
        if self.centre is not None and self.centre.log.published > self.watch.log_size:
            self.watch.broken("I7", "a checkpoint covers what is not durable")
        if self.centre is not None and self.centre.log.broken and self._helpless is not self.centre:
            self._helpless = self.centre
            delay = self._centre_chance.uniform(20.0, 300.0)
            self.scheduler.after(delay, "somebody looks at the centre", self.faults.operator)

    def _quiet(self) -> bool:
        if self.centre_site.incidents.open_rows or self.centre is None:
            return False
        return all(one.executor is not None and not self._running(one) for one in self.hosts)

    def _running(self, host: sites.Site) -> list[str]:
        if host.executor is None:
            return ["of an executor that does not start"]
        return [str(one) for one in host.executor.busy()]

    def _told(self, at: float, what: str) -> None:
        line = f"{at:.6f} {what}"
        self._digest.update(line.encode())
        self._last.append(line)

    def note(self, what: str) -> None:
        """Add a line of its own to the trace."""
        self._told(self.scheduler.now, f"* {what}")

    def _end(self) -> None:
        self.centre_peril.forget()
        for one in self.hosts:
            one.peril.forget()
            for dead in (one.executor, one.collector):
                if dead is not None:
                    dead.process.die()
        if self.centre is not None:
            self.centre.process.die()

    def _host(self, number: int) -> sites.Site:
        name = f"host-{number + 1}"
        environment = remedies.DRILL if number % 3 != 2 else remedies.PRODUCTION  # noqa: PLR2004
        identity = executor.Identity(
            ids.AgentId(f"00000000-0000-4000-8000-{number + 1:012d}"),
            environment,
            remedies.key(100 + number),
        )
        self.centre_site.agents.add(
            Agent(
                id=identity.agent,
                host=name,
                environment=environment,
                tags={},
                tls_pin=f"pin {number}",
                executor_key=identity.key.public.text,
                enrolled_at=remedies.START,
            )
        )
        self.watch.sources[name] = f"agent:{identity.agent}"
        return sites.Site(
            identity,
            name,
            self.scheduler,
            self.chance(name),
            self.watch,
            self.tally,
            lambda: self.centre,
            self.open_here,
        )

    def open_here(self, agent: ids.AgentId) -> bool:
        """Tell whether an incident of this agent is open."""
        return any(one.agent == agent for one in self.centre_site.incidents.open_rows.values())
