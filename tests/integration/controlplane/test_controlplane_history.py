"""The past of a host out of Prometheus or CSV: kept, learned at once, never over the host's own."""

import json
import time
from datetime import UTC, datetime

import httpx
import pytest

from sentienguard.cli import history_commands, history_sources, main
from sentienguard.cli.history_sources import Prometheus, Recipe, Stretch
from sentienguard.model import errors
from tests.servers import prometheus
from tests.support import centre_process, outbound_ways
from tests.support.centre_process import PASSWORD

pytestmark = pytest.mark.integration
NOW_S = round(time.time()) // 60 * 60
DAYS = 8


@pytest.fixture(scope="module")
def centre(tmp_path_factory):
    with centre_process.running(tmp_path_factory.mktemp("history")) as running:
        running.enrol("web-1").push({("system.load_average_1m", ""): 9.0})
        yield running


@pytest.fixture
def command(centre, monkeypatch, capsys):
    token = {"token": centre.login("admin@local").headers["authorization"].split()[1]}
    session = {**token, "server": centre.people, "name": "admin@local"}
    (centre.data / "cli-token").write_text(json.dumps(session))

    def run(*words):
        status = main.main([*words, "--data", str(centre.data), "--json"])
        printed = capsys.readouterr()
        return status, json.loads(printed.out) if printed.out else printed.err

    return run


def test_a_real_prometheus_gives_its_days_and_baselines_are_there(tmp_path, command, centre):
    if prometheus.missing():
        pytest.skip(str(prometheus.missing()))
    now_s = round(time.time()) // 60 * 60  # other tests may have taken a while
    text = [
        f'node_load1{{instance="web-1:9100"}} {2 + (at // 60) % 3} {at}\n'
        for at in range(now_s - DAYS * 86_400, now_s, 60)
    ]
    other = [f'node_load1{{instance="gone:9100"}} 1 {now_s - 600}\n']
    with prometheus.holding(tmp_path / "p", [*text, *other, "# EOF\n"]) as address:
        words = ("history", "import", "--prometheus", address, "--days", str(DAYS))
        status, answer = command(*words)
        assert status == 0, answer
        assert answer["kept"]["web-1"] >= DAYS * 1440 - 10
        assert answer["not_enrolled"]["gone"] > 0
        assert answer["learned_series"] == {"web-1": 1}
        again = command(*words)[1]
        assert again["kept"]["web-1"] < 10
    hosts = centre.login("admin@local").get("/api/v1/hosts").json()["items"]
    [agent] = [one for one in hosts if one["host"] == "web-1"]
    shown = centre.login("admin@local").get(
        f"/api/v1/hosts/{agent['agent_id']}/series", params={"metric": "system.load_average_1m"}
    )
    assert shown.json()["baseline"]["mean"] == pytest.approx(3, abs=0.2)
    found = command("query", "count_over_time(system_load_average_1m[7d])")[1]
    assert float(found["result"][0]["value"][1]) > 7 * 1440 - 10
    assert command("query", "max(system_load_average_1m)")[1]["result"][0]["value"][1] == "9"


def test_a_file_gives_its_series_and_its_first_wrong_line(tmp_path, command, centre):
    centre.enrol("web-2").push({("system.load_average_1m", ""): 1.0})
    path = tmp_path / "past.csv"
    rows = [
        f"{datetime.fromtimestamp(NOW_S - 60 * number, UTC).isoformat()},web-2,"
        f"system.disk_usage_percent,/var,{50 + number % 2}"
        for number in range(100)
    ]
    path.write_text("timestamp,host,metric,subject,value\n" + "\n".join(rows) + "\n")
    status, answer = command("history", "import", "--csv", str(path))
    assert (status, answer["kept"]) == (0, {"web-2": 100})
    path.write_text("timestamp,host,metric,value\n1,web-2,system.x,many\n")
    status, answer = command("history", "import", "--csv", str(path))
    assert status == 1
    assert "line 2" in answer
    path.write_text("when,host\n")
    assert "lacks" in command("history", "import", "--csv", str(path))[1]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"host": "nobody"}, "no enrolled host"),
        ({"metric": "node_load1"}, "name of ours"),
        ({"values": [1.0]}, "as many"),
        ({"times_ms": [5, 6]}, "between"),
        ({"times_ms": [NOW_S * 1000, NOW_S * 1000 - 1]}, "ascend"),
        ({"times_ms": [NOW_S * 1000, (NOW_S + 90_000) * 1000]}, "between"),
    ],
)
def test_what_is_no_past_of_a_host_is_refused(centre, change, says):
    body = {
        "host": "web-1", "metric": "system.cpu_percent", "subject": "",
        "times_ms": [NOW_S * 1000 - 1000, NOW_S * 1000 - 500], "values": [1.0, 2.0], **change,
    }  # fmt: skip
    answer = centre.login("admin@local").post("/api/v1/history", json=body)
    assert answer.status_code in {404, 422}
    assert says in answer.json()["detail"]


def test_only_an_administrator_imports(centre):
    admin = centre.login("admin@local")
    body = {"name": "o@local", "password": PASSWORD, "roles": {"*": "remediation_authority"}}
    assert admin.post("/api/v1/users", json=body).status_code == 201
    answer = centre.login("o@local").post("/api/v1/history/learn", json={"host": "web-1"})
    assert answer.status_code == 403


def test_pages_are_joined_and_what_is_no_number_is_left_out():
    asked = []

    def answer(request):
        asked.append(dict(httpx.QueryParams(request.content.decode())))
        start = int(asked[-1]["start"])
        values = [[start, "1.23456"], [start + 10, "NaN"], [start + 20, "2"]]
        result = [{"metric": {"instance": "a:1", "device": "eth0"}, "values": values}]
        return httpx.Response(200, json={"status": "success", "data": {"result": result}})

    source = Prometheus("http://p", "instance", {}, outbound_ways.Answering(answer))
    pages = history_sources.PAGE_STEPS
    (found,) = source.read(Recipe("m.x", "e", "device"), (0, pages * 10 + 50), 10)
    assert [(int(one["start"]), int(one["end"])) for one in asked] == [
        (0, (pages - 1) * 10),
        (pages * 10, pages * 10 + 50),
    ]
    assert (found.host, found.subject) == ("a", "eth0")
    assert found.times_ms == [0, 20_000, pages * 10_000, pages * 10_000 + 20_000]
    assert found.values == [1.2346, 2.0, 1.2346, 2.0]


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (200, b"<html>", history_sources.SourceWrong),
        (400, b'{"status":"error","error":"no such"}', history_sources.SourceWrong),
        (200, b"[]", history_sources.SourceWrong),
    ],
)
def test_a_server_that_is_no_prometheus_is_told_apart(status, body, kind):
    way = outbound_ways.Answering(lambda _: httpx.Response(status, content=body))
    with pytest.raises(kind):
        list(Prometheus("http://p", "i", {}, way).read(Recipe("m", "e"), (0, 9), 1))
    with pytest.raises(errors.Rejected):
        history_sources.recipe("no equals sign")
    assert history_sources.recipe("a.b[dev]=x{y='z'}") == Recipe("a.b", "x{y='z'}", "dev")


def test_a_long_stretch_is_sent_newest_part_first():
    sent = []

    class Asked:
        def post(self, path, body):
            sent.append(body["times_ms"][0])
            return {"kept": len(body["times_ms"])}

    stretch = Stretch("h", "m", "", list(range(25_000)), [0.0] * 25_000)
    assert history_commands._send(Asked(), stretch) == 25_000
    assert sent == [20_000, 10_000, 0]
