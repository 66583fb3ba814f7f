"""A backtest and a drill that somebody asks for in the dashboard, until their reports are there.

Real control plane, agent and sandbox; a real Prometheus with eight days of history, whose volume
is full at the end; Chromium. What the pages show is compared with what the API says.
"""

import contextlib
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from playwright import sync_api

from tests.browser.test_browser_pages import CHROMIUM, FLAGS, Watched
from tests.servers import prometheus
from tests.support import backtest_history, installation, page_forms
from tests.support.installation import Installation

pytestmark = [
    pytest.mark.stories,
    pytest.mark.timeout(600),
    pytest.mark.skipif(prometheus.missing() is not None, reason=str(prometheus.missing())),
]
DAYS = 1  # judged; the week before is what it is judged by
WITHIN_S = 240.0  # a child at low priority on a busy machine
REMEDY = "disk_cleanup_rotated_logs"
ENDED = frozenset({"done", "failed", "stopped"})
expect = sync_api.expect


@dataclass
class World:
    """An installation with a Prometheus, and its administrator in a browser."""

    installed: Installation
    prometheus: str
    watched: Watched

    def get(self, path: str) -> dict[str, Any]:
        with self.installed.client() as asked:
            return dict(asked.get(path))

    def ended(self, look: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Wait until what was asked for has ended, one way or the other."""

        def found() -> dict[str, Any] | None:
            one = look()
            return one if one["state"] in ENDED else None

        return dict(installation.wait_for(found, "an end", WITHIN_S))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    place = tmp_path_factory.mktemp("errands")
    now = round(time.time()) // 3600 * 3600
    history = backtest_history.full_disk(now, days=DAYS + backtest_history.LEARNED)
    with contextlib.ExitStack() as stack:
        address = stack.enter_context(prometheus.holding(place / "prometheus", history))
        settings = {"drills": "on", "prometheus_url": address, "prometheus_rate": 1000.0}
        installed = stack.enter_context(installation.running(place, settings=settings))
        driver = stack.enter_context(sync_api.sync_playwright())
        launched = driver.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        stack.callback(launched.close)
        context = launched.new_context(viewport={"width": page_forms.DESK, "height": 900})
        watched = Watched(context.new_page(), installed.running.address)
        watched.sign_in(installed.running.login)
        yield World(installed, address, watched)
        assert watched.complaints == []
        assert watched.strangers == []


def test_a_backtest_is_asked_for_runs_and_shows_its_report(world: World) -> None:
    page = world.watched.page
    world.watched.visit("/backtests", f"reads {re.escape(world.prometheus)}")
    page.get_by_label("Days").fill(str(DAYS))
    page.get_by_role("button", name="Start").click()
    expect(page).to_have_url(re.compile(r"/backtests/btt_\w+$"))
    asked = page.url.rpartition("/")[2]
    told = world.ended(lambda: world.get(f"/backtests/{asked}"))
    assert told["state"] == "done", told["detail"]
    report = told["report"]
    assert (report["totals"]["hosts"], report["totals"]["incidents"]) == (1, 1)
    (incident,) = report["incidents"]
    assert (incident["host"], incident["metric"]) == ("web-1", "system.disk_usage_percent")
    assert (incident["playbook"], incident["route_first_day"]) == (REMEDY, "ASK")
    shown = page.get_by_role("region", name="Incidents").first
    expect(shown).to_contain_text(f"web-1: Disk usage /var at {round(incident['value'], 2):g} %")
    expect(shown).to_contain_text(incident["reason"])
    expect(shown.get_by_role("link", name=REMEDY)).to_be_visible()
    expect(page.get_by_text("1 would run by themselves")).to_be_visible()
    expect(page.get_by_text(report["missing"][0]["way"])).to_be_visible()
    page_forms.keep_all(page, "backtest-report")
    world.watched.visit("/backtests", "medium sensitivity")
    row = page.get_by_role("row", name=re.compile(f"{DAYS} day as production"))
    expect(row).to_contain_text("done")
    page_forms.keep_all(page, "backtests")


def test_a_drill_is_run_from_its_page_and_shows_what_was_checked(world: World) -> None:
    page = world.watched.page
    world.watched.visit("/drills?text=disk-full", "A volume of 64 MiB fills up")
    page.get_by_role("button", name="Run disk-full", exact=True).click()
    runs = page.get_by_role("region", name="Runs")
    expect(runs).to_contain_text("disk-full")
    told = world.ended(lambda: dict(world.get("/drills")["runs"][0]))
    assert (told["state"], told["passed"]) == ("done", True), told
    checks = {one["name"]: one for one in told["checks"]}
    assert {"outcome", "playbook", "audit log"} <= set(checks)
    assert all(one["passed"] for one in checks.values())
    expect(runs.get_by_text("as expected")).to_be_visible()
    runs.get_by_text(f"{len(checks)} of {len(checks)} checks held").click()
    for one in checks.values():
        expect(runs).to_contain_text(f"{one['name']}: {one['detail']}")
    page_forms.keep_all(page, "drills-with-a-run")
    kinds = {one["kind"] for one in world.get("/audit/entries")["items"]}
    assert {"drill.injected", "incident.closed"} <= kinds
