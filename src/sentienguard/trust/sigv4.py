"""AWS Signature Version 4: a request that a service of AWS believes is of a key's owner.

Called by the adapters that speak to S3 and to Secrets Manager. Pure: the time is handed in. The
rules are those of "Authenticating Requests (AWS Signature Version 4)"; the body is always signed.
"""

import hashlib
import hmac
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

_ALGORITHM: Final = "AWS4-HMAC-SHA256"
_SAFE: Final = "-_.~"


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who signs. Never printed."""

    access_key: str  # names the key, and is sent
    secret_key: str = field(repr=False)
    session_token: str = field(default="", repr=False)  # of temporary credentials


@dataclass(frozen=True, slots=True)
class Scope:
    """Where and for what a signature is good, one day long."""

    region: str
    service: str  # s3, secretsmanager


def signed(
    method: str,
    url: str,
    headers: Mapping[str, str],
    body: bytes,
    *,
    credentials: Credentials,
    scope: Scope,
    at: datetime,
) -> dict[str, str]:
    """Return `headers` with what proves who asks; to be sent as they are, without Host."""
    parts = urllib.parse.urlsplit(url)
    moment = at.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    digest = hashlib.sha256(body).hexdigest()
    sent = {name.lower(): " ".join(value.split()) for name, value in headers.items()}
    sent |= {"x-amz-date": moment, "x-amz-content-sha256": digest}
    if credentials.session_token:
        sent["x-amz-security-token"] = credentials.session_token
    covered = {**sent, "host": parts.netloc}
    names = ";".join(sorted(covered))
    path = parts.path or "/"
    request = "\n".join((
        method,
        urllib.parse.quote(urllib.parse.unquote(path), safe="/" + _SAFE),
        _query(parts.query),
        *(f"{name}:{covered[name]}" for name in sorted(covered)),
        "",
        names,
        digest,
    ))  # fmt: skip
    where = f"{moment[:8]}/{scope.region}/{scope.service}/aws4_request"
    hashed = hashlib.sha256(request.encode()).hexdigest()
    key = f"AWS4{credentials.secret_key}".encode()
    for part in where.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    proof = hmac.digest(key, f"{_ALGORITHM}\n{moment}\n{where}\n{hashed}".encode(), "sha256")
    sent["authorization"] = (
        f"{_ALGORITHM} Credential={credentials.access_key}/{where},"
        f"SignedHeaders={names},Signature={proof.hex()}"
    )
    return sent


def _query(query: str) -> str:
    pairs = urllib.parse.parse_qsl(query, keep_blank_values=True)
    quoted = sorted(
        (urllib.parse.quote(name, safe=_SAFE), urllib.parse.quote(value, safe=_SAFE))
        for name, value in pairs
    )
    return "&".join(f"{name}={value}" for name, value in quoted)
