"""The command line of the agent: `sentienguard-agent enroll | install | run | status | verify ...`.

Called by people, by systemd and by `sentienguard up`. Every command but `run` has `--json`. Exit
status: 0 done, 1 failed, 2 wrong usage, 3 refused by design.
"""

import argparse
import json
import os
import pwd
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from sentienguard.agent import (
    enroll,
    executor_link,
    inspection,
    installing,
    lean,
    release,
    settings,
)
from sentienguard.model import errors, ids

DIRECTORY = Path("/var/lib/sentienguard-agent")
REFUSED = 3
_LONGEST_COMMAND = 1000  # characters of a refused command that are audited
_NOT_FOR_ALL = (
    "only root and the agent's own users reach the executor, so that nobody else can fill its log;"
    " as root the attempt is recorded"
)


def main(argv: Sequence[str] | None = None, *, one_file: release.OneFile | None = None) -> int:
    """Do what the arguments say and return the exit status; `one_file` is where it was started."""
    wanted = _parser().parse_args(argv)
    wanted.one_file = one_file
    run: Callable[[argparse.Namespace], int] = wanted.run
    try:
        return run(wanted)
    except (errors.SentienGuardError, OSError) as error:
        sys.stderr.write(f"sentienguard-agent: {error}\n")
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="sentienguard-agent",
        description="The process on a host: reports, and runs what an approved playbook permits.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for add in (
        _add_enroll,
        _add_install,
        _add_uninstall,
        _add_run,
        _add_status,
        _add_verify,
        _add_execute,
    ):
        add(commands)
    return parser


def _command(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    what: str,
    run: Callable[[argparse.Namespace], int],
    *,
    has_json: bool = True,
) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=what, description=what)
    parser.set_defaults(run=run)
    parser.add_argument(
        "--dir", type=Path, default=DIRECTORY, help=f"the agent's directory ({DIRECTORY})"
    )
    if has_json:
        parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser


def _add_enroll(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = _command(commands, "enroll", "Give this host its identity and its keys.", _enroll)
    parser.add_argument("--server", required=True, help="https://host:port of the control plane")
    token = parser.add_mutually_exclusive_group(required=True)
    token.add_argument("--token", help="one-time join token (others on this host can see it)")
    token.add_argument("--token-file", type=Path, help="file that holds the token; - reads it")
    parser.add_argument(
        "--pin", action="append", required=True, help="SHA-256 of the server's public key, hex"
    )
    parser.add_argument("--root-digest", required=True, help="sha256:<hex> of the root document")
    parser.add_argument("--host", default=os.uname().nodename, help="how people call this host")
    parser.add_argument("--environment", required=True, help="for example production")
    parser.add_argument("--tag", action="append", default=[], metavar="NAME=TEXT")
    parser.add_argument("--interval", type=float, default=30.0, help="seconds between samples (30)")
    parser.add_argument("--volume", action="append", default=[], metavar="PATH[=BYTES]")
    parser.add_argument("--log-file", action="append", default=[], metavar="PATH")
    parser.add_argument("--replace", action="store_true", help="give up an identity that is there")


def _enroll(wanted: argparse.Namespace) -> int:
    wish = enroll.Wish(
        directory=wanted.dir,
        server=wanted.server,
        token=wanted.token if wanted.token_file is None else _token(wanted.token_file),
        pins=tuple(pin.lower() for pin in wanted.pin),
        root_digest=ids.Digest(wanted.root_digest),
        host=wanted.host,
        environment=wanted.environment,
        tags=dict(_pair(tag) for tag in wanted.tag),
        interval_s=wanted.interval,
        volumes=tuple(_volume(text) for text in wanted.volume),
        log_files=tuple(wanted.log_file),
        replace=wanted.replace,
    )
    enrolled = enroll.enrol(wish, now=datetime.now(UTC))
    record = {"agent_id": enrolled.agent_id, "directory": str(wanted.dir)}
    _print(json.dumps(record) if wanted.json else enrolled.agent_id)
    return 0


def _token(file: Path) -> str:
    return (sys.stdin.read() if str(file) == "-" else file.read_text()).strip()


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise settings.SettingsInvalid(f"--tag {text}: expected NAME=TEXT")
    return name, value


def _volume(text: str) -> settings.Volume:
    path, equals, size = text.partition("=")
    if equals and not size.isdecimal():
        raise settings.SettingsInvalid(f"--volume {text}: expected PATH or PATH=BYTES")
    return settings.Volume(path, int(size) if equals else None)


def _add_install(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    what = "Make both processes services of this host, each with a user of its own."
    parser = _command(commands, "install", what, _install)
    parser.add_argument("--dry-run", action="store_true", help="say what would be done")
    parser.add_argument(
        "--replace-units", action="store_true", help="replace units that were changed by hand"
    )


def _install(wanted: argparse.Namespace) -> int:
    done = installing.install(
        wanted.dir, wanted.one_file, replace_units=wanted.replace_units, dry_run=wanted.dry_run
    )
    return _told(done, wanted)


def _add_uninstall(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    what = "Stop both services and take their units away; data, keys and the user stay."
    parser = _command(commands, "uninstall", what, _uninstall)
    parser.add_argument("--dry-run", action="store_true", help="say what would be done")


def _uninstall(wanted: argparse.Namespace) -> int:
    return _told(installing.uninstall(wanted.dir, dry_run=wanted.dry_run), wanted)


def _told(done: installing.Done, wanted: argparse.Namespace) -> int:
    if wanted.json:
        record = {
            "directory": str(done.directory),
            "dry_run": wanted.dry_run,
            "changed": done.changed,
            "processes": done.processes,
            "next": done.next,
        }
        _print(json.dumps(record))
        return 0
    for what in done.changed or ["nothing: all is as it has to be"]:
        _print(f"{'would' if wanted.dry_run else 'did  '}  {what}")
    for name, pid in done.processes.items():
        _print(f"runs   {name}, process {pid}")
    for what in done.next:
        _print(f"next   {what}")
    return 0


def _add_run(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    what = "Run both processes, or the one that is named."
    parser = _command(commands, "run", what, _run, has_json=False)
    parser.add_argument("role", nargs="?", choices=lean.ROLES)


def _run(wanted: argparse.Namespace) -> int:
    directory = wanted.dir.absolute()
    settings.read(directory)  # says now, and to a person, what is wrong with it
    lean.become(wanted.role or "supervisor", directory)
    return 1


def _add_status(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    _command(commands, "status", "Show how this agent is doing.", _status)


def _status(wanted: argparse.Namespace) -> int:
    found = inspection.status(wanted.dir)
    if wanted.json:
        _print(json.dumps(found))
        return 0
    executor, waiting = found["executor"], found["spool"]
    _print(f"agent     {found['agent_id']}  {found['host']}  {found['environment']}")
    _print(f"server    {found['server']}")
    if executor["running"]:
        frozen = "  frozen" if executor.get("frozen") or found["frozen"] else ""
        _print(f"executor  running, {executor.get('busy') or 'idle'}{frozen}")
    else:
        _print(f"executor  {executor['reason']}")
    last = waiting["last_acknowledged"]
    newest = f"sample {last['seq']}, {last['seconds_ago']} s ago" if last else "none yet"
    _print(f"spool     {waiting['waiting']} waiting, {waiting['refused']} refused")
    _print(f"centre    last acknowledged: {newest}")
    return 0


def _add_verify(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    what = "Check this agent's files, keys and signatures."
    parser = _command(commands, "verify", what, _verify)
    parser.add_argument(
        "--release-signers", type=Path, metavar="FILE",
        help=f"who signs the agent as one file: public key, or allowed signers ({release.SIGNERS})",
    )  # fmt: skip
    parser.add_argument(
        "--release-signature", type=Path, metavar="FILE", help="the file's signature (FILE.sig)"
    )
    parser.add_argument(
        "--release-revoked", type=Path, metavar="FILE",
        help=f"public keys that sign no releases any more ({release.REVOKED})",
    )  # fmt: skip
    parser.add_argument(
        "--release", type=Path, metavar="MANIFEST",
        help="what runs, and what lies beside this manifest, is of the release that it names",
    )  # fmt: skip
    parser.add_argument(
        "--at-least", metavar="VERSION", help="with --release: an older release is wrong"
    )


def _verify(wanted: argparse.Namespace) -> int:
    if wanted.at_least is not None and wanted.release is None:
        raise errors.Rejected("--at-least says how old a release may be: name one with --release")
    now = datetime.now(UTC)
    asked = release.Wanted(
        now=now,
        signers=wanted.release_signers,
        revoked=wanted.release_revoked,
        signature=wanted.release_signature,
        manifest=wanted.release,
        least=wanted.at_least,
    )
    findings = [*release.verify(wanted.one_file, asked), *inspection.verify(wanted.dir, now=now)]
    good = all(finding.good for finding in findings)
    if wanted.json:
        listed = [
            {"what": finding.what, "good": finding.good, "reason": finding.reason}
            for finding in findings
        ]
        _print(json.dumps({"good": good, "findings": listed}))
    for finding in findings if not wanted.json else ():
        reason = f": {finding.reason}" if finding.reason else ""
        _print(f"{'ok   ' if finding.good else 'WRONG'} {finding.what}{reason}")
    return 0 if good else 1


def _add_execute(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    what = "Refuse a command: only what an approved playbook holds is ever executed."
    parser = _command(commands, "execute", what, _execute)
    parser.add_argument("words", nargs=argparse.REMAINDER, metavar="COMMAND")


def _execute(wanted: argparse.Namespace) -> int:
    command = " ".join(wanted.words)[:_LONGEST_COMMAND]
    link = executor_link.ExecutorLink(settings.Places(wanted.dir).socket)
    try:
        recorded = bool(link.ask("attempt", command=command, user=_user()).get("recorded"))
        why = "" if recorded else "the executor did not record it"
    except errors.Unavailable as error:
        kept_out = isinstance(error.__cause__, PermissionError)
        recorded, why = False, _NOT_FOR_ALL if kept_out else str(error)
    finally:
        link.close()
    if wanted.json:
        record = {"executed": False, "command": command, "recorded": recorded, "reason": why}
        _print(json.dumps(record))
        return REFUSED
    sys.stderr.write(f"refused: {command!r} is in no approved playbook; execution is blocked\n")
    said = "the attempt was recorded" if recorded else f"the attempt could not be recorded: {why}"
    sys.stderr.write(f"{said}\n")
    return REFUSED


def _user() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def _print(text: str) -> None:
    sys.stdout.write(f"{text}\n")


if __name__ == "__main__":
    sys.exit(main())
