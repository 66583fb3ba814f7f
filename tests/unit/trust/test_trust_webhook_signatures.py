"""Signatures of bodies from outside: vectors, replay, and what is none."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentienguard.trust import webhook_signatures as signatures
from sentienguard.trust.webhook_signatures import NotSigned

NOW = datetime(2026, 2, 12, 11, 26, tzinfo=UTC)
# RFC 4231, test case 2
KEY, DATA = "Jefe", b"what do ya want for nothing?"
MAC = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"


@pytest.mark.parametrize(
    "header",
    [f"v1={MAC}", f"v1={MAC.upper()}", f"v1=00, v1={MAC}", f"v2=aa,v1={MAC}", f" v1={MAC} "],
)
def test_a_signature_among_several_is_found(header: str) -> None:
    signatures.require_pagerduty(header, DATA, ("another", KEY))


@pytest.mark.parametrize(
    "header",
    ["", MAC, f"v2={MAC}", f"v1={MAC[:-1]}", f"v1={MAC}0", "v1=", "v1=\xff", ",,,",
     "v1=0," * signatures.MOST_SIGNATURES + f"v1={MAC}"],
)  # fmt: skip
def test_what_is_no_signature_is_refused(header: str) -> None:
    with pytest.raises(NotSigned):
        signatures.require_pagerduty(header, DATA, (KEY,))


def test_without_a_secret_nothing_is_signed() -> None:
    with pytest.raises(NotSigned, match="sentienguard tokens secret"):
        signatures.require_pagerduty(f"v1={MAC}", DATA, ())


def test_grafana_signs_the_body_or_the_time_and_the_body() -> None:
    signatures.require_grafana(MAC, "", DATA, (KEY,), now=NOW)
    seconds = str(int(NOW.timestamp()))
    timed = "1f3bfb0a5e6a1d6e6d3d8c9c1d4ef0a1" * 2
    with pytest.raises(NotSigned, match="signature"):
        signatures.require_grafana(timed, seconds, DATA, (KEY,), now=NOW)
    with pytest.raises(NotSigned, match="signature"):
        signatures.require_grafana(MAC, seconds, DATA, (KEY,), now=NOW)  # of the body alone


@pytest.mark.parametrize("timestamp", ["soon", "-1", "1" * 14, "\uff11\uff12", "1.5"])
def test_a_time_that_is_none_is_refused(timestamp: str) -> None:
    with pytest.raises(NotSigned, match="timestamp"):
        signatures.require_grafana(MAC, timestamp, DATA, (KEY,), now=NOW)


def test_what_was_signed_long_ago_is_refused() -> None:
    late = NOW + signatures.REPLAY_WINDOW + timedelta(seconds=1)
    with pytest.raises(NotSigned, match="set the clocks"):
        signatures.require_grafana(MAC, str(int(NOW.timestamp())), DATA, (KEY,), now=late)


@given(st.text(max_size=200), st.text(max_size=20), st.binary(max_size=50))
def test_noise_signs_nothing(header: str, timestamp: str, body: bytes) -> None:
    with pytest.raises(NotSigned):
        signatures.require_pagerduty(header, body, (KEY,))
    with pytest.raises(NotSigned):
        signatures.require_grafana(header, timestamp, body, (KEY,), now=NOW)
