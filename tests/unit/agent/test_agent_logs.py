"""Log files, the journal and the kernel's messages: what is sent, what is counted, what is new."""

import os
import socket
import subprocess
from pathlib import Path

import pytest

from sentienguard.agent import collectors
from sentienguard.agent.collectors import logs as sources
from sentienguard.agent.collectors.logs import (
    files,
    journal,
    kernel,
    messages,
    patterns,
    telling,
)

SECOND = 10**9
HOUR = 3600


def reading(seconds=0.0):
    return collectors.Reading(int(seconds * SECOND), int(seconds * 1000))


class Tail:
    """Log files and the collector over them."""

    def __init__(self, tailed, most_lines):
        self._tailed = tailed
        self._logs = telling.Logs([tailed], most_lines=most_lines)
        self.read, self.commit = self._logs.read, self._logs.commit

    @property
    def positions(self):
        return self._tailed.positions


def tailing(*paths, lines=20, most_bytes=4096, positions=None):
    tailed = files.Files(tuple(map(str, paths)), most_bytes=most_bytes, positions=positions or {})
    return Tail(tailed, lines)


def new_lines(logs):
    into = reading(5)
    logs.read(into)
    logs.commit()
    return [line.text for line in into.log_lines]


def append(file, *lines):
    with file.open("a") as opened:
        opened.writelines(f"{line}\n" for line in lines)


def test_a_file_is_read_from_where_the_agent_first_saw_it(tmp_path):
    log = tmp_path / "a.log"
    append(log, "history")
    logs = tailing(log)
    assert new_lines(logs) == []
    append(log, "one", "two")
    assert new_lines(logs) == ["one", "two"]
    assert new_lines(logs) == []


def test_a_file_that_appears_later_is_read_from_its_beginning(tmp_path):
    log = tmp_path / "a.log"
    logs = tailing(log)
    assert new_lines(logs) == []
    append(log, "first")
    assert new_lines(logs) == ["first"]


def test_a_line_waits_until_it_is_whole(tmp_path):
    log = tmp_path / "a.log"
    logs = tailing(log)
    new_lines(logs)
    log.write_text("half")
    assert new_lines(logs) == []
    append(log, " done")
    assert new_lines(logs) == ["half done"]


def test_a_rotation_loses_no_line(tmp_path):
    log = tmp_path / "a.log"
    logs = tailing(log)
    new_lines(logs)
    append(log, "one")
    assert new_lines(logs) == ["one"]
    append(log, "two")
    log.rename(tmp_path / "a.log.1")
    append(log, "three")
    assert new_lines(logs) == ["two", "three"]
    append(log, "four")
    assert new_lines(logs) == ["four"]


def test_a_rotation_while_the_agent_was_away_loses_no_line(tmp_path):
    log = tmp_path / "a.log"
    logs = tailing(log)
    new_lines(logs)
    append(log, "one")
    new_lines(logs)
    append(log, "two")
    log.rename(tmp_path / "a.log.1")
    append(log, "three")
    assert new_lines(tailing(log, positions=logs.positions)) == ["two", "three"]


def test_a_truncated_file_is_read_from_its_beginning(tmp_path):
    log = tmp_path / "a.log"
    logs = tailing(log)
    new_lines(logs)
    append(log, "a long line before")
    new_lines(logs)
    log.write_text("new\n")
    assert new_lines(logs) == ["new"]


def test_positions_stay_until_the_sample_is_kept(tmp_path):
    log = tmp_path / "a.log"
    logs = tailing(log)
    new_lines(logs)
    append(log, "one")
    logs.read(reading())
    assert new_lines(logs) == ["one"]


def test_lines_that_speak_of_trouble_go_first_and_the_rest_is_counted(tmp_path):
    log = tmp_path / "a.log"
    logs = tailing(log, lines=2)
    new_lines(logs)
    append(log, "disk error", *(f"fine {n}" for n in range(9)))
    assert new_lines(logs) == [
        "disk error",
        "fine 8",
        "8 log lines and 0 further bytes of logs were not sent",
    ]


def test_a_flood_is_read_from_its_end(tmp_path):
    log = tmp_path / "a.log"
    logs = tailing(log, lines=1, most_bytes=4096)
    new_lines(logs)
    append(log, *("x" * 99 for _ in range(1000)), "last")
    first, notice = new_lines(logs)
    assert first == "last"
    assert "further bytes" in notice
    assert new_lines(logs) == []


def test_secrets_do_not_leave_and_a_pipe_does_not_stop_the_sampler(tmp_path):
    log, pipe = tmp_path / "a.log", tmp_path / "pipe"
    os.mkfifo(pipe)
    append(log, "history")
    logs = tailing(pipe, log)
    with pytest.raises(OSError, match="not a regular file"):
        logs.read(reading())
    logs.commit()
    append(log, "password=hunter2222")
    into = reading()
    with pytest.raises(OSError, match="not a regular file"):
        logs.read(into)
    assert [line.text for line in into.log_lines] == ["password=[redacted]"]


class Says:
    """A source that says what it is told to."""

    def __init__(self, *lines, source="app", level=""):
        self.lines = [sources.Line(source, line.encode(), level) for line in lines]

    def read(self):
        news, self.lines = sources.News(lines=self.lines), []
        return news

    def commit(self):
        return False


def texts(*lines, source="app", level=""):
    found = messages.messages([sources.Line(source, line, level) for line in lines])
    return [(one.text, one.lines, one.trouble) for one in found]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([b"one", b"two"], [(b"one", 1, False), (b"two", 1, False)]),
        (
            [
                b"ERROR request 7",
                b"Traceback (most recent call last):",
                b'  File "a.py", line 1, in f',
                b"    return 1 / 0",
                b"ZeroDivisionError: division by zero",
                b"next",
            ],
            [
                (b"ERROR request 7 | ZeroDivisionError: division by zero", 5, True),
                (b"next", 1, False),
            ],
        ),
        (
            [
                b"Exception in x: y.Odd",
                b"\tat a.B.c(B.java:1)",
                b"Caused by: java.io.IOException: no space",
                b"\t... 3 more",
                b"INFO fine",
            ],
            [
                (b"Exception in x: y.Odd | Caused by: java.io.IOException: no space", 4, True),
                (b"INFO fine", 1, False),
            ],
        ),
        ([b'{"level":"info","msg":"no error here"}'],
         [(b'no error here {"level":"info","msg":"no error here"}', 1, False)]),
        ([b'{"severity":"ERROR","message":"boom"}'],
         [(b'boom {"severity":"ERROR","message":"boom"}', 1, True)]),
        ([b'{"level":50,"msg":"pino"}'], [(b'pino {"level":50,"msg":"pino"}', 1, True)]),
        ([b'{"level":30,"msg":"warned"}'], [(b'warned {"level":30,"msg":"warned"}', 1, True)]),
        ([b'{"broken'], [(b'{"broken', 1, False)]),
        ([b'{"a":"failed"}'], [(b'{"a":"failed"}', 1, True)]),
        ([b"[" * 9000], [(b"[" * 9000, 1, False)]),
        ([b"{" * 5000 + b"}"], [(b"{" * 5000 + b"}", 1, False)]),
    ],
)  # fmt: skip
def test_lines_become_messages(lines, expected):
    assert texts(*lines) == expected


def test_a_source_that_gives_the_level_is_believed_before_the_words():
    assert texts(b"error counter reset", level="info") == [(b"error counter reset", 1, False)]
    assert texts(b"hello", level="error") == [(b"hello", 1, True)]


def test_a_message_has_an_end():
    found = texts(b"first", *[b" more"] * 1000)
    assert [lines for _, lines, _ in found] == [200, 200, 200, 200, 200, 1]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (b"2026-02-12T11:26:00Z took 17 ms", b"2026-02-13T00:00:01Z took 4 ms"),
        (b"user 'ann' failed from 10.0.0.7:4431", b"user 'bob' failed from 10.9.0.1:99"),
        (b"cannot open /var/lib/a/b.db", b"cannot open /srv/c"),
        (b"id 0f8fad5b-d9cb-469f-a165-70867728950e", b"id 7c9e6679-7425-40de-944b-e07fc1f90ae7"),
        (b"block deadbeefcafe lost", b"block 0123456789ab lost"),
    ],
)  # fmt: skip
def test_what_varies_is_no_part_of_the_pattern(one, other):
    assert patterns.pattern(one) == patterns.pattern(other)


def test_different_messages_have_different_patterns():
    assert patterns.pattern(b"cannot open file") != patterns.pattern(b"cannot close file")


def test_a_pattern_is_new_for_ten_minutes_after_the_first_hour():
    known = patterns.Patterns(0.0)
    assert not known.is_new(b"disk failed", 10)
    assert not known.is_new(b"disk failed", 2 * HOUR)
    assert known.is_new(b"link failed", 2 * HOUR)
    assert known.is_new(b"link failed", 2 * HOUR + 599)
    assert not known.is_new(b"link failed", 2 * HOUR + 600)


def test_what_is_remembered_is_bounded_and_the_longest_unseen_goes_first():
    known = patterns.Patterns(0.0)
    known.is_new(b"usual", 0)
    for at in range(2 * patterns.MOST_PATTERNS):
        word = "".join(chr(97 + int(digit)) for digit in str(at)).encode()
        known.is_new(b"x " + word, at)
        known.is_new(b"usual", at)
    assert not known.is_new(b"usual", 2 * HOUR)
    assert known.is_new(b"x a", 2 * HOUR)


def take(collector, seconds):
    into = reading(seconds)
    collector.read(into)
    return into


def test_messages_are_counted_by_source_also_when_it_is_silent():
    source = Says()
    collector = telling.Logs([source], most_lines=5)
    assert take(collector, 0).values == {}
    source.lines = Says("fine", "failed 1", "failed 2").lines
    assert take(collector, 10).values == {
        ("log.messages_per_s", "app"): 0.3,
        ("log.trouble_per_s", "app"): 0.2,
        ("log.new_trouble", "app"): 0,
    }
    source.lines = Says("link is down: failed").lines
    assert take(collector, 2 * HOUR).values["log.new_trouble", "app"] == 1
    assert take(collector, 2 * HOUR + 10).values == {
        ("log.messages_per_s", "app"): 0,
        ("log.trouble_per_s", "app"): 0,
        ("log.new_trouble", "app"): 0,
    }


def test_a_new_kind_of_trouble_goes_before_the_usual_one():
    source = Says("disk failed")
    collector = telling.Logs([source], most_lines=2)
    take(collector, 0)
    source.lines = Says("link failed", *["disk failed"] * 9).lines
    assert [line.text for line in take(collector, 2 * HOUR).log_lines] == [
        "link failed",
        "disk failed",
        "8 log lines and 0 further bytes of logs were not sent",
    ]


def test_a_megabyte_in_one_line_binary_and_escapes_are_bounded_and_shown(tmp_path):
    log = tmp_path / "a.log"
    logs = tailing(log, most_bytes=65_536)
    new_lines(logs)
    with log.open("ab") as file:
        file.write(
            b"x" * 1_000_000 + b"\n" + bytes(range(128, 256)) + b" failed\n\x1b[2Jgone\x07\n"
        )
    found = new_lines(logs)
    assert len(found) == 3
    assert all(line.isprintable() and len(line) <= 512 for line in found)


# The kernel


@pytest.fixture
def kmsg(monkeypatch):
    """A kernel that says what the test writes, record by record as /dev/kmsg does."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    theirs.setblocking(False)
    monkeypatch.setattr(kernel, "_open", lambda _path: theirs.fileno())
    with ours, theirs:
        yield ours


def test_the_kernel_is_heard_from_warnings_on(kmsg):
    source = kernel.Kernel()
    for record in (
        b"6,1,5,-;usb 1-1: new device\n",
        b"3,2,6,-;blk_update_request: I/O error, dev sda, sector 4\n DEVICE=b8:0\n",
        b"28,3,7,-;eth0: link is down\n",
        b"garbage",
        b"4,4,8,-;Out of memory: Killed process 7 (java)\n",
    ):
        kmsg.send(record)
    assert [(line.source, line.text, line.level) for line in source.read().lines] == [
        ("kernel", b"blk_update_request: I/O error, dev sda, sector 4", "error"),
        ("kernel", b"eth0: link is down", "warning"),
        ("kernel", b"Out of memory: Killed process 7 (java)", "warning"),
    ]
    assert len(source.read().lines) == 3  # what was not kept is told again
    source.commit()
    assert source.read().lines == []


def test_a_kernel_that_may_not_be_heard_is_silent(tmp_path):
    assert kernel.Kernel(str(tmp_path / "kmsg")).read() == sources.News()


# The journal

REMOTE = Path("/lib/systemd/systemd-journal-remote")
needs_journal = pytest.mark.skipif(
    not REMOTE.exists(), reason="no systemd-journal-remote (as root: apt-get install it)"
)


def write_journal(directory, *entries, start=1):
    """Write entries (unit, priority, message) with the program of systemd that does."""
    text = "".join(
        f"__REALTIME_TIMESTAMP={1_770_000_000_000_000 + at}\n__MONOTONIC_TIMESTAMP={at}\n"
        f"_BOOT_ID=0123456789abcdef0123456789abcdef\n_SYSTEMD_UNIT={unit}\n"
        f"PRIORITY={priority}\nMESSAGE={message}\n\n"
        for at, (unit, priority, message) in enumerate(entries, start=start)
    )
    directory.mkdir(exist_ok=True)
    subprocess.run(
        [REMOTE, "-o", directory / "a.journal", "-"], input=text.encode(), check=True,
        capture_output=True,
    )  # fmt: skip


def heard(source):
    return [(line.source, line.text, line.level) for line in source.read().lines]


@needs_journal
def test_the_journal_is_read_from_its_end_and_after_a_restart_from_the_cursor(tmp_path):
    place = tmp_path / "journal"
    write_journal(place, ("web.service", 3, "history"))
    source = journal.Journal(("web.service",), directory=str(place))
    assert heard(source) == []
    before = source.cursor
    write_journal(place, ("web.service", 3, "boom"), ("other.service", 3, "not ours"), start=10)
    for _ in range(2):  # what was not kept is read again
        assert heard(source) == [("journal:web.service", b"boom", "error")]
    assert source.commit()
    kept = source.cursor
    write_journal(place, ("web.service", 6, "fine"), start=20)
    again = journal.Journal(("web.service",), cursor=kept, directory=str(place))
    assert heard(again) == [("journal:web.service", b"fine", "info")]
    assert heard(source) == [("journal:web.service", b"fine", "info")]
    not_kept = journal.Journal(("web.service",), cursor=before, directory=str(place))
    assert [text for _, text, _ in heard(not_kept)] == [b"boom", b"fine"]
    for one in (source, again, not_kept):
        one.close()


@needs_journal
def test_of_a_flood_in_the_journal_the_newest_lines_are_read(tmp_path, monkeypatch):
    monkeypatch.setattr(journal, "MOST_LINES", 3)
    place = tmp_path / "journal"
    write_journal(place, ("web.service", 3, "history"))
    source = journal.Journal(("web.service",), directory=str(place))
    assert heard(source) == []
    write_journal(place, *[("web.service", 6, f"m{at}") for at in range(9)], start=10)
    news = source.read()
    assert [line.text for line in news.lines] == [b"m6", b"m7", b"m8"]
    assert news.skipped_lines == 6
    source.close()


def test_without_units_or_without_systemd_the_journal_is_silent(monkeypatch):
    assert journal.Journal(()).read() == sources.News()
    monkeypatch.setattr(journal, "_LIBRARY", "no-such-library.so")
    assert journal.Journal(("web.service",), cursor="c").read() == sources.News()
    assert journal.Journal(("web.service",), cursor="c").cursor == "c"


@needs_journal
def test_a_cursor_that_means_nothing_begins_at_the_end(tmp_path):
    place = tmp_path / "journal"
    write_journal(place, ("web.service", 3, "history"))
    source = journal.Journal(("web.service",), cursor="nonsense", directory=str(place))
    assert heard(source) == []
    write_journal(place, ("web.service", 3, "boom"), start=10)
    assert [text for _, text, _ in heard(source)] == [b"boom"]
    source.close()


@needs_journal
def test_a_journal_that_cannot_be_read_fails_and_is_tried_again(tmp_path):
    source = journal.Journal(("web.service",), directory=str(tmp_path / "later"))
    with pytest.raises(OSError, match="journal"):
        source.read()
    write_journal(tmp_path / "later", ("web.service", 3, "history"))
    assert heard(source) == []
    source.close()
