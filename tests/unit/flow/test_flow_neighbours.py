"""What hosts near many incidents measured is read once for all of them, and never too old."""

from datetime import timedelta

import pytest

from sentienguard.flow import neighbours
from tests.support import diagnosis_world as worlds

BACK = timedelta(hours=1)


class Site:
    """Three hosts, and who reads them at a moment that a test moves."""

    def __init__(self):
        self.world = worlds.World()
        self.passed = 0.0
        self.world.monotonic = lambda: self.passed
        for host in ("web-1", "web-2", "web-3"):
            self.measure(host, now=41.0)
        self.neighbours = neighbours.Neighbours(self.world.centre())
        self.asked = []
        ask = self.world.metrics.read
        self.world.metrics.read = lambda series, start, end: (
            self.asked.extend(one.host for one in series) or ask(series, start, end)
        )

    def measure(self, host, *, now):
        return self.world.measure(host, "system.cpu_percent", usual=20.0, now=now)

    def read(self, fresh, *, earlier_s=0.0):
        self.asked.clear()
        since = worlds.NOW - BACK - timedelta(seconds=earlier_s)
        hosts = ["web-1", "web-2", "web-3"]
        found = self.neighbours.read(hosts, since, worlds.NOW, fresh=fresh)
        assert [one.host for one in found] == hosts
        return {one.host: one.columns[0].values[-1] for one in found}


@pytest.fixture
def site():
    return Site()


def test_a_second_incident_reads_its_own_host_alone(site):
    first = site.read("web-1")
    assert site.asked == ["web-1", "web-2", "web-3"]
    assert site.read("web-2") == first
    assert site.asked == ["web-2"]


def test_what_its_own_host_says_now_is_there(site):
    site.read("web-1")
    site.measure("web-1", now=99.0)
    assert site.read("web-1")["web-1"] == 99.0
    assert site.read("web-2")["web-1"] == 99.0  # and serves the next


def test_after_a_while_neighbours_are_read_again(site):
    site.read("web-1")
    site.measure("web-2", now=99.0)
    site.passed = neighbours.NEIGHBOURS_S - 0.5
    assert site.read("web-1")["web-2"] == 41.0
    site.passed = neighbours.NEIGHBOURS_S
    assert site.read("web-1")["web-2"] == 99.0


def test_who_looks_further_back_than_what_was_read_reads_again(site):
    site.read("web-1")
    site.read("web-2", earlier_s=59.0)
    assert site.asked == ["web-2"]
    site.read("web-3", earlier_s=200.0)
    assert site.asked == ["web-1", "web-2", "web-3"]


def test_what_is_remembered_does_not_grow_without_end(site):
    for number in range(neighbours.MOST_NEIGHBOURS + 5):
        site.measure(f"db-{number:03}", now=41.0)
        site.neighbours.read(
            [f"db-{number:03}"], worlds.NOW - BACK, worlds.NOW, fresh=f"db-{number:03}"
        )
    assert len(site.neighbours._known) == neighbours.MOST_NEIGHBOURS
    assert "db-000" not in site.neighbours._known


def test_of_a_host_with_many_series_the_rest_is_counted(site):
    for number in range(neighbours.MOST_OF_A_HOST + 3):
        site.world.measure("web-3", "service.http_ms", f"s{number:03}", usual=20.0)
    (found,) = site.neighbours.read(["web-3"], worlds.NOW - BACK, worlds.NOW, fresh="web-3")
    assert (len(found.columns), found.left_out) == (neighbours.MOST_OF_A_HOST, 4)
