"""What a backtest asks for."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from sentienguard.cli.history_sources import NODE_EXPORTER, Recipe

DAY_S: Final = 86_400
LEARNED_DAYS: Final = 7  # before the first judged day: what a baseline looks back
_UNITS: Final = 'node_systemd_unit_state{state="failed",name=~".+[.]service"}'

# What an import need not have and a judgement wants. A unit is asked for around its failures only:
# a host has two hundred units, and one that never failed says nothing.
ALSO: Final[Sequence[Recipe]] = (
    Recipe(
        "service.up",
        f'1 - label_replace({_UNITS} and max_over_time({_UNITS}[1h]) == 1, "unit", "$1", "name", '
        '"(.+)[.]service")',
        "unit",
    ),
    Recipe("system.zombies", 'node_processes_state{state="Z"}'),
    Recipe("system.clock_synchronised", "node_timex_sync_status"),
)
ALERTS: Final = 'ALERTS{alertstate="firing"}'


@dataclass(frozen=True, slots=True)
class Plan:
    """One backtest; the same plan in the same directory goes on where it was."""

    url: str
    days: int  # that are judged
    end_s: int  # seconds since 1970, a multiple of the step
    step_s: int
    environment: str  # that all hosts count as
    host_label: str
    renamed: Mapping[str, str]  # value of that label -> host
    recipes: tuple[Recipe, ...]

    @property
    def judged_from_s(self) -> int:
        """When judging begins."""
        return self.end_s - self.days * DAY_S

    @property
    def start_s(self) -> int:
        """When the history begins that is asked for."""
        return self.judged_from_s - LEARNED_DAYS * DAY_S

    @property
    def steps(self) -> int:
        """How many moments there are from start to end."""
        return (self.end_s - self.start_s) // self.step_s

    def pages(self) -> list[tuple[int, int]]:
        """Return the spans that are asked for one at a time: a day each, the last step left out."""
        longest = max(DAY_S // self.step_s, 1) * self.step_s
        return [
            (start, min(start + longest, self.end_s))
            for start in range(self.start_s, self.end_s, longest)
        ]

    def identity(self) -> str:
        """Return what makes it another backtest; a later end is the same one, gone on with."""
        said: dict[str, Any] = asdict(self)
        del said["end_s"]
        return json.dumps(said, sort_keys=True)


def recipes(given: Sequence[Recipe]) -> tuple[Recipe, ...]:
    """Return what is asked for: what was given, else what node_exporter measures."""
    return tuple(given) or (*NODE_EXPORTER, *ALSO)
