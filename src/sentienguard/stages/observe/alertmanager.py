"""The webhook of Alertmanager, version 4: bytes from outside to alerts.

Called by controlplane.alert_senders and by `grafana`, whose body is this one with more in it. See
`alert_batch` for the rules of the family; beyond them:

1. A body that is no webhook of version 4 is refused whole.
2. In a body that is one, an alert that is none is refused by itself and the others are taken:
   Alertmanager does not repeat what was refused, so a refused body would lose all of them.

Format: https://prometheus.io/docs/alerting/latest/configuration/#webhook_config
"""

from collections.abc import Collection
from typing import Final, Literal

import msgspec

from sentienguard.model.alert import Alert, AlertStatus
from sentienguard.stages.observe import alert_batch
from sentienguard.stages.observe.alert_batch import UNREADABLE, Batch, Malformed

VERSION: Final = "4"


class _Alert(msgspec.Struct, rename={"starts_at": "startsAt"}, gc=False):
    status: Literal["firing", "resolved"]
    labels: alert_batch.Labels
    starts_at: alert_batch.Moment
    annotations: dict[str, str | None] = {}


class _Body(msgspec.Struct, gc=False):
    alerts: list[_Alert]
    version: str = VERSION  # some relays leave it out


class _LooseBody(msgspec.Struct, gc=False):
    alerts: list[msgspec.Raw]
    version: str = VERSION


_WHOLE: Final = msgspec.json.Decoder(_Body)
_LOOSE: Final = msgspec.json.Decoder(_LooseBody)
_ONE: Final = msgspec.json.Decoder(_Alert)


def parse(
    body: bytes, *, versions: Collection[str] = (VERSION,), sender: str = "Alertmanager"
) -> Batch:
    """Read one body. Raises Malformed, naming the place and what was expected there."""
    try:
        found = _WHOLE.decode(body)
        _require(found.version, len(found.alerts), versions)
        return Batch(tuple(_alert(one) for one in found.alerts))
    except (*UNREADABLE, Malformed):
        return _one_by_one(body, versions, sender)


def _one_by_one(body: bytes, versions: Collection[str], sender: str) -> Batch:  # rule 2
    try:
        found = _LOOSE.decode(body)
    except UNREADABLE as cause:
        raise Malformed(
            f"body: expected a webhook of {sender}, version {' or '.join(versions)}: {cause}"
        ) from cause
    _require(found.version, len(found.alerts), versions)
    alerts: list[Alert] = []
    reasons: list[str] = []
    for number, raw in enumerate(found.alerts):
        try:
            alerts.append(_alert(_ONE.decode(raw)))
        except (*UNREADABLE, Malformed) as cause:
            reasons.append(f"alerts[{number}]: {cause}")
    return Batch(tuple(alerts), len(reasons), tuple(reasons[: alert_batch.MAX_REASONS]))


def _require(version: str, many: int, versions: Collection[str]) -> None:
    if version not in versions:
        expected = " or ".join(f'"{one}"' for one in versions)
        raise Malformed(f'body: expected "version": {expected}, found {version[:20]!a}')
    if many > alert_batch.MAX_ALERTS:
        raise Malformed(f"alerts: expected at most {alert_batch.MAX_ALERTS}, found {many}")


def _alert(found: _Alert) -> Alert:
    return Alert(
        status=AlertStatus(found.status),
        labels=found.labels,
        starts_at=alert_batch.utc(found.starts_at),
        annotations=alert_batch.cut(found.annotations) if found.annotations else {},
    )
