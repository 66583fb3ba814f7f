"""The audit log as one directory of plain files.

Called by the composition root of the control plane (`log.AuditFiles`) and by the CLI
(`reader.read_stored`). Offers ports.audit_log on a local file system. What belongs here: bytes,
fsync, locks, recovery. What does not: what an entry may hold and what proves it; those rules come
in as a ports.audit_ledger.AuditLedger.

    log.vkey            the log's name and public keys, a line each (C2SP vkey)
    segments/<first>.seg   records: [length u32][crc32 u32][stored bytes], big endian; the highest
                        bit of the length marks the first record of a batch; the crc covers the
                        length too
    checkpoint          newest signed checkpoint (C2SP signed note)
    cosigned/<size>     checkpoints with the signatures of witnesses
    tile/...            C2SP tiles and entry bundles, made from the segments; partial tiles are
                        those of the newest checkpoint
    blobs/, blob-keys/  blobs by SHA-256, each encrypted under a key of its own
    lock                held while a process writes

Durability: an entry is acknowledged when fdatasync of its record has returned. A write or sync that
failed is never tried again, because the kernel may have dropped the pages and would then report
success: the log turns read-only. Opening it again replays the segments. Bytes that are no record
are cut off only where they can be no more than an unacknowledged batch: at the very end, beyond the
checkpoint, with no later batch behind them. Anything else is damage, and people must look.
"""
