"""Every command has examples that it would take, and shows them; completion knows every command."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from sentienguard.cli import completion_commands, main
from sentienguard.cli.help import examples, tree

ROOT = Path(__file__).resolve().parents[3]
WHOLE = main.program()
WALKED = dict(tree.walk(WHOLE))
LEAVES = sorted(words for words, command in WALKED.items() if not hasattr(command, "commands"))
GROUPS = sorted(set(WALKED) - set(LEAVES))
SHELL_WORDS = re.compile(r"\s(?:\||<|>|2>|&&)\s")  # from there on it is not ours


def parse(line):
    """Read a command line as the program would, and do nothing. Returns the command's words."""
    words = shlex.split(SHELL_WORDS.split(line)[0])
    assert words.pop(0) == main.PROGRAM
    words = main._shared_last(words)
    command, context = WHOLE, WHOLE.make_context(main.PROGRAM, list(words))
    while hasattr(command, "commands"):
        rest = [*context._protected_args, *context.args]
        name, command, rest = command.resolve_command(context, rest)
        context = command.make_context(name, list(rest), parent=context)
    return context.command_path.removeprefix(f"{main.PROGRAM} ")


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A directory with the files that examples name, since some options look whether they exist."""
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("words", LEAVES)
def test_every_command_has_an_example_that_it_would_take(words, place):
    given = examples.EXAMPLES.get(words, ())
    assert given, f"add an example of `{words}` to src/sentienguard/cli/help/examples.py"
    for example in given:
        assert parse(examples.line(main.PROGRAM, words, example)) == words


@pytest.mark.parametrize("words", ["nonsense", "incidents list --nonsense", "up --interval 0",
                                   "incidents show", "drill run a b"])  # fmt: skip
def test_a_line_that_the_program_would_not_take_does_not_pass(words, place):
    with pytest.raises(Exception, match=r".+"):
        parse(f"sentienguard {words}")


def test_no_example_is_of_a_command_that_is_not_there():
    assert set(examples.EXAMPLES) == set(LEAVES)
    assert set(examples.FIRST) <= set(LEAVES)


@pytest.mark.parametrize("words", [*LEAVES, *GROUPS])
def test_help_ends_with_the_examples_and_is_no_wider_than_a_terminal(words, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    assert main.main([*words.split(), "--help"]) == 0
    out = capsys.readouterr().out
    foot = out.partition("Examples:")[2]
    assert foot
    said = " ".join(foot.split())
    for example in examples.of(words):
        assert " ".join(examples.line(main.PROGRAM, words, example).split()) in said
        assert f"# {example.what}" in said


@pytest.mark.parametrize("words", LEAVES)
def test_the_reference_shows_the_same_examples(words):
    page = (ROOT / "docs/reference/cli.md").read_text()
    heading = rf"^### `sentienguard {re.escape(words)}(?: [^a-z`][^`]*)?`\n"
    found = re.search(rf"{heading}(.*?)(?=^##|\Z)", page, re.MULTILINE | re.DOTALL)
    assert found
    for example in examples.of(words):
        shown = f"{examples.line(main.PROGRAM, words, example)}  # {example.what}"
        assert shown in found[1].splitlines(), f"docs/reference/cli.md: {shown}"


@pytest.mark.parametrize("shell", completion_commands.SHELLS)
def test_completion_knows_every_command_and_option(shell, capsys):
    assert main.main(["completion", shell]) == 0
    script = capsys.readouterr().out
    for words, command in WALKED.items():
        assert words in script
        for parameter in command.params:
            for option in parameter.opts if parameter.param_type_name == "option" else ():
                assert option in script or f"-l {option[2:]} " in script, f"{words} {option}"


def test_an_unknown_shell_is_refused_with_those_that_are_known(capsys):
    assert main.main(["completion", "tcsh"]) == 1
    assert "bash, zsh, fish" in capsys.readouterr().err


def test_values_that_are_offered_are_values_that_are_taken():
    for node in tree.read(WHOLE, completion_commands.known()):
        for option in node.options:
            assert not (option.values and not option.takes), f"{node.words} {option.name}"
    known = completion_commands.known()
    assert {"disk-full", "cron-died"} <= set(known["drill run"])
    assert "disk_cleanup_rotated_logs" in known["playbook test"]
    assert "stackstorm" in known["playbook import --from"]


def test_a_paragraph_of_help_is_broken_by_the_terminal_and_not_by_its_source(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    assert main.main(["audit", "verify", "--help"]) == 0
    said = capsys.readouterr().out
    assert "the control plane verifies what lies on its disk;" in said
    assert main._unbroken("One\ntwo.\n\nthree\nfour\n\n- a\n- b\n\n  five\n  six") == (
        "One two.\n\nthree four\n\n- a\n- b\n\n  five\n  six"
    )


def test_the_list_of_all_commands_says_what_they_say_themselves():
    listed = main.program("")
    assert list(listed.commands) == list(WHOLE.commands)
    for name, command in WHOLE.commands.items():
        assert listed.commands[name].help == command.help.split("\n\n")[0]
        assert hasattr(listed.commands[name], "commands") == hasattr(command, "commands")


@pytest.mark.parametrize(
    ("line", "loaded"),
    [("--help", []), ("nonsense", []), ("version", ["about_commands"])],
)
def test_a_line_loads_the_command_that_it_runs_and_no_other(line, loaded):
    code = (
        "import sys; from sentienguard.cli import main; main.main(sys.argv[1:]); "
        "print(*(one for one in sys.modules if one.endswith('_commands')), sep='\\n')"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, line], capture_output=True, text=True, check=True
    )
    assert re.findall(r"^sentienguard\.cli\.(\w+)$", ran.stdout, re.MULTILINE) == loaded


@pytest.mark.parametrize(
    ("line", "wanted"),
    [("", ""), ("--help", ""), ("up --json", "up"), ("roles list --help", "roles"),
     ("-- up", None), ("--version up", None), ("completion bash", None)],
)  # fmt: skip
def test_a_line_that_may_need_any_command_gets_all_of_them(line, wanted):
    assert main._wanted(line.split()) == wanted
