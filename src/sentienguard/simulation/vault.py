"""What the executor keeps besides its journal: root, catalogue, playbooks, and what it witnessed.

Called by `executor`. A stages.execute.desk.Trust on a simulated disk; every rule is `trust`'s.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any

from sentienguard.model import errors, ids, playbook
from sentienguard.playbook import parse
from sentienguard.simulation import disk as disks
from sentienguard.simulation import remedies
from sentienguard.stages.audit import witness
from sentienguard.stages.execute import admission
from sentienguard.trust import catalogue as catalogues
from sentienguard.trust import keys
from sentienguard.trust import root as roots


@lru_cache(maxsize=64)
def _parsed(stored: bytes) -> playbook.Playbook:
    return parse.load(stored, origin="vault")


class Vault:
    """What one executor trusts."""

    def __init__(self, disk: disks.Disk, pinned: ids.Digest) -> None:
        """Read what was kept."""
        self._disk = disk
        self._pinned = pinned
        self._state: dict[str, Any] = json.loads(disk.whole("state") or b"{}")
        self.root: roots.Root | None = None
        self.catalogue: catalogues.Catalogue | None = None
        self.catalogue_envelope: Any = None
        self.problem = ""
        root, catalogue = disk.whole("root"), disk.whole("catalogue")
        if root is not None:
            self.root = roots.first(json.loads(root), pinned, now=remedies.START)
        if root is not None and catalogue is not None and self.root is not None:
            found = json.loads(catalogue)
            newest = self.newest
            try:
                self.catalogue = catalogues.open_catalogue(
                    found,
                    self.root,
                    now=remedies.START,
                    newest_seen=newest.version,
                    newest_digest=newest.digest,
                )
                self.catalogue_envelope = found
            except errors.Rejected as error:
                self.problem = str(error)

    @property
    def newest(self) -> admission.Newest:
        """Return the newest catalogue ever accepted."""
        kept = self._state.get("catalogue", {})
        return admission.Newest(int(kept.get("version", 0)), kept.get("digest"))

    @property
    def catalogue_version(self) -> int:
        """Return the version of the catalogue that orders are judged by."""
        return 0 if self.catalogue is None else self.catalogue.version

    def accept(
        self, root: Any, catalogue: Any, playbooks: Mapping[str, bytes], now: datetime
    ) -> None:
        """Take over a configuration. Raises dsse.NotTrusted, OSError."""
        following = (
            roots.first(root, self._pinned, now=now)
            if self.root is None
            else roots.rotate(self.root, root, now=now)
        )
        newest = self.newest
        listed = catalogues.open_catalogue(
            catalogue,
            following,
            now=now,
            newest_seen=newest.version,
            newest_digest=newest.digest,
        )
        for digest, content in playbooks.items():
            if (
                listed.find(ids.digest(content)) is not None
                and self.stored(ids.Digest(digest)) != content
            ):
                self._disk.replace(f"playbook {digest}", content)
        if self.catalogue is None or self.catalogue.digest != listed.digest:
            self._disk.replace("root", json.dumps(root).encode())
            self._disk.replace("catalogue", json.dumps(catalogue).encode())
            self.keep("catalogue", {"version": listed.version, "digest": listed.digest})
        self.root, self.catalogue, self.catalogue_envelope = following, listed, catalogue
        self.problem = ""

    def stored(self, digest: ids.Digest) -> bytes | None:
        """Return the bytes kept under a digest."""
        return self._disk.whole(f"playbook {digest}")

    def read(self, stored: bytes | None) -> tuple[playbook.Playbook | None, str]:
        """Read a playbook's bytes; where that cannot be done, say why."""
        if stored is None:
            return None, "this host has no such playbook"
        try:
            return _parsed(stored), ""
        except errors.Rejected as error:
            return None, str(error)

    def keep(self, name: str, record: dict[str, Any]) -> None:
        """Replace a record, durably. Raises OSError."""
        following = {**self._state, name: record}
        self._disk.replace("state", json.dumps(following).encode())
        self._state = following

    def get(self, name: str) -> dict[str, Any]:
        """Return a record; empty where there is none."""
        return dict(self._state.get(name, {}))


class Witness:
    """The executor as a witness: what was seen is kept before the cosignature leaves."""

    def __init__(self, vault: Vault, name: str, key: keys.SigningKey) -> None:
        """Read what was witnessed before. Raises errors.Broken."""
        self._vault = vault
        self._name = name
        self._key = key
        kept = vault.get("witness")
        self.memory = witness.Memory.from_fields(kept) if kept else witness.Memory()
        self.cosigned: str | None = kept.get("cosigned")

    def see(self, note: str, proof: list[bytes], root: roots.Root, *, at_s: int) -> None:
        """Judge a checkpoint, keep it and cosign it. Raises errors.Rejected, OSError."""
        identity = witness.Identity(self._name, self._key, root.log_origin, root.log_keys)
        following, cosigned = witness.witness(self.memory, note, proof, identity, at_s=at_s)
        self._vault.keep("witness", {**following.to_fields(), "cosigned": cosigned})
        self.memory, self.cosigned = following, cosigned
