"""Is the agent on this host the one that was shipped: its one file, and what was unpacked from it.

Called by `sentienguard-agent verify` where scripts/agent_start.py started it; changes nothing. A
file that was changed can lie about itself: check the signature of a new one with `ssh-keygen -Y
verify` before its first start. From then on this finds what changed. Rules:

1. Signed are the bytes of the whole file, so one that was flipped anywhere is found. Who signs
   releases is said by the owner, never by the file.
2. Below the directory that is run from lies what the file's manifest names, byte for byte, and
   nothing else: a compiled module that somebody planted would be run instead of its source.
"""

import hashlib
import json
import os
import stat
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sentienguard.agent.inspection import Finding
from sentienguard.model import errors

SIGNERS: Final = Path("/etc/sentienguard/release-signers")  # where the owner may name them
_MANIFEST: Final = "manifest.json"


@dataclass(frozen=True, slots=True)
class OneFile:
    """From where an agent runs."""

    archive: Path  # the file that was started
    place: Path  # the directory into which it unpacked itself


def verify(
    one: OneFile | None, signers: Path | None, signature: Path | None = None
) -> Iterator[Finding]:
    """Look at the file and at what is run; each finding says what is wrong.

    `signers` is a public key or a file of allowed signers; `signature` is FILE.sig unless named.
    """
    if one is None:
        if signers is not None:
            reason = "this agent was not started as one file; check the package that brought it"
            yield Finding("the file is signed by who ships it", good=False, reason=reason)
        return
    yield _unpacked(one)
    named = signers or (SIGNERS if SIGNERS.exists() else None)
    if named is None:
        what = "nobody is named who signs releases, so no signature was looked at"
        yield Finding(what, good=True, reason=f"name them in {SIGNERS} or with --release-signers")
        return
    yield _signed(one.archive, named, signature or one.archive.with_name(f"{one.archive.name}.sig"))


def _signed(archive: Path, signers: Path, signature: Path) -> Finding:
    """Look at the signature (rule 1)."""
    from sentienguard.trust import sshsig  # noqa: PLC0415 - only `verify` needs it

    what = "the file is signed by who ships it"
    try:
        allowed = sshsig.allowed_signers(signers.read_text("utf-8"), namespace=sshsig.RELEASE)
        by = sshsig.verify(
            archive.read_bytes(), signature.read_text("ascii"), allowed, namespace=sshsig.RELEASE
        )
    except (OSError, UnicodeDecodeError, errors.SentienGuardError) as error:
        return Finding(what, good=False, reason=f"{archive}: {error}")
    return Finding(what, good=True, reason=sshsig.fingerprint(by.key))


def _unpacked(one: OneFile) -> Finding:
    """Look at what is run from (rule 2)."""
    what = "what runs is what the file holds"
    try:
        with zipfile.ZipFile(one.archive) as packed:
            files: dict[str, str] = json.loads(packed.read(_MANIFEST))["files"]
        reason = next(_differences(one.place, files), "")
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        reason = f"{one.archive}: {error}"
    return Finding(what, good=not reason, reason=reason)


def _differences(place: Path, files: dict[str, str]) -> Iterator[str]:
    found = set()
    for directory, _, names in os.walk(place):
        for path in (Path(directory, name) for name in names):
            name = path.relative_to(place).as_posix()
            found.add(name)
            if name not in files or not stat.S_ISREG(path.lstat().st_mode):
                yield f"{path} does not belong there"
            elif hashlib.sha256(path.read_bytes()).hexdigest() != files[name]:
                yield f"{path} was changed"
    yield from (f"{place / name} is missing" for name in sorted(set(files) - found))
