"""Wire the adviser that the settings ask for. Called by app.py; names its adapter for it."""

import urllib.parse
from typing import Final

from sentienguard.adapters.adviser_endpoint.endpoint import Address, Endpoint
from sentienguard.controlplane import key_files
from sentienguard.controlplane.adviser_desk import AdviserDesk
from sentienguard.controlplane.centre import Centre
from sentienguard.controlplane.pointing_desk import PointingDesk
from sentienguard.controlplane.settings import Settings, SettingWrong
from sentienguard.flow.advice_budget import Limits
from sentienguard.flow.advising import Advising, Contexts
from sentienguard.flow.ledger import Ledger
from sentienguard.model.advice import May
from sentienguard.ports.clock import Clock

OWN: Final = {  # address of each protocol's own service; `compatible` is everybody's
    "openai": "https://api.openai.com/v1",
    "anthropic": "https://api.anthropic.com/v1",
}
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


def advising(centre: Centre, contexts: Contexts | None = None) -> Advising | None:
    """Return what asks the adviser; None where the settings ask for none. Raises SettingWrong."""
    settings = centre.settings
    address = address_of(settings)
    if address is None:
        return None
    return Advising(
        Endpoint(address),
        AdviserDesk(centre.clock),
        clock=centre.clock,
        audit=centre.audit,
        log=centre.log,
        may=May(settings.adviser_may),
        limits=_limits(settings),
        contexts=contexts,
    )


def pointing(settings: Settings, clock: Clock, audit: Ledger) -> PointingDesk | None:
    """Return what asks the adviser about questions; None without one. Raises SettingWrong."""
    address = address_of(settings)
    if address is None:
        return None
    return PointingDesk(Endpoint(address), clock, audit, _limits(settings))


def _limits(settings: Settings) -> Limits:
    return Limits(
        seconds=settings.adviser_limit_s,
        tokens=settings.adviser_tokens,
        dollars=settings.adviser_dollars,
        dollars_in=settings.adviser_dollars_in,
        dollars_out=settings.adviser_dollars_out,
    )


def address_of(settings: Settings) -> Address | None:
    """Return where the model is; None: there is none. Raises SettingWrong."""
    if settings.adviser == "off":
        return None
    url = settings.adviser_url or OWN.get(settings.adviser, "")
    parts = urllib.parse.urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise SettingWrong(f"setting adviser_url: expected an http or https address, found {url!r}")
    if not settings.adviser_model:
        raise SettingWrong("setting adviser_model: expected the name of a model, found nothing")
    key = key_files.read("adviser_key_file", settings.adviser_key_file)
    if key and parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        raise SettingWrong(
            f"setting adviser_url: {url} would carry adviser_key_file's key in clear text; use "
            "https, or a server without a key"
        )
    return Address(
        protocol=settings.adviser,
        url=url,
        model=settings.adviser_model,
        key=key,
        streams=settings.adviser_streams == "yes",
    )
