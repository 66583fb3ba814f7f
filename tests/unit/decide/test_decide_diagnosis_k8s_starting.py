"""Workloads that do not start: refused, unplaced, without image, settings or storage."""

import pytest

from tests.support.decide_diagnosis_k8s_world import World, template

UNPLACED = {"ready": False, "node": "", "phase": "Pending"}


def waiting(reason, message=""):
    return {"ready": False, "phase": "Pending", "state": {"waiting": {"reason": reason}}} | (
        {"state": {"waiting": {"reason": reason, "message": message}}} if message else {}
    )


def test_a_healthy_shop_without_a_complaint_is_answered_with_an_abstention():
    world = World()
    world.symptom = None
    assert world.verdict().ranked == ()
    assert world.verdict().abstained


def test_a_healthy_shop_with_a_complaint_is_answered_with_an_abstention_too():
    assert World().blamed() is None


@pytest.mark.parametrize(
    ("asked", "cause"),
    [
        ("requests.cpu=1", "quota_exceeded.cpu"),
        ("limits.memory=1Gi", "quota_exceeded.memory"),
        ("pods=1", "quota_exceeded.pods"),
        ("requests.storage=1Gi", "quota_exceeded.storage"),
    ],
)
def test_a_quota_that_refuses_pods_is_the_namespaces_matter(asked, cause):
    world = World()
    world.drop_pod("cart")
    message = f'pods "cart-5d-y" is forbidden: exceeded quota: q, requested: {asked}, used: x'
    world.event("ReplicaSet", "cart-5d", "FailedCreate", message)
    assert world.blamed() == ("namespace/shop", cause)


def test_a_refusal_that_was_overcome_is_history():
    world = World()
    message = 'pods "cart-5d-y" is forbidden: exceeded quota: q, requested: pods=1, used: pods=3'
    world.event("ReplicaSet", "cart-5d", "FailedCreate", message)
    assert world.blamed() is None


def test_a_refusal_of_a_replaced_replica_set_is_history():
    world = World()
    world.drop_pod("cart")
    old = {
        "metadata": {"name": "cart-1a", "ownerReferences": [{"kind": "Deployment", "name": "cart"}]}
    }
    world.objects["ReplicaSet"].append({**old, "spec": {"replicas": 0}})
    world.event("ReplicaSet", "cart-1a", "FailedCreate", "exceeded quota: q, requested: pods=1,")
    assert world.blamed() is None


@pytest.mark.parametrize(
    ("exists", "blamed"), [(False, ("app/cart", "service_account_missing")), (True, None)]
)
def test_an_account_is_missing_only_while_it_does_not_exist(exists, blamed):
    world = World()
    world.drop_pod("cart")
    if exists:
        world.objects["ServiceAccount"].append({"metadata": {"name": "carter"}})
    message = 'error looking up service account shop/carter: serviceaccount "carter" not found'
    world.event("ReplicaSet", "cart-5d", "FailedCreate", message)
    assert world.blamed() == blamed


def test_a_declared_service_that_a_quota_leaves_no_room_for_is_the_namespaces_matter():
    world = World()
    world.objects["Service"] = [
        one for one in world.objects["Service"] if one["metadata"]["name"] != "cart"
    ]
    declared = {
        "kind": "Service",
        "metadata": {"name": "cart"},
        "spec": {"selector": {"app": "cart"}},
    }
    world.objects["Manifest"].append(declared)
    world.objects["ResourceQuota"].append(
        {
            "metadata": {"name": "q"},
            "status": {"hard": {"services": "2"}, "used": {"services": "2"}},
        }
    )
    assert world.blamed() == ("namespace/shop", "quota_exceeded.services")
    world.objects["ResourceQuota"][0]["status"]["hard"]["services"] = "5"
    assert world.blamed() == ("app/cart", "service_missing")


@pytest.mark.parametrize(
    ("said", "cause"),
    [
        ("3 Insufficient cpu", "cpu_request_unfit"),
        ("3 Insufficient memory", "memory_request_unfit"),
        (
            "1 node(s) were unschedulable, 2 node(s) had untolerated taint {a: b}",
            "taint_not_tolerated",
        ),
        ("2 node(s) didn't match pod anti-affinity rules", "pod_affinity_unsatisfied"),
        ("2 node(s) were unschedulable", "nodes_cordoned"),
    ],
)
def test_the_scheduler_says_why_a_pod_has_no_node(said, cause):
    world = World()
    world.replace_pod("cart", **UNPLACED)
    world.event("Pod", "cart-5d-x", "FailedScheduling", f"0/3 nodes are available: {said}.")
    assert world.blamed() == ("app/cart", cause)


def test_what_the_scheduler_said_of_a_pod_that_has_a_node_now_is_history():
    world = World()
    message = "0/3 nodes are available: 3 Insufficient cpu."
    world.event("Pod", "cart-5d-x", "FailedScheduling", message)
    assert world.blamed() is None


def test_a_pod_that_found_its_node_late_and_is_starting_now_is_not_unplaced():
    world = World()
    world.replace_pod("cart", ready=False, phase="Pending")
    message = "0/3 nodes are available: 3 Insufficient cpu."
    world.event("Pod", "cart-5d-x", "FailedScheduling", message)
    assert world.blamed() is None


MISMATCH = "0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector."


def exists(key):
    terms = [{"matchExpressions": [{"key": key, "operator": "Exists"}]}]
    rule = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}
    return {"nodeAffinity": rule}


@pytest.mark.parametrize(
    ("wish", "cordoned", "cause"),
    [
        ({"nodeSelector": {"disk": "ssd"}}, (), "node_selector_unmatched"),
        ({"affinity": exists("gpu")}, (), "node_affinity_unmatched"),
        ({"nodeSelector": {"name": "n1"}}, ("n1",), "nodes_cordoned"),
    ],
)
def test_a_mismatch_is_the_selectors_the_affinitys_or_the_cordons_matter(wish, cordoned, cause):
    world = World()
    for name in ("n1", "n2"):
        world.the("Node", name)["metadata"]["labels"]["name"] = name
        world.the("Node", name)["spec"]["unschedulable"] = name in cordoned
    world.replace_pod("cart", **UNPLACED)["spec"].update(wish)
    world.event("Pod", "cart-5d-x", "FailedScheduling", MISMATCH)
    assert world.blamed() == ("app/cart", cause)


def test_a_cordoned_control_plane_node_does_not_make_a_mismatch_a_cordon():
    world = World()
    world.the("Node", "n1")["metadata"]["labels"] |= {"gpu": "yes", "kubernetes.io/role": "master"}
    world.the("Node", "n1")["spec"]["unschedulable"] = True
    world.replace_pod("cart", **UNPLACED)["spec"]["affinity"] = exists("gpu")
    world.event("Pod", "cart-5d-x", "FailedScheduling", MISMATCH)
    assert world.blamed() == ("app/cart", "node_affinity_unmatched")


PULL = 'Failed to pull image "x": failed to resolve reference: '


@pytest.mark.parametrize(
    ("said", "cause"),
    [
        ("dial tcp: lookup registry.example: no such host", "registry_unresolved"),
        ("registry.example/cart:9: not found", "image_not_found"),
        ("failed to authorize: GET https://registry.example/token: 401", "image_pull_unauthorised"),
        ("status from HEAD request to https://m.example/v2/x/manifests/9: 403", "image_not_found"),
        ("dial tcp 10.0.0.9:443: i/o timeout", "registry_unreachable"),
    ],
)
def test_an_image_that_does_not_come_has_its_reason_in_what_was_said(said, cause):
    world = World()
    world.replace_pod("cart", **waiting("ImagePullBackOff"))
    world.event("Pod", "cart-5d-x", "Failed", PULL + said)
    assert world.blamed() == ("app/cart", cause)


def test_a_pull_that_failed_once_and_then_worked_is_history():
    world = World()
    world.event("Pod", "cart-5d-x", "Failed", PULL + "no such host")
    assert world.blamed() is None


def test_a_secret_that_a_container_waits_for_is_missing():
    world = World()
    world.replace_pod("cart", **waiting("CreateContainerConfigError"))
    world.event("Pod", "cart-5d-x", "Failed", 'Error: secret "db" not found')
    assert world.blamed() == ("app/cart", "secret_missing")


def test_a_secret_that_came_late_is_not_missing():
    world = World()
    world.event("Pod", "cart-5d-x", "Failed", 'Error: secret "db" not found')
    assert world.blamed() is None


def test_a_reference_to_nothing_counts_where_the_words_are_gone():
    world = World()
    made = template("cart")
    made["spec"]["containers"][0]["envFrom"] = [{"configMapRef": {"name": "settings"}}]
    found = world.replace_pod("cart", **waiting("CreateContainerConfigError"))
    found["spec"]["containers"] = made["spec"]["containers"]
    assert world.blamed() == ("app/cart", "config_map_missing")


def claimed(world, claim, volume):
    found = world.replace_pod("store", **UNPLACED)
    found["spec"]["volumes"] = [{"persistentVolumeClaim": {"claimName": "data"}}]
    asked = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    offered = {"accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Gi"}}
    labels = volume.pop("labels", {})
    world.objects["PersistentVolumeClaim"].append(
        {"metadata": {"name": "data"}, "spec": asked | claim, "status": {"phase": "Pending"}}
    )
    world.objects["PersistentVolume"].append(
        {"metadata": {"name": "pv", "labels": labels}, "spec": offered | volume}
    )


@pytest.mark.parametrize(
    ("claim", "volume", "cause"),
    [
        (
            {"selector": {"matchLabels": {"tier": "a"}}},
            {"labels": {"tier": "b"}},
            "volume_selector_unmatched",
        ),
        ({"storageClassName": "fast"}, {"storageClassName": "slow"}, "storage_class_unmatched"),
        ({"accessModes": ["ReadWriteMany"]}, {}, "volume_access_mode_unmatched"),
        ({"resources": {"requests": {"storage": "2Gi"}}}, {}, "volume_too_small"),
        ({}, {"claimRef": {"name": "other"}}, "volume_taken"),
    ],
)
def test_a_claim_is_compared_with_the_volume_that_comes_nearest(claim, volume, cause):
    world = World()
    claimed(world, claim, volume)
    assert world.blamed() == ("app/store", cause)


def test_a_claim_that_is_bound_is_no_reason():
    world = World()
    claimed(world, {"resources": {"requests": {"storage": "2Gi"}}}, {})
    world.objects["PersistentVolumeClaim"][0]["status"]["phase"] = "Bound"
    assert world.blamed() is None


def test_a_workload_that_is_needed_and_set_to_no_pods_is_to_blame():
    world = World()
    world.drop_pod("cart")
    world.the("Deployment", "cart")["spec"]["replicas"] = 0
    assert world.blamed() == ("app/cart", "scaled_to_zero")


def test_a_workload_that_nobody_calls_may_be_set_to_no_pods():
    world = World()
    world.edges = []
    world.drop_pod("cart")
    world.objects["Endpoints"] = []
    world.the("Deployment", "cart")["spec"]["replicas"] = 0
    assert world.blamed() is None
