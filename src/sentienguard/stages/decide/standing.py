"""How much a playbook has earned on one kind of target in one environment: a ladder of three.

    SHADOW   it shows what it would do                     from the start, and for a new kind
    ASKED    a person approves each run                    after dry runs, or with a signed proof
    TRUSTED  it may run unattended, where all else agrees  after verified successes

Called by `policy.earned_autonomy`. Pure. Rules:

 1. Only recoveries that count for it are successes (`crediting`), only on this kind of target.
 2. TRUSTED takes `autonomy_successes` of them since its last failure there.
 3. A failure takes it back to ASKED. Once it has failed, it also takes that the 5 % lower bound of
    how often it works is at least `autonomy_low`: the more it failed, the longer it has to be good.
 4. What left something behind anywhere in the environment is asked about from then on.
 5. A signed proving record counts as a record of its own in the drill environment, and elsewhere as
    enough to be proposed to a person.
"""

from dataclasses import dataclass
from enum import IntEnum

from sentienguard.stages.decide import beta
from sentienguard.stages.decide.facts import TrackRecord
from sentienguard.stages.decide.settings import DecideSettings

PRIOR_MEAN, PRIOR_RUNS = 0.85, 4.0  # what is believed of a remedy before it ran (`confidence`)
DOUBT = 0.05  # that it works less often than the lower bound says


class Step(IntEnum):
    """Where on the ladder a playbook stands."""

    SHADOW = 0
    ASKED = 1
    TRUSTED = 2


@dataclass(frozen=True, slots=True)
class Standing:
    """One step, and why no higher."""

    step: Step
    because: str


def of(record: TrackRecord, environment: str, settings: DecideSettings) -> Standing:
    """Return how much this record has earned."""
    if record.harmful:  # rule 4
        return Standing(Step.ASKED, f"it did harm here {record.harmful} times")
    so_far = f"{successes(record)} of {settings.autonomy_successes} verified successes here"
    if record.failed:
        so_far += f" since the last of {record.failed} failures"
    if record.explained:
        so_far += f", {record.explained} more do not count for it"
    proven = (
        record.proven_runs > 0
        and record.proven_verified >= settings.proving_share * record.proven_runs
    )
    if successes(record) >= settings.autonomy_successes:  # rule 2
        if not record.failed or _works_often_enough(record, settings):  # rule 3
            return Standing(Step.TRUSTED, f"{so_far}, no harm")
        so_far += f", but it may well work in less than {settings.autonomy_low:.0%} of cases"
    if proven and environment == settings.drill_environment:  # rule 5
        return Standing(Step.TRUSTED, f"proven in {record.proven_verified} signed drill runs")
    if proven or record.verified or record.dry_runs >= settings.shadow_runs:
        return Standing(Step.ASKED, so_far)
    new = "new on this kind of target" if record.elsewhere else "no proving record"
    return Standing(Step.SHADOW, f"{so_far}, {new}: it starts in shadow")


def successes(record: TrackRecord) -> int:
    """Return the successes since the last failure; all of them where it never failed."""
    return record.verified if record.since_failure is None else record.since_failure


def _works_often_enough(record: TrackRecord, settings: DecideSettings) -> bool:
    good = PRIOR_MEAN * PRIOR_RUNS + record.verified
    bad = (1 - PRIOR_MEAN) * PRIOR_RUNS + record.failed
    return beta.cumulative(settings.autonomy_low, good, bad) <= DOUBT
