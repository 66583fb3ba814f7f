"""A conversation with an adviser, its budget and its record; the model says what is set."""

import dataclasses
import json
from datetime import timedelta

import msgspec
import pytest

from sentienguard.flow import advising
from sentienguard.flow.advice_budget import Limits
from sentienguard.model.advice import May
from sentienguard.model.decision import Route
from sentienguard.ports import adviser, context
from sentienguard.stages.decide.decide import decide
from sentienguard.stages.decide.settings import DecideSettings
from tests.support import decide_cases as cases
from tests.support import replay_centre
from tests.support.pretend_adviser import Clock, Desk, Model, opinion, says

DISK = cases.evidence("system.disk_usage_percent", "/var")
FIRST = "disk_cleanup_rotated_logs"


def decided(known=DISK, said=None, may=May.SHOWN):
    settings = DecideSettings(advice_may=may)
    return decide(
        known, cases.LIBRARY, lambda _: cases.TRUSTED, cases.CLEAR, settings, opinion=said
    )


MADE = decided()
PLAYBOOKS = [cases.LIBRARY.get(one) for one in MADE.candidates]
INCIDENT = cases.incident(DISK.anomaly)


@pytest.fixture
def centre(tmp_path):
    with replay_centre.opened(tmp_path, replay_centre.Facts()) as made:
        yield made


def advise(centre, model, *, may=May.RESTRICT, desk=None, contexts=None, **limits):
    return advising.Advising(
        model,
        desk or Desk(),
        clock=model.clock,
        audit=centre.audit,
        log=centre.log,
        may=may,
        limits=Limits(**limits),
        contexts=contexts,
    )


def asked(centre, plan, **more):
    """Ask about the disk; return the opinion, the advice on record, and the model."""
    model = Model(plan)
    given = advise(centre, model, **more).before(INCIDENT, MADE, PLAYBOOKS)
    return given, advising.kept(centre.log, INCIDENT.id), model


def test_an_opinion_is_heard_and_kept_with_the_exact_bodies(centre):
    given, found, model = asked(centre, [opinion(FIRST)])
    assert given.choice == FIRST
    assert found.advice.opinion == given
    assert found.advice.absent == ""
    assert [one.sent for one in found.exchanges] == model.sent
    assert [one.heard for one in found.exchanges] == model.heard
    assert found.advice.spent.turns == 1
    [entry] = list(centre.log.by_incident(INCIDENT.id))
    assert entry.fields["kind"] == "advice.given"
    assert entry.fields["data"]["choice"] == FIRST


WRONG = [
    ("away", adviser.AdviserAway("nobody there", sent=b"q"), "nobody there"),
    ("declined", adviser.AdviserDeclined("status 401"), "401"),
    ("garbled", adviser.AdviserGarbled("no JSON", heard=b"<html>"), "no JSON"),
    ("refuses", says("", refusal="I cannot help"), "refused: I cannot help"),
    ("cut off", says('{"reasoning": "', is_whole=False), "cut off"),
    ("prose", says("I would restart it."), "no JSON object"),
    ("a list", says("[]"), "no object"),
    ("other members", says('{"choice": "x"}'), "expected reasoning"),
    ("a member more", opinion(FIRST, command="rm -rf /"), "command"),
    ("twice", says('{"reasoning":"a","hypothesis":"b","choice":"x","choice":"y"}'), "no JSON"),
    ("no text", opinion(FIRST, reasoning=7), "reasoning is no text"),
    ("empty", opinion(FIRST, hypothesis="\u200b"), "hypothesis is empty"),
    ("not offered", opinion("rm -rf /"), "which was not offered"),
    ("another library's", opinion("disk_wipe"), "which was not offered"),
    ("in capitals", opinion(FIRST.upper()), "which was not offered"),
    ("around it", says(f"```json\n{opinion(FIRST).text}\n```"), "no JSON object"),
    ("long", says("x" * 40_000), "40000 characters"),
    ("deep", says("[" * 30_000), "no JSON object"),
    ("a tool that it has not", says("", calls=(adviser.Call("1", "run", "{}"),)), "asked tools"),
    ("a fault of ours", ZeroDivisionError("x"), "ZeroDivisionError"),
]


@pytest.mark.parametrize(("act", "because"), [one[1:] for one in WRONG], ids=[o[0] for o in WRONG])
def test_whatever_is_wrong_there_is_no_opinion_and_the_reason_stands_in_the_record(
    centre, act, because
):
    given, found, _ = asked(centre, [act])
    assert given is None
    assert because in found.advice.absent
    assert found.advice.opinion is None
    [entry] = list(centre.log.by_incident(INCIDENT.id))
    assert because in entry.fields["data"]["absent"]
    assert decided(said=given, may=May.RESTRICT) == MADE


def test_what_failed_is_kept_too(centre):
    _, found, _ = asked(centre, [adviser.AdviserGarbled("x", sent=b"question", heard=b"<html>")])
    assert [(one.sent, one.heard) for one in found.exchanges] == [(b"question", b"<html>")]


def busy(seconds):
    return adviser.AdviserBusy("status 429", retry_after_s=seconds)


def test_who_asks_for_patience_is_asked_once_more(centre):
    given, _, model = asked(centre, [busy(3), opinion(FIRST)])
    assert given is not None
    assert model.clock.slept == [3]


@pytest.mark.parametrize("seconds", [11, 3600, float("inf")])
def test_nobody_waits_longer_than_there_is_time(centre, seconds):
    given, found, model = asked(centre, [busy(seconds), opinion(FIRST)])
    assert given is None
    assert "429" in found.advice.absent
    assert model.clock.slept == []


def test_patience_is_had_once(centre):
    given, _, model = asked(centre, [busy(1), busy(1), opinion(FIRST)])
    assert given is None
    assert len(model.clock.slept) == 1


class Knows:
    """A context that answers, and remembers what it was asked."""

    def __init__(self):
        self.asked = []

    def query_metrics(self, promql):
        self.asked.append(promql)
        if promql == "wrong(":
            raise context.QuestionWrong("no PromQL")
        return context.MetricAnswer(promql, (), more=False)

    def fetch_recent_logs(self, service, timeframe):
        self.asked.append((service, timeframe))
        line = context.LogFound(cases.NOW, service, "stdout", "x" * 900)
        return context.LogAnswer(service, (line,) * 50, more=False)

    def list_recent_deployments(self, environment):
        raise context.ContextAway("no store")


def calls(*wanted):
    made = tuple(
        adviser.Call(
            str(at), name, arguments if isinstance(arguments, str) else json.dumps(arguments)
        )
        for at, (name, arguments) in enumerate(wanted)
    )
    return says("", calls=made)


def test_what_it_asks_back_is_answered_read_only_and_bounded(centre):
    knows = Knows()
    plan = [
        calls(
            ("query_metrics", {"promql": "up"}),
            ("fetch_recent_logs", {"service": "web", "timeframe": "2h"}),
            ("list_recent_deployments", {"environment": "production"}),
            ("query_metrics", {"promql": "wrong("}),
            ("query_metrics", {"promql": "a fifth"}),
        ),
        opinion(FIRST),
    ]
    given, found, model = asked(centre, plan, contexts=lambda *_: knows)
    assert given is not None
    assert knows.asked == ["up", ("web", timedelta(hours=2)), "wrong("]
    answers = model.questions[-1].rounds[0].answers
    assert json.loads(answers[0]) == {"rows": [], "more": False}
    assert len(answers[1]) <= 12_100
    assert json.loads(answers[1])["more"] is True
    assert answers[2:] == (
        "not answered: no store",
        "not answered: no PromQL",
        "not answered: at most 4 calls at once",
    )
    assert found.advice.asked[0] == "query_metrics(up)"


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("run_command", {"command": "id"}),
        ("query_metrics", {}),
        ("query_metrics", {"promql": "up", "host": "*"}),
        ("query_metrics", {"promql": 7}),
        ("query_metrics", {"promql": "u\x00p"}),
        ("query_metrics", {"promql": "x" * 1_001}),
        ("query_metrics", "not json"),
        ("query_metrics", "[" * 9_000),
        ("query_metrics", ["up"]),
        ("fetch_recent_logs", {"service": "web", "timeframe": "25h"}),
        ("fetch_recent_logs", {"service": "web", "timeframe": "0m"}),
        ("fetch_recent_logs", {"service": "web", "timeframe": "-5m"}),
        ("fetch_recent_logs", {"service": "web", "timeframe": "1d; drop"}),
        ("fetch_recent_logs", {"service": "", "timeframe": "5m"}),
    ],
)
def test_a_call_that_is_not_as_it_has_to_be_asks_nobody(centre, name, arguments):
    knows = Knows()
    given, _, model = asked(
        centre, [calls((name, arguments)), opinion(FIRST)], contexts=lambda *_: knows
    )
    assert given is not None
    assert knows.asked == []
    assert model.questions[-1].rounds[0].answers[0].startswith("not answered: ")


def test_who_asks_for_ever_has_to_answer_in_the_end(centre):
    plan = [calls(("query_metrics", {"promql": "up"}))] * 9
    given, found, model = asked(centre, plan, contexts=lambda *_: Knows(), rounds=3)
    assert given is None
    assert len(model.questions) == 4
    assert [one.may_ask for one in model.questions] == [True, True, True, False]
    assert "had to answer" in found.advice.absent


def test_time_tokens_and_money_end_it(centre):
    slow = Model([opinion(FIRST)], takes_s=31.0)
    assert advise(centre, slow, seconds=30.0).before(INCIDENT, MADE, PLAYBOOKS) is None
    said = advising.kept(centre.log, INCIDENT.id).advice
    assert "the 30 s" in said.absent
    assert said.spent.took_ms == 31_000


@pytest.mark.parametrize(
    ("limits", "because"),
    [
        ({"tokens": 1_000}, "1000 tokens"),
        ({"dollars": 0.001, "dollars_in": 3.0}, "0.001 dollars"),
        ({"dollars": 0.02, "dollars_in": 3.0, "dollars_out": 75.0}, "0.02 dollars"),
    ],
)
def test_a_turn_that_the_budget_does_not_hold_is_not_begun(centre, limits, because):
    given, found, model = asked(centre, [opinion(FIRST)], **limits)
    assert given is None
    assert because in found.advice.absent
    assert model.questions == []


def test_an_endpoint_that_lies_about_its_tokens_is_counted_by_the_bytes(centre):
    lies = dataclasses.replace(opinion(FIRST), tokens_in=1, tokens_out=0)
    _, found, model = asked(centre, [lies], dollars_in=3.0, dollars_out=15.0, dollars=9.0)
    spent = found.advice.spent
    assert spent.tokens_in == len(model.sent[0]) // 8
    assert spent.microdollars >= 3 * spent.tokens_in


def test_an_answer_has_no_more_tokens_than_are_left(centre):
    _, _, model = asked(centre, [opinion(FIRST)], tokens=4_800, answer_tokens=100_000)
    assert 200 <= model.questions[0].most_tokens < 4_800


def test_an_incident_is_asked_about_once(centre):
    model = Model([opinion(FIRST), opinion("none_of_these")])
    made = advise(centre, model)
    first = made.before(INCIDENT, MADE, PLAYBOOKS)
    again = advise(centre, model).before(INCIDENT, MADE, PLAYBOOKS)  # another process
    made.after(INCIDENT, MADE, PLAYBOOKS)
    assert first == again
    assert len(model.questions) == 1
    assert len(list(centre.log.by_incident(INCIDENT.id))) == 1


def test_a_log_that_cannot_write_does_not_make_it_ask_again(centre):
    model = Model([opinion(FIRST)] * 3)
    made = advise(centre, model)
    real, failing = centre.audit.once, [OSError("full")]

    def once(*given, **more):
        if failing:
            raise failing.pop()
        return real(*given, **more)

    centre.audit.once = once
    with pytest.raises(OSError, match="full"):
        made.before(INCIDENT, MADE, PLAYBOOKS)
    assert made.before(INCIDENT, MADE, PLAYBOOKS).choice == FIRST
    assert len(model.questions) == 1


def test_where_it_is_only_shown_nobody_waits_and_it_is_recorded_later(centre):
    model, desk = Model([opinion("none_of_these")]), Desk(at_once=False)
    made = advise(centre, model, may=May.SHOWN, desk=desk)
    assert made.before(INCIDENT, MADE, PLAYBOOKS) is None
    made.after(INCIDENT, MADE, PLAYBOOKS)
    assert model.questions == []
    desk.go_on()
    assert advising.kept(centre.log, INCIDENT.id).advice.opinion.choice is None


@pytest.mark.parametrize("may", [May.SHOWN, May.RESTRICT])
def test_a_desk_that_takes_nothing_is_a_reason_too(centre, may):
    made = advise(centre, Model([]), may=may, desk=Desk(is_full=True))
    assert made.before(INCIDENT, MADE, PLAYBOOKS) is None
    made.after(INCIDENT, MADE, PLAYBOOKS)
    assert "too many" in advising.kept(centre.log, INCIDENT.id).advice.absent


def test_the_record_reads_back_as_it_was_written(centre):
    _, found, _ = asked(centre, [opinion(FIRST)])
    written = msgspec.json.encode(found, order="deterministic")
    assert msgspec.json.decode(written, type=advising.Consulted) == found


def test_disagreement_asks_a_person_only_where_the_policy_says_so(centre):
    given, _, _ = asked(centre, [opinion("none_of_these")])
    assert MADE.route is Route.RUN
    assert decided(said=given, may=May.SHOWN).route is Route.RUN
    restricted = decided(said=given, may=May.RESTRICT)
    assert restricted.route is Route.ASK
    assert restricted.verdicts[-1].reason == "the adviser names none of them: a person decides"
    assert (restricted.playbook, restricted.parameters) == (MADE.playbook, MADE.parameters)


def test_the_clock_of_these_tests_moves_only_when_it_is_told():
    clock = Clock()
    assert clock.monotonic() == clock.monotonic()
