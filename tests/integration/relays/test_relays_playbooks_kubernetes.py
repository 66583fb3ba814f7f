"""Bundled playbooks on a cluster: a real executor is the relay that is ordered to run them."""

from pathlib import Path

import pytest

from sentienguard.playbook import parse
from tests.servers import kubernetes
from tests.support import execution, real_kinds

pytestmark = pytest.mark.integration

PLAYBOOKS = Path(__file__).parents[3] / "playbooks"
WEB = {"workload": "shop/deployment/prod/web"}


@pytest.fixture
def server(tmp_path):
    place = tmp_path / "cluster"
    place.mkdir()
    with kubernetes.running(place) as served:
        yield served


@pytest.fixture
def relay(server, tmp_path):
    target = {
        "kind": "kubernetes",
        "server": server.address,
        "ca_file": server.ca_file,
        "token_file": server.token_file,
        "namespaces": ["prod"],
        "nodes": True,
    }
    agent = execution.Agent(tmp_path / "agent", execution.Centre(), relays={"shop": target})
    agent.start()
    yield agent
    agent.close()


def deployed(server, image):
    server.cluster.deploy("prod", "web", "web:1")
    server.cluster.set_image("prod", "web", image)


def one_crashes(server):
    server.cluster.deploy("prod", "web", "web:1")
    server.cluster.sicken("prod", "web", "crash")


def two_crash(server):
    server.cluster.deploy("prod", "web", "web:1")
    server.cluster.sicken("prod", "web", "crash", 2)


def needs_more_memory(server):
    server.cluster.deploy("prod", "web", "web:eats-350")


def node_under_pressure(server):
    for number in range(1, 5):
        server.cluster.node(f"worker-{number}")
    server.cluster.node("worker-0", MemoryPressure="True")


def autoscaler_at_maximum(server):
    server.cluster.autoscaler("prod", "web", 4, 6)


def all_well(server):
    """Say what the fault of a workload is gone by."""
    status = server.cluster.get(("deployments", "prod", "web"))["status"]
    return status["readyReplicas"] == 3 and status["conditions"][0]["status"] == "True"


def cordoned(server):
    return server.cluster.get(("nodes", "", "worker-0"))["spec"]["unschedulable"]


def has_room(server):
    found = server.cluster.get(("horizontalpodautoscalers", "prod", "web"))
    return found["spec"]["maxReplicas"] == 6


NODE = {"node": "shop/node/worker-0"}
SCALER = {"autoscaler": "shop/autoscaler/prod/web"}
FAULTS = [
    ("restart_kubernetes_pod", WEB, one_crashes, all_well),
    ("kubernetes_crash_loop", WEB, two_crash, all_well),
    ("rollback_deployment", WEB, lambda server: deployed(server, "web:crash"), all_well),
    ("rollback_deployment", WEB, lambda server: deployed(server, "web:no-config"), all_well),
    ("kubernetes_image_pull", WEB, lambda server: deployed(server, "web:missing"), all_well),
    ("kubernetes_stuck_rollout", WEB, lambda server: deployed(server, "web:slow"), all_well),
    ("kubernetes_oom_limit", WEB, needs_more_memory, all_well),
    ("kubernetes_node_pressure", NODE, node_under_pressure, cordoned),
    ("kubernetes_hpa_at_max", SCALER, autoscaler_at_maximum, has_room),
]


STEP_OF = {
    "restart_kubernetes_pod": "kubectl_delete",
    "kubernetes_crash_loop": "kubectl_rollout_restart",
    "rollback_deployment": "kubectl_rollout_undo",
    "kubernetes_image_pull": "kubectl_rollout_undo",
    "kubernetes_stuck_rollout": "kubectl_rollout_undo",
    "kubernetes_oom_limit": "kubectl_set_limits",
    "kubernetes_node_pressure": "kubectl_cordon",
    "kubernetes_hpa_at_max": "kubectl_set_autoscale",
}
MENDED = [
    pytest.param(*fault, marks=real_kinds.runs(f"step {STEP_OF[fault[0]]}")) for fault in FAULTS
]


def send(relay, name, parameters, **changes):
    return order(relay, (PLAYBOOKS / name / "playbook.yaml").read_bytes(), parameters, **changes)


def order(relay, stored, parameters, version=1, **changes):
    accepted = relay.configure(stored, version=version)
    assert accepted["accepted"], accepted
    remedy = parse.load(stored, origin="ordered")
    return relay.send(remedy, parameters=parameters, **changes)


def changes_of(server):
    written = ("PATCH", "DELETE", "POST", "PUT")
    return [one for one in server.requests if one.startswith(written) and "dryRun" not in one]


@pytest.mark.parametrize(("name", "parameters", "fault", "gone"), MENDED)
def test_a_playbook_mends_its_fault(server, relay, *, name, parameters, fault, gone):
    fault(server)
    answer = send(relay, name, parameters)
    assert answer["admitted"], answer
    finished = relay.finished(answer["order_id"])
    assert finished["outcome"] == "SUCCESS", finished
    assert gone(server)
    assert len(changes_of(server)) == 1


@pytest.mark.parametrize(("name", "parameters", "fault", "gone"), FAULTS)
def test_a_dry_run_asks_the_cluster_and_changes_nothing(
    server, relay, *, name, parameters, fault, gone
):
    fault(server)
    answer = send(relay, name, parameters, dry_run=True)
    assert answer["admitted"], answer
    finished = relay.finished(answer["order_id"])
    assert finished["outcome"] == "DRY_RUN"
    assert any("dryRun=All" in one for one in server.requests)
    assert changes_of(server) == []


REFUSED = [
    ("restart_kubernetes_pod", WEB, two_crash),
    ("restart_kubernetes_pod", WEB, lambda server: deployed(server, "web:no-config")),
    ("restart_kubernetes_pod", WEB, lambda server: deployed(server, "web:crash")),
    ("kubernetes_crash_loop", WEB, lambda server: deployed(server, "web:no-config")),
    ("kubernetes_crash_loop", WEB, lambda server: deployed(server, "web:crash")),
    (
        "kubernetes_image_pull",
        WEB,
        lambda server: server.cluster.deploy("prod", "web", "web:missing"),
    ),
    ("kubernetes_oom_limit", WEB, lambda server: deployed(server, "web:crash")),
    ("kubernetes_node_pressure", NODE, lambda s: s.cluster.node("worker-0", DiskPressure="True")),
    ("kubernetes_hpa_at_max", SCALER, lambda s: s.cluster.autoscaler("prod", "web", 20, 30)),
    ("restart_kubernetes_pod", {"workload": "shop/deployment/kube-system/dns"}, one_crashes),
    ("restart_kubernetes_pod", {"workload": "other/deployment/prod/web"}, one_crashes),
    ("restart_kubernetes_pod", {"workload": "shop/node/worker-0"}, node_under_pressure),
    ("restart_kubernetes_pod", {"workload": "shop/deployment/prod/../web"}, one_crashes),
]


@pytest.mark.parametrize(("name", "parameters", "fault"), REFUSED)
def test_what_it_is_not_for_is_refused_before_anything_changes(
    server, relay, name, parameters, fault
):
    fault(server)
    answer = send(relay, name, parameters)
    assert answer["admitted"] is False
    assert changes_of(server) == []


def test_a_rollback_that_does_not_help_goes_forward_again(server, relay):
    server.cluster.deploy("prod", "web", "web:slow")
    server.cluster.set_image("prod", "web", "web:crash")
    answer = send(relay, "rollback_deployment", WEB, deadline_s=6)
    assert answer["admitted"], answer
    finished = relay.finished(answer["order_id"], 30)
    assert finished["outcome"] == "ROLLED_BACK", finished
    template = server.cluster.get(("deployments", "prod", "web"))["spec"]["template"]
    assert template["spec"]["containers"][0]["image"] == "web:crash"


def test_a_host_that_is_no_relay_knows_no_object(tmp_path):
    agent = execution.Agent(tmp_path / "agent", execution.Centre())
    agent.start()
    try:
        answer = send(agent, "restart_kubernetes_pod", WEB)
    finally:
        agent.close()
    assert answer["admitted"] is False
    assert "no kubernetes target" in answer["reason"]


# No bundled playbook does these two; each is run whole, and verified by what the relay measures.
OTHERS = """
name: {step}_it
version: "1.0.0"
description: A step of the tests.
match: {{system: kubernetes, resource: pod, symptom: down}}
risk: WARNING
max_per_hour: 9
needs: [kubernetes]
parameters:
  it: {{type: object, choices: [{kind}]}}
guard: {guard}
steps:
  - {{name: do, action: {step}, object: {{param: it}}{more}, rollback: {{skip: a test}}}}
verification:
  - {{type: condition, condition: {reached}, retry: 5, retry_delay: 100ms}}
"""


@real_kinds.runs("step kubectl_scale")
def test_a_deployment_is_scaled_by_an_order_and_twice_is_once(server, relay):
    server.cluster.deploy("prod", "web", "web:1")
    stored = OTHERS.format(
        step="kubectl_scale", kind="deployment", more=", replicas: 5",
        guard="workload_replicas < 9", reached="workload_replicas == 5",
    ).encode()  # fmt: skip
    answer = order(relay, stored, {"it": "shop/deployment/prod/web"})
    assert answer["admitted"], answer
    assert relay.finished(answer["order_id"])["outcome"] == "SUCCESS"
    assert server.cluster.get(("deployments", "prod", "web"))["spec"]["replicas"] == 5
    assert len(changes_of(server)) == 1
    other = "inc_20260212_112600_00000002"
    again = order(relay, stored, {"it": "shop/deployment/prod/web"}, incident=other)
    assert relay.finished(again["order_id"])["outcome"] == "SUCCESS_NO_ACTION"
    assert len(changes_of(server)) == 1


@real_kinds.runs("step kubectl_cordon", "step kubectl_uncordon")
def test_a_node_that_an_order_cordoned_takes_pods_again_by_another(server, relay):
    server.cluster.node("worker-0")
    for number, (step, guard, reached) in enumerate(
        [
            ("kubectl_cordon", "node_schedulable", "not node_schedulable"),
            ("kubectl_uncordon", "not node_schedulable", "node_schedulable"),
        ]
    ):
        stored = OTHERS.format(step=step, kind="node", more="", guard=guard, reached=reached)
        answer = order(
            *(relay, stored.encode(), {"it": "shop/node/worker-0"}),
            version=number + 1,
            incident=f"inc_20260212_112600_{number:08x}",
        )
        assert answer["admitted"], answer
        assert relay.finished(answer["order_id"])["outcome"] == "SUCCESS"
    assert not server.cluster.get(("nodes", "", "worker-0"))["spec"].get("unschedulable")
    assert len(changes_of(server)) == 2
