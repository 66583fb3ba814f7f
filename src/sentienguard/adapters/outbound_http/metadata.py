"""Ask the metadata service of this machine's cloud for a token, and nothing else of it.

The one exception to rule 6 of the package, made by the composition root for the stores of secrets
alone. An address of metadata is refused to every other request, whoever names it. Here:

1. One address, written here and resolved by nobody; port 80; GET without a body.
2. Two paths, which hand out a token for the machine's own identity.
3. A redirect is an answer; there is nowhere else to go.
"""

from typing import Final

from sentienguard.adapters.outbound_http import destinations
from sentienguard.adapters.outbound_http.client import GuardedClient
from sentienguard.adapters.outbound_http.destinations import METADATA, Allowed, Destination
from sentienguard.ports.outbound import Answer, NotAllowed, Request

LIMIT_S: Final = 3.0  # it is on this machine's link, and absent outside a cloud
PATHS: Final = frozenset({
    "/computeMetadata/v1/instance/service-accounts/default/token",  # Google
    "/metadata/identity/oauth2/token",  # Azure
})  # fmt: skip
_ONE: Final = Allowed("http", METADATA, 80, metadata=True)


class MetadataService:
    """An Outbound to one place."""

    def __init__(self) -> None:
        """Prepare; nothing is asked yet."""
        self._way = GuardedClient([_ONE], limit_s=LIMIT_S, resolver=lambda _host, _port: [METADATA])

    def send(self, request: Request) -> Answer:
        """Ask for a token; see ports.outbound."""
        asked = destinations.parse(request.url)
        path = asked.target.partition("?")[0]
        plain = request.method == "GET" and not request.body
        if not plain or path not in PATHS or asked != _destination(asked.target):
            raise NotAllowed("the metadata service is asked for a token, and for nothing else")
        return self._way.send(request)


def _destination(target: str) -> Destination:
    return Destination(_ONE.scheme, _ONE.host, _ONE.port, target)
