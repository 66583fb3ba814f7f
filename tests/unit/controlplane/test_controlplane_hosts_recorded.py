"""What a person decides about a host is recorded before it is done, or it is not done."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from sentienguard.controlplane.api import hosts
from sentienguard.model import errors
from tests.contract import stores_nouns as nouns

SAID = hosts.IdentityRequest(reason="stolen")


class Stop(Exception):
    """What was to be seen was seen."""


class World:
    """A caller and a centre that note what is done, in its order."""

    def __init__(self, *, log_works: bool, **agent: Any) -> None:
        self.done: list[str] = []
        self.agent = replace(nouns.agent(1), **agent)
        self.log_works = log_works
        agents = SimpleNamespace(
            get=lambda _: self.agent,
            release=lambda _: self.done.append("released"),
            strike_off=lambda _, at: self.done.append("struck off"),
        )
        none: Any = SimpleNamespace(
            unfinished=lambda _: (), waiting=lambda _: (), under_way=self._stop
        )
        self.caller: Any = SimpleNamespace(
            at=None, address="192.0.2.7", user=SimpleNamespace(name="ana"),
            may=lambda *_: True, require=lambda *_: None,
            centre=SimpleNamespace(
                agents=agents, incidents=none, orders=none,
                audit=SimpleNamespace(append=self._append),
                live=SimpleNamespace(changed=self._changed),
            ),
        )  # fmt: skip

    def _append(self, *, kind: str, **_: Any) -> None:
        if not self.log_works:
            raise errors.Broken("the log is read-only")
        self.done.append(kind)

    def _changed(self, *_: Any) -> None:
        self.done.append("told")
        if "released" in self.done:
            raise Stop

    def _stop(self, _: Any) -> None:
        raise Stop


CASES = [
    (hosts.release, {"quarantined": "two histories"}, ["agent.released", "released", "told"]),
    (hosts.strike_off, {}, ["agent.struck_off", "struck off", "told"]),
]


@pytest.mark.parametrize(("act", "agent", "done"), CASES)
def test_it_is_recorded_first(act: Any, agent: dict[str, Any], done: list[str]) -> None:
    world = World(log_works=True, **agent)
    with pytest.raises(Stop):
        act(str(world.agent.id), SAID, world.caller)
    assert world.done == done


@pytest.mark.parametrize(("act", "agent", "done"), CASES)
def test_what_cannot_be_recorded_is_not_done(
    act: Any, agent: dict[str, Any], done: list[str]
) -> None:
    del done
    world = World(log_works=False, **agent)
    with pytest.raises(errors.Broken):
        act(str(world.agent.id), SAID, world.caller)
    assert world.done == []
