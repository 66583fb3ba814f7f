"""The dispatch key changes while hosts take orders under the old one and the new one."""

import pytest

from sentienguard.trust import dsse, keys, order
from tests.contract import stores_nouns as nouns
from tests.support import trust_ceremony
from tests.support.trust_ceremony import Host

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]
people, earlier = trust_ceremony.people, trust_ceremony.earlier


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
