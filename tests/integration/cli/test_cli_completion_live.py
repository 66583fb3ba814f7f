"""Ids and names of the running system at the press of TAB: found, bounded, silent in failure."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from sentienguard.cli import main
from sentienguard.cli.help import live

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]
WITHIN_S = 60.0  # for a whole shell on a busy machine; what live itself takes is measured apart
TOKEN = "a-token"
ITEMS = {
    "/api/v1/incidents?limit=50": [{"id": "inc_20260212_112600_a8f3b2c1"}, {"id": "inc_2"}],
    "/api/v1/hosts": [
        {"host": "web-1", "environment": "staging"},
        {"host": "web-2", "environment": "staging"},
        {"host": "$(touch owned)", "environment": "`touch owned`"},
        {"host": "a b;c", "environment": "-rf"},
    ],
}


class Pretended(BaseHTTPRequestHandler):
    """The API as far as completion asks it; /slow never answers in time."""

    waits = threading.Event()

    def do_GET(self) -> None:
        if self.path.startswith("/slow"):
            self.waits.wait(WITHIN_S)
        known = self.headers["Authorization"] == f"Bearer {TOKEN}"
        found = ITEMS.get(self.path, [])
        with contextlib.suppress(BrokenPipeError):  # who waited has gone
            self.send_response(200 if known else 401)
            self.end_headers()
            self.wfile.write(json.dumps({"items": found}).encode())

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Pretended) as listening:
        threading.Thread(target=listening.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{listening.server_address[1]}"
        Pretended.waits.set()
        listening.shutdown()


def signed_in(place: Path, server: str, token: str = TOKEN) -> Path:
    place.mkdir(exist_ok=True)
    session = {"token": token, "server": server, "name": "rita", "refresh": ""}
    (place / "cli-token").write_text(json.dumps(session))
    return place


@pytest.mark.parametrize(
    ("kind", "found"),
    [
        ("incidents", ["inc_20260212_112600_a8f3b2c1", "inc_2"]),
        ("hosts", ["web-1", "web-2"]),
        ("environments", ["staging"]),
        ("playbooks", []),
    ],
)
def test_it_returns_plain_words_once_each(
    server: str, tmp_path: Path, kind: str, found: list[str]
) -> None:
    assert live.values(kind, signed_in(tmp_path / "d", server)) == found


def test_a_session_that_is_over_is_renewed_apart_and_says_nothing_now(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    renewed: list[Path] = []
    monkeypatch.setattr(live, "_renew", renewed.append)
    place = signed_in(tmp_path / "d", server, "an-old-token")
    assert live.values("hosts", place) == []
    assert renewed == [place]


def test_a_server_that_does_not_answer_costs_a_second_and_no_word(
    server: str, tmp_path: Path
) -> None:
    place = signed_in(tmp_path / "d", f"{server}/slow")
    began = time.monotonic()
    done = asked("hosts", "sentienguard", "hosts", "show", "--data", str(place))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert time.monotonic() - began < WITHIN_S / 2  # the server would have waited longer


def test_nobody_signed_in_is_silence(tmp_path: Path) -> None:
    done = asked("hosts", "sentienguard", "--data", str(tmp_path))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["sentienguard", "hosts", "show", "--data", "/d", ""], "/d"),
        (["sentienguard", "--data=/d", "hosts"], "/d"),
        (["sentienguard", "--data", "=", "/d"], "/d"),  # as bash takes it apart
        (["sentienguard", "hosts"], "/usual"),
        (["sentienguard", "hosts", "--data"], "/usual"),
    ],
)
def test_it_looks_where_the_line_says(
    words: list[str], found: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SENTIENGUARD_DATA", "/usual")
    assert live.directory(words) == Path(found)


@pytest.mark.parametrize(
    ("shell", "script"),
    [
        (
            "bash",
            (
                "source made; COMP_WORDS=(sentienguard incidents show --data {data} inc_2); "
                'COMP_CWORD=5; _sentienguard; printf "%s\\n" "${{COMPREPLY[@]}}"'
            ),
        ),
        ("fish", "source made; complete -C 'sentienguard incidents show --data {data} inc_2'"),
    ],
)
def test_a_shell_offers_what_the_running_system_has(
    tmp_path: Path, shell: str, script: str, capsys: pytest.CaptureFixture[str]
) -> None:
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"{shell} is not on PATH")
    assert main.main(["completion", shell]) == 0
    # In place of Python a program that says what it was asked, however busy the machine is.
    stub = tmp_path / "stub"
    stub.write_text('#!/bin/sh\necho "$@" > asked\necho inc_1\necho inc_2\n')
    stub.chmod(0o755)
    (tmp_path / "made").write_text(capsys.readouterr().out.replace(sys.executable, str(stub)))
    quiet = "--norc" if shell == "bash" else "--no-config"
    offered = run([program, quiet], tmp_path, script.format(data="/d"))
    assert offered.stderr == ""
    assert offered.stdout.split() == ["inc_2"]
    told = (tmp_path / "asked").read_text().split()
    assert told[:3] == ["-m", "sentienguard.cli.help.live", "incidents"]
    assert live.directory(told[3:]) == Path("/d")


def asked(*words: str) -> "subprocess.CompletedProcess[str]":
    return run([sys.executable, "-m", "sentienguard.cli.help.live", *words], None)


def run(argv: list[str], place: Path | None, text: str = "") -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        argv,
        input=text,
        capture_output=True,
        text=True,
        check=False,
        timeout=WITHIN_S,
        cwd=place,
        env={**os.environ, "TERM": "dumb", **({"HOME": str(place)} if place else {})},
    )
