"""The desk makes one package after another, says what went wrong, and keeps no more than it may."""

import dataclasses
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest

from sentienguard.controlplane import evidence_desk
from sentienguard.controlplane.evidence_desk import EvidenceDesk, Press, State
from sentienguard.model import errors
from sentienguard.stages.audit import verify
from sentienguard.stages.audit.evidence import frameworks, population
from tests.support import evidence_logs

PERIOD = population.Period.read("2026-02-01", "2026-02-28")
SOC2 = frameworks.named("soc2")
LOG = evidence_logs.log_of(40)


class Clock:
    def __init__(self):
        self.at = datetime(2026, 4, 1, tzinfo=UTC)

    def now(self):
        self.at += timedelta(seconds=1)
        return self.at


class Entropy:
    def __init__(self):
        self.count = 0

    def bytes(self, count):
        self.count += 1
        return self.count.to_bytes(count, "big")


class Pen:
    def __init__(self):
        self.written = []

    def append(self, **entry):
        self.written.append(entry)


class Printer:
    def printed(self, report, told):
        told(1, 1)
        return repr(report).encode()


def desk_in(place, *, read=lambda: LOG, pen=None):
    press = Press(read, verify.Trust(), Printer(), b"verifier", lambda files: b"".join(
        files[name] for name in sorted(files)
    ))  # fmt: skip
    return EvidenceDesk(place, press, pen or Pen(), Clock(), Entropy())


def ended(desk, job):
    until = time.monotonic() + 20
    while (found := desk.job(job.id)).state in {State.WAITING, State.WORKING}:
        assert time.monotonic() < until
        time.sleep(0.005)
    return found


def test_a_package_is_recorded_before_it_can_be_fetched(tmp_path):
    pen = Pen()
    with evidence_desk.opened(desk_in(tmp_path / "e", pen=pen)) as desk:
        job = ended(desk, desk.ask(SOC2, PERIOD, "ada"))
        assert job.state is State.DONE
        assert desk.archive(job.id).stat().st_size == job.archive_bytes
    [entry] = pen.written
    assert (entry["kind"], entry["actor"]) == ("evidence.built", "ada")
    assert entry["data"]["rows"] == 40


def test_what_cannot_be_recorded_cannot_be_fetched(tmp_path):
    class Broken(Pen):
        def append(self, **_entry):
            raise errors.Broken("the log turned read-only")

    with evidence_desk.opened(desk_in(tmp_path / "e", pen=Broken())) as desk:
        job = ended(desk, desk.ask(SOC2, PERIOD, "ada"))
        assert job.state is State.FAILED
        with pytest.raises(evidence_desk.NotMade, match="read-only"):
            desk.archive(job.id)
    assert not (tmp_path / "e").exists()


@pytest.mark.parametrize(
    ("read", "told"),
    [
        (lambda: dataclasses.replace(LOG, records=LOG.records[:-1]), "does not verify"),
        (lambda: (_ for _ in ()).throw(OSError("disk is gone")), "disk is gone"),
        (lambda: (_ for _ in ()).throw(ZeroDivisionError("secret")), "own log"),
    ],
)
def test_a_failure_is_told_and_the_next_package_is_made(tmp_path, read, told):
    reads = [read, lambda: LOG]

    def read_next():
        return reads.pop(0)()

    with evidence_desk.opened(desk_in(tmp_path, read=read_next)) as desk:
        jobs = [desk.ask(SOC2, PERIOD, "ada") for _ in range(2)]
        first, second = (ended(desk, job) for job in jobs)
    assert first.state is State.FAILED
    assert told in first.detail
    assert "secret" not in first.detail
    assert second.state is State.DONE


def test_no_more_than_a_few_wait_and_progress_is_told(tmp_path):
    go = threading.Event()

    def read():
        go.wait(20)
        return LOG

    with evidence_desk.opened(desk_in(tmp_path, read=read)) as desk:
        first = desk.ask(SOC2, PERIOD, "ada")
        while desk.job(first.id).state is State.WAITING:
            time.sleep(0.005)
        rest = [desk.ask(SOC2, PERIOD, "ada") for _ in range(evidence_desk.MOST_WAITING)]
        with pytest.raises(evidence_desk.TooMany):
            desk.ask(SOC2, PERIOD, "ada")
        with pytest.raises(evidence_desk.NotMade, match="not made yet"):
            desk.archive(rest[0].id)
        go.set()
        assert all(ended(desk, job).state is State.DONE for job in (first, *rest))


def test_the_newest_are_kept_and_found_again(tmp_path, monkeypatch):
    monkeypatch.setattr(evidence_desk, "MOST_KEPT", 2)
    with evidence_desk.opened(desk_in(tmp_path)) as desk:
        jobs = [ended(desk, desk.ask(SOC2, PERIOD, "ada")) for _ in range(4)]
        assert desk.jobs() == jobs[:1:-1]
        with pytest.raises(evidence_desk.NoSuchPackage):
            desk.archive(jobs[0].id)
    assert len(list(tmp_path.iterdir())) == 4
    (tmp_path / "evd_spoiled.json").write_text("{}")
    (tmp_path / f"{jobs[2].id}.zip").unlink()
    assert desk_in(tmp_path).jobs() == [jobs[3]]
