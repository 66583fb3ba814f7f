"""A small shop in a cluster, healthy, whose tests break one thing of it at a time."""

import copy

from sentienguard.stages.decide.diagnosis import kubernetes, snapshot

APPS = ("web", "cart", "store")
PORTS = {"web": 8080, "cart": 7070, "store": 6379}


def meta(name, **more):
    return {"name": name, "namespace": "shop", "labels": {"app": name}} | more


def template(name, **spec):
    container = {
        "name": "main",
        "image": f"registry.example/{name}:1",
        "ports": [{"containerPort": PORTS.get(name, 9000)}],
        "env": [],
        "readinessProbe": {"tcpSocket": {"port": PORTS.get(name, 9000)}},
        "livenessProbe": {"tcpSocket": {"port": PORTS.get(name, 9000)}},
    }
    return {"metadata": {"labels": {"app": name}}, "spec": {"containers": [container], **spec}}


def pod(name, node="n1", *, ready=True, state=None, restarts=0, last=None, phase="Running"):
    status = {
        "name": "main",
        "ready": ready,
        "restartCount": restarts,
        "state": state or {"running": {}},
        "lastState": last or {},
    }
    made = template(name)
    return {
        "metadata": {
            **meta(f"{name}-5d-x", labels={"app": name}),
            "ownerReferences": [{"kind": "ReplicaSet", "name": f"{name}-5d"}],
        },
        "spec": {**made["spec"], **({"nodeName": node} if node else {})},
        "status": {
            "phase": phase,
            "conditions": [{"type": "Ready", "status": "True" if ready else "False"}],
            "containerStatuses": [status],
        },
    }


class World:
    """The shop as one snapshot; change its parts, then ask for the verdict."""

    def __init__(self):
        self.objects = {
            "Pod": [pod(name) for name in APPS],
            "ReplicaSet": [
                {
                    "metadata": {
                        **meta(f"{name}-5d"),
                        "ownerReferences": [{"kind": "Deployment", "name": name}],
                    },
                    "spec": {"replicas": 1},
                }
                for name in APPS
            ],
            "Deployment": [
                {"metadata": meta(name), "spec": {"replicas": 1, "template": template(name)}}
                for name in APPS
            ],
            "Service": [
                {
                    "metadata": meta(name),
                    "spec": {
                        "selector": {"app": name},
                        "ports": [{"port": PORTS[name], "targetPort": PORTS[name]}],
                    },
                }
                for name in APPS
            ],
            "Endpoints": [
                {"metadata": meta(name), "subsets": [{"addresses": [{"ip": "10.0.0.1"}]}]}
                for name in APPS
            ],
            "Node": [
                {
                    "metadata": {"name": name, "labels": {"disk": "hdd"}},
                    "spec": {"unschedulable": False, "taints": []},
                    "status": {"conditions": [{"type": "Ready", "status": "True"}]},
                }
                for name in ("n1", "n2")
            ],
            "Secret": [],
            "ConfigMap": [],
            "ServiceAccount": [{"metadata": meta("default")}],
            "PersistentVolumeClaim": [],
            "PersistentVolume": [],
            "ResourceQuota": [],
            "NetworkPolicy": [],
            "Manifest": [],
        }
        self.events = []
        self.outputs = {}
        self.logs = []
        self.alerts = []
        self.series = []
        self.symptom = {"kind": "availability", "at_ms": 1000}
        self.inventory = [
            *({"name": f"app/{name}", "aliases": [name]} for name in APPS),
            {"name": "node/n1", "kind": "node", "aliases": ["n1"]},
            {"name": "node/n2", "kind": "node", "aliases": ["n2"]},
            {"name": "namespace/shop", "kind": "namespace"},
        ]
        self.edges = [
            {"source": "app/web", "target": "app/cart", "kind": "call"},
            {"source": "app/cart", "target": "app/store", "kind": "datastore"},
        ]

    def the(self, kind, name):
        """Return one object."""
        return next(one for one in self.objects[kind] if one["metadata"]["name"] == name)

    def container(self, name):
        """Return the container of an app's template; its pod has the same."""
        made = self.the("Deployment", name)["spec"]["template"]["spec"]["containers"][0]
        self.the("Pod", f"{name}-5d-x")["spec"]["containers"] = [made]
        return made

    def replace_pod(self, name, **how):
        """Put another pod in the place of an app's."""
        self.objects["Pod"] = [
            pod(name, **how) if one["metadata"]["name"] == f"{name}-5d-x" else one
            for one in self.objects["Pod"]
        ]
        return self.the("Pod", f"{name}-5d-x")

    def drop_pod(self, name):
        """Take away an app's pod and endpoints."""
        self.objects["Pod"] = [
            one for one in self.objects["Pod"] if one["metadata"]["name"] != f"{name}-5d-x"
        ]
        self.the("Endpoints", name)["subsets"] = []

    def event(self, kind, name, reason, message, count=1):
        """Let the cluster warn about something."""
        self.events.append(
            {
                "type": "Warning",
                "reason": reason,
                "message": message,
                "count": count,
                "involvedObject": {"kind": kind, "name": name},
            }
        )

    def log(self, name, text, count=50.0):
        """Let an app write errors."""
        self.logs.append(
            {"object": f"app/{name}", "text": text, "severity": "error", "count": count}
        )

    def alert(self, name, metric, value=None, usual=None, text=""):
        """Let a monitor speak up."""
        self.alerts.append(
            {
                "id": str(len(self.alerts)), "object": name, "name": metric, "at_ms": 900,
                "metric": metric, "value": value, "threshold": usual, "text": text,
            }
        )  # fmt: skip

    def data(self):
        """Return the snapshot as JSON data."""
        return copy.deepcopy(
            {
                "v": 1,
                "id": "shop",
                "since_ms": 0,
                "until_ms": 1000,
                "symptom": self.symptom,
                "objects": self.inventory,
                "edges": self.edges,
                "logs": self.logs,
                "alerts": self.alerts,
                "series": self.series,
                "kubernetes": {
                    "namespace": "shop",
                    "objects": self.objects,
                    "events": self.events,
                    "outputs": self.outputs,
                },
            }
        )

    def verdict(self):
        """Diagnose it."""
        return kubernetes.diagnose(snapshot.parse(self.data()))

    def blamed(self):
        """Return the first suspect as (object, cause), None for an abstention."""
        ranked = self.verdict().ranked
        return (ranked[0].object, ranked[0].cause) if ranked else None
