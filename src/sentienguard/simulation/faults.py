"""Illnesses and faults, planned from the seed.

Called by `world`. Most faults come while something is going on, because on an idle world they
change nothing: each illness brings its own, and some come whenever they like. To add one: a method
that does it and undoes it later, and a line in `KINDS`; the gate then asks that it happens.
"""

import random
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from sentienguard.simulation import host as pretend
from sentienguard.simulation import link, remedies

if TYPE_CHECKING:
    from sentienguard.simulation import site as sites
    from sentienguard.simulation import world as worlds

YEAR_S: Final = 365 * 86_400.0


class Faults:
    """What goes wrong."""

    def __init__(self, world: "worlds.World") -> None:
        """Prepare."""
        self._world = world
        self._chance = world.chance("faults")
        self._stopped = False

    def plan(self) -> None:
        """Put everything on the line of time."""
        world, chance = self._world, self._chance
        horizon = world.size.hours * 3600.0
        for site in world.hosts:
            rate = world.size.ills_per_host_hour / 3600.0
            at = chance.expovariate(rate)
            while at < horizon * 0.95:
                self._plan_ill(at, site)
                at += chance.expovariate(rate)
        for _ in range(chance.randint(0, 2)):
            self._plan_fault(chance.uniform(0.0, horizon), chance.choice(world.hosts))

    def stop(self) -> None:
        """Let everything be well from now on; processes that are down come back by themselves."""
        self._stopped = True
        world = self._world
        world.centre_peril.forget()
        world.centre_site.database.away = False
        world.centre_site.clock.ahead_s = 0.0
        world.people.freeze(0.0)
        for disk in (world.centre_site.disk, *(one.disk for one in world.hosts)):
            disk.full, disk.fail_syncs = False, 0
        for site in world.hosts:
            site.peril.forget()
            site.link.weather = link.Weather()
            site.machine.clock.ahead_s = 0.0
            site.machine.forbidden = None
            site.stir()

    # --- planning ------------------------------------------------------------------------------

    def _plan_ill(self, at: float, site: "sites.Site") -> None:
        chance = self._chance
        ill, fate = chance.choice(remedies.ILLS), _fate(chance)

        def strikes() -> None:
            if not site.machine.standing():
                self._world.tally[f"ill {ill.name}"] += 1
                site.machine.falls_ill(ill, fate)

        self._world.scheduler.after(at, f"{site.name} is {ill.name}", strikes)
        if chance.random() < 0.25:  # noqa: PLR2004 - odds
            heals = at + chance.uniform(5.0, 900.0)

            def by_itself() -> None:
                if ill.name in site.machine.standing():
                    self._world.tally["healed by itself"] += 1
                    site.machine.heals(ill)

            self._world.scheduler.after(heals, f"{site.name} heals by itself", by_itself)
        for _ in range(chance.choice((0, 1, 1, 2, 3))):
            self._plan_fault(at + chance.expovariate(1 / 45.0), site)

    def _plan_fault(self, at: float, site: "sites.Site") -> None:
        kind = self._chance.choice(sorted(KINDS))

        def happens() -> None:
            if not self._stopped:
                self._world.tally[f"fault {kind}"] += 1
                KINDS[kind](self, site)

        self._world.scheduler.after(at, f"{site.name}: {kind}", happens)

    def _later(self, seconds: float, what: str, act: Callable[[], None]) -> None:
        self._world.scheduler.after(seconds, what, act)

    def _for(self, low: float, high: float) -> float:
        return self._chance.uniform(low, high)

    # --- the faults ----------------------------------------------------------------------------

    def bad_weather(self, site: "sites.Site") -> None:
        """Messages are lost, late and doubled for some minutes."""
        chance = self._chance
        site.link.weather = link.Weather(
            lost=chance.uniform(0.0, 0.5), late=chance.uniform(0.0, 0.4), twice=chance.random()
        )
        self._later(self._for(60, 900), f"{site.name}: weather", lambda: self._clear(site))

    def tenfold(self, site: "sites.Site") -> None:
        """Every message comes ten times."""
        site.link.weather = link.Weather(tenfold=1.0, late=0.2)
        self._later(self._for(60, 300), f"{site.name}: weather", lambda: self._clear(site))

    def partition(self, site: "sites.Site") -> None:
        """Nothing comes through."""
        site.link.weather = link.Weather(cut=True)
        self._later(self._for(30, 900), f"{site.name}: weather", lambda: self._clear(site))

    def executor_dies(self, site: "sites.Site") -> None:
        """The executor dies at some moment soon: killed, or with its machine."""
        site.peril.after(self._chance.randint(1, 40))

    def executor_killed(self, site: "sites.Site") -> None:
        """The executor is killed now, and soon again perhaps."""
        site.kill_executor()

    def collector_killed(self, site: "sites.Site") -> None:
        """The collector is killed now."""
        site.kill_collector()

    def host_vanishes(self, site: "sites.Site") -> None:
        """The machine loses power and comes back."""
        site.power_cut(self._for(5, 1200))

    def centre_dies(self, site: "sites.Site") -> None:
        """The control plane dies at some moment soon: killed, or with its machine."""
        del site
        if self._chance.random() < 0.5:  # noqa: PLR2004 - even odds
            self._world.centre_peril.at(f"centre stored {self._chance.choice(_STORED)}")
        else:
            self._world.centre_peril.after(self._chance.randint(1, 120))

    def centre_killed(self, site: "sites.Site") -> None:
        """The control plane is killed now."""
        del site
        if self._world.centre is not None:
            self._world.kill_centre(power=self._chance.random() < 0.5)  # noqa: PLR2004 - even odds

    def host_disk_full(self, site: "sites.Site") -> None:
        """The executor's disk is full for a while."""
        site.disk.full = True
        self._later(
            self._for(30, 600), f"{site.name}: room", lambda: setattr(site.disk, "full", False)
        )

    def centre_disk_full(self, site: "sites.Site") -> None:
        """The log's disk is full for a while."""
        del site
        disk = self._world.centre_site.disk
        disk.full = True

        self._later(self._for(20, 400), "the centre has room", lambda: setattr(disk, "full", False))

    def host_sync_fails(self, site: "sites.Site") -> None:
        """The next sync of the executor's disk fails, and may drop at once what it covered."""
        site.disk.fail_syncs = 1
        site.disk.forgets = self._chance.random() < 0.5  # noqa: PLR2004 - even odds

    def centre_sync_fails(self, site: "sites.Site") -> None:
        """The next sync of the log's disk fails."""
        del site
        self._world.centre_site.disk.fail_syncs = 1

    def host_clock_jumps(self, site: "sites.Site") -> None:
        """The wall clock of a host is wrong for a while."""
        self._jump(site.machine.clock)

    def centre_clock_jumps(self, site: "sites.Site") -> None:
        """The wall clock of the centre is wrong for a while."""
        del site
        self._jump(self._world.centre_site.clock)

    def database_away(self, site: "sites.Site") -> None:
        """The database does not answer for a while."""
        del site
        database = self._world.centre_site.database
        database.away = True
        self._later(
            self._for(5, 120), "the database is back", lambda: setattr(database, "away", False)
        )

    def frozen(self, site: "sites.Site") -> None:
        """A person throws the kill switch."""
        del site
        self._world.people.freeze(self._for(30, 600))

    def forbidden(self, site: "sites.Site") -> None:
        """The owner of the host forbids it for a while."""
        site.machine.forbidden = "the owner says no"
        self._later(
            self._for(60, 900),
            f"{site.name}: allowed",
            lambda: setattr(site.machine, "forbidden", None),
        )

    def numbers_restored(self, site: "sites.Site") -> None:
        """The centre's counter of messages comes out of an old backup."""
        numbers = self._world.centre_site.orders.numbers
        numbers[site.agent] = max(0, numbers.get(site.agent, 0) - self._chance.randint(1, 3))

    def falls_ill_again(self, site: "sites.Site") -> None:
        """What was cured comes back, again and again: budgets and breakers are for this."""
        chance = self._chance
        ill = chance.choice(remedies.ILLS)
        for number in range(6):
            fate = _fate(chance)

            def strikes(fate: pretend.Fate = fate) -> None:
                if not site.machine.standing() and not self._stopped:
                    site.machine.falls_ill(ill, fate)

            self._later(number * self._for(200, 500), f"{site.name} is {ill.name} again", strikes)

    def _jump(self, clock: object) -> None:
        seconds = self._chance.choice((YEAR_S, -YEAR_S, 7200.0, -7200.0, 240.0))
        clock.jump(seconds)  # type: ignore[attr-defined]  # a SimulatedClock

        def back() -> None:
            if not self._stopped:
                clock.jump(-seconds)  # type: ignore[attr-defined]  # the same

        self._later(self._for(20, 900), "a clock is set right", back)

    def operator(self) -> None:
        """Start a centre again whose log has turned read-only."""
        centre = self._world.centre
        if centre is not None and centre.log.broken:
            self._world.kill_centre()

    def _clear(self, site: "sites.Site") -> None:
        site.link.weather = link.Weather()


def _fate(chance: random.Random) -> pretend.Fate:
    acts = ("quiesce", "service", "release", "warm", "prepare", "finish", *_CURES)
    cures = chance.random() < 0.7  # noqa: PLR2004 - odds
    return pretend.Fate(
        cures=cures,
        fails=chance.choice(acts) if chance.random() < 0.25 else "",  # noqa: PLR2004 - odds
        hangs=chance.choice(acts) if chance.random() < 0.15 else "",  # noqa: PLR2004 - odds
        undo_fails=chance.random() < 0.15,  # noqa: PLR2004 - odds
        slow_s=round(chance.uniform(0.1, 12.0), 3),
    )


_STORED: Final = ("order", "order", "answer", "decision", "delivery", "move", "question")
_CURES: Final = tuple(one.cure for one in remedies.ILLS if one.cure != "service")

KINDS: Final[Mapping[str, Callable[[Faults, "sites.Site"], None]]] = {
    name: getattr(Faults, name)
    for name in (
        "bad_weather",
        "tenfold",
        "partition",
        "executor_dies",
        "executor_killed",
        "collector_killed",
        "host_vanishes",
        "centre_dies",
        "centre_killed",
        "host_disk_full",
        "centre_disk_full",
        "host_sync_fails",
        "centre_sync_fails",
        "host_clock_jumps",
        "centre_clock_jumps",
        "database_away",
        "frozen",
        "forbidden",
        "numbers_restored",
        "falls_ill_again",
    )
}
