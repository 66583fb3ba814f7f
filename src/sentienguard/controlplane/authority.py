"""The authority that signs certificates of the listener and of agents, and how the next follows.

Called by `trust_store` (who signs, whom to trust), and by `server_certificate` at the start and
each hour. Files in `tls/`: `ca` signs; `ca.next` is to follow; `ca.before` has signed. Rules:

1. When `ca` is old enough the next authority is made. From then on it is trusted here, and each
   host gets both with its next certificate, within a day.
2. It signs when every host that may still come back has it (`follows`): a host exchanges its
   certificate within its life, and who was away for longer than RENEWED_LATE enrols again. The
   date is the certificate's own, so that several control planes with the same files change at the
   same moment.
3. The key of the one before is destroyed then. What it signed goes on until its end and may be
   exchanged for as long as rule 2 says; then it is trusted no more.
4. Where several control planes have these files, people make the next one and carry it to all:
   what one made alone would be unknown to the others.
5. A step that was cut off is finished by the next look. A clock that was set back changes nothing.
"""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from sentienguard.controlplane import private_files
from sentienguard.trust import certificates

log = logging.getLogger(__name__)
_CARE: Final = timedelta(days=1)  # control planes that are off, clocks that differ
NAME: Final = "SentienGuard agents"


@dataclass(frozen=True, slots=True)
class Authorities:
    """Who signs, and whose signature counts."""

    signing: certificates.Issued
    trusted: tuple[bytes, ...]  # PEM certificates, the signing one first

    @property
    def trusted_pem(self) -> bytes:
        """All of them as one file."""
        return b"".join(one.rstrip() + b"\n" for one in self.trusted)


def follows(certificate_life: timedelta) -> timedelta:
    """Return how long after it was made the next authority signs, by how long certificates last."""
    return certificates.RENEWED_LATE + certificate_life + _CARE


class AuthorityFiles:
    """The authorities of one `tls` directory."""

    def __init__(self, tls: Path) -> None:
        """Read nothing yet."""
        self._tls = tls

    def read(self) -> Authorities:
        """Return them as they lie there now. Raises OSError."""
        signing = certificates.Issued(self._bytes("ca.pem"), self._bytes("ca.key"))
        others = (self._tls / name for name in ("ca.next.pem", "ca.before.pem"))
        return Authorities(
            signing,
            (signing.certificate_pem, *(one.read_bytes() for one in others if one.exists())),
        )

    def make_next(self, now: datetime) -> bool:
        """Make the authority that is to follow, unless one waits. Raises OSError."""
        if (self._tls / "ca.next.pem").exists():
            return False
        made = certificates.make_authority(NAME, now=now)
        private_files.write(self._tls / "ca.next.key", made.key_pem)
        private_files.write(self._tls / "ca.next.pem", made.certificate_pem)  # last: it counts
        return True

    def keep(
        self, lives: timedelta, certificate_life: timedelta, now: datetime, *, alone: bool
    ) -> bool:
        """Do what is due; tell whether anything changed. Raises OSError, Rejected.

        `lives`: how old an authority may become before the next one is made; `certificate_life`:
        how long agents' certificates last; `alone`: nobody else has these files (rule 4).
        """
        known = follows(certificate_life)
        changed = self._finish()
        due = min(lives, certificates.AUTHORITY_LIFETIME - 3 * known)
        if alone and now - self._made("ca.pem") >= due and self.make_next(now):
            log.info("the next authority of agents' certificates is made; hosts learn of it")
            changed = True
        if self._waits("ca.next.pem") and now - self._made("ca.next.pem") >= known:
            changed = self._follow() or changed
        before = self._tls / "ca.before.pem"
        if before.exists() and now - self._made("ca.pem") >= 2 * known:  # rule 3
            before.unlink()
            changed = True
        return changed

    def _follow(self) -> bool:
        if not self._waits("ca.next.key"):
            log.warning("%s: ca.next.pem is due to sign and has no key here", self._tls)
            return False
        private_files.write(self._tls / "ca.before.pem", self._bytes("ca.pem"))
        (self._tls / "ca.next.key").replace(self._tls / "ca.key")
        log.info("the next authority of agents' certificates signs from now on")
        return self._finish()

    def _finish(self) -> bool:
        """Let the certificate follow its key, where a step was cut off between them (rule 5)."""
        if not self._waits("ca.next.pem"):
            return False
        key, waiting = self._bytes("ca.key"), self._bytes("ca.next.pem")
        if certificates.pin_of_key(key) != certificates.pin_of(waiting):
            return False
        (self._tls / "ca.next.pem").replace(self._tls / "ca.pem")
        return True

    def _made(self, name: str) -> datetime:
        begins, _ = certificates.life_of(certificates.to_der(self._bytes(name)))
        return begins

    def _waits(self, name: str) -> bool:
        return (self._tls / name).exists()

    def _bytes(self, name: str) -> bytes:
        return (self._tls / name).read_bytes()
