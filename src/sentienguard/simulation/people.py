"""People: they say yes, no, nothing, too late, or two things; they stop, freeze and repair.

Called by `world`. A person acts on what the centre shows, over a link that loses things like any
other, and asks again when no answer comes.
"""

from typing import TYPE_CHECKING

from sentienguard.flow import incident as flow
from sentienguard.model import errors
from sentienguard.model.ids import ApprovalId, IncidentId
from sentienguard.ports.switches import Freeze
from sentienguard.simulation import remedies

if TYPE_CHECKING:
    from sentienguard.simulation import world as worlds

ASKED_AGAIN = 5  # times a person tries


class People:
    """Everybody on call."""

    def __init__(self, world: "worlds.World") -> None:
        """Look at what the engine does."""
        self._world = world
        self._chance = world.chance("people")
        self._seen: set[str] = set()
        judge = world.watch.performed
        world.centre_site.performed = lambda incident, deed: self._performed(judge, incident, deed)

    def _performed(self, judge: object, incident: IncidentId, deed: flow.Deed) -> None:
        judge(incident, deed)  # type: ignore[operator]  # watch.performed
        match deed:
            case flow.OpenApproval() if deed.approval.id not in self._seen:
                self._seen.add(deed.approval.id)
                self._asked(deed.approval.id)
            case flow.Close(escalate=True) if incident not in self._seen:
                self._seen.add(incident)
                self._repair(incident)
            case flow.Move(status="MITIGATING"):
                self._may_stop(incident)
            case _:
                pass

    def _asked(self, approval: ApprovalId) -> None:
        chance, mood = self._chance, self._chance.random()
        soon, late = chance.uniform(5.0, 600.0), chance.uniform(880.0, 960.0)
        if mood < 0.5:  # noqa: PLR2004 - odds
            self._says(soon, approval, yes=True)
        elif mood < 0.62:  # noqa: PLR2004 - odds
            self._says(soon, approval, yes=False)
        elif mood < 0.72:  # noqa: PLR2004 - odds
            self._world.tally["person silent"] += 1
        elif mood < 0.84:  # noqa: PLR2004 - odds
            self._world.tally["person late"] += 1
            self._says(late, approval, yes=True)
        else:
            self._world.tally["two people disagree"] += 1
            first = chance.random() < 0.5  # noqa: PLR2004 - even odds
            self._says(soon, approval, yes=first)
            self._says(soon + chance.uniform(0.0, 90.0), approval, yes=not first)

    def _says(self, after: float, approval: ApprovalId, *, yes: bool, tries: int = 0) -> None:
        world = self._world

        def tries_it() -> None:
            centre = world.centre
            try:
                if centre is not None:
                    centre.answer(approval, approved=yes, by=f"person {int(yes)}")
                    return
            except errors.Rejected:
                world.tally["answer refused"] += 1
                return
            except (errors.Unavailable, errors.Broken):
                pass
            if tries < ASKED_AGAIN:
                self._says(20.0, approval, yes=yes, tries=tries + 1)

        world.scheduler.after(
            after, f"a person says {'yes' if yes else 'no'} to {approval}", tries_it
        )

    def _may_stop(self, incident: IncidentId) -> None:
        if self._chance.random() > 0.2:  # noqa: PLR2004 - odds
            return
        world, record = self._world, self._world.centre_site

        def stops() -> None:
            orders = [one for one in record.orders.rows.values() if one.order.incident == incident]
            try:
                if world.centre is not None and orders:
                    world.tally["stop asked"] += 1
                    world.centre.stop(orders[0].order.id, by="person")
            except (errors.Unavailable, errors.Broken):
                return

        world.scheduler.after(self._chance.uniform(0.3, 25.0), f"a person stops {incident}", stops)

    def _repair(self, incident: IncidentId) -> None:
        found = self._world.centre_site.incidents.rows[incident]
        site = self._world.site_of(found.agent)
        metric = found.anomaly.series.metric

        def repairs() -> None:
            for ill in remedies.ILLS:
                if ill.metric == metric or ill.fact == "service_status":
                    site.machine.heals(ill)

        after = self._chance.uniform(120.0, 1500.0)
        self._world.scheduler.after(after, f"a person repairs {site.name}", repairs)

    def freeze(self, for_s: float) -> None:
        """Throw the kill switch, and put it back."""
        world = self._world

        def clears() -> None:
            self._set(None)

        self._set(Freeze("person", world.centre_site.clock.now(), "a drill"))
        world.scheduler.after(for_s, "a person unfreezes", clears)

    def _set(self, freeze: Freeze | None) -> None:
        switches = self._world.centre_site.switches
        try:
            switches.set_freeze(freeze)
        except errors.Unavailable:
            self._world.scheduler.after(5.0, "a person tries again", lambda: self._set(freeze))
