"""A second implementation of the policy, to compare the first one with.

Called by tests/kernel. Written from docs/explanation/decisions.md, "Policy": for each row of its
table the height to which the route is held down, as a number from 0 (people) to 4 (runs). The
answer is the least of them. When this and `stages.decide.policy` disagree, one of them or the page
is wrong.
"""

import math
import re
from typing import Any

PEOPLE, DRY_RUN, ASK, RUN_AND_VERIFY, RUN = range(5)
CLEARLY_FALSE = ("", "0", "false", "no", "off")


def heights(facts: Any) -> dict[str, int]:
    """Return how far each rule of the page lets a decision go."""
    now, record, lines, remedy = facts.circumstances, facts.record, facts.settings, facts.playbook
    held = {
        "match": PEOPLE if remedy is None else RUN,
        "confidence": _band(facts.confidence, lines),
        "environment": RUN if facts.environment in now.known_environments else PEOPLE,
        "maintenance": PEOPLE
        if now.maintenance or _set(facts.tags, "maintenance_mode", "maintenance")
        else RUN,
        "silence": PEOPLE if now.silenced else RUN,
        "forecast": PEOPLE if now.forecast else RUN,
        "identity": PEOPLE if now.doubted else RUN,
        "do_not_remediate": PEOPLE
        if _set(facts.tags, "do_not_remediate", "do-not-remediate")
        else RUN,
        "service_budget": RUN
        if now.service_starts_last_hour < lines.service_starts_per_hour
        else ASK,
        "fleet_budget": RUN if now.fleet_starts_last_hour < lines.fleet_starts_per_hour else PEOPLE,
        "circuit_breaker": PEOPLE
        if lines.breaker_failures <= record.failures_in_row
        or lines.breaker_failures <= record.failures_on_host
        else RUN,
        "freeze": PEOPLE if now.frozen else RUN,
        "parameters": RUN if len(facts.missing) == 0 else PEOPLE,
        "audit": RUN if now.audit_healthy else PEOPLE,
        "diagnosis": _cause(facts.blame, lines.blame_from),
        "once": RUN,
        **dict.fromkeys(("risk", "approval_gate", "idempotence", "exclusions"), PEOPLE),
        "earned_autonomy": PEOPLE,
    }
    if remedy is not None:
        held |= {
            "risk": {"SAFE": RUN, "WARNING": RUN_AND_VERIFY, "CRITICAL": ASK}[
                str(remedy.risk.value)
            ],
            "approval_gate": ASK if remedy.approval_required else RUN,
            "idempotence": RUN if remedy.idempotent else ASK,
            "exclusions": PEOPLE if _excluded(facts.host, remedy.exclusions) else RUN,
            "once": PEOPLE if remedy.name in now.already_ran else RUN,
            "earned_autonomy": _earned(facts, record, lines),
        }
    return held


def route(facts: Any) -> int:
    """Return the route as a number, 0 to 4."""
    return min(heights(facts).values())


def _band(confidence: Any, lines: Any) -> int:
    if confidence is None:
        return PEOPLE
    floors = (lines.dry_run_from, lines.ask_from, lines.run_and_verify_from, lines.run_from)
    return sum(confidence.value >= floor for floor in floors)


def _cause(blame: Any, least: float) -> int:
    elsewhere = blame is not None and not blame.is_here
    return ASK if elsewhere and not blame.confidence < least else RUN


def _earned(facts: Any, record: Any, lines: Any) -> int:
    """Autonomy is earned: the paragraph below the table."""
    if record.harmful > 0:
        return ASK  # left something behind: asked about from then on
    proven = record.proven_runs > 0 and (
        record.proven_verified / record.proven_runs >= lines.proving_share
    )
    lately = record.verified if record.since_failure is None else record.since_failure
    if lately >= lines.autonomy_successes and (
        record.failed == 0 or _surely(record, lines.autonomy_low)
    ):
        return RUN
    if proven and facts.environment == lines.drill_environment:
        return RUN
    if proven or record.verified > 0:
        return ASK
    return ASK if record.dry_runs >= lines.shadow_runs else DRY_RUN


def _surely(record: Any, low: float) -> bool:
    """Integrate the posterior below `low` by Simpson's rule: at most 5 % may lie there."""
    a, b = 3.4 + record.verified, 0.6 + record.failed
    scale = math.gamma(a + b) / (math.gamma(a) * math.gamma(b))
    pieces = 2_000
    wide = low / pieces
    inner = sum(
        (4 if n % 2 else 2) * (n * wide) ** (a - 1) * (1 - n * wide) ** (b - 1)
        for n in range(1, pieces)
    )
    last = low ** (a - 1) * (1 - low) ** (b - 1)
    return scale * wide / 3 * (inner + last) <= 0.05


def _set(tags: Any, *names: str) -> bool:
    return any(tags[name].strip().casefold() not in CLEARLY_FALSE for name in names if name in tags)


def _excluded(host: str, patterns: Any) -> bool:
    """Compare with `*` and `?` patterns, upper and lower case alike."""
    for pattern in patterns:
        parts = ["." if c == "?" else ".*" if c == "*" else re.escape(c) for c in pattern.lower()]
        if re.fullmatch("".join(parts), host.lower(), re.DOTALL):
            return True
    return False
