"""Break-glass: asked for by one person, agreed to by another, loud for as long as it lasts.

Called by controlplane.api.break_glass and loops.patience. Rules:

 1. Whoever asks or agrees has the permission `break_glass` somewhere, whoever agrees in the very
    environment, and both have shown their second factor minutes ago, where they have one. They
    are two people (ports.emergency_store).
 2. It is for one environment and one purpose out of model.emergency.PURPOSES, with a reason, and
    for at most `break_glass_minutes`, never more than an hour. It ends by itself.
 3. Each change is recorded before it is told: an entry of the log, a finding, a message to every
    channel (flow.telling.loud), a signal to open dashboards.
 4. It opens this API and nothing else: signers, hosts and their own checks know nothing of it.
 5. Nobody has more than `MOST_ASKED` requests waiting. Whoever loses what rule 1 asks for loses the
    right with it, from the next request on (api.caller).
"""

import logging
from typing import TYPE_CHECKING, Final

from sentienguard.controlplane import findings
from sentienguard.flow import oversight
from sentienguard.model import emergency as nouns
from sentienguard.model import errors
from sentienguard.model.access import Permission
from sentienguard.model.emergency import Emergency, EmergencyId
from sentienguard.ports.emergency_store import EmergencyOver

if TYPE_CHECKING:
    from sentienguard.controlplane.centre import Centre

log = logging.getLogger(__name__)
ASKED, AGREED, ENDED = "emergency.asked", "emergency.agreed", "emergency.ended"
LONGEST_REASON: Final = 500  # characters
MOST_ASKED: Final = 3  # requests of one person that wait: each is a message to everybody


class WishWrong(errors.Rejected):
    """What is asked for is nothing that an emergency can give."""


def ask(
    centre: "Centre",
    user: str,
    address: str,
    *,
    environment: str,
    purpose: str,
    reason: str,
    minutes: int,
) -> Emergency:
    """Keep a request and tell everybody. Raises WishWrong."""
    most = min(centre.settings.break_glass_minutes, round(nouns.LONGEST.total_seconds() / 60))
    if environment not in centre.environments:
        raise WishWrong(f"environment: expected one of {', '.join(centre.environments)}")
    if purpose not in {one.value for one in nouns.PURPOSES}:
        known = ", ".join(one.value for one in nouns.PURPOSES)
        raise WishWrong(f"purpose: expected one of {known}")
    said = " ".join(reason.split())
    if not nouns.LEAST_REASON <= len(said) <= LONGEST_REASON or not said.isprintable():
        raise WishWrong(f"reason: expected {nouns.LEAST_REASON} to {LONGEST_REASON} characters")
    if not 1 <= minutes <= most:
        raise WishWrong(f"minutes: expected 1 to {most}, found {minutes}")
    now = centre.clock.now()
    waiting = [
        one
        for one in centre.emergencies.list()
        if one.user == user and one.phase(now) is nouns.Phase.ASKED
    ]
    if len(waiting) >= MOST_ASKED:
        raise WishWrong(
            f"{len(waiting)} requests of yours wait for a second person; end one of them first"
        )
    made = Emergency(
        id=EmergencyId(f"brk_{centre.entropy.bytes(8).hex()}"),
        user=user,
        environment=environment,
        purpose=Permission(purpose),
        reason=said,
        minutes=minutes,
        asked_at=now,
        expires_at=now + nouns.TO_AGREE,
    )
    centre.emergencies.ask(made)
    _record(centre, ASKED, made, user, address)
    return made


def agree(centre: "Centre", emergency: EmergencyId, by: str, address: str) -> Emergency:
    """Let it stand. Raises NoSuchEmergency, OwnRequest, EmergencyOver."""
    asked = centre.emergencies.get(emergency)
    if asked.phase(centre.clock.now()) is nouns.Phase.ASKED and asked.user != by:
        # Recorded first: a right that nobody wrote down must not stand, a request may.
        _record(centre, AGREED, asked, by, address)
    made = centre.emergencies.agree(emergency, by=by, at=centre.clock.now())
    findings.after_break_glass(centre, oversight.of_emergency(made, by), made, address)
    return made


def end(centre: "Centre", emergency: EmergencyId, by: str, address: str) -> Emergency:
    """End it early, or withdraw the request. Raises NoSuchEmergency, EmergencyOver."""
    ended = centre.emergencies.end(emergency, by=by, at=centre.clock.now())
    _record(centre, ENDED, ended, by, address, because="ended")
    return ended


def record_over(centre: "Centre") -> None:
    """Record those that time ended; again is a no-op, whichever control plane looks."""
    for one in centre.emergencies.unrecorded(at=centre.clock.now()):
        _record(centre, ENDED, one, "clock", "", because="time")
        try:
            centre.emergencies.end(one.id, by="", at=centre.clock.now())
        except EmergencyOver:
            log.info("%s was noted by somebody else", one.id)


def _record(  # noqa: PLR0917 - what an entry names
    centre: "Centre", kind: str, about: Emergency, by: str, address: str, because: str = ""
) -> None:
    data: dict[str, str | int] = {
        "emergency": about.id,
        "user": about.user,
        "purpose": about.purpose.value,
        "reason": about.reason,
        "minutes": about.minutes,
        "ip_address": address,
    }
    if about.agreed_by:
        data["agreed_by"] = about.agreed_by
    if because:
        data["because"] = because
    centre.audit.append(
        kind=kind, env=about.environment, actor=by, data=data, key=f"{kind}/{about.id}/{by}"
    )
    centre.live.changed("break-glass", about.id, centre.clock.now())
