"""What the catalogue lists: renewed by people or by `up`, and nothing taken back comes again."""

from datetime import UTC, datetime, timedelta

import pytest

from sentienguard.cli.installation import bundled
from sentienguard.controlplane import evaluation, library
from tests.support import trust_ceremony
from tests.support.trust_ceremony import renamed

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]
people, earlier = trust_ceremony.people, trust_ceremony.earlier


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
