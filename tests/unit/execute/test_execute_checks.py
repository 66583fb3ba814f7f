from datetime import timedelta

import pytest

from sentienguard.model import ids
from sentienguard.model.playbook import Check
from sentienguard.ports import command_runner, log_reader
from sentienguard.stages.execute import parameters, verification, work
from tests.support import pretend_host


def look(pretend, kind, brought=None, since=None, marks=None, **fields):
    context = work.Context(
        order=ids.OrderId("ord_0000000000000000"),
        host=pretend.host(),
        bound=parameters.Bound({}),
        brought=brought or {},
        limit_s=5,
        mark="m",
        interrupt=pretend_host.Interrupt(),
        started=lambda group: None,
        since=since,
        log_marks=marks,
    )
    return verification.look(Check("it", kind, fields, timedelta(seconds=5)), context)


def prepared(pretend):
    pretend.answers = {"http://127.0.0.1/web": 200, "http://127.0.0.1/db": 503}
    pretend.table = {100: pretend_host.process(100, "web"), 7: pretend_host.process(7, "spin")}
    pretend.programs["/bin/bad"] = pretend_host.Program(exit_code=2)
    pretend.programs["/bin/slow"] = pretend_host.Program(ending=command_runner.Ending.TIMED_OUT)
    pretend.contents["/etc/known.conf"] = b"port = 1\n  safe_mode: off\n"
    pretend.contents["/etc/comment.conf"] = b"# safe_mode = off\nsafe_mode =\n"
    pretend.tags = {"maintenance_mode": "false", "tier": "gold"}
    now = pretend_host.START
    pretend.log["/log/web"] = [
        (now - timedelta(seconds=90), "ERROR long ago"),
        (now - timedelta(seconds=10), "ERROR just now"),
        (now, "all is well"),
    ]
    return pretend


CASES = [
    ("condition", {"condition": "disk_usage > 85%"}, True),
    ("condition", {"condition": "disk_usage > 95%"}, False),
    ("condition", {"condition": "zombies > 1"}, False),
    ("condition", {"condition": "tag.tier == gold"}, True),
    ("condition", {"condition": "tag.unknown == gold"}, False),
    ("metric", {"metric": "disk_usage", "threshold": "< 95%"}, True),
    ("metric", {"metric": "disk_usage", "threshold": "< 80%"}, False),
    ("metric", {"metric": "no_such_fact", "threshold": "< 80%"}, False),
    ("http", {"url": "http://127.0.0.1/web"}, True),
    ("http", {"url_of": "web", "expected_status": 200}, True),
    ("http", {"url_of": "db", "expected_status": 200}, False),
    ("http", {"url_of": "db", "expected_status": 503}, True),
    ("http", {"url_of": "unknown"}, False),
    ("http", {"url": "http://127.0.0.1/nothing"}, False),
    ("process", {"name": "spin", "state": "running"}, True),
    ("process", {"name": "spin", "state": "stopped"}, False),
    ("process", {"name": "nobody", "state": "stopped"}, True),
    ("process", {"name": "nobody", "state": "running"}, False),
    ("process", {"name": "spin", "state": "running", "min_uptime": 10.0}, True),
    ("process", {"name": "spin", "state": "running", "min_uptime": 1000.0}, False),
    ("process", {"service": "web", "state": "running"}, True),
    ("process", {"service": "db", "state": "running"}, False),
    ("process", {"service": "db", "state": "stopped"}, True),
    ("command", {"argv": ("/bin/good",)}, True),
    ("command", {"argv": ("/bin/bad",)}, False),
    ("command", {"argv": ("/bin/bad",), "expected_exit_code": 2}, True),
    ("command", {"argv": ("/bin/slow",)}, False),
    ("log_check", {"file": "/log/web", "pattern": "ERROR", "max_matches": 0}, False),
    ("log_check", {"file": "/log/web", "pattern": "ERROR", "max_matches": 1}, True),
    ("log_check", {"log_of": "web", "pattern": "ERROR", "lookback": 5.0}, True),
    (
        "log_check",
        {"log_of": "web", "pattern": "ERROR", "lookback": 600.0, "max_matches": 1},
        False,
    ),
    ("log_check", {"file": "/log/none", "pattern": "ERROR"}, False),
    ("tag_check", {"tag": "maintenance_mode", "expect_value": False}, True),
    ("tag_check", {"tag": "not_set", "expect_value": False}, True),
    ("tag_check", {"tag": "not_set", "expect_value": True}, False),
    ("tag_check", {"tag": "tier", "expect_value": "gold"}, True),
    ("tag_check", {"tag": "tier", "expect_value": "silver"}, False),
    ("setting_check", {"path": "/etc/known.conf", "key": "safe_mode"}, True),
    ("setting_check", {"path": "/etc/known.conf", "key": "mode"}, False),
    ("setting_check", {"path": "/etc/comment.conf", "key": "safe_mode"}, False),
    ("setting_check", {"path": "/etc/none.conf", "key": "safe_mode"}, False),
    ("concurrency_check", {"scope": "host"}, True),
    ("resources", {"disk_free": 10, "memory_free": 10}, True),
    ("resources", {"disk_free": 10**12}, False),
    ("resources", {"disk_free": 10, "memory_free": 10**12}, False),
    ("dependencies", {"binaries": ("sh",), "services": ("web",)}, True),
    ("dependencies", {"binaries": ("/bin/missing",)}, False),
    ("dependencies", {"services": ("nobody",)}, False),
    ("maintenance", {}, True),
    ("no_such_check", {}, False),
]


@pytest.mark.parametrize(("kind", "fields", "passes"), CASES)
def test_a_check_finds_what_is_there(pretend, kind, fields, passes):
    finding = look(prepared(pretend), kind, **fields)
    assert finding.passed is passes, finding.detail
    assert finding.detail


def test_maintenance_fails_while_something_forbids(pretend):
    pretend.forbidden = "do-not-remediate"
    assert not look(pretend, "maintenance").passed


def test_errors_from_before_the_steps_do_not_count_against_the_remedy(pretend):
    prepared(pretend)
    fields = {"file": "/log/web", "pattern": "ERROR", "lookback": 600.0}
    marks = {"/log/web": log_reader.Mark(1, 2)}
    assert look(pretend, "log_check", since=pretend_host.START, marks=marks, **fields).passed
    pretend.log["/log/web"].append((pretend_host.START, "ERROR again"))
    assert not look(pretend, "log_check", since=pretend_host.START, marks=marks, **fields).passed


def test_tags_of_the_owner_outrank_tags_that_an_order_brings(pretend):
    prepared(pretend)
    brought = {"tag.maintenance_mode": "true", "tag.tier": "silver", "tag.new": "x"}
    assert look(pretend, "tag_check", brought, tag="tier", expect_value="gold").passed
    assert look(pretend, "tag_check", brought, tag="new", expect_value="x").passed
    assert look(pretend, "tag_check", brought, tag="maintenance_mode", expect_value=False).passed


def test_an_order_cannot_bring_a_fact_that_the_host_measures(pretend):
    brought = {"disk_usage": "10", "zombies": "0"}
    assert not look(pretend, "condition", brought, condition="disk_usage < 50%").passed
    assert not look(pretend, "condition", brought, condition="zombies < 5").passed


@pytest.mark.parametrize(
    ("brought", "passes"),
    [
        ({"anomaly_sigma": "3.2"}, True),
        ({"anomaly_sigma": "2.9"}, False),
        ({"anomaly_sigma": "many"}, False),
        ({"anomaly_sigma": "nan"}, False),
        ({"anomaly_sigma": "inf"}, False),
        ({}, False),
    ],
)
def test_what_only_the_centre_knows_comes_with_the_order(pretend, brought, passes):
    assert look(pretend, "condition", brought, condition="anomaly_sigma >= 3").passed is passes
