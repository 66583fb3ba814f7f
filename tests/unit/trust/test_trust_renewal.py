"""The next certificate: for the same key and agent, from our authority, asked for by the host."""

from datetime import UTC, datetime, timedelta

import pytest

from sentienguard.model import ids
from sentienguard.trust import certificates, dsse, keys, pins, renewal

NOW = datetime(2026, 2, 12, 11, 26, tzinfo=UTC)
AGENT = ids.AgentId("8f14e45f-ceea-467f-a1d1-2b7a5f0c9e11")
OTHER = ids.AgentId("8f14e45f-ceea-467f-a1d1-2b7a5f0c9e12")
EXECUTOR = keys.SigningKey.generate()


@pytest.fixture(scope="module")
def authority() -> certificates.Issued:
    return certificates.make_authority("test", now=NOW)


@pytest.fixture(scope="module")
def first(authority: certificates.Issued) -> bytes:
    request = certificates.make_request("host-1")
    made = certificates.sign_agent(authority, request.csr_pem, AGENT, now=NOW)
    return certificates.to_der(made)


def test_a_certificate_lasts_a_day_and_the_next_one_is_for_the_same_key_and_agent(
    authority: certificates.Issued, first: bytes
) -> None:
    assert certificates.life_of(first)[1] - NOW == timedelta(hours=24)
    at = NOW + timedelta(hours=12)
    der = certificates.to_der(certificates.renew_agent(authority, first, now=at))
    assert certificates.agent_of(der) == AGENT
    assert pins.spki_sha256(der) == pins.spki_sha256(first)
    assert certificates.life_of(der)[1] == at + timedelta(hours=24)


def test_one_that_ended_is_renewed_for_thirty_days_and_no_longer(
    authority: certificates.Issued, first: bytes
) -> None:
    last = certificates.life_of(first)[1] + certificates.RENEWED_LATE
    assert certificates.renew_agent(authority, first, now=last)
    with pytest.raises(dsse.NotTrusted, match="enrol the host again"):
        certificates.renew_agent(authority, first, now=last + timedelta(seconds=1))


def test_what_another_authority_signed_is_not_renewed(first: bytes) -> None:
    with pytest.raises(dsse.NotTrusted, match="not signed by our authority"):
        certificates.renew_agent(certificates.make_authority("test", now=NOW), first, now=NOW)


def test_a_server_s_certificate_is_none_of_an_agent(authority: certificates.Issued) -> None:
    server = certificates.make_server(authority, ["localhost"], now=NOW)
    with pytest.raises(dsse.NotTrusted):
        certificates.renew_agent(authority, certificates.to_der(server.certificate_pem), now=NOW)


def test_names_of_a_certificate_are_read(authority: certificates.Issued, first: bytes) -> None:
    server = certificates.make_server(authority, ["a.example"], ["192.0.2.7", "::1"], now=NOW)
    der = certificates.to_der(server.certificate_pem)
    assert certificates.names_of(der) == ({"a.example"}, {"192.0.2.7", "::1"})
    assert certificates.names_of(first) == (set(), set())


@pytest.mark.parametrize("late_s", [-600, 0, 600])
def test_the_executor_s_word_counts_for_ten_minutes_either_way(late_s: int) -> None:
    asked = renewal.seal(AGENT, NOW, EXECUTOR)
    renewal.require(asked, AGENT, EXECUTOR.public, NOW + timedelta(seconds=late_s))


@pytest.mark.parametrize(
    ("asked", "because"),
    [
        (renewal.seal(OTHER, NOW, EXECUTOR), "is for agent"),
        (renewal.seal(AGENT, NOW, keys.SigningKey.generate()), "0 signed it"),
        (renewal.seal(AGENT, NOW - timedelta(seconds=601), EXECUTOR), "clock"),
        (renewal.seal(AGENT, NOW + timedelta(seconds=601), EXECUTOR), "clock"),
        (dsse.seal("application/vnd.sentienguard.stop+json", b"{}", [EXECUTOR]), "renewal"),
        (dsse.seal(renewal.PAYLOAD_TYPE, b'{"v":1}', [EXECUTOR]), "missing members"),
        ({}, "envelope"),
        (None, "envelope"),
    ],
)
def test_any_other_word_is_refused(asked: object, because: str) -> None:
    with pytest.raises(dsse.NotTrusted, match=because):
        renewal.require(asked, AGENT, EXECUTOR.public, NOW)
