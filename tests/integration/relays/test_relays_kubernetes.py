"""What a relay does to a cluster, over HTTPS, against an API server of our own."""

import pathlib
import time

import pytest

from sentienguard.adapters.kubernetes import api, target
from sentienguard.playbook import objects
from sentienguard.ports import remote_objects
from tests.servers import kubernetes, kubernetes_authority

WEB = "shop/deployment/prod/web"
NODE = "shop/node/worker-1"
SCALER = "shop/autoscaler/prod/web"


class Never:
    def requested(self):
        return None

    def wait(self, seconds):
        time.sleep(seconds)
        return False


EFFORT = remote_objects.Effort(10.0, "order:step0", Never())


@pytest.fixture
def server(tmp_path):
    with kubernetes.running(tmp_path) as served:
        yield served


def cluster_of(server, /, **changes):
    known = {
        "server": server.address,
        "ca_file": server.ca_file,
        "token_file": server.token_file,
        **changes,
    }
    return target.Cluster(api.Credentials(**known), frozenset({"prod"}), nodes=True)


@pytest.fixture
def cluster(server):
    return cluster_of(server)


def asked(step, name=WEB, **arguments):
    return remote_objects.Asked(name, step, "", arguments)


def fact(cluster, name, of=WEB):
    return cluster.measure(objects.read(of), name)


def perform(cluster, what):
    seen = cluster.look(what, EFFORT)
    return seen, cluster.act(what, seen, EFFORT)


def image(server, at=0):
    spec = server.cluster.get(("deployments", "prod", "web"))["spec"]["template"]["spec"]
    return spec["containers"][at]["image"]


STATUSES = [
    ("web:1", "ok"),
    ("web:crash", "crash_loop"),
    ("web:eats-900", "oom_killed"),
    ("web:missing", "image_pull"),
    ("web:no-config", "config_error"),
    ("web:slow", "stuck"),
]


@pytest.mark.parametrize(("version", "status"), STATUSES)
def test_the_status_of_a_workload_is_the_worst_of_its_pods(server, cluster, version, status):
    server.cluster.deploy("prod", "web", "web:1")
    server.cluster.set_image("prod", "web", version)
    assert fact(cluster, "workload_status") == status
    assert fact(cluster, "workload_ready") == 3  # a rolling update keeps what is ready
    assert fact(cluster, "workload_earlier_revision") is (version != "web:1")
    assert fact(cluster, "workload_shared_cause") is (status not in {"ok", "stuck"})


def test_one_pod_that_fails_among_others_shares_no_cause(server, cluster):
    server.cluster.deploy("prod", "web", "web:1")
    server.cluster.sicken("prod", "web", "crash")
    assert fact(cluster, "workload_status") == "crash_loop"
    assert fact(cluster, "workload_failing") == 1
    assert fact(cluster, "workload_shared_cause") is False


def test_a_failing_pod_is_deleted_and_a_new_one_takes_its_place(server, cluster):
    server.cluster.deploy("prod", "web", "web:1")
    (sick,) = server.cluster.sicken("prod", "web", "crash")
    what = asked("kubectl_delete", status="crash_loop", at_most=1)
    seen, done = perform(cluster, what)
    assert sick in done.detail
    assert sick not in server.cluster.pods("prod", "web")
    assert len(server.cluster.pods("prod", "web")) == 3
    assert fact(cluster, "workload_status") == "ok"
    assert cluster.act(what, seen, EFFORT).changed is False


def test_a_pod_that_got_well_meanwhile_is_left_alone(server, cluster):
    server.cluster.deploy("prod", "web", "web:1")
    (sick,) = server.cluster.sicken("prod", "web", "crash")
    what = asked("kubectl_delete", status="crash_loop", at_most=1)
    seen = cluster.look(what, EFFORT)
    server.cluster.sick.clear()
    server.cluster.reconcile()
    assert cluster.act(what, seen, EFFORT).changed is False
    assert sick in server.cluster.pods("prod", "web")


def test_more_failing_pods_than_may_be_deleted_are_not_touched(server, cluster):
    server.cluster.deploy("prod", "web", "web:1")
    server.cluster.sicken("prod", "web", "crash", 2)
    with pytest.raises(remote_objects.Refused, match="2 pods"):
        cluster.look(asked("kubectl_delete", status="crash_loop", at_most=1), EFFORT)


def test_a_rollout_goes_back_to_the_template_before_and_forward_again(server, cluster):
    server.cluster.deploy("prod", "web", "web:1")
    server.cluster.set_image("prod", "web", "web:missing")
    what = asked("kubectl_rollout_undo")
    seen, done = perform(cluster, what)
    assert done.changed
    assert image(server) == "web:1"
    assert fact(cluster, "workload_status") == "ok"
    assert cluster.act(what, seen, EFFORT).changed is False
    assert cluster.restore(what, seen, EFFORT).changed
    assert image(server) == "web:missing"
    assert cluster.restore(what, seen, EFFORT).changed is False


def test_without_an_earlier_revision_there_is_nothing_to_go_back_to(server, cluster):
    server.cluster.deploy("prod", "web", "web:missing")
    with pytest.raises(remote_objects.Refused, match="no earlier revision"):
        cluster.look(asked("kubectl_rollout_undo"), EFFORT)


EDITS = [
    (WEB, "kubectl_scale", {"replicas": 5}, ("deployments", "web"), ("spec", "replicas"), 5, 3),
    (NODE, "kubectl_cordon", {}, ("nodes", "worker-1"), ("spec", "unschedulable"), True, None),
    (
        *(SCALER, "kubectl_set_autoscale", {"by_percent": 50, "at_most": 20}),
        *(("horizontalpodautoscalers", "web"), ("spec", "maxReplicas"), 6, 4),
    ),
]


@pytest.mark.parametrize(("name", "step", "arguments", "key", "path", "new", "old"), EDITS)
def test_an_edit_is_made_once_rehearsed_without_trace_and_put_back(
    server, cluster, *, name, step, arguments, key, path, new, old
):
    server.cluster.deploy("prod", "web", "web:1")
    server.cluster.node("worker-1")
    server.cluster.autoscaler("prod", "web", 4, 6)
    what = asked(step, name, **arguments)

    def value():
        found = server.cluster.get((key[0], "" if key[0] == "nodes" else "prod", key[1]))
        return found[path[0]].get(path[1])

    before = dict(server.cluster.objects)
    assert "would take it" in cluster.rehearse(what, EFFORT)
    assert any("dryRun=All" in request for request in server.requests)
    assert server.cluster.objects == before
    seen, done = perform(cluster, what)
    assert (done.changed, value()) == (True, new)
    assert cluster.act(what, seen, EFFORT).changed is False
    assert cluster.restore(what, seen, EFFORT).changed
    assert value() == old
    assert cluster.restore(what, seen, EFFORT).changed is False


def test_a_cordoned_node_takes_pods_again_and_is_cordoned_again_by_the_undo(server, cluster):
    server.cluster.node("worker-1")

    def unschedulable():
        return server.cluster.get(("nodes", "", "worker-1"))["spec"].get("unschedulable")

    what = asked("kubectl_uncordon", NODE)
    seen = cluster.look(what, EFFORT)
    assert cluster.act(what, seen, EFFORT).changed is False  # it takes pods
    perform(cluster, asked("kubectl_cordon", NODE))
    assert unschedulable() is True
    seen, done = perform(cluster, what)
    assert (done.changed, unschedulable()) == (True, None)
    assert cluster.act(what, seen, EFFORT).changed is False
    assert cluster.restore(what, seen, EFFORT).changed
    assert unschedulable() is True
    assert cluster.restore(what, seen, EFFORT).changed is False


def test_a_memory_limit_rises_for_what_was_killed_and_no_further_than_signed(server, cluster):
    server.cluster.deploy("prod", "web", "web:eats-350")
    assert fact(cluster, "workload_status") == "oom_killed"
    assert fact(cluster, "workload_memory_limit") == 256 * 2**20
    what = asked("kubectl_set_limits", by_percent=50, at_most_bytes=2**30)
    seen, _ = perform(cluster, what)
    assert fact(cluster, "workload_memory_limit") == 384 * 2**20
    assert fact(cluster, "workload_status") == "ok"
    cluster.restore(what, seen, EFFORT)
    assert fact(cluster, "workload_memory_limit") == 256 * 2**20
    tight = asked("kubectl_set_limits", by_percent=50, at_most_bytes=256 * 2**20)
    with pytest.raises(remote_objects.Refused, match="may not go beyond"):
        cluster.look(tight, EFFORT)


def test_what_somebody_else_changed_meanwhile_is_not_overwritten(server, cluster):
    server.cluster.deploy("prod", "web", "web:1")
    what = asked("kubectl_scale", replicas=5)
    seen = cluster.look(what, EFFORT)
    found = server.cluster.get(("deployments", "prod", "web"))
    found["spec"]["replicas"] = 9
    server.cluster.update(("deployments", "prod", "web"), found)
    with pytest.raises(remote_objects.Changed, match="somebody else"):
        cluster.act(what, seen, EFFORT)
    with pytest.raises(remote_objects.Changed):
        cluster.restore(what, seen, EFFORT)
    assert server.cluster.get(("deployments", "prod", "web"))["spec"]["replicas"] == 9


def test_a_new_version_between_look_and_patch_is_looked_at_again(server, cluster):
    server.cluster.deploy("prod", "web", "web:1")
    times = []

    def controller_writes(method, _):
        if method == "PATCH" and len(times) < 2:
            times.append(1)
            server.cluster.report("deployments", "prod", "web", collisionCount=len(times))

    server.meddle = controller_writes
    _, done = perform(cluster, asked("kubectl_scale", replicas=4))
    assert done.changed
    assert len(times) == 2
    assert sum(request.startswith("PATCH") for request in server.requests) == 3


def test_an_object_that_was_made_anew_is_another_one(server, cluster):
    server.cluster.deploy("prod", "web", "web:1")
    what = asked("kubectl_scale", replicas=5)
    seen = cluster.look(what, EFFORT)
    server.cluster.delete(("deployments", "prod", "web"), {}, dry_run=False)
    server.cluster.deploy("prod", "web", "web:1")
    with pytest.raises(remote_objects.Changed, match="made anew"):
        cluster.act(what, seen, EFFORT)


def test_what_is_gone_is_missing(cluster):
    assert fact(cluster, "workload_status") == "missing"
    assert fact(cluster, "node_status", NODE) == "missing"
    with pytest.raises(remote_objects.UnknownObject):
        fact(cluster, "workload_ready")


@pytest.mark.parametrize("name", ["shop/deployment/kube-system/coredns", "shop/autoscaler/dev/web"])
def test_a_namespace_that_was_not_declared_is_out_of_reach(server, cluster, name):
    with pytest.raises(remote_objects.UnknownObject, match="prod only"):
        cluster.allow(objects.read(name))
    assert server.requests == []


def test_a_server_of_another_authority_gets_no_token(server, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    kubernetes_authority.make(other)
    stranger = cluster_of(server, ca_file=str(other / "ca.pem"))
    with pytest.raises(remote_objects.Unreachable, match="certificate"):
        fact(stranger, "workload_status")
    assert server.requests == []


def test_a_server_of_another_name_gets_no_token(server):
    stranger = cluster_of(server, server=server.address.replace("127.0.0.1", "localhost"))
    with pytest.raises(remote_objects.Unreachable, match="certificate"):
        fact(stranger, "workload_status")
    assert server.requests == []


def test_a_renewed_token_is_read_and_a_wrong_one_refused(server, cluster):
    token = pathlib.Path(server.token_file)
    right = token.read_text()
    token.write_text("of somebody else".replace(" ", "-"))
    with pytest.raises(remote_objects.Refused, match="401"):
        fact(cluster, "workload_status")
    token.write_text(right)
    assert fact(cluster, "workload_status") == "missing"


def test_what_its_rights_do_not_allow_is_refused_and_nothing_happens(server, cluster):
    server.cluster.deploy("prod", "web", "web:1")
    server.forbidden = {"PATCH"}
    what = asked("kubectl_scale", replicas=5)
    seen = cluster.look(what, EFFORT)
    with pytest.raises(remote_objects.Refused, match="403"):
        cluster.act(what, seen, EFFORT)
    assert server.cluster.get(("deployments", "prod", "web"))["spec"]["replicas"] == 3


def test_a_server_that_is_not_there_is_unreachable(server):
    nobody = cluster_of(server, server="https://127.0.0.1:9")
    with pytest.raises(remote_objects.Unreachable):
        fact(nobody, "workload_status")
