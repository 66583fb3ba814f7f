"""The webhook of Datadog, with the payload that docs/how-to/connect-datadog.md says to paste.

Called by controlplane.alert_senders. Datadog has no fixed format: a template is filled in, and what
has no value arrives empty or as the variable's own name (`$HOSTNAME`). Rules, beside the family's
(`alert_batch`):

1. One body is one alert; what is wrong in it refuses it.
2. Labels hold what stays the same from trigger to recovery: the monitor, its scope, the host, and
   what the monitor declares with tags. A title changes its prefix and a status its words, so both
   are for people.
3. Only `Triggered` tells when an episode began. Any other transition is of the episode that stands
   when it was said (`heard_at`).
4. The severity is the monitor's priority, or its tag `severity`; a warning that became an alert is
   the same alert.

Variables: https://docs.datadoghq.com/integrations/webhooks/
"""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Final

import msgspec

from sentienguard.model.alert import Alert, AlertStatus
from sentienguard.stages.observe import alert_batch
from sentienguard.stages.observe.alert_batch import UNREADABLE, Batch, LabelValue, Malformed

FIRST: Final = "triggered"
FIRING: Final = frozenset(
    {FIRST, "re-triggered", "no data", "re-no data", "warn", "re-warn", "renotify"}
)
RESOLVED: Final = frozenset({"recovered"})
DECLARED: Final = (  # tags of a monitor that become labels; the others may change while it fires
    "env", "sentienguard_metric", "sentienguard_subject", "service", "severity", "team",
)  # fmt: skip
MAX_TEXT: Final = 64 * 1024  # characters of a list of tags or a message; more is no monitor's
MAX_TAGS: Final = 1000
LATEST_MS: Final = 253_402_300_799_999  # the end of the year 9999

_SEVERITIES: Final[Mapping[str, str]] = {
    "P1": "critical", "P2": "critical", "P3": "warning", "P4": "info", "P5": "info",
}  # fmt: skip
_PREFIX: Final = re.compile(
    r"\A\[(?:P[1-5]\]\s*\[)?[A-Za-z][A-Za-z -]{0,20}(?: on [^\]]{0,900})?\]\s*"
)


class _Body(msgspec.Struct, gc=False):
    transition: str
    date: int | str  # milliseconds since 1970
    monitor_id: LabelValue | int
    title: str = ""
    body: str = ""
    scope: str = ""
    tags: str = ""
    hostname: LabelValue = ""
    priority: str = ""
    link: str = ""


_DECODER: Final = msgspec.json.Decoder(_Body)


def parse(body: bytes) -> Batch:
    """Read one body. Raises Malformed, naming the field, what was expected and what was found."""
    try:
        found = _DECODER.decode(body)
    except UNREADABLE as cause:
        raise Malformed(f"body: expected the payload of connect-datadog: {cause}") from cause
    said = _given(found.transition).strip().lower()
    if said not in FIRING and said not in RESOLVED:
        expected = ", ".join(sorted(FIRING | RESOLVED))
        raise Malformed(f"transition: expected one of {expected}, found {said[:40]!a}")
    at = _moment(found.date)
    labels = _labels(found)
    alert_batch.require_bounds(labels)
    alert = Alert(
        status=AlertStatus.FIRING if said in FIRING else AlertStatus.RESOLVED,
        labels=labels,
        starts_at=at,
        annotations=alert_batch.cut(
            {"summary": _given(found.title), "description": _given(found.body)}
        ),
        heard_at=None if said == FIRST else at,  # rule 3
    )
    return Batch((alert,))


def _labels(found: _Body) -> dict[str, str]:  # rule 2
    monitor = _given(str(found.monitor_id))
    if not monitor:
        raise Malformed("monitor_id: expected the number of a monitor, found nothing")
    tags = dict(_tags("tags", found.tags))
    name = tags.get("alertname") or _name(_given(found.title)) or f"monitor {monitor}"
    labels = {"alertname": name[: alert_batch.MAX_VALUE], "monitor_id": monitor}
    labels |= dict(_tags("scope", found.scope))
    if host := _given(found.hostname):
        labels.setdefault("host", host)
    labels |= {name: tags[name] for name in DECLARED if name in tags}
    severity = _SEVERITIES.get(_given(found.priority).strip().upper())
    if severity:
        labels.setdefault("severity", severity)  # rule 4
    return labels


def _tags(field: str, text: str) -> Iterator[tuple[str, str]]:
    """Read `host:web-1,device:/dev/sda,urgent`; a tag without a value is one with an empty one."""
    given = _given(text)
    if len(given) > MAX_TEXT or given.count(",") >= MAX_TAGS:
        raise Malformed(f"{field}: expected at most {MAX_TAGS} tags, found {len(given)} characters")
    for one in given.split(","):
        name, _, value = one.strip().partition(":")
        if name and name != "*":
            yield name, value


def _name(title: str) -> str:
    """Return a monitor's name: its title without `[Triggered on {host:web-1}]`."""
    return _PREFIX.sub("", title, count=1).strip()


def _given(text: str) -> str:
    """Return text, or nothing where Datadog had none and left the variable's name."""
    return "" if re.fullmatch(r"\$[A-Z_]+", text) else text


def _moment(date: int | str) -> datetime:
    try:
        at_ms = int(date)
    except ValueError:
        at_ms = -1
    if not 0 <= at_ms <= LATEST_MS:
        raise Malformed(f"date: expected milliseconds since 1970 ($DATE), found {str(date)[:40]!a}")
    return datetime.fromtimestamp(at_ms // 1000, UTC).replace(microsecond=at_ms % 1000 * 1000)
