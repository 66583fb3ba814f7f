"""The list of systemd's units is read seldom, and again before a unit is said not to be there."""

import dataclasses
from datetime import timedelta

import pytest

from sentienguard.adapters.local_host import command_runner, http_probe, interrupt, systemd
from sentienguard.adapters.local_host import services as local_services
from sentienguard.model import ids, playbook
from sentienguard.ports import services
from sentienguard.stages.execute import parameters, work
from sentienguard.stages.execute.checks import dependencies
from tests.support import pretend_host

SERVICE = (playbook.Parameter("service", playbook.ParamType.SERVICE),)


class Units:
    """A machine whose systemctl says what stands in a file, and counts how often it was asked."""

    def __init__(self, directory):
        self._list, self._asked = directory / "list", directory / "asked"
        self.program = directory / "systemctl"
        self.program.write_text(f"#!/bin/sh\necho >> {self._asked}\ncat {self._list}\n")
        self.program.chmod(0o755)
        self.are("sshd", "cron")

    def are(self, *names):
        lines = (f"{name}.service loaded active running\n" for name in names)
        self._list.write_text("".join(lines))

    @property
    def asked(self):
        return self._asked.read_text().count("\n") if self._asked.exists() else 0


@pytest.fixture
def units(tmp_path):
    return Units(tmp_path)


@pytest.fixture
def known(units, tmp_path, monkeypatch):
    """Give the services of that machine, by a list that is believed for the whole test."""
    monkeypatch.setattr(systemd, "RUNNING", tmp_path)
    monkeypatch.setattr(systemd, "LIST_FOR_S", 3600.0)
    runner = command_runner.LocalCommands()
    monkeypatch.setattr(runner, "locate", lambda _: str(units.program), raising=False)
    found = systemd.Systemd(runner)
    return local_services.LocalServices({}, tmp_path, http_probe.LoopbackProbe(), found)


@pytest.fixture
def host(known):
    pretend = pretend_host.PretendHost(services={}).host()
    return dataclasses.replace(pretend, services=known)


def test_a_unit_that_is_listed_is_asked_about_without_another_look(known, units):
    assert known.names() == {"sshd", "cron"}
    assert known.describe("sshd").name == "sshd"
    assert known.names() == {"sshd", "cron"}
    assert units.asked == 1


def test_a_unit_that_was_installed_since_is_found(known, units, host):
    assert known.names() == {"sshd", "cron"}
    units.are("sshd", "cron", "web")
    bound = parameters.bind(SERVICE, {"service": "web"}, host)
    assert bound.values == {"service": "web"}
    assert units.asked == 2


def test_a_check_of_what_is_needed_finds_it_as_well(known, units, host):
    assert known.names() == {"sshd", "cron"}
    units.are("sshd", "web")
    fields = {"services": ("web", "absent")}
    check = playbook.Check("needs", "dependencies", fields, timedelta(seconds=5))
    context = work.Context(
        order=ids.OrderId("ord_0000000000000000"),
        host=host,
        bound=parameters.Bound({}),
        brought={},
        limit_s=5.0,
        mark="mark",
        interrupt=interrupt.LocalInterrupt(),
        started=lambda _: None,
    )
    assert dependencies.Dependencies().judge(check, context).detail == "missing: service absent"


def test_what_is_no_unit_is_refused_after_one_more_look(known, units, host):
    with pytest.raises(services.UnknownService):
        known.describe("absent")
    assert units.asked == 1  # the list was new
    with pytest.raises(services.UnknownService):
        known.describe("absent")
    assert units.asked == 2
    with pytest.raises(parameters.ParameterRefused, match=r"it has cron, sshd"):
        parameters.bind(SERVICE, {"service": "absent"}, host)
    assert units.asked == 3
