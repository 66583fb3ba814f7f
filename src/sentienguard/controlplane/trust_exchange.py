"""A control plane's signed documents out of its directory and into it, as one bundle.

Called by `sentienguard trust export|import|status`, while the control plane may run: it reads the
directory when it starts. Rules of taking over; the line that refuses names its rule:

1. Everything is verified first, from the root that stands here or from a digest that the caller
   brings from elsewhere; then it is written, and what was written halfway is written again by the
   next import.
2. The online keys of this machine are the ones that the new root names: else hosts would refuse
   everything from here. A dispatch key that waits (`keys/dispatch.next.pem`) takes the place of the
   old one with the first root that names it and no longer the old one; so does the listener's key
   (`tls/server.next.key`), where the root names the keys by which hosts know the listener. The
   log's next key (`keys/log.next.pem`) stays beside the old one, which signs up to its end
   (log_rotation).
3. The log keeps its name. Another one would be another log. The key that signs it stays named, with
   or without an end, so that what it signed can be checked.
4. No private key is read but the online ones, and none is written but the next online ones. Old
   offline keys that `up` made are only looked for, by their file names, to say whether they still
   count.
"""

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sentienguard.controlplane import private_files, trust_store
from sentienguard.model import errors, ids
from sentienguard.stages.audit import checkpoint
from sentienguard.trust import bundle as bundles
from sentienguard.trust import catalogue, certificates, dsse, keys
from sentienguard.trust import root as roots

NEXT_DISPATCH = "keys/dispatch.next.pem"  # in the control plane's directory
NEXT_SERVER = "tls/server.next.key"
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)  # what stands here may have expired: that is why


class NotTaken(errors.Rejected):
    """A bundle that does not fit this control plane."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A bundle that may be taken over, and the waiting keys that then take their places."""

    verified: bundles.Verified
    dispatch: Path | None  # None: the present one stays
    listener: Path | None


def read(directory: Path) -> bundles.Bundle:
    """Return what a control plane holds. Raises trust_store.TrustMissing."""
    root = _json(directory / "trust/root.json")
    listed = _json(directory / "trust/catalogue.json")
    return bundles.Bundle(
        roots=(*trust_store.earlier_roots(directory), root),
        catalogue=listed,
        proving=tuple(_json(path) for path in sorted((directory / "trust/proving").glob("*.json"))),
        playbooks={
            one.digest: trust_store.playbook_path(directory, one.digest).read_bytes()
            for one in catalogue.claimed(listed).playbooks
        },
    )


def take_over(
    directory: Path, bundle: bundles.Bundle, *, now: datetime, pinned: ids.Digest | None = None
) -> bundles.Verified:
    """Verify a bundle and write it into a control plane's directory.

    `pinned` is the digest of the first root, for a directory without one. Raises dsse.NotTrusted
    or NotTaken; nothing is changed then.
    """
    judged = judge(directory, bundle, now=now, pinned=pinned)
    _write(directory, bundle, pinned)
    # Last: one that was cut off here is done by the next import.
    if judged.dispatch is not None:
        judged.dispatch.replace(directory / "keys/dispatch.pem")
    if judged.listener is not None:  # its certificate is made by the next look (server_certificate)
        judged.listener.replace(directory / "tls/server.key")
    return judged.verified


def judge(
    directory: Path, bundle: bundles.Bundle, *, now: datetime, pinned: ids.Digest | None = None
) -> Judged:
    """Verify a bundle as `take_over` does, and write nothing. Raises what that raises."""
    current = _current(directory)
    if current is None and pinned is None:
        raise NotTaken(
            f"{directory} has no root yet: name the digest of the first one with --root-digest, as "
            "whoever made the keys read it out"  # rule 1
        )
    verified = bundles.verify(
        bundle, now=now, current=current, pinned=pinned, newest=_newest(directory)
    )
    waiting = _require_dispatch_key(directory, verified.root)
    _require_log_keys(directory, verified.root)
    listener = _require_listener(directory, verified.root)
    if current is not None and current.log_origin != verified.root.log_origin:
        raise NotTaken(
            f"the log is called {current.log_origin} here and {verified.root.log_origin} in the "
            "new root; a log never changes its name"  # rule 3
        )
    return Judged(verified, waiting, listener)


def make_next_dispatch_key(directory: Path) -> keys.VerifyKey:
    """Make the key that is to follow the dispatch key, or return the one that waits already."""
    file = directory / NEXT_DISPATCH
    if not file.exists():
        private_files.write(file, keys.SigningKey.generate().to_pem())
    return keys.SigningKey.from_pem(file.read_bytes()).public


def make_next_log_key(directory: Path) -> keys.VerifyKey:
    """Make the key that is to sign the log next, or return the one that waits already."""
    file = directory / trust_store.NEXT_LOG_KEY
    if not file.exists():
        private_files.write(file, keys.SigningKey.generate().to_pem())
    return keys.SigningKey.from_pem(file.read_bytes()).public


def checkpointed_size(directory: Path) -> int | None:
    """Return how many entries the log's newest checkpoint covers; None: it lies in a database."""
    try:
        note = (directory / "audit/checkpoint").read_text(encoding="utf-8")
    except OSError:
        return None
    return checkpoint.read_text(checkpoint.read_note(note).text).size


def make_next_server_key(directory: Path) -> tuple[str, str]:
    """Make the key that is to follow the listener's, or find the one that waits already.

    Returns the pins of the present one and of that one.
    """
    file = directory / NEXT_SERVER
    if not file.exists():
        private_files.write(file, certificates.make_key())
    present = (directory / "tls/server.key").read_bytes()
    return certificates.pin_of_key(present), certificates.pin_of_key(file.read_bytes())


def standing_root(directory: Path) -> roots.Root | None:
    """Return the root that a control plane holds, expired or not; None where there is none."""
    return _current(directory)


def offline_keys(directory: Path) -> Iterator[tuple[Path, str]]:
    """Yield the offline keys that `up` left in a directory, with their ids; seals stay shut."""
    for file in sorted(directory.glob("*.pem")):
        try:
            yield file, keys.SigningKey.from_pem(file.read_bytes()).id
        except keys.BadKey:
            continue  # sealed: whoever holds the machine does not hold it


def still_counts(root: roots.Root, offline: Path) -> list[Path]:
    """Return the unsealed keys of a directory that the root still names as root key or signer."""
    named = {
        keyid
        for role in (roots.RoleName.ROOT, roots.RoleName.SIGNER)
        for keyid in root.roles[role].keyids
    }
    return [file for file, keyid in offline_keys(offline) if keyid in named]


def _write(directory: Path, bundle: bundles.Bundle, pinned: ids.Digest | None) -> None:
    trust = directory / "trust"
    for place in (trust, trust / "playbooks", trust / "proving", trust / "roots"):
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
    for digest, stored in bundle.playbooks.items():
        private_files.write(trust_store.playbook_path(directory, digest), stored)
    for envelope in bundle.roots[:-1]:
        _put(trust / f"roots/{roots.claimed(envelope).version}.json", envelope)
    if not (trust / "root.digest").exists():
        first = pinned or roots.digest_of(bundle.roots[0])
        private_files.write(trust / "root.digest", first.encode())
    _put(trust / "root.json", bundle.roots[-1])
    _put(trust / "catalogue.json", bundle.catalogue)
    kept = set()
    for envelope in bundle.proving:
        record = catalogue.claimed_proving(envelope)
        name = f"{record.playbook}-{record.digest.removeprefix('sha256:')[:16]}.json"
        _put(trust / "proving" / name, envelope)
        kept.add(name)
    for file in (trust / "proving").glob("*.json"):
        if file.name not in kept:  # its signers may not sign any more; the centre would not start
            file.unlink()


def _put(path: Path, envelope: Any) -> None:
    private_files.write(path, json.dumps(envelope, indent=1, sort_keys=True).encode())


def _require_dispatch_key(directory: Path, root: roots.Root) -> Path | None:
    """Return what takes the dispatch key's place now (rule 2); None: it stays. Raises NotTaken."""
    named = root.roles[roots.RoleName.DISPATCH].keyids
    file = directory / "keys/dispatch.pem"
    found = _private(file, "dispatch").id
    if found in named:
        return None
    waiting = directory / NEXT_DISPATCH
    if _is_one_of(waiting, named):
        return waiting
    raise NotTaken(
        f"{file} is key {found}, but the new root names {', '.join(named)} for dispatch; have the "
        "root keys sign one that names this key, or put the named one there"  # rule 2
    )


def _require_log_keys(directory: Path, root: roots.Root) -> None:
    """Refuse a root by which the log could not go on, or its past not be checked (rule 3)."""
    file = directory / trust_store.LOG_KEY
    found = _private(file, "log").id
    named = [one.key.id for one in root.log_keys]
    if found not in named:
        raise NotTaken(
            f"{file} is key {found}, which signs the log, but the new root names "
            f"{', '.join(named)}; have the root keys sign one that names this key too, with its "
            f"end: `sentienguard trust rotate FILE --log-end {found}=SIZE`"
        )
    try:
        trust_store.log_signers(directory, root)
    except dsse.NotTrusted as error:
        raise NotTaken(
            f"{directory / 'keys'}: {error}; `sentienguard trust online-key log` makes it"
        ) from error


def _private(file: Path, name: str) -> keys.SigningKey:
    try:
        return keys.SigningKey.from_pem(file.read_bytes())
    except OSError as cause:
        raise NotTaken(f"{file}: {cause.strerror}; put the {name} key there first") from cause


def _require_listener(directory: Path, root: roots.Root) -> Path | None:
    """Return what is to be the listener's key now (rule 2); None: it stays. Raises NotTaken."""
    if not root.server_pins:
        return None
    file, waiting = directory / "tls/server.key", directory / NEXT_SERVER
    found = certificates.pin_of_key(file.read_bytes())
    if found in root.server_pins:
        return None
    if waiting.exists() and certificates.pin_of_key(waiting.read_bytes()) in root.server_pins:
        return waiting
    raise NotTaken(
        f"{file} has pin {found}, but hosts with the new root would know the control plane by "
        f"{', '.join(root.server_pins)}; have the root keys sign one that names this pin, or make "
        "the next key here with `sentienguard trust online-key server`"  # rule 2
    )


def _is_one_of(file: Path, keyids: Collection[str]) -> bool:
    return file.exists() and keys.SigningKey.from_pem(file.read_bytes()).id in keyids


def _current(directory: Path) -> roots.Root | None:
    file = directory / "trust/root.json"
    if not file.exists():
        return None
    pinned = ids.Digest((directory / "trust/root.digest").read_text().strip())
    chain = [*trust_store.earlier_roots(directory), _json(file)]
    return roots.enter(chain, pinned, now=_LONG_AGO)


def _newest(directory: Path) -> tuple[int, ids.Digest] | None:
    file = directory / "trust/catalogue.json"
    if not file.exists():
        return None
    found = catalogue.claimed(_json(file))
    return found.version, found.digest


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_bytes())
    except OSError as cause:
        raise trust_store.TrustMissing(
            f"{path}: {cause.strerror}; run `sentienguard up`, or import a trust file"
        ) from cause
    except ValueError as cause:
        raise trust_store.TrustMissing(f"{path}: expected JSON, found {cause}") from cause
    if not isinstance(found, dict):
        raise dsse.NotTrusted(f"{path}: expected an envelope")
    return found
