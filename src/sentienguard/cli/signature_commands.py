"""`playbook sign` and `playbook verify`: who stands behind a playbook file, as an SSH signature.

Called by `playbook_commands`. The format is `trust.sshsig`'s. The signature lets nothing run:
executors look at the signed catalogue, see docs/explanation/signatures-of-playbooks.md.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from sentienguard.cli import frame, given_files, trust_files
from sentienguard.model import errors, ids
from sentienguard.playbook import lint, parse
from sentienguard.trust import keys, sshsig

ENDING = ".sig"  # as ssh-keygen names it

File = Annotated[Path, typer.Argument(metavar="FILE")]


def sign(
    file: File,
    key: Annotated[
        Path, typer.Option("--key", help="Ed25519: an OpenSSH private key, or PKCS#8 PEM.")
    ],
    as_json: frame.Json = False,
) -> None:
    """Sign a playbook file, so that others see who stands behind it; refuses what lint refuses."""
    shown = frame.open_frame(None, as_json)
    stored = given_files.read(file)
    playbook = parse.load(stored, origin=str(file))
    findings = lint.lint(parse.load_draft(stored, origin=str(file)))
    if not lint.signable(findings):
        wrong = next(one for one in findings if one.level is lint.Level.ERROR)
        raise errors.Rejected(
            f"{file}: cannot be signed: {wrong.message} [{wrong.rule}]; "
            "`sentienguard playbook lint` says everything"
        )
    opened = _key(key)
    place = file.with_name(file.name + ENDING)
    try:
        with place.open("x", encoding="ascii") as written:
            written.write(sshsig.sign(stored, opened, namespace=sshsig.PLAYBOOK))
    except FileExistsError as cause:
        raise errors.Rejected(f"{place}: is there already; move it away to sign anew") from cause
    shown.answer(
        {
            "file": str(file),
            "signature": str(place),
            "playbook": playbook.name,
            "version": playbook.version,
            "digest": playbook.digest,
            "key": sshsig.fingerprint(opened.public),
            "public_key": sshsig.public_line(opened.public),
        }
    )
    shown.say(f"{place}: {playbook.name} {playbook.version}, signed by")
    shown.say(f"    {sshsig.fingerprint(opened.public)}")
    shown.say("it may run once it is in the signed catalogue; this signature lets nothing run")


def verify(
    file: File,
    signers: Annotated[
        Path,
        typer.Option(
            "--signers", help="Whose signature counts: a public key, or a file of allowed signers."
        ),
    ],
    signature: Annotated[
        Path | None,
        typer.Option("--signature", help="Default: FILE.sig.", show_default=False),
    ] = None,
    as_json: frame.Json = False,
) -> None:
    """Verify who signed a playbook file; status 1 unless one of the signers signed these bytes."""
    shown = frame.open_frame(None, as_json)
    stored = given_files.read(file)
    armoured = given_files.text(signature or file.with_name(file.name + ENDING))
    allowed = sshsig.allowed_signers(given_files.text(signers), namespace=sshsig.PLAYBOOK)
    signer = sshsig.verify(
        stored, armoured, allowed, namespace=sshsig.PLAYBOOK, at=datetime.now(UTC)
    )
    who = ", ".join(signer.principals) or sshsig.fingerprint(signer.key)
    digest = ids.digest(stored)
    shown.answer(
        {
            "file": str(file),
            "digest": digest,
            "principals": list(signer.principals),
            "key": sshsig.fingerprint(signer.key),
        }
    )
    shown.say(f"{file}: signed by {who}")
    shown.say(f"    {digest}")


def _key(path: Path) -> keys.SigningKey:
    pem = given_files.read(path)
    if keys.SEALED_MARK in pem:
        return trust_files.open_key(path, None)
    try:
        return sshsig.private_key(pem)
    except keys.BadKey as cause:
        raise errors.Rejected(f"{path}: {cause}") from cause
