"""The real kubectl prepares and judges what our requests do, as an independent client.

Against our own API server, or a real cluster: see tests/support/kubectl_world.py.
"""

import json
import os
import subprocess
import sys

import pytest

from sentienguard.adapters.remote_programs import programs
from sentienguard.playbook import objects
from sentienguard.ports import remote_objects
from tests.servers import kubernetes
from tests.support import kubectl_world

pytestmark = [pytest.mark.integration, kubectl_world.NEEDS_KUBECTL]
EFFORT = remote_objects.Effort(20.0, "order:step0", programs.Never())


@pytest.fixture
def world(tmp_path):
    with kubectl_world.running(tmp_path) as made:
        yield made


@pytest.fixture
def cluster(world):
    world.deploy("nginx:1.27", 2)
    made = world.cluster()
    name = objects.Name("shop", "deployment", (world.namespace, world.app))
    world.eventually(lambda: made.measure(name, "workload_status") == "ok")
    return made


def asked(world, step, **arguments):
    name = f"shop/deployment/{world.namespace}/{world.app}"
    return remote_objects.Asked(name, step, "", arguments)


def deployment(world):
    return world.get("deployment", world.app)


def image(world):
    return deployment(world)["spec"]["template"]["spec"]["containers"][0]["image"]


def names(pods):
    return {one["metadata"]["name"] for one in pods}


def test_a_scale_is_what_kubectl_sees_and_its_own_scale_is_what_we_see(world, cluster):
    what = asked(world, "kubectl_scale", replicas=3)
    seen = cluster.look(what, EFFORT)
    cluster.rehearse(what, EFFORT)
    assert deployment(world)["spec"]["replicas"] == 2
    assert cluster.act(what, seen, EFFORT).changed
    assert deployment(world)["spec"]["replicas"] == 3
    world.kubectl("scale", f"deployment/{world.app}", "--replicas=1")
    with pytest.raises(remote_objects.Changed):
        cluster.restore(what, seen, EFFORT)


def test_our_rollback_is_that_of_kubectl(world, cluster):
    world.kubectl("set", "image", f"deployment/{world.app}", "nginx=nginx:no-such-tag-1")
    what = asked(world, "kubectl_rollout_undo")
    name = objects.read(what.object)
    world.eventually(lambda: cluster.measure(name, "workload_earlier_revision"))
    seen = cluster.look(what, EFFORT)
    assert cluster.act(what, seen, EFFORT).changed
    ours = deployment(world)["spec"]["template"]
    assert image(world) == "nginx:1.27"
    cluster.restore(what, seen, EFFORT)
    assert image(world) == "nginx:no-such-tag-1"
    world.kubectl("rollout", "undo", f"deployment/{world.app}")
    assert deployment(world)["spec"]["template"] == ours


def test_our_restart_sets_what_kubectl_s_does(world, cluster):
    def annotations():
        found = deployment(world)["spec"]["template"]["metadata"]
        return set(found.get("annotations") or {})

    before = {one["metadata"]["uid"] for one in world.pods()}
    what = asked(world, "kubectl_rollout_restart")
    cluster.act(what, cluster.look(what, EFFORT), EFFORT)
    ours = annotations()
    world.eventually(lambda: not before & {one["metadata"]["uid"] for one in world.pods()})
    world.kubectl("rollout", "restart", f"deployment/{world.app}")
    assert annotations() == ours
    world.kubectl("rollout", "status", f"deployment/{world.app}", f"--timeout={world.seconds}s")
    assert "3" in world.kubectl("rollout", "history", f"deployment/{world.app}").split()


def test_a_pod_that_kubectl_deletes_is_one_less_and_then_another_one(world, cluster):
    gone = world.pods()[0]["metadata"]["name"]
    assert gone in world.kubectl("delete", "pod", gone, f"--timeout={world.seconds}s")
    world.eventually(lambda: len(names(world.pods()) - {gone}) == 2)
    name = objects.Name("shop", "deployment", (world.namespace, world.app))
    world.eventually(lambda: cluster.measure(name, "workload_ready") == 2)


def test_our_cordon_is_kubectl_s_and_what_it_drains_we_see_elsewhere(world, cluster):
    nodes = {one["metadata"]["name"] for one in world.get("nodes")["items"]}
    if len(nodes) < 2:
        pytest.skip("a cluster of one node has nowhere to drain to")
    busy = world.pods()[0]["spec"]["nodeName"]
    what = remote_objects.Asked(f"shop/node/{busy}", "kubectl_cordon", "", {})
    seen = cluster.look(what, EFFORT)
    assert cluster.act(what, seen, EFFORT).changed
    try:
        assert "already cordoned" in world.kubectl("cordon", busy)
        world.kubectl(
            *("drain", busy, f"--pod-selector=app={world.app}", "--ignore-daemonsets"),
            f"--timeout={world.seconds}s",
        )
        world.eventually(lambda: len(world.pods()) == 2)
        assert busy not in {one["spec"]["nodeName"] for one in world.pods()}
    finally:
        world.kubectl("uncordon", busy)
    assert cluster.measure(objects.read(what.object), "node_schedulable") is True
    assert cluster.restore(what, seen, EFFORT).changed is False


def test_kubectl_describes_what_we_measure(world, cluster):
    pod = world.pods()[0]
    said = world.kubectl("describe", "deployment", world.app)
    assert "2 desired | 2 updated | 2 total | 2 available" in said
    assert "(2/2 replicas created)" in said
    said = world.kubectl("describe", "pod", pod["metadata"]["name"])
    assert f"ReplicaSet/{pod['metadata']['ownerReferences'][0]['name']}" in said
    said = world.kubectl("describe", "node", pod["spec"]["nodeName"])
    assert pod["metadata"]["name"] in said


def test_kubectl_finds_what_is_served_and_what_it_means(world):
    found = world.kubectl("api-resources", "-o", "name").split()
    assert {"pods", "nodes", "deployments.apps", "horizontalpodautoscalers.autoscaling"} <= {*found}
    if world.minor() < kubectl_world.STRICT_SINCE:
        pytest.skip(f"kubectl 1.{world.minor()} reads the OpenAPI document as protobuf only")
    assert "Number of desired pods" in world.kubectl("explain", "deployment.spec.replicas")


def test_a_field_that_kubernetes_does_not_know_is_refused_to_kubectl(world, cluster):
    if world.minor() < kubectl_world.STRICT_SINCE:
        pytest.skip(f"kubectl 1.{world.minor()} judges fields itself, by protobuf only")
    made = deployment(world)
    kept = {name: made["metadata"][name] for name in ("name", "namespace")}
    right = {**made, "metadata": kept, "spec": {**made["spec"], "replicas": 1}}
    wrong = {**right, "spec": {**right["spec"], "replicaz": 1}}
    done = world.tried("apply", "-f", "-", given=json.dumps(wrong))
    assert done.returncode != 0
    assert "replicaz" in done.stderr
    world.kubectl("apply", "-f", "-", given=json.dumps(right))
    assert deployment(world)["spec"]["replicas"] == 1


@pytest.mark.skipif(kubectl_world.REAL is not None, reason="it is on that way already")
@pytest.mark.timeout(180)
def test_the_variable_leads_this_suite_to_the_cluster_that_it_names(tmp_path):
    """Our own server stands there, so that the way to a real cluster does not rot unused."""
    name = test_a_pod_that_kubectl_deletes_is_one_less_and_then_another_one.__name__
    with kubernetes.running(tmp_path) as served:
        served.cluster.node("worker-1")
        argv = [sys.executable, "-m", "pytest", "-q", f"--basetemp={tmp_path / 'inner'}"]
        done = subprocess.run(
            [*argv, "-p", "no:cacheprovider", f"{__file__}::{name}"],
            env={**os.environ, "KUBECONFIG_TEST": served.kubeconfig()},
            capture_output=True,
            text=True,
            check=False,
        )
        asked = [one.partition("?")[0] for one in served.requests]
    assert "1 passed" in done.stdout, done.stdout
    assert "POST /api/v1/namespaces" in asked
    assert any(one.startswith("DELETE /api/v1/namespaces/sentienguard-") for one in asked)
