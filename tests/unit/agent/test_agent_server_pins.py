"""Which servers the collector believes: what a root names, and never so that it cuts itself off."""

import json

import pytest

from sentienguard.agent import server_pins, uplink

OURS, NEXT, OTHER, ENROLLED = ("a" * 64, "b" * 64, "c" * 64, "d" * 64)


class Link:
    """What an uplink knows."""

    def __init__(self, connected=OURS):
        self.server_key = connected
        self.known = (ENROLLED,)

    def know(self, keys):
        self.known = keys


@pytest.fixture
def links():
    return [Link(), Link("")]


@pytest.fixture
def known(tmp_path, links):
    return server_pins.KnownServers(tmp_path / "pins.json", (ENROLLED,), links)


def test_what_a_root_names_counts_for_every_link_and_survives_a_restart(known, links, tmp_path):
    known.follow([OURS, NEXT])
    assert [one.known for one in links] == [(OURS, NEXT)] * 2
    assert server_pins.read(tmp_path / "pins.json") == (OURS, NEXT)


def test_a_root_that_names_none_brings_back_what_the_host_was_enrolled_with(known, links, tmp_path):
    known.follow([OURS, NEXT])
    links[0].server_key = ENROLLED
    known.follow([])
    assert [one.known for one in links] == [(ENROLLED,)] * 2
    assert server_pins.read(tmp_path / "pins.json") == ()


@pytest.mark.parametrize(
    "named",
    [
        [],
        [NEXT, OTHER],
        None,
        "a" * 64,
        [OURS, 7],
        [OURS, "A" * 64],
        [OURS, "a" * 63],
        {OURS: NEXT},
    ],
)
def test_what_would_cut_the_host_off_or_is_no_list_of_pins_changes_nothing(
    known, links, tmp_path, named
):
    known.follow([OURS, NEXT])
    with pytest.raises(server_pins.NotFollowed):
        known.follow(named)
    assert [one.known for one in links] == [(OURS, NEXT)] * 2
    assert server_pins.read(tmp_path / "pins.json") == (OURS, NEXT)


@pytest.mark.parametrize("kept", [b"", b"{", b"[]", b'["x"]', b"{}", b"\xff"])
def test_a_damaged_file_counts_as_none(tmp_path, kept):
    (tmp_path / "pins.json").write_bytes(kept)
    assert server_pins.read(tmp_path / "pins.json") == ()
    assert server_pins.read(tmp_path / "nothing.json") == ()


def test_the_same_list_is_not_written_again(known, tmp_path):
    known.follow([OURS, NEXT])
    file = tmp_path / "pins.json"
    assert json.loads(file.read_bytes()) == [OURS, NEXT]
    before = file.stat().st_ino
    known.follow([OURS, NEXT])
    assert file.stat().st_ino == before


def test_an_uplink_takes_new_pins_for_the_next_connection():
    link = uplink.Uplink(uplink.Address("127.0.0.1", 1, (ENROLLED,)), uplink.client_context(None))
    link.know((OURS, NEXT))
    assert link.address.pins == (OURS, NEXT)
    assert (link.address.host, link.address.port) == ("127.0.0.1", 1)
