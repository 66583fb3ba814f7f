"""The published schemas of Kubernetes judge our API server and what is sent to it: planted faults.

Each fault is one that a server of our own could have and no test of ours would see, because both
were written by the same hands.
"""

import contextlib

import pytest

from sentienguard.adapters.kubernetes import api, target
from sentienguard.playbook import objects
from sentienguard.ports import remote_objects
from tests.servers import kubernetes, kubernetes_schema
from tests.servers import kubernetes_discovery as discovery

pytestmark = pytest.mark.integration
WEB = ("deployments", "prod", "web")
PATH = "/apis/apps/v1/namespaces/prod/deployments/web"


def client(served):
    who = api.Credentials(served.address, served.ca_file, served.token_file)
    return api.Api(who)


def measure(served):
    who = api.Credentials(served.address, served.ca_file, served.token_file)
    web = objects.read("shop/deployment/prod/web")
    target.Cluster(who, frozenset({"prod"}), nodes=True).measure(web, "workload_status")


@contextlib.contextmanager
def found_wrong(place, said):
    """Serve until the block ends, and expect that the server's end fails a test with this."""
    with pytest.raises(AssertionError, match=said), kubernetes.running(place) as served:  # noqa: PT012 - two statements are what has to be inside
        served.cluster.deploy("prod", "web", "web:1")
        yield served


def test_what_is_right_passes(tmp_path):
    with kubernetes.running(tmp_path) as served:
        served.cluster.deploy("prod", "web", "web:1")
        measure(served)
        client(served).patch(
            PATH, [{"op": "replace", "path": "/spec/replicas", "value": 2}], 5, dry_run=False
        )
        assert served.wrong == []


def status_of_a_deployment(cluster):
    return cluster.objects[WEB]["status"]


def container_of_a_pod(cluster):
    pod = next(one for key, one in cluster.objects.items() if key[0] == "pods")
    return pod["status"]["containerStatuses"][0]


def template_of_a_set(cluster):
    one = next(one for key, one in cluster.objects.items() if key[0] == "replicasets")
    return one["spec"]["template"]["spec"]["containers"][0]


PLANTED = [
    (status_of_a_deployment, {"readyReplica": 3}, "'readyReplica' was unexpected"),
    (status_of_a_deployment, {"readyReplicas": "3"}, "'3' is not of type 'integer'"),
    (container_of_a_pod, {"restarts": 7}, "'restarts' was unexpected"),
    (container_of_a_pod, {"state": {"wait": {}}}, "'wait' was unexpected"),
    (container_of_a_pod, {"ready": None}, "None is not of type 'boolean'"),
    (
        container_of_a_pod,
        {"lastState": {"terminated": {"exitCode": 1, "finishedAt": "yesterday"}}},
        "'yesterday' is not a 'date-time'",
    ),
    (template_of_a_set, {"resources": {"limit": {}}}, "'limit' was unexpected"),
]


@pytest.mark.parametrize(("place_of", "planted", "said"), PLANTED)
def test_a_wrong_field_that_the_server_tells_fails_the_test(tmp_path, place_of, planted, said):
    with found_wrong(tmp_path, said) as served:
        place_of(served.cluster).update(planted)
        with contextlib.suppress(remote_objects.Unreachable):
            measure(served)


def test_what_has_another_shape_is_an_error_and_no_status(tmp_path):
    with found_wrong(tmp_path, "'3' is not of type 'integer'") as served:
        status_of_a_deployment(served.cluster)["readyReplicas"] = "3"
        with pytest.raises(remote_objects.Unreachable, match="another shape"):
            measure(served)


def test_a_missing_field_fails_the_test(tmp_path):
    with found_wrong(tmp_path, "'image' is a required property") as served:
        del container_of_a_pod(served.cluster)["image"]
        measure(served)


def test_another_kind_in_its_place_fails_the_test(tmp_path):
    with found_wrong(tmp_path, "'ReplicaSet' instead of 'Deployment'") as served:
        served.cluster.objects[WEB]["kind"] = "ReplicaSet"
        measure(served)


SENT = [
    ({"op": "add", "path": "/spec/replicaz", "value": 2}, "'replicaz' was unexpected"),
    ({"op": "add", "path": "/spec/replicas", "value": "2"}, "'2' is not of type 'integer'"),
    ({"op": "remove", "path": "/spec/selector"}, "'selector' is a required property"),
]


@pytest.mark.parametrize(("operation", "said"), SENT)
def test_what_we_send_against_the_schema_is_refused_and_fails_the_test(tmp_path, operation, said):
    with found_wrong(tmp_path, f"taken by PATCH .*{said}") as served:
        with pytest.raises(remote_objects.Refused, match="422"):
            client(served).patch(PATH, [operation], 5, dry_run=False)
        assert served.cluster.get(WEB)["spec"]["replicas"] == 3


def test_a_deletion_with_an_option_that_is_none_fails_the_test(tmp_path):
    with found_wrong(tmp_path, "DeleteOptions.preconditions.*'version' was unexpected") as served:
        pod = served.cluster.pods("prod", "web")[0]
        with pytest.raises(remote_objects.Refused, match="422"):
            client(served).delete(
                f"/api/v1/namespaces/prod/pods/{pod}", {"version": "1"}, 5, dry_run=False
            )
        assert pod in served.cluster.pods("prod", "web")


def test_a_wrong_event_in_a_watch_fails_the_test(tmp_path):
    with found_wrong(tmp_path, "told to a watch: Event.*'counts' was unexpected") as served:
        served.events.say("BackOff", counts=3)


def test_a_wrong_document_of_discovery_fails_the_test(tmp_path, monkeypatch):
    monkeypatch.setattr(discovery, "_VERBS", "get")
    with found_wrong(tmp_path, "APIResourceList.*'get' is not of type 'array'") as served:
        client(served).get("/apis/apps/v1", 5)


def test_a_version_without_all_that_kubernetes_says_fails_the_test(tmp_path, monkeypatch):
    monkeypatch.setattr(discovery, "version", lambda: {"major": "1", "minor": "32"})
    with found_wrong(tmp_path, "'gitVersion' is a required property") as served:
        client(served).get("/version", 5)


def test_a_kind_that_is_not_published_is_wrong():
    assert kubernetes_schema.problems("apps/v1beta1", "Deployment", {}) == [
        f"Kubernetes 1.{kubernetes_schema.MINOR} publishes no Deployment of apps/v1beta1"
    ]
