"""Read a stored log without opening it for writing.

Called by the CLI and by evidence packages; a copy of the directory will do. Judges nothing: what is
found goes to stages.audit.verify.
"""

import pathlib

from sentienguard.adapters.audit_files import segments
from sentienguard.ports import audit_log


def read_stored(directory: pathlib.Path) -> audit_log.StoredLog:
    """Return what a log's directory holds. Raises NoSuchEntry where it is no log's directory.

    The checkpoint is read first, so that the records of a log that is being written reach at least
    as far as the checkpoint says.
    """
    try:
        verifier_keys = (directory / "log.vkey").read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise audit_log.NoSuchEntry(f"{directory} is no audit log: {error.strerror}") from error
    return audit_log.StoredLog(
        verifier_keys=verifier_keys.strip(),
        checkpoint=_text(directory / "checkpoint"),
        cosigned=tuple(
            text for path in sorted((directory / "cosigned").glob("[0-9]*"))
            if (text := _text(path)) is not None
        ),
        records=_records(directory / "segments"),
    )  # fmt: skip


def _records(directory: pathlib.Path) -> list[bytes | audit_log.Damage]:
    found: list[bytes | audit_log.Damage] = []
    listed = segments.listed(directory)
    for position, (first, path) in enumerate(listed):
        if first != len(found):
            what = f"begins with entry {first}, but {len(found)} entries come before it"
            return [*found, audit_log.Damage(path.name, what)]
        try:
            parsed = segments.parse(path.read_bytes())
        except OSError as error:
            return [*found, audit_log.Damage(path.name, f"cannot be read: {error.strerror}")]
        found += parsed.records
        if parsed.problem is not None:
            at_end = parsed.cut_short and position == len(listed) - 1
            where = f"{path.name}, byte {parsed.end}"
            return [*found, audit_log.Damage(where, parsed.problem, at_end)]
    return found


def _text(path: pathlib.Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
