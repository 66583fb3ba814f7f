"""Judges a capture of one agent's traffic: direction, encryption, destinations, pattern.

Each check passes, fails, or says that the capture does not show it, which is no pass.
"""

import itertools
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from sentienguard.cli.traffic import connections, tls

BURST_S = 1.0  # what is sent within this long of the byte before belongs to one burst
MOST_BURST = 4 << 20  # bytes; a spool that is sent after a long absence comes in many bursts
_DNS = 53
_SHOWN = 5  # examples in a sentence


class Outcome(StrEnum):
    """What a check says."""

    PASS = "PASS"  # noqa: S105 - no password
    FAIL = "FAIL"
    UNKNOWN = "UNKNOWN"  # the capture does not show it


@dataclass(frozen=True, slots=True)
class Check:
    """One check and its finding."""

    name: str
    outcome: Outcome
    detail: str


@dataclass(frozen=True, slots=True)
class Pattern:
    """How an agent sends."""

    bursts: int
    interval_s: float | None  # median between the beginnings of two; None: fewer than three
    median_bytes: int
    most_bytes: int
    up_bytes: int
    down_bytes: int


def checks(
    traffic: connections.Traffic, servers: Sequence[connections.End], agent: str | None
) -> tuple[Check, ...]:
    """Judge; `servers` are where the agent may connect to, `agent` is its address if known."""
    return (
        _direction(traffic, servers, agent),
        _encryption(traffic.connections),
        _destinations(traffic, servers),
        _pattern_check(pattern(traffic.connections)),
    )


def pattern(found: Iterable[connections.Connection]) -> Pattern:
    """Measure how much is sent up, and when."""
    every = list(found)
    sent = sorted(part for one in every for part in one.up.sent)
    bursts: list[tuple[float, float, int]] = []  # beginning, last byte, bytes
    for at, count in sent:
        if bursts and at - bursts[-1][1] <= BURST_S:
            began, _, before = bursts[-1]
            bursts[-1] = (began, at, before + count)
        else:
            bursts.append((at, at, count))
    gaps = [later[0] - one[0] for one, later in itertools.pairwise(bursts)]
    sizes = [count for _, _, count in bursts]
    return Pattern(
        bursts=len(bursts),
        interval_s=round(statistics.median(gaps), 2) if len(gaps) > 1 else None,
        median_bytes=round(statistics.median(sizes)) if sizes else 0,
        most_bytes=max(sizes, default=0),
        up_bytes=sum(one.up.total for one in every),
        down_bytes=sum(one.down.total for one in every),
    )


def shown(end: connections.End) -> str:
    """Return address and port as people write them."""
    address, port = end
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _direction(
    traffic: connections.Traffic, servers: Sequence[connections.End], agent: str | None
) -> Check:
    """No connection leads to the agent."""
    opened = [one for one in traffic.connections if one.seen_opening]
    inward = [
        one
        for one in opened
        if one.server not in servers and (agent is None or one.server[0] == agent)
    ]
    if agent is None and not servers:
        # Nobody said who is who: then all have to lead to one place.
        inward = [] if len({one.server for one in opened}) <= 1 else opened
    if inward:
        examples = _examples(f"{shown(one.client)} to {shown(one.server)}" for one in inward)
        return Check(
            "direction", Outcome.FAIL, f"{len(inward)} not opened by the agent: {examples}"
        )
    unseen = len(traffic.connections) - len(opened)
    if not opened:
        detail = f"no connection was opened during the capture ({unseen} were open before)"
        return Check("direction", Outcome.UNKNOWN, detail)
    before = f"; {unseen} were open before the capture" if unseen else ""
    return Check(
        "direction", Outcome.PASS, f"all {len(opened)} connections were opened by the agent{before}"
    )


def _encryption(found: Sequence[connections.Connection]) -> Check:
    """Every connection speaks TLS 1.3."""
    clear, old, unknown, good = [], [], 0, 0
    for one in found:
        if not one.up.total and not one.down.total:
            continue  # opened and refused: nothing was said
        hello = tls.server_hello(one.down.start)
        if hello is None and (one.up.lost or one.down.lost or not one.down.total):
            unknown += 1
        elif hello is None or not tls.is_tls(one.up.start):
            clear.append(one)
        elif hello.version != max(tls.VERSIONS):
            old.append((one, tls.VERSIONS.get(hello.version, f"version {hello.version:#x}")))
        else:
            good += 1
    if clear:
        examples = _examples(shown(one.server) for one in clear)
        return Check("encryption", Outcome.FAIL, f"{len(clear)} without TLS: {examples}")
    if old:
        examples = _examples(f"{shown(one.server)} {version}" for one, version in old)
        return Check("encryption", Outcome.FAIL, f"{len(old)} below TLS 1.3: {examples}")
    if not good:
        return Check("encryption", Outcome.UNKNOWN, "no handshake was captured")
    rest = f"; of {unknown} the handshake was not captured" if unknown else ""
    return Check("encryption", Outcome.PASS, f"TLS 1.3 on all {good} connections{rest}")


def _destinations(traffic: connections.Traffic, servers: Sequence[connections.End]) -> Check:
    """Nothing goes anywhere but to the control plane; names may be looked up."""
    reached = sorted({one.server for one in traffic.connections})
    allowed = set(servers) or set(reached[:1])
    others = [end for end in reached if end not in allowed]
    datagrams = sorted(
        {target for (source, target) in traffic.datagrams if _DNS not in {source[1], target[1]}}
    )
    if others or datagrams:
        found = [*(shown(end) for end in others), *(f"{shown(end)} (UDP)" for end in datagrams)]
        return Check("destinations", Outcome.FAIL, f"also {_examples(found)}")
    if not reached:
        return Check("destinations", Outcome.UNKNOWN, "the capture holds no connection")
    detail = f"{_examples(shown(end) for end in reached)} only"
    lookups = sum(traffic.datagrams.values())
    if lookups:
        detail += f"; {lookups} packets of name look-ups"
    if not servers:
        detail += " (name the control plane with --server to have it compared)"
    return Check("destinations", Outcome.PASS, detail)


def _pattern_check(found: Pattern) -> Check:
    if not found.bursts:
        return Check("pattern", Outcome.UNKNOWN, "the agent sent nothing during the capture")
    every = "once" if found.interval_s is None else f"every {found.interval_s:g} s"
    detail = (
        f"{found.bursts} bursts, {every}, {found.median_bytes:,} bytes in the middle and"
        f" {found.most_bytes:,} at most; {found.up_bytes:,} bytes up, {found.down_bytes:,} down"
    )
    outcome = Outcome.FAIL if found.most_bytes > MOST_BURST else Outcome.PASS
    return Check("pattern", outcome, detail)


def _examples(found: Iterable[str]) -> str:
    every = list(dict.fromkeys(found))
    more = f" and {len(every) - _SHOWN} more" if len(every) > _SHOWN else ""
    return ", ".join(every[:_SHOWN]) + more
