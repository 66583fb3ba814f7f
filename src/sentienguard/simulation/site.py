"""One simulated host with its agent: a machine, its disk, and the two processes that come and go.

Called by `world`, `faults` and `attacker`. The supervisor is here: a process that died is started
again after a while, the executor recovers, the collector begins anew with what it had kept.
"""

import random
from collections import Counter
from collections.abc import Callable
from typing import Any, Final

from sentienguard.model import errors, ids
from sentienguard.simulation import centre as centres
from sentienguard.simulation import collector as collectors
from sentienguard.simulation import disk as disks
from sentienguard.simulation import executor as executors
from sentienguard.simulation import host as pretend
from sentienguard.simulation import journal, peril, watch
from sentienguard.simulation import link as links
from sentienguard.simulation.scheduler import Crash, Scheduler

RESTART_S: Final = (0.5, 8.0)  # until a supervisor has started a process again
BOOT_S: Final = (5.0, 60.0)


class Site:
    """One host."""

    def __init__(  # noqa: PLR0917 - made in one place, by their order there
        self,
        identity: executors.Identity,
        name: str,
        scheduler: Scheduler,
        chance: random.Random,
        observer: watch.Watch,
        tally: Counter[str],
        centre: Callable[[], centres.Centre | None],
        open_here: Callable[[ids.AgentId], bool],
    ) -> None:
        """Prepare; `start` starts it."""
        self.identity = identity
        self.name = name
        self.scheduler = scheduler
        self.watch = observer
        self.tally = tally
        self.centre = centre
        self.open_here = open_here
        self.peril = peril.Peril(self._strike)
        self.machine = pretend.Machine(name, scheduler, chance)
        self.machine.effect = self._effect
        self.machine.changed = self.stir
        self.disk = disks.Disk(name, self.peril.point)
        self.disk.watchers.append(lambda file, fresh: observer.journal_durable(name, file, fresh))
        self.disk.writers.append(lambda file, fresh: observer.journal_written(name, file, fresh))
        self.link = links.Link(scheduler, chance, tally, name)
        self.executor: executors.Executor | None = None
        self.collector: collectors.Collector | None = None
        self.on = False
        self.wire: list[Any] = []  # orders that came this way, for whoever listens
        self.intercepted: Callable[[Any], bool] = lambda _: False  # an attacker on the way
        self.ever_judged: set[str] = set()  # orders that this host admitted or refused for good
        self.reported = False  # the centre was told of something that stands
        self.last_acked = 0  # what the collector keeps in its own state
        self._chance = chance
        self._starting = 0

    @property
    def agent(self) -> ids.AgentId:
        """Return the agent's id."""
        return self.identity.agent

    def start(self) -> None:
        """Switch the machine on."""
        self.on = True
        self._start_executor()
        self._start_collector()

    def unfinished(self) -> bool:
        """Tell whether the centre has something open here, as it may ring for."""
        return self.open_here(self.agent)

    def stir(self) -> None:
        """Something may have changed: the collector looks."""
        if self.collector is not None:
            self.collector.stir()

    def collector_try(self, ask: Callable[[executors.Executor], object]) -> None:
        """Let somebody ask the executor in the collector's place."""
        if self.collector is not None:
            self.collector.asked(ask)

    # --- endings -------------------------------------------------------------------------------

    def kill_executor(self) -> None:
        """The executor's process ends; what it wrote stays written, its commands run on."""
        if self.executor is None:
            return
        self.tally["executor killed"] += 1
        dead, self.executor = self.executor, None
        dead.process.die()
        self.scheduler.after(
            self._chance.uniform(*RESTART_S),
            f"{self.name} starts its executor",
            self._start_executor,
            self.machine.power,
        )

    def kill_collector(self) -> None:
        """The collector's process ends."""
        if self.collector is None:
            return
        self.tally["collector killed"] += 1
        dead, self.collector = self.collector, None
        dead.process.die()
        self.scheduler.after(
            self._chance.uniform(*RESTART_S),
            f"{self.name} starts its collector",
            self._start_collector,
            self.machine.power,
        )

    def power_cut(self, off_s: float) -> None:
        """The power goes, and comes back after a while."""
        if not self.on:
            return
        self.on = False
        self.tally["host lost power"] += 1
        for dead in (self.executor, self.collector):
            if dead is not None:
                dead.process.die()
        self.executor = self.collector = None
        self.machine.power_cut()
        self.tally["bytes lost"] += self.disk.power_cut(self._chance)
        self.scheduler.after(off_s, f"{self.name} has power again", self.start)

    def _strike(self) -> None:
        if self._chance.random() < 0.5:  # noqa: PLR2004 - even odds
            self.kill_executor()
        else:
            self.power_cut(self._chance.uniform(*BOOT_S))

    # --- beginnings ----------------------------------------------------------------------------

    def _start_executor(self) -> None:
        if not self.on or self.executor is not None:
            return
        try:
            self.watch.journal_reopened(self.name, self.disk.read(journal.FILE))
            made = executors.Executor(
                self.identity,
                self.machine,
                self.disk,
                pretend.Sequence16(self._chance),
                die=self.kill_executor,
                worked=self._worked,
            )
            self.executor = made
            if made.recover():
                self.tally["order recovered"] += 1
        except Crash as crash:
            crash.die()
            self._try_again()
            return
        except (errors.SentienGuardError, OSError) as error:
            self.tally["executor did not start"] += 1
            if "durable record follows" in str(error):
                self.watch.broken("I2", f"{self.name}: {error}")
            if self.executor is not None:
                self.kill_executor()
            self._try_again()
            return
        self._look()
        self.stir()

    def _try_again(self) -> None:
        if self.on and self.executor is None:
            self.scheduler.after(
                self._chance.uniform(*RESTART_S),
                f"{self.name} tries its executor again",
                self._start_executor,
                self.machine.power,
            )

    def _start_collector(self) -> None:
        if self.on and self.collector is None:
            self.collector = collectors.Collector(self)
            self.collector.begin()

    def _worked(self) -> None:
        self._look()
        self.stir()

    def _look(self) -> None:
        """Do what the executor's main loop does: end where a write failed."""
        if self.executor is not None:
            self.watch.catalogue(self.name, self.executor.vault.newest.version)
            if self.executor.ledger.failed:
                raise Crash(self.kill_executor)

    def _effect(self, order: str, piece: str, _argv: object) -> None:
        self.peril.point(f"{self.name} acts")
        if order:
            self.watch.effect(self.name, self.executor, order, piece)
