"""An order that was cut off is brought to its end with the playbook that its intent holds."""

from types import SimpleNamespace

import pytest

from sentienguard.model import errors, ids
from sentienguard.model.order import ExecutionOutcome, Phase
from sentienguard.playbook import parse
from sentienguard.stages.execute import parameters, recovery
from tests.support import execution, pretend_host
from tests.unit.execute.test_execute_admission import CLEAN, REMEDY


def read(stored):
    try:
        return parse.load(stored, origin="test"), ""
    except errors.Rejected as error:
        return None, str(error)


TRUST = SimpleNamespace(read=read)


class CutOff:
    """A host whose executor died after it wrote down an intent."""

    def __init__(self, pretend, stored=CLEAN, **changes):
        self.pretend = pretend
        given = {"parameters": {"mount": "/srv/data"}} | changes
        self.signed = execution.Centre(now=pretend_host.START).order(REMEDY, **given)
        self.journal = pretend_host.Journal()
        ledger = pretend.ledger(self.journal)
        ledger.intend(self.signed, stored, parameters.Bound({"mount": "/srv/data"}), "first")
        self.ledger = pretend.ledger(self.journal)

    def began(self):
        self.ledger.begin(Phase.STEP, 0, {}, "mark")

    def recovered(self):
        return recovery.recover(self.pretend.host(), self.ledger, TRUST)


def test_nothing_is_recovered_where_nothing_was_cut_off(pretend):
    ledger = pretend.ledger()
    assert recovery.cut_off(ledger) is None
    with pytest.raises(ValueError, match="no order was cut off"):
        recovery.recover(pretend.host(), ledger, TRUST)


def test_the_order_that_was_cut_off_is_named_until_it_has_an_end(pretend):
    cut = CutOff(pretend)
    assert recovery.cut_off(cut.ledger) == cut.signed.order.id
    report = cut.recovered()
    assert (report.order, report.outcome) == (cut.signed.order.id, ExecutionOutcome.ABORTED)
    assert report.reason == "the executor was cut off before the first step; nothing was done"
    assert recovery.cut_off(cut.ledger) is None
    assert cut.ledger.memory.orders[cut.signed.order.id]["outcome"] == "ABORTED"


def test_the_playbook_that_the_intent_holds_is_gone_on_with(pretend):
    cut = CutOff(pretend)
    cut.began()
    pretend.measured["disk_usage"] = 50.0  # its verification passes: the desired state is there
    assert cut.recovered().outcome is ExecutionOutcome.SUCCESS


SWAPPED = [CLEAN.replace(b"*.old", b"*.%d" % n) for n in range(8)]  # digests below and above


@pytest.mark.parametrize("stored", SWAPPED)
@pytest.mark.parametrize(
    ("began", "outcome", "left"),
    [
        (False, ExecutionOutcome.ABORTED, ()),
        (True, ExecutionOutcome.UNKNOWN, ("step 1",)),
    ],
)
def test_bytes_that_are_not_the_playbook_s_are_not_gone_on_with(
    pretend, stored, began, outcome, left
):
    cut = CutOff(pretend, stored=stored)
    if began:
        cut.began()
    pretend.measured["disk_usage"] = 50.0
    report = cut.recovered()
    assert (report.outcome, report.left_behind) == (outcome, left)
    assert report.reason.endswith(f"the journal holds no playbook {REMEDY.digest}")
    assert recovery.cut_off(cut.ledger) is None


def test_a_playbook_that_this_host_cannot_read_any_more_is_left_to_people(pretend):
    stored = CLEAN + b"unheard_of: 1\n"
    cut = CutOff(pretend, stored=stored, digest=ids.digest(stored))
    cut.began()
    report = cut.recovered()
    assert report.outcome is ExecutionOutcome.UNKNOWN
    assert "unheard_of" in report.reason
    assert recovery.cut_off(cut.ledger) is None
