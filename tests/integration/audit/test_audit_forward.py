"""Every entry reaches a syslog receiver over TLS, in strict form, at least once."""

import json
import re
import subprocess
import sys
from datetime import timedelta

import pytest

from sentienguard.adapters.audit_files import export
from sentienguard.adapters.syslog_tls import sender
from sentienguard.cli import audit_forward, audit_sources
from sentienguard.model import errors
from sentienguard.stages.audit import merkle
from sentienguard.stages.audit.export import formats
from sentienguard.trust import canonical
from tests.servers.syslog_tls import Receiver
from tests.support import evidence_logs, ocsf_schema, second_syslog

pytestmark = pytest.mark.integration
ENTRIES = 1_200  # three pages
STORED = evidence_logs.log_of(ENTRIES, step=timedelta(seconds=1))


@pytest.fixture
def receiver(tmp_path):
    with Receiver(tmp_path) as listening:
        yield listening


@pytest.fixture
def log(tmp_path):
    export.write_stored(tmp_path / "log", STORED)
    return tmp_path / "log"


def forwarder(receiver, log, position, text="json"):
    return audit_forward.Forwarder(
        audit_sources.Directory(log),
        audit_forward.Keeper(position),
        lambda frames: sender.deliver(
            "127.0.0.1", receiver.port, sender.trusting(receiver.ca), frames
        ),
        formats.TEXTS[text],
        32473,
    )


def messages(*streams):
    return [second_syslog.message(one) for each in streams for one in second_syslog.frames(each)]


def whole(stream):
    """Return a stream without the frame that was cut off at its end."""
    kept = 0
    while (match := re.match(rb"([1-9][0-9]*) ", stream[kept:])) is not None:
        end = kept + match.end() + int(match[1])
        if end > len(stream):
            break
        kept = end
    return stream[:kept]


def indices(found):
    return [int(one["elements"]["sentienguard@32473"]["index"]) for one in found]


def run(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "sentienguard.cli.main", "audit", "forward", *map(str, arguments)],
        capture_output=True, text=True, check=False, timeout=50,
    )  # fmt: skip


@pytest.mark.parametrize("text", list(formats.TEXTS))
def test_every_entry_arrives_in_order_as_the_standards_want_it(receiver, log, tmp_path, text):
    done = run("--to", receiver.address, "--ca", receiver.ca, "--log", log, "--format", text,
               "--position", tmp_path / "p.json", "--once", "--json")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["sent"] == ENTRIES
    assert len(receiver.streams) == 3, "a connection for each batch"
    found = messages(*receiver.streams)
    assert indices(found) == list(range(ENTRIES))
    for one, stored in zip(found, STORED.records, strict=True):
        fields = canonical.decode_object(stored)
        pairs = one["elements"]["sentienguard@32473"]
        assert one["kind"] == fields["kind"]
        assert pairs["leaf"] == merkle.leaf_hash(stored).hex()
        assert pairs["actor"] == fields["actor"]
        if text == "json":
            assert json.loads(one["text"]) == fields
        elif text == "ocsf":
            assert ocsf_schema.problems(json.loads(one["text"])) == []
        else:
            assert second_syslog.cef(one["text"])[0][4] == fields["kind"]


def test_it_goes_on_where_it_was_and_sends_the_last_ones_again(receiver, log, tmp_path):
    for expected in (ENTRIES, 0):
        done = run("--to", receiver.address, "--ca", receiver.ca, "--log", log,
                   "--position", tmp_path / "p.json", "--once", "--json")  # fmt: skip
        assert json.loads(done.stdout)["sent"] == expected, done.stderr
    *first, second = receiver.streams
    assert indices(messages(second)) == list(range(ENTRIES - audit_forward.AGAIN, ENTRIES))
    assert messages(second) == messages(*first)[-audit_forward.AGAIN :]


def test_what_is_written_later_follows(receiver, tmp_path):
    export.write_stored(tmp_path / "log", evidence_logs.log_of(20))
    following = forwarder(receiver, tmp_path / "log", tmp_path / "p.json")
    assert following.step() == 20
    assert following.step() == 0
    for path in sorted((tmp_path / "log").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    (tmp_path / "log").rmdir()
    export.write_stored(tmp_path / "log", evidence_logs.log_of(33))  # the same, grown
    assert following.step() == 13
    assert indices(messages(*receiver.streams)) == list(range(33))


@pytest.mark.parametrize("answers", [True, False])
@pytest.mark.parametrize("after", [1, 5_000, 300_000])  # bytes; a batch has 398,000
def test_a_receiver_that_dies_under_way_misses_nothing(receiver, log, tmp_path, after, answers):
    receiver.hang_up_after, receiver.answers_the_end = after, answers
    following = forwarder(receiver, log, tmp_path / "p.json")
    sent, failures = 0, 0
    while sent < ENTRIES:
        before = audit_forward.Keeper(tmp_path / "p.json").read()
        try:
            sent += following.step()
        except errors.Unavailable:
            failures += 1
            assert audit_forward.Keeper(tmp_path / "p.json").read() == before
            assert failures < 5
    assert failures == 1
    assert set(indices(messages(*map(whole, receiver.streams)))) == set(range(ENTRIES))


@pytest.mark.parametrize("count", [1, 20, 500])
def test_what_is_taken_and_not_read_is_not_delivered(receiver, tmp_path, monkeypatch, count):
    """Few entries fit into the kernel's buffers: it takes them from a receiver that hangs."""
    monkeypatch.setattr(sender, "SETTLE_S", 0.5)
    export.write_stored(tmp_path / "few", evidence_logs.log_of(count))
    receiver.reads = False
    following = forwarder(receiver, tmp_path / "few", tmp_path / "p.json")
    with pytest.raises(errors.Unavailable):
        following.step()
    assert not (tmp_path / "p.json").exists()
    receiver.reads = True
    assert following.step() == count


def test_a_receiver_that_nobody_vouches_for_gets_nothing(receiver, log, tmp_path):
    (tmp_path / "other").mkdir()
    with Receiver(tmp_path / "other") as stranger:
        done = run("--to", receiver.address, "--ca", stranger.ca, "--log", log, "--once",
                   "--position", tmp_path / "p.json")  # fmt: skip
    assert done.returncode == 1
    assert "certificate" in done.stderr
    assert all(stream == b"" for stream in receiver.streams)
    assert not (tmp_path / "p.json").exists()


def test_a_receiver_of_another_name_gets_nothing(receiver, log, tmp_path):
    context = sender.trusting(receiver.ca)
    context.check_hostname = True
    with pytest.raises((sender.ReceiverNotTrusted, sender.ReceiverAway)):
        sender.deliver("127.0.0.2", receiver.port, context, b"")


def test_nobody_there_is_status_three(log, receiver, tmp_path):
    done = run("--to", "127.0.0.1:1", "--ca", receiver.ca, "--log", log, "--once",
               "--position", tmp_path / "p.json")  # fmt: skip
    assert done.returncode == 3
    assert "127.0.0.1:1" in done.stderr


@pytest.mark.parametrize(
    "changed", [{"origin": "other.example"}, {"last_leaf": "0" * 64}, {"next": 5_000}]
)
def test_a_position_of_another_log_sends_nothing(receiver, log, tmp_path, changed):
    following = forwarder(receiver, log, tmp_path / "p.json")
    following.step()
    kept = json.loads((tmp_path / "p.json").read_bytes())
    (tmp_path / "p.json").write_text(json.dumps(kept | changed))
    with pytest.raises(audit_forward.OtherLog):
        forwarder(receiver, log, tmp_path / "p.json").step()
    assert len(receiver.streams) == 1


@pytest.mark.parametrize("content", ["", "[]", '{"next": 1, "more": 2}'])
def test_a_spoiled_position_is_told(tmp_path, content):
    (tmp_path / "p.json").write_text(content)
    with pytest.raises(errors.Rejected, match="kept position"):
        audit_forward.Keeper(tmp_path / "p.json").read()


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("siem.example:6514", ("siem.example", 6514)),
        ("siem.example", ("siem.example", 6514)),
        ("[2001:db8::1]:1", ("2001:db8::1", 1)),
        ("[2001:db8::1]", ("2001:db8::1", 6514)),
    ],
)
def test_an_address_is_read(given, expected):
    assert audit_forward.address(given) == expected


@pytest.mark.parametrize("given", ["", ":1", "a:0", "a:65536", "a:b", "a:-1"])
def test_what_is_no_address_is_refused(given):
    with pytest.raises(errors.Rejected):
        audit_forward.address(given)
