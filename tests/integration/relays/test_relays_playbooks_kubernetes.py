"""Bundled playbooks on a cluster: a real executor is the relay that is ordered to run them."""

from pathlib import Path

import pytest

from sentienguard.playbook import parse
from tests.servers import kubernetes
from tests.support import execution

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


def send(relay, name, parameters, **changes):
    stored = (PLAYBOOKS / name / "playbook.yaml").read_bytes()
    relay.configure(stored)
    remedy = parse.load(stored, origin=name)
    return relay.send(remedy, parameters=parameters, **changes)


def changes_of(server):
    written = ("PATCH", "DELETE", "POST", "PUT")
    return [one for one in server.requests if one.startswith(written) and "dryRun" not in one]


@pytest.mark.parametrize(("name", "parameters", "fault", "gone"), FAULTS)
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
