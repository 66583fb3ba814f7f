"""Anchoring: due, retried, never an error of the log; receipts before entries."""

import base64
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from sentienguard.controlplane import anchoring
from sentienguard.model.ids import AgentId
from sentienguard.ports import anchor
from sentienguard.ports.audit_log import AuditBroken, StoredEntry
from sentienguard.stages.audit import checkpoint, exposure
from sentienguard.trust import keys

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


class Site:
    """A log, a pen, a clock, one anchor and what they were asked, in order."""

    name, kind = "vault", "s3"

    def __init__(self):
        self.diary = []
        self.kinds = ["log.started"]
        self.fault = None
        self.now_s = 0.0
        self.receipts = {}

    # the log and the pen
    def checkpoint(self):
        text = checkpoint.Checkpoint("log.example", len(self.kinds), bytes(32)).text
        return f"{text}\n— log.example {base64.b64encode(bytes(68)).decode()}\n"

    def size(self):
        return len(self.kinds)

    def entries(self, start, end):
        return [
            StoredEntry(number, b'{"kind":"%s"}' % self.kinds[number].encode())
            for number in range(start, end)
        ]

    def append(self, *, kind, data, key, **_):
        self.diary.append(("entry", data["size"]))
        self.kinds.append(kind)

    # the clock
    def monotonic(self):
        return self.now_s

    def now(self):
        return NOON + timedelta(seconds=self.now_s)

    # the anchor and its receipts
    def keep(self, *what):
        if len(what) == 1:
            self.diary.append(("receipt", what[0].size))
            self.receipts[what[0].anchor] = what[0]
            return None
        if self.fault is not None:
            self.diary.append(("fault", what[1]))
            raise self.fault
        self.diary.append(("anchored", what[1]))
        return anchor.Receipt("vault", "s3", what[1], what[2], what[0], {"version_id": "v"})

    def newest(self):
        return dict(self.receipts)

    def desk(self, policy="1 external"):
        return anchoring.Anchoring(
            self, self, self, policy=exposure.read_policy(policy), anchors=[self], kept=self
        )

    def round_at(self, desk, now_s):
        self.now_s = now_s
        self.diary.clear()
        desk.round()
        return list(self.diary)


@pytest.fixture
def site():
    return Site()


def test_the_first_round_anchors_and_the_receipt_is_durable_before_its_entry(site):
    found = site.round_at(site.desk(), 0)
    assert found == [("anchored", 1), ("receipt", 1), ("entry", 1)]


def test_nothing_is_anchored_again_before_its_time_nor_for_its_own_entry(site):
    desk = site.desk()
    site.round_at(desk, 0)
    site.kinds.append("incident.opened")
    assert site.round_at(desk, 3599) == []
    assert site.round_at(desk, 3600)[0] == ("anchored", 3)
    assert site.round_at(desk, 7200) == []  # the log says only that it was anchored
    site.kinds.append("incident.opened")
    assert site.round_at(desk, 7205)[0] == ("anchored", 5)  # it was due, so now


def test_an_empty_log_is_anchored_as_soon_as_it_says_something(site):
    site.kinds.clear()
    desk = site.desk()
    assert site.round_at(desk, 0) == []
    site.kinds.append("log.started")
    assert site.round_at(desk, 5)[0] == ("anchored", 1)


@pytest.mark.parametrize(
    "fault",
    [anchor.AnchorAway("away"), anchor.AnchorRefused("no"), anchor.AnchorWrong("bad"),
     AuditBroken("read-only"), OSError(28, "full")],
)  # fmt: skip
def test_a_fault_is_told_and_tried_again_with_growing_pauses(site, fault):
    site.fault = fault
    desk = site.desk()
    tried = [at for at in range(3000) if site.round_at(desk, at)]
    assert tried == [0, 15, 45, 105, 225, 465, 945, 1545, 2145, 2745]
    assert desk.states["vault"].problem
    assert desk.exposure().lacking == "1 more external"
    site.fault = None
    assert site.round_at(desk, 4000)[0] == ("anchored", 1)
    assert desk.states["vault"].problem == ""
    assert desk.exposure().covered == 1


def test_a_restart_knows_what_was_anchored(site):
    site.round_at(site.desk(), 0)
    again = site.desk()
    assert again.exposure().covered == 1
    assert site.round_at(again, 1) == []


def witness(number):
    key = keys.SigningKey.generate()
    return key, SimpleNamespace(id=AgentId(f"agent-{number}"), executor_key=key.public.text)


def test_an_agent_counts_with_what_it_cosigned_itself(site):
    desk = site.desk("2 agents")
    key, agent = witness(1)
    other_key, other = witness(2)
    note = checkpoint.cosign(site.checkpoint(), f"agent:{agent.id}", key, at_s=1_800_000_000)
    desk.watchers.heard(other, note)  # brings another's word
    assert desk.watchers.seen() == []
    desk.watchers.heard(agent, note)
    assert [one.size for one in desk.watchers.seen()] == [1]
    forged = checkpoint.cosign(site.checkpoint(), f"agent:{other.id}", key, at_s=1_800_000_000)
    desk.watchers.heard(other, forged)  # the right name, another's key
    desk.watchers.heard(other, "nonsense")
    assert desk.exposure().lacking == "1 more agent"
    good = checkpoint.cosign(site.checkpoint(), f"agent:{other.id}", other_key, at_s=1_800_000_000)
    desk.watchers.heard(other, good)
    assert desk.exposure().covered == 1
