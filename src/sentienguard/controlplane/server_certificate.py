"""The certificate of the agents' listener: whom it names, and how it never ends.

Called by controlplane.app at the start and each hour, and by evaluation.py, which makes the first
one. Rules:

1. It names localhost and what `agents_names` lists. Where that changed, or half of its life is
   over, the authority of this directory signs a new one for the same key: agents pin the key, so
   none of them notices. Where another key lies there (trust_exchange, rule 2), it is for that one.
   Where another authority signs by now (authority), that one signs it anew.
2. The running listener shows it to whoever connects from then on.
3. Without the authority's key, which an owner may keep elsewhere, nothing is renewed and the log
   says so; `GET /api/v1/keys` and doctor tell people in time.
"""

import asyncio
import ipaddress
import logging
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from sentienguard.controlplane import private_files
from sentienguard.controlplane.authority import AuthorityFiles
from sentienguard.controlplane.settings import Settings, SettingWrong
from sentienguard.model import errors
from sentienguard.trust import certificates

log = logging.getLogger(__name__)
INTERVAL_S: Final = 3600.0
_NAME_LENGTH: Final = 253  # RFC 1035


@dataclass(frozen=True, slots=True)
class Named:
    """By what agents may call the control plane."""

    names: tuple[str, ...]  # DNS names
    addresses: tuple[str, ...]  # IP addresses


HERE: Final = Named(("localhost",), ("127.0.0.1", "::1"))


def named(settings: Settings) -> Named:
    """Return what the certificate has to name. Raises SettingWrong for what is no name."""
    names, addresses = list(HERE.names), list(HERE.addresses)
    for one in _listed(settings):
        try:
            addresses.append(str(ipaddress.ip_address(one)))
        except ValueError:
            names.append(_dns_name(one))
    return Named(tuple(dict.fromkeys(names)), tuple(dict.fromkeys(addresses)))


def called(settings: Settings) -> str | None:
    """Return the name by which hosts are told to call us; None: by the listener's own address."""
    return next(iter(_listed(settings)), None)


def keep(directory: Path, settings: Settings, now: datetime) -> bool:
    """Renew it where rule 1 says so; tell whether it was. Raises OSError, Rejected."""
    tls = directory / "tls"
    file = tls / "server.pem"
    text = file.read_bytes()
    der = certificates.to_der(text)
    begins, ends = certificates.life_of(der)
    wanted = named(settings)
    as_named = certificates.names_of(der) == (set(wanted.names), set(wanted.addresses))
    key = (tls / "server.key").read_bytes()
    fits = certificates.pin_of_key(key) == certificates.pin_of(text)
    authority = AuthorityFiles(tls).read().signing
    stands = fits and as_named and certificates.issued_by(der, authority.certificate_pem)
    if stands and now < begins + (ends - begins) / 2:
        return False
    server = certificates.Issued(text, key)
    made = certificates.renew_server(authority, server, wanted.names, wanted.addresses, now=now)
    lasts_until = certificates.life_of(certificates.to_der(made.certificate_pem))[1]
    if stands and lasts_until <= ends:  # the authority ends then
        return False
    private_files.write(file, made.certificate_pem)
    log.info("the certificate of the agents' listener was renewed: %s", ", ".join(_all(wanted)))
    return True


def keep_all(directory: Path, settings: Settings, now: datetime) -> bool:
    """Keep the authority, then the certificate; tell whether either changed.

    One that cannot be renewed still serves. Raises SettingWrong.
    """
    lives = timedelta(days=settings.rotate_keys_days)
    lasts = timedelta(hours=settings.agent_certificate_hours)
    changed = False
    try:
        changed = AuthorityFiles(directory / "tls").keep(lives, lasts, now, alone=settings.is_alone)
        changed = keep(directory, settings, now) or changed
    except SettingWrong:
        raise
    except (OSError, errors.Rejected) as problem:
        log.warning("the certificate of the agents' listener was not looked after: %s", problem)
    return changed


async def care(
    directory: Path, settings: Settings, context: ssl.SSLContext, now: Callable[[], datetime]
) -> None:
    """Keep it each hour while the listener runs (rule 2)."""
    while True:
        await asyncio.sleep(INTERVAL_S)
        if await asyncio.to_thread(keep_all, directory, settings, now()):
            show(directory, context)


def show(directory: Path, context: ssl.SSLContext) -> None:
    """Let a listener's context show and trust what lies there now, for whoever connects next.

    Whom it trusted it trusts until it is made anew; what they signed has ended by then.
    """
    tls = directory / "tls"
    try:
        trusted = AuthorityFiles(tls).read().trusted_pem
        context.load_verify_locations(cadata=trusted.decode("ascii"))
        context.load_cert_chain(tls / "server.pem", tls / "server.key")
    except OSError as problem:
        log.warning("the agents' listener goes on with what it has: %s", problem)


def _listed(settings: Settings) -> Sequence[str]:
    return [one.strip() for one in settings.agents_names.split(",") if one.strip()]


def _dns_name(text: str) -> str:
    labels = text.rstrip(".").split(".")
    good = len(text) <= _NAME_LENGTH and all(
        0 < len(one) < 64 and one.replace("-", "a").isalnum() and one.isascii()  # noqa: PLR2004 - RFC 1035
        and not one.startswith("-") and not one.endswith("-")
        for one in labels
    )  # fmt: skip
    if not good:
        raise SettingWrong(
            f"agents_names: expected DNS names and IP addresses with commas between, found {text!r}"
        )
    return text.rstrip(".").lower()


def _all(wanted: Named) -> Sequence[str]:
    return (*wanted.names, *wanted.addresses)
