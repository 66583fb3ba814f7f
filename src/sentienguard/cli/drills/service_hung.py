"""A service is there and does not answer."""

import signal
import time

from sentienguard.adapters.local_host import procfs
from sentienguard.cli.drills import drill, services

STOPPED = frozenset({"T", "t"})  # states in /proc/PID/stat
STOPS_S = 2.0


class ServiceHung(services.OnService):
    """Stop every process of drill-web with SIGSTOP."""

    name = "service-hung"
    description = (
        "The web service is stopped with SIGSTOP: its process is there, its port accepts, nothing "
        "answers; it has to be restarted, and the service beside it stays as it is."
    )
    expected = drill.Expected(
        "resolved", "service_restart_hung", "resolved by service_restart_hung"
    )

    def inject(self) -> str:
        """Stop the whole process group."""
        process = self.service.process()
        if process is None:
            raise drill.NotInjected(f"{self.broken} does not run, so it cannot hang")
        leader = procfs.find(process.pid)
        members = procfs.members(leader.group) if leader and leader.group == leader.pid else ()
        for each in members or ((leader,) if leader else ()):
            procfs.send(each, signal.SIGSTOP)
        until = time.monotonic() + STOPS_S
        while self.service.state() not in STOPPED and time.monotonic() < until:
            time.sleep(0.01)  # the signal is on its way to every thread
        return f"SIGSTOP for {self.broken} (process {process.pid})"

    def is_present(self) -> bool:
        """Look at the state of the process, and ask it."""
        return self.service.state() in STOPPED and self.service.status() == 0
