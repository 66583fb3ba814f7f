"""Where the facts of a signed condition come from: the host, or the order for what it alone has."""

import pytest

from sentienguard.playbook import conditions as language
from sentienguard.ports import facts
from sentienguard.stages.execute import conditions, parameters
from tests.support import pretend_host

NOTHING = parameters.Bound({})


def fact(name, *, brought=None, tags=None, bound=NOTHING, table=(), **measured):
    host = pretend_host.PretendHost(tags=tags)
    host.measured = measured
    host.table = {one.pid: one for one in table}
    return conditions.fact(name, bound, brought or {}, host.host())


def test_a_tag_that_the_owner_of_the_host_set_is_not_changed_by_an_order():
    assert fact("tag.role", brought={"tag.role": "spare"}, tags={"role": "primary"}) == "primary"


def test_a_tag_that_the_host_does_not_have_is_the_orders():
    assert fact("tag.role", brought={"tag.role": "spare"}, tags={"x": "y"}) == "spare"


def test_a_tag_that_nobody_knows_is_an_unknown_fact():
    with pytest.raises(facts.UnknownFact, match="no tag role"):
        fact("tag.role", brought={"role": "spare"}, tags={"tag.role": "x"})


def test_what_the_host_can_measure_an_order_cannot_bring_along():
    assert fact("disk_usage", brought={"disk_usage": "99"}, disk_usage=12.0) == 12.0
    with pytest.raises(facts.UnknownFact):
        fact("disk_usage", brought={"disk_usage": "99"})


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("anomaly_sigma", "6.63", 6.63),
        ("anomaly_value", "94", 94.0),
        ("severity", "critical", "critical"),
        ("severity", "94", "94"),
    ],
)
def test_what_the_order_alone_knows_is_read_by_its_kind(name, text, expected):
    found = fact(name, brought={name: text}, **{name: "measured"})
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize("name", ["anomaly_sigma", "anomaly_value", "severity"])
def test_an_order_that_does_not_bring_its_facts_is_not_judged(name):
    with pytest.raises(facts.UnknownFact, match="did not come with the order"):
        fact(name)


@pytest.mark.parametrize("text", ["many", "", "6,63", "0x10"])
def test_a_number_that_is_none_is_an_unknown_fact(text):
    with pytest.raises(facts.UnknownFact, match="no number"):
        fact("anomaly_sigma", brought={"anomaly_sigma": text})


@pytest.mark.parametrize("text", ["nan", "inf", "-inf", "1e999"])
def test_a_number_without_an_end_judges_nothing(text):
    host = pretend_host.PretendHost().host()
    condition = language.parse("anomaly_sigma > 3")
    with pytest.raises(language.WrongType, match="finite"):
        conditions.judge(condition, NOTHING, {"anomaly_sigma": text}, host)


OF_42 = parameters.Bound({"pid": "42"}, {"pid": 7}, {"pid": "42"})


@pytest.mark.parametrize(
    ("started", "alive"),
    [(7, "measured"), (8, False), (6, False)],
)
def test_a_number_that_changed_hands_belongs_to_no_live_process(started, alive):
    table = [pretend_host.process(42, started=started)]
    assert fact("process_alive", bound=OF_42, table=table, process_alive="measured") == alive


@pytest.mark.parametrize("name", ["process_cpu", "process_memory"])
def test_what_another_process_uses_is_not_measured_for_the_one_that_ended(name):
    table = [pretend_host.process(42, started=8)]
    with pytest.raises(facts.FactNotMeasured, match="process 42 has ended"):
        fact(name, bound=OF_42, table=table, **{name: 1.0})
    assert fact(name, bound=OF_42, table=[pretend_host.process(42)], **{name: 1.0}) == 1.0


def test_each_parameter_is_tied_to_its_own_process():
    bound = parameters.Bound(
        {"pid": "42", "lower": "41", "upper": "43"},
        {"pid": 7, "lower": 8, "upper": 9},
        {"pid": "42"},
    )
    for started in (8, 9):
        table = [pretend_host.process(42, started=started)]
        assert fact("process_alive", bound=bound, table=table, process_alive=True) is False


def test_without_a_process_parameter_facts_of_processes_are_asked_of_the_host():
    assert fact("process_alive", process_alive=True) is True


def test_a_verdict_shows_the_facts_that_it_rests_on():
    host = pretend_host.PretendHost()
    host.measured = {"disk_usage": 91.25, "zombies": 3, "service_status": "hung"}
    condition = language.parse("zombies < 1 or disk_usage > 85% and service_status == hung")
    verdict = conditions.judge(condition, NOTHING, {}, host.host())
    assert verdict.holds is True
    assert verdict.seen == "disk_usage is 91.25, service_status is hung, zombies is 3"
