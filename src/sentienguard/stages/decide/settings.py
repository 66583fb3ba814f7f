"""Settings of deciding. Read once by the process that decides, passed down as a value."""

from dataclasses import dataclass

from sentienguard.model.advice import May


@dataclass(frozen=True, slots=True)
class DecideSettings:
    """Where the lines of the policy run."""

    run_from: float = 0.95
    """Confidence from which a playbook may run; the host's own verification is enough."""

    run_and_verify_from: float = 0.90
    """Confidence from which it may run where the centre confirms the result."""

    ask_from: float = 0.80
    """Confidence from which a person may be asked to approve it."""

    dry_run_from: float = 0.70
    """Confidence from which it may show what it would do."""

    autonomy_successes: int = 5
    """Verified successes in an environment, without harm, before it runs unattended there."""

    autonomy_low: float = 0.80
    """How often, at the least, it has to work before it runs unattended again after a failure."""

    shadow_runs: int = 3
    """Dry runs before a playbook that brings no proving record may be proposed to a person."""

    drill_environment: str = "drill"
    """The one environment in which a signed proving record counts as a record of its own."""

    proving_share: float = 0.9
    """Share of the runs in a proving record that must have been verified."""

    breaker_failures: int = 2
    """Failures of a playbook, on a host or in a row in its environment, that stop it there."""

    service_starts_per_hour: int = 4
    """Unattended starts on one service in an hour; beyond that a person decides."""

    fleet_starts_per_hour: int = 20
    """Unattended starts in one environment in an hour; beyond that something larger is wrong."""

    blame_from: float = 0.5
    """Confidence of a diagnosis from which a cause elsewhere needs a person's yes."""

    advice_may: May = May.SHOWN
    """What a language model's opinion may do; whatever it is, nothing is permitted by it."""
