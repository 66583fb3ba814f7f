"""A person stops what is being done about one incident.

Called by the API, which knows who may. Rules:

 1. An order that no host was handed is taken back: nothing of it runs, and its incident hears of
    the end at once. Whether one was handed over is settled by the store, in one place.
 2. A host that may have it is asked to stop with its next poll, and says how it ended.
 3. What has ended is left as it is.
"""

from collections.abc import Mapping
from typing import Any

from sentienguard.flow import incident as flow
from sentienguard.flow.centre import Centre
from sentienguard.model.order import ExecutionOutcome, OrderStatus
from sentienguard.ports.order_store import KeptOrder


def stop(centre: Centre, kept: KeptOrder, *, by: str, data: Mapping[str, Any]) -> bool:
    """Stop an order and record who did, with `data` beside it; False where it has ended (rule 3).

    Raises AuditUnavailable; the order is stopped all the same.
    """
    order = kept.order
    released = kept.status is OrderStatus.RELEASED
    taken_back = released and centre.orders.withdraw(order.id)  # rule 1
    if not taken_back and not centre.orders.request_stop(order.id, by=by):  # rule 2
        return False
    try:
        centre.audit.once("order.stop", order, "stop", {"order_id": order.id, **data}, actor=by)
    finally:  # a log that fails must hold no stop up
        if taken_back:
            centre.tell(order.incident, _never_handed_over(centre, kept, by), key=_end(kept))
        else:
            centre.bells.ring(order.agent)
    return True


def _never_handed_over(centre: Centre, kept: KeptOrder, by: str) -> flow.OrderEnded:
    reason = (
        f"stopped by {by} before a host was handed the order: it was taken back, and nothing ran"
    )
    return flow.OrderEnded(centre.clock.now(), kept.order.id, ExecutionOutcome.ABORTED, reason)


def _end(kept: KeptOrder) -> str:
    return f"ended/{kept.order.id}"  # of one order an incident hears one end, the first
