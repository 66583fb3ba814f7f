"""The dead-man's switch in a running control plane: a host that stops, is back, and a restart."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support import centre_process
from tests.support.centre_process import Host

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]
CALM = {("system.cpu_percent", ""): 3.0}


def incidents(admin: httpx.Client) -> list[Any]:
    items: list[Any] = admin.get("/api/v1/incidents").json()["items"]
    return items


def until(found: Callable[[], bool], *, speaking: Host) -> None:
    ends = time.monotonic() + 30
    while not found():
        assert time.monotonic() < ends
        assert speaking.push(CALM).status_code == 204
        time.sleep(0.3)


def speak(host: Host, seconds: float) -> None:
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        assert host.push(CALM).status_code == 204
        time.sleep(0.3)


def test_a_host_that_stops_is_told_to_people_once_also_over_a_restart(tmp_path: Path) -> None:
    with centre_process.running(tmp_path, interval_s="0.5", host_silence_s="4") as centre:
        admin = centre.login("admin@local")
        lost, there = centre.enrol("web-1"), centre.enrol("web-2")
        assert lost.push(CALM).status_code == 204
        until(lambda: bool(incidents(admin)), speaking=there)
        until(lambda: incidents(admin)[0]["status"] == "CLOSED", speaking=there)
        (told,) = incidents(admin)
        assert (told["host"], told["outcome"]) == ("web-1", "escalated")
        assert "no sample of web-1 since" in told["summary"] or told["metric"] == "agent.silent_s"
        centre.kill()
        centre.restart()
        speak(there, 7)
        assert len(incidents(admin)) == 1
        assert lost.push(CALM).status_code == 204
        speak(there, 1.5)
        until(lambda: len(incidents(admin)) == 2, speaking=there)  # it is silent once more
        assert {one["host"] for one in incidents(admin)} == {"web-1"}
