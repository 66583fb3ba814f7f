"""The figures of the deviation lane, for its vectorised and its scalar form alike.

Imports nothing: the scalar form runs where there is no numpy.
"""

from typing import Final

SPANS: Final = (100, 500, 2000)  # readings that a mean looks back on
CLIP: Final = 3.0  # standard deviations up to which a reading is learned
MOST: Final = 1e15  # readings beyond are taken for this: their squares stay finite
FLOOR: Final = 0.02  # a spread is at least this part of the largest reading so far
RELATIVE: Final = 0.05  # and this part of the longest mean
TINY: Final = 1e-9  # and this, in the unit of the readings
YOUNG: Final = 30  # readings before anything is clipped
MUTE: Final = 6  # readings before anything is judged
THRESHOLD: Final = 3.2  # sigma; chosen on the development half of service metrics

HOUR_S: Final = 3600.0
DAY_S: Final = 86_400.0
DAY_SHARE: Final = 0.15  # how much of an hour of the day its latest time replaces
NEIGHBOURS: Final = (-1, 0, 1)  # hours that an hour is judged by
LEAST: Final = 3  # readings of these hours before they say anything
CLIPPED: Final = 10  # and before they bound what is learned
LARGEST_READING: Final = 3.4028235677973366e38  # from here on it is infinite as float32, so missing
