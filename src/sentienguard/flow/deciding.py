"""Gather what the decide stage asks for, let it decide, keep the decision and its evidence.

Called by incident_work. A decision that was made stands: the second call reads it back.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

import msgspec

from sentienguard.flow import incident as flow
from sentienguard.flow.centre import Centre, Samples
from sentienguard.model import errors
from sentienguard.model.decision import Decision, Route
from sentienguard.model.evidence import PastIncident
from sentienguard.model.incident import Incident, Outcome
from sentienguard.model.order import ExecutionOutcome
from sentienguard.model.playbook import Playbook
from sentienguard.model.telemetry import LogLine
from sentienguard.ports.order_store import Ended
from sentienguard.stages.decide import approval, decide, evidence, matching, planning
from sentienguard.stages.decide.facts import Circumstances, TrackRecord
from sentienguard.stages.decide.settings import DecideSettings
from sentienguard.stages.observe import payload

RECENT_WINDOW = timedelta(hours=2)  # of the anomalous series, for people and the trend
PATTERN_WINDOW = timedelta(days=30)
HOUR = timedelta(hours=1)
FAILED = frozenset({ExecutionOutcome.ROLLED_BACK})
HARMFUL = frozenset({ExecutionOutcome.PARTIALLY_ROLLED_BACK, ExecutionOutcome.UNKNOWN})


class Deciding:
    """Makes the one decision of an incident."""

    def __init__(self, centre: Centre, samples: Samples) -> None:
        """Decide with this centre's knowledge."""
        self._centre = centre
        self._samples = samples
        self._library = matching.Library(centre.library.playbooks())
        self._settings = DecideSettings(
            autonomy_successes=centre.settings.verified_runs_needed,
            service_starts_per_hour=centre.settings.service_budget_per_hour,
            fleet_starts_per_hour=centre.settings.fleet_budget_per_hour,
        )

    def decide(self, incident: Incident) -> flow.Decided:
        """Return the decision as the flow needs it, with the order or the question it permits."""
        decision = self._centre.incidents.decision(incident.id)
        if decision is None:
            decision = self._make(incident)
            self._record(decision)
            self._centre.incidents.put_decision(decision)
        return self._answer(incident, decision)

    def _make(self, incident: Incident) -> Decision:
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
        return decide.decide(
            known,
            self._library,
            lambda playbook: self._track_record(playbook, incident),
            self._circumstances(incident, now),
            self._settings,
        )

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
        return tuple(line for sample in samples for line in sample.log_lines)

    def _track_record(self, playbook: Playbook, incident: Incident) -> TrackRecord:
        ended = self._centre.orders.ended(playbook.digest, incident.environment)  # newest first
        here = [one for one in ended if one.agent == incident.agent]
        proving = self._centre.library.proving().get(playbook.digest)
        return TrackRecord(
            verified=sum(_verified(one) for one in ended),
            failed=sum(one.execution in FAILED for one in ended),
            harmful=sum(one.execution in HARMFUL for one in ended),
            dry_runs=sum(one.execution is ExecutionOutcome.DRY_RUN for one in ended),
            proven_runs=sum(one.runs for one in proving.proven) if proving else 0,
            proven_verified=sum(one.verified for one in proving.proven) if proving else 0,
            failures_in_row=_failures_in_row(ended),
            failures_on_host=_failures_in_row(here),
        )

    def _circumstances(self, incident: Incident, now: datetime) -> Circumstances:
        centre = self._centre
        series = incident.anomaly.series
        silences = centre.switches.silences(at=now)
        return Circumstances(
            known_environments=frozenset(centre.environments),
            frozen=centre.switches.freeze() is not None,
            audit_healthy=True,  # recording what is decided comes next and stops here if it cannot
            silenced=any(one.covers(incident.host, series.metric, now) for one in silences),
            service_starts_last_hour=centre.orders.started_on(incident.agent, since=now - HOUR),
            fleet_starts_last_hour=centre.orders.started_since(
                now - HOUR, environment=incident.environment
            ),
        )

    def _record(self, decision: Decision) -> None:
        known = decision.evidence
        blob = self._centre.audit.append_blob(
            msgspec.json.encode(decision, order="deterministic"), "application/json"
        )
        self._centre.audit.append(
            kind="evidence.taken",
            env=known.environment,
            incident=decision.incident,
            key=f"{decision.incident}/evidence",
            data={
                "host": known.host,
                "recent": len(known.recent),
                "related": len(known.related),
                "processes": len(known.top_processes),
                "paths": len(known.top_paths),
                "log_lines": len(known.log_lines),
                "similar": [past.id for past in known.similar[:10]],
            },
            blobs=(blob,),
        )
        sure = decision.confidence
        self._centre.audit.append(
            kind="decision.made",
            env=known.environment,
            incident=decision.incident,
            key=f"{decision.incident}/decision",
            data={
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
                "rationale": "; ".join(one.reason for one in decision.deciding)[:500],
                "verdicts": [f"{one.rule} {one.route.name}" for one in decision.verdicts],
            },
            blobs=(blob,),
        )

    def _answer(self, incident: Incident, decision: Decision) -> flow.Decided:
        reason = "; ".join(verdict.reason for verdict in decision.deciding)[:500]
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
        asked = approval.request(decision, playbook, lasts=lasts)
        return flow.Decided(decision.at, decision.route, reason, order, asked)

    def _playbook(self, decision: Decision) -> Playbook:
        shelved = self._centre.library.named(decision.playbook or "")
        if shelved is None or shelved.playbook.digest != decision.digest:
            message = f"decision on {decision.incident}: {decision.playbook} left the catalogue"
            raise errors.Broken(message)
        return shelved.playbook


def _verified(one: Ended) -> bool:
    """Tell whether host and centre both saw the symptom gone after the remedy ran."""
    return one.execution is ExecutionOutcome.SUCCESS and one.incident is Outcome.RESOLVED


def _failures_in_row(newest_first: Iterable[Ended]) -> int:
    count = 0
    for one in newest_first:
        if _verified(one):
            break
        count += one.execution in FAILED | HARMFUL
    return count
