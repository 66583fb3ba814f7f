"""A key of AWS KMS: it wraps and unwraps there and never leaves it.

Spoken over the guarded way out with requests that trust.sigv4 signs, as the other services of AWS
are: Encrypt and Decrypt of the API of 2014-11-01, with an encryption context. The role needs
kms:Encrypt and kms:Decrypt on this key alone.
"""

import base64
import binascii
import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from sentienguard.ports import outbound
from sentienguard.ports.key_keeper import KeeperAway, KeyRefused
from sentienguard.trust import sigv4

PREFIX: Final = "aws-kms:"
_SERVICE: Final = "kms"
_OK: Final = 200
_REFUSED: Final = 400  # KMS's own faults; 5xx and throttling are worth another try
_LATER: Final = frozenset({
    "ThrottlingException", "KMSInternalException", "DependencyTimeoutException",
    "KeyUnavailableException", "RequestLimitExceeded",
})  # fmt: skip


class AwsKms:
    """A key_keeper.KeyKeeper."""

    def __init__(
        self,
        key: str,
        url: str,
        region: str,
        *,
        credentials: Callable[[], sigv4.Credentials],
        way: outbound.Outbound,
        now: Callable[[], datetime],
    ) -> None:
        """Take the key's ARN and the service's address; `credentials` are fetched each time."""
        self._key = key
        self._url = f"{url.rstrip('/')}/"
        self._scope = sigv4.Scope(region, _SERVICE)
        self._credentials = credentials
        self._way = way
        self._now = now

    @property
    def name(self) -> str:
        """Return `aws-kms:` and the ARN."""
        return PREFIX + self._key

    def wrap(self, data_key: bytes, about: str) -> tuple[str, bytes]:
        """Wrap there. Raises KeeperAway, KeyRefused."""
        told = {"Plaintext": base64.b64encode(data_key).decode()}
        return self.name, self._member(self._ask("Encrypt", told, about), "CiphertextBlob")

    def unwrap(self, name: str, wrapped: bytes, about: str) -> bytes:
        """Unwrap there. Raises KeeperAway, KeyRefused."""
        if name != self.name:
            raise KeyRefused(f"{self.name}: was asked for what {name} wrapped")
        told = {"CiphertextBlob": base64.b64encode(wrapped).decode()}
        return self._member(self._ask("Decrypt", told, about), "Plaintext")

    def _ask(self, action: str, told: Mapping[str, Any], about: str) -> Mapping[str, Any]:
        asked = {"KeyId": self._key, "EncryptionContext": {"sentienguard": about}, **told}
        body = json.dumps(asked).encode()
        headers = {
            "content-type": "application/x-amz-json-1.1",
            "x-amz-target": f"TrentService.{action}",
        }
        proven = sigv4.signed(
            "POST",
            self._url,
            headers,
            body,
            credentials=self._credentials(),
            scope=self._scope,
            at=self._now(),
        )
        try:
            answer = self._way.send(outbound.Request("POST", self._url, proven, body))
        except outbound.NoAnswer as error:
            raise KeeperAway(f"{self.name}: {error}") from None
        except outbound.NotAllowed as error:
            raise KeyRefused(f"{self.name}: {error}") from None
        return self._judged(action, answer)

    def _judged(self, action: str, answer: outbound.Answer) -> Mapping[str, Any]:
        try:
            found = json.loads(answer.body)
        except ValueError:
            found = {}
        found = found if isinstance(found, dict) else {}
        if answer.status == _OK:
            return found
        fault = str(found.get("__type", "")).rpartition("#")[2][:80]
        message = f"{self.name}: {action} was answered {answer.status} {fault!a}"
        if _REFUSED <= answer.status < 500 and fault not in _LATER:  # noqa: PLR2004 - HTTP
            raise KeyRefused(f"{message}; look at the key's policy and state in KMS")
        raise KeeperAway(message)

    def _member(self, found: Mapping[str, Any], field: str) -> bytes:
        try:
            return base64.b64decode(found[field], validate=True)
        except (KeyError, TypeError, binascii.Error):
            raise KeyRefused(f"{self.name}: its answer has no {field}") from None
