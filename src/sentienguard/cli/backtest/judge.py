"""Judge what was fetched, host by host, with the playbooks that come with the program.

What was judged is kept under everything it depends on, so that an interrupted backtest judges no
host twice, and one under other options judges all of them again.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sentienguard.cli import frame
from sentienguard.cli.backtest import alerts, fetch, progress, report
from sentienguard.cli.backtest.state import State
from sentienguard.cli.installation import bundled
from sentienguard.controlplane import versions
from sentienguard.flow import hindsight
from sentienguard.model.evidence import Evidence
from sentienguard.model.playbook import Playbook
from sentienguard.playbook import parse
from sentienguard.ports.embedder import Embedder, Vector
from sentienguard.stages.decide import meaning
from sentienguard.stages.decide.facts import TrackRecord
from sentienguard.stages.decide.matching import Library
from sentienguard.stages.decide.retrieval.shelf import Vectors
from sentienguard.stages.decide.settings import DecideSettings
from sentienguard.stages.detect.settings import DetectSettings


@dataclass(frozen=True, slots=True)
class Judge:
    """What judges, and what it is compared with."""

    knowledge: hindsight.Knowledge
    playbooks: Mapping[str, Playbook]
    assumed: report.Assumed
    own: Sequence[alerts.Episode]  # alerts beside those of the server

    def whole(self, shown: frame.Frame, state: State) -> dict[str, Any]:
        """Judge each host that was not judged, and return the report."""
        plan, hosts = state.plan, state.hosts()
        fired = [*alerts.together(state.alerts(), fetch.ALERT_GAP * plan.step_s), *self.own]
        episodes = [one for one in fired if one.last_s >= plan.judged_from_s]
        options = self._options(episodes)
        found: dict[str, Any] = {}
        with progress.shown(shown, "judging", len(hosts)) as begin:
            for host in hosts:
                begin(host)
                kept = state.judged(host, options)
                if kept is None:
                    kept = self._host(host, state, episodes)
                    state.keep_judged(host, options, kept)
                found[host] = kept
        return report.document(plan, found, episodes, self.assumed)

    def _host(self, host: str, state: State, episodes: Sequence[alerts.Episode]) -> dict[str, Any]:
        plan, readings = state.plan, state.history(host)
        history = hindsight.History(host, plan.environment, plan.start_s, plan.step_s, readings)
        entropy = hashlib.sha256(host.encode()).digest()
        found = hindsight.raised(history, plan.judged_from_s, self.knowledge, entropy=entropy)
        return {
            "series": len(readings),
            "days": round(history.days_since(plan.judged_from_s), 2),
            "incidents": [
                report.incident(one, self.playbooks, episodes, plan.end_s, self.assumed)
                for one in found
            ],
        }

    def _options(self, episodes: Sequence[alerts.Episode]) -> str:
        """Name everything that what is found of a host depends on, besides its readings."""
        known = self.knowledge
        said = (
            *(known.detect, known.decide, known.library.shelf.index, self.assumed, episodes),
            *(
                sorted(str(one.digest) for one in self.playbooks.values()),
                dict(versions.deciding()),
            ),
        )
        return hashlib.sha256(repr(said).encode()).hexdigest()


def judge(
    detect: DetectSettings,
    lines: DecideSettings,
    model: Embedder | None,
    assumed: report.Assumed,
    *,
    own: Sequence[alerts.Episode] = (),
) -> Judge:
    """Return what judges with the bundled playbooks and what they have proven."""
    playbooks = [parse.load(text, origin=name) for name, text in bundled.playbooks().items()]
    proving = {record.digest: record for record in bundled.proving()}
    vectors = None
    if model is not None:
        spoken = model.embed([text for one in Library(playbooks).documents for text in one.spoken])
        vectors = Vectors(model.model, spoken[0::2], spoken[1::2])

    def vector(known: Evidence) -> Vector | None:
        return None if model is None else model.embed([meaning.spoken(known)])[0]

    def proven(playbook: Playbook) -> TrackRecord:
        record = proving.get(playbook.digest)
        if record is None:
            return TrackRecord()
        return TrackRecord(
            proven_runs=sum(one.runs for one in record.proven),
            proven_verified=sum(one.verified for one in record.proven),
        )

    knowledge = hindsight.Knowledge(Library(playbooks, vectors), proven, detect, lines, vector)
    return Judge(knowledge, {one.name: one for one in playbooks}, assumed, own)
