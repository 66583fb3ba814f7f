"""Key files with a passphrase, and trust files, for `sentienguard trust`.

Called by trust_commands. A passphrase comes from a terminal, a pipe or a file, never from an
argument, which everybody on the machine can read.
"""

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from sentienguard.cli import private_files, user_commands
from sentienguard.model import errors
from sentienguard.trust import bundle as bundles
from sentienguard.trust import keys, passkeys, ssh_approvals

PUBLIC_SUFFIX = ".pub"
LARGEST_KEY_BYTES = 16 << 10


@dataclass(frozen=True, slots=True)
class Made:
    """A new key on disk."""

    name: str
    path: Path  # of the sealed private half; the public one lies beside it
    public: keys.VerifyKey


def make_key(path: Path, passphrase: str) -> tuple[keys.SigningKey, Made]:
    """Make a key and write both halves. Raises errors.Rejected where a file is in the way."""
    if path.exists():
        raise errors.Rejected(f"{path}: there is a key already; name another file")
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    key = keys.SigningKey.generate()
    private_files.write(path, key.to_sealed_pem(passphrase))
    path.with_suffix(PUBLIC_SUFFIX).write_text(key.public.text + "\n")
    return key, Made(path.stem, path, key.public)


def make_online_key(path: Path) -> keys.SigningKey:
    """Make a key that a process opens by itself: unsealed, for its owner alone."""
    if path.exists():
        raise errors.Rejected(f"{path}: there is a key already; name another directory")
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    key = keys.SigningKey.generate()
    private_files.write(path, key.to_pem())
    return key


def new_passphrase(what: str, file: Path | None) -> str:
    """Return the passphrase for a new key. Raises errors.Rejected and keys.BadKey."""
    if file is not None:
        return _first_line(file)
    return user_commands.read_password(f"passphrase for {what}: ", twice=True)


def open_key(path: Path, passphrase_file: Path | None) -> keys.SigningKey:
    """Read a private key; a sealed one with its passphrase. Raises errors.Rejected."""
    content = _bytes(path, LARGEST_KEY_BYTES)
    if keys.SEALED_MARK not in content:
        return keys.SigningKey.from_pem(content)
    passphrase = (
        user_commands.read_password(f"passphrase for {path.name}: ")
        if passphrase_file is None
        else _first_line(passphrase_file)
    )
    try:
        return keys.SigningKey.from_sealed_pem(content, passphrase)
    except keys.BadKey as cause:
        raise keys.BadKey(f"{path}: {cause}") from cause


def public_key(given: str) -> keys.VerifyKey:
    """Read a public key: base64 of its bytes, or a file that holds that. Raises keys.BadKey."""
    file = Path(given)
    if file.is_file():
        given = _bytes(file, LARGEST_KEY_BYTES).decode("ascii", "replace").strip()
    return keys.VerifyKey.from_text(given)


def passkey(given: str) -> passkeys.ApproverKey:
    """Read an approver's passkey: the line itself or a file with it. Raises errors.Rejected."""
    file = Path(given)
    if " " not in given and file.is_file():
        given = _bytes(file, LARGEST_KEY_BYTES).decode("ascii", "replace").strip()
    return passkeys.ApproverKey.from_text(given)


def ssh_key(given: str) -> ssh_approvals.ApproverSshKey:
    """Read an approver's OpenSSH key: a .pub file or its line. Raises dsse.NotTrusted.

    The line may begin with `verify-required`.
    """
    file = Path(given)
    if " " not in given and file.is_file():
        given = _bytes(file, LARGEST_KEY_BYTES).decode("utf-8", "replace")
    return ssh_approvals.ApproverSshKey.from_text(given)


def read(file: Path) -> bundles.Bundle:
    """Read a trust file. Raises errors.Rejected."""
    return bundles.read(_bytes(file, bundles.MAX_BYTES))


def write(file: Path, bundle: bundles.Bundle) -> None:
    """Write a trust file, whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    private_files.write(file, bundles.write(bundle))


def _first_line(file: Path) -> str:
    mode = stat.S_IMODE(file.stat().st_mode) if file.is_file() else 0
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise errors.Rejected(f"{file}: others may read it ({mode:04o}); chmod go-rwx {file}")
    return _bytes(file, LARGEST_KEY_BYTES).decode("utf-8", "replace").partition("\n")[0]


def _bytes(path: Path, limit: int) -> bytes:
    try:
        with path.open("rb") as opened:
            found = opened.read(limit + 1)
    except OSError as cause:
        raise errors.Rejected(f"{path}: {os.strerror(cause.errno or 0)}") from cause
    if len(found) > limit:
        raise errors.Rejected(f"{path}: expected at most {limit} bytes, found more")
    return found
