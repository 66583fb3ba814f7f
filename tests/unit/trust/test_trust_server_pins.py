"""A root may name the keys of the listener: two at least, each a digest, and hosts go by them."""

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sentienguard.controlplane import evaluation, server_certificate, trust_exchange
from sentienguard.controlplane.settings import Settings
from sentienguard.trust import bundle as bundles
from sentienguard.trust import canonical, ceremony, certificates, dsse, keys, root
from tests.unit.trust.test_trust_documents import LATER, ROOTS, roles, root_payload

NOW = datetime(2026, 2, 12, 11, 26, tzinfo=UTC)
PINS = tuple(hashlib.sha256(bytes((number,))).hexdigest() for number in range(9))


def with_pins(pins: object) -> root.Root:
    found = canonical.decode_object(root_payload())
    made = canonical.encode({**found, "server_pins": pins})
    envelope = dsse.seal(root.PAYLOAD_TYPE, made, ROOTS[:2])
    return root.first(envelope, root.digest_of(envelope), now=NOW)


def test_a_root_that_names_none_is_as_before() -> None:
    made = root.payload(version=1, expires_at=LATER, roles=roles(), log_origin="test.example/log")
    assert made == root_payload()
    assert b"server_pins" not in made


@pytest.mark.parametrize("count", [2, 8])
def test_two_to_eight_pins_are_taken_in_their_order(count: int) -> None:
    made = root.payload(
        version=1, expires_at=LATER, roles=roles(), log_origin="a/b", server_pins=PINS[:count]
    )
    envelope = dsse.seal(root.PAYLOAD_TYPE, made, ROOTS[:2])
    opened = root.first(envelope, root.digest_of(envelope), now=NOW)
    assert opened.server_pins == PINS[:count]


@pytest.mark.parametrize(
    "pins",
    [[], list(PINS[:1]), list(PINS), [PINS[0], PINS[0]], [PINS[0], "x"], [PINS[0], 7], "ab", None,
     [PINS[0], PINS[1].upper()], {PINS[0]: PINS[1]}],
)  # fmt: skip
def test_anything_else_is_refused(pins: object) -> None:
    with pytest.raises(dsse.NotTrusted, match="server_pins"):
        with_pins(pins)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    evaluation.prepare(tmp_path / "centre", tmp_path / "offline", {}, now=NOW)
    return tmp_path


def following(place: Path, pins: tuple[str, ...] | None) -> bundles.Bundle:
    """Return the trust file of a control plane with the next root, signed."""
    change = ceremony.Change(expires_at=NOW + timedelta(days=300), server_pins=pins)
    drafted = ceremony.rotate(trust_exchange.read(place / "centre"), change)
    signer = keys.SigningKey.from_pem((place / "offline/root.pem").read_bytes())
    return bundles.sign(drafted, signer)[0]


def imported(place: Path, pins: tuple[str, ...] | None) -> root.Root:
    return trust_exchange.take_over(place / "centre", following(place, pins), now=NOW).root


def served(place: Path) -> str:
    """Return the pin that the control plane would show after its next start."""
    server_certificate.keep(place / "centre", Settings(), NOW)
    return certificates.pin_of((place / "centre/tls/server.pem").read_bytes())


def test_the_waiting_key_takes_over_with_the_first_root_that_names_it_alone(place: Path) -> None:
    present, following_ = trust_exchange.make_next_server_key(place / "centre")
    assert trust_exchange.make_next_server_key(place / "centre") == (present, following_)
    assert served(place) == present
    assert imported(place, (present, following_)).server_pins == (present, following_)
    assert served(place) == present
    imported(place, (following_, PINS[0]))
    assert served(place) == following_
    assert not (place / "centre" / trust_exchange.NEXT_SERVER).exists()
    assert imported(place, None).server_pins == (following_, PINS[0])  # the next root keeps them


def test_a_root_by_which_no_host_would_find_this_control_plane_is_not_taken(place: Path) -> None:
    present, _ = trust_exchange.make_next_server_key(place / "centre")
    before = trust_exchange.read(place / "centre")
    with pytest.raises(trust_exchange.NotTaken, match="would know the control plane by"):
        imported(place, PINS[:2])
    assert trust_exchange.read(place / "centre") == before
    assert served(place) == present


def test_without_a_waiting_key_the_root_has_to_name_the_present_one(place: Path) -> None:
    key = (place / "centre/tls/server.key").read_bytes()
    with pytest.raises(trust_exchange.NotTaken):
        imported(place, PINS[:2])
    imported(place, (certificates.pin_of_key(key), PINS[0]))
