"""Any system that takes signed webhooks: headers and signature of Standard Webhooks.

    webhook-id         the same each time that a message is tried
    webhook-timestamp  Unix seconds of this attempt
    webhook-signature  v1,BASE64 of HMAC-SHA256 over ID.TIMESTAMP.BODY

Source: github.com/standard-webhooks/standard-webhooks, spec/standard-webhooks.md.
"""

import base64
import binascii
import hashlib
import hmac
import json
from typing import Any, Final

from sentienguard.adapters.notify import posting
from sentienguard.adapters.notify.said import ChannelWrong, Key, Said
from sentienguard.model.notice import Notice
from sentienguard.ports.notifier import Letter, NotNow
from sentienguard.ports.outbound import Outbound, Wanted

KIND: Final = "webhook"
_PREFIX: Final = "whsec_"
_LEAST_SECRET: Final = 24  # bytes, as the specification says


def wanted(said: Said) -> list[Wanted]:
    """Return where the channel wants to connect."""
    return [Wanted(said.text("url"), said.private)]


def open_channel(said: Said, way: Outbound) -> "Webhook":
    """Return the channel."""
    key = said.secret("secret")
    if said.in_file("secret"):
        try:
            _decoded(key)
        except NotNow as cause:
            raise ChannelWrong(f"channel {said.name}: secret_file: {cause}") from cause
    return Webhook(said.text("url"), key, way)


def _decoded(key: Key) -> bytes:
    """Return what signs. Raises NotNow."""
    try:
        secret = base64.b64decode(key.text().removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):  # what is not ASCII is the second
        raise NotNow(f"{key.where}: expected whsec_ and base64") from None
    if len(secret) < _LEAST_SECRET:
        raise NotNow(f"{key.where}: expected at least {_LEAST_SECRET} bytes after base64")
    return secret


class Webhook:
    """One address."""

    def __init__(self, url: str, secret: Key, way: Outbound) -> None:
        """Post to this address."""
        self._url = url
        self._secret = secret
        self._way = way

    def send(self, letter: Letter) -> str:
        """Post the notice; there is nothing to update later."""
        body = json.dumps(document(letter.notice), ensure_ascii=False, sort_keys=True).encode()
        seconds = str(int(letter.at.timestamp()))
        headers = {
            "content-type": posting.JSON,
            "webhook-id": letter.id,
            "webhook-timestamp": seconds,
            "webhook-signature": signature(_decoded(self._secret), letter.id, seconds, body),
        }
        posting.send(self._way, self._url, body, at=letter.at, headers=headers)
        return ""


def signature(secret: bytes, name: str, seconds: str, body: bytes) -> str:
    """Return the value of webhook-signature."""
    signed = b".".join((name.encode(), seconds.encode(), body))
    return f"v1,{base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode()}"


def document(notice: Notice) -> dict[str, Any]:
    """Return a notice for machines."""
    asked = notice.question
    return {
        "type": f"incident.{notice.kind.value}",
        "timestamp": notice.at.isoformat(),
        "data": {
            "incident": notice.incident,
            "environment": notice.environment,
            "host": notice.host,
            "severity": notice.severity.value,
            "title": notice.title,
            "lines": list(notice.lines),
            "page": notice.page,
            "over": notice.over,
            "facts": dict(notice.facts or {}),
            "approval": None
            if asked is None
            else {
                "id": asked.approval,
                "playbook": asked.playbook,
                "digest": asked.digest,
                "expires_at": asked.expires_at.isoformat(),
                "needs_signature": asked.needs_signature,
            },
        },
    }
