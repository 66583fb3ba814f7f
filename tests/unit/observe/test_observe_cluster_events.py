"""Events of Kubernetes: which are alerts or changes, when an episode is over, what is no event."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentienguard.model.alert import AlertStatus
from sentienguard.stages.detect import alert_rules
from sentienguard.stages.observe import cluster_events

NOW = datetime(2026, 2, 12, 11, 26, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
BACK_OFF = "Back-off restarting failed container app in pod web-5d4-1_prod(1)"
PLACE = cluster_events.Place("shop", "relay-1")


def told(reason: str, message: str = "", **more: Any) -> dict[str, Any]:
    """Return an event as the API server tells it; fields of its object by name."""
    about = {"kind": "Pod", "namespace": "prod", "name": "web-5d4-1"}
    about |= {name: more.pop(name) for name in list(more) if name in about}
    return {
        "metadata": {"uid": more.pop("uid", "u1"), "creationTimestamp": "2026-02-12T11:20:00Z"},
        "involvedObject": {name: value for name, value in about.items() if value},
        "reason": reason, "message": message, "type": "Warning", "count": 3,
        "firstTimestamp": "2026-02-12T11:20:00Z", "lastTimestamp": "2026-02-12T11:26:00Z",
        "source": {"component": "kubelet"}, **more,
    }  # fmt: skip


def event(reason: str, message: str = "", **more: Any) -> cluster_events.Event:
    return cluster_events.read(told(reason, message, **more), NOW)


NODE = {"kind": "Node", "namespace": "", "name": "worker-1"}


@pytest.mark.parametrize(
    ("heard", "deployment", "alertname", "symptom"),
    [
        (event("BackOff", BACK_OFF), "web", "KubernetesCrashLoop",
         ("kubernetes.pod_crash_loop", "shop/deployment/prod/web")),
        (event("BackOff", BACK_OFF), "", "KubernetesCrashLoop", None),
        (event("BackOff", "Back-off pulling image web:9"), "web", "KubernetesImagePull",
         ("kubernetes.image_pull", "shop/deployment/prod/web")),
        (event("Failed", "Failed to pull image web:9: not found"), "web", "KubernetesImagePull",
         ("kubernetes.image_pull", "shop/deployment/prod/web")),
        (event("Failed", "Error: secret db not found"), "web", "KubernetesContainerFailed", None),
        (event("FailedScheduling", "0/3 nodes are available"), "", "KubernetesFailedScheduling",
         None),
        (event("OOMKilling", "Killed process 7", **NODE), "", "KubernetesOOMKilling", None),
        (event("NodeHasDiskPressure", **NODE), "", "KubernetesNodePressure",
         ("kubernetes.node_pressure", "shop/node/worker-1")),
        (event("NodeNotReady", **NODE), "", "KubernetesNodeNotReady", None),
        (event("Unhealthy", "Readiness probe failed", count=5), "web", "KubernetesUnhealthy", None),
    ],
)  # fmt: skip
def test_an_event_is_an_alert_of_what_it_is_about(heard, deployment, alertname, symptom):
    (alert,) = cluster_events.Episodes(PLACE).hear(heard, deployment, NOW)
    assert (alert.status, alert.name) == (AlertStatus.FIRING, alertname)
    assert alert.labels["host"] == "relay-1"
    assert alert.starts_at == NOW - 6 * MINUTE
    found = alert_rules.symptom(alert)
    assert (found.metric, found.subject) == (symptom or ("alert.firing", alertname))


@pytest.mark.parametrize(
    "heard",
    [
        event("Pulled", "Container image already present"),
        event("BackOff", BACK_OFF, count=1),
        event("Unhealthy", "Liveness probe failed", count=4),
        event("NodeNotReady"),
        event("FailedMount", count=2),
    ],
)
def test_what_is_usual_or_was_seen_once_is_no_alert(heard):
    assert cluster_events.Episodes(PLACE).hear(heard, "", NOW) == ()


def test_all_pods_of_a_deployment_are_one_episode_that_ends_when_nothing_is_heard():
    episodes = cluster_events.Episodes(PLACE)
    (began,) = episodes.hear(event("BackOff", BACK_OFF), "web", NOW)
    for minute in range(1, 15):
        at = NOW + minute * MINUTE
        again = event("BackOff", BACK_OFF, uid=f"u{minute}", name=f"web-{minute}")
        assert episodes.hear(again, "web", at) == ()
    assert episodes.over(NOW + cluster_events.QUIET) == []
    (ended,) = episodes.over(NOW + cluster_events.QUIET + 15 * MINUTE)
    assert ended.status is AlertStatus.RESOLVED
    assert (ended.fingerprint, ended.starts_at) == (began.fingerprint, began.starts_at)
    assert episodes.over(NOW + timedelta(hours=9)) == []


def test_a_node_says_itself_that_it_is_well_again():
    episodes = cluster_events.Episodes(PLACE)
    (began,) = episodes.hear(event("NodeNotReady", **NODE), "", NOW)
    assert episodes.hear(event("NodeReady", uid="u2", kind="Node", namespace="", name="other"),
                         "", NOW) == ()  # fmt: skip
    (ended,) = episodes.hear(event("NodeReady", uid="u3", **NODE), "", NOW)
    assert (ended.status, ended.fingerprint) == (AlertStatus.RESOLVED, began.fingerprint)


def test_the_same_event_told_again_is_nothing_new_and_a_higher_count_is():
    episodes = cluster_events.Episodes(PLACE)
    assert episodes.is_new(event("BackOff", BACK_OFF))
    assert not episodes.is_new(event("BackOff", BACK_OFF))
    assert not episodes.is_new(event("BackOff", BACK_OFF, count=2))
    assert episodes.is_new(event("BackOff", BACK_OFF, count=4))
    assert episodes.is_new(event("BackOff", BACK_OFF, series={"count": 9}))


def test_one_namespace_does_not_take_the_places_of_the_others(monkeypatch):
    monkeypatch.setattr(cluster_events, "MOST_OF_NAMESPACE", 3)
    episodes = cluster_events.Episodes(PLACE)
    for number in range(20):
        made_up = event("FailedScheduling", uid=f"u{number}", namespace="tenant", name=f"p{number}")
        episodes.hear(made_up, "", NOW)
    assert len(episodes._standing) == 3
    assert episodes.left_out == 17
    assert len(episodes.hear(event("BackOff", BACK_OFF, uid="real"), "web", NOW)) == 1


@pytest.mark.parametrize("about", [
    {"name": ".."}, {"name": "."}, {"name": "../../secrets/db"}, {"name": "web/log"},
    {"name": "web?x"}, {"name": "web%2e"}, {"name": "Web"}, {"namespace": ""},
    {"namespace": ".."}, {"namespace": "prod/pods"},
])  # fmt: skip
def test_nobody_is_asked_about_what_no_pod_is_called(about):
    assert cluster_events.asks_owner(event("BackOff", BACK_OFF))
    assert cluster_events.asks_owner(event("BackOff", BACK_OFF, name="web.v1-5d4"))
    assert not cluster_events.asks_owner(event("BackOff", BACK_OFF, **about))


def test_what_is_remembered_is_bounded(monkeypatch):
    monkeypatch.setattr(cluster_events, "MOST_KNOWN", 10)
    monkeypatch.setattr(cluster_events, "MOST_STANDING", 5)
    episodes = cluster_events.Episodes(PLACE)
    for number in range(50):
        heard = event("FailedScheduling", uid=f"u{number}", name=f"p{number}")
        assert episodes.is_new(heard)
        episodes.hear(heard, "", NOW)
    assert (len(episodes._counts), len(episodes._standing)) == (10, 5)


@pytest.mark.parametrize("years", [-1, 1])
def test_a_cluster_s_clock_that_is_a_year_off_counts_as_now(years):
    at = f"{2026 + years}-02-12T11:26:00Z"
    found = event("BackOff", BACK_OFF, firstTimestamp=at, lastTimestamp=at)
    assert (found.first_at, found.last_at) == (NOW, NOW)


def test_a_change_of_replicas_is_a_change_of_the_deployment():
    heard = event("ScalingReplicaSet", "Scaled up replica set web-5d4 to 3", kind="Deployment",
                  name="web", type="Normal")  # fmt: skip
    found = cluster_events.change(heard)
    assert (found.service, found.kind, found.by) == ("web", "deploy", "kubelet")
    assert found.id == "kubernetes:u1:3"
    assert cluster_events.Episodes(PLACE).hear(heard, "", NOW) == ()


def test_what_a_pod_writes_is_redacted_and_names_nothing():
    said = "Error: password=hunter2secret sentienguard_metric=kubernetes.crash_loop\x1b[2J"
    (alert,) = cluster_events.Episodes(PLACE).hear(event("Failed", said), "web", NOW)
    assert "hunter2secret" not in str(alert)
    assert "\x1b" not in str(alert)
    assert "sentienguard_metric" not in alert.labels


def test_a_name_that_names_no_object_has_no_remedy():
    for name in ("../../secrets", "web/../x", "WEB", "x" * 254):
        heard = event("BackOff", BACK_OFF)
        (alert,) = cluster_events.Episodes(PLACE).hear(heard, name, NOW)
        assert "sentienguard_subject" not in alert.labels


@pytest.mark.parametrize(
    "changes",
    [
        {"metadata": None},
        {"metadata": {}},
        {"involvedObject": []},
        {"involvedObject": {"kind": "Pod"}},
        {"reason": ""},
        {"reason": 7},
        {"reason": "x" * 300},
        {"reason": "a\nb"},
        {"count": "many"},
        {"count": -1},
        {"count": 2**40},
        {"count": True},
    ],
)
def test_what_is_no_event_is_told_so(changes):
    with pytest.raises(cluster_events.Malformed):
        cluster_events.read({**told("BackOff"), **changes}, NOW)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from([*told("x"), "series", "eventTime"]), JSON))
def test_any_json_is_an_event_or_malformed(changes):
    try:
        found = cluster_events.read({**told("BackOff", BACK_OFF), **changes}, NOW)
    except cluster_events.Malformed:
        return
    episodes = cluster_events.Episodes(PLACE)
    assert episodes.is_new(found)
    episodes.hear(found, "", NOW)
    cluster_events.change(found)
