"""Signatures of bodies that other systems send: who said so, and when.

Called by controlplane.alert_senders, with the secrets that somebody registered for a token. Each
function raises NotSigned or returns; the comparison takes the same time wherever two differ. Rules:

1. Without a secret nothing is signed rightly: deny by default.
2. One secret that matches one signature is enough, so that either side can change its secret
   while both the old and the new one stand.
3. Of a header at most `MOST_SIGNATURES` are looked at.

A stolen database gives these secrets away, because they have to be computed with. They are worth
nothing without the token of the same sender, of which only a hash is kept.
"""

import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from sentienguard.model import errors

MOST_SIGNATURES: Final = 8
REPLAY_WINDOW: Final = timedelta(minutes=5)  # how far a signed time may be from ours, both ways
_DIGITS: Final = 13  # of a Unix time that is no nonsense


class NotSigned(errors.Rejected):
    """No registered secret made a signature of this body."""


def require_pagerduty(signatures: str, body: bytes, secrets: Sequence[str]) -> None:
    """Check `X-PagerDuty-Signature: v1=HEX,v1=HEX`: HMAC-SHA256 of the body, one for each secret.

    Source: https://developer.pagerduty.com/docs/verifying-webhook-signatures
    """
    given = [
        one.strip().removeprefix("v1=")
        for one in signatures.split(",", MOST_SIGNATURES)[:MOST_SIGNATURES]
        if one.strip().startswith("v1=")
    ]
    _require(given, body, secrets, "X-PagerDuty-Signature: v1=HMAC-SHA256")


def require_grafana(
    signature: str, timestamp: str, body: bytes, secrets: Sequence[str], *, now: datetime
) -> None:
    """Check Grafana's header: hex HMAC-SHA256 of the body, or of `TIMESTAMP:BODY`.

    With a timestamp (Unix seconds) it has to be of these minutes; an empty one is none, and then
    the same body can be sent again by whoever saw it.
    Source: https://grafana.com/docs/grafana/latest/alerting/, webhook notifier, HMAC signature
    """
    signed = body
    if timestamp:
        if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= _DIGITS):
            raise NotSigned(f"timestamp: expected Unix seconds, found {timestamp[:40]!a}")
        apart = abs(now.timestamp() - int(timestamp))
        if apart > REPLAY_WINDOW.total_seconds():
            raise NotSigned(
                f"timestamp: expected one within {REPLAY_WINDOW} of {now:%Y-%m-%d %H:%M:%SZ}, "
                f"found one {apart:.0f} s away; set the clocks"
            )
        signed = timestamp.encode() + b":" + body
    _require([signature.strip()], signed, secrets, "X-Grafana-Alerting-Signature: HMAC-SHA256")


def require_slack(
    signature: str, timestamp: str, body: bytes, secrets: Sequence[str], *, now: datetime
) -> None:
    """Check `X-Slack-Signature: v0=HEX`: HMAC-SHA256 of `v0:TIMESTAMP:BODY`, of these minutes.

    Source: https://docs.slack.dev/authentication/verifying-requests-from-slack
    """
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= _DIGITS):
        raise NotSigned(f"timestamp: expected Unix seconds, found {timestamp[:40]!a}")
    apart = abs(now.timestamp() - int(timestamp))
    if apart > REPLAY_WINDOW.total_seconds():
        raise NotSigned(
            f"timestamp: expected one within {REPLAY_WINDOW} of {now:%Y-%m-%d %H:%M:%SZ}, found "
            f"one {apart:.0f} s away; set the clocks"
        )
    version, _, digest = signature.strip().partition("=")
    given = [digest] if version == "v0" else []
    signed = b"v0:" + timestamp.encode() + b":" + body
    _require(given, signed, secrets, "X-Slack-Signature: v0=HMAC-SHA256")


def _require(given: Sequence[str], signed: bytes, secrets: Sequence[str], expected: str) -> None:
    if not secrets:
        raise NotSigned(
            "no signing secret is registered for this token; register the sender's with "
            "sentienguard tokens secret ID"
        )
    right = [
        hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest().encode() for secret in secrets
    ]
    found = [one.lower().encode("utf-8", "replace") for one in given]
    # No early end: how long it takes says nothing of which one was nearly right.
    if not any([hmac.compare_digest(one, other) for one in found for other in right]):  # noqa: C419
        raise NotSigned(
            f"signature: expected {expected} of the body with a registered secret, found "
            f"{len(found)} that {'is' if len(found) == 1 else 'are'} none"
        )
