"""An auditor with a package and a table of people knows who did it, and that the table is true."""

import csv
import io
from datetime import timedelta

import pytest

from sentienguard.trust import pseudonym
from tests.support import evidence_logs
from tests.support import evidence_packages as packages

pytestmark = pytest.mark.integration
KEYS = {
    "Ann Other": bytes(range(32)),
    "bob@example.org": bytes(range(1, 33)),
    "=SUM(A1)": b"\7" * 32,
}
VERIFIER = packages.verifier()


@pytest.fixture
def verified(tmp_path, monkeypatch):
    """Verify a package whose people are pseudonyms, with a table; return meaning and findings."""
    stand_for = [pseudonym.of(key, name) for name, key in KEYS.items()]
    monkeypatch.setattr(evidence_logs, "PEOPLE", stand_for)
    stored = evidence_logs.log_of(40, step=timedelta(hours=2), cosigned=38)
    made = packages.built(stored, "2026-02-01", "2026-02-03")
    assert all(name.encode() not in made.files["rows.json"] for name in KEYS)

    def verify(table):
        packages.write(tmp_path / "package", made.files)
        results, _ = VERIFIER.verify(tmp_path / "package", stored.verifier_keys, people=table)
        return results.meaning.get("people", ""), results.findings

    return verify


def table(rows):
    text = io.StringIO()
    writer = csv.DictWriter(text, ("pseudonym", "name", "key"), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def rows(names=tuple(KEYS)):
    return [
        {"pseudonym": pseudonym.of(KEYS[name], name), "name": name, "key": KEYS[name].hex()}
        for name in names
    ]


def test_the_table_says_who_did_how_much(verified):
    meaning, findings = verified(table(rows()))
    assert findings == {}
    assert meaning.startswith("3 pseudonyms are whose they are said to be: =SUM(A1) ")
    assert "Ann Other " in meaning


def test_somebody_who_was_forgotten_is_counted_and_not_named(verified):
    meaning, findings = verified(table(rows(("Ann Other", "bob@example.org"))))
    assert findings == {}
    assert meaning.endswith("; 1 others are not in the table")


@pytest.mark.parametrize(
    "change",
    [
        lambda found: found[0].update(name="Bob Other"),  # the blame put on another
        lambda found: found[0].update(key="00" * 32),
        lambda found: found[0].update(key="no hex"),
        lambda found: found[0].update(pseudonym=found[1]["pseudonym"]),
        lambda found: found[0].update(pseudonym="person_" + "0" * 32),
    ],
)
def test_a_table_that_blames_another_is_found(verified, change):
    found = rows()
    change(found)
    _, findings = verified(table(found))
    assert set(findings) == {"people"}


def test_a_table_of_another_form_is_found(verified):
    _, findings = verified("name,key\nAnn Other,00\n")
    assert set(findings) == {"people"}
