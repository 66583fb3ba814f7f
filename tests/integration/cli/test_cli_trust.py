"""Offline keys from the first day to the third rotation, on real files, as people do it."""

import json

import pytest

from sentienguard.cli import doctor
from sentienguard.cli.installation import bundled
from sentienguard.trust import keys
from sentienguard.trust import root as roots
from sentienguard.trust.root import RoleName
from tests.support import trust_ceremony
from tests.support.trust_ceremony import Host

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]
people, earlier = trust_ceremony.people, trust_ceremony.earlier


def test_the_keys_of_up_are_moved_away_and_hosts_follow(people, tmp_path):
    people.up()
    before = people.load()
    assert before.evaluation
    host, away = Host(tmp_path / "host", before), Host(tmp_path / "away", before)
    assert host.pull(before) == away.pull(before) == ""
    moved = people.move()
    assert (moved["root"], moved["evaluation_trust"]) == (2, False)
    assert len(moved["old_keys"]) == 2
    after = people.load()
    assert not after.evaluation
    assert after.root.roles[RoleName.ROOT].threshold == 2
    assert len(after.root.roles[RoleName.ROOT].keyids) == 3
    assert {one.digest for one in after.proving} == {one.digest for one in before.proving}
    assert set(after.playbooks) == set(before.playbooks)
    assert host.pull(after) == ""
    assert host.store.root.version == 2

    for version, names in ((3, ("root-1", "root-3")), (4, ("root-3", "root-4"))):
        change = ("--new", f"root={people.keys / 'root-4.pem'}") if version == 3 else ()
        gone = keys.VerifyKey.from_text((people.keys / "root-1.pub").read_text().strip()).id
        if version == 4:
            change = ("--remove", f"root={gone}")
        people.run("rotate", people.file, *change, "--passphrase-file", people.secret)
        first, second = people.sign(*names)
        assert (first["complete"], second["complete"]) == (False, True)
        people.take_over()
    now_held = people.load()
    assert now_held.root.version == 4
    assert [roots.claimed(one).version for one in now_held.earlier_roots] == [1, 2, 3]
    assert away.pull(now_held) == host.pull(now_held) == ""  # one followed 1 to 4 at once
    assert away.store.root.digest == host.store.root.digest == now_held.root.digest
    new = Host(tmp_path / "new", now_held)
    assert new.pull(now_held) == ""
    assert "rule" in away.pull(after)


def test_after_the_move_up_signs_nothing_and_makes_no_offline_key(people):
    people.move()
    people.take_over("--destroy-old-keys")
    kept = {
        path: path.read_bytes() for path in people.places.centre.rglob("*.json") if path.is_file()
    }
    people.up()
    assert list(people.places.offline.iterdir()) == []
    assert {path: path.read_bytes() for path in kept} == kept
    assert not people.load().evaluation
    found = people.run("status", "--data", people.data)
    assert (found["complete"], found["evaluation_trust"], found["keys_left_here"]) == (
        True, False, [],
    )  # fmt: skip


def test_only_dispatch_and_log_keys_are_left_on_the_control_plane(people):
    people.move()
    people.take_over("--destroy-old-keys")
    root = people.load().root
    private = [
        keys.SigningKey.from_pem(path.read_bytes()).id
        for path in people.data.rglob("*.pem")
        if b"PRIVATE KEY" in path.read_bytes() and path.parent.name != "tls"
    ]
    named = {role: set(root.roles[role].keyids) for role in RoleName}
    assert set(private) == named[RoleName.DISPATCH] | named[RoleName.LOG]
    assert not set(private) & (named[RoleName.ROOT] | named[RoleName.SIGNER])


def test_no_private_key_is_in_what_is_carried_and_each_is_sealed(people):
    people.move()
    assert b"PRIVATE" not in people.file.read_bytes()
    for path in people.keys.glob("*.pem"):
        assert keys.SEALED_MARK in path.read_bytes()
        assert path.stat().st_mode & 0o077 == 0
    assert len(list(people.keys.glob("*.pem"))) == 5


def test_a_control_plane_without_a_root_takes_the_one_whose_digest_is_named(people):
    made = people.run("init", "--dir", people.file.parent, "--passphrase-file", people.secret)
    assert made["complete"]
    digest = made["root"]["first_digest"]
    online = people.places.centre / "keys"
    online.mkdir(parents=True)
    for name in ("dispatch", "log"):
        (people.file.parent / "online" / f"{name}.pem").rename(online / f"{name}.pem")
    said = people.run("import", people.file, "--data", people.data, status=1)
    assert "--root-digest" in said
    wrong = "sha256:" + "0" * 64
    said = people.run(
        "import", people.file, "--data", people.data, "--root-digest", wrong, status=1
    )
    assert "rule 1" in said
    people.take_over("--root-digest", digest)
    people.up()
    held = people.load()
    assert not held.evaluation
    assert held.root_digest == digest
    assert len(held.playbooks) == len(bundled.playbooks())
    assert list(people.places.data.glob("offline/*")) == []


def test_an_import_that_was_cut_off_is_done_again(people):
    people.move()
    before = people.load()
    for _ in range(2):
        people.run("rotate", people.file)
        people.sign("root-1", "root-2")
    people.take_over()
    trust = people.places.centre / "trust"
    # As if it had ended before the root was replaced, and then before the catalogue was.
    (trust / "root.json").write_text(json.dumps(before.root_envelope))
    assert people.load().root.version == 2
    assert people.take_over()["root"] == 4
    assert people.load().root.version == 4


def test_what_expires_soon_is_shown_in_days(people):
    people.move()
    found = people.run("status", "--data", people.data)
    assert found["root"]["expires_in_days"] in {364, 365}
    assert found["catalogue"]["expires_in_days"] in {89, 90}
    assert all(one["missing"] == 0 for one in found["signatures"])


def test_it_stays_evaluation_trust_while_the_root_names_a_key_that_lies_here(people):
    people.up()
    people.file.parent.mkdir()
    people.run("export", "--out", people.file, "--data", people.data)
    people.run("rotate", people.file)
    people.run("sign", people.file, "--key", people.places.offline / "root.pem", "--yes")
    assert people.take_over("--destroy-old-keys")["evaluation_trust"]
    assert people.load().evaluation
    assert len(list(people.places.offline.glob("*.pem"))) == 2  # they count: nothing is destroyed


def test_doctor_says_when_documents_are_about_to_expire_and_who_renews_them(people):
    def finding():
        found = list(doctor.examine(people.places))
        return next(one for one in found if one.what == "signed documents")

    people.up()
    assert finding().good
    people.move()
    assert finding().good
    people.run("rotate", people.file, "--catalogue-days", 10)
    people.sign("signer-1")
    people.take_over()
    late = finding()
    assert not late.good
    assert "catalogue for 9" in late.detail
    assert "trust rotate" in late.way_out
