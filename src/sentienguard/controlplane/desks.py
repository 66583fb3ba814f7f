"""What the intake keeps of each agent, and what it holds of a sample on its way.

Called by controlplane.intake and controlplane.sample_desk.
"""

import contextlib
import json
import threading
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from sentienguard.controlplane.sample_numbers import Numbers
from sentienguard.model.telemetry import Sample, Series
from sentienguard.ports.agent_store import Agent
from sentienguard.ports.metric_store import Moment
from sentienguard.stages.detect import detector as detection
from sentienguard.stages.detect.deviations import Deviations
from sentienguard.stages.detect.ramps import Ramps

LANES_SAVED_EACH = 20  # samples: ten minutes at one each thirty seconds


class Names:
    """The series of one agent's last samples.

    Every sample names the same ones, and who looks one up by the very object that it keeps need not
    compare.
    """

    __slots__ = ("_host", "_series")

    def __init__(self) -> None:
        """Know none."""
        self._host = ""
        self._series: dict[tuple[str, str], Series] = {}

    def readings(self, sample: Sample) -> list[tuple[Series, float]]:
        """Return the values of a sample, each by its series."""
        known, host = self._series, sample.host
        if host != self._host or len(known) > 2 * len(sample.values):  # names come from hosts
            known.clear()
            self._host = host
        found = []
        for place, value in sample.values.items():
            series = known.get(place)
            if series is None:
                series = known[place] = Series(host, *place)
            found.append((series, value))
        return found


@dataclass
class Desk:
    """What is kept in memory of one agent; everything here can be rebuilt."""

    detector: detection.Detector
    deviations: Deviations = field(default_factory=Deviations)
    ramps: Ramps = field(default_factory=Ramps)
    lock: threading.Lock = field(default_factory=threading.Lock)
    texts: dict[int, bytes] = field(default_factory=dict)
    names: Names = field(default_factory=Names)
    seqs: Numbers = field(default_factory=Numbers)
    saved: str = ""
    known: int = 0  # highest sample number that the detector remembers; -1: recall what was saved
    newest: tuple[int, datetime] | None = None  # highest number and latest time of its samples
    doubts: int = 0  # samples that do not go on from the others: identities.judge

    def watches(self) -> str:
        """Return what has to be saved as soon as it changes."""
        return json.dumps(self.detector.state()["watches"], sort_keys=True)

    def state(self) -> str:
        """Return what is saved then."""
        return json.dumps(self.detector.state(), sort_keys=True)

    def learned(self) -> str:
        """Return what the lanes learned, a line each."""
        return f"{self.deviations.state()}\n{self.ramps.state()}"

    def recall(self, learned: str) -> Iterator[ValueError]:
        """Go on from what `learned` returned; yield why a lane cannot, which learns anew."""
        lanes: tuple[Deviations | Ramps, ...] = (self.deviations, self.ramps)
        states = learned.split("\n")  # of an earlier release one, of deviations
        for lane, state in zip(lanes, states, strict=False):
            try:
                lane.restore(state)
            except ValueError as problem:
                yield problem

    def lanes_are_due(self, sample: Sample) -> bool:
        """Tell whether what the lanes learned is to be saved.

        It is large and not urgent, so each host has its own turn; but a ramp is saved at once.
        """
        turn = (sample.seq + zlib.crc32(sample.agent.encode())) % LANES_SAVED_EACH
        return turn == 0 or self.ramps.unsaved


@dataclass(frozen=True, slots=True)
class Read:
    """What a frame says."""

    agent: Agent
    sample: Sample
    text: bytes

    def moment(self, names: "Names") -> Moment:
        """Return its readings, each by its series."""
        return Moment(self.sample.at, names.readings(self.sample))


@dataclass(eq=False, slots=True)
class Arrival:
    """One frame that came, and what became of it."""

    agent: Agent
    frame: bytes
    taken: bool = False  # false: taken before, or `problem`, or `rest`
    problem: Exception | None = None  # why it was not taken
    rest: Callable[[], bool] | None = None  # what is left to do; returns what `accept` would


@dataclass(eq=False, slots=True)
class Held:
    """One of many samples, and the desk that is taken for it."""

    arrival: Arrival
    desk: Desk
    read: Read
    judgement: detection.Judgement | None = None  # None: not judged yet
    at_work: bool = True  # the desk is to be let go by whoever took it

    def let_go(self) -> None:
        """Leave the desk to others."""
        self.at_work = False
        self.desk.lock.release()

    def fail(self, problem: Exception) -> None:
        """Say why the sample was not taken; it is sent again, and judged again (rule 1)."""
        if self.at_work:
            if self.judgement is not None:
                self.desk.known = -1
            self.arrival.problem = problem
            self.let_go()


@contextlib.contextmanager
def judging(desk: Desk) -> Iterator[None]:
    """Forget what was judged where it cannot be kept: it is judged again (rule 1)."""
    try:
        yield
    except BaseException:
        desk.known = -1
        raise
