"""A running control plane with clusters.yaml, cloudwatch.yaml and Google's accounts: the wiring."""

import base64
import http.server
import json
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
import yaml
from joserfc import jwt
from joserfc.jwk import RSAKey

from tests.servers import kubernetes
from tests.support import centre_process, cloud_bodies

boto3 = pytest.importorskip("boto3", reason="no boto3 (pip install 'sentienguard[aws]')")
moto = pytest.importorskip("moto.server", reason="no moto (pip install 'moto[server]')")
pytestmark = [pytest.mark.integration, pytest.mark.filterwarnings("default")]
REGION, AUDIENCE = "eu-central-1", "https://guard.example.org"
ACCOUNT = "pusher@shop.iam.gserviceaccount.com"
KEY = RSAKey.generate_key(2048, parameters={"kid": "one", "use": "sig"})
BACK_OFF = "Back-off restarting failed container app in pod web"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with kubernetes.running(tmp_path_factory.mktemp("cluster")) as served:
        yield served
        served.events.end()


@pytest.fixture(scope="module")
def cloud():
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    aws = boto3.client("cloudwatch", region_name=REGION, endpoint_url=endpoint,
                       aws_access_key_id="test", aws_secret_access_key="test")  # fmt: skip
    aws.put_metric_data(Namespace="Shop", MetricData=[
        {"MetricName": "Orders", "Value": 7.0,
         "Timestamp": datetime.now(UTC) - timedelta(minutes=minute)} for minute in range(3, 20)
    ])  # fmt: skip
    yield endpoint
    server.stop()


@pytest.fixture(scope="module")
def google():
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            body = json.dumps({"keys": [KEY.as_dict(private=False)]}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/certs"
    server.shutdown()
    server.server_close()
    thread.join(5)


@pytest.fixture(scope="module")
def centre(tmp_path_factory, cluster, cloud, google):
    data = tmp_path_factory.mktemp("sources")
    place = data / "controlplane"
    place.mkdir(parents=True, exist_ok=True)
    for name in ("key", "secret"):
        (place / name).write_text("test")
        (place / name).chmod(0o600)
    (place / "cloudwatch.yaml").write_text(yaml.safe_dump({
        "region": REGION, "environment": "drill", "endpoint": cloud, "every_seconds": 10,
        "access_key": f"file:{place / 'key'}", "secret_key": f"file:{place / 'secret'}",
        "queries": [{"namespace": "Shop", "metric": "Orders", "statistic": "Sum"}],
    }))  # fmt: skip
    (place / "clusters.yaml").write_text(yaml.safe_dump({"clusters": [{
        "name": "shop", "environment": "drill", "server": cluster.address, "host": "relay-1",
        "ca_file": cluster.ca_file, "token_file": cluster.token_file, "namespaces": ["prod"],
    }]}))  # fmt: skip
    settings = {
        "pubsub_senders": f"{ACCOUNT}=drill",
        "pubsub_audience": AUDIENCE,
        "pubsub_keys_url": google,
    }
    with centre_process.running(data, **settings) as running:
        yield running


def until(condition, limit_s=20.0):
    end = time.monotonic() + limit_s
    while not (found := condition()):
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.1)
    return found


def test_an_event_of_a_cluster_is_an_incident_of_its_relay(centre, cluster):
    relay = centre.enrol("relay-1")
    assert relay.push({("system.cpu_percent", ""): 3.0}).status_code == 204
    time.sleep(1.1)  # so long a new host may be unknown to alerts
    cluster.cluster.deploy("prod", "web", "web:1", replicas=1)
    (pod,) = cluster.cluster.each("pods", "prod", "")
    at = datetime.now(UTC).isoformat()
    cluster.events.say("BackOff", BACK_OFF, name=pod["metadata"]["name"], count=4, at=at)
    cluster.events.say("ScalingReplicaSet", "Scaled up", kind="Deployment", name="web", at=at)
    admin = centre.login("admin@local")
    (found,) = until(
        lambda: admin.get("/api/v1/incidents", params={"host": "relay-1"}).json()["items"]
    )
    whole = admin.get(f"/api/v1/incidents/{found['id']}").json()
    assert "kubernetes.pod_crash_loop" in json.dumps(whole)
    assert "shop/deployment/prod/web" in json.dumps(whole)
    changes = until(
        lambda: admin.get("/api/v1/changes", params={"environment": "drill"}).json()["items"]
    )
    assert [one["service"] for one in changes] == ["web"]
    counted = 'sentienguard_cluster_events_total{result="alert"}'
    until(lambda: counted in admin.get("/metrics").text)


def test_readings_of_cloudwatch_are_series_that_can_be_asked(centre):
    admin = centre.login("admin@local")

    def asked():
        found = admin.get("/api/v1/query", params={"query": "shop_orders_sum offset 3m"}).json()
        return found["data"]["result"]

    (series,) = until(asked)
    assert series["value"][1] == "7"
    assert series["metric"]["environment"] == "drill"
    assert series["metric"]["region"] == REGION


def test_a_push_of_google_is_an_alert_and_what_came_is_shown(centre):
    at = int(time.time())
    claims = {"aud": AUDIENCE, "email": ACCOUNT, "email_verified": True, "exp": at + 3600,
              "iat": at, "iss": "https://accounts.google.com", "sub": "1"}  # fmt: skip
    token = jwt.encode({"alg": "RS256", "kid": "one"}, claims, KEY)
    client = centre.anonymous()
    answer = client.post(
        "/api/v1/webhooks/pubsub",
        content=cloud_bodies.push(cloud_bodies.incident()),
        headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
    )
    assert (answer.status_code, answer.json()) == (200, {"taken": 1, "refused": 0})
    forged = token.split(".")
    forged[1] = base64.urlsafe_b64encode(json.dumps({**claims, "sub": "2"}).encode()).decode()
    refused = client.post(
        "/api/v1/webhooks/pubsub",
        content=b"{}",
        headers={"Authorization": f"Bearer {'.'.join(forged).replace('=', '')}"},
    )
    assert refused.status_code == 401
    counted = (
        'sentienguard_pulls_total{result="answered"}',
        'sentienguard_webhook_requests_total{result="accepted"}',
        'sentienguard_webhook_requests_total{result="unauthenticated"}',
    )
    until(lambda: all(line in client.get("/metrics").text for line in counted))
