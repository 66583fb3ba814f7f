"""Look after the keys that are online: know how old they are, rotate what we may, call people.

Called by loops.key_care each hour, and by controlplane.api.keys to show them. What is due stands in
flow.key_ages. Rules:

1. A data key that is `rotate_keys_days` old is followed by a new one, once, however many control
   planes share the database. What one of them sealed a moment ago still opens, so nothing pauses.
2. The key of the local file that wraps data keys is followed too, where nobody else can use the
   database. Else the file is the owner's: a line that others have not would shut them out, so
   nothing is rotated under a key that has wrapped nothing yet.
3. A rotation that was cut off is finished by the next look, of whichever control plane.
4. Keys that people rotate are recorded once when they come near their end and once when they are
   there (`key.due`), and every channel is told (flow.telling.loud).
5. When a key was first seen is kept in `keys/seen.json`: a file that is copied or restored has a
   younger date than its key.
"""

import hashlib
import json
import logging
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sentienguard.controlplane import log_rotation, private_files, renewals, trust_store
from sentienguard.controlplane.authority import AuthorityFiles
from sentienguard.flow import key_ages
from sentienguard.flow.key_ages import OnlineKey, Rotates
from sentienguard.ports.data_keys import DataKey, DataKeyRing, Rotation
from sentienguard.trust import certificates

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sentienguard.controlplane.centre import Centre

log = logging.getLogger(__name__)
SEEN: Final = "keys/seen.json"
DUE = "key.due"
_SPEAKS: Final = timedelta(minutes=10)  # since an agent was heard, at most
_ROTATE_DATA: Final = "python -m sentienguard.controlplane --data DIR --rotate-data-keys"
_ADD_WRAPPING: Final = (
    "python -m sentienguard.controlplane --data DIR --add-wrapping-key; copy keys/data.key to the "
    "other control planes of this database; then the same with --rotate-data-keys"
)
_NEXT_DISPATCH: Final = (
    "sentienguard trust online-key dispatch, then a root that names both, then one that names the "
    "new one alone: docs/how-to/rotate-keys.md#the-dispatch-key"
)
_ADD_AUTHORITY: Final = (
    "python -m sentienguard.controlplane --data DIR --add-authority; copy tls/ca.next.pem and "
    "tls/ca.next.key to the other control planes: docs/how-to/rotate-keys.md#the-authority"
)
_NEXT_LISTENER: Final = (
    "sentienguard trust online-key server, then a root that names both pins, then one that names "
    "the new one and a spare: docs/how-to/rotate-keys.md#the-key-of-the-agents-listener"
)
_NEXT_LOG: Final = (
    "sentienguard trust online-key log, then a root that names it and the old one's end: "
    "docs/how-to/rotate-keys.md#the-logs-key"
)


@dataclass(frozen=True, slots=True)
class Wrapping:
    """The local file whose last key wraps data keys."""

    name: Callable[[], str]  # of its last key
    add: Callable[[], object]  # a key, which wraps from then on


class KeyCare:
    """The online keys of one control plane's directory and database."""

    def __init__(
        self, directory: Path, ring: DataKeyRing, wrapping: Wrapping | None, *, shared: bool
    ) -> None:
        """Look after them; no `wrapping` where another service wraps data keys.

        `shared`: other control planes can use the database.
        """
        self._directory = directory
        self._ring = ring
        self._wrapping = wrapping
        self._shared = shared
        self._lock = threading.Lock()  # of rule 5's file

    def all(self, centre: "Centre") -> list[OnlineKey]:
        """Return every key, what rotates by itself first."""
        return [
            *self._data(), *self._wrapped(), *self._signing(centre), *self._authority(),
            *_certified(centre),
        ]  # fmt: skip

    def round(self, centre: "Centre") -> None:
        """Rotate what is due and call people for the rest. Raises Unavailable, Broken."""
        now, lives = centre.clock.now(), lifetime(centre)
        if left := self._ring.finish():
            log.info(
                "%d values were left by a rotation that was cut off, and are sealed anew", left
            )
        done = self._rotate(now, lives)
        if done is not None:
            log.info("data key %d seals from now on; %d sealed anew", done.number, done.resealed)
        self._record(centre)
        log_rotation.look(centre, self._directory)
        for one in self.all(centre):
            if one.needs_people(now, lives):
                _call(centre, one, now, lives)

    def _rotate(self, now: datetime, lives: timedelta) -> Rotation | None:
        """Rotate the data key where it, or what wraps it, is due (rules 1 and 2)."""
        newest = self._ring.all()[-1:]
        ours = [one for one in (*self._data(), *self._wrapped()) if one.rotates is Rotates.ITSELF]
        if not newest or not any(one.stage(now, lives) is key_ages.Stage.DUE for one in ours):
            return None
        if self._wrapping is not None:
            untried = self._wrapping.name() != newest[0].keeper
            if self._shared and untried:
                log.warning(
                    "data key %d is due and not rotated: keys/data.key has a newer key, which the "
                    "other control planes may not have yet; %s",
                    newest[0].number, _ROTATE_DATA,
                )  # fmt: skip
                return None
            if not self._shared and not untried:
                self._wrapping.add()
        return self._ring.rotate_after(newest[0].number)

    def _record(self, centre: "Centre") -> None:
        """Record the newest data key, whoever made it; again is a no-op."""
        for one in self._ring.all()[-1:]:
            if one.number > 1:
                centre.audit.append(
                    kind=log_rotation.ROTATED,
                    env="",
                    key=f"{log_rotation.ROTATED}/data-key/{one.number}",
                    data={
                        "name": "data key",
                        "key_id": str(one.number),
                        "wrapped_by": one.keeper[:200],
                        "made": f"{one.made_at:%Y-%m-%d %H:%M} UTC",
                    },
                )

    def _data(self) -> Iterable[OnlineKey]:
        yield from map(_data_key, self._ring.all()[-1:])

    def _wrapped(self) -> Iterable[OnlineKey]:
        if self._wrapping is None:
            return
        name = self._wrapping.name()
        yield OnlineKey(
            name="key that wraps data keys",
            id=name,
            made_at=self._since(name, self._directory / "keys/data.key"),
            rotates=Rotates.OWNER if self._shared else Rotates.ITSELF,
            way=_ADD_WRAPPING if self._shared else _ROTATE_DATA,
        )

    def _signing(self, centre: "Centre") -> Iterable[OnlineKey]:
        trust = centre.trust
        yield OnlineKey(
            name="dispatch key",
            id=trust.dispatch.id,
            made_at=self._since(trust.dispatch.id, self._directory / "keys/dispatch.pem"),
            rotates=Rotates.ROOT,
            way=_NEXT_DISPATCH,
        )
        yield OnlineKey(
            name="log key",
            id=trust.log.last.id,
            made_at=self._since(trust.log.last.id, self._directory / trust_store.LOG_KEY),
            rotates=Rotates.ROOT,
            way=_NEXT_LOG,
            lives=timedelta(days=centre.settings.rotate_log_key_days),
        )
        yield from self._listening()

    def _listening(self) -> Iterable[OnlineKey]:
        """Yield the key that hosts know the centre by; its certificates come and go."""
        file = self._directory / "tls/server.key"
        try:
            pin = certificates.pin_of_key(file.read_bytes())
            made_at = self._since(pin, file)
        except (OSError, ValueError) as cause:
            log.warning("%s: %s: its age is not known", file, cause)
            return
        yield OnlineKey(
            name="key of the agents' listener",
            id=pin[:16],
            made_at=made_at,
            rotates=Rotates.ROOT,
            way=_NEXT_LISTENER,
        )

    def _authority(self) -> Iterable[OnlineKey]:
        """Yield the authority of agents' certificates; it follows its age, not its end."""
        try:
            der = certificates.to_der(
                AuthorityFiles(self._directory / "tls").read().signing.certificate_pem
            )
        except OSError as cause:
            log.warning("the authority of agents' certificates cannot be read: %s", cause)
            return
        yield OnlineKey(
            name="authority of agents' certificates",
            id=hashlib.sha256(der).hexdigest()[:16],
            made_at=certificates.life_of(der)[0],
            rotates=Rotates.OWNER if self._shared else Rotates.ITSELF,
            way=_ADD_AUTHORITY if self._shared else "the next one is made when it is due",
        )

    def _since(self, key: str, file: Path) -> datetime:
        """Return when a key was first seen; keep it (rule 5)."""
        place = self._directory / SEEN
        with self._lock:
            known = _read(place)
            if key not in known:
                known[key] = int(file.stat().st_mtime)
                try:
                    private_files.write(place, json.dumps(known, indent=1).encode())
                except OSError as cause:
                    log.warning("%s: %s; the date of %s counts", place, cause.strerror, file)
        return datetime.fromtimestamp(known[key], UTC)


def lifetime(centre: "Centre") -> timedelta:
    """Return how old a key may become."""
    return timedelta(days=centre.settings.rotate_keys_days)


def _data_key(one: DataKey) -> OnlineKey:
    return OnlineKey("data key", str(one.number), one.made_at, Rotates.ITSELF, _ROTATE_DATA)


def _certified(centre: "Centre") -> Iterable[OnlineKey]:
    """Yield keys with a certificate: it says when they end."""
    tls = centre.trust.tls
    for name, file, way in (
        ("certificate for agents", tls.certificate, "restart: it is renewed at half of its life"),
        ("certificate for people", _people(centre), "have it issued again, then restart"),
    ):
        if file is None:
            continue
        try:
            yield _certificate(name, certificates.first_of(file.read_bytes()), way)
        except (OSError, ValueError) as cause:  # what was loaded at the start goes on being used
            log.warning("%s: %s: its age is not known: %s", name, file, cause)
    yield from _of_agents(centre)


def _of_agents(centre: "Centre") -> "Iterable[OnlineKey]":
    """Yield the first to end of the certificates of hosts that speak.

    Agents renew theirs by themselves; one that has spoken and has not renewed when a quarter of its
    time is left needs people. A host that is off renews when it is back.
    """
    now = centre.clock.now()
    speaking = [
        (one.certificate_ends, one)
        for one in centre.agents.list()
        if one.certificate_ends is not None
        and one.last_seen is not None
        and now - one.last_seen < _SPEAKS
    ]
    if not speaking:
        return
    ends, first = min(speaking, key=lambda each: each[0])
    lasts = renewals.lifetime(centre)
    late = now > ends - lasts / 4
    yield OnlineKey(
        name=f"certificate of the agent of {first.host}, the first to end",
        id=f"{first.id} until {ends:%Y-%m-%d %H:%M}",
        made_at=ends - lasts,
        rotates=Rotates.OWNER if late else Rotates.ITSELF,
        way="see why in what the agent last said (is its executor running?); else enrol it again: "
        "sentienguard-agent enroll --replace",
        ends_at=ends,
    )


def _people(centre: "Centre") -> Path | None:
    own = centre.settings.people_certificate
    return Path(own) if own else None


def _certificate(name: str, der: bytes, way: str) -> OnlineKey:
    begins, ends = certificates.life_of(der)
    return OnlineKey(name, hashlib.sha256(der).hexdigest()[:16], begins, Rotates.OWNER, way, ends)


def _call(centre: "Centre", one: OnlineKey, now: datetime, lives: timedelta) -> None:
    """Record that people are needed, once for each stage (rule 4)."""
    stage, due = one.stage(now, lives), one.due_at(lives)
    centre.audit.append(
        kind=DUE,
        env="",
        key=f"{DUE}/{one.id}/{stage.value}",
        data={
            "name": one.name,
            "key_id": one.id,
            "stage": stage.value,
            "age_days": max((now - one.made_at).days, 0),
            "due": f"{due:%Y-%m-%d %H:%M} UTC",
            "way": one.way,
        },
    )


def _read(place: Path) -> "dict[str, int]":
    try:
        found: Mapping[str, object] = json.loads(place.read_bytes())
    except (OSError, ValueError):
        return {}
    return {key: since for key, since in dict(found).items() if isinstance(since, int)}
