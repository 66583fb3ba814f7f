"""Measure one fact of a host, now.

Called by stages.execute (guards, only_if, check kinds condition and metric). Offered by
adapters.local_host.facts and by simulated hosts.

Names: disk_usage, inode_usage (percent), disk_free (bytes), cpu_percent, memory_percent,
memory_free (bytes), swap_percent, load_1m, zombies; service_status (running, stopped, hung,
missing), http_status (0: no answer); process_alive (bool), process_cpu (percent of one core),
process_memory (bytes).
Disk facts are of parameter `mount` (else /), service facts of `service`, process facts of `pid`.
"""

from collections.abc import Mapping
from typing import Protocol, TypeAlias

from sentienguard.model import errors

Fact: TypeAlias = str | float | int | bool


class UnknownFact(errors.Rejected):
    """No such fact, or the parameter that says of what is missing; never guessed."""


class FactNotMeasured(errors.Unavailable):
    """The fact exists and could not be measured now."""


class Facts(Protocol):
    """What one host can say about itself."""

    def measure(self, name: str, parameters: Mapping[str, str]) -> Fact:
        """Measure one fact. Raises UnknownFact, FactNotMeasured."""
