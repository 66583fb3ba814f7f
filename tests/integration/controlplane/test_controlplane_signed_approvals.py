"""Approvals by two people, signed by passkeys that the root names, until the order that hosts get.

tests/attacks/dispatch_passkeys.py has what hosts refuse; here is how a yes comes to them.
"""

import base64
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from sentienguard.controlplane import evaluation, trust_exchange
from sentienguard.model.ids import PlaybookName, digest
from sentienguard.trust import bundle as bundles
from sentienguard.trust import ceremony, encoding, keys, passkeys
from sentienguard.trust import order as orders
from sentienguard.trust import root as roots
from sentienguard.trust.catalogue import Proven, ProvingRecord
from tests.integration.controlplane.test_controlplane_approvals import asked
from tests.support import centre_process
from tests.support.authenticator import Passkey
from tests.support.centre_process import PASSWORD, Centre

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]
REMEDY = PlaybookName("disk_cleanup_rotated_logs")
PEOPLE = ("rita@local", "ruth@local")


class Signers:
    """A control plane whose root names the passkeys of two people."""

    def __init__(self, centre: Centre, place: Any) -> None:
        """Make accounts and passkeys, and have the root name them."""
        self.centre = centre
        admin = centre.login("admin@local")
        self.passkeys = {}
        added = []
        for name in PEOPLE:
            roles = {"staging": "remediation_authority"}
            body = {"name": name, "password": PASSWORD, "roles": roles}
            assert admin.post("/api/v1/users", json=body).status_code == 201
            client = centre.login(name)
            self.passkeys[name] = self.register(client, name)
            (line,) = [one["approver_key"] for one in account(client)["factors"]]
            added.append(passkeys.ApproverKey.from_text(line))
        now = datetime.now(UTC)
        change = ceremony.Change(expires_at=now + timedelta(days=9), passkeys=tuple(added))
        bundle = ceremony.rotate(trust_exchange.read(place / "controlplane"), change)
        key = keys.SigningKey.from_pem((place / "offline-keys/root.pem").read_bytes())
        bundle, _ = bundles.sign(bundle, key)
        trust_exchange.take_over(place / "controlplane", bundle, now=now)
        self.root: roots.Root = bundle.last
        centre.kill()
        centre.restart()
        self.clients = {name: self.sign_in(name) for name in PEOPLE}

    def register(self, client: httpx.Client, name: str) -> Passkey:
        origin = self.centre.people.replace("127.0.0.1", "localhost")
        passkey = Passkey("localhost", origin, credential=name.encode(), counter=1)
        begun = client.post("/api/v1/account/passkeys", json={"password": PASSWORD}).json()
        data, attestation = passkey.make(encoding.from_base64url(begun["challenge"]))
        body = {"ticket": begun["ticket"], "client_data": encoding.base64url(data),
                "attestation": encoding.base64url(attestation), "label": name}  # fmt: skip
        made = client.post("/api/v1/account/passkeys/confirm", json=body)
        assert made.status_code == 201, made.text
        return passkey

    def sign_in(self, name: str) -> httpx.Client:
        client = self.centre.anonymous()
        body = {"name": name, "password": PASSWORD}
        step = client.post("/api/v1/auth/login", json=body).json()
        body = {"ticket": step["ticket"], "passkey": self.answer(name, step["challenge"])}
        token = client.post("/api/v1/auth/login/second", json=body).json()["token"]
        client.cookies.clear()
        client.headers["Authorization"] = f"Bearer {token}"
        return client

    def answer(self, name: str, given: str, /, **how: Any) -> dict[str, str]:
        passkey = self.passkeys[name]
        passkey.counter += 1
        said = passkey.answer(encoding.from_base64url(given), **how)
        return {
            "credential": encoding.base64url(passkey.credential),
            "client_data": encoding.base64url(said.client_data),
            "authenticator_data": encoding.base64url(said.authenticator_data),
            "signature": encoding.base64url(said.signature),
        }

    def approve(self, name: str, question: dict[str, Any], **how: Any) -> httpx.Response:
        client, path = self.clients[name], f"/api/v1/approvals/{question['id']}"
        wanted = client.get(f"{path}/to-sign").json()
        assert wanted["credentials"] == [encoding.base64url(name.encode())]
        passkey = self.answer(name, wanted["challenge"], **how)
        signature = {"payload": wanted["payload"], "passkey": passkey}
        return client.post(f"{path}/approve", json={"note": "yes", "signature": signature})


def account(client: httpx.Client) -> dict[str, Any]:
    return dict(client.get("/api/v1/account").json())


@pytest.fixture(scope="module")
def signers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Signers]:
    place = tmp_path_factory.mktemp("signed")
    stored = (centre_process.PLAYBOOKS / REMEDY / "playbook.yaml").read_bytes()
    settings = {"two_person_risk": "SAFE"}
    with centre_process.prepared(place, **settings) as start:
        record = ProvingRecord(REMEDY, "1.0.0", digest(stored), (Proven("disk-full", 20, 20),))
        evaluation.sign_proving(place / "controlplane", place / "offline-keys", record)
        with start() as running:
            yield Signers(running, place)


def test_two_signed_yeses_reach_the_host_with_the_order(signers: Signers) -> None:
    host = signers.centre.enrol("two-1", "staging")
    question = asked(signers.centre, host)
    assert (question["needed"], question["agreed"]) == (2, [])
    first = signers.approve("rita@local", question)
    assert first.status_code == 200, first.text
    assert (first.json()["status"], first.json()["agreed"]) == ("pending", ["rita@local"])
    again = signers.approve("rita@local", question).json()
    assert (again["status"], again["agreed"]) == ("pending", ["rita@local"])
    second = signers.approve("ruth@local", question).json()
    assert (second["status"], second["decided_by"]) == ("approved", "ruth@local")
    assert [one["by"] for one in second["agreements"]] == ["rita@local", "ruth@local"]
    assert second["agreements"][0]["at"] < second["agreements"][1]["at"]
    order = host.poll("ab" * 16, wait_s=10)["order"]
    found = orders.claimed_order(order)
    named = orders.approved_by(found, signers.root, datetime.now(UTC))
    assert sorted(named.values()) == list(PEOPLE)


WRONG: dict[str, dict[str, Any]] = {
    "another page": {"origin": "http://evil.example"},
    "another party": {"party": "evil.example"},
    "nobody verified": {"flags": 0x01},
    "another deed": {"challenge": encoding.base64url(bytes(32))},
    "a registration": {"kind": "webauthn.create"},
}


def test_a_yes_that_hosts_would_refuse_is_refused_at_once(signers: Signers) -> None:
    question = asked(signers.centre, signers.centre.enrol("bad-1", "staging"))
    for name, how in WRONG.items():
        refused = signers.approve("rita@local", question, **how)
        assert refused.status_code == 422, name
        assert refused.json()["type"].endswith("signature-wrong"), name


def test_a_yes_in_another_persons_name_is_refused(signers: Signers) -> None:
    question = asked(signers.centre, signers.centre.enrol("name-1", "staging"))
    path = f"/api/v1/approvals/{question['id']}"
    wanted = signers.clients["ruth@local"].get(f"{path}/to-sign").json()
    passkey = signers.answer("rita@local", wanted["challenge"])
    body = {"note": "", "signature": {"payload": wanted["payload"], "passkey": passkey}}
    assert signers.clients["rita@local"].post(f"{path}/approve", json=body).status_code == 422
    junk = {**body, "signature": {"payload": "*", "passkey": passkey}}
    assert signers.clients["rita@local"].post(f"{path}/approve", json=junk).status_code == 422
    unknown = base64.b64encode(b"{}").decode()
    strange = {"payload": unknown, "keyid": "0" * 16, "sig": "AAAA"}
    body = {"note": "", "signature": strange}
    assert signers.clients["rita@local"].post(f"{path}/approve", json=body).status_code == 422


def test_one_no_ends_it_whoever_said_yes(signers: Signers) -> None:
    question = asked(signers.centre, signers.centre.enrol("no-1", "staging"))
    assert signers.approve("rita@local", question).json()["status"] == "pending"
    path = f"/api/v1/approvals/{question['id']}/deny"
    denied = signers.clients["ruth@local"].post(path, json={"note": "no"})
    assert denied.json()["status"] == "denied"


def test_a_yes_that_nobody_can_have_read_is_a_finding(signers: Signers) -> None:
    """The tests answer at once: that is odd, is recorded, and forbids nothing."""
    admin = signers.centre.login("admin@local")
    question = asked(signers.centre, signers.centre.enrol("odd-1", "staging"))
    assert signers.approve("rita@local", question).json()["status"] == "pending"
    found = admin.get("/api/v1/findings").json()["items"]
    quick = [one for one in found if one["finding"] == "quick_answer"]
    assert quick[0]["user"] in PEOPLE
    entry = admin.get(f"/api/v1/audit/proof/{quick[0]['index']}").json()
    assert '"kind":"access.finding"' in entry["leaf"]
