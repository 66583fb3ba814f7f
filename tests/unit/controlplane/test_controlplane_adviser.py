"""The desk where an adviser is asked, its breaker, and what the settings make of it."""

import threading

import pytest

from sentienguard.controlplane import adviser_desk, app_adviser
from sentienguard.controlplane.settings import Settings, SettingWrong
from sentienguard.flow.advising import AdviserBusy, Consulted
from sentienguard.model.advice import Advice, May, Opinion, Spent
from tests.support import decide_cases as cases
from tests.support import named_secrets
from tests.support.pretend_adviser import Clock

KEY = {"adviser_key": "env:ADVISER"}
OPINION = Opinion("it grew", "because", None)


def consulted(opinion=OPINION):
    said = Advice("test", cases.NOW, May.SHOWN, (), opinion, "" if opinion else "no", Spent())
    return Consulted(said)


def failing():
    return consulted(None)


def ask(desk, work=consulted):
    return desk.ask(work, wait_s=20)


def test_what_comes_of_the_work_is_handed_back():
    desk = adviser_desk.AdviserDesk(Clock())
    assert ask(desk).advice.opinion == OPINION
    heard, over = [], threading.Event()
    desk.later(consulted, lambda found: (heard.append(found), over.set()))
    assert over.wait(20)
    assert heard[0].advice.opinion == OPINION


def test_who_would_have_to_wait_for_another_incident_goes_on_without():
    desk = adviser_desk.AdviserDesk(Clock(), at_once=1, waiting=1)
    begun, go_on = threading.Event(), threading.Event()

    def slow():
        begun.set()
        go_on.wait(20)
        return consulted()

    over = threading.Event()
    desk.later(slow, lambda _: None)
    assert begun.wait(20)
    with pytest.raises(AdviserBusy, match="1 questions are under way"):
        ask(desk)
    desk.later(consulted, lambda _: over.set())  # it is only shown, so it may queue
    with pytest.raises(AdviserBusy, match="2 questions"):
        desk.later(consulted, lambda _: None)
    go_on.set()
    assert over.wait(20)


def test_who_is_late_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(adviser_desk, "_GRACE_S", 0.0)
    desk, go_on = adviser_desk.AdviserDesk(Clock()), threading.Event()
    with pytest.raises(AdviserBusy, match=r"no opinion within 0.05 s"):
        desk.ask(lambda: go_on.wait(20) and consulted(), wait_s=0.05)
    go_on.set()


def test_an_error_ends_neither_the_thread_nor_the_incident():
    desk = adviser_desk.AdviserDesk(Clock(), at_once=1)
    with pytest.raises(AdviserBusy, match="asking failed"):
        ask(desk, lambda: 1 / 0)
    assert ask(desk).advice.opinion == OPINION


def test_after_failures_in_a_row_nobody_is_asked_for_a_while():
    clock = Clock()
    desk = adviser_desk.AdviserDesk(clock)
    for _ in range(adviser_desk.FAILURES):
        assert ask(desk, failing).advice.opinion is None
    with pytest.raises(AdviserBusy, match="nobody is asked for 30 s"):
        ask(desk)
    with pytest.raises(AdviserBusy, match="nobody is asked"):
        desk.later(consulted, lambda _: None)
    clock.at += 30
    ask(desk, failing)  # one tries, and rests twice as long
    with pytest.raises(AdviserBusy, match="for 60 s"):
        ask(desk)
    clock.at += 60
    assert ask(desk).advice.opinion == OPINION
    for _ in range(adviser_desk.FAILURES - 1):
        ask(desk, failing)
    assert ask(desk).advice.opinion == OPINION


def test_a_rest_has_a_longest():
    breaker = adviser_desk.Breaker()
    for _ in range(40):
        breaker.heard(0.0, opinion=False)
    assert breaker.resting_s(0.0) == adviser_desk.LONGEST_REST_S


def adviser(**given):
    return app_adviser.adviser(Settings(**given), named_secrets.Stores(ADVISER="sk-1"))


def test_without_the_setting_there_is_no_adviser():
    assert adviser() is None


def test_each_protocol_has_its_own_service_and_any_other_may_be_named():
    for protocol, url in app_adviser.OWN.items():
        assert adviser(adviser=protocol, adviser_model="m").model == f"m@{url}"
    own = adviser(adviser="compatible", adviser_model="m", adviser_url="http://gpu:11434/v1")
    assert own.model == "m@http://gpu:11434/v1"


@pytest.mark.parametrize("by", ["file", "name"])
def test_a_key_is_never_sent_in_clear_text(tmp_path, by):
    (tmp_path / "key").write_text("sk-1\n")
    key = {"adviser_key_file": str(tmp_path / "key")} if by == "file" else KEY
    given = {"adviser": "compatible", "adviser_model": "m"} | key
    for url in (
        "https://gpu/v1",
        "http://127.0.0.1:1/v1",
        "http://localhost/v1",
        "http://[::1]/v1",
    ):
        assert adviser(**given, adviser_url=url)
    with pytest.raises(SettingWrong, match="clear text"):
        adviser(**given, adviser_url="http://gpu/v1")


@pytest.mark.parametrize(
    ("more", "because"),
    [
        ({}, "adviser_url"),
        ({"adviser_url": "gpu/v1"}, "adviser_url"),
        ({"adviser_url": "file:///etc/passwd"}, "adviser_url"),
        ({"adviser_url": "smtp://gpu/v1"}, "adviser_url"),
        ({"adviser_url": "http://ann:secret@gpu/v1"}, "adviser_url"),
        ({"adviser_url": "http://[::1].evil.example/v1"}, "adviser_url"),
        ({"adviser_url": "http://gpu/v1", "adviser_model": ""}, "adviser_model"),
        ({"adviser_url": "http://gpu/v1", "adviser_key_file": "/no/such"}, "cannot be read"),
        ({"adviser_url": "https://gpu/v1", "adviser_key": "vault:a#b"}, "begins with one of"),
        (
            {"adviser_url": "https://gpu/v1", "adviser_key_file": "/no/such", **KEY},
            "expected one, found both",
        ),
    ],
)
def test_a_setting_that_cannot_be_is_named(more, because):
    given = {"adviser": "compatible", "adviser_model": "m"} | more
    with pytest.raises(SettingWrong, match=because) as refused:
        adviser(**given)
    assert "secret@" not in str(refused.value)


def test_a_key_that_is_none_is_named(tmp_path):
    (tmp_path / "key").write_text("two\nlines\n")
    with pytest.raises(SettingWrong, match="no key"):
        adviser(adviser="openai", adviser_model="m", adviser_key_file=str(tmp_path / "key"))
