"""Approvals by two people with OpenSSH keys that the root names, until the order that hosts get.

tests/attacks/dispatch_ssh.py has what hosts refuse; here is how a yes comes to them, and what is
refused to its giver at once.
"""

import base64
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from sentienguard.controlplane import evaluation, trust_exchange
from sentienguard.model.ids import PlaybookName, digest
from sentienguard.trust import bundle as bundles
from sentienguard.trust import ceremony, keys, ssh_approvals
from sentienguard.trust import order as orders
from sentienguard.trust import root as roots
from sentienguard.trust.catalogue import Proven, ProvingRecord
from sentienguard.trust.ssh_keys import SshKey as Public
from tests.integration.controlplane.test_controlplane_approvals import asked, facts, story_of
from tests.support import centre_process, ssh_signer
from tests.support.centre_process import PASSWORD, Centre
from tests.support.ssh_signer import ED25519, RSA, SK_ECDSA, SK_ED25519, UP, UV, SshKey

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]
REMEDY = PlaybookName("disk_cleanup_rotated_logs")
RITA, RUTH, SPARE = SshKey(SK_ED25519, 61), SshKey(ED25519, 62), SshKey(SK_ECDSA, 63)
PEOPLE = {"rita@local": RITA, "ruth@local": RUTH}


class Signers:
    """A control plane whose root names the SSH keys of two people, and a second one of Rita's."""

    def __init__(self, centre: Centre, place: Path) -> None:
        """Make accounts, and have the root name their keys."""
        self.centre = centre
        admin = centre.login("admin@local")
        for name in PEOPLE:
            body = {"name": name, "password": PASSWORD,
                    "roles": {"staging": "remediation_authority"}}  # fmt: skip
            assert admin.post("/api/v1/users", json=body).status_code == 201
        owned = [*((key, name) for name, key in PEOPLE.items()), (SPARE, "rita@local")]
        listed = {ssh_approvals.ApproverSshKey(Public.from_text(key.line)): name
                  for key, name in owned}  # fmt: skip
        now = datetime.now(UTC)
        change = ceremony.Change(
            expires_at=now + timedelta(days=9),
            ssh_keys=tuple(listed),
            people={one.id: name for one, name in listed.items()},
            thresholds={roots.RoleName.APPROVER: 2},
        )
        bundle = ceremony.rotate(trust_exchange.read(place / "controlplane"), change)
        key = keys.SigningKey.from_pem((place / "offline-keys/root.pem").read_bytes())
        bundle, _ = bundles.sign(bundle, key)
        trust_exchange.take_over(place / "controlplane", bundle, now=now)
        self.root: roots.Root = bundle.last
        centre.kill()
        centre.restart()
        self.clients = {name: centre.login(name) for name in PEOPLE}

    def payload(self, name: str, question: dict[str, Any]) -> bytes:
        path = f"/api/v1/approvals/{question['id']}/to-sign"
        return base64.b64decode(self.clients[name].get(path).json()["payload"])

    def send(
        self, name: str, question: dict[str, Any], payload: bytes, armoured: str
    ) -> httpx.Response:
        signature = {"payload": base64.b64encode(payload).decode(), "ssh": armoured}
        path = f"/api/v1/approvals/{question['id']}/approve"
        return self.clients[name].post(path, json={"note": "yes", "signature": signature})

    def approve(self, name: str, question: dict[str, Any], key: SshKey, **how: Any) -> Any:
        payload = self.payload(name, question)
        return self.send(name, question, payload, key.sign(payload, **how))


@pytest.fixture(scope="module")
def signers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Signers]:
    place = tmp_path_factory.mktemp("ssh")
    stored = (centre_process.PLAYBOOKS / REMEDY / "playbook.yaml").read_bytes()
    with centre_process.prepared(place, two_person_risk="SAFE") as start:
        record = ProvingRecord(REMEDY, "1.0.0", digest(stored), (Proven("disk-full", 20, 20),))
        evaluation.sign_proving(place / "controlplane", place / "offline-keys", record)
        with start() as running:
            yield Signers(running, place)


def test_two_signed_yeses_reach_the_host_with_the_order_and_are_recorded(signers: Signers) -> None:
    host = signers.centre.enrol("ssh-two", "staging")
    question = asked(signers.centre, host)
    first = signers.approve("rita@local", question, RITA, flags=UP | UV)
    assert first.status_code == 200, first.text
    assert (first.json()["status"], first.json()["agreed"]) == ("pending", ["rita@local"])
    again = signers.approve("rita@local", question, SPARE).json()
    assert (again["status"], again["agreed"]) == ("pending", ["rita@local"]), "one person, two keys"
    second = signers.approve("ruth@local", question, RUTH).json()
    assert (second["status"], second["decided_by"]) == ("approved", "ruth@local")
    found = orders.claimed_order(host.poll("ab" * 16, wait_s=10)["order"])
    named = orders.require_approvals(found, signers.root, datetime.now(UTC))
    assert sorted(named.values()) == sorted(PEOPLE)
    story = story_of(signers.centre, question)
    (agreed,), (decided,) = facts(story, "approval.agreed"), facts(story, "approval.decided")
    key = Public.from_text(RITA.line)
    assert agreed["data"]["signed_with"] == (
        f"ssh hardware {key.fingerprint}, touched and verified"
    )
    assert decided["data"]["signed_with"] == f"ssh {Public.from_text(RUTH.line).fingerprint}"


WRONG: dict[str, tuple[SshKey, dict[str, Any], str]] = {
    "a playbook's namespace": (RITA, {"namespace": "sentienguard.playbook"}, "rule 3"),
    "git's": (RITA, {"namespace": "git"}, "ssh-keygen -Y sign -n sentienguard.approval"),
    "another hash": (RITA, {"algorithm": "sha384"}, "expected SHA-256 or SHA-512"),
    "nobody there": (RITA, {"flags": 0}, "nobody touched"),
    "another application": (RITA, {"application": "ssh:other"}, "rule 4"),
    "a key of nobody": (SshKey(ED25519, 64), {}, "names no approver"),
    "an RSA key": (SshKey(RSA, 0), {}, "names no approver"),
    "another person's key": (RUTH, {}, "another person's"),
    "oversized": (RITA, {"namespace": "n" * 5_000}, "rule"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_yes_that_hosts_would_refuse_is_refused_at_once(signers: Signers, name: str) -> None:
    key, how, says = WRONG[name]
    question = asked(signers.centre, signers.centre.enrol(f"ssh-bad-{[*WRONG].index(name)}",
                                                          "staging"))  # fmt: skip
    refused = signers.approve("rita@local", question, key, **how)
    assert refused.status_code == 422
    assert refused.json()["type"].endswith("signature-wrong")
    assert says in refused.json()["detail"]
    shown = signers.clients["ruth@local"].get(f"/api/v1/approvals/{question['id']}").json()
    assert (shown["status"], shown["agreed"]) == ("pending", [])


def test_a_signature_is_for_one_question_and_one_person(signers: Signers) -> None:
    one = asked(signers.centre, signers.centre.enrol("ssh-one", "staging"))
    other = asked(signers.centre, signers.centre.enrol("ssh-other", "staging"))
    payload = signers.payload("rita@local", one)
    armoured = RITA.sign(payload)
    moved = signers.send("rita@local", other, payload, armoured)
    assert moved.status_code == 422
    assert "does not approve this order in your name" in moved.json()["detail"]
    changed = signers.send("rita@local", one, payload.replace(b"/srv", b"/etc"), armoured)
    assert (changed.status_code, "rule 4" in changed.json()["detail"]) == (422, True)
    anothers = signers.send("ruth@local", one, payload, armoured)
    assert anothers.status_code == 422
    assert "another person's" in anothers.json()["detail"]
    late = signers.payload("ruth@local", one)
    in_anothers_name = signers.send("rita@local", one, late, RITA.sign(late))
    assert in_anothers_name.status_code == 422
    assert signers.send("rita@local", one, payload, armoured).json()["agreed"] == ["rita@local"]


def test_junk_is_refused_and_breaks_nothing(signers: Signers) -> None:
    question = asked(signers.centre, signers.centre.enrol("ssh-junk", "staging"))
    path = f"/api/v1/approvals/{question['id']}/approve"
    payload = signers.payload("rita@local", question)
    right = ssh_signer.unwrapped(RITA.sign(payload))
    for armoured in ("x", ssh_signer.armour(bytes(right[:-9])), ssh_signer.armour(b"")):
        assert signers.send("rita@local", question, payload, armoured).status_code == 422
    for body in ({"payload": "*", "ssh": RITA.sign(payload)},
                 {"payload": "", "ssh": "A" * 8_193}):  # fmt: skip
        sent = {"note": "", "signature": body}
        assert signers.clients["rita@local"].post(path, json=sent).status_code == 422
