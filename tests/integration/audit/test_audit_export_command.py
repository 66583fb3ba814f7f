"""`audit export` writes what was asked, each time alike, and nothing from a log that is unsound."""

import csv
import io
import json
import subprocess
import sys
from datetime import timedelta

import pytest

from sentienguard.adapters.audit_files import export
from tests.support import evidence_logs, ocsf_schema, second_syslog

pytestmark = pytest.mark.integration
ENTRIES = 120
STORED = evidence_logs.log_of(ENTRIES, step=timedelta(hours=1))  # five days


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    place = tmp_path_factory.mktemp("export") / "log"
    export.write_stored(place, STORED)
    return place


def run(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "sentienguard.cli.main", "audit", "export", *map(str, arguments)],
        capture_output=True, check=False, timeout=50,
    )  # fmt: skip


def indices_of(kind, content):
    match kind:
        case "json":
            return [row["index"] for row in json.loads(content)]
        case "csv":
            table = csv.DictReader(io.StringIO(content.decode(), newline=""), strict=True)
            return [int(row["index"]) for row in table]
        case "ocsf":
            events = [json.loads(line) for line in content.splitlines()]
            assert not any(ocsf_schema.problems(event) for event in events)
            return [event["unmapped"]["index"] for event in events]
    return [int(second_syslog.cef(line)[1]["cn1"]) for line in content.decode().split("\n")[:-1]]


@pytest.mark.parametrize("kind", ["json", "csv", "ocsf", "cef"])
def test_the_entries_of_a_period_come_out_whole_and_alike_each_time(log, tmp_path, kind):
    asked = ("--format", kind, "--log", log, "--from", "2026-02-02", "--to", "2026-02-03")
    printed = run(*asked)
    assert printed.returncode == 0, printed.stderr
    assert indices_of(kind, printed.stdout) == list(range(24, 72))
    again = run(*asked, "--out", tmp_path / "out", "--json")
    assert (tmp_path / "out").read_bytes() == printed.stdout
    assert json.loads(again.stdout)["entries"] == 48
    whole = run("--format", kind, "--log", log)
    assert indices_of(kind, whole.stdout) == list(range(ENTRIES))


def test_a_pdf_needs_a_file_and_is_the_same_each_time(log, tmp_path):
    assert run("--format", "pdf", "--log", log).returncode == 1
    for name in ("a.pdf", "b.pdf"):
        done = run("--format", "pdf", "--log", log, "--out", tmp_path / name)
        assert done.returncode == 0, done.stderr
    content = (tmp_path / "a.pdf").read_bytes()
    assert content.startswith(b"%PDF-")
    assert content == (tmp_path / "b.pdf").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--format", "xml"), b"expected one of json, csv, ocsf, cef, pdf"),
        (("--format", "json", "--from", "yesterday"), b"expected a day"),
        (("--format", "json", "--json"), b"--out"),
        (("--format", "json", "--log", "/nowhere"), b"found none"),
    ],
)
def test_what_cannot_be_written_is_refused_with_the_way_out(log, arguments, told):
    done = run("--log", log, *arguments)
    assert done.returncode == 1
    assert told in done.stderr
    assert done.stdout == b""


def test_a_file_that_is_there_stays(log, tmp_path):
    (tmp_path / "out").write_bytes(b"mine")
    done = run("--format", "json", "--log", log, "--out", tmp_path / "out")
    assert done.returncode == 1
    assert (tmp_path / "out").read_bytes() == b"mine"


def test_nothing_comes_from_a_log_that_does_not_verify(tmp_path):
    export.write_stored(tmp_path / "log", STORED)
    [segment] = (tmp_path / "log/segments").iterdir()
    content = bytearray(segment.read_bytes())
    content[len(content) // 2] ^= 1
    segment.write_bytes(content)
    done = run("--format", "json", "--log", tmp_path / "log")
    assert done.returncode == 1
    assert b"does not verify" in done.stderr
    assert done.stdout == b""
