"""Make a decision again from what the audit log kept of it, and say where the two differ.

Called by the API. Rules:

 1. Everything comes from the log: the decision, the basis, the library, the vectors. No model is
    asked, nothing is measured, the clock is not read.
 2. The same means the same bytes. Where they are not, every field that differs is shown.
 3. What is another version today than it was then is named, whether the bytes differ or not.
 4. Under another policy everything else stays as it was: the same facts, the same candidates.
 5. The diagnosis is made again from its snapshot; a decision is replayed with what comes out now.
 6. Where a decision made today asks for more than was recorded, that counts as nothing known, and
    is said.
 7. Where a host ruled a remedy out and it was decided again, the last decision is the one that is
    replayed, with what was ruled out before it.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import msgspec

from sentienguard.flow import basis, policy_file
from sentienguard.flow.centre import Centre
from sentienguard.flow.deciding import settings_of
from sentienguard.model import errors
from sentienguard.model.decision import Decision, Route, Verdict
from sentienguard.model.evidence import Diagnosis, Evidence
from sentienguard.model.ids import Digest, IncidentId, digest
from sentienguard.model.incident import Incident
from sentienguard.model.playbook import Playbook
from sentienguard.ports import audit_log
from sentienguard.stages.decide import advice, decide, further, matching, policy
from sentienguard.stages.decide.diagnosis.snapshot import NotASnapshot
from sentienguard.stages.decide.diagnosis.surroundings import finding
from sentienguard.stages.decide.facts import TrackRecord
from sentienguard.stages.decide.settings import DecideSettings

# Verdicts that are no rule's of policy.
_BESIDE: Final = frozenset({"untrusted_text", "requested", further.RULE, advice.RULE})
_LONGEST: Final = 200  # characters of a value that is shown
_ABSENT: Final = "(nothing)"


class NotReplayable(errors.Rejected):
    """What the decision rests on was not recorded, or was erased."""


class NoSuchDecision(errors.Rejected):
    """No decision was made about this incident."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One field of the decision, as it was recorded and as it is made now."""

    field: str  # its path, for example verdicts.3.reason
    recorded: str
    replayed: str


@dataclass(frozen=True, slots=True)
class Change:
    """Something that is another version today."""

    what: str  # code, python, policy confidence.run_from, embedding model, library ...
    recorded: str
    today: str


@dataclass(frozen=True, slots=True)
class RuleUnder:
    """What one rule says under the policy that was in force, and under another."""

    rule: str
    recorded: Verdict | None  # None: the rule was not there
    under: Verdict | None


@dataclass(frozen=True, slots=True)
class WhatIf:
    """The decision that another policy would have made."""

    decision: Decision
    settings: Mapping[str, tuple[str, str]]  # rule.setting -> in force then, under this policy
    rules: tuple[RuleUnder, ...]


@dataclass(frozen=True, slots=True)
class Replay:
    """What came of making a decision again."""

    incident: IncidentId
    recorded: Digest  # of the bytes that the log has
    replayed: Digest  # of the bytes that come out now
    decision: Decision  # as it is made now
    differences: tuple[Difference, ...]
    changes: tuple[Change, ...]
    notes: tuple[str, ...]
    what_if: WhatIf | None = None

    @property
    def is_identical(self) -> bool:
        """Tell whether it came out bit for bit."""
        return self.recorded == self.replayed


@dataclass(frozen=True, slots=True)
class _Kept:
    """What the log has of a decision."""

    stored: bytes
    decision: Decision
    basis: basis.Basis
    library: matching.Library
    evidence: Evidence  # with the diagnosis as it is made now


class Replaying:
    """Makes decisions again."""

    def __init__(self, centre: Centre, versions: Mapping[str, str]) -> None:
        """Read this centre's log; `versions` says what decides today."""
        self._centre = centre
        self._versions = versions

    def replay(self, incident: Incident, document: object = None) -> Replay:
        """Decide again; with a document (see `policy_file`) also under that policy.

        Raises NoSuchDecision, NotReplayable, PolicyWrong, BasisDamaged.
        """
        kept = self._kept(incident)
        made, unknown = _made(kept, kept.basis.settings)
        stored = msgspec.json.encode(made, order="deterministic")
        return Replay(
            incident=incident.id,
            recorded=digest(kept.stored),
            replayed=digest(stored),
            decision=made,
            differences=tuple(_differences(json.loads(kept.stored), json.loads(stored))),
            changes=tuple(self._changes(kept)),
            notes=(*unknown, *_before(kept), *self._acted_on(incident, kept)),
            what_if=None if document is None else _what_if(kept, made, document),
        )

    def _kept(self, incident: Incident) -> _Kept:
        blobs = self._blobs(incident)
        for wanted in (basis.DECISION_TYPE, basis.BASIS_TYPE, basis.LIBRARY_TYPE):
            if wanted not in blobs:
                raise NotReplayable(
                    f"{incident.id}: its decision was recorded without {wanted}, by a release that "
                    "did not keep what it rests on; decisions made since can be replayed"
                )
        stored = self._blob(incident, blobs[basis.DECISION_TYPE])
        vectors = None
        if basis.VECTORS_TYPE in blobs:
            vectors = basis.read_vectors(self._blob(incident, blobs[basis.VECTORS_TYPE]))
        playbooks = basis.read_library(self._blob(incident, blobs[basis.LIBRARY_TYPE]))
        try:
            decision = basis.DECISIONS.decode(stored)
        except msgspec.MsgspecError as cause:
            raise basis.BasisDamaged(
                f"{incident.id}: the recorded decision cannot be read: {cause}"
            ) from cause
        return _Kept(
            stored=stored,
            decision=decision,
            basis=basis.read(self._blob(incident, blobs[basis.BASIS_TYPE])),
            library=matching.Library(playbooks, vectors),
            evidence=self._diagnosed_again(incident, decision.evidence, blobs),
        )

    def _diagnosed_again(
        self, incident: Incident, known: Evidence, blobs: Mapping[str, str]
    ) -> Evidence:
        """Return the evidence with its diagnosis made again (rule 5)."""
        then = known.diagnosis
        if then is None or then.snapshot is None:
            return known
        if basis.SNAPSHOT_TYPE not in blobs:
            raise basis.BasisDamaged(f"{incident.id}: the snapshot of its diagnosis is not kept")
        stored = self._blob(incident, blobs[basis.SNAPSHOT_TYPE])
        try:
            again: Diagnosis = finding.of(stored, known.host, then.left_out)
        except NotASnapshot as cause:
            raise basis.BasisDamaged(
                f"{incident.id}: the snapshot of its diagnosis cannot be read: {cause}"
            ) from cause
        return replace(known, diagnosis=again)

    def _blobs(self, incident: Incident) -> dict[str, str]:
        """Return the blobs of its last decision's entry, digest by type (rule 7)."""
        for entry in reversed(self._centre.log.by_incident(incident.id)):
            if entry.fields["kind"] == "decision.made":
                return {blob["type"]: blob["sha256"] for blob in entry.fields["blobs"]}
        raise NoSuchDecision(f"{incident.id}: nothing was decided yet")

    def _blob(self, incident: Incident, sha256: str) -> bytes:
        try:
            return self._centre.log.get_blob(sha256)
        except (audit_log.NoSuchBlob, audit_log.BlobErased) as cause:
            raise NotReplayable(
                f"{incident.id}: its decision cannot be made again: {cause}"
            ) from cause

    def _changes(self, kept: _Kept) -> Iterator[Change]:
        """Name every version that is another one today (rule 3)."""
        then, now = kept.basis.versions, self._versions
        for name in sorted({*then, *now}):
            if then.get(name) != now.get(name):
                yield Change(name, then.get(name, _ABSENT), now.get(name, _ABSENT))
        lines = settings_of(self._centre.settings)
        for name, (was, is_) in policy_file.differences(kept.basis.settings, lines).items():
            yield Change(f"policy {name}", was, is_)
        listed = [one.rule for one in kept.decision.verdicts if one.rule not in _BESIDE]
        rules = [one.__name__ for one in policy.RULES]
        if listed != rules:
            yield Change("policy rules", ", ".join(listed), ", ".join(rules))
        model = "" if self._centre.meanings is None else self._centre.meanings.model
        if kept.library.shelf.model != model:
            was = kept.library.shelf.model
            yield Change("embedding model", was or _ABSENT, model or _ABSENT)
        library = {str(one.digest): one for one in self._centre.library.playbooks()}
        listed_then = {str(one.digest): one for one in kept.library.playbooks}
        gone, new = listed_then.keys() - library.keys(), library.keys() - listed_then.keys()
        if gone or new:
            yield Change(
                "library",
                ", ".join(sorted(_called(listed_then[one]) for one in gone)) or _ABSENT,
                ", ".join(sorted(_called(library[one]) for one in new)) or _ABSENT,
            )

    def _acted_on(self, incident: Incident, kept: _Kept) -> list[str]:
        """Say so where the store that is acted on has another decision than the log."""
        acted = self._centre.incidents.decision(incident.id)
        if acted is None or acted == kept.decision:
            return []
        return ["the decision in the database is not the one in the audit log: one was changed"]


def _before(kept: _Kept) -> list[str]:
    """Say which remedies the host had ruled out, where it was not the first decision (rule 7)."""
    before = kept.basis.circumstances.before
    if before is None:
        return []
    names = ", ".join(one.playbook for one in before.ruled_out)
    return [f"decided again: the host had ruled out {names} before anything ran"]


def _made(kept: _Kept, settings: DecideSettings) -> tuple[Decision, list[str]]:
    """Decide on what was kept; also return what was asked for and is not known (rule 6)."""
    unknown: list[str] = []

    def record(playbook: Playbook) -> TrackRecord:
        found = kept.basis.records.get(playbook.digest)
        if found is None:
            said = f"the record of {playbook.name} was not asked for then: it counts as having none"
            if said not in unknown:
                unknown.append(said)
            return TrackRecord()
        return found

    made = decide.decide(
        kept.evidence,
        kept.library,
        record,
        kept.basis.circumstances,
        settings,
        vector=basis.read_vector(kept.basis.vector),
        opinion=kept.decision.opinion,
    )
    return made, unknown


def _what_if(kept: _Kept, made: Decision, document: object) -> WhatIf:
    settings = policy_file.apply(document, kept.basis.settings)
    other, _ = _made(kept, settings)
    then = {one.rule: one for one in made.verdicts}
    under = {one.rule: one for one in other.verdicts}
    return WhatIf(
        decision=other,
        settings=policy_file.differences(kept.basis.settings, settings),
        rules=tuple(
            RuleUnder(name, then.get(name), under.get(name))
            for name in dict.fromkeys([*then, *under])
        ),
    )


def _differences(recorded: Any, replayed: Any, path: str = "") -> Iterator[Difference]:
    """Compare two JSON values field by field, those included that only one side knows."""
    if recorded == replayed and type(recorded) is type(replayed):
        return
    if isinstance(recorded, dict) and isinstance(replayed, dict):
        names = sorted({*recorded, *replayed})
        pairs = [(name, recorded.get(name, _ABSENT), replayed.get(name, _ABSENT)) for name in names]
    elif isinstance(recorded, list) and isinstance(replayed, list):
        most = max(len(recorded), len(replayed))
        longer = [[*side, *[_ABSENT] * (most - len(side))] for side in (recorded, replayed)]
        pairs = [(str(at), *both) for at, both in enumerate(zip(*longer, strict=True))]
    else:
        yield Difference(path, _shown(path, recorded), _shown(path, replayed))
        return
    for name, one, other in pairs:
        yield from _differences(one, other, f"{path}.{name}" if path else name)


def _shown(path: str, value: Any) -> str:
    """Return a value as people read it."""
    if path == "route" or path.endswith(".route"):
        value = Route(value).name if value in set(Route) else value
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _called(playbook: Playbook) -> str:
    return f"{playbook.name} {playbook.version} ({playbook.digest[7:19]})"
