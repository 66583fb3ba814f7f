"""What stands between a text and a version that signers can be asked to sign.

Called by controlplane.draft_desk and by `sentienguard playbook lint`. Text that nobody signed is
only read here: by the reader and the rules of everything else. Rules of a new version, each a
remark where it does not hold:

1. It reads as a playbook, and lint finds no error.
2. It keeps the name of the draft.
3. Its version is listed nowhere yet. What was signed once never changes.
4. Its version is above every one that is listed: the newest one is in force.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from sentienguard.model import ids
from sentienguard.playbook import lint, parse
from sentienguard.playbook.findings import Finding, Level
from sentienguard.playbook.problems import BrokenPlaybook, Problem

_WRITE_IT = "write it as expected"


@dataclass(frozen=True, slots=True)
class Remark:
    """One thing to change or to think about."""

    level: Level
    line: int | None  # counts from 1; None: it is about the whole
    path: str  # where, for example steps[0].rollback
    rule: str
    message: str
    way_out: str
    expected: str = ""  # of what does not read; empty where it is about more than one value
    found: str = ""


@dataclass(frozen=True, slots=True)
class Judged:
    """What is known of a text."""

    digest: ids.Digest
    name: str  # empty: it says none that can be read
    version: str
    remarks: tuple[Remark, ...]
    lines: Mapping[str, int] = field(default_factory=dict)  # of the keys, where it reads

    @property
    def signable(self) -> bool:
        """Tell whether signers may be asked."""
        return all(one.level is not Level.ERROR for one in self.remarks)


def judge(stored: bytes, *, origin: str, reason_beside: str = "") -> Judged:
    """Say everything about a text (rule 1). `reason_beside` is as for `lint.lint`."""
    digest = ids.digest(stored)
    try:
        draft = parse.load_draft(stored, origin=origin)
    except BrokenPlaybook as broken:
        return Judged(digest, "", "", tuple(_unread(one) for one in broken.problems))
    wrong = {(one.line, one.path): one for one in (*draft.problems, *draft.missing)}
    findings = lint.lint(draft, reason_beside=reason_beside)
    return Judged(
        digest,
        draft.playbook.name,
        draft.playbook.version,
        tuple(_remark(one, wrong.get((one.line or 0, one.path))) for one in findings),
        draft.lines,
    )


def judge_version(
    stored: bytes, name: str, listed: Sequence[tuple[str, ids.Digest]], *, origin: str
) -> Judged:
    """Say everything about a text that is to become the next version of a playbook.

    `listed` are versions and digests of that name, taken back or not.
    """
    judged = judge(stored, origin=origin)
    more = (
        replace(one, line=judged.lines.get(one.path)) for one in _of_version(judged, name, listed)
    )
    ordered = sorted((*judged.remarks, *more), key=lambda one: (one.line or 0, one.path, one.rule))
    return replace(judged, remarks=tuple(ordered))


def _of_version(
    judged: Judged, name: str, listed: Sequence[tuple[str, ids.Digest]]
) -> Iterable[Remark]:
    if judged.name and judged.name != name:
        yield _error(
            "draft-name", "name", name, judged.name,
            "keep the name, or begin a draft of a playbook with that name",
        )  # fmt: skip
    if not judged.version:
        return
    same = next((digest for version, digest in listed if version == judged.version), None)
    if same == judged.digest:
        yield _error(
            "version-taken", "version", "a change", "the bytes that are signed already",
            "change something and raise the version, or drop the draft",
        )  # fmt: skip
    elif same is not None:
        yield _error(
            "version-taken", "version", "a version that is not listed yet", judged.version,
            "raise the version: what was signed under this one never changes",
        )  # fmt: skip
    elif listed:
        newest = max((version for version, _ in listed), key=ids.version_key)
        if ids.version_key(judged.version) < ids.version_key(newest):
            yield _error(
                "version-not-newer", "version", f"a version above {newest}", judged.version,
                "raise the version: the newest one is in force",
            )  # fmt: skip


def _error(rule: str, path: str, expected: str, found: str, way_out: str) -> Remark:
    text = f"expected {expected}, found {found}"
    return Remark(Level.ERROR, None, path, rule, text, way_out, expected, found)


def _unread(problem: Problem) -> Remark:
    text = f"expected {problem.expected}, found {problem.found}"
    return Remark(
        Level.ERROR, problem.line, problem.path, "language", text, _WRITE_IT,
        problem.expected, problem.found,
    )  # fmt: skip


def _remark(finding: Finding, problem: Problem | None) -> Remark:
    unread = problem if finding.rule in {"language", "unfinished"} else None
    return Remark(
        finding.level, finding.line, finding.path, finding.rule, finding.message, finding.way_out,
        unread.expected if unread else "", unread.found if unread else "",
    )  # fmt: skip
