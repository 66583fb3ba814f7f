"""What every host promises of its processes and its services."""

import dataclasses
import os
import signal
import time

import pytest

from sentienguard.ports import processes, services
from tests.contract import host_ports

# -- processes -------------------------------------------------------------------------------------


def test_a_process_is_found_by_number_and_name(host, sleeper):
    time.sleep(0.05)
    found = host.processes.find(sleeper)
    assert (found.name, found.parent) == ("sleep", os.getpid())
    assert sleeper in {one.pid for one in host.processes.named("sleep")}
    assert host.processes.find(2**22 - 1) is None


def test_a_zombie_is_no_process(host, sleeper):
    found = host.processes.find(sleeper)
    host.processes.send(found, processes.Signal.KILL)
    assert host.processes.wait_gone(found, 5)
    assert host.processes.find(sleeper) is None


def test_a_signal_never_reaches_another_process_of_the_same_number(host, sleeper):
    other = dataclasses.replace(host.processes.find(sleeper), started=1)
    for act in (
        lambda: host.processes.send(other, processes.Signal.KILL),
        lambda: host.processes.renice(other, 5),
    ):
        with pytest.raises(processes.NoSuchProcess):
            act()
    assert host.processes.find(sleeper) is not None


def test_stop_continue_and_renice_do_what_they_say(host, sleeper):
    found = host.processes.find(sleeper)
    host.processes.send(found, processes.Signal.STOP)
    time.sleep(0.05)
    assert host.processes.find(sleeper).state == "T"
    host.processes.send(found, processes.Signal.CONTINUE)
    time.sleep(0.05)
    assert host.processes.find(sleeper).state == "S"
    host.processes.renice(found, 7)
    assert host.processes.find(sleeper).nice == 7


def test_the_agent_and_process_one_are_protected(host):
    for pid in (1, os.getpid(), os.getppid()):
        with pytest.raises(processes.ProcessProtected):
            host.processes.send(host.processes.find(pid), processes.Signal.KILL)


# -- services --------------------------------------------------------------------------------------


def test_a_service_starts_stops_and_starting_twice_changes_nothing(any_host):
    web = any_host.services
    assert web.state("web").status is services.Status.STOPPED
    web.start("web", 10)
    first = web.state("web").pid
    web.start("web", 10)
    assert web.state("web").pid == first is not None
    assert host_ports.up(any_host)
    web.stop("web", 10)
    web.stop("web", 10)
    assert web.state("web") == services.State(services.Status.STOPPED)


def test_a_service_that_hangs_is_alive_and_can_be_ended_and_started_again(any_host):
    any_host.services.start("web", 10)
    assert host_ports.up(any_host)
    any_host.hang("web")
    state = any_host.services.state("web")
    assert (state.status, state.alive) == (services.Status.HUNG, True)
    any_host.services.kill("web", 6)
    assert any_host.services.state("web").status is services.Status.STOPPED
    any_host.services.start("web", 10)
    assert host_ports.up(any_host)


def test_it_runs_detached_in_a_session_of_its_own(host):
    host.services.start("web", 10)
    pid = host.services.state("web").pid
    assert os.getsid(pid) == pid
    assert host.processes.find(pid).group == pid


@pytest.mark.parametrize("name", ["web", "deaf"])
def test_a_stopped_or_deaf_process_is_hung_and_can_be_ended(host, name):
    host.services.start(name, 10)
    assert host_ports.up(host, name)
    pid = host.services.state(name).pid
    os.kill(pid, signal.SIGSTOP)
    assert host.services.state(name).status is services.Status.HUNG
    host.services.stop(name, 6)
    assert host_ports.gone(pid)
    host.services.start(name, 10)
    assert host_ports.up(host, name)


def test_a_service_that_ends_at_once_is_said(host):
    with pytest.raises(services.ServiceFailed):
        host.services.start("broken", 5)
    assert host.services.state("absent").status is services.Status.MISSING
    with pytest.raises(services.ServiceFailed):
        host.services.start("absent", 5)


def test_an_unknown_service_is_refused(any_host):
    for act in (any_host.services.state, any_host.services.describe):
        with pytest.raises(services.UnknownService):
            act("no such service")
    for act in (any_host.services.start, any_host.services.stop, any_host.services.reload):
        with pytest.raises(services.UnknownService):
            act("no such service", 1)
    assert "web" in any_host.services.names()


def test_a_pid_file_that_names_somebody_else_is_not_believed(host, sleeper):
    host.services.start("web", 10)
    host.services.stop("web", 10)
    pid_file = host.directory / "web.pid"
    pid_file.write_text(f"{sleeper}\n")
    long_ago = time.time() - 3600
    os.utime(pid_file, (long_ago, long_ago))
    assert host.services.state("web").status is services.Status.STOPPED
    host.services.kill("web", 5)
    assert not host_ports.gone(sleeper, 0.2)
