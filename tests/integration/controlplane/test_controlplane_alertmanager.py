"""A real Prometheus and a real Alertmanager, configured as the page says, send us their alerts."""

import http.server
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

import pytest

from tests.servers import alertmanager, programs, prometheus
from tests.support import centre_process, webhooks
from tests.support.centre_process import Centre

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(alertmanager.missing() is not None, reason=str(alertmanager.missing())),
    pytest.mark.timeout(120),
]
CALM = {("system.cpu_percent", ""): 3.0, ("system.disk_usage_percent", "/srv"): 85.0}


@pytest.fixture
def centre(tmp_path: Path) -> Iterator[Centre]:
    with centre_process.running(tmp_path / "centre") as running:
        yield running


def alerts(centre: Centre, name: str) -> list[Any]:
    found = centre.login("admin@local").get("/api/v1/alerts", params={"limit": 500}).json()
    return [one for one in found["items"] if one["name"] == name][::-1]


def wait_for(look: Callable[[], object], what: str) -> None:
    programs.wait_for(look, what, within_s=60)


def test_an_alert_of_alertmanager_comes_repeats_and_ends(centre: Centre, tmp_path: Path) -> None:
    host = centre.enrol("web-1")
    assert host.push(CALM).status_code == 204
    sender = webhooks.sender(centre)
    labels = {"alertname": "NodeFilesystemAlmostOutOfSpace", "instance": "web-1:9100",
              "mountpoint": "/srv", "severity": "critical"}  # fmt: skip
    began = datetime.now(UTC)
    url = centre.people + webhooks.PATH
    with alertmanager.running(tmp_path / "am", url=url, token=sender.token) as manager:
        manager.fire(labels, began=began)
        wait_for(lambda: alerts(centre, labels["alertname"]), "the alert")
        shown = centre.anonymous()
        wait_for(
            lambda: 'alerts_total{result="repeated"}' in shown.get("/metrics").text, "a repeat"
        )
        manager.fire(labels, began=began, ended=datetime.now(UTC) - timedelta(seconds=1))
        wait_for(lambda: len(alerts(centre, labels["alertname"])) == 2, "its end")
        wait_for(lambda: alerts(centre, labels["alertname"])[1]["result"], "what came of it")
    results = [one["result"] for one in alerts(centre, labels["alertname"])]
    assert results == ["opened", "recovered"]
    page = centre.login("admin@local").get("/api/v1/incidents").json()["items"]
    assert [(one["host"], one["metric"], one["subject"]) for one in page] == [
        ("web-1", "system.disk_usage_percent", "/srv")
    ]


def test_what_was_sent_while_we_were_down_comes_when_we_are_back(
    centre: Centre, tmp_path: Path
) -> None:
    sender = webhooks.sender(centre)
    url = centre.people + webhooks.PATH
    with alertmanager.running(tmp_path / "am", url=url, token=sender.token) as manager:
        centre.kill()
        for number in range(20):
            manager.fire({"alertname": "Meanwhile", "instance": f"h{number}"},
                         began=datetime.now(UTC))  # fmt: skip
        time.sleep(2)
        centre.restart()
        wait_for(lambda: len(alerts(centre, "Meanwhile")) >= 20, "the alerts of meanwhile")
    assert len(alerts(centre, "Meanwhile")) == 20


@pytest.mark.skipif(prometheus.missing() is not None, reason=str(prometheus.missing()))
def test_a_rule_of_prometheus_declares_what_it_is_about(centre: Centre, tmp_path: Path) -> None:
    host = centre.enrol("127.0.0.1")  # what Prometheus calls the instance that it scrapes
    assert host.push({**CALM, ("service.healthy", "web"): 1.0}).status_code == 204
    sender = webhooks.sender(centre)
    rule = {
        "alert": "WebDown",
        "expr": "web_answers == 0",
        "labels": {"severity": "critical", "sentienguard_metric": "service.healthy",
                   "sentienguard_subject": "web"},
        "annotations": {"summary": "the web service does not answer"},
    }  # fmt: skip
    url = centre.people + webhooks.PATH
    with (
        alertmanager.running(tmp_path / "am", url=url, token=sender.token) as manager,
        _Gauge() as gauge,
        prometheus.running(
            tmp_path / "prometheus",
            scrape={"job_name": "web", "static_configs": [{"targets": [gauge.address]}]},
            rules=[rule],
            alertmanager=manager.address,
        ),
    ):
        wait_for(lambda: alerts(centre, "WebDown"), "the alert")
        gauge.value = 1
        wait_for(lambda: len(alerts(centre, "WebDown")) == 2, "its end")
        wait_for(lambda: alerts(centre, "WebDown")[1]["result"], "what came of it")
    assert [one["result"] for one in alerts(centre, "WebDown")] == ["opened", "recovered"]
    [found] = centre.login("admin@local").get("/api/v1/incidents").json()["items"]
    assert (found["metric"], found["subject"]) == ("service.healthy", "web")


class _Gauge:
    """A page with one metric, for Prometheus to scrape."""

    value = 0

    def __enter__(self) -> Self:
        gauge = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                content = f"web_answers {gauge.value}\n".encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                """Keep quiet."""

        self._server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
