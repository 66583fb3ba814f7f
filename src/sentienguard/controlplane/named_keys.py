"""The key that a setting names: by its name in a store of secrets, or by its file.

Called by the modules that wire what needs one. Rules:

1. At the start a mistake is told: a name of no store, a file that holds no key. A store is not
   asked yet, because it may be away for a while.
2. Each use fetches the key anew; nobody keeps it, and no message quotes it.
"""

from pathlib import Path

from sentienguard.controlplane.settings import Settings, SettingWrong
from sentienguard.ports.secrets import Fetch, Secret, SecretMissing, SecretNameWrong, Secrets


def named(settings: Settings, setting: str, stores: Secrets) -> Fetch | None:
    """Return what fetches the key of a setting, such as adviser_key; None: nothing names one.

    Its file is named by the setting of that name and `_file`. Raises SettingWrong; what is returned
    raises as Secrets.fetch does.
    """
    name, file = getattr(settings, setting), getattr(settings, f"{setting}_file")
    if name and file:
        raise SettingWrong(f"settings {setting} and {setting}_file: expected one, found both")
    try:
        if name:
            stores.check(name)
            return lambda: _key(stores.fetch(name).reveal(), name)
        if file:
            _read(file)
            return lambda: _read(file)
    except SecretNameWrong as cause:
        raise SettingWrong(f"setting {setting}: {cause}") from cause
    except SecretMissing as cause:
        raise SettingWrong(f"setting {setting}_file: {cause}") from cause
    return None


def _read(name: str) -> Secret:
    try:
        found = Path(name).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as cause:
        why = cause.strerror if isinstance(cause, OSError) else "it is not UTF-8"
        raise SecretMissing(f"{name} cannot be read: {why}") from None
    return _key(found, name)


def _key(text: str, where: str) -> Secret:
    """Return what can stand in a header."""
    if not text or not text.isascii() or not text.isprintable() or " " in text:
        raise SecretMissing(f"{where} is no key on one line")
    return Secret(text)
