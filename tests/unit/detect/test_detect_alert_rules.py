"""What an alert is about: by declared rules, and never by its words."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentienguard.model.alert import Alert, AlertStatus
from sentienguard.model.anomaly import Severity
from sentienguard.stages.decide import meaning
from sentienguard.stages.detect import alert_rules
from sentienguard.stages.detect.alert_rules import Place, Symptom

NOW = datetime(2026, 2, 12, 11, 26, tzinfo=UTC)


def alert(annotations: dict[str, str] | None = None, **labels: str) -> Alert:
    return Alert(AlertStatus.FIRING, labels, NOW, annotations or {})


@pytest.mark.parametrize(
    ("labels", "place"),
    [
        ({"instance": "web-1:9100"}, Place("instance", "web-1")),
        ({"instance": "web-1"}, Place("instance", "web-1")),
        ({"instance": "web-1.example.org:443"}, Place("instance", "web-1.example.org")),
        ({"instance": "10.0.0.7:9100"}, Place("instance", "10.0.0.7")),
        ({"instance": "[::1]:9100"}, Place("instance", "::1")),
        ({"instance": "fe80::1"}, Place("instance", "fe80::1")),
        ({"instance": "web-1:http"}, Place("instance", "web-1:http")),
        ({"host": "web-2", "instance": "exporter:9115"}, Place("host", "web-2")),
        ({"agent": "a:1", "host": "web-2"}, Place("agent", "a:1")),
        ({"agent": "", "host": "web-2"}, Place("host", "web-2")),
        ({"instance": ""}, None),
        ({"node": "web-1"}, None),
    ],
)
def test_one_label_names_the_host(labels: dict[str, str], place: Place | None) -> None:
    assert alert_rules.place(alert(**labels)) == place


@pytest.mark.parametrize(
    ("labels", "symptom"),
    [
        ({"alertname": "NodeFilesystemAlmostOutOfSpace", "mountpoint": "/srv"},
         Symptom("system.disk_usage_percent", "/srv")),
        ({"alertname": "NodeFilesystemAlmostOutOfSpace"},
         Symptom("alert.firing", "NodeFilesystemAlmostOutOfSpace")),
        ({"alertname": "NodeSystemdServiceFailed", "name": "nginx.service"},
         Symptom("service.up", "nginx")),
        ({"alertname": "HostOutOfMemory"}, Symptom("system.memory_percent", "")),
        ({"alertname": "Mine", "sentienguard_metric": "service.healthy",
          "sentienguard_subject": "web"}, Symptom("service.healthy", "web")),
        ({"alertname": "HostOutOfMemory", "sentienguard_metric": "system.zombies"},
         Symptom("system.zombies", "")),
        ({"alertname": "Mine", "sentienguard_metric": "rm -rf /"},
         Symptom("alert.firing", "Mine")),
        ({"alertname": "disk full"}, Symptom("alert.firing", "disk full")),
        ({"job": "node"}, Symptom("alert.firing", "unnamed")),
    ],
)  # fmt: skip
def test_a_rule_declares_the_symptom(labels: dict[str, str], symptom: Symptom) -> None:
    assert alert_rules.symptom(alert(**labels)) == symptom


def test_an_undeclared_alert_means_nothing_to_any_remedy() -> None:
    """Its name may be made of the very words that playbooks declare."""
    resources, symptoms, _ = meaning._meaning(alert_rules.UNDECLARED)
    assert not resources
    assert not symptoms


@pytest.mark.parametrize(
    ("said", "severity"),
    [("critical", Severity.CRITICAL), ("page", Severity.CRITICAL), ("CRITICAL", Severity.CRITICAL),
     ("warning", Severity.WARNING), ("info", Severity.INFO), ("", Severity.WARNING),
     ("\x1b[31mcritical", Severity.WARNING)],
)  # fmt: skip
def test_severities_are_translated(said: str, severity: Severity) -> None:
    assert alert_rules.severity(alert(severity=said)) is severity


@given(st.dictionaries(st.sampled_from(["alertname", "summary", "description"]), st.text()))
def test_a_reason_is_one_short_printable_line(words: dict[str, str]) -> None:
    found = alert_rules.reason(alert(words, alertname=words.get("alertname", "x") or "x"))
    assert found.isprintable()
    assert len(found) < 400
