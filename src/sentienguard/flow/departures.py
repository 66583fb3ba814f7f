"""End what waits for a host that was struck off: nobody will fetch it, or tell what came of it.

Called by the API that strikes hosts off, once that is durable, and by incident_work at a release:
whichever comes second ends the order. Rules:

 1. An order that was never delivered is taken back, and its incident goes on to people at once.
 2. One that was delivered may have run. Its host's word is refused from now on, so its incident
    ends as one of which nobody knows what was done, and people are told to look.
 3. What the host said before stands: an incident hears one end of an order, the first.
"""

from sentienguard.flow import incident as flow
from sentienguard.flow.centre import Centre
from sentienguard.model.order import ExecutionOutcome, Order
from sentienguard.ports.agent_store import Agent


def end_orders(centre: Centre, agent: Agent) -> int:
    """Let the incidents of a host hear that their orders end; return how many."""
    unfinished = {one.id for one in centre.incidents.unfinished(agent.id)}
    kept = {one.order.id: one.order for one in centre.orders.waiting(agent.id)}
    kept |= {one.order.id: one.order for one in centre.orders.under_way(agent.id)}
    ended = [one for one in kept.values() if one.incident in unfinished]
    for order in ended:
        end = never_fetched(centre, agent, order) or _never_told(centre, agent, order)
        centre.tell(order.incident, end, key=f"ended/{order.id}")  # rule 3
    return len(ended)


def never_fetched(centre: Centre, agent: Agent, order: Order) -> flow.OrderEnded | None:
    """Take back an order for a host that was struck off (rule 1); None: it was delivered."""
    if not centre.orders.withdraw(order.id):
        return None
    reason = f"{agent.host} was struck off before it fetched the order, which was taken back"
    return flow.OrderEnded(centre.clock.now(), order.id, ExecutionOutcome.REFUSED, reason)


def _never_told(centre: Centre, agent: Agent, order: Order) -> flow.OrderEnded:  # rule 2
    reason = (
        f"{agent.host} was struck off after it had taken the order: what it did there will not be "
        "told; look at it before acting"
    )
    return flow.OrderEnded(centre.clock.now(), order.id, ExecutionOutcome.UNKNOWN, reason)
