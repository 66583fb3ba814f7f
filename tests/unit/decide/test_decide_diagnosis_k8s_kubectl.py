"""What kubectl prints for people, back as objects."""

from benchmarks.diagnosis_sets import cloudopsbench, kubectl, opensre
from sentienguard.model import diagnosis
from sentienguard.stages.decide.diagnosis import kubernetes, snapshot

POD = """\
Name:             cart-5d-x
Namespace:        shop
Service Account:  default
Node:             <none>
Labels:           app=cart
                  pod-template-hash=5d
Annotations:      <none>
Status:           Pending
IP:
Controlled By:    ReplicaSet/cart-5d
Containers:
  main:
    Image:          registry.example/cart:1
    Port:           7070/TCP
    Limits:
      memory:  64Mi
    Liveness:   http-get http://:7070/live delay=5s timeout=1s period=10s #success=1 #failure=3
    State:          Waiting
      Reason:       CrashLoopBackOff
    Last State:     Terminated
      Reason:       Error
      Exit Code:    2
    Ready:          False
    Restart Count:  4
    Environment Variables from:
      cart-db  Secret  Optional: false
    Environment:
      STORE_ADDR:  store:6379
      KEY:         <set to the key 'k' in secret 'keys'>  Optional: false
Conditions:
  Type    Status
  Ready   False
Volumes:
  data:
    Type:       PersistentVolumeClaim (a reference)
    ClaimName:  cart-data
Node-Selectors:  disk=ssd
Tolerations:     a=b:NoSchedule
                 node.kubernetes.io/not-ready:NoExecute op=Exists for 300s
Events:
  Type     Reason            Age                From               Message
  ----     ------            ----               ----               -------
  Warning  FailedScheduling  17s (x2 over 31s)  default-scheduler  0/2 nodes are available.
"""


def test_a_described_pod_is_read_as_the_api_would_give_it():
    pod = kubectl.described("Pod", POD)
    (container,) = pod["spec"]["containers"]
    (status,) = pod["status"]["containerStatuses"]
    assert pod["metadata"]["labels"] == {"app": "cart", "pod-template-hash": "5d"}
    assert pod["metadata"]["ownerReferences"] == [{"kind": "ReplicaSet", "name": "cart-5d"}]
    assert "nodeName" not in pod["spec"]
    assert container["ports"] == [{"containerPort": 7070, "protocol": "TCP"}]
    assert container["livenessProbe"]["httpGet"] == {"port": 7070, "path": "/live"}
    assert container["envFrom"] == [{"secretRef": {"name": "cart-db", "optional": False}}]
    assert container["env"][0] == {"name": "STORE_ADDR", "value": "store:6379"}
    assert container["env"][1]["valueFrom"] == {"secretKeyRef": {"key": "k", "name": "keys"}}
    assert status["restartCount"] == 4
    assert status["lastState"] == {"terminated": {"reason": "Error", "exitCode": 2}}
    assert pod["spec"]["nodeSelector"] == {"disk": "ssd"}
    assert pod["spec"]["tolerations"][0]["effect"] == "NoSchedule"
    assert pod["spec"]["volumes"][0]["persistentVolumeClaim"] == {"claimName": "cart-data"}


def test_events_are_read_with_their_counts():
    (event,) = kubectl.events_below("Pod", "cart-5d-x", POD)
    assert (event["reason"], event["count"], event["type"]) == ("FailedScheduling", 2, "Warning")
    (listed,) = kubectl.listed_events("LAST SEEN\n9s  Warning  BackOff  pod/a-1  Back-off: b")
    assert listed["involvedObject"] == {"kind": "Pod", "name": "a-1"}


def test_a_converted_case_is_a_snapshot_and_leads_to_the_sets_own_words():
    describe = "kubectl describe {} {} -n shop"
    deployment = "Name: cart\nSelector: app=cart\nReplicas: 1 desired | 1 total | 0 available\n"
    replica_set = "Name: cart-5d\nControlled By: Deployment/cart\nReplicas: 1 current / 1 desired\n"
    pod = POD.replace("available.", "available: 2 Insufficient cpu.")
    data = {
        "namespace": "shop",
        "query": "Service Availability Disruption.",
        "k8s_states": {
            describe.format("pods", "cart-5d-x"): pod,
            describe.format("deployments", "cart"): deployment,
            describe.format("replicasets", "cart-5d"): replica_set,
        },
        "tools": {"collection_timestamp": "2026-01-01T00:00:00"},
        "alert": {},
        "metrics_csv": "",
    }
    verdict = kubernetes.diagnose(snapshot.parse(cloudopsbench.snapshot("x", data)))
    line = cloudopsbench.predict(None, verdict)
    assert line["ranked"][0] == {"object": "app/cart", "cause": "cpu_capacity_mismatch"}


def test_an_abstention_is_the_category_of_the_healthy():
    assert opensre.category(diagnosis.Verdict("x", ())) == "healthy"
    suspect = diagnosis.Suspect("namespace/a", "quota_exceeded.cpu", 0.9, 1.0)
    assert opensre.category(diagnosis.Verdict("x", (suspect,))) == "resource_exhaustion"
