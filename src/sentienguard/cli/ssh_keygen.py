"""OpenSSH's own `ssh-keygen`, asked for a signature: with a key file, an agent or a hardware key.

Called by approval_commands. We never see the private key: what asks for a passphrase, a PIN or a
touch is OpenSSH, at the terminal. What is signed goes in by standard input, so that no file of ours
lies about.
"""

import shutil
import subprocess
from pathlib import Path
from typing import Final

from sentienguard.model import errors

PROGRAM: Final = "ssh-keygen"
LIMIT_S: Final = 300  # somebody looks for their hardware key, and types a PIN wrong once


def sign(content: bytes, key: Path, namespace: str, *, elsewhere: str) -> str:
    """Return the armoured signature of these bytes in a namespace.

    `key` is a private key, or the public key of one that an agent has. `elsewhere` is the way out
    where this machine cannot. Raises errors.Rejected.
    """
    program = shutil.which(PROGRAM)
    if program is None:
        raise errors.Rejected(
            f"{PROGRAM}: not found here; install OpenSSH's client, or {elsewhere}"
        )
    if not key.is_file():
        raise errors.Rejected(f"{key}: no such file; expected a key, or the .pub file of one")
    arguments = [program, "-Y", "sign", "-q", "-n", namespace, "-f", str(key)]
    try:
        ran = subprocess.run(  # noqa: S603 - a list; the key's path is one word of it
            arguments, input=content, stdout=subprocess.PIPE, check=False, timeout=LIMIT_S
        )
    except (OSError, subprocess.TimeoutExpired) as cause:
        raise errors.Rejected(f"{PROGRAM}: {cause}; nothing was signed") from cause
    if ran.returncode != 0 or not ran.stdout:
        raise errors.Rejected(
            f"{key}: {PROGRAM} signed nothing (status {ran.returncode}) and says why above; the "
            f"key has to be in this file, in your agent or on a hardware key that is plugged in. "
            f"Or {elsewhere}"
        )
    return ran.stdout.decode("ascii", "replace")
