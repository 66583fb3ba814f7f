"""The playbooks of a directory or of a revision of a git repository, to be signed as they stand.

Called by trust_commands. `DIRECTORY` is read as it lies there, `DIRECTORY@REVISION` as that commit
has it, whatever lies beside. Rules:

1. A playbook is a file called `playbook.yaml`, at any depth; links are not followed.
2. Nothing of the repository runs: no hook, filter, pager or configuration of its own.
3. Nothing is taken that lint would not let be signed, and all of it or none.
"""

import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sentienguard.model import errors
from sentienguard.playbook import document, lint, parse

NAME: Final = "playbook.yaml"
MOST: Final = 1000  # playbooks of a source
LARGEST_BYTES: Final = document.MAX_BYTES  # of one file
_LIMIT_S: Final = 20.0  # of one call of git
_REVISION: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/~^-]{0,199}")
_FILE_MODES: Final = ("100644", "100755")  # of git: a link is another one
_ENVIRONMENT: Final[Mapping[str, str]] = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_NO_LAZY_FETCH": "1",
    "LC_ALL": "C.UTF-8",
    "PATH": "/usr/local/bin:/usr/bin:/bin",
}


class SourceWrong(errors.Rejected):
    """The source cannot be read, or holds what may not be signed."""


@dataclass(frozen=True, slots=True)
class Source:
    """What a source holds."""

    name: str  # for people: the directory, with the commit where there is one
    commit: str  # 40 or 64 hex digits; empty: a directory as it lies there
    playbooks: Mapping[str, bytes]  # by path within the source


def read(given: str) -> Source:
    """Return the playbooks of `DIRECTORY` or `DIRECTORY@REVISION`. Raises SourceWrong."""
    path, at, revision = given.rpartition("@")
    if at and not Path(given).is_dir():
        source = _of_commit(Path(path).resolve(), revision)
    else:
        source = _of_directory(Path(given))
    if not source.playbooks:
        raise SourceWrong(f"{source.name}: expected files called {NAME}, found none")
    for file, stored in source.playbooks.items():
        require_signable(stored, f"{source.name}: {file}")
    return source


def require_signable(stored: bytes, origin: str) -> None:
    """Refuse a playbook that lint would not let be signed. Raises errors.Rejected."""
    draft = parse.load_draft(stored, origin=origin)
    wrong = [one for one in lint.lint(draft) if one.level is lint.Level.ERROR]
    if wrong:
        raise SourceWrong(
            f"{origin}: {wrong[0].message}; `sentienguard playbook lint FILE` shows everything"
        )


def _of_directory(place: Path) -> Source:
    if not place.is_dir():
        raise SourceWrong(f"{place}: expected a directory, or DIRECTORY@REVISION of a repository")
    found: dict[str, bytes] = {}
    for directory, below, files in os.walk(place):
        below[:] = sorted(one for one in below if not one.startswith("."))
        file = Path(directory, NAME)
        if NAME in files and not file.is_symlink():
            _require_room(str(file), file.stat().st_size, len(found))
            found[str(file.relative_to(place))] = file.read_bytes()
    return Source(str(place), "", found)


def _of_commit(place: Path, revision: str) -> Source:
    if _REVISION.fullmatch(revision) is None:
        raise SourceWrong(f"{revision!r}: expected a branch, a tag or a commit of {place}")
    commit = _git(place, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}").decode()
    commit = commit.strip()
    found: dict[str, bytes] = {}
    listed = _git(place, "ls-tree", "-r", "-l", "-z", "--full-tree", commit).decode("utf-8")
    for line in listed.split("\0")[:-1]:
        about, _, file = line.partition("\t")
        mode, _, blob, size = about.split()
        if mode in _FILE_MODES and Path(file).name == NAME:
            _require_room(file, int(size), len(found))
            found[file] = _git(place, "cat-file", "blob", blob)
    return Source(f"{place} at {commit[:12]}", commit, found)


def _require_room(file: str, size: int, count: int) -> None:
    if size > LARGEST_BYTES:
        raise SourceWrong(f"{file}: expected at most {LARGEST_BYTES} bytes, found {size}")
    if count >= MOST:
        raise SourceWrong(f"{file}: a source has at most {MOST} playbooks")


def _git(place: Path, *words: str) -> bytes:
    arguments = [
        *("git", "-C", str(place), "-c", "core.fsmonitor=false", "-c", f"safe.directory={place}"),
        *("--no-pager", "--no-replace-objects", *words),
    ]
    try:
        ran = subprocess.run(  # noqa: S603 - a list; the revision is checked, the rest is ours
            arguments,
            capture_output=True,
            check=True,
            env=dict(_ENVIRONMENT),
            stdin=subprocess.DEVNULL,
            timeout=_LIMIT_S,
        )
    except subprocess.CalledProcessError as cause:
        said = cause.stderr.decode("utf-8", "replace").strip() or "it knows no such revision"
        raise SourceWrong(f"{place}: git {words[0]}: {said[:300]}") from cause
    except (OSError, subprocess.SubprocessError) as cause:
        raise SourceWrong(f"{place}: git could not be run: {cause}") from cause
    return ran.stdout
