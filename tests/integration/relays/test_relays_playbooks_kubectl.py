"""Faults that kubectl makes, mended by a bundled playbook on a relay, and judged by kubectl again.

Against our own API server, or a real cluster: see tests/support/kubectl_world.py.
"""

import json
from pathlib import Path

import pytest

from sentienguard.playbook import parse
from tests.support import execution, kubectl_world

pytestmark = [pytest.mark.integration, kubectl_world.NEEDS_KUBECTL]
PLAYBOOKS = Path(__file__).parents[3] / "playbooks"
ENDS_WITHIN_S = 180.0


@pytest.fixture
def world(tmp_path):
    place = tmp_path / "cluster"
    place.mkdir()
    with kubectl_world.running(place) as made:
        made.deploy("nginx:1.27", 2)
        made.eventually(lambda: ready(made) == 2)
        yield made


@pytest.fixture
def relay(world, tmp_path):
    cluster = {
        "kind": "kubernetes",
        **world.declared(),
        "namespaces": [world.namespace],
        "nodes": True,
    }
    agent = execution.Agent(tmp_path / "agent", execution.Centre(), relays={"shop": cluster})
    agent.start()
    yield agent
    agent.close()


def ready(world):
    return world.get("deployment", world.app).get("status", {}).get("readyReplicas", 0)


def waits_with(world, reason):
    """Tell whether a pod waits for this reason, as kubectl sees it."""
    return any(
        one["state"].get("waiting", {}).get("reason") == reason
        for pod in world.pods()
        for one in pod.get("status", {}).get("containerStatuses", ())
    )


def an_image_that_is_not_there(world):
    world.kubectl("set", "image", f"deployment/{world.app}", "nginx=nginx:missing")
    world.eventually(lambda: waits_with(world, "ImagePullBackOff"))


def a_release_that_ends_at_once(world):
    container = {"name": "nginx", "command": ["false"]}
    patch = {"spec": {"template": {"spec": {"containers": [container]}}}}
    world.kubectl("patch", "deployment", world.app, "--patch", json.dumps(patch))
    world.eventually(lambda: waits_with(world, "CrashLoopBackOff"))


FAULTS = [
    ("kubernetes_image_pull", an_image_that_is_not_there),
    ("rollback_deployment", a_release_that_ends_at_once),
]


def send(world, relay, name, **changes):
    stored = (PLAYBOOKS / name / "playbook.yaml").read_bytes()
    relay.configure(stored)
    workload = f"shop/deployment/{world.namespace}/{world.app}"
    return relay.send(
        parse.load(stored, origin=name),
        parameters={"workload": workload},
        deadline_s=120,
        **changes,
    )


@pytest.mark.parametrize(("name", "fault"), FAULTS)
def test_what_kubectl_broke_the_playbook_mends(world, relay, name, fault):
    before = world.get("deployment", world.app)["spec"]["template"]["spec"]
    fault(world)
    answer = send(world, relay, name)
    assert answer["admitted"], answer
    finished = relay.finished(answer["order_id"], ENDS_WITHIN_S)
    assert finished["outcome"] == "SUCCESS", finished
    world.kubectl("rollout", "status", f"deployment/{world.app}", f"--timeout={world.seconds}s")
    assert world.get("deployment", world.app)["spec"]["template"]["spec"] == before
    world.eventually(lambda: ready(world) == 2)


@pytest.mark.parametrize(("name", "fault"), FAULTS)
def test_a_dry_run_lets_the_cluster_judge_and_leaves_the_fault(world, relay, name, fault):
    fault(world)
    before = world.get("deployment", world.app)["spec"]
    answer = send(world, relay, name, dry_run=True)
    assert answer["admitted"], answer
    assert relay.finished(answer["order_id"], ENDS_WITHIN_S)["outcome"] == "DRY_RUN"
    assert world.get("deployment", world.app)["spec"] == before
