"""Wire the adviser that the settings ask for. Called by app.py; names its adapter for it."""

from typing import Final

from sentienguard.adapters.adviser_endpoint import endpoint
from sentienguard.adapters.adviser_endpoint.endpoint import Address, Endpoint
from sentienguard.controlplane import app_outbound, named_keys
from sentienguard.controlplane.adviser_desk import AdviserDesk
from sentienguard.controlplane.centre import Centre
from sentienguard.controlplane.pointing_desk import PointingDesk
from sentienguard.controlplane.settings import Settings, SettingWrong
from sentienguard.flow.advice_budget import Limits
from sentienguard.flow.advising import Advising, Contexts
from sentienguard.flow.ledger import Ledger
from sentienguard.model.advice import May
from sentienguard.ports.clock import Clock
from sentienguard.ports.secrets import Secrets

OWN: Final = {  # address of each protocol's own service; `compatible` is everybody's
    "openai": "https://api.openai.com/v1",
    "anthropic": "https://api.anthropic.com/v1",
}


def advising(centre: Centre, stores: Secrets, contexts: Contexts | None = None) -> Advising | None:
    """Return what asks the adviser; None where the settings ask for none. Raises SettingWrong."""
    settings = centre.settings
    asked = adviser(settings, stores)
    if asked is None:
        return None
    return Advising(
        asked,
        AdviserDesk(centre.clock),
        clock=centre.clock,
        audit=centre.audit,
        log=centre.log,
        may=May(settings.adviser_may),
        limits=_limits(settings),
        contexts=contexts,
    )


def pointing(
    settings: Settings, stores: Secrets, clock: Clock, audit: Ledger
) -> PointingDesk | None:
    """Return what asks the adviser about questions; None without one. Raises SettingWrong."""
    asked = adviser(settings, stores)
    return None if asked is None else PointingDesk(asked, clock, audit, _limits(settings))


def _limits(settings: Settings) -> Limits:
    return Limits(
        seconds=settings.adviser_limit_s,
        tokens=settings.adviser_tokens,
        dollars=settings.adviser_dollars,
        dollars_in=settings.adviser_dollars_in,
        dollars_out=settings.adviser_dollars_out,
    )


def adviser(settings: Settings, stores: Secrets) -> Endpoint | None:
    """Return the model that the settings ask for; None: there is none. Raises SettingWrong."""
    if settings.adviser == "off":
        return None
    url = settings.adviser_url or OWN.get(settings.adviser, "")
    if not settings.adviser_model:
        raise SettingWrong("setting adviser_model: expected the name of a model, found nothing")
    key = named_keys.named(settings, "adviser_key", stores)
    bounds = app_outbound.Bounds(
        settings.adviser_limit_s, endpoint.LONGEST_ANSWER, endpoint.LONGEST_QUESTION
    )
    way = app_outbound.way_to("adviser_url", url, settings, bounds, has_key=key is not None)
    address = Address(
        protocol=settings.adviser,
        url=url,
        model=settings.adviser_model,
        streams=settings.adviser_streams == "yes",
    )
    return Endpoint(address, way, key)
