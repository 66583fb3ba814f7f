"""`approvals`: questions to people, and their answers.

Where hosts want a yes signed, what is signed is shown first, read from the bytes themselves and not
from what a page says of them. It is signed with a key file of ours, or by `ssh-keygen` with any key
that OpenSSH has, here or on another machine.
"""

import base64
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.text import Text

from sentienguard.cli import client, frame, given_files, ssh_keygen, trust_files
from sentienguard.model import errors
from sentienguard.trust import canonical, dsse, ssh_approvals
from sentienguard.trust import order as orders

SIGNATURE_ENDING: Final = ".sig"  # as ssh-keygen names it

app = typer.Typer(no_args_is_help=True, help="Questions to people, and their answers.")

Id = Annotated[str, typer.Argument(metavar="ID", help="For example apr_0123456789abcdef.")]
Note = Annotated[str, typer.Option("--note", help="Why; it is kept in the audit log.")]
Signer = Callable[[bytes], dict[str, str]]  # a payload, to what the API takes for a signature


@app.command("list")
def list_(
    data: frame.Data = None,
    as_json: frame.Json = False,
    every: Annotated[bool, typer.Option("--all", help="Also those that are answered.")] = False,
) -> None:
    """List the questions that wait for an answer."""
    shown = frame.open_frame(data, as_json)
    with client.connect(shown.data) as asked:
        found = asked.get("/approvals", status=None if every else "pending")
    rows = [
        (
            one["id"],
            one["status"],
            one["environment"],
            one["question"],
            frame.local(one["expires_at"]),
        )
        for one in found["items"]
    ]
    shown.answer(found, frame.table(
        "approval!", "state", "where", "question", "until", rows=rows,
        empty="nothing waits for a person",
    ))  # fmt: skip


@app.command("show")
def show(approval: Id, data: frame.Data = None, as_json: frame.Json = False) -> None:
    """Show one question, of any age: what it asks, who said yes, and whose yes counts no more."""
    shown = frame.open_frame(data, as_json)
    with client.connect(shown.data) as asked:
        found = asked.get(f"/approvals/{approval}")
    shown.answer(found, frame.pairs(_told(found)))


@app.command("approve")
def approve(  # noqa: PLR0917  # one argument for each option
    approval: Id,
    data: frame.Data = None,
    as_json: frame.Json = False,
    note: Note = "",
    key: Annotated[
        Path | None,
        typer.Option("--key", help="Sign with this key file, where hosts want signed approvals."),
    ] = None,
    ssh_key: Annotated[
        Path | None,
        typer.Option(
            "--ssh-key", help="The same with an OpenSSH key; the .pub file of one in an agent too."
        ),
    ] = None,
    signature: Annotated[
        Path | None,
        typer.Option("--signature", help="What `ssh-keygen -Y sign` made of `approvals payload`."),
    ] = None,
    payload: Annotated[
        Path | None,
        typer.Option("--payload", help="What was signed; default: beside it, without .sig."),
    ] = None,
) -> None:
    """Say yes: the remedy is released."""
    if sum(one is not None for one in (key, ssh_key, signature)) > 1:
        raise typer.BadParameter("name one of --key, --ssh-key and --signature")
    if payload is not None and signature is None:
        raise typer.BadParameter("--payload goes with --signature")
    shown = frame.open_frame(data, as_json)
    signed = None
    if key is not None:
        signed = _signed(shown, approval, _by_key_file(key))
    elif ssh_key is not None:
        signed = _signed(shown, approval, _by_ssh_key(approval, ssh_key))
    elif signature is not None:
        signed = _signed_elsewhere(shown, signature, payload)
    _decide(shown, approval, "approve", note, signed)


@app.command("payload")
def payload_(
    approval: Id,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="Where to write it; new.")],
    data: frame.Data = None,
    as_json: frame.Json = False,
) -> None:
    """Write what a yes signs to a file, to be signed on another machine with `ssh-keygen`."""
    shown = frame.open_frame(data, as_json)
    content = _payload(shown, approval)
    said = _shown(shown, content)
    try:
        with out.open("xb") as file:
            file.write(content)
    except OSError as cause:
        raise errors.Rejected(f"{out}: cannot be written: {cause.strerror}") from cause
    namespace, signature = ssh_approvals.NAMESPACE, f"{out}{SIGNATURE_ENDING}"
    shown.answer({"file": str(out), "namespace": namespace, "payload": said})
    shown.say(f"{out}: what a yes in your name signs, good until {_end(said)}; there:")
    shown.say(f"  ssh-keygen -Y sign -n {namespace} -f KEY {out.name}")
    shown.say("and with what that made, here:")
    shown.say(f"  sentienguard approvals approve {approval} --signature {signature}")


@app.command("deny")
def deny(
    approval: Id,
    data: frame.Data = None,
    as_json: frame.Json = False,
    note: Annotated[
        str, typer.Option("--note", help="Why not, which has to be said; kept in the audit log.")
    ] = "",
) -> None:
    """Say no, and why: the incident goes to people."""
    shown = frame.open_frame(data, as_json)
    if not note.strip():
        raise errors.Rejected(f"{approval}: a denial needs a reason; say it with --note WHY")
    _decide(shown, approval, "deny", note)


def _signed(shown: frame.Frame, approval: str, sign: Signer) -> dict[str, str]:
    """Show what is to be signed and sign it: on this machine, not by what the page says."""
    content = _payload(shown, approval)
    _shown(shown, content)
    if not typer.confirm("sign this?", err=True):
        raise errors.Rejected(f"{approval}: nothing was signed; the question stays open")
    return sign(content)


def _by_key_file(file: Path) -> Signer:
    key = trust_files.open_key(file, None)

    def sign(content: bytes) -> dict[str, str]:
        sealed = dsse.seal(orders.APPROVAL_TYPE, content, [key])
        return {"payload": sealed["payload"], **sealed["signatures"][0]}

    return sign


def _by_ssh_key(approval: str, file: Path) -> Signer:
    elsewhere = (
        f"sign on another machine: `sentienguard approvals payload {approval} --out FILE`, then "
        "`approvals approve` with --signature"
    )

    def sign(content: bytes) -> dict[str, str]:
        made = ssh_keygen.sign(content, file, ssh_approvals.NAMESPACE, elsewhere=elsewhere)
        return _ssh(content, made)

    return sign


def _signed_elsewhere(shown: frame.Frame, signature: Path, payload: Path | None) -> dict[str, str]:
    """Read a signature and what it signs, and show that."""
    if payload is None:
        payload = signature.with_suffix("")
        if signature.suffix != SIGNATURE_ENDING:
            raise errors.Rejected(
                f"{signature}: expected FILE{SIGNATURE_ENDING} beside the FILE that was signed; "
                "else name that with --payload"
            )
    armoured, content = given_files.text(signature), given_files.read(payload)
    try:
        _shown(shown, content)
    except canonical.NotCanonical as cause:
        raise errors.Rejected(
            f"{payload}: expected what `sentienguard approvals payload` wrote, byte for byte: "
            f"{cause}"
        ) from cause
    return _ssh(content, armoured)


def _ssh(content: bytes, armoured: str) -> dict[str, str]:
    return {"payload": base64.b64encode(content).decode(), "ssh": armoured}


def _payload(shown: frame.Frame, approval: str) -> bytes:
    with client.connect(shown.data) as asked:
        return base64.b64decode(asked.get(f"/approvals/{approval}/to-sign")["payload"])


def _shown(shown: frame.Frame, content: bytes) -> dict[str, Any]:
    """Show what is signed, of the bytes themselves. Raises canonical.NotCanonical."""
    said = canonical.decode_object(content)
    for name, value in said.items():
        shown.note(frame.plain(f"{name}: {value}"))
    return said


def _end(said: Mapping[str, Any]) -> str:
    ends = said.get("expires_ms")
    if not isinstance(ends, int):
        return "it says no end"
    return frame.local(datetime.fromtimestamp(ends / 1000, UTC).isoformat())


def _told(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return one question as names and values."""
    decided = f"{found['status']}"
    if found["decided_by"]:
        decided += f" by {found['decided_by']}, {frame.local(found['decided_at'])}"
    rows = [
        ("state", decided),
        ("question", found["question"]),
        ("reason", found["reason"]),
        ("playbook", f"{found['playbook']} in {found['environment']}"),
        ("incident", found["incident"]),
        *((name, value) for name, value in sorted(found["parameters"].items())),
        ("asked", f"{frame.local(found['opened_at'])}, until {frame.local(found['expires_at'])}"),
        ("note", found["note"]),
        ("people needed", f"{found['needed']}{', signed' if found['signed'] else ''}"),
    ]
    rows += [("yes", f"{one['by']}, {frame.local(one['at'])}") for one in found["agreements"]]
    rows += [("counts no more", one) for one in found["lapsed"]]
    return [(name, value) for name, value in rows if value]


def _decide(
    shown: frame.Frame,
    approval: str,
    answer: str,
    note: str,
    signature: dict[str, str] | None = None,
) -> None:
    said_with = {} if signature is None else {"signature": signature}
    with client.connect(shown.data) as asked:
        decided = asked.post(f"/approvals/{approval}/{answer}", {"note": note, **said_with})
    for one in decided.get("lapsed", ()):
        shown.note(frame.plain(f"counts no more: {one}"))
    said = f"{decided['status']}: {decided['playbook']} for {decided['incident']}"
    shown.answer(decided, Text(frame.plain(said)))
