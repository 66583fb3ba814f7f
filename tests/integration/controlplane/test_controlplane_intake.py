"""What agents may send: every bad thing gets a clear refusal, and nothing is lost or crashes."""

import base64
import json
import time
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from sentienguard.model.ids import AgentId
from sentienguard.stages.observe import payload, wire
from sentienguard.trust import certificates, keys
from tests.support import centre_process
from tests.support.centre_process import Centre, Host

pytestmark = pytest.mark.integration
CALM = {("system.cpu_percent", ""): 3.0, ("system.disk_usage_percent", "/"): 40.0}
FULL = {**CALM, ("system.disk_usage_percent", "/"): 98.0}


@pytest.fixture(scope="module")
def centre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Centre]:
    with centre_process.running(tmp_path_factory.mktemp("centre")) as running:
        yield running


@pytest.fixture
def host(centre: Centre, request: pytest.FixtureRequest) -> Host:
    name = f"host-{abs(hash(request.node.name)) % 10**9}"
    return centre.enrol(name)


def incidents_of(centre: Centre, host: Host) -> list[dict[str, object]]:
    page = centre.login("admin@local").get("/api/v1/incidents", params={"host": host.host}).json()
    items: list[dict[str, object]] = page["items"]
    return items


def problem(answer: httpx.Response, status: int, kind: str) -> str:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert body["type"] == f"urn:sentienguard:problem:{kind}"
    assert body["status"] == status
    return str(body["detail"])


def test_sample_is_taken_and_shown(centre: Centre, host: Host) -> None:
    assert host.push(CALM).status_code == 204
    shown = centre.login("admin@local").get("/api/v1/hosts").json()["items"]
    mine = next(one for one in shown if one["agent_id"] == host.agent)
    assert mine["metrics"]["system.disk_usage_percent[/]"] == 40.0
    assert len(mine["metrics"]) == len(CALM) > 1


def test_of_many_series_a_list_of_hosts_tells_those_that_are_asked_for(
    centre: Centre, host: Host
) -> None:
    assert host.push(CALM).status_code == 204
    asked = {"metric": ["system.disk_usage_percent", "no.such_metric"]}
    shown = centre.login("admin@local").get("/api/v1/hosts", params=asked).json()["items"]
    mine = next(one for one in shown if one["agent_id"] == host.agent)
    assert mine["metrics"] == {"system.disk_usage_percent[/]": 40.0}
    too_many = {"metric": [f"a.b{number}" for number in range(21)]}
    refused = centre.login("admin@local").get("/api/v1/hosts", params=too_many)
    assert refused.status_code == 422


def test_frame_on_top_of_a_known_sample_is_taken_and_on_an_unknown_one_is_asked_again(
    host: Host,
) -> None:
    first = host.sample(CALM)
    text = payload.encode(first)
    assert host.send(wire.encode(text, first.seq)).status_code == 204
    second = host.sample(CALM)
    frame = wire.encode(payload.encode(second), second.seq, base_seq=first.seq, base_text=text)
    assert host.send(frame).status_code == 204
    lost = host.sample(CALM, seq=1000)
    orphan = wire.encode(payload.encode(lost), lost.seq, base_seq=999, base_text=b"{}")
    problem(host.send(orphan), 409, "unknown-base")


def test_repeated_sample_is_thanked_for_and_opens_nothing_twice(centre: Centre, host: Host) -> None:
    sample = host.sample(FULL)
    frame = wire.encode(payload.encode(sample), sample.seq)
    assert [host.send(frame).status_code for _ in range(10)] == [204] * 10
    assert len(incidents_of(centre, host)) == 1


def test_late_and_out_of_order_samples_are_kept_and_not_judged(centre: Centre, host: Host) -> None:
    now = datetime.now(UTC)
    assert host.push(CALM, at=now, seq=10).status_code == 204
    late = host.push(FULL, at=now - timedelta(hours=3), seq=4)
    assert late.status_code == 204
    assert incidents_of(centre, host) == []
    kept = centre.login("admin@local").get(
        f"/api/v1/hosts/{host.agent}/series",
        params={"metric": "system.disk_usage_percent", "subject": "/", "minutes": 300},
    )
    assert [value for _, value in kept.json()["points"]] == [98.0, 40.0]


def test_sample_from_the_future_is_refused(host: Host) -> None:
    answer = host.push(FULL, at=datetime.now(UTC) + timedelta(minutes=10))
    assert "set the host's clock" in problem(answer, 422, "sample-refused")


@pytest.mark.parametrize(
    ("frame", "status", "kind"),
    [
        (b"", 400, "malformed-frame"),
        (b"not a frame at all", 400, "malformed-frame"),
        (b"\x01" * 40, 400, "malformed-frame"),
        (zlib.compress(b"0" * 5_000_000), 400, "malformed-frame"),
        (b"x" * 300_000, 413, "too-large"),
        (wire.encode(b"{}", 1), 422, "sample-refused"),
        (wire.encode(b"[" * 5000, 1), 422, "sample-refused"),
        (wire.encode(b'{"v":1,"v":2}', 1), 422, "sample-refused"),
        (wire.encode(b"\xff\xfe\x00", 1), 422, "sample-refused"),
    ],
    ids=["empty", "text", "noise", "bomb", "huge", "no members", "deep", "twice", "not utf-8"],
)
def test_malformed_sample_is_refused(host: Host, frame: bytes, status: int, kind: str) -> None:
    problem(host.send(frame), status, kind)
    assert host.push(CALM).status_code == 204, "and the next good one is taken"


def test_sample_in_another_hosts_name_is_refused(centre: Centre, host: Host) -> None:
    other = centre.enrol("somebody-else")
    forged = other.sample(FULL)
    detail = problem(
        host.send(wire.encode(payload.encode(forged), forged.seq)), 422, "sample-refused"
    )
    assert "somebody-else" in detail
    assert incidents_of(centre, other) == []


def test_no_certificate_is_refused(centre: Centre) -> None:
    client = centre.agent_client(None)
    for method, path in (("POST", "metrics"), ("GET", "config"), ("POST", "orders/events")):
        answer = client.request(method, f"/api/v1/{path}", json={"events": []})
        problem(answer, 401, "no-certificate")


def test_certificate_of_another_authority_does_not_get_a_connection(
    centre: Centre, tmp_path: Path
) -> None:
    now = datetime.now(UTC)
    authority = certificates.make_authority("someone else", now=now)
    request = certificates.make_request("host-x")
    agent = AgentId("11111111-2222-4333-8444-555555555555")
    certificate = certificates.sign_agent(authority, request.csr_pem, agent, now=now)
    chain = tmp_path / "tls.pem"
    chain.write_bytes(certificate + request.key_pem)
    with pytest.raises(httpx.TransportError):
        centre.agent_client(chain).get("/api/v1/config")


def test_certificate_of_our_authority_that_was_never_enrolled_is_refused(
    centre: Centre, tmp_path: Path
) -> None:
    tls = centre.data / "controlplane/tls"
    authority = certificates.Issued((tls / "ca.pem").read_bytes(), (tls / "ca.key").read_bytes())
    request = certificates.make_request("host-x")
    agent = AgentId("11111111-2222-4333-8444-555555555555")
    certificate = certificates.sign_agent(authority, request.csr_pem, agent, now=datetime.now(UTC))
    chain = tmp_path / "tls.pem"
    chain.write_bytes(certificate + request.key_pem)
    answer = centre.agent_client(chain).get("/api/v1/config")
    problem(answer, 403, "unknown-agent")


def test_join_token_lets_one_host_in_once(centre: Centre) -> None:
    admin = centre.login("admin@local")
    token = admin.post("/api/v1/tokens", json={"environment": "drill"}).json()["token"]
    request = certificates.make_request("twin")
    body = {
        "token": token,
        "host": "twin",
        "environment": "drill",
        "csr_pem": request.csr_pem.decode(),
        "executor_key": keys.SigningKey.generate().public.text,
    }
    client = centre.agent_client(None)
    assert client.post("/api/v1/enroll", json=body).status_code == 201
    problem(client.post("/api/v1/enroll", json=body), 403, "token-refused")


@pytest.mark.parametrize(
    "change",
    [{"token": "guess"}, {"environment": "production"}],
    ids=["guessed", "other environment"],
)
def test_join_token_is_bound(centre: Centre, change: dict[str, str]) -> None:
    admin = centre.login("admin@local")
    token = admin.post("/api/v1/tokens", json={"environment": "drill"}).json()["token"]
    request = certificates.make_request("thief")
    body = {
        "token": token,
        "host": "thief",
        "environment": "drill",
        "csr_pem": request.csr_pem.decode(),
        "executor_key": keys.SigningKey.generate().public.text,
        **change,
    }
    problem(centre.agent_client(None).post("/api/v1/enroll", json=body), 403, "token-refused")


def test_event_with_a_wrong_signature_changes_nothing(centre: Centre, host: Host) -> None:
    event = host.event("agent.alarm", "", {"what": "x", "reason": "y"})
    stranger = keys.SigningKey.generate()
    event["sig"] = base64.b64encode(stranger.sign(str(event["leaf"]).encode())).decode()
    problem(host.report(event), 422, "rejected")
    entries = centre.login("admin@local").get("/api/v1/audit/entries").json()["items"]
    assert not [one for one in entries if one["source"] == f"agent:{host.agent}"]


def test_events_are_acknowledged_up_to_what_is_durable_and_repeat_without_harm(host: Host) -> None:
    first = host.event("agent.alarm", "", {"what": "one", "reason": "r"})
    second = host.event("agent.alarm", "", {"what": "two", "reason": "r"})
    assert host.report(first).json() == {"through": 1}
    assert host.report(first, second).json() == {"through": 2}
    assert host.report(second).json() == {"through": 2}


def test_event_after_a_gap_is_refused(host: Host) -> None:
    host.event("agent.alarm", "", {"what": "never sent", "reason": "r"})
    late = host.event("agent.alarm", "", {"what": "two", "reason": "r"})
    problem(host.report(late), 422, "rejected")


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"events": 3}', b'{"events": [{}]}'])
def test_malformed_events_are_refused(host: Host, body: bytes) -> None:
    problem(host.client.post("/api/v1/orders/events", content=body), 400, "malformed")


def test_refusals_are_counted(centre: Centre, host: Host) -> None:
    def refused() -> int:
        text = centre.anonymous().get("/metrics").text
        line = next(
            (line for line in text.splitlines() if 'samples_total{result="refused"}' in line), " 0"
        )
        return int(line.rpartition(" ")[2])

    before = refused()
    host.send(b"junk")
    assert refused() == before + 1


def test_full_disk_opens_one_incident_whose_order_waits_for_the_poll(
    centre: Centre, host: Host
) -> None:
    assert host.push(FULL).status_code == 204
    admin = centre.login("admin@local")
    story: dict[str, Any] = {"decision": None}
    deadline = time.monotonic() + 10
    while story["decision"] is None and time.monotonic() < deadline:
        if found := incidents_of(centre, host):
            story = admin.get(f"/api/v1/incidents/{found[0]['id']}").json()
        time.sleep(0.02)
    assert len(incidents_of(centre, host)) == 1
    assert story["decision"]["playbook"] == "disk_cleanup_rotated_logs", json.dumps(
        story["decision"]["candidates"]
    )
    kinds = [fact["kind"] for fact in story["timeline"]]
    assert kinds[:3] == ["incident.opened", "evidence.taken", "decision.made"]
