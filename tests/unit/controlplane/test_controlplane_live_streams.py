"""A stream of signals ends with the login behind it, however busy it is."""

import asyncio
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from sentienguard.controlplane import live
from sentienguard.controlplane.api import live as streams

AT = datetime(2026, 3, 1, tzinfo=UTC)


class Connection:
    async def is_disconnected(self):
        return False


async def read(stands, send, *, most, whole=True):
    """Return what a stream says, at most so many signals, while `send` speaks to its hub."""
    hub = live.Live()
    hub.attach(asyncio.get_running_loop())
    caller = SimpleNamespace(centre=SimpleNamespace(live=hub), may_everywhere=lambda _: whole)
    caller.again = lambda: caller if stands() else None
    said = []
    stream = streams._signals(Connection(), caller)
    speaking = None
    async with asyncio.timeout(20):
        async for text in stream:
            said.append(text)
            speaking = speaking or asyncio.create_task(send(hub))
            if len(said) > most:
                break
    await stream.aclose()
    speaking.cancel()
    return said


@pytest.mark.parametrize("busy", [True, False])
def test_a_stream_asks_again_whether_its_login_stands(monkeypatch, busy):
    monkeypatch.setattr(streams, "HEARTBEAT_S", 0.05)

    async def chatter(hub):
        while busy:
            hub.changed("incidents", "inc_1", AT)
            await asyncio.sleep(0.001)

    said = asyncio.run(read(lambda: False, chatter, most=10_000))
    assert len(said) < 10_000
    assert said[0] == ": hello\n\n"
    assert ": still here\n\n" not in said


@pytest.mark.parametrize("signal", [("logins", ""), None])
def test_a_stream_asks_at_once_when_a_login_ended_or_signals_were_lost(signal):
    async def once(hub):
        if signal is None:
            hub.publish(live.MISSED)
        else:
            hub.changed(*signal, AT)

    assert asyncio.run(read(lambda: False, once, most=5)) == [": hello\n\n"]


def test_a_stream_whose_login_stands_goes_on(monkeypatch):
    monkeypatch.setattr(streams, "HEARTBEAT_S", 0.01)

    async def ends(hub):
        hub.changed("logins", "", AT)

    said = asyncio.run(read(lambda: True, ends, most=3))
    assert said[0] == ": hello\n\n"
    assert ": still here\n\n" in said
    assert any('"kind": "logins"' in one for one in said)


@pytest.mark.parametrize("whole", [True, False])
def test_who_sees_some_environments_is_not_told_which_thing_changed(whole):
    async def once(hub):
        hub.changed("incident", "inc_of_somewhere", AT)

    said = asyncio.run(read(lambda: True, once, most=1, whole=whole))
    assert '"kind": "incident"' in said[1]
    assert ("inc_of_somewhere" in said[1]) is whole


@pytest.mark.parametrize("ends", [True, False])
def test_a_reader_that_lags_behind_is_told_to_reload_everything(ends):
    async def fill():
        hub = live.Live()
        hub.attach(asyncio.get_running_loop())
        queue = hub.subscribe()
        for number in range(live.QUEUE_LENGTH + 1):
            hub.changed("incident", f"inc_{number}", AT)
        if ends:
            hub.changed("incident", "inc_last", AT)
        await asyncio.sleep(0)  # what came from any thread is handed over by the loop
        if ends:
            hub.end()
        return [queue.get_nowait() for _ in range(queue.qsize())]

    said = asyncio.run(fill())
    assert said[0] == live.MISSED
    assert len(said) == (3 if ends else 1), "what was lost with the rest is not said beside it"
    assert said[-1] == (live.END if ends else live.MISSED)
