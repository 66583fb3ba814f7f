"""What policy allows, said a second time and in another way.

Called by `watch`. stages.decide.policy is a table of rules and a meet; here are a few plain
conditions over the truth of the world. They are weaker than the policy (what it forbids for its
confidence they may allow), and whatever they forbid the policy has to forbid too.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

from sentienguard.model.decision import Route
from sentienguard.model.incident import Outcome
from sentienguard.model.order import ExecutionOutcome, Order
from sentienguard.model.playbook import Risk
from sentienguard.ports.order_store import KeptOrder
from sentienguard.simulation import clock as clocks
from sentienguard.simulation import host, remedies
from sentienguard.simulation.stores.incidents import Incidents
from sentienguard.simulation.stores.orders import Orders
from sentienguard.simulation.stores.switches import KillSwitch

_HARM = {ExecutionOutcome.PARTIALLY_ROLLED_BACK, ExecutionOutcome.UNKNOWN}
_FAILED = {ExecutionOutcome.ROLLED_BACK, *_HARM}
_HOUR = timedelta(hours=1)


class Truth:
    """What the world knows and the code under test has to find out."""

    def __init__(
        self,
        incidents: Incidents,
        orders: Orders,
        switches: KillSwitch,
        clock: clocks.SimulatedClock,
        machine_of: Callable[[str], host.Machine],
    ) -> None:
        """Look at the centre's rows and clock; `machine_of` returns the machine of a name."""
        self._incidents = incidents
        self._orders = orders
        self._switches = switches
        self._clock = clock
        self._machine_of = machine_of

    def now(self) -> datetime:
        """Return the centre's wall time."""
        return self._clock.now()

    def stands(self, name: str, order: Order) -> bool:
        """Tell whether what an order is against is there now."""
        metric = order.facts.get("metric")
        ill = next((one for one in remedies.ILLS if one.metric == metric), None)
        if ill is None:
            return False
        if isinstance(ill.good, str):
            return self._machine_of(name).measured(ill.fact) != ill.good
        return self._machine_of(name).measured(ill.fact) == ill.bad

    def clock_jumped(self, name: str, *, within_s: float) -> bool:
        """Tell whether the wall clock of a host was set lately: its hour is another one then."""
        clock = self._machine_of(name).clock
        return clock.monotonic() - clock.jumped_at < within_s

    def route(  # noqa: PLR0911 - one plain condition after the other, that is the point
        self, order: Order
    ) -> tuple[Route, str]:
        """Return the most that may happen, and why not more."""
        remedy = remedies.signed().of(order.playbook)
        past = [
            one
            for one in self._orders.rows.values()
            if one.order.digest == order.digest
            and one.order.environment == order.environment
            and one.report is not None
        ]
        verified = sum(self._verified(one) for one in past)
        harmed = any(_outcome(one) in _HARM for one in past)
        proven = remedy.name not in remedies.UNPROVEN
        drill = order.environment == remedies.DRILL
        if self._switches.frozen_in_truth:
            return Route.ESCALATE, "the centre is frozen"
        if self._failures(past) >= 2:  # noqa: PLR2004 - the circuit breaker
            return Route.ESCALATE, "it failed twice in a row"
        if self._started(order) >= remedies.SETTINGS.fleet_budget_per_hour:
            return Route.ESCALATE, "the fleet's budget is used up"
        dry_runs = sum(_outcome(one) is ExecutionOutcome.DRY_RUN for one in past)
        if not proven and not harmed and not verified and dry_runs < 3:  # noqa: PLR2004 - shadow
            return Route.DRY_RUN, "it is in shadow"
        for forbids, why in (
            (remedy.approval_required, "its author asks for a person"),
            (not remedy.idempotent, "it is not idempotent"),
            (remedy.risk is Risk.CRITICAL, "it is critical"),
            (harmed, "it did harm here"),
            (
                verified < remedies.SETTINGS.verified_runs_needed and not (proven and drill),
                "no record",
            ),
        ):
            if forbids:
                return Route.ASK, why
        if remedy.risk is Risk.WARNING:
            return Route.RUN_AND_VERIFY, "its risk is WARNING"
        return Route.RUN, ""

    def _started(self, order: Order) -> int:
        since = self._clock.now() - _HOUR
        return sum(
            one.released_at >= since and one.order.environment == order.environment
            for one in self._orders.rows.values()
        )

    def _verified(self, one: KeptOrder) -> bool:
        closed = self._incidents.rows.get(one.order.incident)
        worked = _outcome(one) is ExecutionOutcome.SUCCESS
        return worked and closed is not None and closed.outcome is Outcome.RESOLVED

    def _failures(self, past: list[KeptOrder]) -> int:
        count = 0
        for one in sorted(past, key=lambda each: each.released_at, reverse=True):
            if self._verified(one):
                break
            count += _outcome(one) in _FAILED
        return count


def _outcome(one: KeptOrder) -> ExecutionOutcome | None:
    return None if one.report is None else one.report.outcome
