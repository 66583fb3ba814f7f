"""Drafts, signatures that come one after the other, and the file that carries them."""

import base64
import dataclasses
import subprocess
from datetime import UTC, datetime, timedelta

import pytest

from sentienguard.model import ids
from sentienguard.trust import bundle as bundles
from sentienguard.trust import canonical, catalogue, ceremony, delegation, dsse, keys, root
from sentienguard.trust.root import RoleName

NOW = datetime(2026, 2, 12, 11, 26, tzinfo=UTC)
LATER = NOW + timedelta(days=365)
STORED = {name: f"playbook {name}".encode() for name in ("db_vacuum", "disk_cleanup")}


def key(name):
    return keys.SigningKey.from_seed(name.encode().ljust(32, b"."))


ROOTS, SIGNERS = [key(f"root{n}") for n in range(3)], [key(f"signer{n}") for n in range(2)]
NEW = [key(f"new{n}") for n in range(3)]
DISPATCH, LOG = key("dispatch"), key("log")


def listed(names=tuple(STORED), version="1.0.0"):
    found = {}
    for name in names:
        stored = STORED[name] + version.encode()
        digest = ids.digest(stored)
        found[digest] = (catalogue.Listed(ids.PlaybookName(name), version, digest), stored)
    return found


def by_all(bundle, *signers):
    for one in signers:
        bundle, _ = bundles.sign(bundle, one)
    return bundle


def begun():
    roles = {
        RoleName.ROOT: (ROOTS, 2),
        RoleName.SIGNER: (SIGNERS, 1),
        RoleName.DISPATCH: ([DISPATCH], 1),
        RoleName.LOG: ([LOG], 1),
        RoleName.APPROVER: ([], 1),
    }
    public = {role: ([one.public for one in some], n) for role, (some, n) in roles.items()}
    made = ceremony.begin(public, expires_at=LATER, log_origin="test.example/log")
    made = ceremony.list_playbooks(made, listed(), expires_at=LATER)
    record = catalogue.ProvingRecord(
        ids.PlaybookName("db_vacuum"), "1.0.0", next(iter(listed())), ()
    )
    return ceremony.add_proving(made, [record])


DONE = by_all(begun(), *ROOTS[:2], SIGNERS[0])


def change(**given):
    return ceremony.Change(expires_at=LATER, **given)


def waiting(bundle):
    return {(one.document, one.group): one.missing for one in bundles.missing(bundle)}


def test_signatures_are_gathered_one_after_the_other():
    first = begun()
    assert waiting(first)["root 1", "the root keys of root 1"] == 2
    one, done = bundles.sign(first, ROOTS[2])
    assert done == ("root 1",)
    assert waiting(one)["root 1", "the root keys of root 1"] == 1
    with pytest.raises(dsse.NotTrusted, match="needs 2"):
        bundles.verify(one, now=NOW)
    two = by_all(one, ROOTS[0])
    signed, done = bundles.sign(two, SIGNERS[1])
    assert done == ("catalogue 1", "proving of db_vacuum 1.0.0")
    found = bundles.verify(signed, now=NOW)
    assert (found.root.version, found.catalogue.version, len(found.proving)) == (1, 1, 1)
    assert not any(waiting(signed).values())


@pytest.mark.parametrize("stranger", [DISPATCH, LOG, key("stranger"), ROOTS[0]])
def test_a_key_that_is_not_asked_for_or_signed_already_signs_nothing(stranger):
    with pytest.raises(dsse.NotTrusted, match="nothing to sign"):
        bundles.sign(DONE, stranger)


def test_a_forged_signature_counts_as_none():
    envelope = {
        **begun().roots[0],
        "signatures": [dict(one) for one in DONE.roots[0]["signatures"]],
    }
    envelope["signatures"][0]["sig"] = base64.b64encode(bytes(64)).decode()
    forged = dataclasses.replace(DONE, roots=(envelope,))
    assert waiting(forged)["root 1", "the root keys of root 1"] == 1


def test_a_file_comes_back_as_it_was_and_is_the_same_again():
    data = bundles.write(DONE)
    assert bundles.read(data) == DONE
    assert bundles.write(bundles.read(data)) == data
    assert b"PRIVATE" not in data


GOOD = canonical.decode(bundles.write(DONE))


@pytest.mark.parametrize(
    "record",
    [
        [],
        GOOD | {"v": 2},
        GOOD | {"more": 1},
        GOOD | {"roots": []},
        GOOD | {"roots": [{}]},
        GOOD | {"roots": [GOOD["catalogue"]]},
        GOOD | {"catalogue": GOOD["roots"][0]},
        GOOD | {"catalogue": 1},
        GOOD | {"proving": [GOOD["catalogue"]]},
        GOOD | {"proving": {}},
        GOOD | {"playbooks": []},
        GOOD | {"playbooks": {"x": 1}},
        GOOD | {"playbooks": {ids.digest(b"a"): base64.b64encode(b"b").decode()}},
    ],
)
def test_a_file_of_another_form_is_refused(record):
    with pytest.raises(dsse.NotTrusted):
        bundles.read(canonical.encode(record))


def test_the_bytes_of_what_is_listed_have_to_be_there():
    without = dataclasses.replace(DONE, playbooks={})
    with pytest.raises(dsse.NotTrusted, match="bytes of"):
        bundles.verify(without, now=NOW)


def test_a_bundle_is_judged_from_the_root_that_stands_and_from_a_pinned_one():
    drafted = ceremony.rotate(DONE, change(remove=((RoleName.ROOT, ROOTS[2].id),)))
    second = by_all(drafted, *ROOTS[:2])
    standing = bundles.verify(DONE, now=NOW)
    assert bundles.verify(second, now=NOW, current=standing.root).root.version == 2
    assert bundles.verify(second, now=NOW, pinned=standing.root.digest).root.version == 2
    with pytest.raises(dsse.NotTrusted, match="rule 1"):
        bundles.verify(second, now=NOW, pinned=ids.digest(b"another"))
    following = bundles.verify(second, now=NOW).root
    with pytest.raises(dsse.NotTrusted):
        bundles.verify(DONE, now=NOW, current=following)
    with pytest.raises(catalogue.RolledBack):
        bundles.verify(second, now=NOW, newest=(2, ids.digest(b"newer")))


def test_all_keys_hand_over_to_others():
    roles = {
        RoleName.ROOT: ([one.public for one in NEW], 2),
        RoleName.SIGNER: ([key("new signer").public], 1),
    }
    draft = ceremony.hand_over(DONE, roles, expires_at=LATER)
    assert ceremony.open_root(draft)
    for some, good in (
        ((*NEW, key("new signer")), False),
        ((*ROOTS, key("new signer")), False),
        ((*ROOTS[:2], *NEW[:2]), False),  # the catalogue is still the old signers'
        ((*ROOTS[:2], *NEW[:2], key("new signer")), True),
    ):
        signed = by_all(draft, *some)
        if good:
            found = bundles.verify(signed, now=NOW, current=bundles.verify(DONE, now=NOW).root)
            assert set(found.root.roles[RoleName.ROOT].keyids) == {one.id for one in NEW}
            continue
        with pytest.raises(dsse.NotTrusted):
            bundles.verify(signed, now=NOW)


def test_a_second_draft_of_one_version_is_made_only_where_the_first_is_forgotten():
    draft = ceremony.rotate(DONE, change(thresholds={RoleName.ROOT: 1}))
    with pytest.raises(ceremony.CannotDraft, match="draft"):
        ceremony.rotate(draft, change())
    again = ceremony.rotate(draft, change(), forget_draft=True)
    assert [root.claimed(one).version for one in again.roots] == [1, 2]
    with pytest.raises(ceremony.CannotDraft):
        ceremony.rotate(begun(), change(), forget_draft=True)  # the first root is all there is


def test_a_rotation_changes_what_it_says_and_nothing_else():
    limit = delegation.Delegation(prefixes=("db_",))
    changed = ceremony.rotate(
        DONE,
        change(
            add=((RoleName.ROOT, NEW[0].public),),
            remove=((RoleName.ROOT, ROOTS[0].id),),
            thresholds={RoleName.ROOT: 3},
            limits={SIGNERS[0].id: limit},
        ),
    ).last
    assert changed.roles[RoleName.ROOT].keyids == (ROOTS[1].id, ROOTS[2].id, NEW[0].id)
    assert changed.roles[RoleName.ROOT].threshold == 3
    assert changed.delegations == {SIGNERS[0].id: limit}
    before = DONE.last
    for role in set(RoleName) - {RoleName.ROOT}:
        assert changed.roles[role] == before.roles[role]
    assert changed.log_origin == before.log_origin
    with pytest.raises(ceremony.CannotDraft, match="names no"):
        ceremony.rotate(DONE, change(remove=((RoleName.ROOT, NEW[0].id),)))
    with pytest.raises(dsse.NotTrusted):
        ceremony.rotate(DONE, change(thresholds={RoleName.ROOT: 4}))


def test_a_revoked_signer_is_gone_with_its_limits_and_what_it_signed_alone():
    limit = delegation.Delegation(prefixes=("d",))
    limited = by_all(ceremony.rotate(DONE, change(limits={SIGNERS[0].id: limit})), *ROOTS[:2])
    draft = ceremony.revoke_signer(limited, SIGNERS[0].id, expires_at=LATER)
    assert draft.last.delegations == {}
    signed = by_all(draft, *ROOTS[:2])
    with pytest.raises(dsse.NotTrusted):  # the catalogue has its signature alone
        bundles.verify(signed, now=NOW)
    assert bundles.verify(by_all(signed, SIGNERS[1]), now=NOW).root.version == 3
    with pytest.raises(ceremony.CannotDraft, match="would be left"):
        ceremony.revoke_signer(by_all(signed, SIGNERS[1]), SIGNERS[1].id, expires_at=LATER)


@pytest.mark.parametrize(
    ("name", "version", "gone"),
    [
        ("db_vacuum", None, {"1.0.0", "1.1.0"}),
        ("db_vacuum", "1.0.0", {"1.0.0"}),
        ("db_vacuum", "2", None),
        ("other", None, None),
    ],
)
def test_a_revoked_playbook_stays_listed_as_revoked_under_a_new_version(name, version, gone):
    two = ceremony.list_playbooks(DONE, listed(["db_vacuum"], "1.1.0"), expires_at=LATER)
    if gone is None:
        with pytest.raises(ceremony.CannotDraft, match="lists no"):
            ceremony.revoke_playbook(two, name, version, expires_at=LATER)
        return
    signed = by_all(ceremony.revoke_playbook(two, name, version, expires_at=LATER), SIGNERS[0])
    found = bundles.verify(signed, now=NOW).catalogue
    assert found.version == 3
    assert {one.version for one in found.playbooks if one.revoked} == gone
    assert {one.name for one in found.playbooks} == set(STORED)
    with pytest.raises(ceremony.CannotDraft):
        ceremony.revoke_playbook(signed, name, version, expires_at=LATER)


def test_what_was_revoked_stays_so_when_something_else_is_revoked_or_listed():
    one = ceremony.revoke_playbook(DONE, "db_vacuum", None, expires_at=LATER)
    two = ceremony.revoke_playbook(one, "disk_cleanup", None, expires_at=LATER)
    three = ceremony.list_playbooks(two, listed(["db_vacuum"], "2.0.0"), expires_at=LATER)
    found = catalogue.claimed(three.catalogue).playbooks
    assert {(each.name, each.version) for each in found if each.revoked} == {
        ("db_vacuum", "1.0.0"),
        ("disk_cleanup", "1.0.0"),
    }


def test_other_bytes_under_a_listed_name_and_version_cannot_be_drafted():
    digest = ids.digest(b"other")
    other = catalogue.Listed(ids.PlaybookName("db_vacuum"), "1.0.0", digest)
    with pytest.raises(ceremony.CannotDraft, match="raise its version"):
        ceremony.list_playbooks(DONE, {digest: (other, b"other")}, expires_at=LATER)


# --- sealed keys

PASSPHRASE = "correct horse battery staple"


def test_a_sealed_key_opens_with_its_passphrase_and_with_nothing_else():
    pem = ROOTS[0].to_sealed_pem(PASSPHRASE)
    assert keys.SEALED_MARK in pem
    assert keys.SigningKey.from_sealed_pem(pem, PASSPHRASE).id == ROOTS[0].id
    for wrong in ("", PASSPHRASE + " ", PASSPHRASE.upper()):
        with pytest.raises(keys.BadKey) as told:
            keys.SigningKey.from_sealed_pem(pem, wrong)
        assert PASSPHRASE.upper() not in str(told.value)
    with pytest.raises(keys.BadKey):
        keys.SigningKey.from_pem(pem)
    with pytest.raises(keys.BadKey, match="16 characters"):
        ROOTS[0].to_sealed_pem("fifteen letters")


def test_openssl_opens_a_sealed_key_and_finds_the_same_public_half(tmp_path):
    (tmp_path / "key.pem").write_bytes(ROOTS[0].to_sealed_pem(PASSPHRASE))
    (tmp_path / "pass").write_text(PASSPHRASE)
    opened = subprocess.run(
        ["openssl", "pkey", "-in", "key.pem", "-passin", "file:pass", "-pubout"],
        cwd=tmp_path, capture_output=True, check=True,
    )  # fmt: skip
    assert opened.stdout.strip() == ROOTS[0].public.to_pem().strip()
