"""Write and read packages.

Called by the CLI, which writes a directory and an archive, and by the control plane's evidence
desk, which keeps archives.
"""

import io
import json
import os
import pathlib
import re
import shutil
import zipfile
from collections.abc import Mapping
from typing import Any, Final

from sentienguard.model import errors

VERIFIER_FILE: Final = pathlib.Path(__file__).with_name("verify_evidence.py")
MOST_BYTES: Final = 4 << 30  # of an archive's files together: ten million rows, and no bomb
_LONG_AGO: Final = (1980, 1, 1, 0, 0, 0)  # the first time that an archive can name
_FILE_MODE: Final = 0o100644 << 16
_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]{0,99}\Z")


class BadArchive(errors.Rejected):
    """The archive is no evidence package."""


class InTheWay(errors.Rejected):
    """Something is where the package was to be written."""


def verifier() -> bytes:
    """Return the program that goes into each package."""
    return VERIFIER_FILE.read_bytes()


def archived(files: Mapping[str, bytes]) -> bytes:
    """Return the files as a zip archive, the same bytes for the same files."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for name in sorted(files):
            about = zipfile.ZipInfo(name, _LONG_AGO)
            about.external_attr = _FILE_MODE
            about.create_system = 3  # Unix, wherever it is made
            about.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(about, files[name])
    return made.getvalue()


def unpacked(content: bytes) -> dict[str, bytes]:
    """Return the files of an archive. Raises BadArchive."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = archive.infolist()
            wrong = [one.filename for one in members if _NAME.match(one.filename) is None]
            if wrong:
                raise BadArchive(f"archive: {wrong[0][:60]!r} is no file name of a package")
            if sum(one.file_size for one in members) > MOST_BYTES:
                raise BadArchive(f"archive: its files have more than {MOST_BYTES:,} bytes")
            return {one.filename: archive.read(one) for one in members}
    except zipfile.BadZipFile as error:
        raise BadArchive(f"archive: {error}") from error


def write(target: pathlib.Path, files: Mapping[str, bytes], archive: bytes) -> pathlib.Path:
    """Write a directory and, beside it, the archive; return the archive's path.

    Raises InTheWay where either is there: evidence is never written over.
    """
    beside = require_free(target)
    draft = target.with_name(f".{target.name}.new")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    for name, content in files.items():
        write_whole(draft / name, content)
    if target.exists():
        target.rmdir()
    draft.rename(target)
    write_whole(beside, archive)
    return beside


def require_free(target: pathlib.Path) -> pathlib.Path:
    """Return where the archive of a directory goes. Raises InTheWay."""
    beside = target.with_name(f"{target.name}.zip")
    for path in (target, beside):
        if path.exists() and not (path.is_dir() and not any(path.iterdir())):
            raise InTheWay(f"{path} is there already; name another directory with --out")
    return beside


def document(files: Mapping[str, bytes], name: str) -> Any:
    """Return a JSON file of a package. Raises BadArchive."""
    try:
        return json.loads(files[name])
    except (KeyError, ValueError) as error:
        raise BadArchive(f"package: {name} is missing or no JSON: {error}") from error


def write_whole(path: pathlib.Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    draft = path.with_name(f".{path.name}.new")
    with draft.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
