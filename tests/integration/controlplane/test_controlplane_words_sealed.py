"""What people write and hosts report is in no file of a running control plane, but in the log.

A real incident is asked about, approved with a note, run and reported, while people set a silence
and the kill switch. Then every file of the control plane's directory is read: the database, the
workflows' records, their write-ahead logs, readings, blobs. The log's entries are signed by
themselves and say who wrote what: a text may be there, and nowhere else.
"""

import contextlib
import time

import pytest

from sentienguard.controlplane import evaluation
from sentienguard.model.ids import PlaybookName, digest
from sentienguard.trust.catalogue import Proven, ProvingRecord
from tests.support import centre_process

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]
REMEDY = PlaybookName("disk_cleanup_rotated_logs")
CALM = {("system.cpu_percent", ""): 3.0, ("system.disk_usage_percent", "/srv"): 40.0}
FULL = {**CALM, ("system.disk_usage_percent", "/srv"): 98.0}
NOTE, QUIET, STOPPED = "canary-note: ada agreed", "canary-silence: disks", "canary-freeze: audit"
ENDED, LEFT = "canary-reason of the host", "canary-left-behind"
ENTRIES = "audit"  # the directory of the log, below the control plane's


@pytest.fixture(scope="module")
def centre(tmp_path_factory):
    data = tmp_path_factory.mktemp("words")
    stored = (centre_process.PLAYBOOKS / REMEDY / "playbook.yaml").read_bytes()
    with centre_process.prepared(data) as start:
        record = ProvingRecord(REMEDY, "1.0.0", digest(stored), (Proven("disk-full", 20, 20),))
        evaluation.sign_proving(data / "controlplane", data / "offline-keys", record)
        with start() as running:
            yield running


def until(look, what):
    deadline = time.monotonic() + 40
    while not (found := look()):
        assert time.monotonic() < deadline, what
        time.sleep(0.05)
    return found


def asked(admin, host):
    """Fill the host's disk; return the question that comes of it."""
    host.push(CALM)
    host.push(FULL)
    place, pending = "/api/v1/approvals", {"status": "pending"}
    return until(lambda: admin.get(place, params=pending).json()["items"], "a question")[0]


def reported(host, incident, order):
    """Return what a host that undid its work says of an order."""
    ended = {
        "order_id": order, "outcome": "ROLLED_BACK", "reason": ENDED, "left_behind": [LEFT],
        "started_ms": 1, "finished_ms": 2,
    }  # fmt: skip
    return host.report(
        host.event("order.admitted", incident, {"order_id": order}),
        host.event("order.finished", incident, ended),
    )


@pytest.fixture(scope="module")
def story(centre):
    """Let all of it happen; return what the API tells of the incident."""
    admin = centre.login("admin@local")
    host = centre.enrol("words-1", "staging")
    question = asked(admin, host)
    path = f"/api/v1/incidents/{question['incident']}"
    yes = admin.post(f"/api/v1/approvals/{question['id']}/approve", json={"note": NOTE})
    assert yes.status_code == 200, yes.text
    until(lambda: host.poll()["order"], "an order")
    order = admin.get(path).json()["order"]["id"]
    assert reported(host, question["incident"], order).status_code == 200
    until(lambda: admin.get(path).json()["incident"]["status"] == "CLOSED", "the end")
    silence = {"matchers": [{"label": "host", "comparison": "=", "value": "words-2"}],
               "minutes": 60, "reason": QUIET}  # fmt: skip
    assert admin.post("/api/v1/silences", json=silence).status_code == 201
    assert admin.put("/api/v1/freeze", json={"reason": STOPPED}).status_code == 200
    told = admin.get(path).text + admin.get("/api/v1/freeze").text
    return question, told + admin.get("/api/v1/silences").text


def holding(centre, text):
    """Return the files of the control plane's directory that have a text in the clear."""
    place = centre.data / "controlplane"
    found = []
    for path in place.rglob("*"):
        with contextlib.suppress(FileNotFoundError):  # a file that was replaced meanwhile
            if path.is_file() and text.encode() in path.read_bytes():
                found.append(path.relative_to(place))
    return found


@pytest.mark.parametrize("text", [NOTE, QUIET, STOPPED, LEFT])
def test_what_was_written_is_told_and_is_in_no_file_beside_the_log(centre, story, text):
    _, told = story
    assert text in told
    beside = [str(path) for path in holding(centre, text) if path.parts[0] != ENTRIES]
    assert beside == []


def test_the_question_is_in_no_file_beside_the_log(centre, story):
    question, _ = story
    for line in filter(None, question["question"].splitlines()):
        if len(line) > 30:  # a short one may be a word of many things
            beside = [path for path in holding(centre, line) if path.parts[0] != ENTRIES]
            assert beside == [], line


def test_the_sentence_that_ends_an_incident_is_searched_and_so_in_the_clear(centre, story):
    admin = centre.login("admin@local")
    found = admin.get("/api/v1/incidents", params={"text": ENDED}).json()["items"]
    assert [one["id"] for one in found] == [story[0]["incident"]]
    beside = {path.name for path in holding(centre, ENDED) if path.parts[0] != ENTRIES}
    assert beside <= {"sentienguard.db", "sentienguard.db-wal"}, "in the database alone"
    assert beside, "docs/how-to/seal-secrets-at-rest.md says that it is"


def test_the_search_reads_the_files_in_which_these_texts_would_be(centre, story):
    question, _ = story
    found = {str(path) for path in holding(centre, question["incident"])}
    assert {"sentienguard.db-wal", "flow.db-wal"} <= found or {
        "sentienguard.db",
        "flow.db",
    } <= found
    entries = [path.parts[0] for path in holding(centre, NOTE)]
    assert entries == [ENTRIES] * len(entries)
    assert entries, "the log says with which words somebody agreed"
