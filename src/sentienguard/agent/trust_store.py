"""The executor's trust: root, catalogue and playbooks, as files that only it may write.

Called by `order_intake` (what is trusted now?), by `recovery` (the playbook of an order) and by the
executor's socket (`config`, which the collector brings from the centre). Every rule is `trust`'s;
here it is applied to what comes, and what was accepted is kept.

    trust/root.json            envelope of the current root
    trust/catalogue.json       envelope of the newest catalogue
    trust/playbooks/<hex>.yaml stored bytes of a listed playbook, named by their SHA-256
"""

import base64
import binascii
import json
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sentienguard.agent import executor_state, private_files
from sentienguard.model import errors, ids, playbook
from sentienguard.stages.execute import admission
from sentienguard.trust import catalogue as catalogues
from sentienguard.trust import dsse
from sentienguard.trust import root as roots

_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)  # what is kept was current when it was accepted

Parse = Callable[[bytes, str], playbook.Playbook]


class TrustStore:
    """What this executor trusts; safe to use from every thread."""

    def __init__(
        self,
        directory: Path,
        pinned: ids.Digest,
        state: executor_state.ExecutorState,
        parse: Parse,
    ) -> None:
        """Read what was accepted before. `parse` reads a playbook's bytes; `pinned`: first root."""
        self._directory = directory
        self._pinned = pinned
        self._state = state
        self._parse = parse
        self._lock = threading.Lock()
        self._parsed: dict[ids.Digest, playbook.Playbook] = {}
        self.root: roots.Root | None = None
        self.catalogue: catalogues.Catalogue | None = None
        self.catalogue_envelope: Any = None
        self.problem = ""  # why what was kept cannot be used
        private_files.directory(directory / "playbooks")
        try:
            self._load()
        except (OSError, ValueError, errors.Rejected) as error:
            self.problem = str(error)

    @property
    def newest(self) -> admission.Newest:
        """Return the newest catalogue ever accepted."""
        kept = self._state.get("catalogue")
        return admission.Newest(int(kept.get("version", 0)), kept.get("digest"))

    def accept(
        self, root: Any, catalogue: Any, playbooks: Mapping[str, Any], now: datetime
    ) -> catalogues.Catalogue:
        """Take over a configuration, whole or not at all.

        Raises dsse.NotTrusted, or OSError where it cannot be kept.
        """
        with self._lock:
            following = self._following_root(root, now)
            newest = self.newest
            listed = catalogues.open_catalogue(
                catalogue,
                following,
                now=now,
                newest_seen=newest.version,
                newest_digest=newest.digest,
            )
            stored = [_stored(name, text, listed) for name, text in playbooks.items()]
            for digest, content in stored:
                self._keep_playbook(digest, content)
            private_files.write(self._directory / "root.json", json.dumps(root).encode())
            private_files.write(self._directory / "catalogue.json", json.dumps(catalogue).encode())
            self._remember(following, listed)
            self._forget_unlisted(listed)
            self.root, self.catalogue, self.catalogue_envelope = following, listed, catalogue
            self.problem = ""
            return listed

    def stored(self, digest: ids.Digest) -> bytes | None:
        """Return the bytes kept under a digest, whatever they are; None where there are none."""
        try:
            return self._file(digest).read_bytes()
        except OSError:
            return None

    def read(self, stored: bytes | None) -> tuple[playbook.Playbook | None, str]:
        """Read a playbook's bytes; where that cannot be done, say why."""
        if stored is None:
            return None, "this host has no such playbook"
        digest = ids.digest(stored)
        if digest not in self._parsed:
            try:
                self._parsed[digest] = self._parse(stored, str(self._file(digest)))
            except errors.Rejected as error:
                return None, str(error)
        return self._parsed[digest], ""

    def _load(self) -> None:
        envelope = json.loads((self._directory / "root.json").read_bytes())
        digest = roots.digest_of(envelope)
        root = roots.first(envelope, digest, now=_LONG_AGO)
        least = int(self._state.get("root").get("version", 1))
        if root.version < least or (root.version <= 1 and digest != self._pinned):
            raise dsse.NotTrusted(
                f"the root that is kept has version {root.version} and digest {digest}; expected "
                f"version {least} or later, or the pinned {self._pinned}; enrol this host again"
            )
        self.root = root
        file = self._directory / "catalogue.json"
        if not file.exists():
            return
        found = json.loads(file.read_bytes())
        newest = self.newest
        self.catalogue = catalogues.open_catalogue(
            found,
            root,
            now=_LONG_AGO,
            newest_seen=newest.version,
            newest_digest=newest.digest,
        )
        self.catalogue_envelope = found

    def _following_root(self, envelope: Any, now: datetime) -> roots.Root:
        if self.root is None:
            return roots.first(envelope, self._pinned, now=now)
        return roots.rotate(self.root, envelope, now=now)

    def _remember(self, root: roots.Root, listed: catalogues.Catalogue) -> None:
        """Raise the marks; they never fall, so that admission can judge by them once more."""
        if root.version > int(self._state.get("root").get("version", 0)):
            self._state.keep("root", {"version": root.version})
        if listed.version > self.newest.version:
            self._state.keep("catalogue", {"version": listed.version, "digest": listed.digest})

    def _keep_playbook(self, digest: ids.Digest, content: bytes) -> None:
        if self.stored(digest) != content:
            private_files.write(self._file(digest), content)

    def _forget_unlisted(self, listed: catalogues.Catalogue) -> None:
        """Remove files that no order may name any more; an order that runs holds its playbook."""
        known = {one.digest.removeprefix("sha256:") for one in listed.playbooks}
        for file in (self._directory / "playbooks").glob("*.yaml"):
            if file.stem not in known:
                file.unlink(missing_ok=True)
        self._parsed = {
            digest: parsed
            for digest, parsed in self._parsed.items()
            if digest.removeprefix("sha256:") in known
        }

    def _file(self, digest: ids.Digest) -> Path:
        return self._directory / "playbooks" / f"{digest.removeprefix('sha256:')}.yaml"


def _stored(name: Any, text: Any, listed: catalogues.Catalogue) -> tuple[ids.Digest, bytes]:
    """Return a playbook that came along, if it is what its name says and is listed."""
    if not isinstance(name, str) or not isinstance(text, str):
        raise dsse.NotTrusted("playbooks: expected an object of digest -> base64")
    try:
        content = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise dsse.NotTrusted(f"playbook {name[:80]}: not standard base64") from error
    digest = ids.digest(content)
    if digest != name:
        raise dsse.NotTrusted(f"playbook {name[:80]}: its bytes have digest {digest}")
    if listed.find(digest) is None:
        raise dsse.NotTrusted(f"playbook {digest} is not listed in catalogue {listed.version}")
    return digest, content
