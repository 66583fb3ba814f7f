"""The rules of the log, in memory; the adapter only keeps its bytes.

Called by adapters that store the log, through ports.audit_ledger; offered to them by composition
roots. One ledger belongs to one log and is not safe for several threads at once.

Rules; the line that refuses names its rule:
1. The control plane's and people's entries are numbered and chained here. One whose key is in the
   log already is that entry: nothing is written.
2. An agent's entry comes complete: its form, its signature by the key enrolled for it, the next
   number, the chain. The same entry again is that entry; another one under a used number is a fork.
3. Keys are unique among the centre and people; an agent's entry is known by its number instead. An
   agent can therefore not occupy the key of an intent and make it look recorded.
4. Checkpoints cover entries in their order and only ever grow; who asks for one names its size.
5. The key that signs a size follows from the size. A checkpoint of ours that another key of ours
   signed before its end was set is signed again; what vouches for the log here is its entries.
"""

from collections.abc import Callable, Sequence
from typing import TypeAlias, assert_never

from sentienguard.ports import audit_ledger, audit_log
from sentienguard.stages.audit import checkpoint, entry, merkle, sources
from sentienguard.trust import dsse
from sentienguard.trust.keys import VerifyKey
from sentienguard.trust.log_keys import LogKey, LogSigners

KeyOf: TypeAlias = Callable[[str], VerifyKey | None]


def nobody(_name: str) -> VerifyKey | None:
    """Know no agent and no witness."""
    return None


class Ledger(audit_ledger.AuditLedger):
    """One log: its tree, where its sources stand, and where to find entries."""

    def __init__(
        self,
        origin: str,
        signers: LogSigners,
        *,
        agent_key: KeyOf = nobody,
        witness_key: KeyOf | None = None,
    ) -> None:
        """Begin empty.

        `agent_key` maps an agent's source name ("agent:<id>") to its executor key. `witness_key`
        maps a witness's name to its key; agents are their own witnesses by default.
        """
        self._origin = origin
        self._signers = signers
        self._known = tuple(LogKey(one.key) for one in signers.public)  # rule 5: ends do not count
        self._agent_key = agent_key
        self._witness_key = witness_key or agent_key
        self._tree = merkle.Tree()
        self._sources = sources.Sources()
        self._by_key: dict[str, int] = {}  # centre and people
        self._by_number: dict[tuple[str, int], int] = {}  # agents
        self._by_incident: dict[str, list[int]] = {}

    @property
    def verifier_keys(self) -> str:
        """The log's name and public keys, a line each in C2SP vkey form, what goes on first."""
        return checkpoint.write_log_keys(self._origin, self._signers.public)

    def goes_on(self, verifier_keys: str) -> str:
        """Return the keys to keep where a storage claims these. Raises audit_log.EntryRefused."""
        ours = self.verifier_keys
        if verifier_keys == ours:
            return ours
        try:
            origin, claimed = checkpoint.read_log_keys(verifier_keys)
        except dsse.NotTrusted as error:
            raise audit_log.EntryRefused(f"the log's keys: {error}") from error
        ends = {one.key: one.until for one in self._signers.public}
        if origin != self._origin or ends.keys().isdisjoint(one.key for one in claimed):
            raise audit_log.EntryRefused(
                f"here is the audit log of {verifier_keys[:120]}, but the key given is {ours[:200]}"
            )
        # Whose root is older than another's takes away no newer key and no end.
        newer = all(one.key in ends and _ends_by(ends[one.key], one.until) for one in claimed)
        return ours if newer else verifier_keys

    def size(self) -> int:
        """Return how many entries it holds, durable or not."""
        return len(self._tree)

    def admit(self, new: audit_log.Entry) -> audit_ledger.Admitted:
        """Judge an entry, give it its place and its bytes. Raises audit_log.EntryRefused."""
        if isinstance(new, audit_log.SignedEntry):
            return self._admit_signed(new)
        return self._admit_own(new)

    def replay(self, stored: bytes) -> None:
        """Take in the next stored entry when a log is opened. Raises audit_log.EntryRefused."""
        end = entry.tail(stored)
        if end is None:
            raise audit_log.EntryRefused(f"entry {self.size()} is not an entry of this log")
        judged = self._sources.judge(end.source, end.seq, end.prev)
        if judged.fit is not sources.Fit.NEXT:
            raise audit_log.EntryRefused(f"entry {self.size()}: {judged.detail}")
        members = audit_log.StoredEntry(self.size(), stored).fields
        after = self._sources.state(end.source).after(end.leaf)
        self._take(stored, after, str(members["key"]), str(members["incident"]))

    def of_incident(self, incident: str) -> Sequence[int]:
        """Return the indices of an incident's entries, rising."""
        return tuple(self._by_incident.get(incident, ()))

    def leaf_hash(self, index: int) -> bytes:
        """Return the hash of an entry."""
        return self._tree.at(0, index)

    def inclusion(self, index: int, size: int) -> Sequence[bytes]:
        """Prove that an entry is in the tree of that size."""
        return self._tree.inclusion(index, size)

    def consistency(self, old: int, new: int) -> Sequence[bytes]:
        """Prove that one size grew into the other."""
        return self._tree.consistency(old, new)

    def row(self, height: int, start: int, count: int) -> bytes:
        """Return neighbouring roots of complete subtrees of 2**height leaves, concatenated."""
        return self._tree.row(height, start, count)

    def sign(self, size: int) -> str:
        """Return the signed checkpoint of the first `size` entries."""
        return checkpoint.sign(
            checkpoint.Checkpoint(self._origin, size, self._tree.root(size)),
            self._signers.signer(size),
        )

    def signed_anew(self, note: str) -> str:
        """Return a note of ours as the key of its size signs it, cosignatures kept (rule 5).

        Raises audit_log.EntryRefused for what `recognise` refuses.
        """
        size = self.recognise(note)
        return checkpoint.with_log_signature(note, self.sign(size))

    def recognise(self, note: str) -> int:
        """Return the size in a checkpoint that this log signed and that its entries bear out.

        Raises audit_log.EntryRefused for any other note.
        """
        opened = self._opened(note)
        if opened.size > self.size() or opened.root != self._tree.root(opened.size):
            raise audit_log.EntryRefused(
                f"the checkpoint of size {opened.size} does not belong to these "
                f"{self.size()} entries"
            )
        return opened.size

    def checkpointed_size(self, note: str) -> int:
        """Return the size in a checkpoint that this log's key signed, the entries not looked at.

        Raises audit_log.EntryRefused for any other note.
        """
        return self._opened(note).size

    def cosigned_by(self, note: str) -> Sequence[str]:
        """Return the names of known witnesses who validly cosigned a note, none twice."""
        try:
            return tuple(one.name for one in checkpoint.cosignatures(note, self._witness_key))
        except dsse.NotTrusted as error:
            raise audit_log.EntryRefused(f"checkpoint: {error}") from error

    def merged(self, one: str, other: str) -> str:
        """Return the checkpoint of two notes of the same size with all valid cosignatures."""
        try:
            return checkpoint.merged(one, other, self._witness_key)
        except dsse.NotTrusted as error:
            raise audit_log.EntryRefused(f"checkpoint: {error}") from error

    def _opened(self, note: str) -> checkpoint.Checkpoint:
        try:
            return checkpoint.open_checkpoint(note, self._origin, self._known)
        except dsse.NotTrusted as error:
            raise audit_log.EntryRefused(f"checkpoint: {error}") from error

    def _admit_own(self, new: audit_log.NewEntry) -> audit_ledger.Admitted:
        if entry.family(new.source) == "agent":
            raise audit_log.EntryRefused(
                f"rule 2: {new.source} speaks for itself, numbered and signed: send a SignedEntry"
            )
        known = self._by_key.get(new.key)
        if known is not None:  # rule 1
            return audit_ledger.Admitted(known, self.leaf_hash(known), None)
        leaf, after = self._sources.state(new.source).next(new)
        return self._take(leaf, after, new.key, new.incident or "")

    def _admit_signed(self, new: audit_log.SignedEntry) -> audit_ledger.Admitted:
        members = entry.read(new.leaf)
        source, seq, key = members["src"], members["src_seq"], members["key"]
        verify_key = self._agent_key(source) if entry.family(source) == "agent" else None
        if verify_key is None:
            raise audit_log.EntryRefused(f"rule 2: {source} is not an enrolled agent")
        if not verify_key.verify(new.signature, new.leaf):
            raise audit_log.EntryRefused(
                f"rule 2: number {seq} of {source} does not carry its signature"
            )
        stored = entry.with_signature(new.leaf, new.signature)
        judged = self._sources.judge(source, seq, members["src_prev"])
        match judged.fit:
            case sources.Fit.NEXT:
                after = self._sources.state(source).after(new.leaf)
                return self._take(stored, after, key, members["incident"])
            case sources.Fit.GAP:
                raise audit_log.SourceGap(f"rule 2: {judged.detail}")
            case sources.Fit.UNCHAINED:
                raise audit_log.SourceForked(f"rule 2: {judged.detail}")
            case sources.Fit.REPEATED:
                return self._again(stored, source, seq, judged.detail)
            case never:
                assert_never(never)

    def _again(self, stored: bytes, source: str, seq: int, detail: str) -> audit_ledger.Admitted:
        known = self._by_number.get((source, seq))
        if known is None or self.leaf_hash(known) != merkle.leaf_hash(stored):
            raise audit_log.SourceForked(f"rule 2: {detail}, with other content")
        return audit_ledger.Admitted(known, self.leaf_hash(known), None)

    def _take(
        self, stored: bytes, after: entry.Source, key: str, incident: str
    ) -> audit_ledger.Admitted:
        hashed = merkle.leaf_hash(stored)
        index = self._tree.append(hashed)
        self._sources.take(after)
        if entry.family(after.name) == "agent":  # rule 3
            self._by_number[after.name, after.seq] = index
        else:
            self._by_key[key] = index
        if incident:
            self._by_incident.setdefault(incident, []).append(index)
        return audit_ledger.Admitted(index, hashed, stored)


def _ends_by(until: int | None, claimed: int | None) -> bool:
    return claimed is None or (until is not None and until <= claimed)
