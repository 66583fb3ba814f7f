"""Whether a yes that somebody gave earlier still counts at the moment of the last one.

Called by whatever takes or shows a person's answer; `flow.answers` asks it. Where several people
have to say yes, minutes lie between the first and the last, and the order is released on what all
of them may do then. Rules:

1. Who gave it may still answer there: they have an account, and a role or a right of an emergency
   that stands now.
2. Where hosts want signatures, theirs is one that the root of today lists, and is good for long
   enough that a host still takes it when it fetches the order.
"""

from datetime import datetime
from typing import TYPE_CHECKING

from sentienguard.controlplane import signed_answers
from sentienguard.controlplane.api.caller import Caller
from sentienguard.flow import answers
from sentienguard.flow import incident as flow
from sentienguard.model.access import Permission
from sentienguard.model.approval import Agreement, Approval
from sentienguard.ports.user_store import NoSuchUser

if TYPE_CHECKING:
    from sentienguard.controlplane.centre import Centre


def judge(centre: "Centre", asked: Approval) -> answers.Judge:
    """Return what says why a yes to this question counts no more; empty: it does."""
    return lambda given: _why_not(centre, asked, given, centre.clock.now())


def _why_not(centre: "Centre", asked: Approval, given: Agreement, now: datetime) -> str:
    try:
        user = centre.users.get(given.by)
    except NoSuchUser:
        return "their account is gone"
    standing = tuple(centre.emergencies.of(user.name, at=now))
    held = Caller(user, "", centre, now, None, standing)
    if not held.may(Permission.DECIDE_APPROVAL, asked.environment):  # rule 1
        return f"they may no longer answer in {asked.environment}"
    fetched_by = now + flow.DELIVERY_PATIENCE
    if asked.signed and not signed_answers.stands(centre, asked, given, fetched_by):  # rule 2
        return "what they signed is over, or their key is no approver's any more; they sign again"
    return ""
