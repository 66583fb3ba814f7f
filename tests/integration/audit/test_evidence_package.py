"""A package convinces somebody who has nothing of ours, and nobody can take a row out of it."""

import ast
import base64
import copy
import dataclasses
import hashlib
import json
import os
import random
import re
import subprocess
import sys
import zlib
from datetime import timedelta

import pytest

from sentienguard.adapters.evidence_files import store
from sentienguard.stages.audit import checkpoint
from sentienguard.stages.audit.evidence import frameworks
from sentienguard.trust.keys import SigningKey
from tests.support import evidence_logs
from tests.support import evidence_packages as packages

pytestmark = pytest.mark.integration

ENTRIES, TRIES = 240, 100
STORED = evidence_logs.log_of(ENTRIES, step=timedelta(hours=2), cosigned=230)
FIRST, LAST = "2026-02-03", "2026-02-17"  # entries 24 to 203, with others on both sides
PACKAGE = packages.built(STORED, FIRST, LAST)
ROWS = json.loads(PACKAGE.files["rows.json"])
PROOFS = json.loads(PACKAGE.files["proofs.json"])
BESIDE = json.loads(PACKAGE.files["beside.json"])
VERIFIER = packages.verifier()
KEY = STORED.verifier_keys
WITNESSES = [
    checkpoint.verifier_key(name, key.public, checkpoint.COSIGNATURE)
    for name, key in evidence_logs.HOSTS.items()
]


def run(directory, *arguments):
    return subprocess.run(
        [sys.executable, "-I", directory / "verify_evidence.py", directory, *arguments],
        capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.fixture
def findings(tmp_path):
    """Write a package and return what its verifier finds, by check."""

    def found(files):
        packages.write(tmp_path / "package", files)
        results, _ = VERIFIER.verify(tmp_path / "package", KEY)
        return results.findings

    return found


def test_it_verifies_on_its_own_with_keys_from_elsewhere(tmp_path):
    archive = store.archived(PACKAGE.files)
    target = tmp_path / "evidence"
    beside = store.write(target, PACKAGE.files, archive)
    assert store.unpacked(beside.read_bytes()) == dict(PACKAGE.files)
    (tmp_path / "key").write_text(KEY)
    (tmp_path / "witnesses").write_text("\n".join(WITNESSES))
    done = run(target, "--key", tmp_path / "key", "--witness", tmp_path / "witnesses")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "[FAIL]" not in done.stdout
    assert "[NOTE]" not in done.stdout
    assert "180 rows are in the signed tree" in done.stdout
    assert "2 or more witnesses signed" in done.stdout
    told = json.loads(run(target, "--json").stdout)
    assert told["passed"] is True
    assert set(told["findings"]) == {
        "files", "checkpoint", "rows", "proofs", "range", "table", "sources", "signatures",
        "counts",
    }  # fmt: skip


def test_its_verifier_shares_no_code_with_what_made_it():
    tree = ast.parse(store.verifier())
    named = {
        (name.name if isinstance(node, ast.Import) else node.module).split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in node.names
    }
    assert named <= sys.stdlib_module_names


@pytest.mark.parametrize("framework", list(frameworks.BY_NAME))
@pytest.mark.parametrize(
    ("first", "last"),
    [("2026-02-01", "2026-02-28"), (FIRST, LAST), ("2026-01-01", "2026-01-31"),
     ("2026-03-01", "2026-03-31")],
)  # fmt: skip
def test_every_framework_and_every_place_of_the_period_verifies(findings, framework, first, last):
    made = packages.built(STORED, first, last, framework=framework)
    assert findings(made.files) == {}


def test_the_same_log_and_period_give_the_same_bytes_in_another_process():
    program = (
        "from tests.support import evidence_logs, evidence_packages as p; "
        "from sentienguard.adapters.evidence_files import store; "
        "from datetime import timedelta; import hashlib; "
        f"log = evidence_logs.log_of({ENTRIES}, step=timedelta(hours=2), cosigned=230); "
        f"files = p.built(log, {FIRST!r}, {LAST!r}).files; "
        "print(hashlib.sha256(store.archived(files)).hexdigest())"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", program], check=True, capture_output=True, text=True,
            env={**os.environ, "PYTHONHASHSEED": seed, "TZ": zone},
        ).stdout.strip()
        for seed, zone in (("1", "UTC"), ("2", "Asia/Tokyo"))
    }  # fmt: skip
    assert digests == {hashlib.sha256(store.archived(PACKAGE.files)).hexdigest()}


# --- rows that are taken away or changed ----------------------------------------------------------


@pytest.mark.parametrize("name", ["rows.csv", "rows.json"])
def test_a_row_taken_out_of_one_file_is_noticed_each_time(findings, name):
    chance = random.Random(7)
    noticed = 0
    for _ in range(TRIES):
        lines = PACKAGE.files[name].splitlines(keepends=True)
        del lines[chance.randrange(1, len(lines) - 1)]
        found = findings({**PACKAGE.files, name: b"".join(lines)})
        noticed += "files" in found and bool({"table", "rows"} & set(found))
    assert noticed == TRIES


@pytest.mark.parametrize("name", ["rows.csv", "rows.json"])
def test_a_letter_changed_in_one_file_is_noticed_each_time(findings, name):
    chance = random.Random(8)
    noticed = 0
    for _ in range(TRIES):
        content = bytearray(PACKAGE.files[name])
        at = chance.randrange(len(content))
        content[at] = ord("x") if content[at] != ord("x") else ord("y")
        found = findings({**PACKAGE.files, name: bytes(content)})
        noticed += bool(found)
        assert bool({"table", "rows"} & set(found)), "by more than its digest"
    assert noticed == TRIES


def test_a_row_taken_out_with_all_else_set_right_is_noticed_each_time(findings):
    chance = random.Random(9)
    noticed = 0
    for _ in range(TRIES):
        at = chance.randrange(len(ROWS))
        rows, proofs = ROWS[:at] + ROWS[at + 1 :], PROOFS[:at] + PROOFS[at + 1 :]
        found = findings(packages.rewritten(PACKAGE.files, rows, proofs))
        assert "files" not in found, "somebody who sets all digests right is not caught by them"
        assert "table" not in found
        noticed += bool(found)
    assert noticed == TRIES


@pytest.mark.parametrize("end", ["first", "last"])
@pytest.mark.parametrize("count", [1, 2, 17])
def test_a_period_narrowed_at_an_end_is_noticed(findings, end, count):
    """The hardest one: the neighbour that is shown is a true entry with a true proof."""
    taken = ROWS[:count] if end == "first" else ROWS[-count:]
    rows = ROWS[count:] if end == "first" else ROWS[:-count]
    proofs = PROOFS[count:] if end == "first" else PROOFS[:-count]
    shown = taken[-1] if end == "first" else taken[0]
    neighbour = {
        "why": "before" if end == "first" else "after",
        "index": shown["index"],
        "entry": shown["entry"],
        "proof": PROOFS[shown["index"] - ROWS[0]["index"]],
    }
    beside = [one for one in BESIDE if one["why"] != neighbour["why"]] + [neighbour]
    made = packages.rewritten(
        PACKAGE.files, rows, proofs, beside=beside, first_index=rows[0]["index"]
    )
    found = findings(made)
    assert set(found) == {"range"}
    assert "dated in the period" in found["range"][0]


def test_a_missing_neighbour_is_noticed(findings):
    for why in ("before", "after"):
        beside = [one for one in BESIDE if one["why"] != why]
        found = findings(packages.rewritten(PACKAGE.files, ROWS, PROOFS, beside=beside))
        assert set(found) == {"range"}
        assert f"right {why}" in found["range"][0]


def test_a_changed_entry_with_all_else_set_right_is_noticed_each_time(findings):
    chance = random.Random(10)
    noticed = 0
    for _ in range(TRIES):
        rows = copy.deepcopy(ROWS)
        row = chance.choice(rows)
        row["entry"]["data"]["added"] = "nothing happened"
        packages.rehash(row)
        found = findings(packages.rewritten(PACKAGE.files, rows, PROOFS))
        assert "files" not in found
        noticed += "proofs" in found
    assert noticed == TRIES


def test_a_row_that_counts_for_another_control_or_out_of_the_period_is_noticed(findings):
    for change in ({"controls": []}, {"controls": ["CC6.3"]}, {"in_period": False}):
        rows = copy.deepcopy(ROWS)
        rows[5] |= change
        assert "rows" in findings(packages.rewritten(PACKAGE.files, rows, PROOFS))


@pytest.mark.parametrize(
    "change",
    [
        lambda manifest, gaps: manifest["rows"].update(in_period=179),
        lambda manifest, gaps: manifest["rows"]["by_kind"].update({"step.done": 1}),
        lambda manifest, gaps: manifest["rows"]["by_source"]["cp"].update(rows=1),
        lambda manifest, gaps: manifest["controls"]["CC6.1"].update(entries=999),
        lambda manifest, gaps: gaps["controls"][0].update(entries=0),
    ],
)
def test_a_wrong_count_with_all_digests_set_right_is_noticed(findings, change):
    manifest = json.loads(PACKAGE.files["manifest.json"])
    gaps = json.loads(PACKAGE.files["gaps.json"])
    change(manifest, gaps)
    made = {**PACKAGE.files, "gaps.json": json.dumps(gaps).encode()}
    manifest["files"]["gaps.json"] = {
        "sha256": hashlib.sha256(made["gaps.json"]).hexdigest(),
        "bytes": len(made["gaps.json"]),
    }
    made["manifest.json"] = json.dumps(manifest).encode()
    assert set(findings(made)) == {"counts"}


def test_an_invented_log_is_noticed_by_who_kept_the_key(findings):
    other = SigningKey.from_seed(b"z" * 32)
    forged = dataclasses.replace(
        STORED,
        verifier_keys=checkpoint.verifier_key(evidence_logs.ORIGIN, other.public),
        checkpoint=checkpoint.sign(
            checkpoint.read_text(checkpoint.read_note(STORED.checkpoint).text), other
        ),
        cosigned=(),
    )
    made = packages.built(forged, FIRST, LAST)
    assert "checkpoint" in findings(made.files)


def test_missing_witnesses_are_noticed_by_who_has_their_keys(tmp_path):
    packages.write(tmp_path / "p", PACKAGE.files)
    results, _ = VERIFIER.verify(tmp_path / "p", KEY, WITNESSES)
    assert results.findings == {}
    plain = packages.built(dataclasses.replace(STORED, cosigned=()), FIRST, LAST)
    packages.write(tmp_path / "p", plain.files)
    results, _ = VERIFIER.verify(tmp_path / "p", KEY, WITNESSES)
    assert set(results.findings) == {"witnesses"}


def test_another_host_s_word_is_noticed(tmp_path):
    packages.write(tmp_path / "p", PACKAGE.files)
    wrong = [checkpoint.verifier_key(name, SigningKey.from_seed(b"w" * 32).public)
             for name in evidence_logs.HOSTS]  # fmt: skip
    results, _ = VERIFIER.verify(tmp_path / "p", KEY, agent_keys=wrong)
    assert set(results.findings) == {"signatures"}


def test_a_file_that_is_gone_or_too_many_or_other_is_noticed(findings):
    for name in PACKAGE.files:
        if name in {"manifest.json", "log.vkey"}:
            continue
        left = {each: content for each, content in PACKAGE.files.items() if each != name}
        assert "files" in findings(left), name
        assert "files" in findings({**PACKAGE.files, name: PACKAGE.files[name] + b" "}), name
    assert "files" in findings({**PACKAGE.files, "more.txt": b""})


@pytest.mark.parametrize(
    "content", [b"", b"null", b"[1.5]", b"[null]", b'[{"a":1,"a":2}]', b"\xff", b"[" * 100_000]
)
@pytest.mark.parametrize("name", ["rows.json", "proofs.json", "beside.json", "gaps.json"])
def test_nonsense_is_a_finding_and_no_crash(findings, name, content):
    assert findings({**PACKAGE.files, name: content})


def test_a_manifest_of_nonsense_is_wrong_use(tmp_path):
    packages.write(tmp_path / "p", {**PACKAGE.files, "manifest.json": b"[]"})
    done = run(tmp_path / "p")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


# --- the report -----------------------------------------------------------------------------------


def text_of(pdf):
    streams = re.findall(rb"stream\r?\n(.*?)endstream", pdf, re.DOTALL)
    pages = [zlib.decompress(base64.a85decode(one.strip(), adobe=False)
                             if not one.strip().endswith(b"~>")
                             else base64.a85decode(b"<~" + one.strip(), adobe=True))
             for one in streams]  # fmt: skip
    joined = b"\n".join(re.findall(rb"\((.*?)(?<!\\)\) Tj", b"\n".join(pages)))
    return joined.decode("latin-1").replace("\\(", "(").replace("\\)", ")")


@pytest.mark.parametrize("framework", list(frameworks.BY_NAME))
def test_the_report_has_a_section_for_each_control_and_the_digests(framework):
    made = packages.built(STORED, FIRST, LAST, framework=framework)
    text = text_of(made.files["report.pdf"])
    for one in frameworks.named(framework).controls:
        assert f"{one.id} {one.title}" in text
    assert "Executive summary" in text
    for name in ("rows.csv", "rows.json", "proofs.json", "gaps.json"):
        assert hashlib.sha256(made.files[name]).hexdigest() in text, name
    for row in ROWS:
        assert row["leaf_hash"][:16] in text


def test_text_of_strangers_is_text_in_the_report():
    text = text_of(PACKAGE.files["report.pdf"])
    assert "+bob" in text
    assert "\N{GRINNING FACE}" not in text


# --- archives and directories ---------------------------------------------------------------------


def test_evidence_is_never_written_over(tmp_path):
    store.write(tmp_path / "p", {"a": b"1"}, b"zip")
    with pytest.raises(store.InTheWay):
        store.write(tmp_path / "p", {"a": b"2"}, b"zip")
    (tmp_path / "q.zip").write_bytes(b"")
    with pytest.raises(store.InTheWay):
        store.write(tmp_path / "q", {"a": b"2"}, b"zip")
    assert (tmp_path / "p/a").read_bytes() == b"1"


@pytest.mark.parametrize("name", ["../up", "/etc/passwd", "a/b", "", ".hidden", "a\\b"])
def test_an_archive_writes_nowhere_else(name):
    with pytest.raises(store.BadArchive):
        store.unpacked(store.archived({name: b""}))


def test_an_archive_that_is_none_is_refused():
    with pytest.raises(store.BadArchive):
        store.unpacked(b"PK nothing")
