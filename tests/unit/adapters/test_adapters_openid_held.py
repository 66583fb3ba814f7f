"""A provider that answers nobody holds a few of our threads, and never all of them."""

import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from sentienguard.adapters.openid import provider
from sentienguard.ports.identity_provider import Asked, NotBelieved, ProviderAway
from sentienguard.ports.outbound import Answer, NoAnswer

ASKED = Asked("https://guard.example.org/back", "state", "nonce", "verifier")
MANY = 40  # threads that answer people


class Silent:
    """A way out on which nothing comes back until somebody opens it."""

    def __init__(self) -> None:
        self.opened = threading.Event()
        self.waiting = 0

    def send(self, _request: Any) -> Answer:
        self.waiting += 1
        assert self.opened.wait(20)
        raise NoAnswer("nobody there")


def ways(found: provider.Provider) -> dict[str, Callable[[], Any]]:
    return {
        "leaving for the provider": lambda: found.address(ASKED),
        "coming back with a code": lambda: found.redeem("code", ASKED),
    }


@pytest.mark.parametrize("way", ["leaving for the provider", "coming back with a code"])
def test_most_are_told_at_once_that_it_is_away(way: str) -> None:
    silent = Silent()
    client = provider.Client("https://login.example.org", "sentienguard")
    clock: Any = SimpleNamespace(monotonic=lambda: 0.0, now=lambda: None)
    found = provider.Provider(client, silent, clock)
    told: list[BaseException] = []

    def ask() -> None:
        try:
            ways(found)[way]()
        except (ProviderAway, NotBelieved) as cause:
            told.append(cause)

    threads = [threading.Thread(target=ask, daemon=True) for _ in range(MANY)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(0.2 if len(told) < MANY - provider.AT_ONCE else 0)
    held = sum(one.is_alive() for one in threads)
    silent.opened.set()
    for one in threads:
        one.join(20)
    assert held == provider.AT_ONCE
    assert len(told) == MANY
    with pytest.raises(ProviderAway, match="nobody there"):
        ways(found)[way]()
