"""Wire what compares meanings, as the settings ask for it. Called by app.py; names its adapters."""

import logging
from pathlib import Path

from sentienguard.adapters.embedding_endpoint import client
from sentienguard.adapters.embedding_endpoint.client import Address, Endpoint
from sentienguard.adapters.minilm import embedder as minilm
from sentienguard.adapters.sql_store.database import Database
from sentienguard.controlplane import app_outbound, named_keys
from sentienguard.controlplane.meanings import Meanings, Place
from sentienguard.controlplane.settings import Settings
from sentienguard.ports.embedder import ModelWrong
from sentienguard.ports.secrets import Secrets

log = logging.getLogger(__name__)


def open_meanings(
    directory: Path, settings: Settings, stores: Database, keys: Secrets
) -> Meanings | None:
    """Return what compares meanings; None: matching goes by words alone. Raises SettingWrong."""
    if settings.embeddings == "off":
        return None
    place: Place = directory / "embeddings"
    if settings.embedding_store == "pgvector":
        place = stores.vectors()
    if settings.embeddings == "hosted":
        return Meanings(hosted(settings, keys), place)
    try:
        model = minilm.installed()
    except ModelWrong as cause:
        log.warning("%s; matching goes by words alone", cause)
        return None
    return None if model is None else Meanings(model, place)


def hosted(settings: Settings, keys: Secrets) -> Endpoint:
    """Return the hosted model. Raises SettingWrong."""
    url = settings.embedding_url
    key = named_keys.named(settings, "embedding_key", keys)
    bounds = app_outbound.Bounds(
        settings.embedding_limit_s, client.LONGEST_ANSWER, client.LONGEST_QUESTION
    )
    way = app_outbound.way_to("embedding_url", url, settings, bounds, has_key=key is not None)
    address = Address(
        url=url,
        model=settings.embedding_model,
        dimensions=settings.embedding_dimensions,
        limit_s=settings.embedding_limit_s,
    )
    return Endpoint(address, way, key)
