"""Gather what the decide stage asks for, let it decide, keep the decision and its evidence.

Called by incident_work. A decision that was made stands: the second call reads it back. What it
rests on is kept beside it in the audit log (`basis`), so that `replaying` can make it again. Where
the host rules a remedy out before its first step, the incident is decided again (`further`): a
decision of its own, with a number, which takes the place of the one before.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import msgspec

from sentienguard.flow import basis, further, track_records, turns
from sentienguard.flow import incident as flow
from sentienguard.flow.advising import Advising
from sentienguard.flow.centre import Centre, Samples, Settings
from sentienguard.flow.diagnosing import Diagnosing
from sentienguard.model import errors, target
from sentienguard.model.advice import May
from sentienguard.model.decision import Decision, Route
from sentienguard.model.evidence import Evidence, PastIncident
from sentienguard.model.ids import OrderId, PlaybookName, order_id
from sentienguard.model.incident import Incident
from sentienguard.model.playbook import Playbook, Risk
from sentienguard.model.telemetry import LogLine
from sentienguard.model.window import Purpose
from sentienguard.ports import audit_log
from sentienguard.ports.audit_log import BlobRef
from sentienguard.ports.embedder import Vector
from sentienguard.ports.order_store import NoSuchOrder
from sentienguard.stages.decide import (
    approval,
    decide,
    evidence,
    matching,
    meaning,
    planning,
    routing,
)
from sentienguard.stages.decide.facts import Before, Circumstances, TrackRecord
from sentienguard.stages.decide.settings import DecideSettings
from sentienguard.stages.detect import silencing
from sentienguard.stages.observe import payload

if TYPE_CHECKING:
    from sentienguard.stages.decide.retrieval.shelf import Vectors

RECENT_WINDOW = timedelta(hours=2)  # of the anomalous series, for people and the trend
PATTERN_WINDOW = timedelta(days=30)
HOUR = timedelta(hours=1)
MOST_REOPENED = 20  # incidents that go on with one another, looked at


@dataclass(frozen=True, slots=True)
class _Shelf:
    """The library as it was read, as one."""

    listed: tuple[Playbook, ...]
    library: matching.Library
    vectors: "Vectors | None" = None  # of the library


class Deciding:
    """Makes the one decision of an incident."""

    def __init__(
        self,
        centre: Centre,
        samples: Samples,
        *,
        versions: Mapping[str, str] | None = None,
        diagnosing: Diagnosing | None = None,
        advising: Advising | None = None,
    ) -> None:
        """Decide with this centre's knowledge; `versions` says what decides, for the record.

        Without `diagnosing` nobody asks what an incident comes from, without `advising` no
        language model what it thinks of it.
        """
        self._centre = centre
        self._samples = samples
        listed = centre.library.playbooks()
        self._shelf = _Shelf(listed, matching.Library(listed))
        self._kept: dict[str, tuple[BlobRef, ...]] = {}  # by index: library and vectors in the log
        self._settings = settings_of(centre.settings)
        self._versions = dict(versions or {})
        self._diagnosing = diagnosing
        self._advising = advising
        self._turns = turns.Turns()

    def decide(self, incident: Incident, ruled_out: tuple[OrderId, ...] = ()) -> flow.Decided:
        """Return the decision as the flow needs it, with the order or the question it permits.

        `ruled_out` are this incident's orders that its host said are not for what it sees.
        """
        if ruled_out:
            return self._answer(incident, self._again(incident, ruled_out))
        decision = self._centre.incidents.decision(incident.id)
        if decision is None:
            decision = self._recorded(incident)
            if decision is None:
                decision, under = self._make(incident)
                self._record(incident, decision, under)
            self._centre.incidents.put_decision(decision)
            if self._advising is not None:
                self._advising.after(incident, decision, self._of_candidates(decision))
        return self._answer(incident, decision)

    def _again(self, incident: Incident, ruled_out: tuple[OrderId, ...]) -> Decision:
        """Decide without what the host ruled out; again is a no-op, as for the first decision."""
        number = len(ruled_out) + 1
        decision = self._recorded(incident, number)
        if decision is None:
            before = further.before(self._centre, incident, ruled_out)
            decision, under = self._make(incident, before)
            self._record(incident, decision, under, number)
        self._centre.incidents.put_further(
            decision, after=further.playbook_of(self._centre, ruled_out[-1])
        )
        return decision

    def _of_candidates(self, decision: Decision) -> tuple[Playbook, ...]:
        """Return the playbooks of its candidates, those that are in the library."""
        known = {one.digest: one for one in self._shelf.library.playbooks}
        found = (known.get(one.digest) for one in decision.candidates)
        return tuple(one for one in found if one is not None)

    def prepare(self) -> matching.Library:
        """Return the library that counts now, with its vectors as soon as there are any."""
        listed = self._centre.library.playbooks()
        shelf = self._shelf
        if listed != shelf.listed:  # a newer catalogue was taken over
            shelf = self._shelf = _Shelf(listed, matching.Library(listed))
        if shelf.vectors is None and self._centre.meanings is not None:
            vectors = self._centre.meanings.library(shelf.library.documents)
            if vectors is not None:
                # Where a newer one came meanwhile, the next look finds that this is another one.
                library = matching.Library(shelf.library.playbooks, vectors)
                shelf = self._shelf = _Shelf(listed, library, vectors)
        return shelf.library

    def _vector(self, known: Evidence) -> Vector | None:
        """Return the embedding of the evidence's measured facts, where the library has its own."""
        if self._shelf.vectors is None or self._centre.meanings is None:
            return None
        return self._centre.meanings.question(meaning.spoken(known))

    def _recorded(self, incident: Incident, number: int = 1) -> Decision | None:
        """Return what a process that then died had recorded: the log and we say the same."""
        for entry in self._centre.log.by_incident(incident.id):
            if entry.fields["kind"] != "decision.made":
                continue
            if entry.fields["data"].get("number", 1) != number:
                continue
            for blob in entry.fields["blobs"]:
                if blob["type"] == basis.DECISION_TYPE:
                    return self._read_back(blob["sha256"])
        return None

    def _read_back(self, sha256: str) -> Decision | None:
        try:
            stored = self._centre.log.get_blob(sha256)
            return basis.DECISIONS.decode(stored)
        except (audit_log.NoSuchBlob, audit_log.BlobErased, msgspec.MsgspecError):
            return None  # made anew

    def _make(
        self, incident: Incident, before: Before | None = None
    ) -> tuple[Decision, tuple[BlobRef, ...]]:
        now = self._centre.clock.now()
        series = incident.anomaly.series
        text = self._centre.episodes.sample_of(incident.id)
        found = self._centre.metrics.range(series, now - RECENT_WINDOW, now)
        known = evidence.assemble(
            incident,
            now,
            sample=payload.parse(text.encode()) if text else None,
            recent=[
                (payload.moment(int(at)), float(value))
                for at, value in zip(found.times_ms, found.values, strict=True)
            ],
            similar=self._similar(incident, now),
            log_lines=self._log_lines(incident),
        )
        known, looked_at = self._looked(known, incident, now)
        library = self.prepare()
        # Its vectors may have come since; the decision and its record are about one library.
        vector = self._vector(known) if library.shelf.model else None
        if vector is not None and self._centre.meanings is not None:
            self._centre.meanings.remember(incident, vector)
        circumstances = replace(self._circumstances(incident, now), before=before)
        asked = basis.Asked(lambda playbook: self._track_record(playbook, incident))
        with self._turns.taken():
            made = decide.decide(
                known, library, asked, circumstances, self._settings, vector=vector
            )
        opinion = None
        if self._advising is not None and before is None:  # later ones permit no more than that one
            with turns.lent():
                opinion = self._advising.before(incident, made, self._of_candidates(made))
        if opinion is not None:
            with self._turns.taken():
                made = decide.decide(
                    known,
                    library,
                    asked,
                    circumstances,
                    self._settings,
                    vector=vector,
                    opinion=opinion,
                )
        rests_on = basis.Basis(
            settings=self._settings,
            circumstances=circumstances,
            records=asked.records,
            vector=basis.write_vector(vector),
            versions=self._versions,
        )
        under = self._centre.audit.append_blob(basis.write(rests_on), basis.BASIS_TYPE)
        return made, (under, *looked_at, *self._library_kept(library))

    def _looked(
        self, known: Evidence, incident: Incident, now: datetime
    ) -> tuple[Evidence, tuple[BlobRef, ...]]:
        """Add what the incident comes from, and keep what that was made from."""
        if self._diagnosing is None:
            return known, ()
        looked = self._diagnosing.look(incident, now)
        known = replace(known, diagnosis=looked.diagnosis, changes=looked.changes)
        if not looked.snapshot:
            return known, ()
        return known, (self._centre.audit.append_blob(looked.snapshot, basis.SNAPSHOT_TYPE),)

    def _similar(self, incident: Incident, now: datetime) -> list[PastIncident]:
        store = self._centre.incidents
        earlier = store.earlier(incident.agent, incident.fingerprint, since=now - PATTERN_WINDOW)
        found = []
        for past in list(earlier)[:10]:
            made = store.decision(past.id)
            outcome = past.outcome.value if past.outcome else None
            playbook = made.playbook if made else None
            found.append(PastIncident(past.id, past.opened_at, playbook, outcome))
        return found

    def _log_lines(self, incident: Incident) -> tuple[LogLine, ...]:
        samples = self._samples.recent_samples(incident.agent)
        own = tuple(line for sample in samples for line in sample.log_lines)
        if self._diagnosing is None:
            return own
        return (*own, *self._diagnosing.lines_of(incident, self._centre.clock.now()))

    def _track_record(self, playbook: Playbook, incident: Incident) -> TrackRecord:
        ended = self._centre.orders.ended(playbook.digest, incident.environment)  # newest first
        series = incident.anomaly.series
        kind = target.kind(series.metric, series.subject, incident.tags)
        return track_records.record_in(
            self._centre, playbook, ended, agent=incident.agent, kind=kind
        )

    def _circumstances(self, incident: Incident, now: datetime) -> Circumstances:
        centre = self._centre
        place = silencing.place(incident.host, incident.environment, incident.tags)
        symptom = silencing.symptom(place, incident.anomaly)
        switches = centre.switches
        return Circumstances(
            known_environments=frozenset(centre.environments),
            frozen=switches.freeze() is not None,
            audit_healthy=True,  # recording what is decided comes next and stops here if it cannot
            maintenance=bool(
                silencing.covering(switches.windows(Purpose.MAINTENANCE, at=now), place, now)
            ),
            doubted=bool(centre.agents.get(incident.agent).quarantined),
            silenced=bool(
                silencing.covering(switches.windows(Purpose.SILENCE, at=now), symptom, now)
            ),
            forecast=incident.anomaly.is_forecast,
            already_ran=self._already_ran(incident),
            service_starts_last_hour=centre.orders.started_on(incident.agent, since=now - HOUR),
            fleet_starts_last_hour=centre.orders.started_since(
                now - HOUR, environment=incident.environment
            ),
        )

    def _already_ran(self, incident: Incident) -> frozenset[PlaybookName]:
        """Return what ran for the incidents that this one goes on with; a dry run is none."""
        ran: set[PlaybookName] = set()
        before = incident.reopens
        for _ in range(MOST_REOPENED):
            if before is None:
                break
            made = self._centre.incidents.decision(before)
            if made is not None and made.playbook and self._released(made):
                ran.add(made.playbook)
            before = self._centre.incidents.get(before).reopens
        return frozenset(ran)

    def _released(self, made: Decision) -> bool:
        if made.digest is None:
            return False
        try:
            self._centre.orders.get(order_id(made.incident, made.digest, dry_run=False))
        except NoSuchOrder:
            return False
        return True

    def _library_kept(self, library: matching.Library) -> tuple[BlobRef, ...]:
        """Return where the log has a library and its vectors; the first time, put them there."""
        index = library.shelf.index
        if index not in self._kept:
            keep = self._centre.audit.append_blob
            signed = self._centre.library.stored()
            texts = {one.digest: signed[one.digest] for one in library.playbooks}
            kept = [keep(basis.write_library(texts), basis.LIBRARY_TYPE)]
            vectors = self._shelf.vectors
            if vectors is not None and library.shelf.model:
                kept.append(keep(basis.write_vectors(vectors), basis.VECTORS_TYPE))
            self._kept[index] = tuple(kept)
        return self._kept[index]

    def _record(
        self,
        incident: Incident,
        decision: Decision,
        under: tuple[BlobRef, ...],
        number: int = 1,
    ) -> None:
        known = decision.evidence
        which = "" if number == 1 else f"/{number}"
        blob = self._centre.audit.append_blob(
            msgspec.json.encode(decision, order="deterministic"), basis.DECISION_TYPE
        )
        self._centre.audit.once(
            "evidence.taken",
            incident,
            f"evidence{which}",
            {
                "host": known.host,
                "recent": len(known.recent),
                "related": len(known.related),
                "processes": len(known.top_processes),
                "paths": len(known.top_paths),
                "log_lines": len(known.log_lines),
                "similar": [past.id for past in known.similar[:10]],
                "changes": len(known.changes),
                **_diagnosed(known),
            },
            blobs=(blob,),
        )
        sure = decision.confidence
        self._centre.audit.once(
            "decision.made",
            incident,
            f"decision{which}",
            {
                "route": decision.route.name,
                "playbook": decision.playbook or "",
                "version": decision.version or "",
                "digest": decision.digest or "",
                "parameters": dict(decision.parameters),
                "confidence": f"{sure.value:.4f}" if sure else "",
                "confidence_low": f"{sure.low:.4f}" if sure else "",
                "confidence_high": f"{sure.high:.4f}" if sure else "",
                "candidates": [f"{one.playbook} {one.score:.4f}" for one in decision.candidates],
                "approval_required": decision.route is Route.ASK,
                "rationale": "; ".join(routing.reasons(decision))[:500],
                "verdicts": [f"{one.rule} {one.route.name}" for one in decision.verdicts],
                **({"number": number} if which else {}),
            },
            blobs=(blob, *under),
        )

    def _answer(self, incident: Incident, decision: Decision) -> flow.Decided:
        reason = "; ".join(routing.reasons(decision))[:500]
        if decision.route is Route.ESCALATE or decision.digest is None:
            return flow.Decided(decision.at, Route.ESCALATE, reason)
        playbook = self._playbook(decision)
        # For ASK the order is complete now and released only after a person's yes (flow, rule 3).
        order = planning.plan(
            decision,
            playbook,
            agent=incident.agent,
            created_at=decision.at,
            approved=decision.route is Route.ASK,
        )
        if decision.route is not Route.ASK:
            return flow.Decided(decision.at, decision.route, reason, order)
        lasts = timedelta(minutes=self._centre.settings.approval_minutes)
        two_from = self._centre.settings.two_person_risk
        asked = approval.request(
            decision,
            playbook,
            lasts=lasts,
            two_from=None if two_from == "none" else Risk(two_from),
            approvers=self._centre.trust.approvers_needed,
        )
        return flow.Decided(decision.at, decision.route, reason, order, asked)

    def _playbook(self, decision: Decision) -> Playbook:
        shelved = self._centre.library.named(decision.playbook or "")
        if shelved is None or shelved.playbook.digest != decision.digest:
            message = f"decision on {decision.incident}: {decision.playbook} left the catalogue"
            raise errors.Broken(message)
        return shelved.playbook


def settings_of(lines: Settings) -> DecideSettings:
    """Return the policy's settings as the owner's lines make them."""
    return DecideSettings(
        autonomy_successes=lines.verified_runs_needed,
        service_starts_per_hour=lines.service_budget_per_hour,
        fleet_starts_per_hour=lines.fleet_budget_per_hour,
        advice_may=May(lines.adviser_may),
    )


def _diagnosed(known: Evidence) -> dict[str, str]:
    """Return what the entry says of the diagnosis; all of it is in the blob."""
    made = known.diagnosis
    if made is None:
        return {}
    if made.verdict is None:
        return {"diagnosis": made.absent[:200]}
    if not made.verdict.ranked:
        return {"diagnosis": f"abstained: {made.verdict.abstained}"[:200]}
    first = made.verdict.ranked[0]
    return {
        "diagnosis": f"{first.object} {first.cause}"[:200],
        "diagnosis_confidence": f"{made.verdict.confidence:.4f}",
        "snapshot": made.snapshot or "",
    }
