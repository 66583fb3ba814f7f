"""Why a playbook has its risk: read from its bytes, else from one line of the README beside it."""

import pytest
from typer.testing import CliRunner

from sentienguard.cli import playbook_commands
from sentienguard.model.playbook import Risk
from sentienguard.playbook import parse, readme
from tests.unit.playbook.test_playbook_lint import CLEAN
from tests.unit.playbook.test_playbook_readers import WITH_LIBYAML, document, needs_both, read_by

START, END = CLEAN.index("risk_reason"), CLEAN.index("idempotent")
LONGEST = "x" * parse.MAX_RISK_REASON


def with_reason(written: str) -> bytes:
    return (CLEAN[:START] + written + CLEAN[END:]).encode()


def test_it_is_one_line_however_it_is_folded():
    stored = with_reason("risk_reason: >\n  Requests fail\n  for   some seconds.\n")
    found = parse.load(stored, origin="it")
    assert found.risk_reason == "Requests fail for some seconds."


def test_a_playbook_without_one_is_the_playbook_that_it_was():
    assert parse.load(with_reason(""), origin="it").risk_reason == ""


def test_the_longest_is_read_and_a_longer_one_is_refused():
    assert parse.load(with_reason(f"risk_reason: {LONGEST}\n"), origin="it").risk_reason == LONGEST
    with pytest.raises(parse.BrokenPlaybook, match="at most 300 characters, found 301"):
        parse.load(with_reason(f"risk_reason: {LONGEST}x\n"), origin="it")


@pytest.mark.parametrize("written", ["", " 3", " [a]", " {param: mount}", ' "  "'])
def test_what_is_no_text_is_refused(written):
    with pytest.raises(parse.BrokenPlaybook, match="risk_reason: expected text"):
        parse.load(with_reason(f"risk_reason:{written}\n"), origin="it")


@needs_both
@pytest.mark.parametrize("written", ["why? because", '"why: # because"', ">-\n  a\n  b", "'it''s'"])
def test_both_readers_say_the_same_of_it(written):
    stored = with_reason(f"risk_reason: {written}\n")
    assert read_by(WITH_LIBYAML, stored) == read_by(document._OwnScanner, stored) is not None


def test_the_line_of_a_readme_counts_for_its_own_level_only():
    text = "# It\n\n**Undo.** None.\n\n**Risk.** WARNING: Requests fail.\n\n**Limits.** None.\n"
    assert readme.risk_reason(text, Risk.WARNING) == "Requests fail."
    assert readme.risk_reason(text, Risk.SAFE) == ""


@pytest.mark.parametrize(
    "line",
    [
        "",
        "Risk. WARNING: no heading",
        "See **Risk.** WARNING: not at the beginning",
        "**Risk.** WARNING:",
        "**Risk.** warning: another word",
        f"**Risk.** WARNING: {LONGEST}x",
        "**Risk.** WARNING: turned \u202e around",
        "**Risk.** WARNING: a\tb",
    ],
)
def test_what_is_no_such_line_says_nothing(line):
    assert readme.risk_reason(f"# It\n\n{line}\n", Risk.WARNING) == ""


def linted(place):
    ran = CliRunner().invoke(playbook_commands.app, ["lint", str(place / "playbook.yaml")])
    assert ran.exit_code == 0, ran.output
    return " ".join(ran.output.split())  # told in lines of the terminal's width


def test_lint_reads_the_line_of_the_readme_in_the_same_directory(tmp_path):
    (tmp_path / "playbook.yaml").write_bytes(with_reason(""))
    assert "[no-risk-reason]" in linted(tmp_path)
    (tmp_path / "README.md").write_text("# It\n\n**Risk.** WARNING: of another level.\n")
    assert "[no-risk-reason]" in linted(tmp_path)
    (tmp_path / "README.md").write_text("# It\n\n**Risk.** SAFE: It can be fetched again.\n")
    assert "can be signed, 0 findings" in linted(tmp_path)
