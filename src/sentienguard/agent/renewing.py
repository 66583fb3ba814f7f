"""The courier that keeps the collector's certificate from ending.

Called by `agent.collector`, in a thread of its own. Rules:

1. At half of its life the certificate is exchanged for the next one; it is the proof itself.
2. Once it has ended no server takes it. Then the executor signs that this host asks, and the
   request goes over a connection without a certificate: a host that was off comes back by itself.
3. The key stays: it was made here at the enrolment and is sent nowhere. What comes is taken only if
   it is for this key, can be loaded with it, and lasts longer than what is there.
4. The file is replaced whole. Connections are made anew with the next request on each.
5. The authorities that come with it take the place of those that are there, before it is looked at:
   so the next one is known before it signs. What the server is known by are its pins; authorities
   only say that it is the one of this installation.
"""

import ssl
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sentienguard.agent import executor_link, private_files, uplink
from sentienguard.agent.collectors import certificates
from sentienguard.agent.couriers import Refused
from sentienguard.trust import pins

PATH = "/api/v1/certificate"
MOST_AUTHORITIES = 3  # the one before, the one that signs, the next
LOOK_S = 3600.0  # at most, between two looks: a clock that was set counts at the next one


class RenewalCourier:
    """Exchanges the certificate of one agent's directory in time."""

    name = "certificate"

    def __init__(
        self,
        home: Path,
        context: ssl.SSLContext,
        links: Sequence[uplink.Uplink],
        executor: executor_link.ExecutorLink,
    ) -> None:
        """Keep `home`/tls.crt; `links` use `context`, the first of them carries requests."""
        self._home = home
        self._context = context
        self._links = links
        self._executor = executor

    def carry(self) -> float:
        """Exchange it where it is due. Raises errors.Unavailable, ValueError or OSError."""
        file = self._home / "tls.crt"
        text = file.read_bytes()
        shown = _der(text)
        begins, ends = (at_ms / 1000 for at_ms in certificates.life_ms(shown))
        now, due = time.time(), begins + (ends - begins) / 2
        if now < due:
            return min(due - now, LOOK_S)
        made, trusted = self._ask(b"" if now < ends else text)
        if trusted:
            self._trust(trusted)
        self._take(made, shown, ends)
        self._context.load_cert_chain(str(file), str(self._home / "tls.key"))
        for link in self._links:
            link.renew()
        return 0.0

    def _trust(self, trusted: bytes) -> None:
        """Keep the authorities. Raises Refused or OSError; those that are there then stay."""
        kept = self._home / "ca.pem"
        if trusted == kept.read_bytes():
            return
        count = sum(1 for _ in certificates.ders(trusted))
        if not 1 <= count <= MOST_AUTHORITIES:
            raise Refused(f"the centre named {count} authorities; 1 to {MOST_AUTHORITIES} count")
        self._context.load_verify_locations(cadata=trusted.decode("ascii"))
        private_files.write(kept, trusted)  # rule 5

    def _ask(self, ended: bytes) -> tuple[bytes, bytes]:
        """Return the next certificate and the authorities, PEM; none: as before.

        `ended` is the certificate that is no proof any more.
        """
        if not ended:  # rule 1
            return _certificate(self._links[0].post_json(PATH, {}))
        said = self._executor.ask("renewal")  # rule 2
        alone = uplink.Uplink(self._links[0].address, uplink.client_context(self._home / "ca.pem"))
        try:
            asked = {"certificate_pem": ended.decode("ascii"), "statement": said["statement"]}
            return _certificate(alone.post_json(PATH, asked))
        finally:
            alone.close()

    def _take(self, made: bytes, shown: bytes, ends: float) -> None:
        """Keep the new one. Raises Refused or OSError where it would make us worse off (rule 3)."""
        found = _der(made)
        if pins.spki_sha256(found) != pins.spki_sha256(shown):
            raise Refused("the new certificate is for another key than ours")
        if certificates.life_ms(found)[1] / 1000 <= ends:
            raise Refused("the new certificate does not last longer than the one we have")
        beside = self._home / "tls.next"
        private_files.write(beside, made)
        key = self._home / "tls.key"
        uplink.client_context(self._home / "ca.pem", certificate=beside, key=key)
        beside.replace(self._home / "tls.crt")
        private_files.sync_directory(self._home)


def _der(pem: bytes) -> bytes:
    found = next(certificates.ders(pem), None)
    if found is None:
        raise ValueError("expected a PEM certificate")
    return found


def _certificate(answer: uplink.Answer) -> tuple[bytes, bytes]:
    record: dict[str, Any] = answer.json() if answer.ok else {}
    found = record.get("certificate_pem")
    if not isinstance(found, str):
        raise Refused(f"the centre gave no certificate: {answer.reason()}")
    trusted = record.get("ca_pem", "")
    if not isinstance(trusted, str) or not trusted.isascii():
        raise Refused("the centre named its authorities in another form than PEM")
    return found.encode(), trusted.encode()
