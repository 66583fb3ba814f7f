"""Ask a store over HTTP and read one text from its JSON, quoting nothing of it."""

import json
from typing import Any

from sentienguard.ports import outbound, secrets

_OK, _MISSING = 200, frozenset({400, 401, 403, 404})


def ask(way: outbound.Outbound, request: outbound.Request, name: str) -> dict[str, Any]:
    """Return the answer's object. Raises SecretMissing, SecretsAway."""
    try:
        answer = way.send(request)
    except outbound.NoAnswer as error:
        raise secrets.SecretsAway(f"{name}: {error}") from None
    except outbound.NotAllowed as error:
        raise secrets.SecretNameWrong(f"{name}: {error}") from None
    if answer.status in _MISSING:
        raise secrets.SecretMissing(f"{name}: the store answered {answer.status}")
    if answer.status != _OK:
        raise secrets.SecretsAway(f"{name}: the store answered {answer.status}")
    return parsed(answer.body, name)


def parsed(text: str | bytes, name: str) -> dict[str, Any]:
    """Return an object. Raises SecretMissing; its cause is left out, for it quotes the text."""
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise secrets.SecretMissing(f"{name}: expected a JSON object")
    return found


def member(found: Any, field: str, name: str) -> secrets.Secret:
    """Return one text of an object. Raises SecretMissing."""
    text = found.get(field) if isinstance(found, dict) else None
    if not isinstance(text, str) or not text:
        raise secrets.SecretMissing(f"{name}: there is no text called {field[:80]!r}")
    return secrets.Secret(text)


def token(way: outbound.Outbound, request: outbound.Request, name: str) -> str:
    """Return the bearer token that a service hands out. Raises SecretMissing, SecretsAway."""
    asked = f"{name}: who asks"
    found = member(ask(way, request, asked), "access_token", asked).reveal()
    if not found.isascii() or not found.isprintable() or " " in found:
        raise secrets.SecretMissing(f"{asked}: the token is none")
    return found
