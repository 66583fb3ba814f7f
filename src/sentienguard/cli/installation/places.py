"""Where the files of one installation lie."""

from dataclasses import dataclass
from pathlib import Path

from sentienguard.model import errors


@dataclass(frozen=True, slots=True)
class Places:
    """A data directory and what is in it."""

    data: Path  # absolute; mode 0700

    @property
    def centre(self) -> Path:
        """Return the directory of the control plane."""
        return self.data / "controlplane"

    @property
    def offline(self) -> Path:
        """Return the directory of the keys that the control plane never opens."""
        return self.data / "offline"

    @property
    def agent(self) -> Path:
        """Return the directory of this machine's agent."""
        return self.data / "agent"

    @property
    def run(self) -> Path:
        """Return the directory that says what runs."""
        return self.data / "run"

    @property
    def logs(self) -> Path:
        """Return the directory of the processes' own output."""
        return self.data / "logs"

    @property
    def records(self) -> Path:
        """Return the directory of the incident records that drills keep."""
        return self.data / "records"

    @property
    def sandbox(self) -> Path:
        """Return the only directory that drills may break."""
        return self.data / "sandbox"

    @property
    def ready(self) -> Path:
        """Return the file that the control plane writes when it is ready."""
        return self.run / "controlplane.json"

    def make(self) -> None:
        """Make the directories, for their owner alone. Raises errors.Rejected."""
        try:
            for directory in (self.data, self.centre, self.run, self.logs, self.records):
                directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.data.chmod(0o700)
        except OSError as cause:
            raise errors.Rejected(
                f"{self.data} cannot be the data directory: {cause.strerror}; name another one "
                "with --data, or give it to this user"
            ) from cause

    def log(self, name: str) -> Path:
        """Return the file with a process's own output."""
        return self.logs / f"{name}.log"
