"""What every host promises of the executor's journal."""

import errno
import json
import os

import pytest

from sentienguard.adapters.execution_journal_files import journal as adapter
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


@pytest.mark.parametrize("what", ["removed", "replaced", "replaced by a link"])
def test_a_journal_whose_file_is_gone_takes_nothing_more_and_nothing_is_forgotten(host, what):
    journal = host.journal()
    journal.append([{"t": "a"}], durable=True)
    journal.append([{"t": "b"}], durable=False)
    file = host.directory / "journal.log"
    file.unlink()
    if what != "removed":
        other = host.directory / "other"
        other.touch()
        other.rename(file) if what == "replaced" else file.symlink_to(other)
    assert "journal.log: the file was re" in journal.cramped()
    for _ in range(2):
        with pytest.raises(execution_journal.JournalBroken, match="was written again"):
            journal.append([{"t": "intent"}], durable=True)
    journal.close()
    assert [one["t"] for one in host.journal().records()] == ["a", "b"]


def test_a_removed_journal_is_noticed_by_the_durable_record_itself(host):
    journal = host.journal()
    journal.append([{"t": "a"}], durable=True)
    (host.directory / "journal.log").unlink()
    journal.append([{"t": "b"}], durable=False)
    with pytest.raises(execution_journal.JournalBroken, match="removed"):
        journal.append([{"t": "intent"}], durable=True)
    assert [one["t"] for one in host.journal().records()] == ["a", "b"]


def test_a_journal_that_was_emptied_in_place_takes_nothing_more(host):
    journal = host.journal()
    journal.append([{"t": "a"}], durable=True)
    os.truncate(host.directory / "journal.log", 0)
    assert "cut to 0 bytes" in journal.cramped()
    with pytest.raises(execution_journal.JournalBroken, match="cut to 0 bytes"):
        journal.append([{"t": "intent"}], durable=True)


def test_a_removed_journal_that_cannot_be_written_again_says_so(host):
    journal = host.journal()
    journal.append([{"t": "a"}], durable=True)
    file = host.directory / "journal.log"
    file.unlink()
    file.mkdir()
    (file / "full").touch()
    with pytest.raises(execution_journal.JournalBroken, match="could not be written again"):
        journal.append([{"t": "intent"}], durable=True)


@pytest.mark.parametrize("left", [None, b"", b"\0" * 100], ids=["none", "empty", "zeros"])
def test_where_a_journal_is_expected_a_missing_or_empty_one_is_broken(host, left):
    file = host.directory / "journal.log"
    if left is not None:
        file.write_bytes(left)
    with pytest.raises(execution_journal.JournalBroken, match="enroll --replace"):
        adapter.JournalFile(file, expected=True)
    assert file.exists() is (left is not None), "a refused start must not look like a new journal"


def test_where_a_journal_is_expected_the_one_that_is_there_opens(host):
    host.journal().append([{"t": "a"}], durable=True)
    again = adapter.JournalFile(host.directory / "journal.log", expected=True)
    assert [one["t"] for one in again.records()] == ["a"]
