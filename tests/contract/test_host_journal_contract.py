"""What every host promises of the executor's journal."""

import errno
import json
import os

import pytest

from sentienguard.ports import execution_journal


def test_records_come_back_in_order(any_host):
    journal = any_host.journal()
    journal.append([{"t": "a", "n": n} for n in range(3)], durable=True)
    journal.append([{"t": "b", "text": "ü\n"}], durable=False)
    assert [one["t"] for one in any_host.journal().records()] == ["a", "a", "a", "b"]


def test_a_rewrite_replaces_everything_and_goes_on(any_host):
    journal = any_host.journal()
    journal.append([{"t": "a"}] * 100, durable=True)
    journal.rewrite([{"t": "start"}])
    journal.append([{"t": "b"}], durable=True)
    assert [one["t"] for one in any_host.journal().records()] == ["start", "b"]


def test_a_torn_tail_is_left_out_wherever_it_was_cut(any_host):
    journal = any_host.journal()
    journal.append([{"t": "kept"}], durable=True)
    whole = any_host.stored()
    journal.append([{"t": "torn", "x": "y" * 40}], durable=False)
    longer = any_host.stored()
    for cut in range(len(whole), len(longer)):
        any_host.store(longer[:cut])
        again = any_host.journal()
        assert [one["t"] for one in again.records()] == ["kept"]
        again.append([{"t": "next"}], durable=True)
        assert [one["t"] for one in any_host.journal().records()] == ["kept", "next"]


def test_damage_before_something_durable_stops_everything(any_host):
    journal = any_host.journal()
    for n in range(3):
        journal.append([{"t": "a", "n": n}], durable=True)
    data = bytearray(any_host.stored())
    data[20] ^= 1
    any_host.store(bytes(data))
    with pytest.raises(execution_journal.JournalBroken):
        any_host.journal()


def test_on_a_full_disk_what_was_set_aside_is_used_and_nothing_new_begins(host, monkeypatch):
    journal = host.journal()
    assert journal.cramped() is None

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    while journal.cramped() is None:
        journal.append([{"t": "a", "x": "y" * 500_000}], durable=False)
    journal.append([{"t": "last"}], durable=True)
    with pytest.raises(execution_journal.JournalFull):
        journal.rewrite([{"t": "start"}])
    again = host.journal()
    assert again.cramped() is not None
    assert list(again.records())[-1] == {"t": "last"}
    monkeypatch.undo()
    assert again.cramped() is None


def test_a_full_disk_leaves_room_for_what_was_reserved(host):
    journal = host.journal()
    size = (host.directory / "journal.log").stat().st_size
    assert size >= 2 * 1024 * 1024
    journal.append([{"t": "a", "x": "y" * 100_000}] * 5, durable=True)
    assert (host.directory / "journal.log").stat().st_size == size


def test_records_survive_json(any_host):
    record = {"t": "a", "list": [1, None, True, {"x": "y"}], "big": 2**60}
    any_host.journal().append([record], durable=True)
    assert json.loads(json.dumps(next(iter(any_host.journal().records())))) == record
