"""Secrets by name through a whole incident: each is used, and found nowhere afterwards.

The secrets are canaries in a Vault. What they prove us to is a service that repeats in its refusals
all that it was told, so whoever keeps an answer keeps the secret: over HTTP with status 403, as
Slack refuses with 200 and a code, and over SMTP after the login or the mail. Searched are every
file of the data directory, the output of the process among them, every answer of the API that
takes no argument and all of the incident, and what the other services were sent.
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

from tests.servers import echoing, mail
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
    "slack-says": "xoxb-canary-slack-says-2c624232cdd22177",
    "mail-login": "canary-mail-login-19581e27de7ced00",
    "mail-taken": "canary-mail-taken-4a44dc15364204a8",
}
REFUSED = {"slack-says": "not_Bearer ***", "mail-login": "554", "mail-taken": "554"}  # else 403
MAILS = {"mail-login": "AUTH", "mail-taken": "DATA"}  # what hears the refusal that repeats
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
    """Return a canary as it could be written down, base64 also within something longer."""
    return [text, *within_base64(text), urllib.parse.quote(text, safe=""), text.encode().hex()]


def within_base64(text):
    """Return what base64 makes of it wherever it begins, without the edges that others share."""
    found = []
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + text.encode()).decode()
        cut = (before + len(text)) % 3
        found.append(encoded[(0, 2, 3)[before] : len(encoded) - (0, 3, 2)[cut]])
    return found


def found_in(text):
    return {
        secret
        for secret, canary in {**CANARIES, "token": TOKEN, "webhook": WEBHOOK}.items()
        if any(one in text for one in forms(canary))
    }


def channels(url, says="", mails=None):
    near = {"private": True}
    boxes = {
        one: {"kind": "email", "server": f"smtp://127.0.0.1:{port}", "from": "sg@example.com",
              "to": ["ops@example.com"], "user": "bot", "password": name(one), **near}
        for one, port in (mails or dict.fromkeys(MAILS, 25)).items()
    }  # fmt: skip
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
        "slack-says": {"kind": "slack", "api": f"{says}/api", "team": "T2", "channel": "C2",
                       "token": name("slack-says"), "signing_secret": name("signing"), **near},
        **boxes,
    }  # fmt: skip


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Yield a control plane whose services all refuse, and what they heard."""
    home = tmp_path_factory.mktemp("canaries")
    (home / "token").write_text(TOKEN)
    (home / "token").chmod(0o600)
    with contextlib.ExitStack() as opened:
        service = opened.enter_context(echoing.running())
        says = opened.enter_context(echoing.running(200, answers=echoing.slack_says))
        mails = {one: opened.enter_context(mailing(home, one)) for one in MAILS}
        trusted = pytest.MonkeyPatch()
        opened.callback(trusted.undo)
        trusted.setenv("SSL_CERT_FILE", str(authorities(home, mails)))
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
        ports = {one: server.port for one, server in mails.items()}
        found = channels(service.url, says.url, ports)
        document = {"channels": found, "routes": [{"to": list(found)}]}
        (place / "notices.yaml").write_text(yaml.safe_dump(document))
        centre = opened.enter_context(start())
        yield centre, Told(service, says, mails), home / "data"


@contextlib.contextmanager
def mailing(home, which):
    """Run a mail server that knows the canary of a channel and repeats it."""
    place = home / which
    place.mkdir()
    with mail.running(place) as server:
        server.login = f"\0bot\0{CANARIES[which]}".encode()
        server.repeats_at = MAILS[which]
        yield server


def authorities(home, mails):
    """Write whom a system trusts on which these mail servers' certificates are good."""
    file = home / "trusted.pem"
    file.write_bytes(b"".join(server.ca.read_bytes() for server in mails.values()))
    return file


class Told:
    """What all services heard."""

    def __init__(self, service, says, mails):
        self.service, self.says, self.mails = service, says, mails

    @property
    def heard(self):
        return list(self.service.heard)

    def told(self, text):
        return self.service.told(text) or self.says.told(text)


def until(what, seconds=40):
    deadline = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < deadline, "nothing came"
        time.sleep(0.05)
    return found


def refused_everywhere(admin):
    """Return the notices once each channel has answered and was refused."""
    listed = admin.get("/api/v1/notices").json()["items"]
    refused = {
        one["channel"] for one in listed if REFUSED.get(one["channel"], "403") in one["problem"]
    }
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
    for secret in sorted(set(CANARIES) - UNSENT - set(MAILS)):
        sent = forms_sent(secret)
        until(lambda sent=sent: any(service.told(one) for one in sent))
    assert service.told("webhook-signature: v1,")
    for which, server in service.mails.items():  # each knew the right password, or would say so
        until(lambda server=server: server.repeated)
        assert f"{MAILS[which]} tls" in server.heard


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
    expected = [REFUSED.get(channel, "403") for channel in channels("")]
    assert [one in answer.text for one, answer in zip(expected, tried, strict=True)] == [
        True
    ] * len(tried), [answer.text for answer in tried]
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
        for one in forms(canary):
            assert secret in found_in(f"before {one} after")
        for before in (b"", b"b", b"bo", b"\0bot\0"):
            for after in (b"", b"a", b"af"):
                inside = base64.b64encode(before + canary.encode() + after).decode()
                assert secret in found_in(inside), (secret, before, after)
    assert not found_in("nothing of the kind")
