"""The spool: in order, bounded, and nothing that was kept is lost."""

import errno
import itertools
import os

import pytest

from sentienguard.agent import private_files, spool


def opened(path, most_bytes=1 << 20, most_rejected=50):
    return spool.Spool(
        path / "collector" / "spool", most_bytes=most_bytes, most_rejected=most_rejected
    )


def fill(kept, count, text=b"sample %d"):
    numbers = []
    for _ in range(count):
        number = kept.number()
        assert kept.append(number, text % number)
        numbers.append(number)
    return numbers


def drain(kept):
    numbers = []
    while (head := kept.head()) is not None:
        numbers.append(head.seq)
        kept.acknowledged(head.seq)
    return numbers


def segments(path):
    return sorted((path / "collector" / "spool").glob("*.seg"))


def abandon(kept):
    """Leave a spool as kill -9 does: nothing is written any more."""
    for handle in (kept._seq_file, kept._ack_file, kept._lock_file):
        os.close(handle)
    kept._close_writer()


def test_samples_come_out_in_order_and_unchanged(tmp_path):
    kept = opened(tmp_path)
    numbers = fill(kept, 3)
    assert kept.head() == spool.Kept(numbers[0], b"sample %d" % numbers[0])
    assert drain(kept) == numbers
    assert kept.head() is None
    assert kept.depth == spool.Depth(0, 0, 0, 0, 0)


def test_the_first_number_of_an_enrolled_host_is_one(tmp_path):
    home = tmp_path / "collector" / "spool"
    private_files.directory(home)
    private_files.write(home / "seq", b"0\n")
    assert opened(tmp_path).number() == 1


def test_numbers_rise_over_restarts_and_have_no_gap_after_an_orderly_end(tmp_path):
    kept = opened(tmp_path)
    first = fill(kept, 3)
    drain(kept)
    kept.close()
    assert opened(tmp_path).number() == first[-1] + 1


def test_numbers_never_repeat_after_kill(tmp_path):
    seen = []
    for _ in range(4):
        kept = opened(tmp_path)
        seen += fill(kept, 3)
        drain(kept)
        abandon(kept)
    assert sorted(set(seen)) == seen


def test_a_wiped_spool_does_not_begin_at_one_again(tmp_path):
    kept = opened(tmp_path)
    first = kept.number()
    kept.close()
    for file in (tmp_path / "collector" / "spool").iterdir():
        file.unlink()
    assert opened(tmp_path).number() >= first > 10**7


def test_a_block_of_numbers_is_reserved_before_its_first_is_given(tmp_path):
    kept = opened(tmp_path)
    number = kept.number()
    reserved = int((tmp_path / "collector" / "spool" / "seq").read_bytes())
    assert reserved == number + spool.RESERVED - 1
    for _ in range(spool.RESERVED):
        number = kept.number()
    assert int((tmp_path / "collector" / "spool" / "seq").read_bytes()) >= number


def test_what_was_kept_and_not_acknowledged_is_there_after_kill(tmp_path):
    kept = opened(tmp_path)
    numbers = fill(kept, 5)
    kept.acknowledged(numbers[1])
    abandon(kept)
    assert drain(opened(tmp_path)) == numbers[2:]


@pytest.mark.parametrize("cut", range(1, 30, 4))
def test_a_torn_tail_is_left_out_and_writing_goes_on(tmp_path, cut):
    kept = opened(tmp_path)
    # The clock gives numbers; one with equal digits packs shorter than the longest cut.
    numbers = fill(kept, 3, b"reading %d, of words that never pack into less than a cut")
    abandon(kept)
    file = segments(tmp_path)[0]
    os.truncate(file, file.stat().st_size - cut)
    again = opened(tmp_path)
    more = fill(again, 2)
    assert drain(again) == numbers[:2] + more


def test_a_damaged_record_ends_its_segment_and_is_counted(tmp_path):
    kept = opened(tmp_path)
    numbers = fill(kept, 3)
    abandon(kept)
    file = segments(tmp_path)[0]
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 0xFF
    file.write_bytes(content)
    again = opened(tmp_path)
    assert again.depth.damaged == 1
    assert drain(again) == numbers[:1]


def test_more_than_the_limit_gives_up_the_oldest_and_counts_it(tmp_path):
    kept = opened(tmp_path, most_bytes=200_000)
    numbers = []
    for _ in range(200):
        numbers.append(kept.number())
        kept.append(numbers[-1], os.urandom(3000))
    depth = kept.depth
    assert depth.on_disk_bytes <= 200_000
    assert depth.dropped > 0
    left = drain(kept)
    assert left == numbers[depth.dropped :]


def test_an_empty_spool_gives_its_disk_back(tmp_path):
    kept = opened(tmp_path)
    for _ in range(3):
        fill(kept, 5)
        drain(kept)
    assert [file.stat().st_size for file in segments(tmp_path)] == [0]


def test_on_a_full_disk_samples_wait_in_memory_in_order(tmp_path, monkeypatch):
    kept = opened(tmp_path)
    before = fill(kept, 2)
    real = os.pwrite
    full = True

    def pwrite(handle, data, offset):
        if full and handle == kept._writer:
            raise OSError(errno.ENOSPC, "full")
        return real(handle, data, offset)

    monkeypatch.setattr(os, "pwrite", pwrite)
    numbers = [kept.number() for _ in range(3)]
    assert [kept.append(number, b"x") for number in numbers] == [False] * 3
    assert kept.depth.waiting == 5
    full = False
    last = kept.number()
    assert kept.append(last, b"y")
    assert drain(kept) == [*before, *numbers, last]


def test_memory_is_bounded_too_and_counts_what_it_gives_up(tmp_path, monkeypatch):
    kept = opened(tmp_path)

    def no_room(*_):
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(spool.Spool, "_write", no_room)
    numbers = [kept.number() for _ in range(spool.RING + 10)]
    for number in numbers:
        assert not kept.append(number, b"x")
    assert kept.depth.dropped == 10
    assert drain(kept) == numbers[10:]


def test_a_half_written_record_is_taken_back(tmp_path, monkeypatch):
    kept = opened(tmp_path)
    before = fill(kept, 1)
    real = os.pwrite
    calls = itertools.count()

    def half(handle, data, offset):
        if handle == kept._writer and next(calls) == 0:
            return real(handle, data[:5], offset)
        return real(handle, data, offset)

    monkeypatch.setattr(os, "pwrite", half)
    number = kept.number()
    assert not kept.append(number, b"torn")
    onlooker = spool.waiting(tmp_path / "collector" / "spool")
    assert (onlooker.waiting, onlooker.damaged) == (1, 0)
    more = fill(kept, 1)
    assert drain(kept) == [*before, number, *more]


def test_while_the_centre_is_away_samples_are_synced_and_else_not(tmp_path, monkeypatch):
    kept = opened(tmp_path)
    fill(kept, 1)
    synced = []
    monkeypatch.setattr(os, "fdatasync", synced.append)
    fill(kept, 1)
    assert synced == []
    kept.patient = False
    fill(kept, 1)
    assert synced == [kept._writer]


def test_a_refused_sample_is_set_aside_and_the_next_one_goes(tmp_path):
    kept = opened(tmp_path, most_rejected=2)
    numbers = fill(kept, 4)
    for number in numbers[:3]:
        kept.refused(number, "422 no")
    aside = tmp_path / "collector" / "rejected"
    assert {file.name for file in aside.glob("*.json")} == {f"{n}.json" for n in numbers[1:3]}
    assert (aside / f"{numbers[2]}.reason").read_text() == "422 no"
    assert kept.depth.refused == 3
    assert drain(kept) == numbers[3:]


def test_a_second_writer_is_refused(tmp_path):
    kept = opened(tmp_path)
    with pytest.raises(spool.SpoolUnusable, match="another collector"):
        opened(tmp_path)
    kept.close()
    opened(tmp_path)


def test_files_are_private_and_an_onlooker_changes_nothing(tmp_path):
    kept = opened(tmp_path)
    numbers = fill(kept, 3)
    kept.acknowledged(numbers[0])
    home = tmp_path / "collector" / "spool"
    before = {file: file.read_bytes() for file in home.iterdir()}
    assert spool.waiting(home).waiting == 2
    assert spool.last_acknowledged(home).seq == numbers[0]
    assert {file: file.read_bytes() for file in home.iterdir()} == before
    assert {file.stat().st_mode & 0o777 for file in home.iterdir()} == {0o600}
