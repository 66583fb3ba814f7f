"""Write a stored log as the files that verifiers read.

Called by the control plane's `--export-audit`, for a log that lies in a database. The copy holds
entries, the checkpoint and the cosigned checkpoints; the stand-alone verifier needs no more. Blobs
stay where they are, and tiles are made by whoever opens the directory as a log.
"""

import os
import pathlib

from sentienguard.adapters.audit_files import disk as disks
from sentienguard.adapters.audit_files import segments
from sentienguard.ports import audit_log


def write_stored(directory: pathlib.Path, stored: audit_log.StoredLog) -> int:
    """Write the log to a directory that is made here, durably; return how many entries it has.

    Raises EntryRefused where the directory is there already or the log has bytes that are no entry.
    """
    records = [record for record in stored.records if isinstance(record, bytes)]
    if len(records) != len(stored.records):
        raise audit_log.EntryRefused("the stored log is damaged; verify it before it is copied")
    try:
        directory.mkdir(parents=True, mode=0o700)
    except FileExistsError as error:
        raise audit_log.EntryRefused(f"{directory} is there already; name a new one") from error
    disk = disks.Disk()
    (directory / "segments").mkdir(mode=0o700)
    disk.replace(directory / "log.vkey", f"{stored.verifier_keys}\n".encode())
    _write_segments(directory / "segments", records, disk)
    if stored.checkpoint is not None:
        disk.replace(directory / "checkpoint", stored.checkpoint.encode())
    (directory / "cosigned").mkdir(mode=0o700)
    for note in stored.cosigned:
        size = int(note.split("\n")[1])
        disk.replace(directory / "cosigned" / f"{size:020d}", note.encode())
    return len(records)


def _write_segments(directory: pathlib.Path, records: list[bytes], disk: disks.Disk) -> None:
    start = 0
    while start < len(records):
        frames, used = bytearray(), 0
        for offset, record in enumerate(records[start:]):
            frames += segments.frame(record, begins=offset == 0)
            used = offset + 1
            if len(frames) >= segments.ROLL_BYTES:
                break
        descriptor = disk.open_append(segments.named(directory, start))
        try:
            disk.write(descriptor, bytes(frames))
            disk.sync_data(descriptor)
        finally:
            os.close(descriptor)
        start += used
