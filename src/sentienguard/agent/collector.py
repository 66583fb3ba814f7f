"""The collector's process: everything is put together here and nowhere else.

Called by `agent.lean` in an interpreter that holds the standard library alone. Threads: the
sampler, the sender, four couriers; the main thread waits for signals. Two connections to the
centre: one for short requests, which take turns, one for the long poll.
"""

import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path

from sentienguard.agent import (
    bookmarks,
    collectors,
    confinement,
    couriers,
    diary,
    executor_link,
    renewing,
    sampler,
    sender,
    server_pins,
    settings,
    spool,
    uplink,
)
from sentienguard.agent.collectors import (
    certificates,
    clock,
    cpu,
    disk_io,
    disks,
    kernel_tables,
    load,
    memory,
    network,
    pressure,
    probes,
    processes,
    services,
    transport,
    volumes,
)
from sentienguard.agent.collectors import logs as log_sources
from sentienguard.agent.collectors.logs import files, journal, kernel, telling
from sentienguard.agent.collectors.software import kinds
from sentienguard.agent.collectors.statsd import receiver
from sentienguard.agent.collectors.systemd import units
from sentienguard.model import errors

STACK_BYTES = 256 * 1024  # of a thread; the deepest is TLS with about 60 kB
GRACE_S = 0.8  # for the threads to end, so that SIGTERM is done within a second
_PARENT_S = 5.0  # between two looks whether the supervisor still lives


def main(directory: Path, *, supervisor: int = 0) -> int:
    """Run until SIGTERM or SIGINT; return the exit status.

    `supervisor` is the process id of whoever restarts us: we end when it has gone.
    """
    told = diary.Diary("collector")
    os.umask(0o077)
    threading.stack_size(STACK_BYTES)
    try:
        running, level = _confined(directory, told)
    except (errors.SentienGuardError, OSError) as error:
        told.tell("cannot start", reason=f"{type(error).__name__}: {error}")
        return 1
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: running.stop.set())
    running.start()
    told.tell(
        "started",
        pid=os.getpid(),
        interval_s=running.sampler.interval_s,
        confinement=level.text,
        missing="; ".join(level.missing),
    )
    while not running.stop.wait(_PARENT_S if supervisor else None):
        if supervisor and os.getppid() != supervisor:
            told.tell("supervisor gone", pid=supervisor)
            running.stop.set()
    running.end()
    told.tell("stopped")
    return 0


def _confined(directory: Path, told: diary.Diary) -> tuple["Collector", confinement.Level]:
    """Put the collector together and shut it in, in the order that agent.confinement asks for."""
    configured = settings.read(directory)
    if configured.confinement == "off":
        level = confinement.Level(0, seccomp=False, missing=("agent.json says off",))
        return Collector(directory, told), level
    written = [settings.Places(directory).collector]
    if configured.statsd_socket is not None:
        written.append(Path(configured.statsd_socket).parent)
    version, why_not = confinement.landlock(written, [Path(os.devnull)])
    running = Collector(directory, told)
    level = confinement.settle(configured.confinement, version, why_not, confinement.seccomp())
    running.confinement = level.text
    return running, level


def compose(configured: settings.Settings, logs: telling.Logs) -> tuple[collectors.Collector, ...]:
    """Return all collectors in the order in which they read."""
    declared = tuple(configured.services.values())
    return (
        cpu.Cpu(),
        memory.Memory(),
        load.Load(),
        pressure.Pressure(),
        network.Network(),
        transport.Transport(),
        disk_io.DiskIo(),
        kernel_tables.KernelTables(),
        clock.Clock(),
        certificates.Certificates(configured.certificates, configured.controls),
        processes.Processes(configured.limits.top),
        services.Services(declared),
        *kinds.compose(configured),
        probes.Probes(configured.probes),
        *(() if configured.confined else (disks.Disks(),)),
        volumes.Volumes(configured.volumes, configured.limits),  # after disks: adds their paths
        logs,
    )


class Collector:
    """The parts of one collector process and their threads."""

    def __init__(self, directory: Path, told: diary.Diary) -> None:
        configured = settings.read(directory)
        places = settings.Places(directory)
        home = places.collector
        context = uplink.client_context(
            home / "ca.pem", certificate=home / "tls.crt", key=home / "tls.key"
        )
        (host, port), *others = configured.server_addresses
        known = server_pins.read(home / server_pins.FILE) or configured.pins
        address = uplink.Address(host, port, known, tuple(others))
        self.stop = threading.Event()
        self.confinement = "off"  # what this process reached; each poll says it
        self._diary = told
        self._spool = spool.Spool(
            home / "spool",
            most_bytes=configured.limits.spool_bytes,
            most_rejected=configured.limits.rejected_files,
        )
        self._marks = bookmarks.Bookmarks(home / "state.json")
        self._push = uplink.Uplink(address, context)
        self._poll = uplink.Uplink(address, context)
        self._links = [executor_link.ExecutorLink(places.socket) for _ in range(4)]
        self._renewal = renewing.RenewalCourier(
            home, context, (self._push, self._poll), self._links[3]
        )
        self._servers = server_pins.KnownServers(
            home / server_pins.FILE, configured.pins, (self._push, self._poll)
        )
        self._units = None if configured.confined else units.Units()
        logs = self._compose_logs(configured)
        family = compose(configured, logs)
        if self._units is not None:
            family = (self._units, *family)  # before the logs, which tell what it heard
        self._statsd: receiver.Statsd | None = None
        if configured.statsd_socket is not None:
            self._statsd = receiver.Statsd(Path(configured.statsd_socket))
            family = (*family, self._statsd)
        self.sampler = sampler.Sampler(
            configured,
            family,
            logs=logs,
            keep_logs=self._keep_logs,
            kept=self._spool,
            told=told,
        )
        # Who samples often tries often: a centre that is back hears of the next sample.
        self._sender = sender.Sender(
            self._spool, self._push, told, most_pause_s=configured.interval_s
        )
        self._couriers = self._make_couriers(configured.limits)
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Start every thread."""
        self._begin("sampler", self.sampler.run, self.stop)
        self._begin("sender", self._sender.run, self.stop)
        for courier in self._couriers:
            self._begin(courier.name, couriers.run, courier, self._diary, self.stop)

    def end(self) -> None:
        """End every request that waits, let the threads finish, keep what there is."""
        self.stop.set()
        self._spool.wake()
        self._push.close()
        self._poll.close()
        for link in self._links:
            link.close()
        share_s = GRACE_S / len(self._threads)
        for thread in self._threads:
            thread.join(share_s)
        if self._statsd is not None:
            self._statsd.close()
        if self._units is not None:
            self._units.close()
        if not any(thread.is_alive() for thread in self._threads[:2]):
            self._spool.close()

    def _begin(self, name: str, work: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=work, name=name, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _compose_logs(self, configured: settings.Settings) -> telling.Logs:
        """Tail the declared log files and those of the services, each once, and the rest."""
        declared = [service.log_file for service in configured.services.values()]
        paths = dict.fromkeys([*configured.log_files, *(file for file in declared if file)])
        limits = configured.limits
        self._files = files.Files(
            tuple(paths), most_bytes=limits.log_read_bytes, positions=self._marks.positions
        )
        self._journal = journal.Journal(configured.journal_units, cursor=self._marks.cursor)
        sources: list[log_sources.Source] = [self._files, self._journal]
        if not configured.confined:
            sources.append(kernel.Kernel())
        if self._units is not None:
            sources.append(self._units.changes)
        return telling.Logs(sources, most_lines=limits.log_lines)

    def _keep_logs(self) -> None:
        self._marks.keep_logs(self._files.positions, self._journal.cursor)

    def _make_couriers(self, limits: settings.Limits) -> tuple[couriers.Courier, ...]:
        for_config, for_orders, for_events = self._links[:3]
        every_s = limits.config_s
        return (
            couriers.ConfigCourier(
                self._push, for_config, self.sampler, every_s=every_s, servers=self._servers
            ),
            couriers.OrderCourier(
                self._poll,
                for_orders,
                self._marks,
                self._diary,
                wait_s=limits.poll_s,
                confinement=lambda: self.confinement,
            ),
            couriers.EventCourier(self._push, for_events, self._marks),
            self._renewal,
        )
