"""Secrets by name through a whole incident: each is used, and found nowhere afterwards.

The secrets are canaries in a Vault. What they prove us to is a service that repeats in its refusals
all that it was told, so whoever keeps an answer keeps the secret. Searched are every file of the
data directory, the output of the process among them, every answer of the API that takes no
argument and all of the incident, and what the other services were sent.
"""

import base64
import contextlib
import json
import time
import urllib.parse
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from tests.servers import echoing
from tests.support import centre_process, vault_server

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]
SPECIFICATION = Path(__file__).parents[3] / "docs/reference/openapi.json"
TOKEN = "hvs.canary-token-8d969eef6ecad3c2"
WEBHOOK = base64.b64encode(b"canary-webhook-0123456789abcdef").decode()
CANARIES = {
    "adviser": "sk-canary-adviser-a665a45920422f9d",
    "embedding": "sk-canary-embedding-b14a7b8059d9c055",
    "loki": "canary-loki-6b86b273ff34fce1",
    "slack": "xoxb-canary-slack-d4735e3a265e16ee",
    "signing": "canary-signing-4e07408562bedb8b",
    "pagerduty": "canary-pagerduty-4b227777d4dd1fc6",
    "jira": "canary-jira-ef2d127de37b942b",
    "webhook": f"whsec_{WEBHOOK}",
    "teams": "canary-teams-e7f6c011776e8db7",
    "mattermost": "canary-mattermost-7902699be42c8a8e",
}
CALM = {
    ("system.cpu_percent", ""): 3.0,
    ("service.up", "orders"): 1.0,
    ("service.healthy", "orders"): 1.0,
}
HUNG = {**CALM, ("service.healthy", "orders"): 0.0}
# What a service hears of a secret, where it is not the secret itself: it is used for a signature.
UNSENT = {"webhook", "signing"}


def name(secret):
    return f"vault:kv/sentienguard#{secret}"


def forms(text):
    """Return a canary as it could be written down."""
    encoded = base64.b64encode(text.encode()).decode().rstrip("=")
    return [text, encoded, urllib.parse.quote(text, safe=""), text.encode().hex()]


def found_in(text):
    return {
        secret
        for secret, canary in {**CANARIES, "token": TOKEN, "webhook": WEBHOOK}.items()
        if any(one in text for one in forms(canary))
    }


def channels(url):
    near = {"private": True}
    return {
        "slack": {"kind": "slack", "api": f"{url}/slack/api", "team": "T1", "channel": "C1",
                  "token": name("slack"), "signing_secret": name("signing"), **near},
        "pagerduty": {"kind": "pagerduty", "url": f"{url}/pagerduty",
                      "routing_key": name("pagerduty"), **near},
        "jira": {"kind": "jira", "site": f"{url}/jira", "project": "OPS", "user": "bot@example.com",
                 "token": name("jira"), **near},
        "webhook": {"kind": "webhook", "url": f"{url}/webhook", "secret": name("webhook"), **near},
        "teams": {"kind": "teams", "url": name("teams"), **near},
        "mattermost": {"kind": "mattermost", "url": name("mattermost"), **near},
    }  # fmt: skip


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Yield a control plane whose services all refuse, and what they heard."""
    home = tmp_path_factory.mktemp("canaries")
    (home / "token").write_text(TOKEN)
    (home / "token").chmod(0o600)
    with contextlib.ExitStack() as opened:
        service = opened.enter_context(echoing.running())
        kept = {**CANARIES, **{one: f"{service.url}/{one}/{CANARIES[one]}"
                               for one in ("teams", "mattermost")}}  # fmt: skip
        vault = vault_server.Vault(TOKEN, {"kv/sentienguard": {"data": kept}})
        vault_url = opened.enter_context(vault_server.served(vault))
        start = opened.enter_context(
            centre_process.prepared(
                home / "data",
                adviser="compatible",
                adviser_url=f"{service.url}/adviser",
                adviser_model="m",
                adviser_key=name("adviser"),
                adviser_may="restrict",
                embeddings="hosted",
                embedding_url=f"{service.url}/embedding",
                embedding_key=name("embedding"),
                loki_url=f"{service.url}/loki",
                loki_key=name("loki"),
            )
        )
        place = home / "data/controlplane"
        stores = {"vault": {"url": vault_url, "token": f"file:{home}/token", "private": True}}
        (place / "secrets.yaml").write_text(yaml.safe_dump(stores))
        document = {"channels": channels(service.url), "routes": [{"to": list(channels(""))}]}
        (place / "notices.yaml").write_text(yaml.safe_dump(document))
        centre = opened.enter_context(start())
        yield centre, service, home / "data"


def until(what, seconds=40):
    deadline = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < deadline, "nothing came"
        time.sleep(0.05)
    return found


def refused_everywhere(admin):
    """Return the notices once each channel has answered and was refused."""
    listed = admin.get("/api/v1/notices").json()["items"]
    refused = {one["channel"] for one in listed if "403" in one["problem"]}
    return listed if refused == set(channels("")) - {"jira"} else None  # nobody's work: no issue


@pytest.fixture(scope="module")
def incident(world):
    """Let a service hang and wait until everybody was asked and told."""
    centre, service, _ = world
    admin = centre.login("admin@local")
    host = centre.enrol("web-1", "drill")
    host.push(CALM, at=datetime.now(UTC) - timedelta(minutes=5))
    for ago in range(150, -1, -10):
        host.push(HUNG, at=datetime.now(UTC) - timedelta(seconds=ago))
    ways = (f"/api/v1/notices/channels/{channel}/test" for channel in channels(""))
    tried = [admin.post(way) for way in ways]
    path = "/api/v1/incidents"
    item = until(lambda: admin.get(path, params={"host": "web-1"}).json()["items"])[0]
    path = f"{path}/{item['id']}"
    until(lambda: admin.get(path).json()["advice"])
    until(lambda: admin.get(path).json()["decision"])
    until(lambda: service.told("/embedding/"))
    until(lambda: service.told("/loki/"))
    return admin, path, tried


def test_each_secret_was_fetched_and_used(world, incident):
    _, service, _ = world
    for secret in sorted(set(CANARIES) - UNSENT):
        sent = forms_sent(secret)
        until(lambda sent=sent: any(service.told(one) for one in sent))
    assert service.told("webhook-signature: v1,")


def forms_sent(secret):
    """Return what the service hears of a secret that is sent."""
    basic = base64.b64encode(f"bot@example.com:{CANARIES[secret]}".encode()).decode()
    return [CANARIES[secret], basic]


def test_no_secret_is_found_anywhere(world, incident):
    """Beside what the owner keeps outside: in no file, no line of output, no answer, no message."""
    _, service, data = world
    admin, path, tried = incident
    until(lambda: admin.get(path).json()["incident"]["status"])
    said = json.dumps(until(lambda: refused_everywhere(admin)))
    assert not found_in(said), said
    assert {"403" in one.text for one in tried} == {True}
    for answer in [*tried, *answers(admin, path)]:
        assert not found_in(answer.text), f"{answer.url}: {found_in(answer.text)}"
    holding = {
        str(file.relative_to(data)): one
        for file in data.rglob("*")
        if file.is_file() and (one := found_in(file.read_bytes().decode("latin-1")))
    }
    assert holding == {}
    output = (data / "controlplane.log").read_text()
    assert not found_in(output)
    for heard in list(service.heard):
        path_asked = heard.split()[0]
        others = found_in(heard) - {path_asked.split("/")[1]}
        assert not others, f"{path_asked} was told a secret of {others}"


def answers(admin, path):
    """Yield every answer of the API that takes no argument, and what it says of the incident."""
    paths = json.loads(SPECIFICATION.read_text())["paths"]
    plain = [one for one, ways in paths.items() if "get" in ways and "{" not in one]
    about = [one for one, ways in paths.items() if "get" in ways and "{incident_id}" in one]
    about = [one.replace("/api/v1/incidents/{incident_id}", path) for one in about]
    found = 0
    for one in [*plain, *about]:
        if one.endswith("/live") or "{" in one:  # the first never ends
            continue
        answer = admin.get(one, follow_redirects=False)
        found += answer.status_code == 200
        yield answer
    assert found > 30


def test_the_search_finds_what_is_there(tmp_path):
    for secret, canary in CANARIES.items():
        for one in forms(canary)[:3]:
            assert secret in found_in(f"before {one} after")
    assert not found_in("nothing of the kind")
