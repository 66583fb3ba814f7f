"""Proof (c): hostile texts in every field that a host, an alert or a change controls.

The permitted set, parameters and orders stay as they are, the question to the model stays one
document, and nothing unescaped reaches a terminal or a page.
"""

import dataclasses
import io
import json
import os
import pathlib

import pytest

from sentienguard.cli import frame
from sentienguard.model.alert import Alert, AlertStatus
from sentienguard.model.anomaly import Ground
from sentienguard.model.decision import Route
from sentienguard.model.evidence import Changed
from sentienguard.model.telemetry import LogLine, PathUse, ProcessUse, Series
from sentienguard.ports import context
from sentienguard.stages.decide import (
    advice_answer,
    advice_prompt,
    advice_tools,
    approval,
    meaning,
)
from sentienguard.stages.detect import alert_rules
from tests.support import advice_world, effort, injection_corpus
from tests.support import decide_cases as cases

ALL = injection_corpus.texts()
TEXTS = ALL if effort.THOROUGH else ALL[::6]
WORLDS = [
    *(world for world in advice_world.worlds() if world.plain.route is not Route.ESCALATE),
    advice_world.World(cases.evidence("queue.depth", "orders"), cases.LIBRARY),
]
GIVEN = os.environ.get("SENTIENGUARD_INJECTION_CASES", "")  # a directory of more texts


def log_line(known, text):
    return dataclasses.replace(known, log_lines=(LogLine(cases.NOW, "/var/log/app.log", text),))


def log_file(known, text):
    return dataclasses.replace(known, log_lines=(LogLine(cases.NOW, text, "started"),))


def file_name(known, text):
    return dataclasses.replace(known, top_paths=(PathUse(f"/var/{text}", 1000),))


def process_name(known, text):
    used = known.top_processes[0] if known.top_processes else ProcessUse(4711, "", 99.0, 10)
    return dataclasses.replace(known, top_processes=(dataclasses.replace(used, name=text),))


def alert_text(known, text):
    alert = Alert(
        AlertStatus.FIRING,
        {"alertname": text, "severity": text, text[:40] or "x": text},
        cases.NOW,
        {"summary": text, "description": text, "runbook_url": text},
    )
    anomaly = dataclasses.replace(
        known.anomaly,
        ground=Ground.ALERT,
        reason=alert_rules.reason(alert),
        severity=alert_rules.severity(alert),
        alert=text,
    )
    return dataclasses.replace(known, anomaly=anomaly)


def change(known, text):
    made = Changed(text, cases.NOW, text, "deploy", text, text, text)
    return dataclasses.replace(known, changes=(made,))


def everything(known, text):
    for put in (log_line, log_file, file_name, process_name, alert_text, change):
        known = put(known, text)
    return dataclasses.replace(known, text=text)


FREE = [log_line, log_file, file_name, process_name, alert_text, change, everything]


def plain(world, put):
    """Return the same incident with a harmless text there: what was measured is then the same."""
    known = put(world.evidence, "x")
    return dataclasses.replace(world, evidence=known)


def interfering(texts, puts=FREE):
    wrong = []
    for put in puts:
        for world in (plain(one, put) for one in WORLDS):
            for one in texts:
                known = put(world.evidence, one.text)
                if said := advice_world.interference(world, known):
                    wrong.append((put.__name__, one.name, said))
    return wrong


def test_the_corpus_is_large_and_of_many_kinds():
    assert len({one.text for one in ALL}) >= 2_500
    assert len(TEXTS) >= 500


@pytest.mark.timeout(effort.pick(120, thorough=3_600))
@pytest.mark.parametrize("put", FREE, ids=lambda put: put.__name__)
def test_no_text_changes_what_is_permitted_or_ordered(put):
    wrong = interfering(TEXTS[:: effort.pick(8, thorough=1)], [put])
    assert not wrong, wrong[:3]


if GIVEN:

    def test_no_text_of_a_corpus_that_is_given_changes_anything_either():
        lines = (pathlib.Path(GIVEN) / "injection_cases.jsonl").read_text("utf-8").splitlines()
        found = [json.loads(line) for line in lines]
        texts = [injection_corpus.Text(one["id"], one["text"]) for one in found]
        texts += [
            injection_corpus.Text(
                f"{one.name}, read", bytes(one.text, "utf-8").decode("unicode_escape")
            )
            for one in texts
            if "\\u" in one.text or "\\U" in one.text
        ]
        assert len(texts) >= 54
        assert not interfering(texts)
        for one in texts:
            assert question_is_one_document(one.text) is None
            assert not unprintable(shown(one.text))


def test_the_proof_notices_a_hole(monkeypatch):
    real = meaning.of_evidence

    def hole(known):
        found = real(known)
        return dataclasses.replace(found, terms=(*found.terms, *found.hints))

    for world in WORLDS:
        assert world.plain is not None
    worlds = [plain(one, log_line) for one in WORLDS]
    for world in worlds:
        assert world.permits_plain is not None
        assert world.permitted is not None
    monkeypatch.setattr(meaning, "of_evidence", hole)
    assert any(
        advice_world.interference(world, log_line(world.evidence, one.text))
        for world in worlds
        for one in TEXTS[::10]
    )


# -- names that a host has: they are facts, and a text in them is a name and nothing more ---------


def tag_value(known, text):
    return dataclasses.replace(known, tags={**known.tags, "team": text})


def tag_name(known, text):
    return dataclasses.replace(known, tags={**known.tags, f"note {text}"[:200]: "x"})


def host_name(known, text):
    return dataclasses.replace(known, host=f"h {text}")


@pytest.mark.parametrize("put", [tag_value, tag_name, host_name], ids=lambda put: put.__name__)
def test_a_text_in_a_name_permits_no_more_and_chooses_nothing(put):
    for world in (plain(one, put) for one in WORLDS):
        for one in TEXTS[::5]:
            made = world.decide_on(put(world.evidence, one.text))
            assert made.route <= world.plain.route, one.name
            assert (made.playbook, made.parameters) == (
                world.plain.playbook,
                world.plain.parameters,
            ), one.name


def test_the_name_of_a_service_is_its_parameter_and_nothing_else():
    for one in TEXTS[::5]:
        series = Series("web-01", "service.healthy", one.text)
        known = cases.evidence("service.healthy", "web")
        known = dataclasses.replace(
            known, anomaly=dataclasses.replace(known.anomaly, series=series)
        )
        made = advice_world.World(known, cases.LIBRARY).plain
        if made.playbook is not None:
            assert made.playbook == "service_restart_hung", one.name
            assert dict(made.parameters) == {"service": one.text}, one.name


# -- the model ------------------------------------------------------------------------------------


def question_is_one_document(text):
    """Raise AssertionError where a text ends its string in the question."""
    world = WORLDS[1]
    playbooks = [world.library.get(one) for one in world.plain.candidates]
    known = host_name(tag_value(tag_name(everything(world.evidence, text), text), text), text)
    written = advice_prompt.write(known, world.plain.candidates, playbooks)
    assert written.isascii()
    assert not unprintable(written)
    found = json.loads(written)
    assert set(found) <= {
        *("incident", "actions", "earlier", "diagnosis", "written_on_the_host"),
    }
    assert [one["id"] for one in found["actions"]] == list(
        advice_prompt.offered(world.plain.candidates)
    )
    for name, value in found["incident"].items():
        if name != "host":
            assert text[:20] not in json.dumps(value), name


def test_the_question_stays_one_document_whatever_stands_in_it():
    for one in TEXTS:
        question_is_one_document(one.text)


def test_what_a_tool_returns_stays_one_document():
    for one in TEXTS[::2]:
        text = one.text
        line = context.LogFound(cases.NOW, text, text, text)
        change = context.Deployment(cases.NOW, text, text, text, text, text)
        series = context.Series(((text, text),), ((cases.NOW, 1.0),))
        for said in (
            advice_tools.logs(context.LogAnswer(text, (line,), more=False)),
            advice_tools.deployments(context.DeploymentAnswer(text, (change,), more=False)),
            advice_tools.metrics(context.MetricAnswer(text, (series,), more=False)),
        ):
            assert said.isascii()
            assert not unprintable(said)
            assert set(json.loads(said)) == {"rows", "more"}
            assert len(json.loads(said)["rows"]) <= 1


def test_what_a_model_repeats_is_shown_without_what_cannot_be_seen():
    for one in TEXTS:
        said = {"reasoning": one.text, "hypothesis": one.text, "choice": advice_answer.NONE}
        try:
            opinion = advice_answer.read(json.dumps(said), ["disk_wipe"])
            seen = opinion.reasoning + opinion.hypothesis
        except advice_answer.AnswerWrong as cause:
            seen = str(cause)
        assert not unprintable(seen), one.name


# -- terminals and pages --------------------------------------------------------------------------


def unprintable(text):
    return [letter for letter in text if not letter.isprintable() and letter != "\n"]


def shown(text):
    """Return what the command line prints of a text, in all the ways that it prints."""
    out = io.StringIO()
    for as_json in (False, True):
        made = frame.Frame(pathlib.Path(), as_json, frame.console(out), frame.console(out))
        made.answer(
            {"text": text, text: [text]},
            frame.pairs([(text, text)]),
            frame.table("a", "b!", rows=[(text, text)], empty=""),
            frame.unbroken([(text, text)]),
        )
        made.say(text)
        made.explain(text)
        made.note(text)
    return out.getvalue()


def test_nothing_unescaped_reaches_a_terminal():
    for one in TEXTS[::3]:
        assert not unprintable(shown(one.text)), one.name


def test_the_question_to_a_person_has_nothing_that_cannot_be_seen():
    world = advice_world.World(
        cases.evidence("system.disk_usage_percent", "/var", environment="production"),
        cases.LIBRARY,
        trusted=cases.TrackRecord(verified=1),
    )
    for one in TEXTS[::3]:
        known = host_name(everything(world.evidence, one.text), one.text)
        made = world.decide_on(known)
        asked = approval.question(made, world.library.get(made.candidates[0])).text()
        assert not unprintable(asked), one.name


def test_the_dashboard_never_writes_markup_of_its_own():
    """Its pages escape every text as long as nobody asks for raw markup."""
    sources = [
        *pathlib.Path("ui/src").rglob("*.ts"),
        *pathlib.Path("ui/src").rglob("*.tsx"),
    ]
    assert len(sources) > 50
    raw = ("dangerouslySetInnerHTML", ".innerHTML", ".outerHTML", "insertAdjacentHTML",
           "document.write", "srcDoc", "eval(")  # fmt: skip
    found = [(path.name, word) for path in sources for word in raw if word in path.read_text()]
    assert not found
