"""Secrets of Google and of Azure, by their protocols; and what may ask a metadata service."""

import json
from datetime import UTC, datetime

import httpcore
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from sentienguard.adapters.outbound_http import destinations, metadata
from sentienguard.adapters.outbound_http.client import GuardedClient
from sentienguard.adapters.outbound_http.destinations import Allowed
from sentienguard.adapters.secret_stores import door
from sentienguard.ports import secrets
from sentienguard.ports.outbound import NotAllowed, Request
from tests.servers import secret_managers as served

pytestmark = pytest.mark.integration
CANARY = "canary-5e884898da280471"
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
FIXED = "http://169.254.169.254"
KEPT = {
    "/v1/projects/shop-production/secrets/db/versions/latest": CANARY,
    "/v1/projects/shop-production/secrets/db/versions/3": "earlier",
    "/v1/projects/shop-production/secrets/json/versions/latest": json.dumps({"password": CANARY}),
    "/v1/projects/shop-production/secrets/bytes/versions/latest": b"\xff\xfe",
    "/secrets/db": CANARY,
    "/secrets/db/abc123": "earlier",
    "/secrets/json": json.dumps({"password": CANARY}),
}
KEPT = {path + (":access" if path.startswith("/v1/") else ""): one for path, one in KEPT.items()}


@pytest.fixture(scope="module")
def account_key():
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return private, public


@pytest.fixture
def managers(account_key):
    made = served.Managers(dict(KEPT), account_key[1])
    made.now = int(NOW.timestamp())
    with served.running(made):
        yield made
    assert made.wrong == []


@pytest.fixture
def connected(monkeypatch, managers):
    """Lead connections to the metadata service's one address to the server; note each address."""
    asked, connect = [], httpcore.SyncBackend.connect_tcp

    def lead(self, host, port, *more):
        asked.append((host, port))
        if (host, port) == ("169.254.169.254", 80):
            host, port = "127.0.0.1", int(managers.url.rpartition(":")[2])
        return connect(self, host, port, *more)

    monkeypatch.setattr(httpcore.SyncBackend, "connect_tcp", lead)
    return asked


def opened(document, environment=None):
    allowed = [Allowed.of(one.url, private=one.private) for one in door.wanted(document)]
    way = GuardedClient(allowed)
    return door.read(document, environment or {}, way, lambda: NOW, metadata.MetadataService())


def google(managers, **more):
    return {"gcp": {"project": "shop-production", "url": managers.url, "private": True, **more}}


def azure(managers, **more):
    return {"azure": {"url": managers.url, "private": True, **more}}


BOTH = pytest.mark.parametrize(("cloud", "name"), [(google, "gcp"), (azure, "azure")])


@BOTH
def test_a_machine_asks_with_its_own_identity(managers, connected, cloud, name):
    found = opened(cloud(managers))
    assert found.fetch(f"{name}:db").reveal() == CANARY
    assert connected[0] == ("169.254.169.254", 80)
    assert len(managers.asked) == 2
    assert found.fetch(f"{name}:json#password").reveal() == CANARY
    version = {"gcp": "db/3", "azure": "db/abc123"}[name]
    assert found.fetch(f"{name}:{version}").reveal() == "earlier"


def test_one_of_several_identities_is_chosen(managers, connected):
    assert opened(azure(managers, client=served.CLIENT)).fetch("azure:db").reveal() == CANARY
    assert f"client_id={served.CLIENT}" in managers.asked[0]
    assert connected


def test_a_service_account_signs_for_its_token(managers, account_key, tmp_path):
    file = tmp_path / "account.json"
    file.write_text(json.dumps({"private_key": account_key[0]}))
    file.chmod(0o600)
    document = google(
        managers,
        account=served.ACCOUNT,
        private_key=f"file:{file}#private_key",
        token_url=f"{managers.url}/token",
    )
    assert opened(document).fetch("gcp:db").reveal() == CANARY
    assert managers.asked[0] == "POST /token"


def test_an_application_shows_its_client_secret(managers):
    document = azure(
        managers,
        tenant=served.TENANT,
        client=served.CLIENT,
        client_secret="env:CLIENT",
        login_url=managers.url,
    )
    found = opened(document, {"CLIENT": served.CLIENT_SECRET})
    assert found.fetch("azure:db").reveal() == CANARY


def test_secret_and_token_are_fetched_anew_each_time(managers, connected):
    found = opened(azure(managers))
    found.fetch("azure:db")
    managers.kept["/secrets/db"] = "rotated"
    assert found.fetch("azure:db").reveal() == "rotated"
    assert len(managers.asked) == 4
    assert connected


FAULTS = {
    "gcp:absent": secrets.SecretMissing,
    "gcp:bytes": secrets.SecretMissing,
    "gcp:db#password": secrets.SecretMissing,
    "gcp:../db": secrets.SecretNameWrong,
    "gcp:db/../../x": secrets.SecretNameWrong,
    "gcp:db?x=1": secrets.SecretNameWrong,
    "gcp:": secrets.SecretNameWrong,
    "azure:absent": secrets.SecretMissing,
    "azure:db#password": secrets.SecretMissing,
    "azure:db/../keys": secrets.SecretNameWrong,
    "azure:db/a/b": secrets.SecretNameWrong,
    "azure:db?api-version=1": secrets.SecretNameWrong,
}


@pytest.mark.parametrize(("name", "kind"), FAULTS.items())
def test_what_cannot_be_fetched_says_why_and_quotes_nothing(managers, connected, name, kind):
    with pytest.raises(kind) as refused:
        opened(google(managers) | azure(managers)).fetch(name)
    assert CANARY not in str(refused.value)
    assert served.TOKEN not in str(refused.value)
    assert all(one == ("169.254.169.254", 80) or one[0] == "127.0.0.1" for one in connected)


@BOTH
@pytest.mark.parametrize(
    ("status", "kind"),
    [(403, secrets.SecretMissing), (429, secrets.SecretsAway), (500, secrets.SecretsAway)],
)
@pytest.mark.usefixtures("connected")
def test_a_refusal_of_the_identity_is_told_apart(managers, cloud, name, status, kind):
    managers.status = status
    with pytest.raises(kind, match="who asks") as refused:
        opened(cloud(managers)).fetch(f"{name}:db")
    assert served.TOKEN not in str(refused.value)


@BOTH
@pytest.mark.parametrize("location", ["http://169.254.169.254/latest/", "http://127.0.0.1:1/"])
def test_a_redirect_of_the_metadata_service_is_not_followed(
    managers, connected, cloud, name, location
):
    managers.status, managers.location = 302, location
    with pytest.raises(secrets.SecretsAway, match="302"):
        opened(cloud(managers)).fetch(f"{name}:db")
    assert len(managers.asked) == len(connected) == 1


# Each is asked of the way that may ask the metadata service.
ATTACKS = [
    Request("GET", f"{FIXED}/latest/meta-data/iam/security-credentials/"),
    Request("GET", f"{FIXED}/computeMetadata/v1/instance/attributes/?recursive=true"),
    Request("GET", f"{FIXED}/computeMetadata/v1/project/attributes/ssh-keys"),
    Request("GET", f"{FIXED}{served.GOOGLE_IDENTITY}/../../../attributes/"),
    Request("GET", f"{FIXED}/metadata/instance?api-version=2021-02-01"),
    Request("GET", f"{FIXED}{served.AZURE_IDENTITY}/info"),
    Request("GET", f"{FIXED}:8080{served.AZURE_IDENTITY}"),
    Request("GET", f"https://169.254.169.254{served.AZURE_IDENTITY}"),
    Request("GET", f"http://metadata.google.internal{served.GOOGLE_IDENTITY}"),
    Request("GET", f"http://169.254.169.253{served.AZURE_IDENTITY}"),
    Request("GET", f"http://127.0.0.1{served.AZURE_IDENTITY}"),
    Request("GET", f"http://[fd00:ec2::254]{served.AZURE_IDENTITY}"),
    Request("GET", f"http://a@169.254.169.254{served.AZURE_IDENTITY}"),
    Request("POST", f"{FIXED}{served.AZURE_IDENTITY}"),
    Request("PUT", f"{FIXED}/latest/api/token"),
    Request("GET", f"{FIXED}{served.AZURE_IDENTITY}", body=b"x"),
    Request("GET", f"{FIXED}{served.AZURE_IDENTITY}", {"Host": "evil"}),
]


@pytest.mark.parametrize("request_", ATTACKS, ids=lambda one: f"{one.method} {one.url}")
def test_nothing_else_is_asked_of_a_metadata_service(managers, connected, request_):
    with pytest.raises(NotAllowed):
        metadata.MetadataService().send(request_)
    assert not connected
    assert not managers.asked


@pytest.mark.parametrize("private", [True, False])
def test_what_an_owner_writes_never_opens_the_way_to_it(private):
    for url in (f"{FIXED}/", "http://metadata.google.internal/"):
        allowed = Allowed.of(url, private=private)
        assert not allowed.metadata
        way = GuardedClient([allowed], resolver=lambda _host, _port: ["169.254.169.254"])
        with pytest.raises(NotAllowed, match="never asked"):
            way.send(Request("GET", f"{url}x"))
    with pytest.raises(secrets.SecretNameWrong):
        list(door.wanted({"gcp": {"project": "p", "metadata": True}}))


def test_the_exception_is_for_one_address_only():
    one = Allowed("http", "169.254.169.254", 80, metadata=True)
    assert destinations.judge(["169.254.169.254"], one)
    for other in ("169.254.169.253", "127.0.0.1", "10.0.0.1", "fd00:ec2::254"):
        with pytest.raises(NotAllowed):
            destinations.judge([other], one)
        with pytest.raises(NotAllowed):
            destinations.judge(["169.254.169.254", other], one)


@pytest.mark.parametrize(
    "said",
    [
        {"gcp": {"project": "Shop/.."}},
        {"gcp": {"project": "p", "account": "a@b"}},
        {"gcp": {"project": "p", "private_key": "env:K"}},
        {"azure": {"url": "https://v.vault.azure.net", "tenant": "t"}},
        {"azure": {"url": "https://v.vault.azure.net", "client_secret": "env:K"}},
        {"azure": {"url": "https://v", "tenant": "t", "client_secret": "env:K"}},
        {"azure": {"url": "https://v", "tenant": "t/../u", "client": "c", "client_secret": "k"}},
    ],
)
def test_half_a_description_is_refused(said):
    with pytest.raises(secrets.SecretNameWrong):
        list(door.wanted(said))


def test_a_key_that_is_none_is_not_quoted(managers):
    document = google(
        managers, account="a@b", private_key="env:KEY", token_url=f"{managers.url}/token"
    )
    with pytest.raises(secrets.SecretMissing, match="env:KEY") as refused:
        opened(document, {"KEY": CANARY}).fetch("gcp:db")
    assert CANARY not in str(refused.value)
