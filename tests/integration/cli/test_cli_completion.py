"""Completion in the shells themselves: what somebody gets who presses TAB."""

import os
import pty
import select
import shutil
import subprocess
import sys
import time

import pytest

from sentienguard.cli import main

pytestmark = [pytest.mark.integration, pytest.mark.timeout(60)]

WITHIN_S = 20.0
# what is typed, what is offered at least, what is not offered
TYPED = [
    ("sentienguard inc", {"incidents"}, {"up"}),
    ("sentienguard incidents ", {"list", "show", "record"}, {"up", "--status"}),
    ("sentienguard incidents list --st", {"--status"}, {"--outcome"}),
    ("sentienguard incidents list --status CL", {"CLOSED"}, {"OPEN"}),
    ("sentienguard incidents list --status CLOSED --out", {"--outcome"}, {"--status"}),
    ("sentienguard drill run disk-f", {"disk-full"}, {"service-hung"}),
    ("sentienguard tokens read-only cr", {"create"}, {"list"}),
    ("sentienguard audit export --format ", {"csv", "ocsf", "pdf"}, {"--format"}),
    ("sentienguard up --environment up --dr", {"--drills"}, {"--json"}),
    ("sentienguard playbook import --from ", {"ansible", "rundeck"}, {"list"}),
    ("sentienguard hosts li", {"list"}, {"show"}),
    ("sentienguard doctor --", {"--json", "--data"}, {"--interval"}),
]  # fmt: skip


@pytest.fixture(scope="module")
def scripts(tmp_path_factory):
    """The scripts as the program writes them."""
    place = tmp_path_factory.mktemp("completion")
    names = {"bash": "sentienguard.bash", "zsh": "_sentienguard", "fish": "sentienguard.fish"}
    for shell, name in names.items():
        made = subprocess.run(
            [sys.executable, "-m", "sentienguard.cli.main", "completion", shell],
            capture_output=True, check=True, timeout=WITHIN_S,
        )  # fmt: skip
        (place / name).write_bytes(made.stdout)
    return place


def shell_of(name):
    """Return the path of a shell; without it the case says so."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not on PATH")
    return found


def said(argv, text, place):
    """Run a shell with a script on its standard input and return what it printed."""
    done = subprocess.run(
        argv, input=text, capture_output=True, text=True, check=True, timeout=WITHIN_S, cwd=place,
        env={"PATH": os.environ["PATH"], "HOME": str(place), "TERM": "dumb"},
    )  # fmt: skip
    assert not done.stderr, done.stderr
    return done.stdout


def at_a_terminal(argv, lines, typed, expected, place):
    """Type into a shell at a terminal, and return what it shows once `expected` is there."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(place)
        os.execve(argv[0], argv, {"PATH": os.environ["PATH"], "HOME": str(place), "TERM": "dumb"})
    shown = b""
    try:
        for text in (*lines, typed):
            os.write(terminal, text.encode())
            until = time.monotonic() + WITHIN_S
            wanted = b"ready-1" if text.endswith("\n") else expected.encode()
            seen = len(shown)
            while wanted not in shown[seen:] and time.monotonic() < until:
                if select.select([terminal], [], [], 0.1)[0]:
                    shown += os.read(terminal, 4096)
    finally:
        os.close(terminal)
        os.kill(pid, 9)
        os.waitpid(pid, 0)
    return shown.decode(errors="replace")


@pytest.mark.parametrize(("typed", "offered", "absent"), TYPED, ids=[one[0] for one in TYPED])
def test_bash_offers_what_may_come_next(scripts, typed, offered, absent):
    words = typed.split(" ")
    script = (
        f"source sentienguard.bash; COMP_WORDS=({' '.join(words[:-1])} {words[-1]!r}); "
        f'COMP_CWORD={len(words) - 1}; _sentienguard; printf "%s\\n" "${{COMPREPLY[@]}}"\n'
    )
    found = set(said([shell_of("bash"), "--norc", "-s"], script, scripts).split())
    assert offered <= found
    assert not absent & found


def test_bash_completes_after_an_equals_sign_too(scripts):
    script = (
        "source sentienguard.bash; COMP_WORDS=(sentienguard incidents list --status = CL); "
        'COMP_CWORD=5; _sentienguard; printf "%s\\n" "${COMPREPLY[@]}"\n'
    )
    assert said([shell_of("bash"), "--norc", "-s"], script, scripts).split() == ["CLOSED"]


@pytest.mark.parametrize(("typed", "offered", "absent"), TYPED, ids=[one[0] for one in TYPED])
def test_fish_offers_what_may_come_next(scripts, typed, offered, absent):
    script = f"source sentienguard.fish; complete -C {typed!r}\n"
    found = {line.split("\t")[0] for line in
             said([shell_of("fish"), "--no-config"], script, scripts).splitlines()}  # fmt: skip
    assert offered <= found
    assert not absent & found


def test_tab_completes_at_a_terminal_of_bash(scripts):
    lines = ("source sentienguard.bash; echo ready-$((1))\n",)
    shown = at_a_terminal(
        [shell_of("bash"), "--norc", "--noprofile", "-i"], lines,
        "sentienguard app\tapp\t", "sentienguard approvals approve", scripts,
    )  # fmt: skip
    assert "sentienguard approvals approve" in shown


@pytest.mark.parametrize(
    ("typed", "expected"),
    [("sentienguard approvals de\t", "approvals deny"),
     ("sentienguard incidents list --status CL\t", "--status CLOSED"),
     ("sentienguard incidents list --status=CL\t", "--status=CLOSED"),
     ("sentienguard drill run disk-fu\t", "disk-full")],
)  # fmt: skip
def test_tab_completes_at_a_terminal_of_zsh(scripts, typed, expected):
    setup = f"PS1=; fpath=({scripts} $fpath); autoload -Uz compinit; compinit -u -D"
    lines = (f"{setup}; echo ready-$((1))\n",)
    shown = at_a_terminal([shell_of("zsh"), "-f", "-i"], lines, typed, expected, scripts)
    assert expected in shown


def test_every_shell_of_the_tests_is_one_of_the_command(capsys):
    assert main.main(["completion", "--help"]) == 0
    assert "bash, zsh or fish" in capsys.readouterr().out
