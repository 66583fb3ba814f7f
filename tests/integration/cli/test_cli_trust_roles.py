"""Who may speak for what: signers within their names, approvers by their keys, and hosts follow."""

import subprocess

import pytest

from sentienguard.trust import keys
from sentienguard.trust.root import RoleName
from tests.support import ssh_signer, trust_ceremony
from tests.support.trust_ceremony import Host

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]
people, earlier = trust_ceremony.people, trust_ceremony.earlier


def test_a_revoked_playbook_and_a_revoked_signer_reach_the_host(people, tmp_path):
    people.move()
    held = people.load()
    host = Host(tmp_path / "host", held)
    assert host.pull(held) == ""
    name = held.catalogue.playbooks[0].name
    found = people.run("revoke", people.file, "--playbook", name)
    assert not found["complete"]
    people.sign("signer-1")
    people.take_over()
    assert host.pull(people.load()) == ""
    assert not host.store.catalogue.permits(held.catalogue.playbooks[0].digest)
    assert "rule 3" in host.pull(held)  # the catalogue of before, once more

    gone = found["root"]["roles"]["signer"]["keys"][0]
    people.run("revoke", people.file, "--signer", gone)
    people.sign("root-2", "root-3")
    said = people.run("import", people.file, "--data", people.data, status=1)
    assert "rule 5" in said  # the catalogue has the signature of who was struck off alone
    people.sign("signer-2")
    people.take_over()
    assert host.pull(people.load()) == ""
    assert gone not in host.store.root.roles[RoleName.SIGNER].keyids


def test_a_limited_signer_is_refused_beyond_its_names(people):
    people.move()
    signer = people.load().root.roles[RoleName.SIGNER].keyids[0]
    other = people.load().root.roles[RoleName.SIGNER].keyids[1]
    people.run(
        "rotate", people.file, "--limit", f"{signer}=production:db_", "--remove", f"signer={other}"
    )
    people.sign("root-1", "root-2")
    said = people.run("import", people.file, "--data", people.data, status=1)
    assert "too few of its signers may speak" in said


def test_approvers_are_named_by_their_ssh_keys_and_hosts_follow(people, tmp_path):
    people.move()
    host = Host(tmp_path / "host", people.load())
    made = {}
    for name in ("ann", "bob"):
        path = tmp_path / name
        words = ["/usr/bin/ssh-keygen", "-t", "ed25519", "-N", "", "-q", "-f", str(path)]
        subprocess.run(words, check=True, timeout=20)
        made[name] = path.with_suffix(".pub")
    file_key = keys.SigningKey.generate().public
    said = people.run("rotate", people.file, "--add-ssh-key", f"ann@local={made['ann']}",
                      "--add", f"approver={file_key.text}", status=1)  # fmt: skip
    assert "--person KEYID=NAME, by the names of their accounts" in said
    assert file_key.id in said
    hardware = ssh_signer.SshKey(ssh_signer.SK_ECDSA, 71)
    shown = people.run(
        "rotate", people.file, "--threshold", "approver=2", "--add", f"approver={file_key.text}",
        "--person", f"{file_key.id}=ann@local", "--add-ssh-key", f"ann@local={made['ann']}",
        "--add-ssh-key", f"bob@local={made['bob'].read_text()}",
        "--add-ssh-key", f"cyn@local=verify-required {hardware.line} cyn's",
    )["root"]  # fmt: skip
    assert sorted(shown["people"].values()) == ["ann@local", "ann@local", "bob@local", "cyn@local"]
    assert [one["verify_required"] for one in shown["ssh_keys"].values()].count(True) == 1
    people.sign("root-1", "root-2")
    people.take_over()
    held = people.load()
    assert host.pull(held) == ""
    assert held.root.people[file_key.id] == "ann@local"
    assert len(held.root.approving_ssh_keys) == 3


@pytest.mark.parametrize(
    ("words", "status", "says"),
    [
        (["--add-ssh-key", "ann@local=ssh-rsa AAAAB3NzaC1yc2E="], 1, "expected ssh-ed25519"),
        (["--add-ssh-key", "ann@local=none.pub"], 1, "--add-ssh-key ann@local: none.pub"),
        (["--add-ssh-key", "ann.pub"], 2, "expected NAME=FILE"),
        (["--person", "0123456789abcdef"], 2, "expected KEYID=NAME"),
        (["--person", "0123456789abcdef=ann@local"], 1, "no approver's keys"),
    ],
)
def test_an_approver_who_cannot_be_named_is_refused(people, words, status, says):
    people.move()
    before = people.file.read_bytes()
    assert says in " ".join(people.run("rotate", people.file, *words, status=status).split())
    assert people.file.read_bytes() == before
