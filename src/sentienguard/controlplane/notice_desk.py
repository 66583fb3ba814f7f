"""Tell people what the log says: from entries to messages, from messages to channels.

Called by loops.telling and by controlplane.api.notices. Rules:

1. The log comes first: only what is durably recorded is told, and the engine waits for nobody.
2. Messages and how far the log was read are kept in one transaction, so a crash neither forgets nor
   makes a message twice. A message that was sent while the process died is sent again: services
   that can tell by its id (PagerDuty, webhooks, mail) show it once.
3. What a service cannot take now is tried again, later each time, for `GIVE_UP`; what it will never
   take is left, counted and shown.
4. One channel that is away holds up no other.
5. A message that nobody needs any more when its time comes is dropped, not sent: neither by itself
   nor within a digest.
"""

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from sentienguard.controlplane.centre import Centre
from sentienguard.controlplane.slack_desk import SlackDesk
from sentienguard.flow.telling import folding, letters, loud, routes, threads, wording
from sentienguard.model import errors
from sentienguard.model.approval import ApprovalStatus
from sentienguard.model.care import HANDED_TO_PEOPLE
from sentienguard.model.ids import IncidentId
from sentienguard.model.incident import Incident, Status
from sentienguard.model.notice import Notice, NoticeKind
from sentienguard.ports.audit_log import StoredEntry
from sentienguard.ports.incident_store import NoSuchIncident
from sentienguard.ports.notifier import Channel, Letter, NotNow, NotTaken
from sentienguard.ports.outbox import OutboxStatus, Outgoing
from sentienguard.trust import root as roots

log = logging.getLogger(__name__)
READ_AT_ONCE: Final = 500  # entries of the log
SEND_AT_ONCE: Final = 200  # messages
CLAIM: Final = timedelta(minutes=1)  # after which another control plane may send it
GIVE_UP: Final = timedelta(hours=24)  # after which a message is left
FIRST_PAUSE_S: Final = 2.0  # after a failure; twice as long each time
LONGEST_PAUSE_S: Final = 300.0
LOOKED_BACK: Final = timedelta(days=365)  # for what people did about the same before
MOST_EARLIER: Final = 200  # incidents that are asked for it; the newest
NEWS: Final = timedelta(hours=1)  # an entry that is older when it is read first is no news


class NoSuchChannel(errors.Rejected):
    """The owner's file names no such channel."""


class NoticeDesk:
    """Reads the log, plans messages and sends them."""

    def __init__(
        self, centre: Centre, channels: Sequence[Channel], plan: routes.Routes, base: str
    ) -> None:
        """Tell by these channels and routes; `base` is the dashboard's address."""
        self._centre = centre
        self.channels: Mapping[str, Channel] = {one.name: one for one in channels}
        self._plan = plan
        self._base = base.rstrip("/")
        self._paused: dict[str, datetime] = {}  # until when a channel wants to be left alone
        self._folded: dict[str, datetime] = {}  # when a channel had its last digest

    def round(self) -> int:
        """Read what is new, send what is due; return how many messages ended."""
        while self.take_in():
            continue
        return self.deliver()

    # ---- from the log to the outbox ----------------------------------------------------------

    def take_in(self) -> bool:
        """Read entries and keep their messages; True where there may be more."""
        centre = self._centre
        start, size = centre.outbox.position(), centre.log.size()
        if start is None:  # the first time: what was before is history
            centre.outbox.add([], start=0, end=size)
            return False
        entries = centre.log.entries(start, min(start + READ_AT_ONCE, size))
        if not entries:
            return False
        now = centre.clock.now()
        messages: list[Outgoing] = []
        for entry in entries:  # what an entry brings depends on what those before it brought
            messages += self._messages(entry, now, messages)
        end = entries[-1].index + 1
        centre.outbox.add(messages, start=start, end=end)
        return end < size

    def _messages(
        self, entry: StoredEntry, now: datetime, before: Sequence[Outgoing]
    ) -> list[Outgoing]:
        fields = entry.fields
        old = fields["ts_ms"] < (now - NEWS).timestamp() * 1000
        if fields["kind"] in loud.KINDS:
            return [] if old else self._to_everybody(entry)
        if fields["kind"] not in wording.TOLD or not fields["incident"] or old:
            return []
        try:
            told = wording.notice(
                entry, self._known(IncidentId(fields["incident"]), fields["kind"])
            )
        except (errors.Rejected, KeyError, ValueError) as cause:
            log.warning("entry %d is told to nobody: %s", entry.index, cause)
            return []
        if told is None:
            return []
        text, spoken = letters.write(told), self._threads(told.incident, before)
        heard = frozenset(name for name, thread in spoken.items() if threads.knows(thread))
        held = {
            name: until
            for name, thread in spoken.items()
            if (until := threads.held(thread, now)) is not None
        }
        made = []
        for one in routes.plan(self._plan, told, now, heard=heard, held=held):
            made_at = threads.after(spoken[one.channel], told.at)
            made.append(
                Outgoing(
                    id=letters.name(one.channel, str(entry.index), _purpose(one)),
                    channel=one.channel,
                    incident=told.incident,
                    kind=told.kind.value,
                    text=text,
                    made_at=made_at,
                    # What waits for nothing is due when it is made: so one sees what was held back.
                    due_at=min(made_at, now) if one.due_at == now else one.due_at,
                    unanswered=one.unanswered,
                )
            )
        return made

    def _to_everybody(self, entry: StoredEntry) -> list[Outgoing]:
        try:
            told = loud.notice(entry.fields, self._base)
        except (KeyError, ValueError) as cause:
            log.warning("entry %d is told to nobody: %s", entry.index, cause)
            return []
        if told is None:
            return []
        return [
            Outgoing(
                id=letters.name(name, str(entry.index), "at once"),
                channel=name,
                incident=told.incident,
                kind=told.kind.value,
                text=letters.write(told),
                made_at=told.at,
                due_at=told.at,
            )
            for name in self.channels
        ]

    def _known(self, incident: IncidentId, kind: str) -> wording.Known:
        centre = self._centre
        return wording.Known(
            incident=centre.incidents.get(incident),
            approval=centre.approvals.of(incident),
            entries=centre.log.by_incident(incident),
            runbook=self._runbook(incident) if kind == "incident.closed" else (),
            base=self._base,
            needs_signature=bool(centre.trust.root.roles[roots.RoleName.APPROVER].keyids),
        )

    def _runbook(self, incident: IncidentId) -> list[str]:
        return [*self._settled_before(incident), *self._steps(incident)]

    def _settled_before(self, incident: IncidentId) -> list[str]:
        """Return what people did about earlier incidents of the same symptom at the same place."""
        this = self._centre.incidents.get(incident)
        since = this.opened_at - LOOKED_BACK
        earlier = self._centre.incidents.earlier(this.agent, this.fingerprint, since=since)
        names = [one.id for one in earlier if one.id != incident][:MOST_EARLIER]
        cared = self._centre.care.of_many(names)
        return wording.settled_before([cared[one] for one in names])

    def _steps(self, incident: IncidentId) -> list[str]:
        made = self._centre.incidents.decision(incident)
        named = made.candidates[0].playbook if made and made.candidates else None
        shelved = self._centre.library.named((made.playbook if made else None) or named or "")
        if shelved is None:
            return []
        steps = [step.name.replace("_", " ") for step in shelved.playbook.steps]
        first = f"{shelved.playbook.name}: {wording.clean(shelved.playbook.description)}"
        return [first, *(f"{number}. {step}" for number, step in enumerate(steps, start=1))]

    def _threads(
        self, incident: IncidentId, before: Sequence[Outgoing]
    ) -> dict[str, list[Outgoing]]:
        """Return what each channel heard or will hear of an incident, what is not kept yet too."""
        found = {name: list(self._centre.outbox.thread(name, incident)) for name in self.channels}
        for one in before:
            if one.incident == incident:
                found[one.channel].append(one)
        return found

    # ---- from the outbox to the channels -----------------------------------------------------

    def deliver(self) -> int:
        """Send what is due; return how many messages ended, one way or another."""
        now = self._centre.clock.now()
        by_channel: defaultdict[str, list[Outgoing]] = defaultdict(list)
        for message in self._centre.outbox.due(now, limit=SEND_AT_ONCE):
            if self._paused.get(message.channel, now) <= now:
                by_channel[message.channel].append(message)
        if not by_channel:
            return 0
        with ThreadPoolExecutor(max_workers=min(len(by_channel), 8)) as pool:  # rule 4
            return sum(pool.map(lambda one: self._channel(one[0], one[1]), by_channel.items()))

    def _channel(self, name: str, messages: Sequence[Outgoing]) -> int:
        channel = self.channels.get(name)
        if channel is None:
            for message in messages:
                self._end(message, OutboxStatus.FAILED, problem="no channel has this name any more")
            return len(messages)
        messages = self._without_a_digest(channel, messages)
        ended = 0
        for message in messages:
            if self._paused.get(name, message.due_at) > self._centre.clock.now():
                break
            ended += self._one(channel, message)
        return ended

    def _without_a_digest(
        self, channel: Channel, messages: Sequence[Outgoing]
    ) -> Sequence[Outgoing]:
        """Fold what is too much into one message; return what is sent by itself."""
        foldable = [
            one
            for one in messages
            if channel.folds and NoticeKind(one.kind) in folding.FOLDED and not one.unanswered
        ]
        storm, now = self._plan.storm, self._centre.clock.now()
        lately = self._centre.outbox.sent_since(channel.name, now - storm.within)
        if not folding.too_many(storm, len(foldable), lately):
            return messages
        needed = [one for one in foldable if not self._dropped(one)]  # rule 5
        rest = [one for one in messages if one not in foldable]
        if not folding.too_many(storm, len(needed), lately):
            return [*rest, *needed]
        last = self._folded.get(channel.name)
        if last is not None and now - last < storm.within:
            return rest  # they wait for the next digest
        read = {one.id: _read(one) for one in needed}
        taken = [one for one in needed if read[one.id] is not None and self._claim(one)]
        notices = [notice for one in taken if (notice := read[one.id]) is not None]
        if not notices:
            return rest
        digest = folding.fold(notices, now, self._base)
        name = letters.name(channel.name, "digest", *(one.id for one in taken))
        made = Outgoing(
            name, channel.name, IncidentId(""), digest.kind.value, letters.write(digest), now, now
        )
        self._centre.outbox.put(made)
        for one in taken:
            self._end(one, OutboxStatus.FOLDED, problem=f"in {name}")
        self._folded[channel.name] = now
        return [*rest, made]

    def _dropped(self, message: Outgoing) -> bool:
        """Drop a message that nobody needs any more; tell whether it was (rule 5)."""
        notice = _read(message)
        needless = self._needless(message, notice) if notice else ""
        if not needless or not self._claim(message):
            return False
        self._end(message, OutboxStatus.DROPPED, problem=needless)
        return True

    def _one(self, channel: Channel, message: Outgoing) -> int:
        if not self._claim(message):
            return 0
        try:
            notice = letters.read(message.text)
            needless = self._needless(message, notice)
            if needless:  # rule 5
                self._end(message, OutboxStatus.DROPPED, problem=needless)
                return 1
            previous = (
                self._centre.outbox.reference(channel.name, message.incident)
                if message.incident
                else ""
            )
            letter = Letter(message.id, notice, self._centre.clock.now(), previous)
            reference = channel.notifier.send(letter)
        except NotNow as cause:
            return self._again(message, str(cause), cause.after_s)
        except (NotTaken, letters.NotANotice) as cause:
            log.warning("channel %s did not take %s: %s", channel.name, message.id, cause)
            self._end(message, OutboxStatus.FAILED, problem=str(cause))
            return 1
        except errors.SentienGuardError:
            raise
        except Exception as cause:
            log.warning("channel %s failed", channel.name, exc_info=True)
            return self._again(message, f"{type(cause).__name__}: {cause}", None)
        self._end(message, OutboxStatus.SENT, reference=reference)
        return 1

    def _needless(self, message: Outgoing, notice: Notice) -> str:
        """Return why nobody needs a message any more; empty: somebody does."""
        if not message.incident:
            return ""
        incident = self._incident(message.incident)
        if incident is None:
            return "the incident is not known any more"
        if message.unanswered and self._in_hand(incident):
            return "somebody has it in hand"
        asked = self._centre.approvals.of(incident.id) if notice.question else None
        if asked is not None and asked.status is not ApprovalStatus.PENDING:
            return f"the question is {asked.status.value}"
        thread = self._centre.outbox.thread(message.channel, incident.id)
        return threads.needless(message, thread, over=self._over(incident))

    def _over(self, incident: Incident) -> bool:
        """Tell whether nobody has to do anything about it any more."""
        if self._centre.care.of(incident.id).settled:
            return True
        return incident.status is Status.CLOSED and incident.outcome not in HANDED_TO_PEOPLE

    def _in_hand(self, incident: Incident) -> bool:
        if self._centre.care.of(incident.id).stops_reminders:
            return True
        if incident.status is not Status.CLOSED:
            asked = self._centre.approvals.of(incident.id)
            return asked is not None and asked.status is not ApprovalStatus.PENDING
        return incident.outcome not in HANDED_TO_PEOPLE

    def _incident(self, incident: IncidentId) -> Incident | None:
        try:
            return self._centre.incidents.get(incident)
        except NoSuchIncident:
            return None

    def _claim(self, message: Outgoing) -> bool:
        now = self._centre.clock.now()
        return self._centre.outbox.claim(message.id, now=now, until=now + CLAIM)

    def _end(
        self, message: Outgoing, status: OutboxStatus, *, reference: str = "", problem: str = ""
    ) -> None:
        self._centre.counters.add("notices_total", status.value)
        self._centre.outbox.end(
            message.id,
            status,
            at=self._centre.clock.now(),
            reference=reference[:500],
            problem=problem[:500],
        )

    def _again(self, message: Outgoing, problem: str, after_s: float | None) -> int:
        """Try later, unless it was tried for long enough (rule 3); return how many ended."""
        now = self._centre.clock.now()
        if now - message.made_at > GIVE_UP and message.attempts:
            self._end(message, OutboxStatus.FAILED, problem=f"given up: {problem}")
            return 1
        pause = min(FIRST_PAUSE_S * 2 ** min(message.attempts, 16), LONGEST_PAUSE_S)
        until = now + timedelta(seconds=max(pause, after_s or 0.0))
        if after_s is not None:
            self._paused[message.channel] = until
        self._centre.counters.add("notices_total", "again")
        self._centre.outbox.again(message.id, due_at=until, problem=problem[:500])
        return 0

    # ---- trying a channel --------------------------------------------------------------------

    def try_channel(self, name: str, by: str) -> None:
        """Send a test message now. Raises NoSuchChannel, NotTaken, NotNow."""
        channel = self.channels.get(name)
        if channel is None:
            known = ", ".join(sorted(self.channels)) or "none is defined"
            raise NoSuchChannel(f"no channel is called {name[:80]!a}; known: {known}")
        now = self._centre.clock.now().astimezone(UTC)
        letter = Letter(
            letters.name(name, "test", now.isoformat()),
            wording.trial(now, by, self._base),
            now,
            "",
        )
        channel.notifier.send(letter)


def _purpose(one: routes.Planned) -> str:
    """Return what tells two messages of one entry to one channel apart."""
    return one.due_at.isoformat() if one.unanswered else "at once"


def _read(message: Outgoing) -> Notice | None:
    """Return a kept notice; None where it cannot be read, which is told where it is sent."""
    try:
        return letters.read(message.text)
    except letters.NotANotice:
        return None


@dataclass(frozen=True, slots=True)
class Telling:
    """How people hear of incidents here, and how they answer in a chat."""

    desk: NoticeDesk | None = None  # None: nobody is told
    slack: SlackDesk | None = None  # None: nobody answers in Slack
