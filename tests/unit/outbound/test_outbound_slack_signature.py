"""Slack's signature: the example that Slack publishes, and everything beside it."""

from datetime import UTC, datetime, timedelta

import pytest

from sentienguard.trust import webhook_signatures
from sentienguard.trust.webhook_signatures import NotSigned

# Source: docs.slack.dev, "Verifying requests from Slack"
SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
STAMP = "1531420618"
SIGNATURE = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"
BODY = (
    b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow"
    b"&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner"
    b"&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands"
    b"%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN"
    b"&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
)
THEN = datetime.fromtimestamp(int(STAMP), UTC)
LATE = timedelta(minutes=5, seconds=1)


def test_the_published_example_is_signed() -> None:
    webhook_signatures.require_slack(SIGNATURE, STAMP, BODY, ["other", SECRET], now=THEN)


@pytest.mark.parametrize(
    ("signature", "stamp", "body", "secrets", "now"),
    [
        (SIGNATURE, STAMP, BODY + b"x", [SECRET], THEN),
        (SIGNATURE, "1531420619", BODY, [SECRET], THEN),
        (SIGNATURE, STAMP, BODY, ["other"], THEN),
        (SIGNATURE, STAMP, BODY, [], THEN),
        (SIGNATURE, STAMP, BODY, [SECRET], THEN + LATE),
        (SIGNATURE, STAMP, BODY, [SECRET], THEN - LATE),
        (SIGNATURE.replace("v0=", "v1="), STAMP, BODY, [SECRET], THEN),
        (SIGNATURE.removeprefix("v0="), STAMP, BODY, [SECRET], THEN),
        ("", STAMP, BODY, [SECRET], THEN),
        ("v0=", STAMP, BODY, [SECRET], THEN),
        (SIGNATURE, "", BODY, [SECRET], THEN),
        (SIGNATURE, "\u0661" * 10, BODY, [SECRET], THEN),
        (SIGNATURE, "9" * 400, BODY, [SECRET], THEN),
    ],
)
def test_everything_beside_it_is_not(
    signature: str, stamp: str, body: bytes, secrets: list[str], now: datetime
) -> None:
    with pytest.raises(NotSigned):
        webhook_signatures.require_slack(signature, stamp, body, secrets, now=now)
