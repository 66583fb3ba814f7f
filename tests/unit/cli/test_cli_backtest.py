"""Parts of a backtest: pages, pace, what was kept, alerts, and a page that is only text."""

import dataclasses
import itertools
import json
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from sentienguard.cli import history_sources, prometheus_options
from sentienguard.cli.backtest import alerts, fetch, page, plan, report, state
from sentienguard.cli.backtest.plan import Plan
from sentienguard.cli.history_sources import NODE_EXPORTER, Prometheus, Recipe, SourceWrong, Stretch
from sentienguard.flow import hindsight
from sentienguard.model import errors
from sentienguard.ports.outbound import NoAnswer, TooLong
from sentienguard.stages.decide.decide import decide
from sentienguard.stages.decide.facts import TrackRecord
from sentienguard.stages.decide.settings import DecideSettings
from tests.support import decide_cases as cases
from tests.support import outbound_ways

END_S = 1_770_000_000 // 86_400 * 86_400
RECIPE = Recipe("system.cpu_percent", "cpu")
PLAN = Plan("http://p", 2, END_S, 60, "production", "instance", {}, (RECIPE,))
SPAN = (END_S - 86_400, END_S)
NO_WAIT = {"sleep": lambda _: None}


def server(answer):
    return Prometheus("http://p", "instance", {}, outbound_ways.Answering(answer))


def matrix(*rows):
    return httpx.Response(200, json={"status": "success", "data": {"result": list(rows)}})


def refusal(text):
    return httpx.Response(422, json={"status": "error", "error": text})


def question(request):
    found = dict(httpx.QueryParams(request.content.decode()))
    return found["query"], int(found["start"]), int(found["end"])


def test_the_pages_cover_the_judged_days_and_a_week_before_without_overlap():
    pages = PLAN.pages()
    assert pages[0][0] == END_S - (2 + plan.LEARNED_DAYS) * 86_400
    assert pages[-1][1] == END_S
    assert all(one[1] == other[0] for one, other in itertools.pairwise(pages))
    assert plan.recipes(())[: len(NODE_EXPORTER)] == tuple(NODE_EXPORTER)
    assert plan.recipes([RECIPE]) == (RECIPE,)


def test_a_server_that_asks_who_asks_is_told_name_and_password():
    asked = []

    def answer(request):
        asked.append(request)
        return httpx.Response(200, json={"status": "success", "data": {"result": []}})

    way, key = outbound_ways.Answering(answer), outbound_ways.key("secret")
    source = Prometheus("https://p", "instance", {}, way, key, "me")
    assert source.page("up", 0, 60, 60) == []
    assert asked[0].headers["authorization"] == "Basic bWU6c2VjcmV0"
    assert "secret" not in str(asked[0].url)


@pytest.mark.parametrize("user", ["", "me"])
@pytest.mark.parametrize("url", ["http://p", "http://10.0.0.7:9090", "http://localhost.evil.org"])
def test_no_token_and_no_password_crosses_a_network_in_the_clear(url, user):
    with pytest.raises(SourceWrong, match="clear text") as refused:
        Prometheus(url, "instance", {}, None, outbound_ways.key("t0p"), user)
    assert "t0p" not in str(refused.value)
    for near in ("https://p", "http://127.0.0.1:9090", "http://localhost:9090", "http://[::1]:1"):
        key = outbound_ways.key("t0p")
        assert Prometheus(near, "instance", {}, None, key, user).url == near
    assert Prometheus(url, "instance", {}, None).url == url


def test_an_answer_that_is_too_long_says_the_way_out():
    def answer(_):
        raise TooLong("http://p:80 says more than 268435456 bytes")

    with pytest.raises(SourceWrong, match="longer than 256 MiB; ask for longer"):
        server(answer).page("up", 0, 60, 60)


def test_the_way_reads_no_more_than_a_page_has():
    way = prometheus_options.way_to("http://p")
    assert way._longest_answer == history_sources.MOST_BYTES


def test_requests_keep_their_distance():
    now, slept = [100.0], []

    def sleep(seconds):
        slept.append(seconds)
        now[0] += seconds

    pace = fetch.Pace(4.0, clock=lambda: now[0], sleep=sleep)
    for _ in range(5):
        pace.wait()
    assert slept == [0.25] * 4
    now[0] += 60
    pace.wait()
    assert slept == [0.25] * 4


def test_what_is_too_much_for_the_server_is_asked_for_in_parts_and_joined(tmp_path):
    asked = []

    def answer(request):
        _, start, end = question(request)
        asked.append((start, end))
        if end - start > 6 * 3600:
            return refusal("query processing would load too many samples into memory")
        values = [[at, "1"] for at in range(start, end + 1, 60)]
        return matrix({"metric": {"instance": "web-1:9100"}, "values": values})

    with state.State(tmp_path, PLAN) as kept:
        fetch.fetch(server(answer), kept, fetch.Pace(1e9, **NO_WAIT), RECIPE, SPAN)
        readings = kept.history("web-1")["system.cpu_percent", ""]
    assert len(asked) == 3 + 4
    assert int((readings == 1.0).sum()) == 1440


@pytest.mark.parametrize(("text", "attempts"), [("no such function", 1), ("too many samples", 5)])
def test_a_refusal_is_not_asked_for_ever(tmp_path, text, attempts):
    asked = []

    def answer(request):
        asked.append(question(request))
        return refusal(text)

    with state.State(tmp_path, PLAN) as kept, pytest.raises(SourceWrong, match=text):
        fetch.fetch(server(answer), kept, fetch.Pace(1e9, **NO_WAIT), RECIPE, SPAN)
    assert len(asked) == attempts


def test_a_server_that_is_away_for_a_moment_is_waited_for(tmp_path):
    slept, left = [], [2]

    def answer(_):
        if left[0]:
            left[0] -= 1
            raise NoAnswer("away")
        return matrix()

    pace = fetch.Pace(1e9, clock=lambda: 0.0, sleep=slept.append)
    with state.State(tmp_path, PLAN) as kept:
        fetch.fetch(server(answer), kept, pace, RECIPE, SPAN)
        assert kept.has_page(fetch._name(RECIPE), SPAN[0])
        assert [one for one in slept if one >= 1] == [1.0, 2.0]
        left[0] = 99
        with pytest.raises(errors.Unavailable):
            fetch.fetch(server(answer), kept, pace, RECIPE, PLAN.pages()[0])
        assert not kept.has_page(fetch._name(RECIPE), PLAN.pages()[0][0])


def test_a_page_is_kept_whole_or_not_at_all(tmp_path):
    with state.State(tmp_path, PLAN) as kept:
        good = Stretch("web-1", "system.cpu_percent", "", [SPAN[0] * 1000], [5.0])
        bad = Stretch("web-2", "system.cpu_percent", "", [SPAN[0] * 1000], [object()])
        with pytest.raises(TypeError):
            kept.keep_readings("cpu", SPAN, [good, bad])
        assert kept.hosts() == []
        assert not kept.has_page("cpu", SPAN[0])
        kept.keep_readings("cpu", SPAN, [good])
        assert kept.hosts() == ["web-1"]


def test_a_directory_goes_on_with_its_plan_and_refuses_another(tmp_path):
    with state.State(tmp_path, PLAN) as kept:
        assert not kept.goes_on
    later = dataclasses.replace(PLAN, end_s=END_S + 600)
    with state.State(tmp_path, later) as kept:
        assert kept.goes_on
        assert kept.plan.end_s == END_S
    with pytest.raises(state.AnotherPlan, match="another --out"):
        state.State(tmp_path, dataclasses.replace(PLAN, days=3))


def test_an_alert_that_fires_over_the_end_of_a_page_is_one_episode(tmp_path):
    def answer(request):
        query, start, end = question(request)
        assert query == plan.ALERTS
        values = [[at, "1"] for at in range(max(start, SPAN[0] - 600), min(end, SPAN[0] + 600), 60)]
        metric = {"__name__": "ALERTS", "alertname": "HostOutOfDiskSpace", "alertstate": "firing",
                  "instance": "web-1:9100", "mountpoint": "/var"}  # fmt: skip
        return matrix({"metric": metric, "values": values}) if values else matrix()

    with state.State(tmp_path, PLAN) as kept:
        for span in (SPAN, (SPAN[0] - 86_400, SPAN[0])):
            fetch.fetch(server(answer), kept, fetch.Pace(1e9, **NO_WAIT), None, span)
        assert len(kept.alerts()) == 2
        [found] = alerts.together(kept.alerts(), 180)
    assert (found.host, found.first_s, found.last_s) == ("web-1", SPAN[0] - 600, SPAN[0] + 540)
    assert (found.series.metric, found.series.subject) == ("system.disk_usage_percent", "/var")


def test_alerts_of_a_file_and_of_an_alertmanager_are_read(tmp_path):
    row = {
        "labels": {"alertname": "A", "instance": "web-1:9100"},
        "startsAt": "2026-02-12T10:00:00Z", "endsAt": "2026-02-12T11:00:00Z",
    }  # fmt: skip
    stands = {**row, "endsAt": "0001-01-01T00:00:00Z"}
    path = tmp_path / "alerts.json"
    for text in (json.dumps([row, stands]), f"{json.dumps(row)}\n{json.dumps(stands)}\n"):
        path.write_text(text)
        first, second = alerts.read_file(path, END_S + 99 * 86_400)
        assert (first.host, first.last_s - first.first_s) == ("web-1", 3600)
        assert second.last_s == END_S + 99 * 86_400
    way = outbound_ways.Answering(lambda _: httpx.Response(200, json=[row]))
    assert len(alerts.ask("http://a", END_S, way)) == 1


@pytest.mark.parametrize(
    ("text", "says"),
    [("{", "expected JSON"), ('[{"labels": 3}]', "alert 1"), ("[7]", "alert 1"),
     ('{"labels": {}, "startsAt": "soon"}', "no time")],
)  # fmt: skip
def test_what_is_no_alert_is_told_with_its_place(tmp_path, text, says):
    path = tmp_path / "alerts.json"
    path.write_text(text)
    with pytest.raises(alerts.AlertsWrong, match=says):
        alerts.read_file(path, END_S)


def raised(metric, subject="", minutes=60, record=None):
    known = cases.evidence(metric, subject)
    lines = DecideSettings()
    first, earned = (
        decide(known, cases.LIBRARY, lambda _, record=record: record, cases.CLEAR, lines)
        for record in (TrackRecord(proven_runs=9, proven_verified=9), record or cases.TRUSTED)
    )
    incident = cases.incident(known.anomaly)
    ended = None if minutes is None else incident.opened_at + timedelta(minutes=minutes)
    return hindsight.Raised(incident, ended, first, earned)


PLAYBOOKS = {one.name: one for one in cases.LIBRARY.playbooks}


@pytest.mark.parametrize(
    ("found", "kinds"),
    [
        (raised("system.disk_usage_percent", "/var"), ["a record"]),
        (raised("database.wal_bytes"), ["a playbook"]),
    ],
)
def test_what_is_missing_is_said_with_its_kind(found, kinds):
    assert [one["kind"] for one in report.missing(found)] == kinds


@pytest.mark.parametrize(
    ("metric", "minutes", "saved"),
    [
        ("system.disk_usage_percent", 600, 30 - 20 / 60),
        ("system.disk_usage_percent", 10, 10 - 20 / 60),  # it was over before: no half hour of work
        ("system.disk_usage_percent", 0.1, 0),
        ("database.wal_bytes", 600, 0),
    ],
)
def test_minutes_are_saved_only_where_something_would_run(metric, minutes, saved):
    found = raised(metric, "/var")
    assumed = report.Assumed(30)
    assert report.saved(found.earned, minutes, PLAYBOOKS, assumed) == pytest.approx(saved, abs=0.06)


@pytest.mark.parametrize(
    ("labels", "shift_s", "says"),
    [
        ({"alertname": "HostOutOfDiskSpace", "mountpoint": "/var"}, 0, alerts.SAME),
        ({"alertname": "HostOutOfDiskSpace", "mountpoint": "/home"}, 0, alerts.OTHER),
        ({"alertname": "Whatever"}, 0, alerts.OTHER),
        ({"alertname": "HostOutOfDiskSpace", "mountpoint": "/var"}, -1700, alerts.SAME),
        ({"alertname": "HostOutOfDiskSpace", "mountpoint": "/var"}, -1900, alerts.NOTHING),
        ({"alertname": "Whatever", "instance": "web-02:9100"}, 0, alerts.NOTHING),
    ],
)
def test_an_incident_is_compared_with_the_alerts_of_its_host_and_time(labels, shift_s, says):
    found = raised("system.disk_usage_percent", "/var")
    at = round(found.incident.opened_at.timestamp()) + shift_s
    own = [alerts.episode({"instance": "WEB-01:9100", **labels}, at, at)]
    assert alerts.compare(found, own, END_S)[0] == says


def whole(hosts, own=()):
    end = cases.NOW + timedelta(days=1)
    wide = dataclasses.replace(PLAN, end_s=round(end.timestamp()))
    return report.document(wide, hosts, own, report.Assumed(30))


def incident_row(found, own=()):
    return report.incident(found, PLAYBOOKS, own, END_S * 2, report.Assumed(30))


def test_without_any_alert_nothing_is_called_a_false_alarm():
    row = incident_row(raised("system.disk_usage_percent", "/var"))
    found = whole({"web-01": {"series": 1, "days": 2.0, "incidents": [row]}})
    assert row["alerts"] is None
    assert found["alerts"] is None
    assert "nothing can be said about false alarms" in page.render(found)


def test_whatever_the_names_are_the_page_is_only_text():
    evil = "<img src=x onerror=alert(1)>\"'&"
    row = {**incident_row(raised("system.disk_usage_percent", "/var")), "reason": evil}
    own = [alerts.episode({"alertname": evil, "instance": evil}, END_S * 2, END_S * 2)]
    found = whole(
        {evil: {"series": 1, "days": 2.0, "incidents": [{**row, "host": evil, "playbook": evil}]}},
        own,
    )
    found["prometheus"] = found["environment"] = evil
    shown = page.render(found)
    assert "<img" not in shown
    assert shown.count("&lt;img") >= 6


def test_rates_are_of_the_days_that_have_readings():
    row = incident_row(raised("system.disk_usage_percent", "/var"))
    hosts = {"a": {"series": 1, "days": 3.5, "incidents": [row]}}
    assert whole(hosts)["totals"]["per_host_week"] == 2.0


def test_the_document_is_the_same_whatever_the_order_of_hosts():
    row = incident_row(raised("system.disk_usage_percent", "/var"))
    hosts = {
        name: {"series": 1, "days": 2.0, "incidents": [{**row, "host": name}]} for name in "abc"
    }
    backwards = dict(reversed(hosts.items()))
    assert json.dumps(whole(hosts)) == json.dumps(whole(backwards))
    assert whole(hosts)["days_raised"] == [0, 3]
    assert datetime.fromisoformat(whole(hosts)["to"]).tzinfo == UTC
