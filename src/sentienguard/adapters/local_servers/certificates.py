"""The certificate of a service: the file, what the service serves, and the declared renewal."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from sentienguard.adapters.local_servers import wire
from sentienguard.ports import command_runner, interrupt, servers

READINGS: Final = ("certificate_spent", "certificate_stale")
_MOST_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Certificate:
    """One certificate that was declared."""

    file: str  # PEM; its first certificate is the one that is served
    address: str  # host:port of loopback where it is served
    renew: tuple[str, ...]  # argv; empty: nobody declared a renewal
    runner: command_runner.CommandRunner
    interrupt: interrupt.Interrupt

    def do(self, deed: str, operand: str, limit: float) -> bool:
        """Run the renewal; tell whether the file holds another certificate afterwards."""
        del operand
        if deed != "renew" or not self.renew:
            raise servers.NotControlled("no renewal is declared for this certificate")
        before = self._first()
        result = self.runner.run(
            self.renew, limit=limit, mark="certificate-renew", interrupt=self.interrupt
        )
        if result.exit_code != 0:
            raise servers.ServerFailed(
                f"{self.renew[0]} ended with {result.exit_code or result.ending.value}: "
                f"{result.stderr.strip()[:200]}"
            )
        return self._first() != before

    def reading(self, name: str) -> float:
        """Measure one of `READINGS`."""
        if name == "certificate_spent":
            begins, ends = _life_of(self._first())
            return 100 * (datetime.now(UTC) - begins) / (ends - begins)
        return float(self._served() != self._first())

    def _first(self) -> bytes:
        """Return the first certificate of the file, DER."""
        try:
            with Path(self.file).open("rb") as file:
                return _first_of(file.read(_MOST_BYTES))
        except (OSError, ValueError) as error:
            raise servers.ServerFailed(f"{self.file}: {error}") from error

    def _served(self) -> bytes:
        import ssl  # noqa: PLC0415 - 4 MB, and few hosts declare a certificate

        host, port = wire.loopback(self.address)
        try:
            text = ssl.get_server_certificate((host, port), timeout=wire.LIMIT_S)
        except (OSError, ValueError) as error:
            raise servers.ServerFailed(f"{self.address} serves no certificate: {error}") from error
        return _first_of(text.encode())


def _first_of(pem: bytes) -> bytes:
    """Return the first certificate, DER. Loaded here: 3 MB, and few hosts declare one."""
    from sentienguard.trust import certificates  # noqa: PLC0415 - see above

    return certificates.first_of(pem)


def _life_of(certificate: bytes) -> tuple[datetime, datetime]:
    from sentienguard.trust import certificates  # noqa: PLC0415 - as above

    return certificates.life_of(certificate)
