"""Findings about approvals and logins: looked for after the fact, recorded, never in the way.

Called by logins and by whatever takes a person's answer. What is odd stands in flow.oversight. A
yes or a login counts whether or not its findings could be recorded.
"""

import logging
from typing import TYPE_CHECKING

from sentienguard.flow import oversight
from sentienguard.model import errors
from sentienguard.model.approval import Agreement, Approval, ApprovalStatus

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sentienguard.controlplane.centre import Centre
    from sentienguard.model.emergency import Emergency

log = logging.getLogger(__name__)
KIND = "access.finding"


def after_login(centre: "Centre", user: str, address: str) -> None:
    """Look at where a login came from."""
    try:
        now = centre.clock.now()
        known = centre.sessions.came_from(user, oversight.network(address), at=now)
        _record(centre, user, "", oversight.of_login(address, known), address)
    except (errors.Unavailable, errors.Broken) as cause:
        log.warning("the network of a login was not looked at: %s", cause)


def after_yes(centre: "Centre", asked: Approval, by: str, address: str) -> None:
    """Look at a yes that a question was just given."""
    try:
        decided = centre.approvals.list(ApprovalStatus.APPROVED, within={asked.environment})
        several = {one.id for one in (*decided, asked) if one.needed > 1}
        agreed = centre.approvals.agreements_of(several)
        before = [_yes(one, agreed.get(one.id, ())) for one in decided if one.id != asked.id]
        others = tuple(one.by for one in agreed.get(asked.id, ()) if one.by != by)
        now = centre.clock.now()
        given = oversight.Yes(by, asked.opened_at, now, others, address)
        known: Sequence[str] = ()
        if oversight.is_address(address):
            known = centre.sessions.came_from(by, oversight.network(address), at=now)
        found = oversight.of_answer(given, before, known)
        _record(centre, by, asked.environment, found, address, asked)
    except (errors.Unavailable, errors.Broken) as cause:
        log.warning("the yes to %s was not looked at: %s", asked.id, cause)


def after_break_glass(
    centre: "Centre", found: "Iterable[oversight.Finding]", about: "Emergency", address: str
) -> None:
    """Record that a right was given in an emergency: somebody looks at each of them afterwards."""
    try:
        _record(centre, about.user, about.environment, found, address)
    except (errors.Unavailable, errors.Broken) as cause:
        log.warning("no finding was recorded about %s: %s", about.id, cause)


def _yes(decided: Approval, agreed: "Iterable[Agreement]") -> oversight.Yes:
    by = decided.decided_by or ""
    others = tuple(one.by for one in agreed if one.by != by)
    return oversight.Yes(by, decided.opened_at, decided.decided_at or decided.opened_at, others)


def _record(  # noqa: PLR0917 - what a finding names
    centre: "Centre",
    user: str,
    environment: str,
    found: "Iterable[oversight.Finding]",
    address: str,
    asked: Approval | None = None,
) -> None:
    for one in found:
        centre.counters.add("access_findings_total", one.rule)
        centre.audit.append(
            kind=KIND,
            env=environment,
            actor=user,
            incident=asked.incident if asked is not None else None,
            data={
                "user": user,
                "finding": one.rule,
                "detail": one.detail,
                "approval_id": asked.id if asked is not None else "",
                "ip_address": address,
            },
        )
