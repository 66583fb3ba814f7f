"""Secrets by name from each store, over real sockets; and that nothing ever quotes one."""

import functools
import json
import traceback
from datetime import UTC, datetime

import pytest

from sentienguard.adapters.outbound_http.client import GuardedClient
from sentienguard.adapters.outbound_http.destinations import Allowed
from sentienguard.adapters.secret_stores import door
from sentienguard.ports import secrets
from tests.support import vault_server

pytestmark = pytest.mark.integration
CANARY = "canary-9f86d081884c7d65"
TOKEN = "hvs.token-2cf24dba5fb0a30e"


@pytest.fixture
def vault():
    return vault_server.Vault(
        TOKEN,
        {
            "secret/data/db": {"data": {"data": {"password": CANARY}, "metadata": {"version": 3}}},
            "kv/db": {"data": {"password": CANARY}},
            "secret/data/number": {"data": {"data": {"password": 5}}},
            "secret/data/broken": f'{{"data": "{CANARY}'.encode(),
        },
    )


@pytest.fixture
def opened(vault, tmp_path):
    token = tmp_path / "token"
    token.write_text(f"{TOKEN}\n")
    token.chmod(0o600)
    with vault_server.served(vault) as url:
        document = {"vault": {"url": url, "token": f"file:{token}", "private": True}}
        yield made(document, {"PASSWORD": CANARY, "EMPTY": ""})


def made(document, environment):
    allowed = [Allowed.of(one.url, private=one.private) for one in door.wanted(document)]
    now = functools.partial(datetime.now, UTC)
    return door.read(document, environment, GuardedClient(allowed), now, GuardedClient([]))


@pytest.mark.parametrize(
    "name", ["env:PASSWORD", "vault:secret/data/db#password", "vault:kv/db#password"]
)
def test_a_secret_is_fetched_by_its_name(opened, name):
    found = opened.fetch(name)
    assert found.reveal() == CANARY
    assert CANARY not in f"{found} {found!r}"


def test_a_file_is_read_where_only_its_owner_may(opened, tmp_path):
    file = tmp_path / "secret"
    file.write_text(f"{CANARY}\nmore\n")
    file.chmod(0o600)
    assert opened.fetch(f"file:{file}").reveal() == CANARY
    with pytest.raises(secrets.SecretMissing, match="JSON object"):
        opened.fetch(f"file:{file}#password")
    for mode in (0o640, 0o604, 0o666):
        file.chmod(mode)
        with pytest.raises(secrets.SecretMissing, match="0600"):
            opened.fetch(f"file:{file}")


def test_a_file_that_is_an_object_has_fields(opened, tmp_path):
    file = tmp_path / "account.json"
    file.write_text(json.dumps({"private_key": f"{CANARY}\n"}, indent=1))
    file.chmod(0o600)
    assert opened.fetch(f"file:{file}#private_key").reveal() == f"{CANARY}\n"
    with pytest.raises(secrets.SecretMissing, match="password"):
        opened.fetch(f"file:{file}#password")


def test_a_name_is_checked_without_asking_its_store(opened, vault):
    opened.check("vault:kv/db#password")
    with pytest.raises(secrets.SecretNameWrong) as refused:
        opened.check(CANARY)
    assert CANARY not in str(refused.value)
    assert not vault.asked


def test_it_is_fetched_anew_each_time(opened, vault):
    opened.fetch("vault:kv/db#password")
    vault.kept["kv/db"] = {"data": {"password": "rotated"}}
    assert opened.fetch("vault:kv/db#password").reveal() == "rotated"
    assert vault.asked == ["kv/db", "kv/db"]


FAULTS = {
    "env:NOBODY": secrets.SecretMissing,
    "env:EMPTY": secrets.SecretMissing,
    "file:relative": secrets.SecretNameWrong,
    "file:/does/not/exist": secrets.SecretMissing,
    "file:/dev/zero": secrets.SecretMissing,
    "vault:secret/data/db": secrets.SecretNameWrong,
    "vault:../sys/seal#x": secrets.SecretNameWrong,
    "vault:secret//db#x": secrets.SecretNameWrong,
    "vault:secret/data/db?x=1#x": secrets.SecretNameWrong,
    "vault:secret/data/db#user": secrets.SecretMissing,
    "vault:secret/data/number#password": secrets.SecretMissing,
    "vault:secret/data/broken#password": secrets.SecretMissing,
    "vault:secret/data/absent#password": secrets.SecretMissing,
    "aws:db": secrets.SecretNameWrong,  # no such store is configured
    CANARY: secrets.SecretNameWrong,  # the secret where its name belongs
}


@pytest.mark.parametrize(("name", "kind"), FAULTS.items())
def test_what_cannot_be_fetched_says_why_and_quotes_no_secret(opened, name, kind):
    with pytest.raises(kind) as caught:
        opened.fetch(name)
    told = "".join(traceback.format_exception(caught.value, chain=True)).replace(name, "")
    assert CANARY not in told.split("\n")[-2]
    assert TOKEN not in told


def test_a_wrong_token_and_a_sealed_vault_are_told_apart(opened, vault):
    vault.status = 503
    with pytest.raises(secrets.SecretsAway, match="503"):
        opened.fetch("vault:kv/db#password")
    vault.status, vault.token = None, "other"
    with pytest.raises(secrets.SecretMissing, match="403"):
        opened.fetch("vault:kv/db#password")


@pytest.mark.parametrize(
    "document",
    [{"vault": {"url": "https://v"}}, {"safe": {}}, {"vault": []},
     {"vault": {"url": "https://v", "token": "env:T", "tokn": "x"}}],
)  # fmt: skip
def test_a_store_that_is_described_wrongly_is_refused(document):
    with pytest.raises(secrets.SecretNameWrong, match="store"):
        list(door.wanted(document))


@pytest.mark.filterwarnings("default")
def test_aws_secrets_manager_is_asked_by_its_protocol():
    boto3 = pytest.importorskip("boto3")
    moto = pytest.importorskip("moto.server")
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        url = f"http://{host}:{port}"
        keys = {"aws_access_key_id": "AKID", "aws_secret_access_key": "k"}
        made_by = boto3.client(
            "secretsmanager", region_name="eu-central-1", endpoint_url=url, **keys
        )
        made_by.create_secret(Name="plain", SecretString=CANARY)
        made_by.create_secret(Name="fields", SecretString=json.dumps({"password": CANARY}))
        document = {
            "aws": {
                "url": url,
                "region": "eu-central-1",
                "access_key": "env:ID",
                "secret_key": "env:KEY",
                "private": True,
            }
        }
        found = made(document, {"ID": "AKID", "KEY": "k"})
        assert found.fetch("aws:plain").reveal() == CANARY
        assert found.fetch("aws:fields#password").reveal() == CANARY
        with pytest.raises(secrets.SecretMissing):
            found.fetch("aws:absent")
        with pytest.raises(secrets.SecretMissing) as caught:
            found.fetch("aws:plain#password")
        assert CANARY not in str(caught.value)
    finally:
        server.stop()
