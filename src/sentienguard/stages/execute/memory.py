"""What an executor remembers of all its orders: its journal's records, folded one by one.

Called by `ledger`, which appends records, and by `recovery`, which reads them after a crash.
Records (field `t` says which):

    intent   an order was admitted: everything about it; nothing has happened yet
    refused  an authentic order was refused for good
    begin    a step or an undo is about to act; holds what its undo needs
    group    a process group was started (not synced: after a power cut it is gone anyway)
    end      a step or an undo is over
    verify   verification is about to start
    finish   the order is over
    seq      a stop with this sequence number was accepted
    event    a signed event for the centre
    acked    events up to here are durable at the centre
    start    what was remembered when the journal was last rewritten: marks, budgets, old orders

An order that has an intent and no finish was cut off. Its `begin` without `end` is the one piece
of which nobody knows how far it came.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sentienguard.model import ids
from sentienguard.ports import command_runner, execution_journal

REMEMBERED_ORDERS = 2_000  # an older one that ran and is sealed anew is stopped by `may_have_run`
REMEMBERED_RUNS = 5_000  # about 300 KB; a host that never stops reaches it in two days
BUDGET_MS = 3_600_000  # starts are counted over the last hour


@dataclass(slots=True)
class Piece:
    """One step or undo of the order that runs."""

    phase: str  # step or undo
    index: int  # of the step in the playbook
    recorded: Mapping[str, Any]
    mark: str
    status: str | None = None  # None: began and did not end
    changed: bool | None = None


@dataclass(slots=True)
class Running:
    """The order that is being executed, as far as it came."""

    intent: Mapping[str, Any]
    pieces: list[Piece] = field(default_factory=list)
    groups: list[command_runner.ProcessGroup] = field(default_factory=list)
    verifying: bool = False

    def apply(self, record: execution_journal.Record) -> None:
        """Take in one record of this order."""
        match record["t"]:
            case "begin":
                piece = Piece(record["phase"], record["index"], record["undo"], record["mark"])
                self.pieces.append(piece)
            case "group":
                group = command_runner.ProcessGroup(record["pgid"], record["started"])
                self.groups.append(group)
            case "end":
                piece = self.of(record["phase"])[record["index"]]
                piece.status, piece.changed = record["status"], record["changed"]
                self.groups.clear()
            case "verify":
                self.verifying = True
            case _:
                pass

    def of(self, phase: str) -> Mapping[int, Piece]:
        """Return the last piece of each step in one phase."""
        return {piece.index: piece for piece in self.pieces if piece.phase == phase}


@dataclass(slots=True)
class Memory:
    """Everything that admission and recovery ask about the past."""

    seq: int = 0  # highest sequence number accepted
    orders: dict[str, dict[str, Any]] = field(default_factory=dict)  # id -> how it stands
    handled: set[str] = field(default_factory=set)  # incident + playbook, the newest real runs
    forgotten: str = ""  # the newest run that is not in `handled` any more
    versions: dict[str, str] = field(default_factory=dict)  # playbook -> highest executed
    starts: list[tuple[str, int]] = field(default_factory=list)  # playbook, wall ms of last hour
    running: Running | None = None
    event_seq: int = 0  # of the last event
    event_prev: str = ""  # its digest
    acked: int = 0
    events: list[Mapping[str, Any]] = field(default_factory=list)  # not yet acked

    def apply(self, record: execution_journal.Record) -> None:
        """Take in one record; unknown ones are of a newer version and change nothing."""
        match record["t"]:
            case "start":
                self._start(record)
            case "intent":
                self._intent(record)
            case "refused":
                self.seq = max(self.seq, record["seq"])
                self._remember(record["order"], {"state": "refused", **_told(record)})
            case "begin" | "group" | "end" | "verify" if self.running is not None:
                self.running.apply(record)
            case "finish":
                self._remember(record["order"], {"state": "finished", **_told(record)})
                self.running = None
            case "seq":
                self.seq = max(self.seq, record["seq"])
            case "event":
                self.events.append(record)
                self.event_seq, self.event_prev = record["seq"], record["digest"]
            case "acked":
                self.acked = max(self.acked, record["through"])
                self.events = [each for each in self.events if each["seq"] > self.acked]
            case _:
                pass

    def may_have_run(self, incident: str, playbook: str) -> bool:
        """Tell whether this playbook ran for this incident, or did so too long ago to be known.

        Names of runs sort by when their incident was opened. Only the oldest are forgotten, so what
        ran is in `handled` or not after `forgotten`: no run is ever taken for a new one. What never
        ran and is older than 5,000 later runs counts as run; it would be the remedy of a symptom
        that was seen before all of them.
        """
        key = handled_key(incident, playbook)
        return key in self.handled or key <= self.forgotten

    def starts_within(self, playbook: str | None, now_ms: int) -> int:
        """Count admitted real runs of the last hour; a stamp in the future counts, too."""
        return sum(
            1
            for name, at_ms in self.starts
            if at_ms > now_ms - BUDGET_MS and playbook in {None, name}
        )

    def compacted(self) -> Iterator[execution_journal.Record]:
        """Yield the records of a shorter journal that is remembered the same."""
        if self.running is not None:
            raise ValueError("an order runs; its records are still needed")
        yield {
            "t": "start",
            "seq": self.seq,
            "orders": self.orders,
            "handled": sorted(self.handled),
            "forgotten": self.forgotten,
            "versions": self.versions,
            "starts": [list(each) for each in self.starts],
            "event_seq": self.event_seq,
            "event_prev": self.event_prev,
            "acked": self.acked,
        }
        yield from self.events

    def _start(self, record: execution_journal.Record) -> None:
        self.seq, self.acked = record["seq"], record["acked"]
        self.orders, self.versions = dict(record["orders"]), dict(record["versions"])
        self.handled, self.forgotten = set(record["handled"]), record.get("forgotten", "")
        self.starts = [(name, at_ms) for name, at_ms in record["starts"]]
        self.event_seq, self.event_prev = record["event_seq"], record["event_prev"]

    def _intent(self, record: execution_journal.Record) -> None:
        order = record["order"]
        self.seq = max(self.seq, record["seq"])
        self.running = Running(record)
        self._remember(order["id"], {"state": "admitted", "incident": order["incident"]})
        if order["dry_run"]:
            return
        self.handled.add(handled_key(order["incident"], order["playbook"]))
        while len(self.handled) > REMEMBERED_RUNS:
            self.forgotten = max(self.forgotten, min(self.handled))
            self.handled.remove(min(self.handled))
        self.versions[order["playbook"]] = max(
            order["version"], self.versions.get(order["playbook"], "0"), key=ids.version_key
        )
        oldest = record["at_ms"] - BUDGET_MS
        self.starts = [each for each in self.starts if each[1] > oldest]
        self.starts.append((order["playbook"], record["at_ms"]))

    def _remember(self, order: str, state: dict[str, Any]) -> None:
        self.orders.pop(order, None)
        self.orders[order] = state
        while len(self.orders) > REMEMBERED_ORDERS:
            del self.orders[next(iter(self.orders))]


def handled_key(incident: str, playbook: str) -> str:
    """Name the one real run that a playbook can have for an incident.

    An incident's id begins with the second at which it was opened, so names sort by that time.
    """
    return f"{incident}/{playbook}"


def _told(record: execution_journal.Record) -> dict[str, Any]:
    return {name: record[name] for name in ("outcome", "rule", "reason") if name in record}
