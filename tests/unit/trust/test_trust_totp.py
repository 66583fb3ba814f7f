"""One-time passwords of time, against the vectors of the RFCs."""

import urllib.parse

import pytest

from sentienguard.trust import totp

SECRET = b"12345678901234567890"

# RFC 6238 appendix B, SHA-1, of its eight digits the last six
VECTORS = {
    59: "287082",
    1111111109: "081804",
    1111111111: "050471",
    1234567890: "005924",
    2000000000: "279037",
    20000000000: "353130",
}


@pytest.mark.parametrize("at", VECTORS)
def test_the_codes_are_the_rfc_s(at: int) -> None:
    assert totp.code(SECRET, at // 30) == VECTORS[at]
    assert totp.matching_step(SECRET, VECTORS[at], at_s=at) == at // 30


@pytest.mark.parametrize(("steps", "counts"), [(-2, 0), (-1, 1), (0, 1), (1, 1), (2, 0), (100, 0)])
def test_a_code_counts_for_a_step_to_either_side(steps: int, counts: int) -> None:
    at = 1234567890
    shown = totp.code(SECRET, at // 30 + steps)
    assert (totp.matching_step(SECRET, shown, at_s=at) is not None) == bool(counts)


def test_a_code_that_counted_does_not_count_again() -> None:
    at = 1234567890
    shown = totp.code(SECRET, at // 30)
    assert totp.matching_step(SECRET, shown, at_s=at, after=at // 30 - 1) == at // 30
    assert totp.matching_step(SECRET, shown, at_s=at, after=at // 30) is None
    assert totp.matching_step(SECRET, shown, at_s=at, after=at // 30 + 1) is None


@pytest.mark.parametrize(
    "given", ["", "005 924", "5924", "0059240", "\u0660\u0660\u0665\u0669\u0662\u0664", "\ud800"]
)
def test_nothing_but_the_six_digits_counts(given: str) -> None:
    assert totp.matching_step(SECRET, given, at_s=1234567890) is None


def test_apps_read_the_address() -> None:
    found = urllib.parse.urlsplit(totp.address(SECRET, user="anna@x.org", issuer="SentienGuard"))
    assert (found.scheme, found.netloc) == ("otpauth", "totp")
    assert urllib.parse.unquote(found.path) == "/SentienGuard:anna@x.org"
    assert urllib.parse.parse_qs(found.query)["secret"] == [totp.text(SECRET)]
