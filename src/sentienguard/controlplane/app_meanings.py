"""Wire what compares meanings, as the settings ask for it. Called by app.py; names its adapters."""

import logging
from pathlib import Path

from sentienguard.adapters.embedding_endpoint.client import Address, Endpoint
from sentienguard.adapters.minilm import embedder as minilm
from sentienguard.adapters.sql_store.database import Database
from sentienguard.controlplane import key_files
from sentienguard.controlplane.meanings import Meanings, Place
from sentienguard.controlplane.settings import Settings, SettingWrong
from sentienguard.model import addresses
from sentienguard.ports.embedder import ModelWrong

log = logging.getLogger(__name__)


def open_meanings(directory: Path, settings: Settings, stores: Database) -> Meanings | None:
    """Return what compares meanings; None: matching goes by words alone. Raises SettingWrong."""
    if settings.embeddings == "off":
        return None
    place: Place = directory / "embeddings"
    if settings.embedding_store == "pgvector":
        place = stores.vectors()
    if settings.embeddings == "hosted":
        return Meanings(Endpoint(address_of(settings)), place)
    try:
        model = minilm.installed()
    except ModelWrong as cause:
        log.warning("%s; matching goes by words alone", cause)
        return None
    return None if model is None else Meanings(model, place)


def address_of(settings: Settings) -> Address:
    """Return where a hosted model is. Raises SettingWrong."""
    url = settings.embedding_url
    key = key_files.read("embedding_key_file", settings.embedding_key_file)
    if key and not addresses.crosses_no_network_in_the_clear(url):
        raise SettingWrong(
            f"setting embedding_url: {url} would carry embedding_key_file's key in clear text; use "
            "https, or a server without a key"
        )
    return Address(
        url=url,
        model=settings.embedding_model,
        dimensions=settings.embedding_dimensions,
        key=key,
        limit_s=settings.embedding_limit_s,
    )
