"""What an npm registry says of the locked versions, asked by the real npm of a server here."""

import datetime as dt
import gzip
import http.server
import json
import shutil
import threading

import pytest

from scripts import advisories, npm_advisories
from scripts.advisories import advisory_ages, locked

pytestmark = [
    pytest.mark.integration,
    pytest.mark.timeout(120),
    pytest.mark.skipif(not shutil.which("npm"), reason="needs npm"),
]
TODAY = dt.date(2026, 11, 22)
KNOWN = {"newest": {"PyPI": "2026-11-20"}, "records": []}
LOCK = {
    "": {"dependencies": {"thing": "1.0.0"}, "devDependencies": {"tool": "2.0.0"}},
    "node_modules/thing": {"version": "1.0.0"},
    "node_modules/parent": {"version": "1.0.0", "dependencies": {"thing": "2.0.0"}},
    "node_modules/parent/node_modules/thing": {"version": "2.0.0"},
    "node_modules/tool": {"version": "2.0.0", "dev": True},
}


def advisory(name, below):
    return {"id": 1, "url": f"https://example.org/advisories/GHSA-{name}", "title": f"bad {name}",
            "severity": "high", "vulnerable_versions": below, "cwe": [], "cvss": {}}  # fmt: skip


ALL = {
    "minimist": [advisory("minimist", "<0.2.1")],
    "thing": [advisory("thing", "<1.5.0")],
    "tool": [advisory("tool", "<3")],
}


class Registry(http.server.ThreadingHTTPServer):
    """Answers as a registry does that serves advisories, or as one that does not."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Requests)
        self.status, self.answer, self.asked = 200, ALL, []


class Requests(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        self.server.asked.append(json.loads(body))
        said = self.server.answer
        self.reply(
            self.server.status, said if isinstance(said, bytes) else json.dumps(said).encode()
        )

    def do_GET(self):
        self.reply(404, b"{}")

    def reply(self, status, body):
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        """Keep quiet."""


@pytest.fixture
def registry():
    server = Registry()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def dashboard(tmp_path):
    place = tmp_path / "ui"
    place.mkdir()
    named = {"name": "x", "version": "1.0.0"}
    (place / "package.json").write_text(json.dumps({**named, **LOCK[""]}))
    lock = {**named, "lockfileVersion": 3, "requires": True, "packages": LOCK}
    (place / "package-lock.json").write_text(json.dumps(lock))
    return place


@pytest.fixture
def ask(registry, dashboard, tmp_path):
    settings = {
        "npm_config_registry": f"http://127.0.0.1:{registry.server_port}/",
        "npm_config_cache": str(tmp_path / "cache"),
        "npm_config_userconfig": str(tmp_path / "none"),
    }
    return lambda: npm_advisories.ask(dashboard, settings)


def judged(capsys, known, packages, accepted=frozenset(), unread=""):
    return advisories.report(known, packages, set(accepted), TODAY, unread), capsys.readouterr().out


def test_what_the_registry_knows_fails_for_exactly_the_versions_that_are_locked(
    ask, registry, dashboard, capsys
):
    packages = locked.npm(dashboard / "package-lock.json")
    known = advisory_ages.answered(KNOWN, ask(), packages, TODAY)
    status, said = judged(capsys, known, packages)
    assert status == 1
    lines = [line for line in said.splitlines() if "VULNERABLE" in line]
    assert lines == [
        "VULNERABLE: thing 1.0.0: GHSA-thing high: bad thing (<1.5.0)",
        "VULNERABLE: tool 2.0.0 (only builds and tests): GHSA-tool high: bad tool (<3)",
    ]
    assert "npm: 4 versions (3 shipped, 1 only build and test), asked of the registry today" in said
    assert registry.asked[0]["thing"] == ["1.0.0", "2.0.0"]
    assert "minimist" not in said


def test_an_exception_is_for_one_advisory_of_one_package(ask, dashboard, capsys):
    packages = locked.npm(dashboard / "package-lock.json")
    known = advisory_ages.answered(KNOWN, ask(), packages, TODAY)
    accepted = {("GHSA-thing", "thing")}
    status, said = judged(capsys, known, packages, accepted)
    assert (status, "accepted: thing 1.0.0: GHSA-thing" in said) == (1, True)
    assert judged(capsys, known, packages, {*accepted, ("GHSA-tool", "tool")})[0] == 0


@pytest.mark.parametrize(
    ("status", "answer", "why"),
    [
        (405, b"", "405 Method Not Allowed"),
        (404, b"{}", "404 Not Found"),
        (200, {}, "so it knows no advisories"),
        (200, {"thing": [advisory("thing", "<9")]}, "so it knows no advisories"),
        (200, b"<html>", "."),
    ],
    ids=["refused", "not served", "nothing known", "the bad one not known", "a page"],
)
def test_a_registry_that_does_not_serve_advisories_is_unread(ask, registry, status, answer, why):
    registry.status, registry.answer = status, answer
    with pytest.raises(npm_advisories.Unread, match=why):
        ask()


def test_a_registry_that_is_away_is_unread(ask, registry, dashboard):
    registry.server_close()
    with pytest.raises(npm_advisories.Unread):
        npm_advisories.ask(dashboard, {"npm_config_registry": "http://127.0.0.1:9/"})


def test_the_last_answer_is_judged_by_with_its_age_where_none_came_today(ask, dashboard, capsys):
    packages = locked.npm(dashboard / "package-lock.json")
    known = advisory_ages.answered(KNOWN, ask(), packages, TODAY - dt.timedelta(days=40))
    newer = [*packages, locked.Package("npm", "new", "1.0.0")]
    status, said = judged(capsys, known, newer, unread="405")
    assert status == 1
    assert "COULD NOT BE READ, so nothing newer is known: 405" in said
    assert "by the answer of 2026-10-13 (40 days); 1 NOT JUDGED, as newer" in said
    assert not advisory_ages.all_read(known, TODAY, "405")
    assert advisory_ages.all_read(known, TODAY, "")
