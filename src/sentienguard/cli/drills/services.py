"""What the drills on services have in common: one that breaks, one that must not notice."""

import hashlib
import time
from collections.abc import Mapping

from sentienguard.cli.drills import drill
from sentienguard.cli.installation import sandbox as sandboxes

HEALTHY = 200
DEGRADED = 503
LOOK_S = 5.0  # for a service that has just been restarted to answer


class OnService:
    """A drill that breaks one service; its neighbour has to run on untouched."""

    broken = sandboxes.NAMES[0]
    neighbour = sandboxes.NAMES[1]

    def __init__(self, sandbox: sandboxes.Sandbox) -> None:
        """Work on this sandbox."""
        self.service = sandbox.services[self.broken]
        self._neighbour = sandbox.services[self.neighbour]

    @property
    def symptom(self) -> drill.Symptom:
        """Return the health of the service."""
        return drill.Symptom("service.healthy", self.broken)

    def is_gone(self) -> bool:
        """Ask the service."""
        return wait_for_status(self.service, HEALTHY)

    def facts(self) -> Mapping[str, str]:
        """Return the process and the files of the neighbour."""
        process = self._neighbour.process()
        return {
            f"the process of {self.neighbour}": str(process.pid) if process else "gone",
            f"the settings of {self.neighbour}": digest(self._neighbour),
        }

    def clean_up(self) -> None:
        """Make the service healthy again."""
        self.service.mend()


def wait_for_status(service: sandboxes.Service, wanted: int) -> bool:
    """Ask until the service answers so; False where it does not within a few seconds."""
    until = time.monotonic() + LOOK_S
    while service.status() != wanted:
        if time.monotonic() > until:
            return False
        time.sleep(0.1)
    return True


def digest(service: sandboxes.Service) -> str:
    """Return a short digest of the service's settings, byte for byte."""
    return hashlib.sha256(service.config.read_bytes()).hexdigest()[:16]
