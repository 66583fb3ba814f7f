"""Put together what anchors the log outside: the owner's file, the guarded way out, the secrets.

Called by `app.py` alone, whose part this is: it names adapters. Without the file nothing is
anchored, and nothing is connected to.

    every_minutes: 60
    secrets: {vault: {url: ..., token: file:/run/credentials/vault}}
    anchors:
      vault: {kind: s3, url: https://BUCKET.s3.REGION.amazonaws.com, region: ..., prefix: ...,
              years: 6, access_key: env:NAME, secret_key: vault:PATH#FIELD}
      stamps: {kind: rfc3161, url: https://..., authority: FILE.pem}
"""

import os
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import yaml

from sentienguard.adapters.audit_anchors import receipts, s3, time_stamp
from sentienguard.adapters.outbound_http.client import GuardedClient
from sentienguard.adapters.outbound_http.destinations import Allowed
from sentienguard.adapters.secret_stores import aws, door
from sentienguard.controlplane import app_secrets
from sentienguard.controlplane.anchoring import Anchoring
from sentienguard.controlplane.settings import Settings, SettingWrong
from sentienguard.flow.ledger import Ledger
from sentienguard.ports.anchor import Anchor
from sentienguard.ports.audit_log import AuditLog
from sentienguard.ports.clock import Clock
from sentienguard.ports.outbound import Outbound
from sentienguard.stages.audit import exposure

SECTIONS: Final = frozenset({"anchors", "secrets", "every_minutes"})
RECEIPTS: Final = "audit-anchors"  # in the control plane's directory
MINUTES: Final = (1, 24 * 60)
_KEYS: Final = {
    s3.KIND: (
        {"kind", "url", "region", "prefix", "access_key", "secret_key"},
        {"years", "session_token", "private"},
    ),
    time_stamp.KIND: ({"kind", "url", "authority"}, {"private"}),
}


def open_anchoring(
    directory: Path, settings: Settings, audit: AuditLog, pen: Ledger, clock: Clock
) -> Anchoring:
    """Open what the owner's file names. Raises SettingWrong, PolicyWrong, SecretNameWrong."""
    policy = exposure.read_policy(settings.witness_policy)
    path = directory / settings.anchors_file
    if not path.exists():
        return Anchoring(audit, pen, clock, policy=policy)
    document = _document(path)
    return Anchoring(
        audit,
        pen,
        clock,
        policy=policy,
        anchors=tuple(anchors(document, path, clock)),
        kept=receipts.Receipts(directory / RECEIPTS),
        every=timedelta(minutes=_minutes(document, path)),
    )


def read_file(path: Path, clock: Clock) -> Mapping[str, Anchor]:
    """Return the anchors of an owner's file by their names, for checking. Raises SettingWrong."""
    return {one.name: one for one in anchors(_document(path), path, clock)}


def anchors(document: Mapping[str, Any], path: Path, clock: Clock) -> Iterator[Anchor]:
    """Yield the anchors of a document. Raises SettingWrong, SecretNameWrong, NotAllowed."""
    said = {name: _checked(path, name, one) for name, one in _section(document, "anchors").items()}
    way = GuardedClient(
        Allowed.of(str(one["url"]), private=one.get("private") is True) for one in said.values()
    )
    opened = app_secrets.opened(path.parent, clock, _section(document, "secrets"))
    for name, one in said.items():
        if one["kind"] == time_stamp.KIND:
            yield _time_stamp(path, name, one, way)
        else:
            yield _s3(name, one, way, opened, clock)


def _s3(
    name: str, said: Mapping[str, Any], way: Outbound, opened: door.Door, clock: Clock
) -> Anchor:
    bucket = s3.Bucket(
        name=name,
        url=str(said["url"]),
        region=str(said["region"]),
        prefix=str(said["prefix"]).strip("/"),
        years=int(said.get("years", s3.DEFAULT_YEARS)),
    )
    return s3.S3Anchor(bucket, way, aws.credentials(opened, said), clock.now)


def _time_stamp(path: Path, name: str, said: Mapping[str, Any], way: Outbound) -> Anchor:
    file = path.parent / str(said["authority"])
    try:
        authority = file.read_bytes()
    except OSError as error:
        raise SettingWrong(f"{path}: anchor {name}: {file}: {error.strerror}") from error
    return time_stamp.TimeStampAnchor(name, str(said["url"]), [authority], way, os.urandom)


def _document(path: Path) -> dict[str, Any]:
    try:
        document = yaml.safe_load(path.read_text("utf-8")) or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as cause:
        raise SettingWrong(f"{path}: expected YAML that can be read") from cause
    if not isinstance(document, dict) or not set(document) <= SECTIONS:
        raise SettingWrong(f"{path}: expected a mapping of {', '.join(sorted(SECTIONS))}")
    return document


def _section(document: Mapping[str, Any], name: str) -> dict[str, Any]:
    found = document.get(name) or {}
    if not isinstance(found, dict):
        raise SettingWrong(f"{name}: expected a mapping, found {type(found).__name__}")
    return found


def _checked(path: Path, name: str, said: Any) -> Mapping[str, Any]:
    if not str(name).replace("-", "").isalnum():
        raise SettingWrong(f"{path}: anchor {name!a}: a name has letters, digits and dashes")
    if not isinstance(said, dict) or said.get("kind") not in _KEYS:
        raise SettingWrong(f"{path}: anchor {name}: kind: expected one of {', '.join(_KEYS)}")
    needed, more = _KEYS[said["kind"]]
    if not needed <= set(said) <= needed | more:
        raise SettingWrong(
            f"{path}: anchor {name}: expected {', '.join(sorted(needed))} and perhaps"
            f" {', '.join(sorted(more))}"
        )
    return said


def _minutes(document: Mapping[str, Any], path: Path) -> float:
    found = document.get("every_minutes", 60)
    least, most = MINUTES
    if not isinstance(found, int | float) or not least <= found <= most:
        raise SettingWrong(f"{path}: every_minutes: expected {least} to {most}")
    return found
