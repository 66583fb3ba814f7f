"""The figures and rules of the ramp lane, for its vectorised and its scalar form alike.

Imports no numpy: the scalar form runs where there is none. Rules:

1. A floor is the lowest reading of FLOOR blocks. A ramp lifts every reading, so it lifts the floor;
   spikes, bursts and a daily wave's high hours do not. Blocks of LENGTHS readings see slow and fast
   ramps.
2. A floor is news only where it lies FACTOR times higher above the mean floor than any floor lay
   before the rise: what this series does by itself is no ramp. That is known after KNOWN_S.
3. A ramp climbs. Of the rise through the last STEPS steps from floor to floor each step brings
   LEAST_STEP, or more, of its even share. Where the floor is SURE times higher, thirds of the rise
   that bring LEAST_THIRD of theirs are proof enough. A jump has one step, a wandering level falls.
4. A way to the limit is only claimed where it is over within HORIZON blocks: what was seen for an
   hour says nothing of next month.
5. After a warning there is silence until no ramp was seen for QUIET blocks. What was seen holds for
   HOLDS blocks more, for who asks whether it goes on.
6. A missing or infinite reading counts for nothing; a block without any is like the one before.
7. Time only goes forward, by at most GAP_S at once, so no jump of a clock makes a rate.
"""

from dataclasses import dataclass
from typing import Final

LENGTHS: Final = (2, 3, 6, 12, 24, 48, 96)  # readings in a block
FLOOR: Final = 4  # blocks
STEPS: Final = 6  # from block to block
LEAST_STEP: Final = 0.3  # of an even share of the rise
LEAST_THIRD: Final = 0.5  # of an even share of the rise
FACTOR: Final = 1.25
SURE: Final = 2.0
HORIZON: Final = 160.0  # blocks
QUIET: Final = 12  # blocks
HOLDS: Final = 2  # blocks
LEAST_RISE: Final = 0.02  # of the way from the mean floor to the limit: less is nobody's incident
KNOWN_S: Final = 2 * 86_400.0  # each hour of the day was seen twice
KNOWN: Final = 300  # readings
MEMORY_S: Final = 90 * 86_400.0  # over which means and records are forgotten
GAP_S: Final = 86_400.0
SPREAD: Final = 2.0  # of the interval, either way: a rise is seen first where it is steep by chance


@dataclass(frozen=True, slots=True)
class Ahead:
    """When a series reaches its limit, in seconds from the last reading, and how it got here."""

    left_s: float  # at the mean rate of the rise
    soonest_s: float  # at SPREAD times the rate of its steepest third
    latest_s: float  # at the rate of its flattest third over SPREAD
    per_s: float  # the mean rate of the rise, in the unit of the readings a second
    rise: float  # of the floor, up to `floor`
    floor: float
