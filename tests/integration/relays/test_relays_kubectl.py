"""The real kubectl prepares and judges what our requests do, as an independent client.

Against our own API server; against a real cluster, in a namespace of its own, where the variable
KUBECONFIG_TEST names a kubeconfig whose cluster and user are written out in it (no exec plugin).
"""

import base64
import contextlib
import json
import os
import pathlib
import shutil
import subprocess
import time
import uuid

import pytest
import yaml

from sentienguard.adapters.kubernetes import api, target
from sentienguard.adapters.remote_programs import programs
from sentienguard.playbook import objects
from sentienguard.ports import remote_objects
from tests.servers import kubernetes

KUBECTL = shutil.which("kubectl")
REAL = os.environ.get("KUBECONFIG_TEST")
pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(KUBECTL is None, reason="no kubectl (apt-get install kubernetes-client)"),
]
EFFORT = remote_objects.Effort(20.0, "order:step0", programs.Never())


class World:
    def __init__(self, kubeconfig, namespace, home, seconds):
        self.kubeconfig, self.namespace, self.home = kubeconfig, namespace, home
        self.seconds = seconds  # how long a controller may take

    def kubectl(self, *words):
        argv = [KUBECTL, "--kubeconfig", self.kubeconfig, "-n", self.namespace, *words]
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.home)}
        done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def get(self, *words):
        return json.loads(self.kubectl("get", *words, "-o", "json"))

    def cluster(self, place):
        known = yaml.safe_load(pathlib.Path(self.kubeconfig).read_text())
        cluster, user = known["clusters"][0]["cluster"], known["users"][0]["user"]

        def written(held, name):
            if f"{name}-data" not in held:
                return held.get(name)
            (place / name).write_bytes(base64.b64decode(held[f"{name}-data"]))
            return str(place / name)

        token = None
        if "token" in user:
            (place / "user-token").write_text(user["token"])
            token = str(place / "user-token")
        who = api.Credentials(
            cluster["server"],
            written(cluster, "certificate-authority"),
            token,
            written(user, "client-certificate"),
            written(user, "client-key"),
        )
        return target.Cluster(who, frozenset({self.namespace}), nodes=True)

    def eventually(self, condition):
        until = time.monotonic() + self.seconds
        while not condition():
            assert time.monotonic() < until
            time.sleep(0.2)


@pytest.fixture
def world(tmp_path):
    if REAL is None:
        with kubernetes.running(tmp_path) as served:
            made = World(served.kubeconfig(), "prod", tmp_path, 5)
            yield made
            return
    made = World(REAL, f"sentienguard-{uuid.uuid4().hex[:8]}", tmp_path, 120)
    made.kubectl("create", "namespace", made.namespace)
    with contextlib.ExitStack() as after:
        after.callback(made.kubectl, "delete", "namespace", made.namespace, "--wait=false")
        yield made


@pytest.fixture
def cluster(world, tmp_path):
    world.kubectl("create", "deployment", "web", "--image=nginx:1.27", "--replicas=2")
    made = world.cluster(tmp_path)
    name = objects.Name("shop", "deployment", (world.namespace, "web"))
    world.eventually(lambda: made.measure(name, "workload_status") == "ok")
    return made


def asked(world, step, **arguments):
    return remote_objects.Asked(f"shop/deployment/{world.namespace}/web", step, "", arguments)


def image(world):
    found = world.get("deployment", "web")
    return found["spec"]["template"]["spec"]["containers"][0]["image"]


def test_a_scale_is_what_kubectl_sees_and_its_own_scale_is_what_we_see(world, cluster):
    what = asked(world, "kubectl_scale", replicas=3)
    seen = cluster.look(what, EFFORT)
    cluster.rehearse(what, EFFORT)
    assert world.get("deployment", "web")["spec"]["replicas"] == 2
    assert cluster.act(what, seen, EFFORT).changed
    assert world.get("deployment", "web")["spec"]["replicas"] == 3
    world.kubectl("scale", "deployment/web", "--replicas=1")
    with pytest.raises(remote_objects.Changed):
        cluster.restore(what, seen, EFFORT)


def test_our_rollback_is_that_of_kubectl(world, cluster):
    world.kubectl("set", "image", "deployment/web", "nginx=nginx:no-such-tag-1")
    what = asked(world, "kubectl_rollout_undo")
    name = objects.read(what.object)
    world.eventually(lambda: cluster.measure(name, "workload_earlier_revision"))
    seen = cluster.look(what, EFFORT)
    assert cluster.act(what, seen, EFFORT).changed
    ours = world.get("deployment", "web")["spec"]["template"]
    assert image(world) == "nginx:1.27"
    cluster.restore(what, seen, EFFORT)
    assert image(world) == "nginx:no-such-tag-1"
    world.kubectl("rollout", "undo", "deployment/web")
    assert world.get("deployment", "web")["spec"]["template"] == ours


def test_our_restart_sets_what_kubectl_s_does(world, cluster):
    def annotations():
        found = world.get("deployment", "web")["spec"]["template"]["metadata"]
        return set(found.get("annotations") or {})

    before = {one["metadata"]["uid"] for one in world.get("pods")["items"]}
    what = asked(world, "kubectl_rollout_restart")
    cluster.act(what, cluster.look(what, EFFORT), EFFORT)
    ours = annotations()
    world.eventually(
        lambda: not before & {one["metadata"]["uid"] for one in world.get("pods")["items"]}
    )
    world.kubectl("rollout", "restart", "deployment/web")
    assert annotations() == ours
