"""`trust`: the offline keys, what they sign, and how that reaches the control plane.

`init`, `rotate`, `revoke` and `sign` work on one file that is carried from person to person; they
ask no control plane and need no network. `export`, `import` and `status` also know the directory of
a control plane.
"""

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from sentienguard.cli import frame, playbook_source, trust_files, trust_view, trust_words
from sentienguard.cli.installation import bundled
from sentienguard.cli.installation.places import Places
from sentienguard.controlplane import trust_exchange, trust_store
from sentienguard.model import errors, ids
from sentienguard.stages.audit import checkpoint
from sentienguard.trust import bundle as bundles
from sentienguard.trust import ceremony, keys
from sentienguard.trust import root as roots
from sentienguard.trust.root import RoleName

app = typer.Typer(no_args_is_help=True, help="Offline keys: who may sign what hosts run.")

FILE_NAME = "trust.json"


class OnlineRole(StrEnum):
    """Online keys that another one can follow."""

    DISPATCH = "dispatch"
    LOG = "log"
    SERVER = "server"


ROOT_DAYS, CATALOGUE_DAYS = 365, 90

File = Annotated[Path, typer.Argument(metavar="FILE", help="The trust file.")]
Passphrase = Annotated[
    Path | None,
    typer.Option("--passphrase-file", help="Read the passphrase from there, not from a prompt."),
]
RootDays = Annotated[
    int, typer.Option("--expires-days", min=1, max=3650, help="Life of the root document.")
]
CatalogueDays = Annotated[
    int | None,
    typer.Option("--catalogue-days", min=1, max=365, help="Draft a catalogue with this life."),
]
Forget = Annotated[
    bool, typer.Option("--forget-draft", help="Drop a root that not all have signed.")
]


@app.command("init")
def init(  # noqa: PLR0917  # one argument for each option
    directory: Annotated[Path, typer.Option("--dir", help="A new directory for keys and file.")],
    as_json: frame.Json = False,
    root_keys: Annotated[int, typer.Option(min=1, max=16, help="How many root keys.")] = 3,
    threshold: Annotated[int, typer.Option(min=1, max=16, help="How many of them sign.")] = 2,
    signers: Annotated[int, typer.Option(min=1, max=16, help="How many signer keys.")] = 2,
    signer_threshold: Annotated[int, typer.Option(min=1, max=16, help="How many sign.")] = 1,
    expires_days: RootDays = ROOT_DAYS,
    catalogue_days: Annotated[
        int, typer.Option(min=1, max=365, help="Life of the catalogue.")
    ] = CATALOGUE_DAYS,
    source: Annotated[
        Path | None,
        typer.Option("--from", help="What `trust export` wrote on the control plane that runs."),
    ] = None,
    passphrase_file: Passphrase = None,
) -> None:
    """Make offline root and signer keys, and the first documents that they sign."""
    shown = frame.open_frame(None, as_json)
    now = datetime.now(UTC)
    file = directory / FILE_NAME
    if file.exists():
        raise errors.Rejected(f"{file}: there is a trust file already; name a new directory")
    if threshold > root_keys or signer_threshold > signers:
        raise typer.BadParameter("a threshold is at most the number of keys")
    standing = None if source is None else trust_files.read(source)
    private: dict[RoleName, list[keys.SigningKey]] = {}
    made: list[trust_files.Made] = []
    for role, count in ((RoleName.ROOT, root_keys), (RoleName.SIGNER, signers)):
        for number in range(1, count + 1):
            path = directory / "keys" / f"{role}-{number}.pem"
            passphrase = trust_files.new_passphrase(path.stem, passphrase_file)
            key, record = trust_files.make_key(path, passphrase)
            private.setdefault(role, []).append(key)
            made.append(record)
    offline: dict[RoleName, tuple[list[keys.VerifyKey], int]] = {
        RoleName.ROOT: ([key.public for key in private[RoleName.ROOT]], threshold),
        RoleName.SIGNER: ([key.public for key in private[RoleName.SIGNER]], signer_threshold),
    }
    expires_at = now + timedelta(days=expires_days)
    if standing is None:
        bundle = _fresh(directory, offline, expires_at)
    else:
        bundle = ceremony.hand_over(standing, offline, expires_at=expires_at)
    bundle = ceremony.list_playbooks(
        bundle,
        {} if standing is not None else trust_words.listed(bundled.playbooks()),
        expires_at=now + timedelta(days=catalogue_days),
    )
    if standing is None:
        bundle = ceremony.add_proving(bundle, bundled.proving())
    for key in (*private[RoleName.ROOT], *private[RoleName.SIGNER]):
        bundle, _ = bundles.sign(bundle, key)
    trust_files.write(file, bundle)
    found = trust_view.document(bundle, now)
    advice = [trust_words.where_to_keep(one) for one in made]
    shown.answer({"file": str(file), "keys": advice, **found})
    for one in advice:
        shown.say(f"{one['name']} {one['id']}  {one['path']}")
        shown.say(f"    {one['keep']}")
    shown.say()
    trust_view.show(shown, found)
    for line in trust_words.next_of_init(file, directory, found, moving=standing is not None):
        shown.say(line)


@app.command("status")
def status(
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="A trust file; else the one here.")
    ] = None,
    data: frame.Data = None,
    as_json: frame.Json = False,
) -> None:
    """Show who signed what, what is missing, and when it expires; status 1 if not complete."""
    shown = frame.open_frame(data, as_json)
    places = Places(shown.data)
    bundle = trust_exchange.read(places.centre) if file is None else trust_files.read(file)
    found = trust_view.document(bundle, datetime.now(UTC))
    if file is None:
        found["evaluation_trust"] = trust_store.evaluation_mark(places.centre).exists()
        found["keys_left_here"] = [
            str(path) for path, _ in trust_exchange.offline_keys(places.offline)
        ]
    shown.answer(found)
    trust_view.show(shown, found)
    if found.get("evaluation_trust"):
        shown.say("evaluation trust: the keys of this root are on this machine")
    elif found.get("keys_left_here"):
        shown.say(f"old keys are left here: {', '.join(found['keys_left_here'])}")
    raise typer.Exit(0 if found["complete"] else 1)


@app.command("rotate")
def rotate(  # noqa: PLR0917  # one argument for each option
    file: File,
    as_json: frame.Json = False,
    add: Annotated[
        list[str] | None,
        typer.Option("--add", metavar="ROLE=PUBLIC", help="Add a public key (text or file)."),
    ] = None,
    new: Annotated[
        list[str] | None,
        typer.Option("--new", metavar="ROLE=PATH", help="Make a key there, and add it."),
    ] = None,
    remove: Annotated[
        list[str] | None,
        typer.Option("--remove", metavar="ROLE=KEYID", help="Take a key out of a role."),
    ] = None,
    threshold: Annotated[
        list[str] | None,
        typer.Option("--threshold", metavar="ROLE=N", help="How many of a role have to sign."),
    ] = None,
    limit: Annotated[
        list[str] | None,
        typer.Option(
            "--limit",
            metavar="KEYID=ENVIRONMENTS:PREFIXES",
            help="Let a signer sign only there and for these names; * is any, *:* lifts it.",
        ),
    ] = None,
    add_passkey: Annotated[
        list[str] | None,
        typer.Option(
            "--add-passkey",
            metavar="FILE",
            help="Add an approver's passkey: the line of their account page, as text or file.",
        ),
    ] = None,
    add_ssh_key: Annotated[
        list[str] | None,
        typer.Option(
            "--add-ssh-key",
            metavar="NAME=FILE",
            help="Add an approver's OpenSSH key: the name of their account and their .pub file.",
        ),
    ] = None,
    person: Annotated[
        list[str] | None,
        typer.Option(
            "--person",
            metavar="KEYID=NAME",
            help="Say whose an approver's key is: it approves in that name, and they count once.",
        ),
    ] = None,
    server_pin: Annotated[
        list[str] | None,
        typer.Option(
            "--server-pin",
            metavar="SHA256",
            help="Let hosts know the control plane by this key and the others named so, no more.",
        ),
    ] = None,
    log_end: Annotated[
        list[str] | None,
        typer.Option(
            "--log-end",
            metavar="KEYID=SIZE",
            help="Let a key of the log sign up to this many entries; another one goes on.",
        ),
    ] = None,
    expires_days: RootDays = ROOT_DAYS,
    catalogue_days: CatalogueDays = None,
    listing: Annotated[
        list[Path] | None,
        typer.Option("--list", metavar="PLAYBOOK", help="List a playbook file in the catalogue."),
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(
            metavar="DIRECTORY[@REVISION]",
            help="List every playbook.yaml of a directory, or of a git repository as committed.",
        ),
    ] = None,
    passphrase_file: Passphrase = None,
    forget_draft: Forget = False,
) -> None:
    """Draft the next root: new keys, thresholds, limits or expiry; or the next catalogue."""
    shown = frame.open_frame(None, as_json)
    now = datetime.now(UTC)
    bundle = trust_files.read(file)
    asked = trust_words.Asked(add or [], new or [], remove or [], threshold or [], limit or [],
                              add_passkey or [], server_pin or [], log_end or [],
                              add_ssh_key or [], person or [])  # fmt: skip
    change = trust_words.change(asked, now + timedelta(days=expires_days), passphrase_file)
    added = {str(one): trust_words.signable(one) for one in listing or []}
    kept = None if source is None else playbook_source.read(source)
    if kept is not None:
        added |= kept.playbooks
    relists = bool(catalogue_days is not None or added)
    if not relists or asked.any:
        bundle = ceremony.rotate(bundle, change, forget_draft=forget_draft)
    if relists:
        bundle = ceremony.list_playbooks(
            bundle,
            trust_words.listed(added),
            expires_at=now + timedelta(days=catalogue_days or CATALOGUE_DAYS),
        )
        bundle = ceremony.add_proving(bundle, bundled.proving())
    if kept is None:
        _drafted(shown, file, bundle, now)
        return
    missing = trust_words.not_in(bundle, kept.playbooks)
    found = {"name": kept.name, "commit": kept.commit, "playbooks": len(kept.playbooks)}
    _drafted(shown, file, bundle, now, source={**found, "listed_and_not_there": missing})
    shown.say(f"playbooks of {kept.name}: {len(kept.playbooks)}")
    for one in missing:
        shown.say(f"listed, and not there: {one}; `sentienguard trust revoke` takes it back")


@app.command("online-key")
def online_key(
    role: Annotated[
        OnlineRole,
        typer.Argument(
            metavar="ROLE",
            help="dispatch: seals orders; log: signs the audit log; server: the agents' listener.",
        ),
    ],
    data: frame.Data = None,
    as_json: frame.Json = False,
) -> None:
    """Make the next online key on the control plane, for the root keys to name; it signs nothing.

    It takes the place of the old one with the import of the first root that names it alone.
    """
    shown = frame.open_frame(data, as_json)
    places = Places(shown.data)
    standing = trust_exchange.standing_root(places.centre)
    if standing is None:
        raise errors.Unavailable(
            f"{places.centre}: no control plane has been set up here; run `sentienguard up`, or "
            "name another directory with --data"
        )
    if role is OnlineRole.SERVER:
        _next_server_key(shown, places, standing)
        return
    if role is OnlineRole.LOG:
        _next_log_key(shown, places, standing)
        return
    made = trust_exchange.make_next_dispatch_key(places.centre)
    old = ", ".join(standing.roles[RoleName.DISPATCH].keyids)
    shown.answer({"role": role.value, "key_id": made.id, "public": made.text, "named": old})
    shown.say(
        f"key {made.id} waits in {places.centre / trust_exchange.NEXT_DISPATCH}; named: {old}"
    )
    shown.say("next, on a trust file that `sentienguard trust export` wrote:")
    shown.say(f"  sentienguard trust rotate trust.json --add {role.value}={made.text}")


def _next_server_key(shown: frame.Frame, places: Places, standing: roots.Root) -> None:
    now, following = trust_exchange.make_next_server_key(places.centre)
    shown.answer({"role": "server", "pin": following, "present": now,
                  "named": list(standing.server_pins)})  # fmt: skip
    shown.say(f"a key with pin {following} waits in {places.centre / trust_exchange.NEXT_SERVER}")
    shown.say("next, on a trust file that `sentienguard trust export` wrote:")
    shown.say(f"  sentienguard trust rotate trust.json --server-pin {now} --server-pin {following}")


def _next_log_key(shown: frame.Frame, places: Places, standing: roots.Root) -> None:
    made = trust_exchange.make_next_log_key(places.centre)
    old = next(one.key.id for one in standing.log_keys if one.until is None)
    size = trust_exchange.checkpointed_size(places.centre)
    shown.answer({"role": "log", "key_id": made.id, "public": made.text, "present": old,
                  "size": size})  # fmt: skip
    shown.say(f"key {made.id} waits in {places.centre / trust_store.NEXT_LOG_KEY}")
    shown.say(
        "the old key ends at a size that the log reaches when all hosts have the next root"
        + (f"; it is {size:,} now" if size is not None else "")
    )
    shown.say("next, on a trust file that `sentienguard trust export` wrote:")
    shown.say(f"  sentienguard trust rotate trust.json --add log={made.text} --log-end {old}=SIZE")


@app.command("log-keys")
def log_keys(
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="A trust file; else the one here.")
    ] = None,
    data: frame.Data = None,
    as_json: frame.Json = False,
) -> None:
    """Print the keys of the log by the newest root, a line each, as verifiers take them."""
    shown = frame.open_frame(data, as_json)
    here = Places(shown.data).centre
    bundle = trust_exchange.read(here) if file is None else trust_files.read(file)
    last = bundles.verify(bundle, now=datetime.now(UTC)).root
    lines = checkpoint.write_log_keys(last.log_origin, last.log_keys).split("\n")
    shown.answer({"log_keys": lines, "root_version": last.version})
    for line in lines:
        shown.say(line)


@app.command("revoke")
def revoke(  # noqa: PLR0917  # one argument for each option
    file: File,
    as_json: frame.Json = False,
    playbook: Annotated[
        str | None,
        typer.Option("--playbook", metavar="NAME[@VERSION]", help="Never to run again."),
    ] = None,
    signer: Annotated[
        str | None, typer.Option("--signer", metavar="KEYID", help="Whose key counts no more.")
    ] = None,
    expires_days: RootDays = ROOT_DAYS,
    catalogue_days: CatalogueDays = None,
    forget_draft: Forget = False,
) -> None:
    """Draft what takes a playbook or a signer back; hosts refuse it once they have it."""
    if (playbook is None) == (signer is None):
        raise typer.BadParameter("name a --playbook or a --signer")
    shown = frame.open_frame(None, as_json)
    now = datetime.now(UTC)
    bundle = trust_files.read(file)
    if signer is not None:
        until = now + timedelta(days=expires_days)
        bundle = ceremony.revoke_signer(bundle, signer, expires_at=until, forget_draft=forget_draft)
    if playbook is not None:
        name, _, version = playbook.partition("@")
        until = now + timedelta(days=catalogue_days or CATALOGUE_DAYS)
        bundle = ceremony.revoke_playbook(bundle, name, version or None, expires_at=until)
    _drafted(shown, file, bundle, now)


@app.command("sign")
def sign(
    file: File,
    key: Annotated[Path, typer.Option("--key", help="The private key's file.")],
    as_json: frame.Json = False,
    passphrase_file: Passphrase = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask whether it is right.")] = False,
) -> None:
    """Sign whatever waits for this key in a trust file, after showing it."""
    shown = frame.open_frame(None, as_json)
    now = datetime.now(UTC)
    bundle = trust_files.read(file)
    for line in trust_view.told(trust_view.document(bundle, now)):
        shown.note(line)
    if not yes and not typer.confirm("sign this?", err=True):
        raise errors.Rejected(f"{file}: nothing was signed; the file is as it was")
    opened = trust_files.open_key(key, passphrase_file)
    bundle, done = bundles.sign(bundle, opened)
    trust_files.write(file, bundle)
    found = trust_view.document(bundle, now)
    shown.answer({"key": opened.id, "signed": list(done), **found})
    shown.say(f"{opened.id} signed {', '.join(done)}")
    shown.say("complete" if found["complete"] else f"not complete: {found['problem']}")


@app.command("export")
def export(
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="Where to write it.")],
    of: Annotated[
        Path | None, typer.Option("--of", metavar="FILE", help="A trust file; else what is here.")
    ] = None,
    data: frame.Data = None,
    as_json: frame.Json = False,
) -> None:
    """Write the signed documents to a file, never a private key; refuses what is not complete."""
    shown = frame.open_frame(data, as_json)
    now = datetime.now(UTC)
    here = Places(shown.data).centre
    bundle = trust_exchange.read(here) if of is None else trust_files.read(of)
    # What stands on a control plane may have expired: then its signers need it all the more.
    judged_at = now if of is not None else datetime.min.replace(tzinfo=UTC)
    verified = bundles.verify(bundle, now=judged_at)
    trust_files.write(out, bundle)
    first = roots.digest_of(bundle.roots[0])
    shown.answer({
        "file": str(out), "root": verified.root.version, "first_root_digest": first,
        "catalogue": verified.catalogue.version, "playbooks": len(bundle.playbooks),
    })  # fmt: skip
    shown.say(
        f"{out}: root {verified.root.version}, catalogue {verified.catalogue.version}, "
        f"{len(bundle.playbooks)} playbooks; the first root has digest {first}"
    )


@app.command("import")
def import_(
    file: File,
    data: frame.Data = None,
    as_json: frame.Json = False,
    root_digest: Annotated[
        str | None,
        typer.Option(help="Digest of the first root, for a control plane that has none yet."),
    ] = None,
    destroy_old_keys: Annotated[
        bool,
        typer.Option("--destroy-old-keys", help="Remove offline keys that no root names any more."),
    ] = False,
) -> None:
    """Take signed documents over into this control plane; they count from its next start."""
    shown = frame.open_frame(data, as_json)
    places = Places(shown.data)
    places.make()
    pinned = None if root_digest is None else ids.Digest(root_digest)
    verified = trust_exchange.take_over(
        places.centre, trust_files.read(file), now=datetime.now(UTC), pinned=pinned
    )
    counting = trust_exchange.still_counts(verified.root, places.offline)
    if not counting:
        trust_store.evaluation_mark(places.centre).unlink(missing_ok=True)
    left = [path for path, _ in trust_exchange.offline_keys(places.offline) if path not in counting]
    if destroy_old_keys:
        trust_words.destroy(left)
        left = []
    shown.answer({
        "root": verified.root.version, "root_digest": verified.root.digest,
        "catalogue": verified.catalogue.version, "evaluation_trust": bool(counting),
        "old_keys": [str(path) for path in left],
    })  # fmt: skip
    shown.say(f"root {verified.root.version}, catalogue {verified.catalogue.version} taken over")
    for path in counting:
        shown.say(f"still evaluation trust: the root names {path}, which lies here unsealed")
    if left:
        shown.say(
            f"hosts that have not followed yet still obey {', '.join(map(str, left))}; once they "
            "have, import again with --destroy-old-keys"
        )
    shown.say("restart the control plane: sentienguard down, then sentienguard up")


def _drafted(
    shown: frame.Frame, file: Path, bundle: bundles.Bundle, now: datetime, **more: object
) -> None:
    trust_files.write(file, bundle)
    found = trust_view.document(bundle, now)
    shown.answer({"file": str(file), **found, **more})
    trust_view.show(shown, found)
    shown.say(f"next: each signs with `sentienguard trust sign {file} --key KEY`")


def _fresh(directory: Path, offline: ceremony.Roles, expires_at: datetime) -> bundles.Bundle:
    """Begin without a control plane: its online keys are made here and carried to it once."""
    dispatch, log = (
        trust_files.make_online_key(directory / "online" / f"{name}.pem")
        for name in ("dispatch", "log")
    )
    online: ceremony.Roles = {
        RoleName.DISPATCH: ([dispatch.public], 1),
        RoleName.LOG: ([log.public], 1),
        RoleName.APPROVER: ([], 1),
    }
    origin = f"sentienguard.local/{log.public.id}"
    return ceremony.begin({**offline, **online}, expires_at=expires_at, log_origin=origin)
