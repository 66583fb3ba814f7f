"""A whole stored log, judged. Damage becomes findings; nothing here raises for bad data.

Called by `sentienguard audit verify` and by the control plane's periodic self-check. Verification
hashes the stored bytes and never writes them anew, so that 23,445 entries take a fraction of a
second; `deep` also parses every entry and checks its form, its canonical bytes, its time and its
agent's signature.

What each check means when it passes:
    records      every record is readable and of at most 4,096 bytes
    checkpoint   the newest checkpoint is signed by a key of the log that reaches its size
    root         the entries hash to the root that it signs; none is missing, none is left over
    sources      every source's numbers have no gap and its chain has no break
    growth       the log still begins with what an older checkpoint committed to
    witnesses    cosigned checkpoints belong to this log; at least `quorum` witnesses signed one
    entries      (deep) every entry is canonical, complete and of a known kind
    keys         (deep) the centre and people say nothing twice
    signatures   (deep) every agent's entry is signed by the key enrolled before it, or given for it
    clock        (deep) no source's clock goes back, nothing is dated after the witnesses who saw it
"""

import statistics
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from sentienguard.ports import audit_log
from sentienguard.stages.audit import checkpoint, entry, merkle, sources
from sentienguard.trust import dsse
from sentienguard.trust.keys import BadKey, VerifyKey
from sentienguard.trust.log_keys import LogKey

MAX_FINDINGS: Final = 100  # of each check; a report is for people
CLOCK_TOLERANCE_MS: Final = 300_000  # hosts differ by seconds; minutes are worth a question

KeyOf: TypeAlias = Callable[[str], VerifyKey | None]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong."""

    check: str
    detail: str
    index: int | None = None  # of the entry, where it is about one


@dataclass(frozen=True, slots=True)
class Check:
    """What one check found."""

    name: str
    passed: bool
    detail: str  # one sentence


@dataclass(frozen=True, slots=True)
class Report:
    """The judgement of a log."""

    size: int  # readable entries
    root: str  # hex, over the entries that the checkpoint covers
    checks: tuple[Check, ...]
    findings: tuple[Finding, ...]
    sources: Mapping[str, int]  # name -> entries
    uncovered: int  # entries after the newest checkpoint

    @property
    def passed(self) -> bool:
        """Whether nothing is wrong."""
        return all(check.passed for check in self.checks)


@dataclass(frozen=True, slots=True)
class Trust:
    """What the verifier knows from elsewhere than the log's own storage."""

    origin: str | None = None  # None: the name found with the log is used
    log_keys: Collection[LogKey] = ()  # none: the keys found with the log are used
    older: tuple[str, ...] = ()  # checkpoints held elsewhere, signed notes
    witnesses: Mapping[str, VerifyKey] | None = None  # by name
    quorum: int = 0  # witnesses that must have cosigned one checkpoint
    agent_key: KeyOf | None = None  # for deep: source name -> key; None: as the log enrolled them
    said: Mapping[str, int] | None = None  # source -> how many entries it says that it sent


class _Judge:
    """Collects findings and checks."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []
        self.checks: list[Check] = []
        self._counts: dict[str, int] = {}
        self._roots: dict[int, bytes] = {}

    def root(self, hashes: Sequence[bytes], size: int) -> bytes:
        """Return the root of the first hashes; computed once for each size."""
        if size not in self._roots:
            self._roots[size] = merkle.root_of(hashes[:size])[1]
        return self._roots[size]

    def find(self, check: str, detail: str, index: int | None = None) -> None:
        self._counts[check] = self._counts.get(check, 0) + 1
        if self._counts[check] <= MAX_FINDINGS:
            self.findings.append(Finding(check, detail, index))

    def close(self, check: str, fine: str) -> None:
        count = self._counts.get(check, 0)
        if count:
            first = next(one for one in self.findings if one.check == check)
            more = f" ({count - 1} more)" if count > 1 else ""
            self.checks.append(Check(check, passed=False, detail=f"{first.detail}{more}"))
        else:
            self.checks.append(Check(check, passed=True, detail=fine))


def verify(
    stored: audit_log.StoredLog,
    trust: Trust | None = None,
    *,
    deep: bool = False,
    live: bool = False,
) -> Report:
    """Judge a stored log.

    `live` accepts entries that the newest checkpoint does not cover yet, because the log is being
    written. Never raises for what the log holds.
    """
    trust = trust or Trust()
    judge = _Judge()
    leaves = _readable(stored.records, judge, live=live)
    hashes = [merkle.leaf_hash(leaf) for leaf in leaves]
    opener = _Opener(*_identity(stored, trust, judge))
    covered = _newest(stored, hashes, opener, judge, live=live)
    _grown(trust.older, hashes, opener, judge)
    seen = _witnessed(stored, hashes, opener, trust, judge)
    counts = _chained(leaves, trust.said or {}, judge)
    if deep:
        _Examiner(trust.agent_key, seen, judge).examine(leaves)
    return Report(
        size=len(leaves),
        root=judge.root(hashes, covered).hex(),
        checks=tuple(judge.checks),
        findings=tuple(judge.findings),
        sources=counts,
        uncovered=len(leaves) - covered,
    )


@dataclass(frozen=True, slots=True)
class _Opener:
    """Opens checkpoints of one log."""

    origin: str
    log_keys: Collection[LogKey]

    def open(self, note: str | None) -> checkpoint.Checkpoint:
        if note is None:
            raise dsse.NotTrusted("there is no checkpoint")
        return checkpoint.open_checkpoint(note, self.origin, self.log_keys)


def _readable(
    records: Sequence[bytes | audit_log.Damage], judge: _Judge, *, live: bool
) -> list[bytes]:
    leaves = []
    for index, record in enumerate(records):
        if isinstance(record, audit_log.Damage):
            if live and record.at_end:
                continue  # is being written just now; the checkpoint says whether it was needed
            judge.find("records", f"{record.where}: {record.what}", index)
        elif len(record) > entry.MAX_BYTES:
            judge.find("records", f"entry {index} has {len(record)} bytes", index)
            leaves.append(record)
        else:
            leaves.append(record)
    judge.close("records", f"{len(leaves):,} records are readable")
    return leaves


def _identity(
    stored: audit_log.StoredLog, trust: Trust, judge: _Judge
) -> tuple[str, Collection[LogKey]]:
    try:
        origin, log_keys = checkpoint.read_log_keys(stored.verifier_keys)
    except dsse.NotTrusted as error:
        judge.find("checkpoint", f"the keys found with the log are unusable: {error}")
        return trust.origin or "", trust.log_keys
    return trust.origin or origin, trust.log_keys or log_keys


def _newest(
    stored: audit_log.StoredLog,
    hashes: Sequence[bytes],
    opener: _Opener,
    judge: _Judge,
    *,
    live: bool,
) -> int:
    """Judge the newest checkpoint; return how many entries it covers."""
    covered = len(hashes)
    try:
        newest = opener.open(stored.checkpoint)
    except dsse.NotTrusted as error:
        judge.find("checkpoint", f"checkpoint: {error}")
    else:
        _rooted("root", newest, hashes, judge)
        covered = min(newest.size, len(hashes))
        if len(hashes) > covered and not live:
            judge.find(
                "root",
                f"{len(hashes) - covered} entries after index {covered - 1} are covered by no "
                "checkpoint; if the log is being written, verify it as live",
                covered,
            )
    judge.close("checkpoint", f"the newest checkpoint is signed by the key of {opener.origin}")
    judge.close("root", f"{covered:,} entries hash to the signed root")
    return covered


def _rooted(
    check: str, claimed: checkpoint.Checkpoint, hashes: Sequence[bytes], judge: _Judge
) -> bool:
    if claimed.size > len(hashes):
        judge.find(
            check,
            f"a checkpoint commits to {claimed.size} entries, but {len(hashes)} are there",
            len(hashes),
        )
        return False
    root = judge.root(hashes, claimed.size)
    if root != claimed.root:
        judge.find(
            check,
            f"the first {claimed.size} entries hash to {root.hex()[:16]}, but "
            f"{claimed.root.hex()[:16]} is committed to: an entry was changed, moved or replaced",
        )
        return False
    return True


def _grown(
    older: Sequence[str],
    hashes: Sequence[bytes],
    opener: _Opener,
    judge: _Judge,
) -> None:
    if not older:
        return
    for note in older:
        try:
            claimed = opener.open(note)
        except dsse.NotTrusted as error:
            judge.find("growth", f"older checkpoint: {error}")
        else:
            _rooted("growth", claimed, hashes, judge)
    judge.close("growth", f"the log still begins as {len(older)} older checkpoints say")


def _witnessed(
    stored: audit_log.StoredLog,
    hashes: Sequence[bytes],
    opener: _Opener,
    trust: Trust,
    judge: _Judge,
) -> tuple[int, int]:
    """Judge what witnesses signed; return what they saw, and when (POSIX seconds).

    That is the biggest checkpoint with a quorum, at the median of its cosigners' clocks. Without
    keys of witnesses there is nothing to judge, and nothing was seen.
    """
    witnesses = trust.witnesses
    if not witnesses and not trust.quorum:
        return 0, 0
    most, seen = 0, (0, 0)
    for note in stored.cosigned:
        try:
            claimed = opener.open(note)
            cosigned = checkpoint.cosignatures(note, (witnesses or {}).get)
        except dsse.NotTrusted as error:
            judge.find("witnesses", f"cosigned checkpoint: {error}")
            continue
        if not cosigned or not _rooted("witnesses", claimed, hashes, judge):
            continue
        most = max(most, len(cosigned))
        if len(cosigned) >= trust.quorum and claimed.size >= seen[0]:
            seen = claimed.size, statistics.median_low(one.at_s for one in cosigned)
    if most < trust.quorum:
        judge.find("witnesses", f"{most} of {trust.quorum} witnesses cosigned a checkpoint")
    judge.close("witnesses", f"{most} witnesses cosigned a checkpoint of this log")
    return seen


def _chained(leaves: Sequence[bytes], said: Mapping[str, int], judge: _Judge) -> dict[str, int]:
    known = sources.Sources()
    counts: dict[str, int] = {}
    for index, leaf in enumerate(leaves):
        end = entry.tail(leaf)
        if end is None:
            judge.find("sources", f"entry {index} is not an entry of this log", index)
            continue
        judged = known.judge(end.source, end.seq, end.prev)
        if judged.fit is not sources.Fit.NEXT:
            judge.find("sources", f"entry {index}: {judged.detail}", index)
        counts[end.source] = counts.get(end.source, 0) + 1
        known.take(entry.Source(end.source, end.seq - 1).after(end.leaf))
    for source, count in said.items():
        if counts.get(source, 0) != count:
            there = counts.get(source, 0)
            judge.find("sources", f"{source} sent {count} entries, {there} are there")
    judge.close("sources", f"{len(counts)} sources, no gap and no break")
    return counts


class _Examiner:
    """Looks into every entry: its form, and what only its content shows."""

    def __init__(self, agent_key: KeyOf | None, seen: tuple[int, int], judge: _Judge) -> None:
        self._given = agent_key
        self._enrolled: dict[str, VerifyKey] = {}
        self._seen, self._seen_ms = seen[0], seen[1] * 1000
        self._judge = judge
        self._keys: dict[str, int] = {}
        self._latest: dict[str, int] = {}  # ts_ms by source
        self._signed = 0

    def examine(self, leaves: Sequence[bytes]) -> None:
        for index, leaf in enumerate(leaves):
            end = entry.tail(leaf)
            if end is None:
                continue  # told by the check of sources
            try:
                members = entry.read(end.leaf)
            except audit_log.EntryRefused as error:
                self._judge.find("entries", f"entry {index}: {error}", index)
                continue
            if entry.family(end.source) == "agent":
                self._signature(index, end)
            else:
                self._own(index, end, members)
            self._clock(index, end.source, members["ts_ms"])
        self._judge.close("entries", f"{len(leaves):,} entries are canonical and complete")
        self._judge.close("keys", f"{len(self._keys):,} keys of the centre and people, none twice")
        self._judge.close("signatures", f"{self._signed:,} entries are signed by their agents")
        self._judge.close("clock", "no source's clock went back")

    def _signature(self, index: int, end: entry.Tail) -> None:
        key = self._given(end.source) if self._given else self._enrolled.get(end.source)
        if key is None:
            detail = f"entry {index}: {end.source} is not an agent of this log"
        elif end.signature is None:
            detail = f"entry {index} of {end.source} has no signature"
        elif not key.verify(end.signature, end.leaf):
            detail = f"entry {index} of {end.source} is not its word"
        else:
            self._signed += 1
            return
        self._judge.find("signatures", detail, index)

    def _own(self, index: int, end: entry.Tail, members: Mapping[str, Any]) -> None:
        """Judge an entry of the centre or of a person."""
        first = self._keys.setdefault(members["key"], index)
        if first != index:
            self._judge.find("keys", f"entry {index} says again what entry {first} says", index)
        if end.signature is not None:
            self._judge.find("signatures", f"entry {index}: {end.source} signs no entries", index)
        if members["kind"] == "agent.enrolled":
            self._enrol(index, members["data"])

    def _enrol(self, index: int, data: Mapping[str, Any]) -> None:
        name = f"agent:{data.get('agent')}"
        try:
            key = VerifyKey.from_text(str(data.get("executor_key")))
        except BadKey as error:
            self._judge.find("signatures", f"entry {index} enrols {name}: {error}", index)
            return
        known = self._given(name) if self._given else self._enrolled.setdefault(name, key)
        if known != key:
            detail = f"entry {index} enrols {name} with a key that is not its own"
            self._judge.find("signatures", detail, index)

    def _clock(self, index: int, source: str, at_ms: int) -> None:
        back = self._latest.setdefault(source, at_ms) - at_ms
        self._latest[source] = max(self._latest[source], at_ms)
        if back > CLOCK_TOLERANCE_MS:
            self._latest[source] = at_ms  # one finding a jump, not one for each entry after it
            detail = f"entry {index}: the clock of {source} went back {back // 1000:,} s"
            self._judge.find("clock", detail, index)
        ahead = at_ms - self._seen_ms
        if index < self._seen and ahead > CLOCK_TOLERANCE_MS:
            detail = f"entry {index} is dated {ahead // 1000:,} s after witnesses saw it"
            self._judge.find("clock", detail, index)
