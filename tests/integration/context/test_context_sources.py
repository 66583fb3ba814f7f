"""Adapters of context against real things: an HTTP server that answers as Loki, a repository."""

import http.server
import json
import subprocess
import threading
import time
import urllib.parse
from datetime import UTC, datetime, timedelta

import pytest

from sentienguard.adapters.git_log.reader import GitLog
from sentienguard.adapters.local_host.clock import LocalClock
from sentienguard.adapters.loki.client import LONGEST_ANSWER, Address, Loki
from sentienguard.ports.log_search import LogSearchAway
from sentienguard.ports.secrets import SecretsAway
from tests.support import outbound_ways

pytestmark = pytest.mark.integration
NOW = datetime(2026, 2, 12, 11, 26, tzinfo=UTC)
START = NOW - timedelta(hours=1)


@pytest.fixture
def loki():
    """Serve what a test puts into `answers`; remember what was asked."""
    asked: list[tuple[str, dict[str, list[str]], dict[str, str]]] = []
    answers: list[tuple[int, bytes]] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            parts = urllib.parse.urlsplit(self.path)
            asked.append((parts.path, urllib.parse.parse_qs(parts.query), dict(self.headers)))
            status, body = answers[0]
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", asked, answers
    server.shutdown()
    server.server_close()
    thread.join(5)


def asking(url, key=None, **more):
    way = outbound_ways.to(url, longest_answer=LONGEST_ANSWER)
    return Loki(Address(url, **more), way, key)


def streams(*values, **labels):
    document = {
        "status": "success",
        "data": {"resultType": "streams", "result": [{"stream": labels, "values": list(values)}]},
    }
    return 200, json.dumps(document).encode()


def ns(ago_s):
    return str(int((NOW - timedelta(seconds=ago_s)).timestamp()) * 10**9)


def test_lines_come_newest_first_with_their_file(loki):
    url, asked, answers = loki
    answers.append(streams([ns(9), "first"], [ns(3), "last"], filename="/var/log/o.log"))
    found = asking(url, outbound_ways.key("k"), tenant="t").lines(
        "prod", "orders", START, NOW, limit=5
    )
    assert [(one.text, one.where) for one in found] == [
        ("last", "/var/log/o.log"),
        ("first", "/var/log/o.log"),
    ]
    path, query, headers = asked[0]
    assert path == "/loki/api/v1/query_range"
    assert query["query"] == ['{service_name="orders", deployment_environment_name="prod"}']
    assert query["start"] == [str(int(START.timestamp()) * 10**9)]
    assert headers["Authorization"] == "Bearer k"
    assert headers["X-Scope-OrgID"] == "t"


@pytest.mark.parametrize("name", ['x"} or {a="b', "a\\", "$environment", 'q" |= "x', "\n"])
def test_a_name_never_becomes_a_part_of_the_query(loki, name):
    url, asked, answers = loki
    answers.append(streams())
    asking(url).lines("prod", name, START, NOW, limit=5)
    query = asked[0][1]["query"][0]
    quoted = query.removeprefix('{service_name="').removesuffix(
        '", deployment_environment_name="prod"}'
    )
    assert json.loads(f'"{quoted}"') == name.replace("$", "")


@pytest.mark.parametrize(
    "answer",
    [
        (500, b"no"),
        (200, b"{}"),
        (200, b"not json"),
        (200, b'{"data":{"result":[{"stream":{},"values":[["x","y"]]}]}}'),
        (200, b"x" * (5 * 1024 * 1024)),
        (302, b""),
    ],
)
def test_anything_else_is_no_answer(loki, answer):
    url, _, answers = loki
    answers.append(answer)
    with pytest.raises(LogSearchAway):
        asking(url).lines("prod", "orders", START, NOW, limit=5)


def test_a_name_makes_the_key_a_password(loki):
    url, asked, answers = loki
    answers.append(streams())
    asking(url, outbound_ways.key("pass"), user="ann").lines("p", "o", START, NOW, limit=5)
    assert asked[0][2]["Authorization"] == "Basic YW5uOnBhc3M="


def test_without_its_key_loki_is_not_asked(loki):
    def fetch():
        raise SecretsAway("vault:sg#loki: the store answered 503")

    url, asked, _ = loki
    with pytest.raises(LogSearchAway, match="vault:sg#loki"):
        asking(url, fetch).lines("prod", "orders", START, NOW, limit=5)
    assert not asked


def test_nobody_there_is_no_answer():
    with pytest.raises(LogSearchAway):
        asking("http://127.0.0.1:1").lines("prod", "orders", START, NOW, limit=5)


@pytest.fixture
def repository(tmp_path):
    place = tmp_path / "orders"

    def git(*words, **more):
        subprocess.run(["git", "-C", str(place), *words], check=True, capture_output=True, **more)

    place.mkdir()
    git("init", "-q")
    for number, subject in enumerate(("first", "second \x1f with a separator", "third")):
        (place / "file").write_text(str(number))
        git("add", ".")
        when = (NOW - timedelta(hours=3 - number)).isoformat()
        git(
            *("-c", "user.name=Ann", "-c", "user.email=ann@example.com"),
            *("commit", "-q", "-m", subject),
            env={"GIT_COMMITTER_DATE": when, "GIT_AUTHOR_DATE": when, "PATH": "/usr/bin:/bin"},
        )
    return place


def test_commits_of_the_time_come_newest_first(repository):
    found = GitLog({"orders": repository}, LocalClock()).between(
        "any", NOW - timedelta(days=1), NOW, limit=5
    )
    assert [one.summary for one in found] == ["third", "first"]
    assert found[0].service == "orders"
    assert found[0].kind == "commit"
    assert found[0].by == "Ann"


def test_a_repository_cannot_have_a_program_run(repository, tmp_path):
    proof = tmp_path / "ran"
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\ntouch {proof}\ncat\n")
    program.chmod(0o755)
    with (repository / ".git/config").open("a") as config:
        config.write(f"[core]\n\tpager = {program}\n\tfsmonitor = {program}\n")
        config.write(f"[gpg]\n\tprogram = {program}\n[log]\n\tshowSignature = true\n")
    found = GitLog({"orders": repository}, LocalClock()).between(
        "any", NOW - timedelta(days=1), NOW, limit=5
    )
    assert found
    assert not proof.exists()


def test_what_is_no_repository_has_no_commits(tmp_path):
    assert GitLog({"a": tmp_path}, LocalClock()).between("any", START, NOW, limit=5) == []


def test_an_answer_that_comes_in_drops_ends_with_the_time_that_is_left(loki):
    _, _, answers = loki
    answers.append(streams([ns(3), "late"]))
    slow = threading.Event()

    class Drip(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            body = answers[0][1]
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            for each in body:
                self.wfile.write(bytes([each]))
                if slow.wait(0.05):
                    return

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Drip)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    began = time.monotonic()
    try:
        with pytest.raises(LogSearchAway, match=r"more than 0\.2 s"):
            asking(f"http://127.0.0.1:{server.server_port}").lines(
                "prod", "orders", START, NOW, limit=5, limit_s=0.2
            )
        assert time.monotonic() - began < 1.0
    finally:
        slow.set()
        server.shutdown()
        server.server_close()
