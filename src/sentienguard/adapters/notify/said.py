"""What the owner wrote about one channel, asked for by name and type.

Called by the modules of the services. What nobody asked for is unknown and refused (`finish`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from sentienguard.model import errors
from sentienguard.ports.notifier import NotNow
from sentienguard.ports.secrets import (
    Fetch,
    Secret,
    SecretMissing,
    SecretNameWrong,
    Secrets,
    SecretsAway,
)

_LONGEST_SECRET: Final = 4096  # bytes of a file with a secret


class ChannelWrong(errors.Rejected):
    """A channel in the owner's file says something that it cannot say."""


@dataclass(frozen=True, slots=True)
class Key:
    """A secret of a channel: where it lies, and what fetches it each time it is used."""

    where: str  # its name in a store, or its file
    fetch: Fetch = field(repr=False)

    def text(self) -> str:
        """Return it, to be sent and forgotten. Raises NotNow, quoting none of it."""
        try:
            found = self.fetch().reveal()
        except (SecretMissing, SecretNameWrong, SecretsAway) as cause:
            raise NotNow(f"no secret: {cause}") from cause
        if not found.isprintable():
            raise NotNow(f"no secret: {self.where} holds none on one line")
        return found


class Said:
    """One channel of the file."""

    def __init__(
        self, name: str, found: Mapping[str, Any], directory: Path, stores: Secrets
    ) -> None:
        """Read a channel; paths of secrets are relative to `directory`."""
        self.name = name
        self._stores = stores
        self.kind = str(found.get("kind", ""))
        self._found = dict(found)
        self._directory = directory
        self._asked = {"kind", "private"}

    @property
    def private(self) -> bool:
        """Tell whether its addresses need not be public."""
        return self.flag("private")

    def text(self, field: str, default: str | None = None) -> str:
        """Return a text. Raises ChannelWrong where it is due and missing."""
        self._asked.add(field)
        found = self._found.get(field, default)
        if not isinstance(found, str) or not found or not found.isprintable():
            raise self.wrong(field, "a text", found)
        return found

    def optional(self, field: str) -> str:
        """Return a text; empty where there is none."""
        return self.text(field) if field in self._found else self._none(field)

    def flag(self, field: str) -> bool:
        """Return yes or no; no where nothing is said."""
        self._asked.add(field)
        found = self._found.get(field, False)
        if not isinstance(found, bool):
            raise self.wrong(field, "true or false", found)
        return found

    def texts(self, field: str) -> tuple[str, ...]:
        """Return at least one text."""
        self._asked.add(field)
        found = self._found.get(field)
        listed = [found] if isinstance(found, str) else found
        if (
            not isinstance(listed, list)
            or not listed
            or not all(isinstance(one, str) and one.isprintable() for one in listed)
        ):
            raise self.wrong(field, "a list of texts", found)
        return tuple(listed)

    def secret(self, field: str) -> Key:
        """Return the secret that this field names, or whose file the field and `_file` names.

        A file is looked into now, so that a mistake is told at the start; a store may be away.
        Raises ChannelWrong without quoting anything of it.
        """
        file = f"{field}_file"
        self._asked |= {field, file}
        if field not in self._found:
            path = self._directory / self.text(file)
            key = Key(str(path), lambda: _read(path))
            try:
                key.fetch()
            except SecretMissing as cause:
                raise ChannelWrong(f"channel {self.name}: {file}: {cause}") from cause
            return key
        if file in self._found:
            raise ChannelWrong(f"channel {self.name}: expected {field} or {file}, found both")
        name = self.text(field)
        try:
            self._stores.check(name)
        except SecretNameWrong as cause:
            raise ChannelWrong(f"channel {self.name}: {field}: {cause}") from cause
        return Key(name, lambda: self._stores.fetch(name))

    def optional_secret(self, field: str) -> Key | None:
        """Return a secret; None where nothing names one."""
        self._asked |= {field, f"{field}_file"}
        named = {field, f"{field}_file"} & set(self._found)
        return self.secret(field) if named else None

    def in_file(self, field: str) -> bool:
        """Tell whether a secret lies in a file, which was looked into already."""
        return field not in self._found

    def finish(self) -> None:
        """Refuse what nobody asked for. Raises ChannelWrong."""
        for said in self._found:
            if said not in self._asked:
                known = ", ".join(sorted(self._asked))
                raise ChannelWrong(f"channel {self.name}: {said!r} is unknown; known: {known}")

    def wrong(self, field: str, expected: str, found: object) -> ChannelWrong:
        """Return the refusal of a field."""
        shown = "nothing" if found is None else f"{str(found)[:60]!a}"
        return ChannelWrong(f"channel {self.name}: {field}: expected {expected}, found {shown}")

    def _none(self, field: str) -> str:
        self._asked.add(field)
        return ""


def _read(path: Path) -> Secret:
    try:
        content = path.read_bytes()[: _LONGEST_SECRET + 1]
    except OSError as cause:
        raise SecretMissing(f"{path}: {cause.strerror}") from None
    secret = content.decode("utf-8", "replace").strip()
    if not secret or len(content) > _LONGEST_SECRET or not secret.isprintable():
        raise SecretMissing(f"{path} holds no secret on one line")
    return Secret(secret)
