"""The executor's trust: root, catalogue and playbooks, as files that only it may write.

Called by `order_intake` (what is trusted now?), by `recovery` (the playbook of an order) and by the
executor's socket (`config`, which the collector brings from the centre). Every rule is `trust`'s;
here it is applied to what comes, and what was accepted is kept.

Rules:
1. A root counts as soon as it is verified, also where the catalogue beside it is refused: a key
   that was struck off must not stay because of a document that it signed.
2. Catalogue and playbooks are taken over together or not at all.
3. Neither root nor catalogue falls behind the newest that was ever accepted, nor is there another
   of the same version, also when the files are gone and everything starts at the pinned root.

    trust/root.json            envelope of the current root
    trust/catalogue.json       envelope of the newest catalogue
    trust/playbooks/<hex>.yaml stored bytes of a listed playbook, named by their SHA-256
"""

import base64
import binascii
import json
import threading
from collections.abc import Callable, Mapping, Sequence
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
        self,
        root: Any,
        catalogue: Any,
        playbooks: Mapping[str, Any],
        now: datetime,
        *,
        earlier: Sequence[Any] = (),
    ) -> catalogues.Catalogue:
        """Take over a root, then catalogue and playbooks, whole or not at all.

        `earlier` are the roots that lead to `root`, oldest first. Raises dsse.NotTrusted, or
        OSError where it cannot be kept.
        """
        with self._lock:
            following = self._following_root([*earlier, root], now)
            self._take_root(following, root)
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
            private_files.write(self._directory / "catalogue.json", json.dumps(catalogue).encode())
            self._remember(listed)
            self._forget_unlisted(listed)
            self.catalogue, self.catalogue_envelope = listed, catalogue
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
        self._require_no_older(root)
        if root.version <= 1 and digest != self._pinned:
            raise dsse.NotTrusted(
                f"the root that is kept has version {root.version} and digest {digest}; expected "
                f"the pinned {self._pinned}; enrol this host again"
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

    def _following_root(self, chain: Sequence[Any], now: datetime) -> roots.Root:
        if self.root is not None:
            return roots.follow(self.root, chain, now=now)
        found = roots.enter(chain, self._pinned, now=now)
        self._require_no_older(found)
        return found

    def _require_no_older(self, root: roots.Root) -> None:
        """Refuse a root behind the newest ever accepted, or another of its version (rule 3)."""
        kept = self._state.get("root")
        least, digest = int(kept.get("version", 1)), kept.get("digest")
        if root.version < least or (root.version == least and digest not in {None, root.digest}):
            raise dsse.NotTrusted(
                f"expected root version {least} ({digest or 'any'}) or later, seen before, got "
                f"version {root.version} with digest {root.digest}; the centre has to send the "
                "roots that lead to the newest one"
            )

    def _take_root(self, following: roots.Root, envelope: Any) -> None:
        """Keep a root (rule 1); the file first, so that a crash leaves one that is not too old."""
        if self.root is None or self.root.digest != following.digest:
            private_files.write(self._directory / "root.json", json.dumps(envelope).encode())
        mark = {"version": following.version, "digest": following.digest}
        if self._state.get("root") != mark:
            self._state.keep("root", mark)
        self.root = following

    def _remember(self, listed: catalogues.Catalogue) -> None:
        """Raise the mark; it never falls, so that admission can judge by it once more."""
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
