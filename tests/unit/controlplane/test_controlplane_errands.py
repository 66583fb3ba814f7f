"""Errands: children of the command line, here a small program that does as its words say."""

import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sentienguard.adapters.local_host.clock import LocalClock
from sentienguard.adapters.local_host.entropy import SystemEntropy
from sentienguard.controlplane import drill_reports, errands
from sentienguard.controlplane.drill_reports import DrillReports
from sentienguard.controlplane.errands import Errand, Errands, Kind, State

PROGRAM = """
import json, pathlib, subprocess, sys, time
words = [one for one in sys.argv[1:] if one != "--json"]
if words[0] == "fails":
    sys.exit("sentienguard: the server does not answer\\x1b[31m")
if words[0] == "waits":
    below = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    pathlib.Path("below").write_text(str(below.pid))
    print("asking for history: 3 of 20, system.cpu_percent", file=sys.stderr, flush=True)
    time.sleep(60)
if words[0] == "reads":
    print(json.dumps({"read": (pathlib.Path(words[1]) / "playbook.yaml").read_text()}))
    sys.exit(0)
pathlib.Path(words[1].partition("=")[2]).mkdir()
print(json.dumps({"words": words}))
sys.exit(int(words[0] == "not-as-expected"))
"""


def until(what: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 20
    while not (found := what()) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert found
    return found


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Errands]:
    with errands.opened(made(tmp_path)) as opened:
        yield opened


def made(place: Path) -> Errands:
    command = (sys.executable, "-I", "-c", PROGRAM)
    return Errands(place / "errands", LocalClock(), SystemEntropy(), command)


def asked(desk: Errands, what: str, kind: Kind = Kind.BACKTEST) -> Errand:
    return desk.ask(kind, [what, "--out={out}"], {"days": 7}, "rita@local")


def ended(desk: Errands, one: Errand) -> Errand:
    return until(
        lambda: found if (found := desk.get(one.kind, one.id)).state in errands.ENDED else None
    )


@pytest.mark.parametrize("what", ["works", "not-as-expected"])
def test_what_a_child_answers_is_kept_and_its_own_directory_is_not(
    desk: Errands, tmp_path: Path, what: str
) -> None:
    done = ended(desk, asked(desk, what))
    assert done.state is State.DONE
    place = tmp_path / "errands" / done.id
    assert desk.answer(done) == {"words": [what, f"--out={place / 'work'}"]}
    assert not (place / "work").exists()
    assert made(tmp_path).list(Kind.BACKTEST) == [done]  # after a restart


def test_a_child_that_fails_says_why_in_printable_words(desk: Errands) -> None:
    failed = ended(desk, asked(desk, "fails"))
    assert failed.state is State.FAILED
    assert failed.detail == "sentienguard: the server does not answer [31m"
    with pytest.raises(errands.NoSuchErrand, match="it has no answer"):
        desk.answer(failed)


def test_one_runs_at_a_time_its_progress_shows_and_stopping_ends_all_that_it_started(
    desk: Errands, tmp_path: Path
) -> None:
    first, second = asked(desk, "waits"), asked(desk, "works")
    until(lambda: desk.progress(desk.get(Kind.BACKTEST, first.id)).of)
    shown = desk.progress(desk.get(Kind.BACKTEST, first.id))
    assert shown == errands.Progress("asking for history", 3, 20)
    assert desk.get(Kind.BACKTEST, second.id).state is State.WAITING
    below = int((tmp_path / "errands" / first.id / "below").read_text())
    desk.end(Kind.BACKTEST, first.id, "rita@local")
    stopped = ended(desk, first)
    assert (stopped.state, stopped.detail) == (State.STOPPED, "stopped by rita@local")
    until(lambda: not Path(f"/proc/{below}").exists() or _dead(below))
    assert ended(desk, second).state is State.DONE


def _dead(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().split(") ")[1].startswith("Z")


def test_what_waits_is_stopped_before_it_began_and_no_more_than_a_few_wait(desk: Errands) -> None:
    running = asked(desk, "waits")
    until(lambda: desk.get(Kind.BACKTEST, running.id).state is State.WORKING)
    waiting = [asked(desk, "works") for _ in range(errands.MOST_WAITING)]
    with pytest.raises(errands.TooMany):
        asked(desk, "works")
    desk.end(Kind.BACKTEST, waiting[0].id, "rita@local")
    assert desk.get(Kind.BACKTEST, waiting[0].id).state is State.STOPPED
    desk.end(Kind.BACKTEST, waiting[0].id, "rita@local")  # once more: it is forgotten
    with pytest.raises(errands.NoSuchErrand):
        desk.get(Kind.BACKTEST, waiting[0].id)
    desk.end(Kind.BACKTEST, running.id, "rita@local")


def test_an_errand_of_one_kind_is_not_found_as_the_other(desk: Errands) -> None:
    one = ended(desk, asked(desk, "works", Kind.DRILL))
    with pytest.raises(errands.NoSuchErrand):
        desk.get(Kind.BACKTEST, one.id)
    assert desk.list(Kind.BACKTEST) == []


def test_the_child_ends_with_the_control_plane_and_is_left_over_for_nobody(tmp_path: Path) -> None:
    with errands.opened(made(tmp_path)) as desk:
        running = asked(desk, "waits")
        until(lambda: desk.progress(desk.get(Kind.BACKTEST, running.id)).of)
    assert desk.get(Kind.BACKTEST, running.id).state is State.STOPPED
    (tmp_path / "errands/btt_cut_off").mkdir()  # what a crash leaves
    again = made(tmp_path)
    assert [one.id for one in again.list(Kind.BACKTEST)] == [running.id]
    assert not (tmp_path / "errands/btt_cut_off").exists()


def test_the_oldest_of_a_kind_are_forgotten(desk: Errands, monkeypatch: Any) -> None:
    monkeypatch.setattr(errands, "MOST_KEPT", 1)
    first = ended(desk, asked(desk, "works"))
    other = ended(desk, asked(desk, "works", Kind.DRILL))
    last = ended(desk, asked(desk, "works"))
    until(lambda: [one.id for one in desk.list(Kind.BACKTEST)] == [last.id])
    assert desk.get(Kind.DRILL, other.id)
    with pytest.raises(errands.NoSuchErrand):
        desk.get(Kind.BACKTEST, first.id)


def listing(items: str) -> tuple[str, ...]:
    program = f"import pathlib; pathlib.Path('asked').open('a').write('.'); print({items!r})"
    return (sys.executable, "-I", "-c", program)


def test_drills_are_asked_of_the_command_line_once_and_results_read_from_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    reports = DrillReports(tmp_path, listing('{"items": [{"name": "b"}, {"name": "a"}]}'))
    assert [one["name"] for one in reports.definitions()] == ["a", "b"]
    assert reports.report() == {} and reports.case("a") == {}  # noqa: PT018  # both of nothing
    cases = tmp_path / "benchmark/cases"
    cases.mkdir(parents=True)
    (cases / "a.json").write_text(json.dumps({"passed": True}))
    (tmp_path / "benchmark/report.json").write_text("{cut off")
    assert reports.case("a") == {"passed": True}
    assert reports.report() == {}
    assert reports.definitions()
    assert (tmp_path / "asked").read_text() == "."


def test_a_command_line_that_does_not_answer_is_unavailable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing = (sys.executable, "-I", "-c", "raise SystemExit('drill.yaml: name: expected a name')")
    with pytest.raises(drill_reports.NotAnswered, match="name: expected a name"):
        DrillReports(tmp_path, failing).definitions()
    monkeypatch.chdir(tmp_path)
    for said in ("no", "[]", "{}"):
        with pytest.raises(drill_reports.NotAnswered):
            DrillReports(tmp_path, listing(said)).definitions()


def test_a_child_is_given_files_and_its_answer_is_heard_before_its_end(desk: Errands) -> None:
    heard: list[tuple[str, Any, State]] = []

    def then(one: Errand, answer: dict[str, Any]) -> None:
        heard.append((one.id, answer, desk.get(one.kind, one.id).state))

    luggage = errands.Luggage({"playbook.yaml": b"name: x\n"}, then)
    made_one = desk.ask(Kind.PROOF, ["reads", "{out}"], {}, "rita@local", luggage=luggage)
    assert made_one.id.startswith("prf_")
    assert ended(desk, made_one).state is State.DONE
    assert heard == [(made_one.id, {"read": "name: x\n"}, State.WORKING)]


def test_what_is_stopped_before_it_began_tells_nobody(desk: Errands) -> None:
    heard: list[Any] = []
    first = asked(desk, "waits")
    luggage = errands.Luggage(then=lambda *said: heard.append(said))
    second = desk.ask(Kind.PROOF, ["reads", "{out}"], {}, "rita@local", luggage=luggage)
    desk.end(Kind.PROOF, second.id, "rita@local")
    desk.end(Kind.BACKTEST, first.id, "rita@local")
    assert ended(desk, second).state is State.STOPPED
    assert ended(desk, first).state is State.STOPPED
    assert heard == []


def test_who_hears_an_answer_and_fails_does_not_end_the_worker(desk: Errands) -> None:
    def then(*_: Any) -> None:
        raise OSError("the disk is full")

    luggage = errands.Luggage({"playbook.yaml": b"x"}, then)
    broken = desk.ask(Kind.PROOF, ["reads", "{out}"], {}, "rita@local", luggage=luggage)
    assert ended(desk, broken).state is State.FAILED
    assert ended(desk, asked(desk, "goes")).state is State.DONE
