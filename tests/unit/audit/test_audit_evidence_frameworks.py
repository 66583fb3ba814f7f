"""Every kind of entry bears on a control, and the tables say what auditors ask for."""

import json
import re

import pytest

from sentienguard.stages.audit import entry
from sentienguard.stages.audit.evidence import (
    control,
    frameworks,
    gaps,
    population,
    report,
    topics,
)
from tests.support import evidence_logs

ASKED = {
    "soc2": ["CC6.1", "CC6.2", "CC6.3", "CC6.6", "CC6.8", "CC7.2", "CC7.3", "CC7.4", "CC8.1"],
    "hipaa": [
        *("164.312(a)(1)", "164.312(a)(2)(ii)", "164.312(b)"),
        *("164.312(c)(1)", "164.312(d)", "164.312(e)(1)"),
    ],
    "pci-dss": ["10.2", "10.3", "10.4", "10.5", "10.6", "10.7"],
    "iso-27001": ["A.8.15", "A.8.16", "A.8.17"],
    "gdpr": ["Article 30", "Article 32", "Article 33"],
}  # fmt: skip
VERDICT = re.compile(
    r"\b(compliant|compliance|complies|certified|certifies|guarantee)\b", re.IGNORECASE
)


def test_every_kind_of_entry_has_a_topic_and_no_other_has():
    assert set(topics.OF_KIND) == set(entry.KINDS), (
        "give each kind of entry its line in stages/audit/evidence/topics.py"
    )


@pytest.mark.parametrize("kind", sorted(entry.KINDS))
def test_every_kind_is_evidence_for_a_control(kind):
    assert any(one.by_kind()[kind] for one in frameworks.BY_NAME.values())


@pytest.mark.parametrize("name", ASKED)
def test_a_framework_has_the_controls_that_are_asked_for(name):
    found = frameworks.named(name)
    assert [one.id for one in found.controls] == ASKED[name]
    for one in found.controls:
        assert one.kinds, one.id
        assert one.asks.endswith(".")
        assert one.shows.endswith(".")
        assert one.missing.endswith(".")


def test_every_topic_is_asked_for_by_a_control_of_its_own_and_not_only_as_one_of_all():
    asked = {
        topic
        for framework in frameworks.BY_NAME.values()
        for one in framework.controls
        if one.topics != frozenset(topics.Topic)
        for topic in one.topics
    }
    assert asked == set(topics.Topic)


def test_what_entries_say_of_themselves_agrees_with_the_tables():
    """`controls` in an entry was signed when it was written; a section must not lack such rows."""
    for framework in frameworks.BY_NAME.values():
        for one in framework.controls:
            for kind, fixed in entry.KINDS.items():
                if set(one.tags) & set(fixed.controls):
                    assert kind in one.kinds, f"{kind} says {one.tags}, {one.id} leaves it out"


def test_every_tag_of_a_control_is_one_that_entries_carry():
    written = {tag for kind in entry.KINDS.values() for tag in kind.controls}
    for framework in frameworks.BY_NAME.values():
        for one in framework.controls:
            assert set(one.tags) <= written, one.id


def test_iso_shows_the_numbers_of_2013_too():
    former = " ".join(one.formerly for one in frameworks.named("iso-27001").controls)
    assert [number for number in range(1, 5) if f"A.12.4.{number}" in former] == [1, 2, 3, 4]


def test_an_unknown_framework_is_refused_with_those_there_are():
    with pytest.raises(frameworks.UnknownFramework, match="soc2, hipaa, pci-dss, iso-27001, gdpr"):
        frameworks.named("soc3")


def test_a_control_that_nothing_could_show_is_refused():
    with pytest.raises(ValueError, match="name a topic"):
        control.Control("X", "x", "x.", "x.", "x.")


@pytest.mark.parametrize("name", ASKED)
@pytest.mark.parametrize("entries", [0, 3, 400])
def test_nothing_says_that_anybody_is_compliant(name, entries):
    period = population.Period.read("2026-02-01", "2026-02-28")
    chosen = population.of_log(evidence_logs.log_of(entries), period)
    found = gaps.find(frameworks.named(name), chosen)
    written = report.write(frameworks.named(name), chosen, found, {})
    text = f"{written!r} {json.dumps(gaps.document(found))}"
    assert "vidence for" in text
    assert VERDICT.search(text) is None


def test_an_empty_log_has_a_gap_for_each_control_with_what_to_do():
    period = population.Period.read("2026-02-01", "2026-02-28")
    chosen = population.of_log(evidence_logs.log_of(0), period)
    found = gaps.document(gaps.find(frameworks.named("soc2"), chosen))
    assert found["controls_without_an_entry"] == ASKED["soc2"]
    assert all(one["what_to_do"] for one in found["controls"])


def test_a_stretch_without_an_entry_and_both_ends_of_the_log_are_told():
    from datetime import timedelta

    stored = evidence_logs.log_of(4, step=timedelta(days=3))  # 1, 4, 7 and 10 February
    period = population.Period.read("2026-01-15", "2026-02-28")
    found = gaps.find(frameworks.named("gdpr"), population.of_log(stored, period))
    assert [population.moment(one.since_ms)[:10] for one in found.silences] == [
        "2026-02-01", "2026-02-04", "2026-02-07",
    ]  # fmt: skip
    assert population.moment(found.before_log_ms).startswith("2026-02-01")
    assert population.moment(found.after_log_ms).startswith("2026-02-10")
    inside = population.Period.read("2026-02-01", "2026-02-09")
    quiet = gaps.find(frameworks.named("gdpr"), population.of_log(stored, inside))
    assert quiet.before_log_ms is None
    assert quiet.after_log_ms is None
    assert quiet.silences_in_all == 3  # the last one up to the end of the period
