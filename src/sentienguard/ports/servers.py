"""Ask a server program of a host, and have it do one thing of a closed list, in its own protocol.

Called by stages.execute (steps `redis`, `haproxy`, `rabbitmq`, `certificate`). Offered by
adapters.local_servers and by simulated hosts. A service may be asked here only where the owner of
the host declared it in agent.json under `controls`; everything else is NotControlled.

Words that cross it, none of them from a playbook's text beyond closed choices and numbers:

    kind         setting             values                choose            deeds
    redis        policy              maxmemory-policy      slow_clients      flush, save, reconnect,
                                                                             drop ID
    haproxy      BACKEND/SERVER      ready, drain          drained,          -
                                                           flapping
    rabbitmq     -                   -                     stuck             close CONNECTION
    certificate  -                   -                     -                 renew
"""

from typing import Protocol

from sentienguard.model import errors


class NotControlled(errors.Rejected):
    """The owner of the host declared no such control of this service."""


class ServerFailed(errors.Unavailable):
    """The program did not answer, or refused; the message says what it said."""


class Servers(Protocol):
    """The server programs of one host."""

    def is_cache(self, service: str) -> bool:
        """Tell whether the owner declared that it holds nothing that cannot be made again."""

    def setting(self, service: str, kind: str, key: str) -> str:
        """Return how something is set now. Raises NotControlled, ServerFailed."""

    def change(self, service: str, kind: str, key: str, value: str) -> None:
        """Set it. Raises NotControlled, ServerFailed."""

    def choose(self, service: str, kind: str, what: str, at_least: float) -> tuple[str, ...]:
        """Name what a deed would be done to, the worst first.

        `at_least` is in the unit of `what`: bytes that a client has not read, seconds that a
        consumer said nothing, times that a server was down.
        Raises NotControlled, ServerFailed.
        """

    def do(self, service: str, kind: str, deed: str, operand: str, limit: float) -> bool:
        """Do it within `limit` seconds; tell whether there was something to do.

        Raises NotControlled, ServerFailed.
        """
