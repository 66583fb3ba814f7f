"""What one way of looking says about one object, before it competes with others."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Claim:
    """One object did something by itself, or is where something comes from."""

    object: str
    cause: str  # a word for the kind of fault ("" if the way of looking cannot tell)
    strength: float  # 0..1: how far from chance, and how much of what was seen it covers
    evidence: tuple[str, ...] = ()
    against: tuple[str, ...] = ()
    text_alone: bool = False  # true: nothing but what it wrote itself speaks for it


def strength(measured: float, half: float) -> float:
    """Turn an open scale into 0..1, with one half at `half`."""
    if measured <= 0:
        return 0.0
    return 1.0 if math.isinf(measured) else measured / (measured + half)


def strongest(claims: Iterable[Claim]) -> Mapping[str, tuple[Claim, ...]]:
    """Group claims by object, what is measured before text, the strongest first."""
    groups: dict[str, list[Claim]] = {}
    for claim in claims:
        groups.setdefault(claim.object, []).append(claim)
    return {name: tuple(sorted(groups[name], key=_order)) for name in sorted(groups)}


def _order(claim: Claim) -> tuple[bool, float, str, tuple[str, ...]]:
    return claim.text_alone, -claim.strength, claim.cause, claim.evidence
