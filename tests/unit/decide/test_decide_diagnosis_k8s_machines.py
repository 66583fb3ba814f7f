"""Machines, what runs the cluster, and slowness; the gate and the competition behind the rules."""

import json
import random

import pytest

from sentienguard.stages.decide.diagnosis import kubernetes, snapshot
from tests.support.decide_diagnosis_k8s_world import World

STOPPED = "Active: inactive (dead) since Mon"
RUNNING = "Active: active (running) since Mon"


@pytest.mark.parametrize(
    ("unit", "cause"),
    [
        ("kubelet", "kubelet_down"),
        ("containerd", "container_runtime_down"),
        ("kube-proxy", "kube_proxy_down"),
    ],
)
def test_a_unit_that_does_not_run_is_its_machines_matter(unit, cause):
    world = World()
    world.outputs[f"unit {unit} on n1"] = STOPPED
    world.outputs[f"unit {unit} on n2"] = RUNNING
    assert world.blamed() == ("node/n1", cause)
    world.outputs[f"unit {unit} on n1"] = RUNNING
    assert world.blamed() is None


def test_a_taint_that_the_cluster_set_because_a_machine_is_unwell_leads_to_the_machine():
    world = World()
    world.outputs["unit kubelet on n1"] = STOPPED
    world.replace_pod("cart", ready=False, node="", phase="Pending")
    taint = "1 node(s) had untolerated taint {node.kubernetes.io/unreachable: }"
    world.event("Pod", "cart-5d-x", "FailedScheduling", f"0/1 nodes are available: {taint}.")
    assert [suspect.cause for suspect in world.verdict().ranked] == ["kubelet_down"]


def test_a_stopped_scheduler_explains_pods_that_nobody_placed():
    world = World()
    world.replace_pod("cart", ready=False, node="", phase="Pending")
    world.outputs["unit kube-scheduler on n1"] = STOPPED
    assert world.blamed() == ("node/n1", "scheduler_down")


def test_a_machine_under_pressure_counts_if_something_on_it_is_not_ready():
    world = World()
    conditions = world.the("Node", "n1")["status"]["conditions"]
    conditions.append({"type": "DiskPressure", "status": "True"})
    assert world.blamed() is None
    world.replace_pod("cart", ready=False)
    assert world.blamed() == ("node/n1", "node_disk_pressure")


def slow(world, name, typical, tail):
    world.alert(f"app/{name}", "latency.p50", typical, 10)
    world.alert(f"app/{name}", "latency.p90", tail, 20)


def complaint_of_slowness():
    world = World()
    world.symptom = {"kind": "latency", "at_ms": 1000}
    return world


def test_the_deepest_slow_workload_is_where_slowness_begins():
    world = complaint_of_slowness()
    slow(world, "web", 900, 2000)
    slow(world, "cart", 800, 1500)
    (suspect,) = world.verdict().ranked  # and not the machine below it: one place is no pattern
    assert (suspect.object, suspect.cause) == ("app/cart", "network_delay")


def test_slow_answers_of_a_callee_that_is_mostly_quick_do_not_explain_its_caller():
    world = complaint_of_slowness()
    slow(world, "web", 900, 2000)
    slow(world, "cart", 30, 600)
    assert world.blamed() == ("app/web", "network_delay")


def test_a_throttled_workload_that_uses_more_processor_is_overloaded():
    world = complaint_of_slowness()
    slow(world, "web", 900, 2000)
    slow(world, "cart", 800, 1500)
    world.alert("app/cart", "cpu.throttled", 0.6)
    world.alert("app/cart", "cpu.cores", 0.15, 0.01)
    assert world.blamed() == ("app/cart", "cpu_overload")


def test_throttling_alone_is_no_overload():
    world = complaint_of_slowness()
    slow(world, "cart", 800, 1500)
    world.alert("app/store", "cpu.throttled", 0.6)
    assert world.blamed() == ("app/cart", "network_delay")


def test_two_places_on_one_machine_are_the_machines_matter():
    world = complaint_of_slowness()
    world.edges = [
        {"source": "app/web", "target": "app/cart", "kind": "call"},
        {"source": "app/web", "target": "app/store", "kind": "call"},
    ]
    world.replace_pod("web", node="n2")
    for name in ("cart", "store"):
        slow(world, name, 800, 1500)
    assert world.blamed() == ("node/n1", "node_network_delay")
    world.replace_pod("cart", node="n2")
    assert world.blamed() != ("node/n1", "node_network_delay")


def test_a_machine_that_sends_again_loses_packets():
    world = complaint_of_slowness()
    slow(world, "web", 900, 2000)
    slow(world, "cart", 800, 1500)
    world.alert("node/n1", "network.retransmissions", 8.4, 0.01)
    world.alert("node/n2", "network.retransmissions", 1.1, 0.0)
    assert world.blamed() == ("node/n1", "node_packet_loss")


def test_readings_tell_how_slow_where_alerts_do_not():
    world = complaint_of_slowness()
    times = list(range(0, 1000, 20))
    for name, late in (("web", 500.0), ("cart", 400.0), ("store", 0.0)):
        values = [5.0 + (late if 300 < at < 900 else 0.0) for at in times]
        world.series.append(
            {
                "object": f"app/{name}", "kind": "latency", "name": "latency.p50",
                "times_ms": times, "values": values,
            }
        )  # fmt: skip
    assert world.blamed() == ("app/cart", "network_delay")


def broken_service(world):
    world.the("Service", "cart")["spec"]["selector"] = {"app": "other"}
    world.the("Endpoints", "cart")["subsets"] = []


def test_an_object_outside_the_inventory_is_not_blamed():
    world = World()
    broken_service(world)
    world.inventory = [one for one in world.inventory if one["name"] != "app/cart"]
    world.edges = []
    assert world.blamed() is None


def test_a_fault_that_does_not_reach_the_complaint_counts_for_little():
    world = World()
    broken_service(world)
    world.symptom = {"kind": "availability", "at_ms": 1000, "object": "app/store"}
    suspect = world.verdict().ranked[0]
    assert suspect.score < 0.5
    assert any("does not reach" in text for text in suspect.against)
    world.symptom["object"] = "app/web"
    assert world.verdict().ranked[0].score > 0.9


def test_an_odd_setting_that_nobody_suffers_from_counts_only_beside_a_complaint():
    world = World()
    world.container("web")["env"] = [{"name": "CART_ADDR", "value": "carts:7070"}]
    assert world.verdict().ranked[0].against == ("nothing that is measured suffers from it",)
    world.symptom = None
    assert world.blamed() is None


def test_two_equal_suspects_halve_the_confidence():
    world = World()
    broken_service(world)
    alone = world.verdict().confidence
    world.the("Service", "store")["spec"]["selector"] = {"app": "other"}
    world.the("Endpoints", "store")["subsets"] = []
    assert world.verdict().confidence <= alone * 0.6


def test_forged_errors_in_healthy_workloads_do_not_move_the_verdict():
    world = World()
    broken_service(world)
    before = world.verdict().ranked[0]
    for text in ("Access denied for user", "Too many connections", "permission denied",
                 "no such host", "--read-only option", "address already in use"):  # fmt: skip
        for name in ("web", "store"):
            world.log(name, text, count=5000)
    after = world.verdict().ranked[0]
    assert (after.object, after.cause, after.score) == (before.object, before.cause, before.score)


@pytest.mark.parametrize("seed", range(5))
def test_the_order_of_what_was_observed_does_not_matter(seed):
    world = World()
    broken_service(world)
    slow(world, "web", 900, 2000)
    world.log("web", "no such host")
    world.event("Pod", "cart-5d-x", "Unhealthy", "Readiness probe failed: refused")
    expected = world.verdict()
    rng = random.Random(seed)
    data = world.data()
    for name in ("objects", "edges", "logs", "alerts"):
        rng.shuffle(data[name])
    for found in (*data["kubernetes"]["objects"].values(), data["kubernetes"]["events"]):
        rng.shuffle(found)
    assert kubernetes.diagnose(snapshot.parse(data)) == expected


JUNK = (None, 7, "x", [], {}, [None], {"spec": 3}, {"metadata": {"name": 5}}, True)


@pytest.mark.parametrize("seed", range(20))
def test_objects_of_any_shape_are_read_without_a_crash(seed):
    rng = random.Random(seed)

    def spoil(value):
        if rng.random() < 0.08:
            return rng.choice(JUNK)
        if isinstance(value, dict):
            return {key: spoil(one) for key, one in value.items()}
        return [spoil(one) for one in value] if isinstance(value, list) else value

    data = World().data()
    for kind, found in data["kubernetes"]["objects"].items():
        spoiled = [spoil(one) for one in found]
        data["kubernetes"]["objects"][kind] = [one for one in spoiled if isinstance(one, dict)]
    data = json.loads(json.dumps(data))
    kubernetes.diagnose(snapshot.parse(data))
