"""A service answers with errors, and its safe mode would do."""

from sentienguard.cli.drills import drill, services
from sentienguard.cli.installation import sandbox as sandboxes


class ServiceDegraded(services.OnService):
    """Take away the file that an optional feature of drill-api needs."""

    broken = sandboxes.NAMES[1]
    neighbour = sandboxes.NAMES[0]
    name = "service-degraded"
    description = (
        "A dependency of the API service disappears and /health answers 503; restarted in safe "
        "mode, which does without the dependency, it has to answer 200."
    )
    expected = drill.Expected("resolved", "service_safe_mode", "resolved by service_safe_mode")

    def inject(self) -> str:
        """Remove the dependency."""
        self.service.dependency.unlink(missing_ok=True)
        return f"the dependency of {self.broken} is gone: /health answers {self.service.status()}"

    def is_present(self) -> bool:
        """Ask the service."""
        return self.service.status() == services.DEGRADED
