"""Playbooks that administrators write, from an empty page to a version that signers signed.

Called by api.playbook_drafts; opened by app.py. Nothing here signs: the keys of the signers are
offline and stay there. Rules:

1. A draft is text. It is read and judged, never matched, ordered or handed to a host.
2. It is proven in a child that pretends a host (errands); what came of it is kept by the digests of
   playbook and case.
3. What signers get is what `sentienguard trust rotate --list` would make: the catalogue that stands
   here with this version beside it, unsigned. A name and version that is listed stays as it is.
4. What they hand back is judged by `trust_exchange`, as `sentienguard trust import` does it. In
   addition all of it has to read here, since an unreadable one would end the control plane.
5. The record is written before the files, and the files before the new version counts. A draft is
   done when the catalogue that counts lists exactly its bytes.
6. Under another root nothing counts before the next start: keys change their places there.
"""

import functools
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from sentienguard import __version__
from sentienguard.controlplane import shipped, trust_exchange, trust_store
from sentienguard.controlplane.errands import Errand, Errands, Kind, Luggage
from sentienguard.controlplane.library import Library
from sentienguard.controlplane.trust_store import TrustStore
from sentienguard.flow.ledger import Ledger
from sentienguard.model import errors, ids
from sentienguard.model.ids import Digest, PlaybookName
from sentienguard.playbook import drafting, parse
from sentienguard.playbook.findings import Level
from sentienguard.ports.clock import Clock
from sentienguard.ports.draft_store import (
    Draft,
    DraftId,
    DraftMoved,
    DraftState,
    DraftStore,
    Proof,
)
from sentienguard.ports.entropy import Entropy
from sentienguard.trust import bundle as bundles
from sentienguard.trust import catalogue, ceremony

MOST_OPEN: Final = 50  # drafts that anybody still looks after
# Of a playbook, and of a case. The largest bundled one has 5 KiB; the longest text that the reader
# takes, four times this, can cost seconds of a process that has other things to do.
MOST_TEXT_BYTES: Final = 64 * 1024
MOST_SIGNED_BYTES: Final = 16 << 20  # of what is handed back; a larger one is imported on the spot
MOST_SHOWN: Final = 200  # proofs of one report; a playbook of 20 steps makes 60
MOST_REASON: Final = 400  # characters
BEGIN: Final = """\
name: {name}
version: "1.0.0"
description: >
  Say which symptom it is for, in the words of alerts and logs; what it does, and what it leaves
  alone.
match: {{system: any, resource: disk, symptom: exhaustion}}
risk: WARNING
guard: disk_usage > 90%
steps: []
verification: []
"""


class CannotPropose(errors.Rejected):
    """This draft cannot become what signers are asked to sign."""


class TooManyDrafts(errors.TooMany):
    """Too many drafts are open."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What the desk works with."""

    directory: Path  # of the control plane
    store: DraftStore
    errands: Errands
    trust: TrustStore
    library: Library
    pen: Ledger
    clock: Clock
    entropy: Entropy


@dataclass(frozen=True, slots=True)
class Unsigned:
    """What signers get."""

    file: str  # its name
    content: bytes
    catalogue: int  # version of the catalogue that waits for their signatures


@dataclass(frozen=True, slots=True)
class TakenOver:
    """What came of a file that was handed back."""

    catalogue: int
    root: int
    signed_by: tuple[str, ...]  # key ids
    added: tuple[tuple[str, str], ...]  # names and versions that were not listed here before
    revoked: tuple[tuple[str, str], ...]  # that could run before and cannot now
    holds_draft: bool  # exactly its bytes are listed
    in_force: bool  # False: from the next start on (rule 6)


class DraftDesk:
    """Drafts, from their making to their end."""

    def __init__(self, parts: Parts) -> None:
        """Work with these parts."""
        self._parts = parts
        self._taking = threading.Lock()  # one file is taken over at a time

    @property
    def store(self) -> DraftStore:
        """What is kept."""
        return self._parts.store

    def judge(self, draft: Draft) -> drafting.Judged:
        """Say everything about the text of a draft; of one that has ended, only about its text."""
        if draft.state is not DraftState.OPEN:
            return drafting.judge(draft.text.encode(), origin=draft.name)
        listed = [
            (one.version, one.digest)
            for one in self._parts.trust.catalogue.playbooks
            if one.name == draft.name
        ]
        return _judged(draft.text, draft.name, tuple(listed))

    def begin(self, name: PlaybookName, base: str, *, by: str) -> Draft:
        """Begin a draft from a version, or from nothing where `base` is empty.

        Raises CannotPropose and TooManyDrafts.
        """
        store, now = self.store, self._parts.clock.now()
        if store.count_open() >= MOST_OPEN:
            raise TooManyDrafts(f"{MOST_OPEN} drafts are open; drop those that nobody needs")
        made = Draft(
            id=DraftId(f"drf_{now:%Y%m%d_%H%M%S}_{self._parts.entropy.bytes(4).hex()}"),
            name=name,
            base=base,
            text=self._text_of(name, base),
            case=self._case_of(name, base) if base else "",
            revision=1,
            by=by,
            made_at=now,
            changed_by=by,
            changed_at=now,
        )
        self._record("draft_made", made, by, {"base": base})
        store.add(made)
        return made

    def change(self, draft: DraftId, text: str, case: str, revision: int, *, by: str) -> Draft:
        """Put text and case into a draft. Raises NoSuchDraft, DraftMoved and CannotPropose."""
        for what, content in (("playbook", text), ("case", case)):
            if (size := len(content.encode("utf-8", "surrogatepass"))) > MOST_TEXT_BYTES:
                raise CannotPropose(
                    f"{what}: expected at most {MOST_TEXT_BYTES} bytes, found {size}"
                )
            if not _is_text(content):
                raise CannotPropose(f"{what}: expected text of Unicode characters")
        kept = self.store.change(
            replace(
                self.store.get(draft),
                text=text,
                case=case,
                revision=revision,
                changed_by=by,
                changed_at=self._parts.clock.now(),
            )
        )
        self._record("draft_changed", kept, by, {"revision": kept.revision})
        return kept

    def drop(self, draft: DraftId, *, by: str) -> None:
        """End a draft that nobody wants. Raises NoSuchDraft and DraftMoved."""
        found = self._open(draft)
        self._record("draft_dropped", found, by, {"revision": found.revision})
        self.store.end(draft, DraftState.DROPPED, by=by, at=self._parts.clock.now())

    # ---- proving ------------------------------------------------------------------------------

    def prove(self, draft: DraftId, *, by: str) -> Errand:
        """Try a draft on its pretended host, in the background (rule 2).

        Raises NoSuchDraft, DraftMoved, CannotPropose, errands.TooMany.
        """
        found = self._open(draft)
        if not found.case.strip():
            raise CannotPropose("there is no pretended host to prove it on; write its case first")
        stored = found.text.encode()
        parse.load(stored, origin=found.name)

        def then(errand: Errand, answer: Mapping[str, Any]) -> None:
            self._keep_proof(found, errand, answer)

        files = {shipped.PLAYBOOK: stored, shipped.CASE: found.case.encode()}
        return self._parts.errands.ask(
            Kind.PROOF,
            ["playbook", "test", "{out}"],
            {"draft": found.id, "revision": found.revision},
            by,
            luggage=Luggage(files, then),
        )

    def proof_of(self, draft: Draft) -> Proof | None:
        """Return what is known of exactly these bytes."""
        return self.store.proof(ids.digest(draft.text.encode()), ids.digest(draft.case.encode()))

    def errand_of(self, draft: Draft) -> Errand | None:
        """Return the newest proof that was asked for, whatever the bytes were then."""
        asked = self._parts.errands.list(Kind.PROOF)
        return next((one for one in asked if one.asked.get("draft") == draft.id), None)

    @property
    def errands(self) -> Errands:
        """Where proofs run."""
        return self._parts.errands

    def _keep_proof(self, draft: Draft, errand: Errand, answer: Mapping[str, Any]) -> None:
        proofs = _proofs(answer)
        held = sum(bool(one["passed"]) for one in proofs)
        proof = Proof(
            digest=ids.digest(draft.text.encode()),
            case=ids.digest(draft.case.encode()),
            at=self._parts.clock.now(),
            by=errand.by,
            release=__version__,
            held=held,
            failed=len(proofs) - held,
            report=json.dumps(proofs[:MOST_SHOWN]),
        )
        said = {"revision": draft.revision, "case": proof.case, "held": held,
                "failed": proof.failed}  # fmt: skip
        self._record("draft_proven", draft, errand.by, said)
        self.store.put_proof(proof)

    # ---- signing, elsewhere -------------------------------------------------------------------

    def unsigned(self, draft: DraftId, days: int) -> Unsigned:
        """Return what signers are to sign (rule 3).

        Raises NoSuchDraft, DraftMoved, CannotPropose, ceremony.CannotDraft, dsse.NotTrusted.
        """
        found = self._open(draft)
        judged = self.judge(found)
        wrong = [one for one in judged.remarks if one.level is Level.ERROR]
        if wrong:
            first = wrong[0]
            raise CannotPropose(
                f"{found.name}: cannot be signed: {first.message} [{first.rule}]; {first.way_out}"
            )
        stored = found.text.encode()
        listed = catalogue.Listed(found.name, judged.version, judged.digest)
        standing = trust_exchange.read(self._parts.directory)
        made = ceremony.list_playbooks(
            standing,
            {judged.digest: (listed, stored)},
            expires_at=self._parts.clock.now() + timedelta(days=days),
        )
        version = 0 if made.catalogue is None else catalogue.claimed(made.catalogue).version
        name = f"trust-{found.name}-{judged.version}.json"
        return Unsigned(name, bundles.write(made), version)

    def take_over(self, draft: DraftId, content: bytes, *, by: str) -> TakenOver:
        """Take over what signers handed back (rules 4 to 6).

        Raises NoSuchDraft, DraftMoved, dsse.NotTrusted, trust_exchange.NotTaken, CannotPropose;
        nothing is changed then.
        """
        parts = self._parts
        with self._taking:
            found = self._open(draft)
            bundle = bundles.read(content)
            now = parts.clock.now()
            judged = trust_exchange.judge(parts.directory, bundle, now=now).verified
            _require_readable(bundle, judged.catalogue)
            taken = self._outcome(found, bundle, judged)
            self._record("taken_over", found, by, _told(judged, taken))  # rule 5
            trust_exchange.take_over(parts.directory, bundle, now=now)
            fresh = trust_store.load(
                parts.directory, agents_address=parts.trust.agents_address, now=now
            )
            if taken.in_force:
                library = Library(fresh)
                parts.trust.adopt(fresh)
                parts.library.adopt(library)
            if taken.holds_draft:
                self.store.end(draft, DraftState.TAKEN_OVER, by=by, at=now)
        return taken

    def _outcome(self, draft: Draft, bundle: bundles.Bundle, judged: bundles.Verified) -> TakenOver:
        before = self._parts.trust.catalogue.playbooks
        known = {one.digest for one in before}
        after = judged.catalogue
        added = [one for one in after.playbooks if one.digest not in known and not one.revoked]
        gone = [one for one in before if not one.revoked and not after.permits(one.digest)]
        signed = next(
            (one.signed for one in bundles.missing(bundle) if one.document.startswith("catalogue")),
            (),
        )
        return TakenOver(
            catalogue=after.version,
            root=judged.root.version,
            signed_by=signed,
            added=tuple((one.name, one.version) for one in added),
            revoked=tuple((one.name, one.version) for one in gone),
            holds_draft=after.permits(ids.digest(draft.text.encode())),
            in_force=judged.root.digest == self._parts.trust.root.digest,
        )

    # ---- small things -------------------------------------------------------------------------

    def _text_of(self, name: PlaybookName, base: str) -> str:
        listing = self._parts.trust.listing
        named = [one for one in listing.catalogue.playbooks if one.name == name]
        if not base:
            if named:
                raise CannotPropose(
                    f"{name} is listed already: begin from one of its versions, which has a digest"
                )
            return BEGIN.format(name=name)
        if all(one.digest != base for one in named):
            raise CannotPropose(f"the catalogue lists no version of {name} with digest {base}")
        stored = listing.playbooks[Digest(base)]
        if len(stored) > MOST_TEXT_BYTES:
            raise CannotPropose(
                f"{name}: expected at most {MOST_TEXT_BYTES} bytes to edit here, found "
                f"{len(stored)}; edit the file and list it with `sentienguard trust rotate`"
            )
        return stored.decode()

    def _case_of(self, name: PlaybookName, base: str) -> str:
        """Return the pretended host that was written for this version, else the shipped one."""
        written = (
            one.case
            for one in self.store.list()
            if one.case and ids.digest(one.text.encode()) == base
        )
        return next(written, None) or shipped.case_of(name, base).decode("utf-8", "replace")

    def _open(self, draft: DraftId) -> Draft:
        found = self.store.get(draft)
        if found.state is not DraftState.OPEN:
            how = found.state.value.replace("_", " ")
            raise DraftMoved(f"draft {found.id} was {how} by {found.ended_by}; begin another one")
        return found

    def _record(self, kind: str, draft: Draft, by: str, more: Mapping[str, Any]) -> None:
        self._parts.pen.append(
            kind=f"playbook.{kind}",
            env="",
            actor=by,
            data={
                "draft": draft.id,
                "name": draft.name,
                "digest": ids.digest(draft.text.encode()),
                **more,
            },
        )


@functools.lru_cache(maxsize=MOST_OPEN)  # a list of drafts is read again with each change of one
def _judged(
    text: str, name: PlaybookName, listed: tuple[tuple[str, Digest], ...]
) -> drafting.Judged:
    return drafting.judge_version(text.encode(), name, listed, origin=name)


def _require_readable(bundle: bundles.Bundle, listed: catalogue.Catalogue) -> None:
    """Refuse a catalogue with which no control plane of this release could start (rule 4)."""
    for one in listed.playbooks:
        if one.revoked:
            continue
        try:
            parse.load(bundle.playbooks[one.digest], origin=f"{one.name} {one.version}")
        except parse.BrokenPlaybook as cause:
            raise CannotPropose(
                f"catalogue {listed.version} lists {one.name} {one.version}, which this release "
                f"cannot read: {cause}"
            ) from cause


def _told(judged: bundles.Verified, taken: TakenOver) -> dict[str, Any]:
    """Return what the record says; the catalogue's digest names everything in it."""
    return {
        "catalogue": judged.catalogue.version,
        "catalogue_digest": judged.catalogue.digest,
        "root": judged.root.version,
        "signed_by": list(taken.signed_by)[:16],
        "added": [f"{name} {version}" for name, version in taken.added][:20],
        "revoked": [f"{name} {version}" for name, version in taken.revoked][:20],
        "holds_draft": taken.holds_draft,
        "in_force": "now" if taken.in_force else "from the next start",
    }


def _proofs(answer: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return what a child printed, of which only text and truth are believed to be so."""
    items = answer.get("items")
    found = items[0].get("proofs", []) if isinstance(items, list) and items else []
    return [
        {
            "name": str(one.get("name", ""))[:80],
            "passed": one.get("passed") is True,
            "step": str(one.get("step", ""))[:120],
            "reason": str(one.get("reason", ""))[:MOST_REASON],
        }
        for one in found
        if isinstance(one, dict)
    ]


def _is_text(content: str) -> bool:
    try:
        content.encode()
    except UnicodeEncodeError:  # half of a surrogate pair
        return False
    return True
