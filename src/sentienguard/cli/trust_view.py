"""What a trust file says, for people and as JSON.

Called by trust_commands. Who signs has to see what it is that is signed: the text is made of the
documents themselves, on the machine where the key is.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from sentienguard.cli import frame
from sentienguard.trust import bundle as bundles
from sentienguard.trust import catalogue, dsse
from sentienguard.trust import root as roots

SOON_DAYS = 30


def document(bundle: bundles.Bundle, now: datetime) -> dict[str, Any]:
    """Return everything as data."""
    last = bundle.last
    listed = None if bundle.catalogue is None else catalogue.claimed(bundle.catalogue)
    problem = _problem(bundle, now)
    return {
        "complete": problem is None,
        "problem": problem,
        "root": {
            "version": last.version,
            "digest": last.digest,
            "first_digest": roots.digest_of(bundle.roots[0]),
            "chain": [roots.claimed(one).version for one in bundle.roots],
            "expires_at": last.expires_at.isoformat(),
            "expires_in_days": _days(last.expires_at, now),
            "log_origin": last.log_origin,
            "roles": {
                role.value: {"keys": list(one.keyids), "threshold": one.threshold}
                for role, one in last.roles.items()
            },
            "delegations": {
                keyid: {"environments": one.environments, "prefixes": one.prefixes}
                for keyid, one in last.delegations.items()
            },
            "passkeys": {
                keyid: {"party": one.party.id, "origin": one.party.origin}
                for keyid, one in last.passkeys.items()
            },
            "ssh_keys": {
                keyid: {"kind": one.key.kind, "fingerprint": one.key.fingerprint,
                        "verify_required": one.verify_required}
                for keyid, one in last.ssh_keys.items()
            },
            "people": dict(last.people),
            "server_pins": list(last.server_pins),
            "log_ends": dict(last.log_ends),
        },
        "catalogue": listed
        and {
            "version": listed.version,
            "expires_at": listed.expires_at.isoformat(),
            "expires_in_days": _days(listed.expires_at, now),
            "playbooks": [
                {"name": one.name, "version": one.version, "digest": one.digest,
                 "revoked": one.revoked}
                for one in listed.playbooks
            ],
        },
        "proving": len(bundle.proving),
        "signatures": [
            {"document": one.document, "by": one.group, "threshold": one.threshold,
             "signed": list(one.signed), "absent": list(one.absent), "missing": one.missing}
            for one in bundles.missing(bundle)
        ],
    }  # fmt: skip


def told(found: dict[str, Any]) -> Iterator[str]:
    """Yield lines for people, of what `document` returned."""
    root = found["root"]
    yield f"root {root['version']}, valid {_said(root['expires_in_days'])}"
    yield f"  digest {root['digest']}"
    for role, one in root["roles"].items():
        if one["keys"]:
            yield f"  {role}: {one['threshold']} of {len(one['keys'])}: {', '.join(one['keys'])}"
    yield from _approvers(root)
    for pin in root["server_pins"]:
        yield f"  hosts know the control plane by key {pin}"
    for keyid, until in root["log_ends"].items():
        yield f"  {keyid} signs the log up to size {until:,} and no more"
    for keyid, limit in root["delegations"].items():
        yield f"  {keyid} signs only for {_reach(limit)}"
    listed = found["catalogue"]
    if listed is None:
        yield "no catalogue"
    else:
        may = [one for one in listed["playbooks"] if not one["revoked"]]
        yield f"catalogue {listed['version']}, valid {_said(listed['expires_in_days'])}"
        yield "  may run: " + (", ".join(f"{one['name']} {one['version']}" for one in may) or "-")
        gone = [one for one in listed["playbooks"] if one["revoked"]]
        if gone:
            yield "  revoked: " + ", ".join(f"{one['name']} {one['version']}" for one in gone)
    yield f"{found['proving']} proving records"


def _approvers(root: dict[str, Any]) -> Iterator[str]:
    for keyid, one in root["passkeys"].items():
        yield f"  {keyid} is a passkey that approves at {one['origin']}"
    for keyid, one in root["ssh_keys"].items():
        more = ", which asks who is there" if one["verify_required"] else ""
        yield f"  {keyid} approves: {one['kind']} {one['fingerprint']}{more}"
    for keyid, name in root["people"].items():
        yield f"  {keyid} approves in the name of {name} alone"


def waiting(found: dict[str, Any]) -> list[tuple[str, str, str, str, str]]:
    """Return a table of who signed the newest documents: proving records only where some miss."""
    newest = f"root {found['root']['version']}"
    return [
        (
            one["document"],
            one["by"],
            f"{len(one['signed'])} of {one['threshold']}",
            ", ".join(one["signed"]) or "-",
            ", ".join(one["absent"]) if one["missing"] else "-",
        )
        for one in found["signatures"]
        if one["document"] == newest
        or one["document"].startswith("catalogue")
        or (one["missing"] and one["document"].startswith("proving"))
    ]


def headings() -> tuple[str, ...]:
    """Return the headings of `waiting`."""
    return ("document!", "by", "signatures", "signed by", "may still sign")


def _problem(bundle: bundles.Bundle, now: datetime) -> str | None:
    try:
        bundles.verify(bundle, now=now)
    except dsse.NotTrusted as error:
        return str(error)
    return None


def _days(until: datetime, now: datetime) -> int:
    return (until - now).days


def _said(days: int) -> str:
    if days < 0:
        return "no more: EXPIRED"
    return f"for {days} days" + (" only" if days < SOON_DAYS else "")


def _reach(limit: dict[str, Any]) -> str:
    parts = []
    if limit["environments"]:
        parts.append(f"environments {', '.join(limit['environments'])}")
    if limit["prefixes"]:
        parts.append("playbooks " + ", ".join(f"{one}*" for one in limit["prefixes"]))
    return " and ".join(parts)


def show(shown: frame.Frame, found: dict[str, Any]) -> None:
    """Print everything for people."""
    for line in told(found):
        shown.say(line)
    shown.say()
    if not shown.as_json:
        shown.out.print(frame.table(*headings(), rows=waiting(found), empty=""))
    shown.say()
    shown.say("complete" if found["complete"] else f"not complete: {found['problem']}")
