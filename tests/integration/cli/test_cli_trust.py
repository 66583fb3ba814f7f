"""Offline keys from the first day to the third rotation, on real files, as people do it."""

import base64
import dataclasses
import json
import shutil
import subprocess
from datetime import UTC, datetime, timedelta

import pytest

from sentienguard.agent import executor_state, trust_store
from sentienguard.cli import doctor, main
from sentienguard.cli.installation import bundled, centre
from sentienguard.cli.installation.places import Places
from sentienguard.controlplane import evaluation, library
from sentienguard.controlplane import trust_store as centre_trust
from sentienguard.trust import bundle as bundles
from sentienguard.trust import ceremony, dsse, keys, order
from sentienguard.trust import root as roots
from sentienguard.trust.root import RoleName
from tests.contract import stores_nouns as nouns
from tests.support import ssh_signer

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]

PASSPHRASE = "correct horse battery staple"
ADDRESS = "https://127.0.0.1:1"


class People:
    """Who runs commands, with a passphrase in a file."""

    def __init__(self, place, capsys, earlier):
        self.place = place
        self.capsys = capsys
        self.earlier = earlier  # of another test that moved keys: its place, and what it was told
        self.secret = place / "passphrase"
        self.secret.write_text(PASSPHRASE + "\n")
        self.secret.chmod(0o600)
        self.data = place / "data"
        self.places = Places(self.data)
        self.keys = place / "ceremony" / "keys"
        self.file = place / "ceremony" / "trust.json"

    def run(self, *words, status=0):
        """Run `sentienguard trust`; return its JSON, or what it said on standard error."""
        given = [str(word) for word in words]
        found = main.main(["trust", *given, "--json"])
        out, err = self.capsys.readouterr()
        assert found == status, err
        assert PASSPHRASE not in out + err
        return json.loads(out) if out else err

    def up(self):
        """Make what `up` makes before it starts anything."""
        self.places.make()
        centre.prepare(self.places, interval_s=30.0, drills=False)

    def sign(self, *names, status=0):
        sealed = ("--passphrase-file", self.secret, "--yes")
        return [
            self.run("sign", self.file, "--key", self.keys / f"{name}.pem", *sealed, status=status)
            for name in names
        ]

    def take_over(self, *more):
        return self.run("import", self.file, "--data", self.data, *more)

    def load(self):
        now = datetime.now(UTC)
        return centre_trust.load(self.places.centre, agents_address=ADDRESS, now=now)

    def move(self):
        """Move the keys of `up` away, as the how-to says; from nothing, that is done but once."""
        if self.data.exists():
            return self.move_now()
        if not self.earlier:
            place = self.place / "earlier"
            place.mkdir()
            self.earlier.append((place, People(place, self.capsys, []).move_now()))
        place, told = self.earlier[0]
        shutil.copytree(place, self.place, dirs_exist_ok=True)
        return told

    def move_now(self):
        self.up()
        carried = self.place / "carried.json"
        self.run("export", "--out", carried, "--data", self.data)
        self.run(
            "init", "--dir", self.file.parent, "--from", carried, "--passphrase-file", self.secret
        )
        self.run("sign", self.file, "--key", self.places.offline / "root.pem", "--yes")
        return self.take_over()


@pytest.fixture(scope="module")
def earlier():
    return []


@pytest.fixture
def people(tmp_path, capsys, earlier):
    return People(tmp_path, capsys, earlier)


class Host:
    """An agent's trust, pinned to the root of the day it was enrolled."""

    def __init__(self, place, held):
        place.mkdir()
        state = executor_state.ExecutorState(place / "state.json")
        self.store = trust_store.TrustStore(
            place / "trust", held.root_digest, state, lambda *_: None
        )

    def pull(self, held):
        """Take what the agents' API hands out; return why not, or nothing."""
        sent = {
            digest: base64.b64encode(stored).decode() for digest, stored in held.playbooks.items()
        }
        try:
            self.store.accept(
                held.root_envelope,
                held.catalogue_envelope,
                sent,
                datetime.now(UTC),
                earlier=held.earlier_roots,
            )
        except dsse.NotTrusted as error:
            return str(error)
        return ""


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


@pytest.mark.parametrize("rules", [("rotate", "--list"), ("rotate", "--catalogue-days")])
def test_the_catalogue_can_be_renewed_without_a_new_root(people, rules, tmp_path):
    people.move()
    given = "30"
    if rules[1] == "--list":
        given = tmp_path / "extra.yaml"
        stored = next(iter(bundled.playbooks().values()))
        given.write_bytes(stored.replace(b'version: "1.0.0"', b'version: "1.0.1"', 1))
        assert given.read_bytes() != stored
    found = people.run(rules[0], people.file, rules[1], given)
    assert (found["root"]["version"], found["catalogue"]["version"]) == (2, 3)
    people.sign("signer-2")
    assert people.take_over()["catalogue"] == 3


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


def test_a_log_never_gets_another_name_and_an_older_catalogue_never_comes_back(people, tmp_path):
    people.move()
    older = people.file.read_bytes()
    people.run("rotate", people.file, "--catalogue-days", 30)
    people.sign("signer-1")
    people.take_over()
    people.file.write_bytes(older)
    assert "rule 3" in people.run("import", people.file, "--data", people.data, status=1)

    bundle = bundles.read(older)
    last = bundle.last
    payload = roots.payload(
        version=last.version + 1,
        expires_at=last.expires_at,
        roles={
            role: ([last.keys[one] for one in found.keyids], found.threshold)
            for role, found in last.roles.items()
        },
        log_origin="another.example/log",
    )
    draft = dsse.seal(roots.PAYLOAD_TYPE, payload, [])
    renamed = dataclasses.replace(bundle, roots=(*bundle.roots, draft))
    people.file.write_bytes(bundles.write(ceremony.list_playbooks(
        ceremony.list_playbooks(renamed, {}, expires_at=last.expires_at),
        {}, expires_at=last.expires_at,
    )))  # fmt: skip
    people.sign("root-1", "root-2", "signer-1")
    said = people.run("import", people.file, "--data", people.data, status=1)
    assert "never changes its name" in said


def test_a_root_of_the_same_version_by_the_same_keys_is_not_taken(people):
    people.move()
    before = people.file.read_bytes()
    people.run("rotate", people.file)
    people.sign("root-1", "root-2")
    people.take_over()
    people.file.write_bytes(before)
    people.run("rotate", people.file, "--expires-days", 90)
    people.sign("root-1", "root-3")
    assert "rule 3" in people.run("import", people.file, "--data", people.data, status=1)


def refused(host, held):
    """Return why a host takes no order of this control plane; empty: it does."""
    try:
        order.open_order(held.seal_order(nouns.order(), "0" * 32, 1), host.store.root)
    except dsse.NotTrusted as error:
        return str(error)
    return ""


def test_the_dispatch_key_is_rotated_and_no_host_refuses_an_order_meanwhile(people, tmp_path):
    people.move()
    held = people.load()
    host, late = Host(tmp_path / "host", held), Host(tmp_path / "late", held)
    assert host.pull(held) == late.pull(held) == ""
    old = held.dispatch.id
    made = people.run("online-key", "dispatch", "--data", people.data)
    again = people.run("online-key", "dispatch", "--data", people.data)
    assert again == made
    assert made["named"] == old
    assert (people.places.centre / "keys/dispatch.next.pem").stat().st_mode & 0o077 == 0

    people.run("rotate", people.file, "--add", f"dispatch={made['public']}")
    people.sign("root-1", "root-2")
    people.take_over()
    both = people.load()
    assert both.dispatch.id == old, "while hosts learn of both, the old one signs"
    assert refused(late, both) == ""
    assert host.pull(both) == late.pull(both) == ""

    people.run("rotate", people.file, "--remove", f"dispatch={old}")
    people.sign("root-1", "root-3")
    people.take_over()
    after = people.load()
    assert after.dispatch.id == made["key_id"]
    assert refused(late, after) == "", "a host that has not the last root knows the new key"
    assert host.pull(after) == ""
    assert refused(host, after) == ""
    assert refused(host, both) != "", "the old key counts no more"
    assert not (people.places.centre / "keys/dispatch.next.pem").exists()


def test_a_dispatch_key_that_no_root_names_stays_where_it_waits(people):
    people.move()
    people.run("online-key", "dispatch", "--data", people.data)
    other = keys.SigningKey.generate().public
    old = people.load().dispatch.id
    people.run(
        "rotate", people.file, "--add", f"dispatch={other.text}", "--remove", f"dispatch={old}"
    )
    people.sign("root-1", "root-2")
    said = people.run("import", people.file, "--data", people.data, status=1)
    assert "for dispatch" in said
    assert people.load().dispatch.id == old
    assert (people.places.centre / "keys/dispatch.next.pem").exists()


MISTAKES = {
    "a passphrase file that others read": ("open", "others may read it"),
    "a short passphrase": ("short", "16 characters"),
    "a threshold above the number": ("threshold", ""),
    "a directory that is in use": ("twice", "already"),
    "a draft on a draft": ("draft", "draft"),
    "a wrong passphrase": ("wrong", "its passphrase"),
    "a key that is not asked for": ("stranger", "nothing to sign"),
    "a file that is none": ("garbage", "canonical"),
    "an incomplete export": ("incomplete", "needs 2"),
    "online keys of another machine": ("keys", "but the new root names"),
}


@pytest.mark.parametrize(("kind", "said"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_is_refused_with_what_was_expected(people, kind, said):
    init = ("init", "--dir", people.file.parent, "--passphrase-file", people.secret)
    if kind in {"open", "short"}:
        people.secret.write_text("short\n")
        people.secret.chmod(0o644 if kind == "open" else 0o600)
        assert said in people.run(*init, status=1)
        return
    if kind == "threshold":
        assert people.run(*init, "--root-keys", 1, status=2)
        return
    people.move()
    held = people.file.read_bytes()
    if kind == "twice":
        assert said in people.run(*init, status=1)
    elif kind in {"draft", "incomplete"}:
        people.run("rotate", people.file)
        words = (
            ("rotate", people.file)
            if kind == "draft"
            else ("export", "--of", people.file, "--out", people.place / "out")
        )
        assert said in people.run(*words, status=1)
        assert not (people.place / "out").exists()
        return
    elif kind == "wrong":
        people.secret.write_text(PASSPHRASE.upper())
        assert said in people.sign("root-1", status=1)[0]
    elif kind == "stranger":
        assert said in people.sign("root-1", status=1)[0]
    elif kind == "garbage":
        people.file.write_bytes(held[:-1])
        assert said in people.run("status", people.file, status=1)
        return
    else:
        key = people.places.centre / "keys/dispatch.pem"
        key.write_bytes(keys.SigningKey.generate().to_pem())
        assert said in people.run("import", people.file, "--data", people.data, status=1)
    assert people.file.read_bytes() == held


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


def test_up_keeps_signing_as_long_as_its_own_keys_count(people):
    people.up()
    later = datetime.now(UTC) + timedelta(days=80)
    evaluation.prepare(people.places.centre, people.places.offline, bundled.playbooks(), now=later)
    assert people.load().catalogue.version == 2


def test_up_neither_brings_back_what_was_taken_back_nor_drops_what_people_listed(people, tmp_path):
    brought = bundled.playbooks()
    people.up()
    gone = people.load().catalogue.playbooks[0]
    stored = people.load().playbooks[gone.digest]
    own, more = tmp_path / "own.yaml", {"one_more": renamed(stored, gone.name, "one_more")}
    own.write_bytes(renamed(stored, gone.name, "our_own_remedy"))
    people.file.parent.mkdir()
    people.run("export", "--out", people.file, "--data", people.data)
    people.run("revoke", people.file, "--playbook", gone.name)
    people.run("rotate", people.file, "--list", own)
    people.run("sign", people.file, "--key", people.places.offline / "signer.pem", "--yes")
    people.take_over()

    later = datetime.now(UTC) + timedelta(days=80)
    for now, release in ((datetime.now(UTC), {**brought, **more}), (later, {**brought, **more})):
        evaluation.prepare(people.places.centre, people.places.offline, release, now=now)
        listed = {one.name: one.revoked for one in people.load().catalogue.playbooks}
        assert listed.pop(gone.name), "what was taken back runs again"
        assert not any(listed.values())
        assert listed.keys() >= {"our_own_remedy", "one_more"}
        assert len(listed) == len(brought) + 1
    assert people.load().catalogue.version == 5  # 2 and 3 by people, 4 the release, 5 in time


def test_of_a_playbook_with_several_versions_the_newest_that_was_not_taken_back_is_in_force(
    people, tmp_path
):
    people.up()
    one = next(one for one in people.load().catalogue.playbooks if one.version == "1.0.0")
    newer = tmp_path / "newer.yaml"
    stored = people.load().playbooks[one.digest]
    assert b'version: "1.0.0"' in stored
    newer.write_bytes(stored.replace(b'version: "1.0.0"', b"version: 1.10.0", 1))
    people.file.parent.mkdir()
    people.run("export", "--out", people.file, "--data", people.data)
    people.run("rotate", people.file, "--list", newer)
    for wanted in ("1.10.0", "1.0.0"):
        people.run("sign", people.file, "--key", people.places.offline / "signer.pem", "--yes")
        people.take_over()
        shelf = library.Library(people.load())
        named = [two.playbook.version for two in shelf.all() if two.playbook.name == one.name]
        assert named == [wanted]
        assert shelf.named(one.name).playbook.version == wanted
        if wanted == "1.10.0":
            people.run("revoke", people.file, "--playbook", f"{one.name}@1.10.0")


def renamed(stored, old, new):
    return stored.replace(f"name: {old}".encode(), f"name: {new}".encode(), 1)
