"""Random facts for the policy, from a seeded source of chance.

Called by tests/kernel and tests/unit/decide.
"""

import dataclasses
import random

from sentienguard.model import decision, evidence, ids, playbook
from sentienguard.stages.decide import facts as facing
from sentienguard.stages.decide import settings
from tests.support import decide_cases

ENVIRONMENTS = ("production", "drill", "elsewhere", "")
HOSTS = ("web-01", "db.VAULT.1", "WEB-02.archive.eu", "vault", "a")
TAGS = ("maintenance_mode", "maintenance", "do_not_remediate", "do-not-remediate", "role")
TAG_VALUES = ("", "0", "false", "No", "OFF", " off ", "true", "1", "since Tuesday", "\u0130")
PATTERNS = ("*.vault.*", "web-*", "*.archive.*", "?", "DB.*", "vault")
LINES = settings.DecideSettings()
REMEDIES = [
    dataclasses.replace(
        decide_cases.LIBRARY.playbooks[0],
        risk=risk,
        approval_required=asks,
        idempotent=idempotent,
        exclusions=exclusions,
    )
    for risk in playbook.Risk
    for asks in (False, True)
    for idempotent in (True, False)
    for exclusions in ((), *((one,) for one in PATTERNS), PATTERNS[:2])
]
PLAIN = [
    one for one in REMEDIES if one.idempotent and not (one.approval_required or one.exclusions)
]


def some(chance: random.Random) -> facing.PolicyFacts:
    """Make facts; half of the time most of them speak for running."""
    kind = chance.random() < 0.7  # else everything is drawn evenly
    rare = 0.02 if kind else 0.5

    def seldom() -> bool:
        return chance.random() < rare

    return facing.PolicyFacts(
        host=chance.choice(HOSTS),
        environment=chance.choice(ENVIRONMENTS if seldom() or not kind else ENVIRONMENTS[:2]),
        tags={chance.choice(TAGS): chance.choice(TAG_VALUES) for _ in range(3) if seldom()},
        playbook=None
        if seldom()
        else chance.choice(PLAIN if kind and chance.random() < 0.8 else REMEDIES),
        confidence=None if seldom() else _confidence(chance, high=kind),
        missing=("mount",) if seldom() else (),
        record=_record(chance, good=kind),
        circumstances=facing.Circumstances(
            frozenset({"production", "drill"}),
            frozen=seldom(),
            audit_healthy=not seldom(),
            maintenance=seldom(),
            doubted=seldom(),
            silenced=seldom(),
            forecast=seldom(),
            already_ran=frozenset(
                {chance.choice(REMEDIES).name, ids.PlaybookName("x")} if seldom() else {"y"}
            ),
            service_starts_last_hour=chance.choice([0] * 9 + [3, 4] if kind else [0, 3, 4, 5]),
            fleet_starts_last_hour=chance.choice([0] * 9 + [19, 20] if kind else [0, 19, 20, 21]),
        ),
        settings=LINES if kind else _lines(chance),
        blame=_blame(chance) if seldom() or not kind else None,
    )


def _blame(chance: random.Random) -> evidence.Blame | None:
    sure = chance.choice([0.0, 0.49, 0.5, 0.51, 0.9, 1.0])
    found = evidence.Blame("service:db", ("db-1",), sure, is_here=chance.random() < 0.5)
    return chance.choice([None, found])


def _confidence(chance: random.Random, *, high: bool) -> decision.Confidence:
    edges = (0.0, 0.699, 0.7, 0.799, 0.8, 0.899, 0.9, 0.949, 0.95, 1.0, float("nan"))
    value = chance.uniform(0.5, 1) ** 0.4 if high else chance.choice([*edges, chance.random()])
    return decision.Confidence(value, value, value, ())


def _record(chance: random.Random, *, good: bool) -> facing.TrackRecord:
    if good:
        return facing.TrackRecord(
            verified=chance.choice([0, 3, 5, 9, 9, 9]),
            dry_runs=chance.randint(0, 4),
            proven_runs=20,
            proven_verified=chance.choice([0, 17, 18, 20]),
            failures_in_row=chance.choice([0] * 9 + [1, 2]),
            failed=chance.choice([0] * 6 + [1, 2]),
            since_failure=chance.choice([None, None, 0, 4, 5, 9]),
            explained=chance.choice([0, 0, 2]),
            elsewhere=chance.choice([0, 7]),
        )
    runs = chance.choice([0, 10, 20])
    return facing.TrackRecord(
        verified=chance.choice([0, 0, 1, 4, 5]), failed=chance.randint(0, 2),
        harmful=chance.choice([0, 0, 0, 1]), dry_runs=chance.randint(0, 4), proven_runs=runs,
        proven_verified=chance.randint(0, runs), failures_in_row=chance.choice([0, 0, 1, 2, 3]),
        failures_on_host=chance.choice([0, 0, 1, 2]), explained=chance.choice([0, 2]),
        since_failure=chance.choice([None, 0, 1, 5]), elsewhere=chance.choice([0, 7]),
    )  # fmt: skip


def _lines(chance: random.Random) -> settings.DecideSettings:
    return dataclasses.replace(
        LINES, autonomy_successes=chance.randint(1, 6), breaker_failures=chance.randint(1, 3),
        service_starts_per_hour=chance.randint(0, 5), fleet_starts_per_hour=chance.randint(0, 21),
        drill_environment=chance.choice(ENVIRONMENTS), shadow_runs=chance.randint(0, 4),
    )  # fmt: skip
