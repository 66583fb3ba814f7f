"""Webhooks of PagerDuty, version 3: an event about an incident there to an alert here.

Called by controlplane.alert_senders. One body is one event. Rules, beside the family's
(`alert_batch`):

1. `incident.triggered` and `incident.reopened` begin an episode, `incident.resolved` ends one. Any
   other event is in order and says nothing of a begin or an end: it is skipped.
2. PagerDuty knows no hosts. A sender says what an incident is about in its `incident_key` (the
   `dedup_key` of its event), written `alertname=DiskFull,host=web-1`; any other key names nothing,
   and people see the alert without a host.
3. Titles, assignees and priorities change while an incident lasts, so they are no labels.
4. A page of ours is no alert: its key is the id of our incident, or of a message of ours that is
   about none. That a person acknowledged or resolved it is told as such (`Handled`); what machines
   did, our own message first, and every other event about it is skipped.
5. An incident that is reopened begins anew when it was; an end is of the episode that stood when it
   was said (`heard_at`), because PagerDuty tells the first begin only.

Format: https://developer.pagerduty.com/docs/webhooks-overview
"""

import re
import urllib.parse
from typing import Final

import msgspec

from sentienguard.model.alert import Alert, AlertStatus
from sentienguard.model.ids import IncidentId
from sentienguard.stages.observe import alert_batch
from sentienguard.stages.observe.alert_batch import (
    UNREADABLE,
    Batch,
    Deed,
    Handled,
    LabelValue,
    Malformed,
    Moment,
)

BEGINS: Final = "incident.triggered"
BEGINS_AGAIN: Final = "incident.reopened"
ENDS: Final = "incident.resolved"
TAKEN: Final = "incident.acknowledged"
UNNAMED: Final = "PagerDuty incident"
_DEEDS: Final = {TAKEN: Deed.ACKNOWLEDGED, ENDS: Deed.RESOLVED}
_PERSON: Final = "user_reference"
_OURS: Final = re.compile(r"inc_[0-9]{8}_[0-9]{6}_[0-9a-f]{8}\Z", re.ASCII)
_OUR_MESSAGE: Final = re.compile(r"msg_[0-9a-f]{24}\Z", re.ASCII)


class _Reference(msgspec.Struct, gc=False):
    id: LabelValue = ""
    summary: str | None = None


class _Incident(msgspec.Struct, gc=False):
    id: LabelValue
    created_at: Moment
    title: str = ""
    incident_key: str | None = None
    service: _Reference | None = None


class _Agent(msgspec.Struct, gc=False):
    id: LabelValue = ""
    type: str = ""
    summary: str | None = None
    html_url: str | None = None


class _Event(msgspec.Struct, gc=False):
    event_type: str
    occurred_at: Moment
    id: LabelValue = ""
    agent: msgspec.Raw = msgspec.Raw(b"null")
    data: msgspec.Raw = msgspec.Raw(b"null")


class _Body(msgspec.Struct, gc=False):
    event: _Event


_DECODER: Final = msgspec.json.Decoder(_Body)
_AGENT: Final = msgspec.json.Decoder(_Agent | None)
_INCIDENT: Final = msgspec.json.Decoder(_Incident)


def parse(body: bytes) -> Batch:
    """Read one body. Raises Malformed, naming the field, what was expected and what was found."""
    try:
        event = _DECODER.decode(body).event
        if event.event_type not in {BEGINS, BEGINS_AGAIN, ENDS, TAKEN}:
            return Batch((), skipped=1)  # rule 1
        incident = _INCIDENT.decode(event.data)
        key = incident.incident_key or ""
        if _OURS.match(key):
            return _ours(event, IncidentId(key))
    except UNREADABLE as cause:
        raise Malformed(f"body: expected a webhook of PagerDuty, version 3: {cause}") from cause
    if event.event_type == TAKEN or _OUR_MESSAGE.match(key):
        return Batch((), skipped=1)
    return Batch((_alert(event, incident),))


def _ours(event: _Event, incident: IncidentId) -> Batch:
    """Return what a person did about a page of ours (rule 4)."""
    deed, agent = _DEEDS.get(event.event_type), _AGENT.decode(event.agent)
    if deed is None or agent is None or agent.type != _PERSON or not agent.id:
        return Batch((), skipped=1)
    host = urllib.parse.urlsplit(agent.html_url or "").hostname or ""
    one = Handled(
        incident=incident,
        deed=deed,
        team=host.partition(".")[0],
        person=agent.id,
        name=agent.summary or agent.id,
        event=event.id,
    )
    return Batch((), handled=(one,))


def _alert(event: _Event, incident: _Incident) -> Alert:
    said = alert_batch.utc(event.occurred_at)
    began = alert_batch.utc(incident.created_at)
    labels = _labels(incident)
    alert_batch.require_bounds(labels)
    ends = event.event_type == ENDS
    return Alert(
        status=AlertStatus.RESOLVED if ends else AlertStatus.FIRING,
        labels=labels,
        starts_at=said if event.event_type == BEGINS_AGAIN else began,  # rule 5
        annotations=alert_batch.cut({"summary": incident.title}),
        heard_at=said if ends else None,
    )


def _labels(incident: _Incident) -> dict[str, str]:
    declared = declared_by(incident.incident_key or "")
    service = incident.service or _Reference()
    labels = {"alertname": UNNAMED, "pagerduty_incident": incident.id}
    if service.id:
        labels["pagerduty_service"] = service.id
    return labels | declared


def declared_by(key: str) -> dict[str, str]:
    """Return the labels that an incident's key declares (rule 2); none where it has another form.

    A form is another one as a whole: a key of which half can be read declares nothing.
    """
    found: dict[str, str] = {}
    for part in key.split(","):
        name, equals, value = part.partition("=")
        if not (equals and value and name.isidentifier() and name.isascii()) or name in found:
            return {}
        found[name] = value
    return found if "alertname" in found else {}
