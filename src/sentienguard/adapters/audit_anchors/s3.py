"""Checkpoints as versions of objects under S3 Object Lock, in COMPLIANCE mode.

A lock protects a *version* for its time: nobody, the bucket's owner and the root of the account
included, can delete it or shorten that. It does not stop a new version or a delete marker over the
same key, so everything here goes by version id.

Rules, asserted here because servers that speak S3 differ in what they enforce:

1. What is written asks for COMPLIANCE and a date; the answer must name a version, else the bucket
   keeps no versions and nothing was anchored.
2. The control plane's key needs PutObject and PutObjectRetention alone; `keep` only ever writes.
3. `check` reads one version, with a key that may read: the bytes, the mode and a date that is not
   before the promised one, all of that version.
"""

import hashlib
import urllib.parse
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sentienguard.ports import anchor, outbound
from sentienguard.trust import sigv4

KIND: Final = "s3"
YEARS: Final = (2, 7)  # what may be asked for; a version outlives every try to delete it
DEFAULT_YEARS: Final = 6
COLD_AFTER_DAYS: Final = 730  # from then on the cold tier
_MODE, _UNTIL = "x-amz-object-lock-mode", "x-amz-object-lock-retain-until-date"
_COMPLIANCE: Final = "COMPLIANCE"
_OK, _SERVER_FAULT, _SLOW = 200, 500, 429
_MOST_SAID: Final = 200  # characters of a refusal that are repeated


@dataclass(frozen=True, slots=True)
class Bucket:
    """Where to, and for how long."""

    name: str  # of the anchor
    url: str  # of the bucket, without a path that belongs to keys
    region: str
    prefix: str  # of every key; no slash at its ends
    years: int = DEFAULT_YEARS


class S3Anchor:
    """An anchor.Anchor."""

    kind: str = KIND

    def __init__(
        self,
        bucket: Bucket,
        way: outbound.Outbound,
        credentials: Callable[[], sigv4.Credentials],
        now: Callable[[], datetime],
    ) -> None:
        """Take the bucket; `credentials` are fetched for each request and not kept."""
        if not YEARS[0] <= bucket.years <= YEARS[1]:
            least, most = YEARS
            raise anchor.AnchorRefused(
                f"anchor {bucket.name}: retention of {least} to {most} years, found {bucket.years}"
            )
        self.name = bucket.name
        self._bucket = bucket
        self._way = way
        self._credentials = credentials
        self._now = now

    def keep(self, note: str, size: int, at: datetime) -> anchor.Receipt:
        """Write one version; see ports.anchor. Rules 1 and 2."""
        body = note.encode()
        until = years_after(at, self._bucket.years)
        digest = hashlib.sha256(body)
        key = f"{self._bucket.prefix}/{size:020d}-{digest.hexdigest()[:16]}.checkpoint"
        headers = {
            "content-type": "text/plain; charset=utf-8",
            "x-amz-checksum-sha256": b64encode(digest.digest()).decode(),
            "content-md5": b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode(),
            _MODE: _COMPLIANCE,
            _UNTIL: _written(until),
        }
        answer = self._ask("PUT", key, "", headers, body)
        version = answer.headers.get("x-amz-version-id", "")
        if version in {"", "null"}:
            raise anchor.AnchorWrong(
                f"anchor {self.name}: the bucket keeps no versions, so nothing is locked; it has"
                " to be made with Object Lock"
            )
        facts = {
            "key": key,
            "version_id": version,
            "retain_until": _written(until),
            "sha256": digest.hexdigest(),
        }
        return anchor.Receipt(self.name, KIND, size, at, note, facts)

    def check(self, receipt: anchor.Receipt) -> str:
        """Read the version of a receipt; see ports.anchor. Rule 3."""
        facts = receipt.facts
        where = f"anchor {self.name}: {facts['key']} version {facts['version_id']}"
        query = urllib.parse.urlencode({"versionId": facts["version_id"]})
        answer = self._ask("GET", facts["key"], query, {}, b"")
        if answer.body != receipt.note.encode():
            raise anchor.AnchorWrong(f"{where} holds other bytes than were anchored")
        if answer.headers.get("x-amz-version-id", "") != facts["version_id"]:
            raise anchor.AnchorWrong(f"{where}: the server answered another version")
        if answer.headers.get(_MODE) != _COMPLIANCE:
            found = answer.headers.get(_MODE, "none")
            raise anchor.AnchorWrong(f"{where}: locked in mode {found}, expected {_COMPLIANCE}")
        until = _read(answer.headers.get(_UNTIL, ""))
        if until is None or until < (_read(facts["retain_until"]) or until):
            raise anchor.AnchorWrong(
                f"{where}: kept until {until}, expected {facts['retain_until']}"
            )
        return f"version {facts['version_id']} is locked until {_written(until)}"

    def _ask(
        self, method: str, key: str, query: str, headers: Mapping[str, str], body: bytes
    ) -> outbound.Answer:
        address = f"{self._bucket.url.rstrip('/')}/{urllib.parse.quote(key)}"
        url = f"{address}?{query}" if query else address
        proven = sigv4.signed(
            method,
            url,
            headers,
            body,
            credentials=self._credentials(),
            scope=sigv4.Scope(self._bucket.region, "s3"),
            at=self._now(),
        )
        try:
            answer = self._way.send(outbound.Request(method, url, proven, body))
        except outbound.NoAnswer as error:
            raise anchor.AnchorAway(f"anchor {self.name}: {error}") from error
        except outbound.NotAllowed as error:
            raise anchor.AnchorRefused(f"anchor {self.name}: {error}") from error
        if answer.status == _OK:
            return answer
        said = " ".join(answer.body.decode("utf-8", "replace").split())[:_MOST_SAID]
        message = f"anchor {self.name}: {method} {key} was answered {answer.status}: {said}"
        if answer.status >= _SERVER_FAULT or answer.status == _SLOW:
            raise anchor.AnchorAway(message)
        raise anchor.AnchorRefused(message)


def years_after(at: datetime, years: int) -> datetime:
    """Return the same day so many years on; 29 February becomes 1 March."""
    try:
        return at.replace(year=at.year + years, microsecond=0)
    except ValueError:
        return at.replace(year=at.year + years, month=3, day=1, microsecond=0)


def role_policy(bucket: str, prefix: str) -> dict[str, Any]:
    """Return the IAM policy of the control plane's key: it writes, and can do nothing else."""
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "WriteAnchors",
                "Effect": "Allow",
                "Action": ["s3:PutObject", "s3:PutObjectRetention"],
                "Resource": f"arn:aws:s3:::{bucket}/{prefix}/*",
                "Condition": {
                    "StringEquals": {"s3:object-lock-mode": _COMPLIANCE},
                    "NumericGreaterThanEquals": {
                        "s3:object-lock-remaining-retention-days": str(YEARS[0] * 365 - 1)
                    },
                },
            },
            {
                "Sid": "NothingElse",
                "Effect": "Deny",
                "NotAction": ["s3:PutObject", "s3:PutObjectRetention"],
                "Resource": "*",
            },
        ],
    }


def lifecycle(prefix: str) -> dict[str, Any]:
    """Return the bucket's lifecycle: old anchors move to the cold tier, none is ever expired."""
    return {
        "Rules": [
            {
                "ID": "sentienguard-anchors-cold",
                "Status": "Enabled",
                "Filter": {"Prefix": f"{prefix}/"},
                "Transitions": [{"Days": COLD_AFTER_DAYS, "StorageClass": "DEEP_ARCHIVE"}],
                "NoncurrentVersionTransitions": [
                    {"NoncurrentDays": COLD_AFTER_DAYS, "StorageClass": "DEEP_ARCHIVE"}
                ],
            }
        ]
    }


def _written(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _read(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:
        return None
