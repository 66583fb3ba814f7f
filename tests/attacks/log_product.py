"""The product's log under attack: its own files, three hosts that witness it, three verifiers.

Used by the attacks on the log. `built` makes a log with the product (its ledger, its files, its
witnesses); an attack works on the records, the checkpoint and the cosigned notes, which are all
that anybody compares; `written` lays them down as a directory again. What the three verifiers know
from elsewhere is what an auditor has who asked the hosts: the log's key, their keys, the checkpoint
that one of them holds and how many entries each has sent.
"""

import copy
import dataclasses
import importlib.util
import json
import pathlib
import re
from typing import Any

from sentienguard.adapters.audit_files import log, reader, segments
from sentienguard.ports import audit_log
from sentienguard.stages.audit import checkpoint, entry, ledger, merkle, verify, witness
from sentienguard.trust import canonical
from sentienguard.trust.keys import SigningKey
from sentienguard.trust.log_keys import LogKey, LogSigners
from tests.attacks import log_history
from tests.attacks.log_history import HOSTS, LOG, ORIGIN, OWN, QUORUM, Event
from tests.support import second_verifier

TOOL = pathlib.Path(__file__).resolve().parents[2] / "tools" / "verify_audit_log.py"
BATCH = 500
_TAIL = re.compile(rb'"src_prev":"([0-9a-f]*)","src_seq":([0-9]+)')
SAME = {"keys": "sources", "entries": "canonical"}  # checks that the product tells apart


def _standalone() -> Any:
    """Load the stand-alone verifier, which is a file and no module of ours."""
    spec = importlib.util.spec_from_file_location("verify_audit_log", TOOL)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


STANDALONE = _standalone()


@dataclasses.dataclass
class Product:
    """A log's content and what others know of it."""

    records: list[bytes]
    head: str  # newest checkpoint
    cosigned: dict[int, str]  # by size
    held: str  # the checkpoint that the first host holds
    said: dict[str, int]  # what each host says that it has sent
    heads: dict[int, str]  # genuine ones that the attacker kept
    key: str  # vkey beside the log
    place: pathlib.Path  # where a directory may be made
    changed: int | None = None  # the first record that is not as it was

    def __len__(self) -> int:
        return len(self.records)

    def copy(self) -> "Product":
        """Return a copy to be attacked."""
        fresh = copy.copy(self)
        fresh.records, fresh.cosigned = list(self.records), dict(self.cosigned)
        fresh.said = dict(self.said)
        return fresh

    def source(self, index: int) -> str:
        """Tell who said a record."""
        return self._end(index).source

    # --- what an attacker does to records

    def edit(self, index: int, **changed: Any) -> None:
        """Change what a record says, and nothing that follows from it."""
        members = json.loads(self.records[index])
        if "text" in changed:
            members["data"]["text"] = changed["text"]
        if "at" in changed:
            members["ts_ms"] = int(changed["at"].timestamp() * 1000)
        self._put(index, [canonical.encode(members)], instead_of=1)

    def delete(self, index: int) -> None:
        """Take a record out."""
        self._put(index, [], instead_of=1)

    def swap(self, index: int) -> None:
        """Exchange a record with the next one."""
        self._put(index, [self.records[index + 1], self.records[index]], instead_of=2)

    def insert(self, index: int, record: Event, signer: SigningKey | None = None) -> None:
        """Put another record before this one; `signer` is the host's own key."""
        leaf, _ = entry.Source(record.source).next(record.as_new())
        if signer is not None:
            leaf = entry.with_signature(leaf, signer.sign(leaf))
        self._put(index, [leaf], instead_of=0)

    def repeat(self, index: int) -> None:
        """Put a record a second time, at the end."""
        self._put(len(self), [self.records[index]], instead_of=0)

    def cut(self, size: int) -> None:
        """Take away all records from here on; the head is a genuine one of that size."""
        del self.records[size:]
        self.head = self.heads[size]
        self.cosigned = {n: note for n, note in self.cosigned.items() if n <= size}

    def roll_back(self, size: int) -> None:
        """Put everything back to how it was when it had this size."""
        self.cut(size)

    # --- what an attacker writes anew

    def relink(self, *, log_key: bool = False, host: str | None = None) -> None:
        """Number, chain and sign anew, with these keys in hand; drop notes that would show it.

        The control plane's entries need no key. A host's entries stay as they are without its key:
        a changed one is worse for the attacker than one that merely does not fit.
        """
        states: dict[str, entry.Source] = {}
        for index in range(len(self)):
            end = self._end(index)
            state = states.get(end.source) or entry.Source(end.source)
            own = end.source == host or not end.source.startswith("agent:")
            if own and (end.prev, end.seq) != (state.prev, state.seq + 1):
                members = json.loads(end.leaf) | {"src_prev": state.prev, "src_seq": state.seq + 1}
                self._put(index, [canonical.encode(members)], instead_of=1)
            leaf = self._end(index).leaf
            if end.source == host and not HOSTS[host].public.verify(end.signature or b"", leaf):
                self._put(index, [entry.with_signature(leaf, HOSTS[host].sign(leaf))], instead_of=1)
            states[end.source] = entry.Source(end.source, self._end(index).seq - 1).after(leaf)
        if log_key:
            self.head = self._signed(LOG)
            kept = len(self) if self.changed is None else self.changed
            self.cosigned = {n: note for n, note in self.cosigned.items() if n <= kept}

    def start_over(self) -> None:
        """Write anew everything under a key of the attacker's own, and witnesses of its own."""
        self.relink()
        self.head, self.key = self._signed(OWN), checkpoint.verifier_key(ORIGIN, OWN.public)
        self.cosigned = {len(self): log_history.cosigned(self.head, dict.fromkeys(HOSTS, OWN), 0)}

    def publish(self) -> None:
        """Make it as if the control plane had put these records in: all hosts cosign what it is."""
        self.relink(log_key=True)
        size = len(self)
        self.held = log_history.cosigned(self.head, HOSTS, size)
        self.cosigned = {size: self.held}

    def show_apart(self) -> None:
        """Sign these records for one client, with the log's key and one host of three."""
        self.relink(log_key=True)
        (first, key), *_ = HOSTS.items()
        self.cosigned[len(self)] = log_history.cosigned(self.head, {first: key}, len(self))
        self.held = ""  # this client asked nobody: quorum is all it has

    def _end(self, index: int) -> entry.Tail:
        end = entry.tail(self.records[index])
        assert end is not None
        return end

    def _put(self, index: int, records: list[bytes], *, instead_of: int) -> None:
        self.records[index : index + instead_of] = records
        self.changed = index if self.changed is None else min(self.changed, index)

    def _signed(self, key: SigningKey) -> str:
        size, root = merkle.root_of(map(merkle.leaf_hash, self.records))
        return checkpoint.sign(checkpoint.Checkpoint(ORIGIN, size, root), key)

    # --- what verifiers find

    def written(self) -> pathlib.Path:
        """Lay the log down as a directory."""
        (self.place / "segments").mkdir(parents=True, exist_ok=True)
        (self.place / "cosigned").mkdir(exist_ok=True)
        for old in (*self.place.glob("segments/*"), *self.place.glob("cosigned/*")):
            old.unlink()
        framed = b"".join(segments.frame(one, begins=True) for one in self.records)
        segments.named(self.place / "segments", 0).write_bytes(framed)
        (self.place / "checkpoint").write_text(self.head)
        (self.place / "log.vkey").write_text(self.key)
        for size, note in self.cosigned.items():
            (self.place / "cosigned" / f"{size:020d}").write_text(note)
        return self.place

    def findings(self) -> list[str]:
        """Return what the stand-alone verifier says."""
        found = self.by_standalone(self.written())
        return [f"{check}: {text}" for check, texts in found.items() for text in texts]

    def by_standalone(self, directory: pathlib.Path, **withheld: Any) -> dict[str, list[str]]:
        """Ask tools/verify_audit_log.py; `withheld` replaces what it would bring from elsewhere."""
        brought: dict[str, Any] = {
            "key": checkpoint.verifier_key(ORIGIN, LOG.public),
            "against": self._against,
            "witness_keys": WITNESSES,
            "quorum": QUORUM,
            "agent_keys": WITNESSES,
            "said": self.said,
        }
        results, _ = STANDALONE.verify(directory, **brought | withheld)
        found: dict[str, list[str]] = results.findings
        return found

    def by_product(self, directory: pathlib.Path) -> dict[str, list[str]]:
        """Ask `sentienguard.stages.audit.verify`."""
        keys = {name: key.public for name, key in HOSTS.items()}
        trust = verify.Trust(
            ORIGIN,
            [LogKey(LOG.public)],
            older=tuple(self._against),
            witnesses=keys,
            quorum=QUORUM,
            agent_key=keys.get,
            said=self.said,
        )
        found: dict[str, list[str]] = {}
        for one in verify.verify(reader.read_stored(directory), trust, deep=True).findings:
            found.setdefault(SAME.get(one.check, one.check), []).append(one.detail)
        return found

    def by_second(self, directory: pathlib.Path) -> dict[str, list[str]]:
        """Ask the verifier that lives in tests."""
        return second_verifier.judge(
            directory,
            second_verifier.Held(
                checkpoint.verifier_key(ORIGIN, LOG.public),
                checkpoints=self._against,
                witnesses=WITNESSES,
                quorum=QUORUM,
                agents=WITNESSES,
                said=self.said,
            ),
        )

    @property
    def _against(self) -> list[str]:
        return [self.held] if self.held else []


WITNESSES = [
    checkpoint.verifier_key(name, key.public, checkpoint.COSIGNATURE) for name, key in HOSTS.items()
]


def built(size: int, place: pathlib.Path) -> Product:
    """Make the log with the product, the hosts witnessing it as they do, and read it back."""
    public = {name: key.public for name, key in HOSTS.items()}
    rules = ledger.Ledger(ORIGIN, LogSigners.of(LOG), agent_key=public.get)
    states = {name: entry.Source(name) for name in HOSTS}
    memories = dict.fromkeys(HOSTS, witness.Memory())
    note = ""
    with log.AuditFiles(place / "made", rules) as audit:
        for mark in sorted(set(log_history.marks(size))):
            while audit.size() < mark:
                end = min(audit.size() + BATCH, mark)
                outcomes = audit.append_many(
                    [_told(log_history.event(n), states) for n in range(audit.size(), end)]
                )
                assert all(isinstance(one, audit_log.Appended) for one in outcomes)
            note = audit.prove(mark - 1).checkpoint
            for name, key in HOSTS.items():
                proof = audit.consistency(memories[name].size, mark)
                identity = witness.Identity(name, key, ORIGIN, [LogKey(LOG.public)])
                at_s = int((log_history.BEGAN + mark * log_history.STEP).timestamp())
                memories[name], cosigned = witness.witness(
                    memories[name], note, proof, identity, at_s=at_s
                )
                audit.add_cosignature(cosigned)
        heads = {n: rules.sign(n) for n in _cuts(size)}
    stored = reader.read_stored(place / "made")
    assert checkpoint.read_text(checkpoint.read_note(note).text).size == size
    return Product(
        records=[one for one in stored.records if isinstance(one, bytes)],
        head=stored.checkpoint or "",
        cosigned={_size_of(note): note for note in stored.cosigned},
        held=cosigned,
        said={name: state.seq for name, state in states.items()},
        heads=heads,
        key=stored.verifier_keys,
        place=place / "attacked",
    )


def _cuts(size: int) -> set[int]:
    """Sizes of which an attacker kept the genuine checkpoint: every one; here, those in use."""
    half, anchor, _ = log_history.marks(size)
    return {half, anchor, anchor - 1, size - 1, size - size // 20 - 1}


def _size_of(note: str) -> int:
    return checkpoint.read_text(checkpoint.read_note(note).text).size


def _told(event: Event, states: dict[str, entry.Source]) -> audit_log.Entry:
    if not event.is_of_host:
        return event.as_new()
    new = log_history.signed(event, states[event.source], HOSTS[event.source])
    states[event.source] = states[event.source].after(new.leaf)
    return new
