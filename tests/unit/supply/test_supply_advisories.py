"""Known vulnerabilities: what is planted is found, what is fixed is not, and an exception ends."""

import datetime as dt
import json
import zipfile

import pytest

from scripts import advisories
from scripts.advisories import locked

TODAY = dt.date(2026, 11, 21)
REASON = "what it needs does not happen here: nothing parses the attacker's text"


def record(*events, ecosystem="PyPI", name="thing", kind="ECOSYSTEM", **more):
    package = {"ecosystem": ecosystem, "name": name}
    affected = {"package": package, "ranges": [{"type": kind, "events": list(events)}]}
    return {"id": "OSV-1", "modified": "2026-11-01T00:00:00Z", "affected": [affected], **more}


def known(*records, **newest):
    return {"newest": newest or {"PyPI": "2026-11-01", "npm": "2026-11-01"}, "records": records}


def thing(version, ecosystem="PyPI", name="thing"):
    return locked.Package(ecosystem, name, version)


def judged(capsys, *arguments):
    return advisories.report(*arguments, TODAY), capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "version", "hit"),
    [("pyyaml", "5.3", True), ("pyyaml", "6.0.2", False), ("cryptography", "41.0.0", True)],
)
def test_a_planted_version_is_found_in_the_records_that_ship(capsys, name, version, hit):
    shipped = json.loads(advisories.KNOWN.read_text("utf-8"))
    status, said = judged(capsys, shipped, [thing(version, name=name)], set())
    assert (status == 1) == hit
    assert (f"VULNERABLE: {name} {version}: PYSEC-" in said) == hit


def test_nothing_that_is_locked_today_is_known_to_be_vulnerable(capsys):
    shipped = json.loads(advisories.KNOWN.read_text("utf-8"))
    accepted = advisories.accepted_of(advisories.ACCEPTED, TODAY)
    status, said = judged(capsys, shipped, locked.everything(), accepted)
    assert status == 0, said
    assert len(shipped["records"]) > 50, "the records of what is locked are there"


RANGES = [
    (({"introduced": "0"}, {"fixed": "2.0"}), "1.9", True),
    (({"introduced": "0"}, {"fixed": "2.0"}), "2.0", False),
    (({"introduced": "0"}, {"fixed": "2.0"}), "2.0rc1", True),
    (({"introduced": "1.5"}, {"fixed": "2.0"}), "1.4.9", False),
    (({"introduced": "0"}, {"last_affected": "2.0"}), "2.0", True),
    (({"introduced": "0"}, {"last_affected": "2.0"}), "2.0.post1", False),
    (({"introduced": "0"},), "99", True),
    (({"introduced": "3"}, {"fixed": "3.2"}, {"introduced": "0"}, {"fixed": "1"}), "3.1", True),
    (({"introduced": "3"}, {"fixed": "3.2"}, {"introduced": "0"}, {"fixed": "1"}), "2", False),
    (({"introduced": "1.10"}, {"fixed": "1.11"}), "1.9", False),
]


@pytest.mark.parametrize(("events", "version", "hit"), RANGES)
def test_a_range_is_judged_as_osv_says(events, version, hit):
    found = list(advisories.matches([record(*events)], [thing(version)]))
    assert bool(found) == hit


@pytest.mark.parametrize(
    ("version", "hit"),
    [("4.17.20", True), ("4.17.21", False), ("4.17.21-beta.2", True), ("4.9.0", True),
     ("4.17.21-beta.11", True), ("10.0.0", False)],
)  # fmt: skip
def test_npm_s_versions_have_their_own_order(version, hit):
    said = record(
        {"introduced": "0"}, {"fixed": "4.17.21"}, ecosystem="npm", name="@x/y", kind="SEMVER"
    )
    assert bool(list(advisories.matches([said], [thing(version, "npm", "@x/y")]))) == hit


def test_a_withdrawn_record_and_another_ecosystem_s_say_nothing():
    said = record({"introduced": "0"}, withdrawn="2026-01-01T00:00:00Z")
    other = record({"introduced": "0"}, ecosystem="npm", kind="SEMVER")
    assert list(advisories.matches([said, other], [thing("1")])) == []


def test_what_is_accepted_passes_and_is_told(capsys, tmp_path):
    file = tmp_path / "accepted.toml"
    file.write_text(
        f'[[accepted]]\nid = "CVE-1"\npackage = "Thing"\nreason = "{REASON}"\nuntil = 2026-12-31\n'
    )
    accepted = advisories.accepted_of(file, TODAY)
    said = known(record({"introduced": "0"}, aliases=["CVE-1"]))
    assert judged(capsys, said, [thing("1")], accepted)[0] == 0
    status, told = judged(capsys, said, [], accepted)
    assert (status, "ACCEPTED FOR NOTHING: thing: CVE-1" in told) == (1, True)
    with pytest.raises(advisories.AcceptedWrong, match="accepted until 2026-12-31"):
        advisories.accepted_of(file, dt.date(2027, 1, 1))
    with pytest.raises(advisories.AcceptedWrong, match="over 180 days away"):
        advisories.accepted_of(file, dt.date(2026, 1, 1))


@pytest.mark.parametrize(
    "line", ['reason = "later"\nuntil = 2026-12-31', f'reason = "{REASON}"',
             f'reason = "{REASON}"\nuntil = "soon"',
             f'reason = "{REASON}"\nuntil = 2026-12-31\nx=1'],
)  # fmt: skip
def test_an_exception_without_reason_or_end_is_refused(tmp_path, line):
    file = tmp_path / "accepted.toml"
    file.write_text(f'[[accepted]]\nid = "CVE-1"\npackage = "thing"\n{line}\n')
    with pytest.raises(advisories.AcceptedWrong):
        advisories.accepted_of(file, TODAY)


def test_old_records_and_missing_ones_are_told(capsys):
    said = {"newest": {"PyPI": "2026-01-01"}, "records": []}
    packages = [thing("1"), thing("1", "npm")]
    told = advisories.report(said, packages, set(), TODAY, "405"), capsys.readouterr().out
    assert told[0] == 0
    assert "OLD, refresh it: later ones are not known (324 days)" in told[1]
    assert "npm: COULD NOT BE READ, so nothing newer is known: 405" in told[1]
    assert "NOT JUDGED: no registry ever answered" in told[1]
    advisories.report({"newest": {}, "records": []}, packages, set(), TODAY)
    assert (
        "PyPI: 1 versions (1 shipped, 0 only build and test) NOT JUDGED" in capsys.readouterr().out
    )


@pytest.mark.parametrize(
    ("newest", "unread", "all_read"),
    [
        ({"PyPI": "2026-11-01"}, "", True),
        ({"PyPI": "2026-11-01"}, "405", False),
        ({"PyPI": "2026-11-01", "npm": "2026-11-01"}, "405", True),
        ({"PyPI": "2026-01-01"}, "", False),
        ({}, "", False),
    ],
)
def test_what_must_be_read_is_old_or_unread_for_either(newest, unread, all_read):
    said = {"newest": newest, "records": []}
    assert advisories.advisory_ages.all_read(said, TODAY, unread) is all_read


def test_an_export_of_osv_is_read_for_what_is_locked_only(tmp_path, monkeypatch):
    monkeypatch.setattr(advisories, "KNOWN", tmp_path / "none.json")
    file = tmp_path / "all.zip"
    other = record({"introduced": "0"}, name="nobody-has-it")
    with zipfile.ZipFile(file, "w") as packed:
        packed.writestr("OSV-1.json", json.dumps(record({"introduced": "0"}, name="Thing")))
        packed.writestr("OSV-2.json", json.dumps(other))
        packed.writestr("README.md", "not a record")
    made = advisories.gathered(file, [thing("1")])
    assert made["newest"] == {"PyPI": "2026-11-01"}
    assert [one["affected"][0]["package"]["name"] for one in made["records"]] == ["thing"]
    assert list(advisories.matches(made["records"], [thing("1")]))
