"""A service answers with errors, and the remedy that is for it does not help."""

from collections.abc import Mapping

from sentienguard.cli.drills import drill, services


class ServiceBrokenFix(services.OnService):
    """Take away the dependency of drill-web, and let safe mode make no difference."""

    name = "service-broken-fix"
    description = (
        "The web service answers 503 and not even safe mode helps: the verification of the remedy "
        "has to fail, its change be undone byte for byte, and people be told."
    )
    expected = drill.Expected(
        "rolled_back", "service_safe_mode", "service_safe_mode tried, undone and escalated"
    )

    def inject(self) -> str:
        """Have its next start need the dependency in any mode, and remove that."""
        self.service.configure(safe_mode="off", require_dependency="always")
        self.service.dependency.unlink(missing_ok=True)
        return (
            f"the dependency of {self.broken} is gone and safe mode cannot do without it: "
            f"/health answers {self.service.status()}"
        )

    def is_present(self) -> bool:
        """Ask the service."""
        return self.service.status() == services.DEGRADED

    def is_gone(self) -> bool:
        """Look whether it is as it was before the attempt: running, and still in need of people."""
        return services.wait_for_status(self.service, services.DEGRADED)

    def facts(self) -> Mapping[str, str]:
        """Return the neighbour's, and the service's own settings: undo restores every byte."""
        return {
            **super().facts(),
            f"the settings of {self.broken}": services.digest(self.service),
        }
