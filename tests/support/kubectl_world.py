"""A cluster that the real kubectl looks at, beside us: our own API server, or a real one.

Called by tests/integration/relays. Where the variable KUBECONFIG_TEST names a kubeconfig, it is
that cluster: everything happens in a namespace that is made for the test and deleted after it, a
node is cordoned for seconds at most. Its cluster and user have to be written out in it (no exec
plugin), and the user has to be allowed to make namespaces.
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
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml

from sentienguard.adapters.kubernetes import api
from sentienguard.adapters.kubernetes import target as targets
from tests.servers import kubernetes

KUBECTL = shutil.which("kubectl")
REAL = os.environ.get("KUBECONFIG_TEST")
NEEDS_KUBECTL = pytest.mark.skipif(
    KUBECTL is None, reason="no kubectl (apt-get install kubernetes-client)"
)
STRICT_SINCE = 27  # kubectl 1.x lets the server judge fields, and reads OpenAPI 3


class World:
    """One cluster, a namespace in it, and kubectl."""

    def __init__(
        self, kubeconfig: str, namespace: str, app: str, place: pathlib.Path, seconds: float
    ) -> None:
        self.kubeconfig, self.namespace, self.app, self.place = kubeconfig, namespace, app, place
        self.seconds = seconds  # how long a controller may take
        self.server: kubernetes.Server | None = None  # None: a real cluster

    def tried(self, *words: str, given: str | None = None) -> subprocess.CompletedProcess[str]:
        argv = [str(KUBECTL), "--kubeconfig", self.kubeconfig, "-n", self.namespace, *words]
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.place)}
        return subprocess.run(
            argv, env=environment, input=given, capture_output=True, text=True, check=False
        )

    def kubectl(self, *words: str, given: str | None = None) -> str:
        done = self.tried(*words, given=given)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def get(self, *words: str) -> Any:
        return json.loads(self.kubectl("get", *words, "-o", "json"))

    def minor(self) -> int:
        said = json.loads(self.kubectl("version", "--client", "-o", "json"))
        return int(said["clientVersion"]["minor"].rstrip("+"))

    def create(self, *words: str) -> None:
        """Create something as JSON: of itself `kubectl create` sends protobuf."""
        made = self.kubectl("create", *words, "--dry-run=client", "-o", "json")
        self.kubectl("create", "--validate=false", "-f", "-", given=made)

    def deploy(self, image: str, replicas: int) -> None:
        self.create("deployment", self.app, f"--image={image}", f"--replicas={replicas}")

    def pods(self) -> list[Any]:
        return list(self.get("pods", "-l", f"app={self.app}")["items"])

    def declared(self) -> dict[str, Any]:
        """Return the cluster as agent.json declares it, its credentials in files."""
        known = yaml.safe_load(pathlib.Path(self.kubeconfig).read_text())
        cluster, user = known["clusters"][0]["cluster"], known["users"][0]["user"]
        said: dict[str, Any] = {
            "server": cluster["server"],
            "ca_file": self._file(cluster, "certificate-authority"),
        }
        if "token" in user:
            (self.place / "user-token").write_text(user["token"])
            return {**said, "token_file": str(self.place / "user-token")}
        return {
            **said,
            "certificate_file": self._file(user, "client-certificate"),
            "key_file": self._file(user, "client-key"),
        }

    def cluster(self) -> targets.Cluster:
        who = api.Credentials(**self.declared())
        return targets.Cluster(who, frozenset({self.namespace}), nodes=True)

    def eventually(self, condition: Callable[[], Any]) -> None:
        until = time.monotonic() + self.seconds
        while not condition():
            assert time.monotonic() < until
            time.sleep(0.2)

    def _file(self, held: dict[str, str], name: str) -> str | None:
        if f"{name}-data" not in held:
            return held.get(name)
        (self.place / name).write_bytes(base64.b64decode(held[f"{name}-data"]))
        return str(self.place / name)


@contextlib.contextmanager
def running(place: pathlib.Path) -> Iterator[World]:
    """Offer our own API server with two nodes, or the real cluster, until the block ends."""
    if REAL is None:
        with kubernetes.running(place) as served:
            made = World(served.kubeconfig(), "prod", "web", place, 5)
            made.server = served
            for name in ("worker-1", "worker-2"):
                served.cluster.node(name)
            yield made
        return
    own = f"sentienguard-{uuid.uuid4().hex[:8]}"
    made = World(REAL, own, own, place, 120)
    made.create("namespace", own)
    with contextlib.ExitStack() as after:
        after.callback(made.kubectl, "delete", "namespace", own, "--wait=false")
        yield made
