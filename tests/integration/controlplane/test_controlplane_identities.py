"""Agents' identities in a real control plane: renewed, doubted, released, struck off."""

import socket
import ssl
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from cryptography import x509

from sentienguard.model.ids import AgentId
from sentienguard.stages.observe import payload, wire
from sentienguard.trust import certificates, renewal
from tests.support import centre_process
from tests.support.centre_process import Centre, Host

pytestmark = pytest.mark.integration
CALM = {("system.cpu_percent", ""): 3.0}
PATH = "/api/v1/certificate"


@pytest.fixture(scope="module")
def centre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Centre]:
    data = tmp_path_factory.mktemp("identities")
    named = {"agents_names": "guard.example.org, 192.0.2.7"}
    with centre_process.prepared(data, **named) as start, start() as running:
        # Its address is told by the first name, which no resolver knows here.
        port = running.agents.rpartition(":")[2]
        assert running.agents == f"https://guard.example.org:{port}"
        running.agents = f"https://127.0.0.1:{port}"
        yield running


@pytest.fixture(scope="module")
def admin(centre: Centre) -> httpx.Client:
    return centre.login("admin@local")


@pytest.fixture
def host(centre: Centre, request: pytest.FixtureRequest) -> Host:
    return centre.enrol(f"host-{abs(hash(request.node.name)) % 10**9}")


def ended(centre: Centre, host: Host, days: float) -> bytes:
    """Return the host's certificate as one of so many days ago, PEM."""
    tls = centre.data / "controlplane/tls"
    authority = certificates.Issued((tls / "ca.pem").read_bytes(), (tls / "ca.key").read_bytes())
    der = certificates.to_der(host.chain.read_bytes())
    return certificates.renew_agent(authority, der, now=datetime.now(UTC) - timedelta(days=days))


def with_certificate(host: Host, pem: bytes) -> Path:
    """Write another certificate beside the host's key; return the file."""
    key = host.chain.read_bytes().partition(b"-----BEGIN PRIVATE KEY-----")
    chain = host.chain.with_name("other.pem")
    chain.write_bytes(pem + key[1] + key[2])
    return chain


def entries(admin: httpx.Client, host: Host, kind: str) -> list[dict[str, object]]:
    found = admin.get("/api/v1/audit/entries", params={"limit": 200}).json()["items"]
    return [one for one in found if one["kind"] == kind and one["data"]["agent"] == host.agent]


def refusal(answer: httpx.Response, status: int = 403, kind: str = "renewal-refused") -> str:
    assert answer.status_code == status, answer.text
    assert answer.json()["type"] == f"urn:sentienguard:problem:{kind}"
    return str(answer.json()["detail"])


def test_a_certificate_of_a_day_is_exchanged_for_the_next_over_its_own_connection(
    centre: Centre, admin: httpx.Client, host: Host
) -> None:
    first = certificates.to_der(host.chain.read_bytes())
    begins, ends = certificates.life_of(first)
    assert ends - begins == timedelta(hours=24) + certificates.CLOCK_SKEW
    answer = host.client.post(PATH, json={})
    assert answer.status_code == 200, answer.text
    pem = answer.json()["certificate_pem"].encode()
    der = certificates.to_der(pem)
    assert certificates.agent_of(der) == host.agent
    assert x509.load_der_x509_certificate(der).serial_number != (
        x509.load_der_x509_certificate(first).serial_number
    )
    new = replace(host, client=centre.agent_client(with_certificate(host, pem)))
    assert new.push(CALM).status_code == 204
    shown = admin.get(f"/api/v1/hosts/{host.agent}").json()
    assert datetime.fromisoformat(shown["certificate_ends"]) == certificates.life_of(der)[1]
    assert entries(admin, host, "agent.renewed") == []  # in time: nothing to tell


def test_after_its_end_tls_refuses_it_and_the_executor_s_word_renews_it(
    centre: Centre, admin: httpx.Client, host: Host
) -> None:
    old = ended(centre, host, days=20)
    with pytest.raises((httpx.TransportError, ssl.SSLError)):
        centre.agent_client(with_certificate(host, old)).post(PATH, json={})
    statement = renewal.seal(host.agent, datetime.now(UTC), host.executor)
    asked = {"certificate_pem": old.decode(), "statement": statement}
    answer = centre.agent_client(None).post(PATH, json=asked)
    assert answer.status_code == 200, answer.text
    pem = answer.json()["certificate_pem"].encode()
    new = replace(host, client=centre.agent_client(with_certificate(host, pem)))
    assert new.push(CALM).status_code == 204
    [told] = entries(admin, host, "agent.renewed")
    assert told["actor"] == host.agent


@pytest.mark.parametrize(
    "attack",
    ["no certificate", "garbage", "another's executor", "another's certificate", "yesterday's word",
     "too old", "unknown key", "no word"],
)  # fmt: skip
def test_nobody_else_gets_a_certificate(
    centre: Centre, admin: httpx.Client, host: Host, attack: str
) -> None:
    now = datetime.now(UTC)
    pem, statement = ended(centre, host, 2).decode(), renewal.seal(host.agent, now, host.executor)
    other = centre.enrol(f"{host.host}-other")
    match attack:
        case "no certificate":
            pem = ""
        case "garbage":
            pem = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
        case "another's executor":
            statement = renewal.seal(host.agent, now, other.executor)
        case "another's certificate":  # with our word: its executor has not asked
            pem = ended(centre, other, 2).decode()
        case "yesterday's word":
            statement = renewal.seal(host.agent, now - timedelta(days=1), host.executor)
        case "too old":
            pem = ended(centre, host, 32).decode()
        case "unknown key":
            tls = centre.data / "controlplane/tls"
            authority = certificates.Issued(
                (tls / "ca.pem").read_bytes(), (tls / "ca.key").read_bytes()
            )
            request = certificates.make_request("x")
            pem = certificates.sign_agent(authority, request.csr_pem, host.agent, now=now).decode()
        case "no word":
            statement = {}
    asked = {"certificate_pem": pem, "statement": statement}
    assert refusal(centre.agent_client(None).post(PATH, json=asked))
    assert entries(admin, host, "agent.renewed") == []


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"certificate_pem": 7}', b'{"x": 1}'])
def test_what_is_no_request_is_refused(centre: Centre, body: bytes) -> None:
    refusal(centre.agent_client(None).post(PATH, content=body), 400, "malformed")


def test_a_request_that_is_too_long_is_refused(centre: Centre) -> None:
    body = {"certificate_pem": "A" * 20_000}
    refusal(centre.agent_client(None).post(PATH, json=body), 413, "too-large")


def test_who_was_struck_off_is_refused_at_once_and_gets_no_certificate(
    centre: Centre, admin: httpx.Client, host: Host
) -> None:
    assert host.push(CALM).status_code == 204
    old = ended(centre, host, 2)
    struck = admin.post(f"/api/v1/hosts/{host.agent}/strike-off", json={"reason": "stolen"})
    assert struck.status_code == 200
    refusal(host.push(CALM), kind="unknown-agent")
    refusal(host.client.post(PATH, json={}), kind="unknown-agent")
    statement = renewal.seal(host.agent, datetime.now(UTC), host.executor)
    asked = {"certificate_pem": old.decode(), "statement": statement}
    refusal(centre.agent_client(None).post(PATH, json=asked))
    listed = {one["agent_id"] for one in admin.get("/api/v1/hosts").json()["items"]}
    assert host.agent not in listed
    again = admin.post(f"/api/v1/hosts/{host.agent}/strike-off", json={"reason": "stolen"})
    assert again.status_code == 200
    [told] = entries(admin, host, "agent.struck_off")
    assert (told["actor"], told["data"]["reason"]) == ("admin@local", "stolen")
    anew = centre.enrol(host.host)
    assert anew.agent != host.agent
    assert anew.push(CALM).status_code == 204


def test_a_copied_host_is_in_quarantine_until_a_person_releases_it(
    centre: Centre, admin: httpx.Client, host: Host
) -> None:
    copy = centre.another_client(host)
    for number in range(1, 5):
        for one, cpu in ((host, 3.0), (copy, 4.0)):
            sample = one.sample({("system.cpu_percent", ""): cpu}, seq=number)
            assert one.send(wire.encode(payload.encode(sample), number)).status_code == 204
    shown = admin.get(f"/api/v1/hosts/{host.agent}").json()
    assert "two hosts use this identity" in shown["quarantined"]
    [told] = entries(admin, host, "agent.quarantined")
    assert told["data"]["what"] == "two_histories"
    may = admin.get(f"/api/v1/hosts/{host.agent}/playbooks").json()["items"]
    assert {one["route"] for one in may} == {"ESCALATE"}
    released = admin.post(
        f"/api/v1/hosts/{host.agent}/release", json={"reason": "restored from its snapshot"}
    )
    assert released.json()["quarantined"] == ""
    assert len(entries(admin, host, "agent.released")) == 1
    assert admin.get(f"/api/v1/hosts/{host.agent}").json()["quarantined"] == ""


@pytest.mark.parametrize("what", ["release", "strike-off"])
def test_an_unknown_host_and_an_empty_reason_are_refused(
    admin: httpx.Client, host: Host, what: str
) -> None:
    unknown = AgentId("00000000-0000-4000-8000-000000000000")
    answer = admin.post(f"/api/v1/hosts/{unknown}/{what}", json={"reason": "x"})
    assert answer.status_code in {404, 422}
    assert admin.post(f"/api/v1/hosts/{host.agent}/{what}", json={"reason": ""}).status_code == 422
    assert admin.post(f"/api/v1/hosts/{host.agent}/{what}", json={}).status_code == 422


def test_the_listener_names_what_the_settings_say_with_the_key_that_hosts_pin(
    centre: Centre,
) -> None:
    tls = centre.data / "controlplane/tls"
    file = (tls / "server.pem").read_bytes()
    assert certificates.names_of(certificates.to_der(file)) == (
        {"localhost", "guard.example.org"},
        {"127.0.0.1", "::1", "192.0.2.7"},
    )
    context = ssl.create_default_context(cafile=str(tls / "ca.pem"))
    port = int(centre.agents.rpartition(":")[2])
    with (
        socket.create_connection(("127.0.0.1", port), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname="guard.example.org") as shown,
    ):
        served = shown.getpeercert(binary_form=True)
    assert served == certificates.to_der(file)
    made = (centre_process._made_once() / "controlplane/tls/server.pem").read_bytes()
    assert certificates.pin_of(file) == certificates.pin_of(made)


def test_a_host_takes_no_name_of_another_environment_whose_readings_it_would_show(
    centre: Centre, admin: httpx.Client, host: Host
) -> None:
    """Readings are kept by host name, so whoever sees one of the two would see the other's."""
    assert host.push(CALM).status_code == 204
    body = {"name": f"{host.host}@local", "password": centre_process.PASSWORD,
            "roles": {"staging": "observer"}}  # fmt: skip
    assert admin.post("/api/v1/users", json=body).status_code == 201
    with pytest.raises(AssertionError, match="name-elsewhere"):
        centre.enrol(host.host, "staging")
    seen = centre.login(f"{host.host}@local")
    assert seen.get("/api/v1/hosts").json() == {
        "items": [], "next_cursor": None,
        "counts": {"quarantine": 0, "silent": 0, "heard": 0, "all": 0},
    }  # fmt: skip
    assert host.host not in seen.get("/api/v1/query", params={"query": "system_cpu_percent"}).text
    assert centre.enrol(host.host, host.environment).push(CALM).status_code == 204
    for one in admin.get("/api/v1/hosts").json()["items"]:
        if one["host"] == host.host:
            struck = {"reason": "moves to staging"}
            path = f"/api/v1/hosts/{one['agent_id']}/strike-off"
            assert admin.post(path, json=struck).status_code == 200
    assert centre.enrol(host.host, "staging").push(CALM).status_code == 204


def test_without_a_token_nobody_learns_which_names_there_are(centre: Centre, host: Host) -> None:
    asked = {
        "token": "none", "environment": "staging", "tags": {},
        "csr_pem": certificates.make_request("x").csr_pem.decode(),
        "executor_key": host.executor.public.text,
    }  # fmt: skip
    answers = [
        centre.agent_client(None).post("/api/v1/enroll", json={**asked, "host": name})
        for name in (host.host, "a-name-that-nobody-has")
    ]
    assert [one.status_code for one in answers] == [403, 403]
    assert answers[0].json()["detail"] == answers[1].json()["detail"]
