"""A backtest over a real Prometheus: what was planted is found, and quiet weeks stay quiet."""

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from datetime import datetime

import pytest

from sentienguard.cli import main
from tests.servers import prometheus
from tests.support import backtest_history as history

pytestmark = [
    pytest.mark.integration,
    pytest.mark.timeout(300),
    pytest.mark.skipif(prometheus.missing() is not None, reason=str(prometheus.missing())),
]
END_S = round(time.time()) // 3600 * 3600


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    place = tmp_path_factory.mktemp("prometheus") / "p"
    with prometheus.holding(place, history.openmetrics(END_S)) as address:
        yield address


def words(server, out, *more):
    return [
        *("backtest", "--prometheus", server, "--days", str(history.DAYS), "--out", str(out)),
        *("--step", str(history.STEP_S), "--rate", "1000", *more),
    ]


@pytest.fixture(scope="module")
def report(server, tmp_path_factory):
    out = tmp_path_factory.mktemp("whole") / "out"
    assert main.main(words(server, out)) == 0
    found = json.loads((out / "report.json").read_text())
    return out, found


def test_each_planted_fault_is_raised_once_and_nothing_else(report):
    _, found = report
    raised = [(one["host"], one["metric"]) for one in found["incidents"]]
    assert raised == [(fault.host, fault.metric) for fault in history.FAULTS]
    for fault, one in zip(history.FAULTS, found["incidents"], strict=True):
        start, end = history.during(fault, END_S)
        opened = datetime.fromisoformat(one["opened_at"]).timestamp()
        ended = datetime.fromisoformat(one["ended_at"]).timestamp()
        assert start <= opened <= end
        assert end - 900 <= ended <= end + 3600
    quiet = next(one for one in found["hosts"] if one["host"] == "web-2")
    assert quiet["incidents"] == 0
    assert quiet["series"] >= 5


def test_each_says_playbook_route_and_what_is_missing(report):
    _, found = report
    service, disk, cpu = found["incidents"]
    assert (service["playbook"], disk["playbook"]) == (
        "service_start_stopped", "disk_cleanup_rotated_logs",
    )  # fmt: skip
    assert disk["route_first_day"] == "ASK"
    assert disk["route_earned"] == "RUN_AND_VERIFY"
    assert [one["kind"] for one in disk["missing"]] == ["a record"]
    assert "an agent" in [one["kind"] for one in cpu["missing"]]  # which process, Prometheus lacks
    assert cpu["route_earned"] == "ESCALATE"
    assert cpu["minutes_saved"] == 0
    assert 0 < disk["minutes_saved"] <= 30
    total = sum(one["minutes_saved"] for one in found["incidents"])
    assert found["totals"]["minutes_saved"] == pytest.approx(total, abs=0.1)


def test_it_is_compared_with_the_alerts_that_fired(report):
    _, found = report
    by_metric = {one["metric"]: one for one in found["incidents"]}
    disk = by_metric["system.disk_usage_percent"]
    assert (disk["alerts"], disk["alert_names"]) == ("same symptom", ["HostOutOfDiskSpace"])
    assert by_metric["system.cpu_percent"]["alerts"] == "nothing"
    said = found["alerts"]
    assert (said["episodes"], said["of_hosts"], said["met"]) == (2, 2, 1)
    assert (said["same_symptom"], said["unconfirmed"]) == (1, 2)
    assert said["not_raised"] == [{"alert": "Moody", "episodes": 1}]


def test_the_page_loads_nothing_and_shows_every_incident(report):
    out, found = report
    page = (out / "report.html").read_text()
    assert "<script" not in page
    assert not re.search(r"\b(src|href|srcset)\s*=|url\(|@import", page)
    assert "default-src 'none'" in page
    for one in found["incidents"]:
        assert one["opened_at"][:16].replace("T", " ") in page
    assert all(line.split(" (")[0] in page for line in found["assumptions"])


def test_interrupted_it_goes_on_where_it_was_and_finds_the_same(server, report, tmp_path):
    out, (_, whole) = tmp_path / "out", report
    program = [sys.executable, "-m", "sentienguard.cli.main"]
    slow = [*program, *words(server, out)]
    slow[slow.index("--rate") + 1] = "20"
    environment = {**os.environ, "NO_COLOR": "1"}
    started = subprocess.Popen(
        slow,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        # A job in the background of a shell ignores Ctrl-C, and so would what it starts.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - no threads here
    )
    deadline = time.monotonic() + 60
    while _pages(out) < 10 and time.monotonic() < deadline:
        time.sleep(0.05)
    started.send_signal(signal.SIGINT)
    _, said = started.communicate(timeout=60)
    assert started.returncode == 3, said
    assert "goes on from here" in said
    before = _pages(out)
    assert 10 <= before < whole["days"] * 30
    assert not (out / "report.json").exists()
    kept = _page_rows(out)
    assert main.main(words(server, out)) == 0
    assert _page_rows(out)[: len(kept)] == kept
    found = json.loads((out / "report.json").read_text())
    strip = ("id", "opened_at", "ended_at", "minutes", "value", "reason", "minutes_saved")
    plain = [
        [{key: one[key] for key in one if key not in strip} for one in each["incidents"]]
        for each in (found, whole)
    ]
    for pair in plain[0], plain[1]:
        assert len(pair) == len(history.FAULTS)
    assert [(one["host"], one["metric"], one["playbook"]) for one in plain[0]] == [
        (one["host"], one["metric"], one["playbook"]) for one in plain[1]
    ]


def test_another_policy_decides_otherwise_on_what_was_fetched(server, report, tmp_path, capsys):
    out, _ = report
    policy = tmp_path / "policy.yaml"
    policy.write_text("confidence: {run_from: 1.0, run_and_verify_from: 1.0}\n")
    rows = _page_rows(out)
    assert main.main([*words(server, out, "--policy", str(policy)), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert _page_rows(out) == rows
    assert {one["route_earned"] for one in found["incidents"]} <= {"ASK", "ESCALATE"}


def test_a_directory_of_another_backtest_is_refused(server, report, capsys):
    out, _ = report
    assert main.main(words(server, out, "--environment", "staging")) == 1
    assert "another --out" in capsys.readouterr().err


def _pages(out):
    return len(_page_rows(out)) if (out / "backtest.db").exists() else 0


def _page_rows(out):
    with closing(sqlite3.connect(out / "backtest.db")) as connection:
        try:
            return connection.execute("SELECT rowid, * FROM page ORDER BY rowid").fetchall()
        except sqlite3.OperationalError:
            return []
