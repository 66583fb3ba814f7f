"""Who approves, as a root lists them besides key files: passkeys, OpenSSH keys, and whose they are.

Called by trust.root, whose rules 8 and 11 stand here. Each member is left out where nothing is to
be said, so that roots of before have the bytes that they always had, and a reader that does not
know a member refuses the document.
"""

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, Final

from sentienguard.trust import dsse, fields

if TYPE_CHECKING:
    from sentienguard.trust.passkeys import ApproverKey
    from sentienguard.trust.ssh_approvals import ApproverSshKey

PASSKEYS: Final = "passkeys"
SSH_KEYS: Final = "ssh_keys"
PEOPLE: Final = "people"
MEMBERS: Final = frozenset({PASSKEYS, SSH_KEYS, PEOPLE})
_LONGEST: Final = 200  # characters of an account's name


def record(
    passkeys: "Mapping[str, ApproverKey]",
    ssh_keys: "Mapping[str, ApproverSshKey]",
    people: Mapping[str, str],
) -> dict[str, Any]:
    """Return the members of a root that say all this: those that have something to say."""
    made: dict[str, Any] = {}
    if passkeys:
        from sentienguard.trust import passkeys as answering  # noqa: PLC0415 - see read_passkeys

        made[PASSKEYS] = answering.record(passkeys)
    if ssh_keys:
        from sentienguard.trust import ssh_approvals  # noqa: PLC0415 - see read_passkeys

        made[SSH_KEYS] = ssh_approvals.record(ssh_keys)
    return {**made, PEOPLE: dict(people)} if people else made


def read_passkeys(found: Mapping[str, Any], most: int) -> "dict[str, ApproverKey]":
    """Return the passkeys of a root by key id. Raises dsse.NotTrusted."""
    if PASSKEYS not in found:
        return {}
    from sentienguard.trust import passkeys  # noqa: PLC0415 - costs an executor memory; few need it

    return passkeys.read(found[PASSKEYS], most)


def read_ssh_keys(found: Mapping[str, Any], most: int) -> "dict[str, ApproverSshKey]":
    """Return the OpenSSH keys of a root by key id. Raises dsse.NotTrusted."""
    if SSH_KEYS not in found:
        return {}
    from sentienguard.trust import ssh_approvals  # noqa: PLC0415 - see read_passkeys

    return ssh_approvals.read(found[SSH_KEYS], most)


def require_apart(**listed: Collection[str]) -> None:
    """Refuse a key that is listed as two things (root rule 8). Raises dsse.NotTrusted."""
    seen: dict[str, str] = {}
    for what, keyids in listed.items():
        for keyid in sorted(keyids):
            if keyid in seen:
                raise dsse.NotTrusted(f"rule 8: root lists {keyid} in {seen[keyid]} and in {what}")
            seen[keyid] = what


def read_people(
    found: Mapping[str, Any], keyids: Collection[str], ssh_keys: Collection[str]
) -> dict[str, str]:
    """Return whose each key of the approver role is (root rule 11). Raises dsse.NotTrusted."""
    if PEOPLE not in found:
        if ssh_keys:
            raise _unnamed(keyids)
        return {}
    named = found[PEOPLE]
    if not isinstance(named, dict) or not named:
        raise dsse.NotTrusted(f"rule 11: {PEOPLE} is not an object with members")
    if missing := sorted(set(keyids) - set(named)):
        raise _unnamed(missing)
    if strange := sorted(set(named) - set(keyids)):
        raise dsse.NotTrusted(f"rule 11: {PEOPLE} names {strange}, which are no approver's keys")
    return {keyid: _name(keyid, name) for keyid, name in named.items()}


def persons(keyids: Collection[str], people: Mapping[str, str]) -> int:
    """Return how many people the keys of the approver role are: a key is one where no name is."""
    return len({people.get(keyid, keyid).casefold() for keyid in keyids})


def _unnamed(keyids: Collection[str]) -> dsse.NotTrusted:
    shown = ", ".join(sorted(keyids))
    return dsse.NotTrusted(
        f"rule 11: the root does not say whose approver keys {shown} are, so one person could "
        "count as two; say it with --person KEYID=NAME, by the names of their accounts"
    )


def _name(keyid: str, found: Any) -> str:
    right = isinstance(found, str) and fields.LINE.match(found) and found.strip() == found
    if not right or not 0 < len(found) <= _LONGEST:
        raise dsse.NotTrusted(f"rule 11: {PEOPLE} says of {keyid} what is no name of an account")
    return str(found)
