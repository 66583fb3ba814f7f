"""What the log does with its files: torn ends, damage, tiles, locks. The rest is the contract's."""

import contextlib
import errno
import fcntl
import os
import pathlib
import subprocess
import sys
import threading

import pytest

from sentienguard.adapters.audit_files import cosigned, log, reader, segments, store, tiles
from sentienguard.adapters.audit_files import disk as disks
from sentienguard.ports import audit_log
from sentienguard.stages.audit import checkpoint, ledger, merkle, verify
from sentienguard.trust.keys import SigningKey
from sentienguard.trust.log_keys import LogSigners
from tests.contract.audit_log_cases import AGENT, KEYS, LOG, NAME, ORIGIN, fact, rules

pytestmark = pytest.mark.integration


def opened(directory, **options):
    return log.AuditFiles(directory, rules(), **options)


def judged(directory, **options):
    return verify.verify(reader.read_stored(directory), **options)


def segment(directory):
    return segments.listed(directory / "segments")[-1][1]


# --- proofs, checkpoints, tiles


def read_tiles(directory, size):
    """Read a log as any C2SP client would: entry bundles by the tile addresses of the size."""
    found = []
    for number in range((size + 255) // 256):
        width = min(256, size - number * 256)
        name = tiles.index_path(number) + ("" if width == 256 else f".p/{width}")
        bundle = (directory / "tile" / "entries" / name).read_bytes()
        hashes = (directory / "tile" / "0" / name).read_bytes()
        at = 0
        for place in range(width):
            length = int.from_bytes(bundle[at : at + 2], "big")
            found.append(bundle[at + 2 : at + 2 + length])
            at += 2 + length
            assert hashes[place * 32 : place * 32 + 32] == merkle.leaf_hash(found[-1])
        assert at == len(bundle)
    return found


def test_tiles_give_the_log_back_and_partial_ones_follow_the_checkpoint(tmp_path):
    with opened(tmp_path) as audit:
        for upto in (3, 256, 300, 513):
            audit.append_many([fact(n) for n in range(upto)])
            audit.prove(upto - 1)
            found = read_tiles(tmp_path, upto)
            assert found == [one.stored for one in audit.entries(0, upto)]
    upper = (tmp_path / "tile" / "1" / "000.p" / "2").read_bytes()
    level = [merkle.root_of(map(merkle.leaf_hash, found[n : n + 256]))[1] for n in (0, 256)]
    assert upper == b"".join(level)
    partial = sorted(str(one.relative_to(tmp_path)) for one in tmp_path.glob("tile/**/*.p/*"))
    assert partial == ["tile/0/002.p/1", "tile/1/000.p/2", "tile/entries/002.p/1"]


@pytest.mark.parametrize("lost", ["tile", "tile/entries/000", "tile/0/001", "tile/entries/002.p/1"])
def test_lost_tiles_are_made_again_when_the_log_is_opened(tmp_path, lost):
    with opened(tmp_path) as audit:
        audit.append_many([fact(n) for n in range(513)])
    subprocess.run(["rm", "-r", tmp_path / lost], check=True)
    opened(tmp_path).close()
    assert len(read_tiles(tmp_path, 513)) == 513


@pytest.mark.parametrize(
    ("number", "path"), [(0, "000"), (67, "067"), (1000, "x001/000"), (1234067, "x001/x234/067")]
)
def test_tile_addresses_are_those_of_c2sp(number, path):
    assert tiles.index_path(number) == path


# --- witnesses


def test_no_more_cosigned_checkpoints_lie_there_than_are_of_use(tmp_path):
    with opened(tmp_path) as audit:
        for n in range(cosigned.MOST_SIZES + 5):
            audit.append(fact(n))
            note = audit.prove(n).checkpoint
            audit.add_cosignature(checkpoint.cosign(note, NAME, AGENT, n))
        audit.add_cosignature(checkpoint.cosign(first_of(audit, 1), NAME, AGENT, 9))  # too old
        newest = audit.cosigned()
    assert newest == (tmp_path / "cosigned" / f"{cosigned.MOST_SIZES + 5:020d}").read_text()
    assert len(list((tmp_path / "cosigned").iterdir())) == cosigned.MOST_SIZES
    assert not (tmp_path / "cosigned" / f"{1:020d}").exists()


def first_of(audit, size):
    """Return the checkpoint of an earlier size, as somebody would who was away since."""
    return audit._ledger.sign(size)


def fleet(size):
    """Return as many witnesses, named as agents are."""
    names = [f"agent:4f5a3c1e-0000-4000-8000-{number:012d}" for number in range(size)]
    return {name: SigningKey.from_seed(name[-32:].encode()) for name in names}


def test_a_checkpoint_that_a_thousand_hosts_cosign_can_still_be_read(tmp_path):
    hosts = fleet(1000)
    known = {name: key.public for name, key in hosts.items()}
    told = ledger.Ledger(ORIGIN, LogSigners.of(LOG), agent_key=known.get)
    with log.AuditFiles(tmp_path, told) as audit:
        note = audit.prove(audit.append(fact("a")).index).checkpoint
        counts = [
            audit.add_cosignature(checkpoint.cosign(note, name, key, 100))
            for name, key in hosts.items()
        ]
        kept = checkpoint.cosignatures(audit.cosigned(), known.get)
        assert len(kept) == counts[-1] == max(counts) > 256
        newer = audit.prove(audit.append(fact("b")).index).checkpoint
        late = list(hosts.items())[-1]
        assert audit.add_cosignature(checkpoint.cosign(newer, *late, 101)) == 1
        with pytest.raises(audit_log.EntryRefused):
            audit.add_cosignature(checkpoint.cosign(newer, late[0], AGENT, 102))
    assert judged(tmp_path, trust=verify.Trust(witnesses=known, quorum=1)).passed


class Hanging(disks.Disk):
    """Holds up who writes what witnesses said."""

    def __init__(self):
        self.reached, self.goes_on = threading.Event(), threading.Event()

    def replace(self, path, content, *, durable=True):
        if path.parent.name == "cosigned":
            self.reached.set()
            assert self.goes_on.wait(60)
        super().replace(path, content, durable=durable)


def test_no_witness_waits_for_the_disk(tmp_path):
    disk = Hanging()
    with opened(tmp_path, disk=disk) as audit:
        note = audit.prove(audit.append(fact("a")).index).checkpoint
        said = checkpoint.cosign(note, NAME, AGENT, 100)
        assert audit.add_cosignature(said) == 1
        assert disk.reached.wait(60)
        assert audit.add_cosignature(said) == 1
        assert audit.append(fact("b")).index == 1
        assert len(checkpoint.cosignatures(audit.cosigned(), KEYS.get)) == 1
        disk.goes_on.set()
    assert judged(tmp_path, trust=verify.Trust(witnesses=KEYS, quorum=1)).passed


def test_what_witnesses_say_again_is_kept_as_often_as_anybody_can_tell(tmp_path):
    now = [0.0]
    with opened(tmp_path) as audit:
        audit._cosigned._monotonic = lambda: now[0]
        note = audit.prove(audit.append(fact("a")).index).checkpoint
        said = []
        for at_s, moment in ((100, 0.0), (101, cosigned.AGAIN_S / 2), (102, cosigned.AGAIN_S)):
            now[0] = moment
            assert audit.add_cosignature(checkpoint.cosign(note, NAME, AGENT, at_s)) == 1
            said += [one.at_s for one in checkpoint.cosignatures(audit.cosigned(), KEYS.get)]
        assert said == [100, 100, 102]
        with pytest.raises(audit_log.EntryRefused):
            audit.add_cosignature(checkpoint.cosign(note, NAME, LOG, 102))
    with opened(tmp_path) as audit:
        audit.add_cosignature(checkpoint.cosign(note, NAME, AGENT, 103))
        [again] = checkpoint.cosignatures(audit.cosigned(), KEYS.get)
        assert again.at_s == 103


# --- blobs


def test_blobs_lie_there_encrypted_and_their_key_is_destroyed_with_them(tmp_path):
    with opened(tmp_path) as audit:
        ref = audit.put_blob(b"a secret output", "text/plain")
        assert b"secret" not in everything_below(tmp_path)
        key = (tmp_path / "blob-keys" / ref.sha256[:2] / ref.sha256).read_bytes()
        assert key in everything_below(tmp_path)
        audit.erase_blob(ref.sha256)
        assert key not in everything_below(tmp_path)


def everything_below(directory):
    return b"".join(one.read_bytes() for one in directory.rglob("*") if one.is_file())


def test_a_changed_blob_is_damage(tmp_path):
    with opened(tmp_path) as audit:
        ref = audit.put_blob(b"output", "text/plain")
        path = tmp_path / "blobs" / ref.sha256[:2] / ref.sha256
        path.write_bytes(path.read_bytes()[:-1] + b"x")
        with pytest.raises(audit_log.AuditBroken):
            audit.get_blob(ref.sha256)


# --- who may open it


def test_a_log_has_one_writer(tmp_path):
    with opened(tmp_path) as audit:
        with pytest.raises(audit_log.AuditUnavailable, match="another process"):
            opened(tmp_path)
        audit.append(fact("a"))
    opened(tmp_path).close()


def test_another_process_cannot_write_either(tmp_path):
    code = "import fcntl, sys\nfcntl.flock(open(sys.argv[1], 'w'), fcntl.LOCK_EX | fcntl.LOCK_NB)"
    with opened(tmp_path):
        found = subprocess.run(
            [sys.executable, "-c", code, tmp_path / "lock"], capture_output=True, check=False
        )
    assert b"BlockingIOError" in found.stderr
    with (tmp_path / "lock").open("w") as free:
        fcntl.flock(free, fcntl.LOCK_EX | fcntl.LOCK_NB)


# --- crashes and damage


class Failing(disks.Disk):
    """A disk on which a chosen operation fails from a chosen moment on."""

    def __init__(self, failing, error=errno.EIO):
        self.failing, self.error, self.armed, self.calls = failing, error, False, 0

    def _maybe(self, name):
        if self.armed and name == self.failing:
            self.calls += 1
            raise OSError(self.error, os.strerror(self.error))

    def write(self, descriptor, data):
        self._maybe("write")
        super().write(descriptor, data)

    def sync_data(self, descriptor):
        self._maybe("sync_data")
        super().sync_data(descriptor)

    def replace(self, path, content, *, durable=True):
        self._maybe("replace")
        super().replace(path, content, durable=durable)


@pytest.mark.parametrize("failing", ["write", "sync_data"])
def test_a_failed_write_or_sync_is_never_tried_again_and_turns_the_log_read_only(tmp_path, failing):
    disk = Failing(failing)
    audit = opened(tmp_path, disk=disk)
    audit.append(fact("before"))
    audit.prove(0)
    disk.armed = True
    with pytest.raises(audit_log.AuditBroken, match="read-only"):
        audit.append(fact("lost"))
    calls = disk.calls
    disk.armed = False
    for _ in range(3):
        with pytest.raises(audit_log.AuditBroken):
            audit.append(fact("after"))
        with pytest.raises(audit_log.AuditBroken):
            audit.put_blob(b"x", "text/plain")
    assert (calls, audit.size()) == (1, 1)
    assert audit.entry(0).fields["key"] == "before"
    assert audit.prove(0).size == 1
    with pytest.raises(audit_log.NoSuchEntry):
        audit.entry(1)
    audit.close()
    with opened(tmp_path) as audit:
        assert audit.entry(0).fields["key"] == "before"
        audit.append(fact("after"))
    assert judged(tmp_path).passed


def test_a_store_whose_sync_failed_writes_nothing_more(tmp_path):
    disk = Failing("sync_data")
    with contextlib.closing(store.Store(tmp_path, disk)) as kept:
        kept.recover(0)
        disk.armed = True
        with pytest.raises(OSError, match="Input/output"):
            kept.append([b"one"])
        disk.armed = False
        with pytest.raises(OSError, match="earlier write failed"):
            kept.append([b"two"])
        assert len(kept) == 0


def test_a_full_disk_is_named_as_such(tmp_path):
    disk = Failing("write", errno.ENOSPC)
    with opened(tmp_path, disk=disk) as audit:
        disk.armed = True
        with pytest.raises(audit_log.AuditBroken, match="full"):
            audit.append(fact("a"))


def test_everybody_who_waits_is_told_when_the_log_breaks(tmp_path):
    disk = Failing("sync_data")
    told: list[BaseException] = []

    def write(n):
        try:
            audit.append(fact(n))
        except audit_log.AuditBroken as error:
            told.append(error)

    with opened(tmp_path, disk=disk) as audit:
        disk.armed = True
        writers = [threading.Thread(target=write, args=(n,)) for n in range(12)]
        for one in writers:
            one.start()
        for one in writers:
            one.join(10)
    assert len(told) == 12


def test_a_checkpoint_that_cannot_be_written_breaks_the_log(tmp_path):
    disk = Failing("replace")
    with opened(tmp_path, disk=disk) as audit:
        audit.append(fact("a"))
        disk.armed = True
        audit.append(fact("b"))
        with pytest.raises(audit_log.AuditBroken):
            audit.prove(1)
        with pytest.raises(audit_log.AuditBroken):
            audit.append(fact("c"))


def crashed(directory, committed, torn):
    """Leave a log as a power cut would: `committed` entries signed, `torn` more only written."""
    with opened(directory) as audit:
        audit.append_many([fact(n) for n in range(committed)])
    note = (directory / "checkpoint").read_bytes()
    end = segment(directory).stat().st_size
    with opened(directory) as audit:
        for batch in torn:
            audit.append_many([fact(n) for n in batch])
    content = segment(directory).read_bytes()
    (directory / "checkpoint").write_bytes(note)
    return content, end


def test_a_torn_end_is_cut_off_at_every_byte_and_nothing_signed_is_lost(tmp_path):
    content, end = crashed(tmp_path, 3, [["x", "y"]])
    path, note = segment(tmp_path), (tmp_path / "checkpoint").read_bytes()
    for length in range(end, len(content) + 1):
        path.write_bytes(content[:length])
        (tmp_path / "checkpoint").write_bytes(note)
        with contextlib.closing(segmentwise(tmp_path)) as audit:
            kept = audit.size()
            assert [one.fields["key"] for one in audit.entries(0, 3)] == ["0", "1", "2"]
            assert kept == len(segments.parse(content[:length]).records)
    assert judged(tmp_path).passed


class Fast(disks.Disk):
    """The local file system without its syncs: for tests that open a log a thousand times."""

    def sync_data(self, descriptor):
        pass

    def sync_directory(self, path):
        pass

    def replace(self, path, content, *, durable=True):
        super().replace(path, content, durable=False)


def segmentwise(directory):
    return opened(directory, disk=Fast())


def test_a_log_cut_below_its_checkpoint_is_refused_at_every_byte(tmp_path):
    content, end = crashed(tmp_path, 3, [])
    path = segment(tmp_path)
    for length in range(end):
        path.write_bytes(content[:length])
        with pytest.raises(audit_log.AuditBroken):
            segmentwise(tmp_path)
        assert path.stat().st_size == length
        assert not judged(tmp_path).passed


def test_entries_removed_whole_are_told_as_such(tmp_path):
    content, _ = crashed(tmp_path, 3, [])
    last = segments.parse(content).offsets[-1] - segments.HEADER.size
    segment(tmp_path).write_bytes(content[:last])
    with pytest.raises(audit_log.AuditBroken, match="entries were removed"):
        opened(tmp_path)


def test_sound_records_that_were_never_signed_are_refused(tmp_path):
    crashed(tmp_path / "true", 3, [])
    with opened(tmp_path / "false") as audit:
        audit.append_many([fact(f"forged {n}") for n in range(3)])
    segment(tmp_path / "true").write_bytes(segment(tmp_path / "false").read_bytes())
    with pytest.raises(audit_log.AuditBroken, match="does not belong"):
        opened(tmp_path / "true")


def test_a_changed_byte_anywhere_in_a_signed_log_is_refused_and_found(tmp_path):
    content, end = crashed(tmp_path, 3, [])
    path = segment(tmp_path)
    for at in range(end):
        changed = bytearray(content)
        changed[at] ^= 1 << at % 8
        path.write_bytes(changed)
        with pytest.raises(audit_log.AuditBroken):
            segmentwise(tmp_path)
        assert path.read_bytes() == changed
        assert not judged(tmp_path).passed


def test_damage_before_an_acknowledged_batch_is_no_torn_end(tmp_path):
    content, end = crashed(tmp_path, 3, [["x", "y"], ["z"]])
    path, note = segment(tmp_path), (tmp_path / "checkpoint").read_bytes()
    last = content.rindex(b'"key":"z"')
    for at in range(end, last - 300, 7):
        changed = bytearray(content)
        changed[at] ^= 0x10
        path.write_bytes(changed)
        (tmp_path / "checkpoint").write_bytes(note)
        with pytest.raises(audit_log.AuditBroken, match="damage"):
            segmentwise(tmp_path)


@pytest.mark.parametrize("content", [b"", b"junk", b"\xff\xfe", None])
def test_a_checkpoint_that_was_lost_or_changed_is_refused(tmp_path, content):
    crashed(tmp_path, 3, [])
    if content is None:
        (tmp_path / "checkpoint").unlink()
    else:
        (tmp_path / "checkpoint").write_bytes(content)
    with pytest.raises(audit_log.AuditBroken):
        opened(tmp_path)
    assert not judged(tmp_path).passed


def test_segments_roll_over_and_a_missing_one_is_noticed(tmp_path, monkeypatch):
    monkeypatch.setattr(segments, "ROLL_BYTES", 2000)
    with opened(tmp_path) as audit:
        for n in range(20):
            audit.append(fact(n))
        assert audit.entry(0).fields["key"] == "0"
        assert audit.entry(19).fields["key"] == "19"
    paths = [path for _, path in segments.listed(tmp_path / "segments")]
    assert len(paths) > 3
    opened(tmp_path).close()
    assert judged(tmp_path).passed
    paths[1].rename(paths[1].with_suffix(".lost"))
    with pytest.raises(audit_log.AuditBroken, match="come before it"):
        opened(tmp_path)
    assert not judged(tmp_path).passed


def test_what_was_acknowledged_survives_kill_9(tmp_path):
    code = """
import sys, pathlib
from tests.integration.audit import test_audit_files as here
audit = here.opened(pathlib.Path(sys.argv[1]))
n = audit.size()
while True:
    audit.append(here.fact(n)); n += 1
    print(n, flush=True)
"""
    root = pathlib.Path(__file__).resolve().parents[3]
    for _ in range(3):
        writer = subprocess.Popen(
            [sys.executable, "-c", code, tmp_path], stdout=subprocess.PIPE, cwd=root, text=True
        )
        acknowledged = 0
        for line in writer.stdout:
            acknowledged = int(line)
            if acknowledged % 40 == 0:
                break
        writer.kill()
        for line in writer.stdout:
            acknowledged = int(line)
        writer.wait()
        writer.stdout.close()
        with opened(tmp_path) as audit:
            assert audit.size() >= acknowledged
            assert audit.entry(acknowledged - 1).fields["key"] == str(acknowledged - 1)
        assert judged(tmp_path, deep=True).passed


def test_no_directory_is_no_log(tmp_path):
    with pytest.raises(audit_log.NoSuchEntry):
        reader.read_stored(tmp_path / "nothing")
