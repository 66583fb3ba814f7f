"""What a person reads who did something that does not work: a sentence, a status, the way out."""

import errno
import io
import re
import shlex
import sys

import httpx
import pytest

from sentienguard.cli import client, main
from sentienguard.cli.help import examples

STARTS = {"up", "demo", "drill run", "drill run-all"}  # would begin something
WORKS = {"down", "drill list", "settings", "version", "completion", "playbook test", "trust init",
         "mcp"}  # needs neither files nor a control plane  # fmt: skip
WAITS = {"backtest", "history import", "audit forward", "doctor"}  # tested where their servers are
ASKS_FOR_A_FILE = re.compile(
    r"No such file or directory|expected the directory of an audit log|nothing was anchored yet"
)
SHELL_WORDS = re.compile(r"\s(?:\||<|>)\s")


@pytest.fixture
def nowhere(tmp_path, monkeypatch):
    """A directory with nothing in it, and no installation."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SENTIENGUARD_DATA", str(tmp_path / "none"))
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))


@pytest.mark.parametrize("words", sorted(set(examples.EXAMPLES) - STARTS - WORKS - WAITS))
def test_with_nothing_there_every_command_says_so_and_the_way_out(words, nowhere, capsys):
    line = examples.line("", words, examples.of(words)[0])
    status = main.main(shlex.split(SHELL_WORDS.split(line)[0]))
    captured = capsys.readouterr()
    said = captured.err.splitlines()[-1]
    assert captured.out == ""
    assert said.startswith("sentienguard: ")
    if status == main.AWAY:
        assert "`sentienguard up`" in said
        assert "--data" in said
    else:
        assert status == main.REFUSED
        assert ASKS_FOR_A_FILE.search(said)


def test_beside_a_running_demo_it_is_named_and_nowhere_else(nowhere, tmp_path, capsys):
    assert main.main(["incidents", "list"]) == main.AWAY
    assert ".demo" not in capsys.readouterr().err
    running = tmp_path / ".demo" / client.SERVER_FILE
    running.parent.mkdir(parents=True)
    running.write_text("{}")
    assert main.main(["incidents", "list"]) == main.AWAY
    assert "for the demo of this directory add --data .demo" in capsys.readouterr().err
    assert main.main(["incidents", "list", "--data", ".demo"]) == main.AWAY
    assert "add --data" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "wanted"),
    [("detect score none.csv --out o.csv", "none.csv: No such file or directory; check its name"),
     ("diagnose .", ".: Is a directory; name a file in it"),
     ("audit verify copy", "an installation has its own in DIR/controlplane/audit"),
     ("audit check-anchors", "docs/how-to/anchor-the-log.md"),
     ("drill run nonsense", "`sentienguard drill list`"),
     ("incidents lst", "Did you mean 'list'?"),
     ("roles show", "Missing argument"),
     ("completion tcsh", "there is one for bash, zsh, fish"),
     ("playbook lint .", ".: is a directory; name a file in it")],
)  # fmt: skip
def test_what_is_wrong_is_named_with_what_to_do(words, wanted, nowhere, capsys):
    assert main.main(words.split()) != 0
    assert wanted in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("number", sorted(main.WAYS_OUT))
def test_what_the_system_refuses_has_the_file_and_the_way_out(number, monkeypatch, capsys):
    def refuse(*_, **__):
        raise OSError(number, "the system said no", "/some/file")

    monkeypatch.setattr(main, "program", lambda _: refuse)
    assert main.main(["version"]) == main.REFUSED
    said = capsys.readouterr().err
    assert said == (f"sentienguard: /some/file: the system said no; {main.WAYS_OUT[number]}\n"), (
        errno.errorcode[number]
    )


@pytest.mark.parametrize(
    ("server", "wanted", "absent"),
    [("http://127.0.0.1:1", "`sentienguard doctor`", "reaches it"),
     ("https://guard.invalid:7443", "whether this machine reaches it", "sentienguard up")],
)  # fmt: skip
def test_a_server_that_does_not_answer_is_told_by_where_it_is(server, wanted, absent):
    def refuse(request):
        raise httpx.ConnectError("refused", request=request)

    transport = httpx.MockTransport(refuse)
    with client.Client(server, transport=transport) as asked, pytest.raises(client.Away) as caught:
        asked.get("/hosts")
    assert wanted in str(caught.value)
    assert absent not in str(caught.value)
