"""Read a key that a setting names the file of. Called by the modules that wire what needs one."""

from pathlib import Path

from sentienguard.controlplane.settings import SettingWrong


def read(setting: str, name: str) -> str:
    """Return the key on the one line of a file; empty without a name. Raises SettingWrong."""
    if not name:
        return ""
    try:
        key = Path(name).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as cause:
        raise SettingWrong(f"setting {setting}: {name} cannot be read: {cause}") from cause
    if not key.isascii() or not key.isprintable() or " " in key:
        raise SettingWrong(f"setting {setting}: {name} is no key on one line")
    return key
