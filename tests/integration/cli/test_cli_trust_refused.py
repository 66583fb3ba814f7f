"""What is refused at the offline keys: people's mistakes, and documents that would go back."""

import dataclasses

import pytest

from sentienguard.trust import bundle as bundles
from sentienguard.trust import ceremony, dsse, keys
from sentienguard.trust import root as roots
from tests.support import trust_ceremony
from tests.support.trust_ceremony import PASSPHRASE

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]
people, earlier = trust_ceremony.people, trust_ceremony.earlier


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
