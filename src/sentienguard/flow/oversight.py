"""What is odd about who approved and who logged in: findings for people, never a decision.

Called by the control plane after an answer and after a login. Pure: what happened before and the
time come as arguments. A finding is recorded (`access.finding`) and shown; it forbids nothing,
because each of these has an honest explanation. Rules:

    quick_answer   a yes within two seconds of the question: nobody read it
    burst          five yeses of one person within a minute
    same_pair      the last ten questions that needed two people had the same two
    off_hours      a yes at a time of the day at which this person never answered before
    new_network    a login or a yes from a network that nothing known of this person came from
    break_glass    a right that was given in an emergency, every time
"""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sentienguard.model.emergency import Emergency

QUICK: Final = timedelta(seconds=2)  # a question has a dozen lines
BURST: Final = 5
BURST_WITHIN: Final = timedelta(minutes=1)
PAIRS: Final = 10
KNOWN_ANSWERS: Final = 20  # yeses of one person before their hours say something
HOURS_AROUND: Final = 2  # an answer this near to a usual hour is usual
DAY_HOURS: Final = 24
IPV4_NETWORK: Final = 24  # bits: what a provider or an office changes within
IPV6_NETWORK: Final = 48


@dataclass(frozen=True, slots=True)
class Yes:
    """One approval of one person."""

    by: str
    asked_at: datetime
    at: datetime
    others: tuple[str, ...] = ()  # who said yes to the same question besides
    address: str = ""  # where it came from; a chat's name, where it was given in one


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that people should look at."""

    rule: str  # one of the table above
    detail: str


def of_answer(given: Yes, before: Sequence[Yes], known: Sequence[str] = ()) -> tuple[Finding, ...]:
    """Return what is odd about a yes; `before` are earlier ones of all people, newest first.

    `known` are the networks that this person came from: a token that was stolen is used elsewhere,
    and its login was opened long before.
    """
    mine = [one for one in before if one.by == given.by]
    found = (_quick(given), _burst(given, mine), _pair(given, before), _hours(given, mine))
    places = of_login(given.address, known) if is_address(given.address) else ()
    return (*(one for one in found if one is not None), *places)


def of_login(address: str, known: Sequence[str]) -> tuple[Finding, ...]:
    """Return what is odd about where a login came from; nothing where none is known yet."""
    places = {network(one) for one in known}
    if not places or network(address) in places:
        return ()
    detail = f"from {network(address)}; known are {len(places)} others"
    return (Finding("new_network", detail),)


def of_emergency(given: Emergency, by: str) -> tuple[Finding, ...]:
    """Return what people look at after a right was given in an emergency."""
    detail = (
        f"{given.purpose.value} in {given.environment} for {given.minutes} minutes, agreed to by "
        f"{by}: {given.reason}"
    )
    return (Finding("break_glass", detail),)


def is_address(text: str) -> bool:
    """Tell whether this is an address of the network; a chat's name is none."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def network(address: str) -> str:
    """Return the network that an address belongs to; text that is no address is its own."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address[:100]
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    bits = IPV4_NETWORK if isinstance(found, ipaddress.IPv4Address) else IPV6_NETWORK
    return str(ipaddress.ip_network(f"{found}/{bits}", strict=False))


def _quick(given: Yes) -> Finding | None:
    took = given.at - given.asked_at
    if took >= QUICK:
        return None
    return Finding("quick_answer", f"{took.total_seconds():.1f} s after the question")


def _burst(given: Yes, mine: Sequence[Yes]) -> Finding | None:
    lately = 1 + sum(timedelta() <= given.at - one.at <= BURST_WITHIN for one in mine)
    return Finding("burst", f"{lately} yeses within a minute") if lately >= BURST else None


def _pair(given: Yes, before: Sequence[Yes]) -> Finding | None:
    pair = frozenset((given.by, *given.others))
    if len(pair) != 2:  # noqa: PLR2004 - a pair
        return None
    pairs = [frozenset((one.by, *one.others)) for one in before if one.others][: PAIRS - 1]
    if len(pairs) < PAIRS - 1 or any(one != pair for one in pairs):
        return None
    return Finding("same_pair", f"{' and '.join(sorted(pair))}, {PAIRS} times in a row")


def _hours(given: Yes, mine: Sequence[Yes]) -> Finding | None:
    if len(mine) < KNOWN_ANSWERS:
        return None
    apart = min(_apart(given.at.hour, one.at.hour) for one in mine)
    if apart <= HOURS_AROUND:
        return None
    return Finding("off_hours", f"at {given.at:%H:%M} UTC, {apart} hours from any answer before")


def _apart(one: int, other: int) -> int:
    distance = abs(one - other)
    return min(distance, DAY_HOURS - distance)
