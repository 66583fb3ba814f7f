"""What is answered late: kept before it is acknowledged, bounded, and never lost in silence."""

import json
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from sentienguard.controlplane import chat_answers, late_answers
from sentienguard.controlplane.late_answers import LOST, LateAnswers, Question
from sentienguard.controlplane.slack_desk import FULL, LOOKING, SlackDesk, Space
from sentienguard.model import errors
from sentienguard.ports.notifier import Late, NotNow, NotTaken, Run, Whisper
from tests.servers import chat_services

NOW = datetime.fromtimestamp(1_770_000_000, UTC)
WHERE = "https://hooks.slack.test/commands/T0001/1/a"


class Service:
    """A chat service that keeps what it is told; `says` are its next faults."""

    def __init__(self) -> None:
        self.late: list[Late] = []
        self.whispers: list[Whisper] = []
        self.says: list[Exception] = []
        self.changed = threading.Condition()

    def takes_late(self, where: str) -> bool:
        return where.startswith("https://hooks.slack.test/")

    def answer_late(self, late: Late) -> None:
        if self.says:
            raise self.says.pop(0)
        with self.changed:
            self.late.append(late)
            self.changed.notify_all()

    def whisper(self, whisper: Whisper) -> None:
        with self.changed:
            self.whispers.append(whisper)
            self.changed.notify_all()

    def answer(self, said: Sequence[Run]) -> dict[str, Any]:
        return {"text": text(said)}

    def wait(self, what: Callable[[], object]) -> None:
        with self.changed:
            assert self.changed.wait_for(what, 20), (self.late, self.whispers)


class Model:
    """Answers in time, and holds each answer back until it may go on."""

    def __init__(self, said: str | Exception = "It grew.") -> None:
        self.said = said
        self.asked: list[tuple[str, str]] = []
        self.began, self.goes_on = threading.Event(), threading.Event()
        self.goes_on.set()

    def at_once(self, _text: str, _user: object) -> list[Run]:
        return [Run("I do not understand this question.")]

    def takes_longer(self, text: str, _user: object) -> bool:
        return text.startswith("who")

    def in_time(self, asked: str, user: Any) -> list[Run]:
        self.asked.append((asked, user.name))
        self.began.set()
        assert self.goes_on.wait(20)
        if isinstance(self.said, Exception):
            raise self.said
        return [Run(self.said)]


class World:
    """One workspace before a directory that outlives its desk."""

    def __init__(self, place: Path) -> None:
        self.place, self.service, self.model = place, Service(), Model()
        self.now, self.linked = NOW, True
        self.centre = cast("Any", SimpleNamespace(
            chat=SimpleNamespace(account=self._account),
            users=SimpleNamespace(get=lambda name: SimpleNamespace(name=name)),
            clock=SimpleNamespace(now=lambda: self.now),
        ))  # fmt: skip

    def _account(self, *_: str) -> str:
        if not self.linked:
            raise chat_answers.NotLinked("no")
        return "olga"

    def answers(self) -> LateAnswers:
        spaces = {chat_services.TEAM: cast("Any", self.service)}
        return LateAnswers(self.centre, "slack", spaces, self.model, self.place)

    def desk(self) -> SlackDesk:
        space = Space(chat_services.TEAM, None, cast("Any", self.service))
        return SlackDesk(self.centre, [space], "", self.model, self.place)

    def kept(self) -> list[str]:
        return [json.loads(one.read_bytes())["text"] for one in self.place.glob("*.json")]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "late")


def text(said: Sequence[Run]) -> str:
    return "".join(one.text for one in said)


def question(number: int = 1, person: str = "U1") -> Question:
    return Question(chat_services.TEAM, person, "C1", f"who did {number}?", f"{WHERE}{number}", NOW)


def command(desk: SlackDesk, words: str, where: str = WHERE) -> str:
    sent = {"type": "slash_commands", "payload": chat_services.command(words, where, "U1")}
    return str(desk.payload(sent)["text"])


def test_what_a_model_looks_into_is_acknowledged_first_and_answered_where_slack_said(world) -> None:
    desk = world.desk()
    assert command(desk, "ask who touched it?") == LOOKING
    assert world.kept() == ["who touched it?"], "kept before it is acknowledged"
    desk.start()
    world.service.wait(lambda: world.service.late)
    desk.close()
    [late] = world.service.late
    assert late.where == WHERE
    assert text(late.said) == "You asked: who touched it?\nIt grew."
    assert world.model.asked == [("who touched it?", "olga")]
    assert world.kept() == []


@pytest.mark.parametrize(
    ("words", "where"),
    [
        ("ask what happened?", WHERE),  # a template is for it
        ("ask who touched it?", ""),  # no address came
        ("ask who touched it?", "http://169.254.169.254/latest/meta-data/"),
    ],
)
def test_what_cannot_be_answered_late_is_answered_at_once(world, words: str, where: str) -> None:
    desk = world.desk()
    assert command(desk, words, where) == "I do not understand this question."
    desk.start()
    desk.close()
    assert (world.service.late, world.model.asked, world.kept()) == ([], [], [])


def test_a_directory_that_takes_no_file_is_answered_at_once(world) -> None:
    world.place.write_text("no directory")
    assert command(world.desk(), "ask who?") == "I do not understand this question."


def test_one_person_and_all_of_them_have_so_much_room(world) -> None:
    answers = world.answers()
    assert [answers.take(question(number)) for number in range(3)] == [True, True, False]
    assert answers.take(question(0)), "the same command again is no other question"
    taken = [answers.take(question(10 + number, f"U1{number}")) for number in range(9)]
    assert taken == [True] * 6 + [False] * 3
    assert len(world.kept()) == late_answers.MOST_WAITING
    desk = world.desk()
    desk._late = answers
    assert command(desk, "ask who else?") == FULL


def test_what_a_crash_left_is_answered_by_the_next_start(world) -> None:
    world.model.goes_on.clear()
    first = world.answers()
    first.start()
    first.take(question(1))
    first.take(question(2))
    assert world.model.began.wait(20)
    after = World(world.place)  # the first one is still at it, as a crash leaves it
    second = after.answers()
    second.start()
    after.service.wait(lambda: len(after.service.late) == 2)
    second.close()
    assert sorted(one.where for one in after.service.late) == [f"{WHERE}1", f"{WHERE}2"]
    assert after.kept() == []
    world.model.goes_on.set()
    first.close()


def test_an_end_begins_nothing_and_leaves_what_waits(world) -> None:
    world.model.goes_on.clear()
    answers = world.answers()
    answers.start()
    answers.take(question(1))
    assert world.model.began.wait(20)
    answers.take(question(2))
    answers._stop.set()
    world.model.goes_on.set()
    answers.close()
    assert world.model.asked == [("who did 1?", "olga")]
    assert world.kept() == ["who did 2?"]


def test_what_waited_too_long_is_asked_of_nobody_and_its_person_is_told(world) -> None:
    answers = world.answers()
    answers.take(question())
    world.now += late_answers.TAKEN_FOR + timedelta(seconds=1)
    answers.start()
    world.service.wait(lambda: world.service.whispers)
    answers.close()
    [whisper] = world.service.whispers
    assert (whisper.channel, whisper.person) == ("C1", "U1")
    assert text(whisper.said) == f"You asked: who did 1?\n{LOST}"
    assert (world.model.asked, world.service.late, world.kept()) == ([], [], [])


def test_who_was_unlinked_meanwhile_reads_nothing_of_the_record(world) -> None:
    answers = world.answers()
    answers.take(question())
    world.linked = False
    answers.start()
    world.service.wait(lambda: world.service.late)
    answers.close()
    assert "no account here any more" in text(world.service.late[0].said)
    assert world.model.asked == []


@pytest.mark.parametrize("faults", [1, 2])
def test_a_busy_service_is_tried_again(world, monkeypatch, faults: int) -> None:
    monkeypatch.setattr(late_answers, "PAUSE_S", 0.0)
    world.service.says = [NotNow("busy", after_s=0.0), NotNow("busy")][:faults]
    answers = world.answers()
    answers.take(question())
    answers.start()
    world.service.wait(lambda: world.service.late)
    answers.close()
    assert world.service.whispers == []


@pytest.mark.parametrize("says", [[NotTaken("expired_url")], [NotNow("busy", after_s=0.0)] * 3])
def test_where_the_answer_is_not_taken_the_person_is_told(world, says) -> None:
    world.service.says = list(says)
    answers = world.answers()
    answers.take(question())
    answers.start()
    world.service.wait(lambda: world.service.whispers)
    answers.close()
    assert text(world.service.whispers[0].said).endswith(LOST)
    assert (world.service.late, world.service.says, world.kept()) == ([], [], [])


@pytest.mark.parametrize(
    ("said", "told"), [(errors.Rejected("no such thing"), "no such thing"), (KeyError("x"), "log")]
)
def test_a_fault_is_told_and_ends_no_other_question(world, said, told) -> None:
    world.model.said = said
    answers = world.answers()
    answers.take(question(1))
    answers.take(question(2))
    answers.start()
    world.service.wait(lambda: len(world.service.late) == 2)
    answers.close()
    assert all(told in text(one.said) for one in world.service.late)


def test_files_that_are_no_questions_are_removed_and_keep_nothing_from_starting(world) -> None:
    world.place.mkdir()
    for name, content in {"a": b"", "b": b"[]", "c": b"{}", "d": b'{"at": 7}'}.items():
        (world.place / f"{name}.json").write_bytes(content)
    answers = world.answers()
    answers.start()
    answers.close()
    assert list(world.place.iterdir()) == []
