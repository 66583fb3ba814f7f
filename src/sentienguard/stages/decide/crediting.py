"""Whether a recovery counts for the remedy that was run before it.

Called by `flow.crediting`. Pure. After a remedy the symptom is gone; that says something of the
remedy only where it would not have gone anyway. Two things can explain it otherwise:

 1. Untouched peers. Others of the same kind had the same symptom when the remedy set out, nobody
    ran anything on them, and at least half of them recovered at the same time.
 2. Its own history. At this place the symptom usually went by itself: of earlier spells that had
    lasted as long as this one had when the remedy set out, at least half were gone by the time that
    this one was (Kaplan and Meier: a spell that was cut short by a remedy or by people counts up to
    there, and no further).

What is explained is no success and no failure: nothing was learned. Where neither peers nor history
say anything the recovery counts, for otherwise nobody could ever earn anything; the bar for running
unattended is several of them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sentienguard.model.spell import Spell

SLACK: Final = timedelta(minutes=2)  # four samples: who recovers this much later recovered with it
HALF: Final = 0.5  # from here on something else is the likelier reason
FEWEST_SPELLS: Final = 3  # earlier spells that lasted as long; fewer are an anecdote


@dataclass(frozen=True, slots=True)
class Recovery:
    """One symptom that was gone after a remedy."""

    spell: Spell
    remedied_at: datetime  # when the order was released
    gone_at: datetime  # when host or centre saw the symptom gone


@dataclass(frozen=True, slots=True)
class Credit:
    """Whether a recovery counts for the remedy, and why."""

    counts: bool
    because: str
    peers: int  # untouched ones that had the symptom when the remedy set out
    peers_recovered: int  # of those, at the same time
    spells: int  # earlier ones of this place that lasted as long as this one had
    alone: float | None  # chance that it would have gone by itself by then; None: nobody knows


def judge(found: Recovery, around: Iterable[Spell], before: Iterable[Spell]) -> Credit:
    """Judge a recovery.

    `around` are spells of the same environment at about that time, `before` earlier ones of the
    same symptom at the same place; both may hold the recovered one itself and strangers.
    """
    peers = untouched_peers(found, around)
    recovered = sum(_recovered_with(found, one) for one in peers)
    spells, alone = _by_itself(found, before)
    explained = _explained(len(peers), recovered, spells, alone)
    because = explained or _nothing_explains(len(peers), recovered, spells, alone)
    return Credit(not explained, because, len(peers), recovered, spells, alone)


def untouched_peers(found: Recovery, around: Iterable[Spell]) -> tuple[Spell, ...]:
    """Return those that had the same symptom when the remedy set out, and no remedy of ours."""
    return tuple(
        one
        for one in around
        if one.agent != found.spell.agent
        and alike(one, found.spell)
        and one.remedied_at is None
        and one.started_at <= found.remedied_at
        and (one.ended_at is None or one.ended_at > found.remedied_at)
    )


def alike(one: Spell, other: Spell) -> bool:
    """Tell whether two spells are of the same symptom on the same kind of target."""
    return (one.kind, one.metric, one.subject) == (other.kind, other.metric, other.subject)


def is_in_reach(remedied_at: datetime, gone_at: datetime, ended_at: datetime) -> bool:
    """Tell whether a peer that recovered at `ended_at` bears on a recovery."""
    return remedied_at < ended_at <= gone_at + SLACK


def _recovered_with(found: Recovery, peer: Spell) -> bool:
    return peer.ended_at is not None and is_in_reach(
        found.remedied_at, found.gone_at, peer.ended_at
    )


def _explained(peers: int, recovered: int, spells: int, alone: float | None) -> str:
    """Return what explains the recovery otherwise; "" where nothing does."""
    if recovered and recovered >= HALF * peers:
        return f"{recovered} of {peers} untouched peers recovered at the same time"
    if alone is not None and spells >= FEWEST_SPELLS and alone >= HALF:
        return (
            f"of {spells} earlier spells that lasted as long, {alone:.0%} had gone by themselves "
            "by then"
        )
    return ""


def _nothing_explains(peers: int, recovered: int, spells: int, alone: float | None) -> str:
    said = []
    if peers:
        said.append(f"{peers - recovered} of {peers} untouched peers did not recover")
    if alone is not None and spells >= FEWEST_SPELLS:
        said.append(f"by itself it had gone by then in {alone:.0%} of {spells} earlier spells")
    return "; ".join(said) or "no untouched peer and no history explains it"


def _by_itself(found: Recovery, before: Iterable[Spell]) -> tuple[int, float | None]:
    """Return how many spells lasted as long as this one had, and the share gone by its end."""
    waited = found.remedied_at - found.spell.started_at
    lasted = found.gone_at - found.spell.started_at
    lives = [
        life
        for one in before
        if one.incident != found.spell.incident
        and (one.agent, one.fingerprint) == (found.spell.agent, found.spell.fingerprint)
        and (life := _life(one)) is not None
        and life[0] > waited
    ]
    if not lives:
        return 0, None
    return len(lives), 1.0 - _surviving(lives, lasted)


def _life(one: Spell) -> tuple[timedelta, bool] | None:
    """Return how long a spell was seen to last untouched, and whether it ended by itself then."""
    touched = [at for at in (one.remedied_at, one.people_at) if at is not None]
    cut = min(touched, default=None)
    if one.ended_at is not None and (cut is None or one.ended_at <= cut):
        return one.ended_at - one.started_at, True
    if cut is not None:
        return cut - one.started_at, False
    return None  # it stands, as far as is known: how long is for the next one to say


def _surviving(lives: Sequence[tuple[timedelta, bool]], until: timedelta) -> float:
    """Return the Kaplan-Meier estimate of the share that still stands after `until`."""
    share = 1.0
    for moment in sorted({length for length, ended in lives if ended and length <= until}):
        at_risk = sum(length >= moment for length, _ in lives)
        gone = sum(ended and length == moment for length, ended in lives)
        share *= 1 - gone / at_risk
    return share
