"""Is the agent on this host the one that was shipped: its one file, and what was unpacked from it.

Called by `sentienguard-agent verify` where scripts/agent_start.py started it; changes nothing. A
file that was changed can lie about itself: check the signature of a new one with `ssh-keygen -Y
verify` before its first start. From then on this finds what changed. Rules:

1. Signed are the bytes of the whole file, so one that was flipped anywhere is found. Who signs
   releases is said by the owner, never by the file.
2. Below the directory that is run from lies what the file's manifest names, byte for byte, and
   nothing else: a compiled module that somebody planted would be run instead of its source.
3. Asked about a whole release (`--release MANIFEST`), what runs and what lies there is of it, as
   `agent.release_manifest` says, and that nobody is known who signs releases is a fault.
"""

import hashlib
import json
import os
import stat
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import sentienguard
from sentienguard.agent import release_manifest
from sentienguard.agent.inspection import Finding
from sentienguard.model import errors

SIGNERS: Final = Path("/etc/sentienguard/release-signers")  # where the owner may name them
REVOKED: Final = Path("/etc/sentienguard/release-revoked")  # keys of them that count no more
_MANIFEST: Final = "manifest.json"


@dataclass(frozen=True, slots=True)
class OneFile:
    """From where an agent runs."""

    archive: Path  # the file that was started
    place: Path  # the directory into which it unpacked itself


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody wants to be looked at, and by whose word."""

    now: datetime
    signers: Path | None = None  # a public key, or allowed signers; None: SIGNERS where it is
    revoked: Path | None = None  # public keys that count no more; None: REVOKED where it is
    signature: Path | None = None  # of the one file; None: FILE.sig
    manifest: Path | None = None  # of a whole release; None: none was named
    least: str | None = None  # the oldest version that the release may be

    def known_signers(self) -> Path | None:
        """Return the file that names who signs releases, if there is one."""
        return self.signers or (SIGNERS if SIGNERS.exists() else None)


def verify(one: OneFile | None, wanted: Wanted) -> Iterator[Finding]:
    """Look at the file and at what is run; each finding says what is wrong."""
    if wanted.manifest is not None:
        yield from _released(one, wanted, wanted.manifest)
    if one is None:
        if wanted.signers is not None and wanted.manifest is None:
            reason = (
                "this agent was not started as one file; name the manifest of its release with "
                "--release, or check the package that brought it"
            )
            yield Finding("the file is signed by who ships it", good=False, reason=reason)
        return
    yield _unpacked(one)
    if wanted.known_signers() is None:
        if wanted.manifest is None:
            what = "nobody is named who signs releases, so no signature was looked at"
            reason = f"name them in {SIGNERS} or with --release-signers"
            yield Finding(what, good=True, reason=reason)
        return
    signature = wanted.signature or one.archive.with_name(f"{one.archive.name}.sig")
    yield _signed(one.archive, wanted, signature, "the file is signed by who ships it")


def _released(one: OneFile | None, wanted: Wanted, manifest: Path) -> Iterator[Finding]:
    """Look at a whole release (rule 3); nothing of an unsigned manifest is believed."""
    signed = _signed(
        manifest,
        wanted,
        manifest.with_name(manifest.name + release_manifest.SIGNATURE),
        "the manifest is signed by who ships releases",
    )
    yield signed
    if not signed.good:
        return
    try:
        named = release_manifest.parse(manifest.read_text("ascii"))
        if one is None:
            installed = Path(sentienguard.__file__).parent
            yield release_manifest.package(named, manifest, installed)
        else:
            yield release_manifest.one_file(named, one.archive)
        runs = release_manifest.version_of(None if one is None else one.archive)
        yield from release_manifest.version(named, runs, wanted.least)
        yield from release_manifest.beside(named, manifest)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile, errors.SentienGuardError) as error:
        yield Finding("the release can be looked at", good=False, reason=f"{manifest}: {error}")


def _signed(file: Path, wanted: Wanted, signature: Path, what: str) -> Finding:
    """Look at the signature of a file (rule 1)."""
    from sentienguard.trust import sshsig  # noqa: PLC0415 - only `verify` needs it

    signers = wanted.known_signers()
    if signers is None:
        reason = f"no release key is known here: name it in {SIGNERS} or with --release-signers"
        return Finding(what, good=False, reason=reason)
    revoked = wanted.revoked or (REVOKED if REVOKED.exists() else None)
    try:
        by = sshsig.verify(
            file.read_bytes(),
            signature.read_text("ascii"),
            sshsig.allowed_signers(signers.read_text("utf-8"), namespace=sshsig.RELEASE),
            namespace=sshsig.RELEASE,
            at=wanted.now,
            revoked=() if revoked is None else sshsig.revoked_keys(revoked.read_text("utf-8")),
        )
    except (OSError, UnicodeDecodeError, errors.SentienGuardError) as error:
        return Finding(what, good=False, reason=f"{file}: {error}")
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
