"""The volume and the two services that drills may break; nothing else of this machine is touched.

    DIR/sandbox/volume           64 MiB: a tmpfs where mounting is allowed, else a directory that
                                 the agent watches against a budget
    DIR/sandbox/<service>/       config, log, pid file and dependency of drill-web and drill-api
    DIR/sandbox/sandbox.json     which of the two the volume is, and the services' ports

Called by `up`, `down`, the drills and the doctor.
"""

import json
import os
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from sentienguard.adapters.local_host import http_probe, procfs
from sentienguard.agent import settings as agent_settings
from sentienguard.cli import private_files
from sentienguard.cli.drills import web_service
from sentienguard.cli.installation import ports, processes
from sentienguard.model import errors

VOLUME_BYTES = 64 << 20
NAMES = ("drill-web", "drill-api")
MODULE = "sentienguard.cli.drills.web_service"
MOUNT_S = 10.0
START_S = 10.0
STOP_S = 3.0
MEND_S = 3.0  # for a service to read its settings again
PROBE_S = 1.0


@dataclass(frozen=True, slots=True)
class Service:
    """One drill service."""

    name: str
    directory: Path
    port: int

    @property
    def config(self) -> Path:
        """Return its configuration file."""
        return self.directory / "service.conf"

    @property
    def log(self) -> Path:
        """Return its log file."""
        return self.directory / "service.log"

    @property
    def pid_file(self) -> Path:
        """Return the file with the id of its process."""
        return self.directory / "service.pid"

    @property
    def dependency(self) -> Path:
        """Return the file that its health depends on."""
        return self.directory / "dependency"

    @property
    def health_url(self) -> str:
        """Return the address that is asked for its health."""
        return f"http://{ports.LOOPBACK}:{self.port}/health"

    def argv(self, interpreter: str) -> tuple[str, ...]:
        """Return what starts it."""
        return (interpreter, "-m", MODULE, "--config", str(self.config))

    def process(self) -> processes.Known | None:
        """Return its process: the one in the pid file, if that is this service."""
        try:
            pid = int(self.pid_file.read_text("ascii"))
        except (OSError, ValueError):
            return None
        if str(self.config) not in processes.command_line(pid):
            return None
        return processes.known(pid)

    def state(self) -> str:
        """Return the state of its process as /proc names it: S, T (stopped) ...; empty: none."""
        process = self.process()
        found = procfs.find(process.pid) if process else None
        return found.state if found else ""

    def status(self, limit_s: float = PROBE_S) -> int:
        """Return the HTTP status of its health; 0 where nothing answers."""
        return http_probe.LoopbackProbe().ask(self.health_url, limit_s).status

    def calm(self) -> None:
        """Put its files back as a healthy service has them."""
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.dependency.write_text("here\n", "ascii")
        self.configure(safe_mode="off", require_dependency="normal")

    def configure(self, *, safe_mode: str, require_dependency: str) -> None:
        """Write its configuration; it counts from its next start or reload."""
        values = {
            "name": self.name,
            "port": str(self.port),
            "log_file": str(self.log),
            "dependency": str(self.dependency),
            "safe_mode": safe_mode,
            "require_dependency": require_dependency,
        }
        private_files.write(self.config, web_service.render(values).encode())

    def start(self) -> processes.Known:
        """Start it unless it runs, and wait until it answers. Raises processes.DidNotStart."""
        process = self.process()
        if process is None:
            process = processes.launch([MODULE, "--config", str(self.config)], self.log)
            self.pid_file.write_text(f"{process.pid}\n", "ascii")
        until = time.monotonic() + START_S
        while self.status() == 0:
            processes.reap()
            if not process.alive or time.monotonic() > until:
                raise processes.DidNotStart(
                    f"{self.name} does not answer at {self.health_url}; the end of {self.log}:\n"
                    f"{processes.tail(self.log)}"
                )
            time.sleep(processes.POLL_S)
        return process

    def stop(self) -> bool:
        """Stop it; False where it did not run."""
        process = self.process()
        if process is None:
            return False
        processes.stop(process, grace_s=STOP_S)
        self.pid_file.unlink(missing_ok=True)
        return True

    def mend(self) -> None:
        """Make it healthy again, whatever a drill or a remedy left.

        One that still listens to us is not restarted, which the product would notice as a fault.
        """
        self.calm()
        process = self.process()
        if process is not None:
            process.send(signal.SIGCONT)
            process.send(signal.SIGHUP)
            until = time.monotonic() + MEND_S
            while process.alive and time.monotonic() < until:
                if self.status() == HTTPStatus.OK:
                    return
                time.sleep(processes.POLL_S)
            self.stop()
        self.start()


@dataclass(frozen=True, slots=True)
class Sandbox:
    """What drills may break."""

    directory: Path
    mounted: bool  # true: the volume is a tmpfs of ours; false: a directory with a budget
    services: Mapping[str, Service]

    @property
    def volume(self) -> Path:
        """Return the volume's path."""
        return self.directory / "volume"

    @property
    def kind(self) -> str:
        """Say what the volume is."""
        size = f"{VOLUME_BYTES >> 20} MiB"
        return f"a tmpfs of {size}" if self.mounted else f"a directory with a budget of {size}"

    def used_percent(self) -> float:
        """Measure the volume as the agent does."""
        if self.mounted:
            found = os.statvfs(self.volume)
            return 100.0 * (found.f_blocks - found.f_bfree) / found.f_blocks
        return 100.0 * _bytes_below(self.volume) / VOLUME_BYTES

    def declared_volumes(self) -> tuple[agent_settings.Volume, ...]:
        """Return the volume as agent.json declares it."""
        budget = None if self.mounted else VOLUME_BYTES
        return (agent_settings.Volume(str(self.volume), budget),)

    def declared_services(self, interpreter: str) -> dict[str, agent_settings.Service]:
        """Return the services as agent.json declares them."""
        return {
            one.name: agent_settings.Service(
                name=one.name,
                start=one.argv(interpreter),
                pid_file=str(one.pid_file),
                health_url=one.health_url,
                log_file=str(one.log),
                config_file=str(one.config),
            )
            for one in self.services.values()
        }


def exists(directory: Path) -> bool:
    """Tell whether this installation has a sandbox."""
    return (directory / "sandbox.json").exists()


def read(directory: Path) -> Sandbox:
    """Read which sandbox this is. Raises errors.Rejected."""
    file = directory / "sandbox.json"
    try:
        found = json.loads(file.read_bytes())
        numbers = {name: int(found["ports"][name]) for name in NAMES}
        mounted = bool(found["mounted"])
    except (OSError, ValueError, KeyError, TypeError) as cause:
        raise errors.Rejected(
            f"{file}: no sandbox ({cause}); `sentienguard up --drills` makes one in a fresh "
            "data directory"
        ) from cause
    return Sandbox(directory, mounted, _services(directory, numbers))


def raise_up(directory: Path) -> Sandbox:
    """Make the sandbox, or bring it back after `down` or a restart of the machine."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    if exists(directory):
        numbers = {one.name: one.port for one in read(directory).services.values()}
    else:
        numbers = {name: ports.free() for name in NAMES}
    made = Sandbox(directory, _mount(directory / "volume"), _services(directory, numbers))
    record = {"mounted": made.mounted, "ports": numbers}
    private_files.write(directory / "sandbox.json", json.dumps(record).encode())
    for service in made.services.values():
        if service.process() is None:
            service.calm()
        service.start()
    return made


def take_down(sandbox: Sandbox) -> list[str]:
    """Stop the services and unmount the volume; say what was done."""
    done = [f"{one.name} stopped" for one in sandbox.services.values() if one.stop()]
    if os.path.ismount(sandbox.volume):
        found = _run("umount", str(sandbox.volume))
        if found:
            raise errors.Unavailable(
                f"{sandbox.volume} cannot be unmounted: {found}; close what is open there and "
                "run `sentienguard down` again"
            )
        done.append("drill volume unmounted")
    return done


def _services(directory: Path, numbers: Mapping[str, int]) -> dict[str, Service]:
    return {name: Service(name, directory / name, port) for name, port in numbers.items()}


def _mount(volume: Path) -> bool:
    """Mount a tmpfs on the volume; False where that is not allowed here."""
    volume.mkdir(exist_ok=True, mode=0o700)
    if os.path.ismount(volume):
        return True
    if os.geteuid() != 0:
        return False
    options = f"size={VOLUME_BYTES},mode=0700,nodev,nosuid,noexec"
    return not _run("mount", "-t", "tmpfs", "-o", options, "sentienguard-drill", str(volume))


def _run(*argv: str) -> str:
    """Run a program; return what it complained about, empty where it succeeded."""
    try:
        done = subprocess.run(  # noqa: S603  # argv written here, no shell
            argv, capture_output=True, text=True, timeout=MOUNT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return "" if done.returncode == 0 else (done.stderr.strip() or f"status {done.returncode}")


def _bytes_below(directory: Path) -> int:
    total = 0
    for place, _, names in os.walk(directory):
        for name in names:
            try:
                total += (Path(place) / name).lstat().st_size
            except OSError:
                continue
    return total
