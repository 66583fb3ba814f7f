"""`recover-control-plane`: take a control plane back from whoever had its machine.

Assumes the worst: every online key, every session and every token is known to the intruder. What
the intruder never had is what recovery stands on: the root keys, the hosts' own keys, and what
hosts and people kept of the log. `begin` works on the files of a control plane that is stopped;
people sign what it drafts; `finish` asks the one that was started again.
"""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from sentienguard.adapters.audit_files import reader
from sentienguard.adapters.local_host.clock import LocalClock
from sentienguard.cli import client, frame, given_files, trust_files
from sentienguard.cli.installation import centre
from sentienguard.cli.installation.places import Places
from sentienguard.controlplane import app_keys, trust_exchange, trust_store
from sentienguard.model import errors
from sentienguard.stages.audit import verify
from sentienguard.trust import ceremony
from sentienguard.trust import root as roots
from sentienguard.trust.root import RoleName

app = typer.Typer(no_args_is_help=True, help="Take a control plane back after a break-in.")
ROOT_DAYS = 365


@app.command("begin")
def begin(
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The trust file to draft.")],
    data: frame.Data = None,
    as_json: frame.Json = False,
    good_size: Annotated[
        int | None,
        typer.Option(
            "--good-size",
            min=1,
            help="Entries up to which the log's old key is believed; else all that are there.",
            show_default=False,
        ),
    ] = None,
    against: Annotated[
        list[Path] | None,
        typer.Option("--against", help="A checkpoint that you or a host kept; give all you have."),
    ] = None,
) -> None:
    """Verify the log, make new online keys, and draft the root that ends the old ones.

    The control plane has to be stopped. Nothing counts before the root keys have signed.
    """
    shown = frame.open_frame(data, as_json)
    places = Places(shown.data)
    process = centre.process_file(places)
    if process is not None and process.alive:
        raise errors.Rejected(
            "the control plane is running, maybe with what the intruder left in it: stop it with "
            "`sentienguard down`, put the program back from a source that you trust, then again"
        )
    standing = trust_exchange.standing_root(places.centre)
    if standing is None:
        raise errors.Unavailable(
            f"{places.centre}: no control plane has been set up here; name its directory with "
            "--data, or begin one with `sentienguard up`"
        )
    report = _verified(places, standing, against or [])
    end = min(good_size or report.size, report.size)
    bundle = trust_exchange.read(places.centre)
    change = _change(places, standing, end)
    drafted = ceremony.rotate(bundle, change, forget_draft=True)
    trust_files.write(out, drafted)
    known = [str(path) for path, _ in trust_exchange.offline_keys(places.offline)]
    shown.answer({
        "file": str(out), "entries": report.size, "log_key_ends_at": end,
        "root_version": drafted.last.version, "offline_keys_here": known,
    })  # fmt: skip
    shown.say(f"the log is sound: {report.size:,} entries; its old key ends at {end:,}")
    shown.say(f"root {drafted.last.version} is drafted in {out}: new dispatch and log keys")
    for path in known:
        shown.say(f"  {path} lay on this machine: the intruder may have it; replace it first")
    shown.say("next:")
    shown.say(f"  sentienguard trust sign {out} --key KEY      # the holders of the root keys")
    shown.say(f"  sentienguard trust import {out}")
    shown.say("  sentienguard up")
    shown.say("  sentienguard recover-control-plane finish")


@app.command("finish")
def finish(data: frame.Data = None, as_json: frame.Json = False) -> None:
    """End every login and token, seal secrets anew, verify the log, and say what is left."""
    shown = frame.open_frame(data, as_json)
    began = time.monotonic()
    standing = trust_exchange.standing_root(Places(shown.data).centre)
    version = 0 if standing is None else standing.version
    found: dict[str, Any] = {"data_keys": app_keys.rotate(shown.data, LocalClock())}
    with shown.working("ending what the intruder may hold"), client.connect(shown.data) as asked:
        found["tokens_revoked"] = _revoked(asked)
        found["log"] = asked.post("/audit/verify")
        hosts = asked.get("/hosts")["items"]
        found["hosts"] = [one["host"] for one in hosts if one["root_version"] == version]
        found["hosts_behind"] = [one["host"] for one in hosts if one["root_version"] != version]
        found["logins_ended"] = _signed_out(asked, shown.data)
    found["seconds"] = round(time.monotonic() - began, 1)
    shown.answer(found)
    shown.say(found["data_keys"])
    shown.say(f"{len(found['tokens_revoked'])} tokens revoked: make new ones for what sends here")
    shown.say(f"{found['logins_ended']} logins ended, yours among them: let everybody choose a new")
    shown.say("  password, for the intruder may have read those that were typed")
    verdict = "is sound" if found["log"]["passed"] else "is NOT sound"
    shown.say(f"the log {verdict}: {found['log']['entries']:,} entries")
    shown.say(f"{len(found['hosts'])} hosts go by the new root")
    for host in found["hosts_behind"]:
        shown.say(f"  {host} does not yet: it refuses new orders until it has been here")
    if not found["log"]["passed"]:
        raise typer.Exit(1)


def _verified(places: Places, standing: roots.Root, against: list[Path]) -> verify.Report:
    directory = places.centre / "audit"
    if not (directory / "log.vkey").exists():
        raise errors.Rejected(
            "the log lies in the database: write it out with `python -m sentienguard.controlplane "
            f"--data {places.data} --export-audit DIR`, verify that, and draft the root with "
            "`sentienguard trust rotate`"
        )
    given_files.require_log(directory)
    trust = verify.Trust(
        origin=standing.log_origin,
        log_keys=standing.log_keys,
        older=tuple(one.read_text(encoding="utf-8") for one in against),
    )
    report = verify.verify(reader.read_stored(directory), trust, deep=True, live=True)
    if not report.passed:
        wrong = next(one for one in report.checks if not one.passed)
        raise errors.Rejected(
            f"the log is not sound: {wrong.name}: {wrong.detail}. Keep this directory as evidence, "
            "put back a copy or an anchored export that verifies, then again"
        )
    return report


def _change(places: Places, standing: roots.Root, end: int) -> ceremony.Change:
    for name in (
        trust_exchange.NEXT_DISPATCH,
        trust_store.NEXT_LOG_KEY,
        trust_exchange.NEXT_SERVER,
    ):
        (places.centre / name).unlink(missing_ok=True)  # one that waited is the intruder's too
    dispatch = trust_exchange.make_next_dispatch_key(places.centre)
    following = trust_exchange.make_next_log_key(places.centre)
    present, waiting = trust_exchange.make_next_server_key(places.centre)
    ending = {one.key.id: end for one in standing.log_keys if one.until is None}
    return ceremony.Change(
        expires_at=datetime.now(UTC) + timedelta(days=ROOT_DAYS),
        add=((RoleName.DISPATCH, dispatch), (RoleName.LOG, following)),
        remove=tuple(
            (RoleName.DISPATCH, keyid) for keyid in standing.roles[RoleName.DISPATCH].keyids
            if keyid != dispatch.id
        ),
        log_ends={keyid: until for keyid, until in ending.items() if keyid != following.id},
        server_pins=(present, waiting),
    )  # fmt: skip


def _revoked(asked: client.Client) -> list[str]:
    standing = [
        f"{path}/{one['id']}"
        for path in ("/webhook-tokens", "/read-tokens")
        for one in asked.get(path)["items"]
        if one["revoked_at"] is None
    ]
    return [asked.delete(path)["id"] for path in standing]


def _signed_out(asked: client.Client, data: Path) -> int:
    """End all logins, our own last: it is one of them."""
    session = client.read_session(data)
    mine = "" if session is None else session.name
    names = sorted(
        (one["name"] for one in asked.get("/users")["items"]), key=lambda name: name == mine
    )
    return sum(int(asked.delete(f"/users/{one}/logins")["ended"]) for one in names)
