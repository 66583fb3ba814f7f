"""How text, times and numbers are shown."""

import io
import json
from datetime import UTC, datetime

import pytest

from sentienguard.cli import frame, main


def shown(as_json):
    out = frame.console(io.StringIO())
    return frame.Frame(frame.data_directory(None), as_json, out, frame.console(io.StringIO()))


def test_with_json_there_is_one_document_and_nothing_else():
    frame_ = shown(as_json=True)
    frame_.say("for people")
    frame_.explain("for people")
    frame_.answer({"a": [1, "ü"]}, "for people")
    frame_.say("for people")
    assert json.loads(frame_.out.file.getvalue()) == {"a": [1, "ü"]}
    assert frame_.err.file.getvalue() == ""


def test_without_json_the_document_is_not_printed():
    frame_ = shown(as_json=False)
    frame_.answer({"a": 1}, "for people")
    assert frame_.out.file.getvalue() == "for people\n"


def test_text_from_outside_is_text():
    frame_ = shown(as_json=False)
    frame_.answer({}, frame.table("x", rows=[("[red]a\x1b[2Jb\x00[/red] :smile:",)], empty=""))
    assert "[red]a\ufffd[2Jb\ufffd[/red] :smile:" in frame_.out.file.getvalue()


def test_a_line_that_can_be_copied_is_not_broken():
    frame_ = shown(as_json=False)
    frame_.say("word " * 60)
    assert frame_.out.file.getvalue().count("\n") == 1


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        (0.0123, "12 ms"),
        (1.04, "1.0 s"),
        (119.0, "119.0 s"),
        (125.0, "2 min 5 s"),
        (7_260.0, "2 h 1 min"),
    ],
)
def test_durations_are_said_as_people_say_them(value, text):
    assert frame.seconds(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(97.0731, "97.07"), (1, "1"), (66060288, "66,060,288")]
)
def test_readings_have_the_digits_that_say_something(value, text):
    assert frame.number(value) == text


def test_times_are_local_and_have_their_date_where_it_is_not_today(monkeypatch):
    monkeypatch.setenv("TZ", "UTC")
    now = datetime(2026, 2, 12, 23, 0, tzinfo=UTC)
    assert frame.local("2026-02-12T11:26:00Z", now=now) != "-"
    assert ":" in frame.local("2026-02-12T11:26:00+00:00", now=now)
    assert frame.local("2025-12-01T11:26:00Z", now=now).startswith("2025-12-01")
    assert frame.local(None) == "-"


def test_the_data_directory_is_what_is_given_else_the_environment_else_the_home(
    monkeypatch, tmp_path
):
    monkeypatch.delenv(frame.VARIABLE, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert frame.data_directory(None) == tmp_path / ".local/share/sentienguard"
    monkeypatch.setenv(frame.VARIABLE, str(tmp_path / "other"))
    assert frame.data_directory(None) == tmp_path / "other"
    assert frame.data_directory(tmp_path / "given") == tmp_path / "given"


@pytest.mark.parametrize(
    ("words", "ordered"),
    [
        (["--json", "hosts", "list"], ["hosts", "list", "--json"]),
        (["--data", "/d", "--json", "up"], ["up", "--data", "/d", "--json"]),
        (["--data=/d", "drill", "run", "x"], ["drill", "run", "x", "--data=/d"]),
        (["hosts", "list", "--json"], ["hosts", "list", "--json"]),
        (["--json", "freeze", "--", "-x"], ["freeze", "--json", "--", "-x"]),
        ([], []),
    ],
)
def test_shared_options_may_stand_before_the_command(words, ordered):
    assert main._shared_last(words) == ordered
