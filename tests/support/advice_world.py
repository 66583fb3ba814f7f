"""Incidents for the proofs about text and opinions, and what may come of each of them at most."""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING, Any

from sentienguard.model.advice import May, Opinion
from sentienguard.model.decision import Decision, Route
from sentienguard.model.playbook import Risk, Slots
from sentienguard.stages.decide import (
    confidence,
    matching,
    meaning,
    parameters,
    planning,
    policy,
    routing,
)
from sentienguard.stages.decide.decide import decide
from sentienguard.stages.decide.facts import Circumstances, PolicyFacts, TrackRecord
from sentienguard.stages.decide.matching import Library
from sentienguard.stages.decide.settings import DecideSettings
from tests.support import decide_cases as cases
from tests.support import second_policy

if TYPE_CHECKING:
    from sentienguard.model.evidence import Evidence
    from sentienguard.model.playbook import Playbook

FULL = {"slots": Slots("linux", "disk", "full"), "metrics": ("system.disk_usage_percent",)}
ALIKE = Library(
    [
        *cases.LIBRARY.playbooks,
        cases.playbook("disk_archive", "Archive rotated logs of a volume.", **FULL,
                       parameters=(cases.MOUNT,), risk=Risk.WARNING),
        cases.playbook("disk_drop_cache", "Remove a cache from a full volume.", **FULL,
                       idempotent=False, parameters=(cases.MOUNT,)),
        cases.playbook("disk_wipe", "Wipe a full volume.", **FULL, risk=Risk.CRITICAL),
        cases.playbook("disk_other_host", "Free a full volume.", **FULL, exclusions=("web-*",)),
        cases.playbook("disk_needs_more", "Free a full volume.", **FULL,
                       parameters=(cases.SERVICE,)),
    ]
)  # fmt: skip
RECORDS = {
    "disk_archive": TrackRecord(verified=9),
    "disk_wipe": TrackRecord(verified=50),
    "disk_drop_cache": TrackRecord(dry_runs=3),
}


@dataclasses.dataclass(frozen=True)
class World:
    """One incident with all that its decision rests on."""

    evidence: Evidence
    library: Library
    circumstances: Circumstances = cases.CLEAR
    trusted: TrackRecord = cases.TRUSTED

    def record(self, playbook: Playbook) -> TrackRecord:
        return RECORDS.get(playbook.name, self.trusted)

    def decide(self, opinion: Opinion | None = None, may: May = May.SHOWN) -> Decision:
        """Decide with the product's code."""
        return self.decide_on(self.evidence, opinion, may)

    def decide_on(
        self, known: Evidence, opinion: Opinion | None = None, may: May = May.SHOWN
    ) -> Decision:
        """Decide on other evidence."""
        settings = DecideSettings(advice_may=may)
        return decide(
            known, self.library, self.record, self.circumstances, settings, opinion=opinion
        )

    @functools.cached_property
    def permits_plain(self) -> set[tuple[str, str, tuple[Any, ...], Route]]:
        """What the product permits without anybody's text."""
        return permits(self, self.evidence)

    @functools.cached_property
    def plain(self) -> Decision:
        """What is decided without anybody's text or opinion."""
        return self.decide()

    @functools.cached_property
    def permitted(self) -> dict[str, tuple[str, dict[str, str], Route]]:
        """What may be done at most, worked out from the facts alone by the second policy.

        Name -> digest, parameters and route, of every playbook that matches as well as the first.
        """
        alike = self.plain.candidates[: matching.alike(self.plain.candidates)]
        found = {}
        for one in alike:
            playbook = self.library.get(one)
            filled = parameters.fill(playbook, self.evidence)
            facts = PolicyFacts(
                host=self.evidence.host,
                environment=self.evidence.environment,
                tags=self.evidence.tags,
                playbook=playbook,
                confidence=dataclasses.replace(_sure(self.plain), value=1.0),
                missing=filled.missing,
                record=self.record(playbook),
                circumstances=self.circumstances,
            )
            route = Route(second_policy.route(facts)).meet(self.plain.route)
            found[playbook.name] = (playbook.digest, dict(filled.parameters), route)
        return found

    def wrong(self, made: Decision) -> str:
        """Say what of a decision is outside of what is permitted; empty: nothing."""
        if made.route is Route.ESCALATE:
            return ""
        if made.playbook not in self.permitted:
            return f"{made.playbook} is not permitted"
        digest, filled, most = self.permitted[made.playbook]
        if made.route > most:
            return f"{made.route.name}, at most {most.name}"
        if (made.digest, dict(made.parameters)) != (digest, filled):
            return f"{made.parameters} of {made.digest}"
        playbook = next(one for one in self.library.playbooks if one.digest == digest)
        order = planning.plan(made, playbook, agent="8f9b", created_at=cases.NOW, approved=True)
        said = (
            order.playbook,
            order.digest,
            dict(order.parameters),
            order.facts,
            order.environment,
        )
        facts = planning.facts(self.plain)
        if said != (playbook.name, digest, filled, facts, self.evidence.environment):
            return f"the order says {said}"
        return ""


def _sure(made: Decision) -> Any:
    return made.confidence or _Nothing()


@dataclasses.dataclass(frozen=True)
class _Nothing:
    value: float = 0.0


def worlds() -> list[World]:
    """Return incidents of every kind: alone, among equals, asked about, frozen, unmatched."""
    disk = cases.evidence("system.disk_usage_percent", "/var")
    return [
        World(disk, cases.LIBRARY),
        World(disk, ALIKE),
        World(cases.evidence("system.disk_usage_percent", "/var", environment="drill"), ALIKE),
        World(disk, ALIKE, trusted=TrackRecord(proven_runs=12, proven_verified=12)),
        World(disk, ALIKE, trusted=TrackRecord()),
        World(disk, ALIKE, dataclasses.replace(cases.CLEAR, frozen=True)),
        World(disk, ALIKE, dataclasses.replace(cases.CLEAR, service_starts_last_hour=9)),
        World(
            cases.evidence("system.disk_usage_percent", "/var", tags={"maintenance": "1"}), ALIKE
        ),
        World(cases.evidence("service.healthy", "web"), cases.LIBRARY),
        World(cases.evidence("system.cpu_percent"), cases.LIBRARY),
        World(cases.evidence("queue.depth", "orders"), cases.LIBRARY),
        World(cases.evidence("system.disk_usage_percent", "/var", environment="moon"), ALIKE),
    ]


def permits(world: World, known: Evidence) -> set[tuple[str, str, tuple[Any, ...], Route]]:
    """Return what the product permits on this evidence: every playbook that matches, as if first.

    By its own code, unlike `World.permitted`: name, digest, parameters and route of each.
    """
    query = meaning.of_evidence(known)
    candidates = world.library.rank(query)
    found = set()
    for one in candidates[: matching.alike(candidates)]:
        ranked = world.library.led_by(one, candidates, query, None)
        playbook = world.library.get(one)
        filled = parameters.fill(playbook, known)
        facts = PolicyFacts(
            host=known.host,
            environment=known.environment,
            tags=known.tags,
            playbook=playbook,
            confidence=confidence.estimate(
                ranked, world.record(playbook), known.environment, DecideSettings()
            ),
            missing=filled.missing,
            record=world.record(playbook),
            circumstances=world.circumstances,
        )
        route = routing.route(policy.judge(facts))
        values = tuple(sorted(filled.parameters.items()))
        found.add((playbook.name, playbook.digest, values, route))
    return found


def order(world: World, made: Decision) -> Any:
    """Return the order of a decision as it would be sealed; None where it permits none."""
    if made.route is Route.ESCALATE:
        return None
    playbook = next(one for one in world.library.playbooks if one.digest == made.digest)
    return planning.plan(made, playbook, agent="8f9b", created_at=cases.NOW, approved=True)


def interference(world: World, known: Evidence) -> str:
    """Say what text has changed, compared to none; empty: nothing that matters.

    Where one playbook matches best, text changes nothing at all. Where several match alike it may
    choose among what is permitted without it, and the route is then no higher than without it.
    """
    made, plain = world.decide_on(known), world.plain
    alone = len(world.permits_plain) <= 1
    if not alone and made.playbook != plain.playbook:
        return world.wrong(made) or _differs(world, known, made, ())
    strict = ("route", "verdicts") if alone else ()
    return _differs(world, known, made, ("playbook", "version", "digest", "parameters", *strict))


def _differs(world: World, known: Evidence, made: Decision, names: tuple[str, ...]) -> str:
    plain = world.plain
    checks = {
        "the permitted set": permits(world, known) == world.permits_plain,
        f"the route, lifted to {made.route.name}": made.route <= plain.route,
        **{name: getattr(made, name) == getattr(plain, name) for name in names},
        "the order": not names
        or made.route is not plain.route
        or order(world, made) == order(world, plain),
    }
    return next((said for said, holds in checks.items() if not holds), "")
