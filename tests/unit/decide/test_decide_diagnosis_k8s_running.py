"""Workloads that run and do not work: crashes, probes, services, names, routes, databases."""

import pytest

from tests.support.decide_diagnosis_k8s_world import World

CRASHED = {
    "ready": False,
    "restarts": 4,
    "state": {"waiting": {"reason": "CrashLoopBackOff"}},
    "last": {"terminated": {"reason": "Error", "exitCode": 1}},
}


def test_a_container_that_was_killed_for_memory_ran_out_of_it():
    world = World()
    killed = {"terminated": {"reason": "OOMKilled", "exitCode": 137}}
    world.replace_pod("cart", **(CRASHED | {"last": killed}))
    assert world.blamed() == ("app/cart", "out_of_memory")


def test_a_sandbox_that_is_killed_at_its_start_ran_out_of_memory_too():
    world = World()
    waiting = {"waiting": {"reason": "ContainerCreating"}}
    world.replace_pod("cart", ready=False, phase="Pending", state=waiting)
    message = "container init was OOM-killed (memory limit too low?)"
    world.event("Pod", "cart-5d-x", "FailedCreatePodSandBox", message)
    assert world.blamed() == ("app/cart", "out_of_memory")


def test_a_crash_long_ago_does_not_explain_a_complaint_of_now():
    world = World()
    world.replace_pod("cart", restarts=1, last={"terminated": {"reason": "Error", "exitCode": 1}})
    assert world.blamed() is None


def test_a_crash_long_ago_does_not_vouch_for_a_log_of_now():
    world = World()
    with_database(world)
    found = world.replace_pod("cart", restarts=1, last=CRASHED["last"])
    found["spec"]["volumes"] = [{"hostPath": {"path": "/data"}}]
    world.log("cart", "Access denied for user 'cart'")
    world.log("cart", "Can't open /data/log: Permission denied")
    assert world.blamed() is None


def test_a_crashed_container_that_may_not_write_to_its_volume_says_so():
    world = World()
    found = world.replace_pod("store", **CRASHED)
    found["spec"]["volumes"] = [{"hostPath": {"path": "/data"}}]
    world.log("store", "Can't open /data/log: Permission denied")
    assert world.blamed() == ("app/store", "volume_permission_denied")


def test_a_log_of_a_denied_permission_in_a_healthy_workload_frames_nobody():
    world = World()
    world.log("store", "Can't open /data/log: Permission denied")
    assert world.blamed() is None


def probed(world, kind, probe, message, **how):
    world.container("cart")[f"{kind}Probe"] = probe
    container = world.the("Deployment", "cart")["spec"]["template"]["spec"]["containers"][0]
    world.replace_pod("cart", **how)["spec"]["containers"] = [container]
    name = kind.capitalize()
    world.event("Pod", "cart-5d-x", "Unhealthy", f"{name} probe failed: {message}", 9)


KILLED = {"restarts": 3, "last": {"terminated": {"reason": "Error", "exitCode": 137}}}


@pytest.mark.parametrize(
    ("probe", "message", "cause"),
    [
        ({"tcpSocket": {"port": 7071}}, "connection refused", "liveness_probe_port"),
        ({"httpGet": {"port": 7070}}, "malformed HTTP response", "liveness_probe_protocol"),
        (
            {"tcpSocket": {"port": 7070}, "periodSeconds": 1, "failureThreshold": 1},
            "connection refused",
            "liveness_probe_timing",
        ),
    ],
)
def test_a_liveness_probe_that_kills_has_a_wrong_port_language_or_timing(probe, message, cause):
    world = World()
    probed(world, "liveness", probe, message, **KILLED)
    assert world.blamed() == ("app/cart", cause)


@pytest.mark.parametrize(
    ("probe", "message", "cause"),
    [
        ({"grpc": {"port": 7071}}, "timeout", "readiness_probe_port"),
        ({"httpGet": {"port": 7070}}, "malformed HTTP response", "readiness_probe_protocol"),
    ],
)
def test_a_readiness_probe_that_keeps_a_pod_out_has_a_wrong_port_or_language(probe, message, cause):
    world = World()
    probed(world, "readiness", probe, message, ready=False)
    assert world.blamed() == ("app/cart", cause)


def test_a_readiness_probe_of_a_container_that_does_not_stay_up_is_not_what_hurts():
    world = World()
    probed(world, "readiness", {"grpc": {"port": 7071}}, "timeout", **CRASHED)
    assert world.blamed() == ("app/cart", "crash_loop")


def test_a_probe_that_failed_while_its_container_started_is_silent():
    world = World()
    world.event("Pod", "cart-5d-x", "Unhealthy", "Liveness probe failed: refused")
    world.event("Pod", "cart-5d-x", "Unhealthy", "Readiness probe failed: refused")
    assert world.blamed() is None


def test_a_sidecar_that_is_given_its_neighbours_port_conflicts_with_it():
    world = World()
    found = world.replace_pod("cart", **CRASHED)
    found["metadata"]["annotations"] = {"proxy.istio.io/config": '{ "statusPort": 7070 }'}
    assert world.blamed() == ("app/cart", "port_conflict_in_pod")


def test_a_shared_port_in_a_pod_that_is_well_is_no_conflict():
    world = World()
    found = world.the("Pod", "cart-5d-x")
    found["metadata"]["annotations"] = {"proxy.istio.io/config": '{ "statusPort": 7070 }'}
    assert world.blamed() is None


def test_a_selector_that_takes_no_pods_leads_nowhere():
    world = World()
    world.the("Service", "cart")["spec"]["selector"] = {"app": "cart", "env": "prod"}
    world.the("Endpoints", "cart")["subsets"] = []
    assert world.blamed() == ("app/cart", "service_selector_unmatched")


def test_a_service_without_endpoints_because_its_pod_is_down_is_not_a_selectors_matter():
    world = World()
    world.replace_pod("cart", **CRASHED)
    world.the("Endpoints", "cart")["subsets"] = []
    assert world.blamed() == ("app/cart", "crash_loop")


@pytest.mark.parametrize(
    ("port", "cause"),
    [
        ({"port": 7070, "targetPort": 7071}, "service_port_unmatched"),
        ({"port": 7070, "targetPort": "grpc-client"}, "service_port_unmatched"),
        ({"port": 7070, "targetPort": 7070, "protocol": "UDP"}, "service_protocol_unmatched"),
    ],
)
def test_a_service_that_misses_its_containers_port_or_protocol_is_to_blame(port, cause):
    world = World()
    world.the("Service", "cart")["spec"]["ports"] = [port]
    world.outputs["connect cart:7070"] = "Connection Failed"
    assert world.blamed() == ("app/cart", cause)


def test_an_undeclared_port_that_somebody_connects_to_is_no_fault():
    world = World()
    world.the("Service", "cart")["spec"]["ports"] = [{"port": 7070, "targetPort": 7071}]
    world.outputs["connect cart:7070"] = "cart (10.0.0.1:7070) open"
    assert world.blamed() is None


def test_a_wrong_selector_of_a_workload_without_ready_pods_is_not_what_hurts():
    world = World()
    world.replace_pod("cart", **CRASHED)
    world.the("Service", "cart")["spec"]["selector"] = {"app": "other"}
    world.the("Endpoints", "cart")["subsets"] = []
    assert [suspect.cause for suspect in world.verdict().ranked] == ["crash_loop"]


@pytest.mark.parametrize("address", ["carts:7070", "cart:7071"])
def test_a_setting_that_leads_past_a_needed_service_is_the_callers_fault(address):
    world = World()
    world.container("web")["env"] = [{"name": "CART_ADDR", "value": address}]
    assert world.blamed() == ("app/web", "service_address_wrong")


@pytest.mark.parametrize("address", ["cart:7070", "assistant:80", "api.example.com:443"])
def test_right_optional_and_outside_addresses_are_silent(address):
    world = World()
    world.container("web")["env"] = [
        {"name": "CART_ADDR", "value": "cart:7070"},
        {"name": "OTHER_ADDR", "value": address},
    ]
    assert world.blamed() is None


def test_a_wrong_port_of_a_database_is_told_from_other_addresses():
    world = World()
    world.container("cart")["env"] = [
        {"name": "DB_MYSQL_HOST", "value": "store"},
        {"name": "DB_MYSQL_PORT", "value": "6380"},
    ]
    assert world.blamed() == ("app/cart", "database_port_wrong")


def test_a_name_that_a_pod_pins_to_another_address_does_not_resolve_rightly():
    world = World()
    world.the("Deployment", "web")["spec"]["template"]["spec"]["hostAliases"] = [
        {"ip": "127.0.0.1", "hostnames": ["cart"]}
    ]
    world.alert("app/web", "requests.failed", 500)
    assert world.blamed() == ("app/web", "name_resolution_failing")


def test_a_log_of_a_name_that_does_not_resolve_counts_beside_failing_requests_only():
    world = World()
    world.log("web", "getaddrinfo ENOTFOUND cart")
    assert world.blamed() is None
    world.alert("app/web", "requests.failed", 500)
    assert world.blamed() == ("app/web", "name_resolution_failing")


ROUTES = """
routes:
  - id: cart
    uri: lb://{target}
    predicates:
      - Path=/api/cartservice/**
"""


@pytest.mark.parametrize(
    ("target", "blamed"), [("store", ("app/cart", "route_to_wrong_service")), ("cart", None)]
)
def test_a_route_that_speaks_of_one_service_and_leads_to_another_is_wrong(target, blamed):
    world = World()
    text = ROUTES.format(target=target)
    world.objects["ConfigMap"].append({"metadata": {"name": "gate"}, "data": {"app.yml": text}})
    world.alert("app/cart", "requests.failed", 404, text="/api/cartservice/items: 404")
    assert world.blamed() == blamed


def test_a_path_that_no_route_has_is_not_found():
    world = World()
    text = ROUTES.format(target="cart").replace("cartservice", "cartzervice")
    world.objects["ConfigMap"].append({"metadata": {"name": "gate"}, "data": {"app.yml": text}})
    world.alert("app/cart", "requests.failed", 404, text="/api/cartservice/items: 404")
    assert world.blamed() == ("app/cart", "route_to_wrong_service")


def with_database(world):
    for name in ("web", "cart"):
        world.container(name)["env"] = [{"name": "REDIS_ADDR", "value": "store:6379"}]


def test_refused_credentials_are_the_matter_of_the_client_that_does_not_start():
    world = World()
    with_database(world)
    world.replace_pod("cart", **CRASHED)
    world.log("cart", "Access denied for user 'cart'@'10.0.0.1' (using password: YES)")
    assert world.blamed() == ("app/cart", "database_credentials_refused")


def test_refused_credentials_in_the_log_of_a_client_that_runs_frame_nobody():
    world = World()
    with_database(world)
    world.log("cart", "Access denied for user 'cart'@'10.0.0.1' (using password: YES)")
    assert world.blamed() is None
    world.alert("app/cart", "requests.failed", 500)
    assert world.blamed() is None


def test_a_database_that_its_clients_may_not_write_to_is_read_only():
    world = World()
    with_database(world)
    for name in ("web", "cart"):
        world.log(name, "the server is running with the --read-only option")
    assert world.blamed() is None
    world.alert("app/web", "requests.failed", 500)
    world.alert("app/cart", "requests.failed", 500)
    assert world.blamed() == ("app/store", "database_read_only")


def test_answers_of_not_found_do_not_vouch_for_what_logs_say_of_a_database():
    world = World()
    with_database(world)
    for name in ("web", "cart"):
        world.log(name, "the server is running with the --read-only option")
        world.alert(f"app/{name}", "requests.failed", 404)
    assert world.blamed() is None


def test_a_full_database_explains_the_clients_that_crash():
    world = World()
    with_database(world)
    world.replace_pod("cart", **CRASHED)
    world.replace_pod("store", ready=False)
    world.event("Pod", "store-5d-x", "Unhealthy", "Readiness probe failed: Too many connections", 5)
    assert world.blamed() == ("app/store", "database_connections_exhausted")
    assert "app/cart" not in {suspect.object for suspect in world.verdict().ranked}


def policy(admitted):
    rules = [{"from": [{"podSelector": {"matchLabels": {"app": name}}}]} for name in admitted]
    return {
        "metadata": {"name": "narrow"},
        "spec": {
            "podSelector": {"matchLabels": {"app": "cart"}},
            "policyTypes": ["Ingress"],
            "ingress": rules,
        },
    }


@pytest.mark.parametrize(
    ("admitted", "output", "blamed"),
    [
        ([], "Connection Failed", ("app/cart", "network_policy_denies")),
        ([], "cart open", None),  # not enforced: somebody got through
        (["web"], "Connection Failed", None),
    ],
)
def test_a_policy_counts_if_it_shuts_out_callers_and_nobody_gets_through(admitted, output, blamed):
    world = World()
    world.objects["NetworkPolicy"].append(policy(admitted))
    world.outputs["connect cart:7070"] = output
    world.alert("app/web", "requests.failed", 503)
    assert world.blamed() == blamed


def test_a_database_that_refuses_somebody_speaks_of_the_client_that_ends_without_a_word():
    world = World()
    with_database(world)
    world.log("store", "[Note] Access denied for user 'cart'@'10.0.0.9' (using password: YES)")
    assert world.blamed() is None
    world.replace_pod("cart", **CRASHED)
    assert world.blamed() == ("app/cart", "database_credentials_refused")
