"""Files that somebody names on the command line: read whole, within a bound, or refused.

Called by the commands of playbooks, of the audit log and of evidence.
"""

from pathlib import Path

from sentienguard.model import errors

LONGEST_BYTES = 1 << 20  # of one file; what reads it allows less


def read(file: Path) -> bytes:
    """Return the bytes of a file. Raises errors.Rejected."""
    try:
        with file.open("rb") as opened:
            stored = opened.read(LONGEST_BYTES + 1)
    except IsADirectoryError as cause:
        raise errors.Rejected(f"{file}: is a directory; name a file in it") from cause
    except OSError as cause:
        raise errors.Rejected(f"{file}: cannot be read: {cause.strerror}") from cause
    if len(stored) > LONGEST_BYTES:
        raise errors.Rejected(f"{file}: expected at most {LONGEST_BYTES >> 20} MiB, found more")
    return stored


def text(file: Path) -> str:
    """Return the text of a file. Raises errors.Rejected."""
    try:
        return read(file).decode("utf-8")
    except UnicodeDecodeError as cause:
        raise errors.Rejected(f"{file}: expected text, found byte {cause.start}") from cause


def require_log(place: Path) -> None:
    """Refuse what is no directory of an audit log. Raises errors.Rejected."""
    if not place.is_dir():
        raise errors.Rejected(
            f"{place}: expected the directory of an audit log, found none; an installation has its "
            "own in DIR/controlplane/audit"
        )
