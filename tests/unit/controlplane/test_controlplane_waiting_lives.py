"""Who waits and was woken by nobody is looked for each second, though DBOS asks more often."""

from types import SimpleNamespace

from dbos._sys_db import ThreadSafeEventDict

from sentienguard.controlplane import engine, waiting_lives


def test_one_look_is_made_each_second_though_somebody_asks_more_often(monkeypatch):
    lives = waiting_lives.WaitingLives(SimpleNamespace(notifications_map=ThreadSafeEventDict()))
    monkeypatch.setattr(lives, "told", lambda: ["somebody"])
    answers = [lives.snapshot() for _ in range(round(3 / engine.ASKED_EACH_S))]
    assert answers.count(["somebody"]) == 3
    assert answers.count([]) == len(answers) - 3
