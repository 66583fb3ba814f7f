"""Text of an alert from outside permits nothing, chooses nothing and reaches no host."""

import dataclasses
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from sentienguard.model.anomaly import Ground, Severity
from sentienguard.model.decision import Route
from sentienguard.playbook import parse
from sentienguard.stages.decide import evidence, planning
from sentienguard.stages.decide.decide import decide
from sentienguard.stages.decide.matching import Library
from sentienguard.stages.decide.settings import DecideSettings
from sentienguard.stages.detect import alert_rules
from tests.support import decide_cases as cases

BUNDLED = Library(
    tuple(
        parse.load(path.read_bytes(), origin=path.parent.name)
        for path in sorted(Path("playbooks").glob("*/playbook.yaml"))
    )
)
WORDS = st.lists(
    st.sampled_from(["disk", "full", "service", "down", "hung", "restart", "nginx", "log",
                     "cleanup", "memory", "leak", "zombie", "journal", "swap", "any"]),
    max_size=8,
).map(" ".join)  # fmt: skip


def decision(metric, subject, library, **more):
    found = cases.anomaly(metric, subject, ground=Ground.ALERT, sigma=None, **more)
    known = evidence.assemble(cases.incident(found), cases.NOW, sample=cases.sample(found))
    return decide(known, library, lambda _: cases.TRUSTED, cases.CLEAR, DecideSettings())


@given(WORDS | st.text(max_size=80), st.sampled_from(Severity))
def test_reason_and_severity_change_neither_decision_nor_order(text, severity) -> None:
    plain = decision("system.disk_usage_percent", "/var", cases.LIBRARY)
    said = decision("system.disk_usage_percent", "/var", cases.LIBRARY, reason=text,
                    severity=severity)  # fmt: skip
    assert (said.route, said.playbook, said.parameters, said.verdicts, said.candidates) == (
        plain.route, plain.playbook, plain.parameters, plain.verdicts, plain.candidates,
    )  # fmt: skip
    remedy = next(one for one in cases.LIBRARY.playbooks if one.name == plain.playbook)
    orders = [
        planning.plan(made, remedy, agent="8f9b", created_at=cases.NOW) for made in (plain, said)
    ]
    assert orders[0] == orders[1]
    assert "severity" not in orders[0].facts


def test_what_the_centre_found_itself_has_its_severity() -> None:
    found = cases.anomaly("system.disk_usage_percent", "/var")
    known = evidence.assemble(cases.incident(found), cases.NOW, sample=cases.sample(found))
    made = decide(known, cases.LIBRARY, lambda _: cases.TRUSTED, cases.CLEAR, DecideSettings())
    assert planning.facts(made)["severity"] == "critical"


@given(WORDS)
def test_no_name_of_an_undeclared_alert_finds_a_remedy(name) -> None:
    made = decision(alert_rules.UNDECLARED, name, BUNDLED, value=1.0)
    assert made.route is Route.ESCALATE
    assert made.playbook is None


def test_the_remedies_are_there_to_be_found() -> None:
    assert len(BUNDLED.playbooks) > 10
    made = decision("system.disk_usage_percent", "/var", BUNDLED)
    assert dataclasses.asdict(made)["playbook"] is not None
